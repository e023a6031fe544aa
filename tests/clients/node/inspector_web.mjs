// The MCP Inspector's web interface, used as a person does: `node inspector_web.mjs URL CHROMIUM`.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { open } from "./chromium.mjs";
import { serve } from "./steps.mjs";

const [url, executablePath] = process.argv.slice(2);
const inspector = dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector/package.json"));
const launcher = join(inspector, "clients/launcher/build/index.js");
const env = { ...process.env, MCP_AUTO_OPEN_ENABLED: "false", DANGEROUSLY_OMIT_AUTH: "true" };
const server = spawn(process.execPath, [launcher, "--web", "--server-url", url, "--transport", "http"], { env });
process.on("exit", () => server.kill());
process.on("SIGTERM", () => process.exit());
server.stderr.pipe(process.stderr);
await new Promise((up) => server.stdout.on("data", (text) => String(text).includes("up and running") && up()));

const page = await open(executablePath);
let connected = false;

async function connect() {
  await page.goto("http://localhost:6274/");
  await page.getByRole("switch").first().click({ force: true });
  connected = true;
}

async function execute(tool) {
  await page.getByText("Tools", { exact: true }).first().click();
  // a tool that is chosen already shows its last result, and no button
  const other = tool === "greet" ? "delete_note" : "greet";
  for (const name of [other, tool]) await page.getByText(name, { exact: true }).first().click();
  await page.getByRole("button", { name: "Execute Tool" }).click();
}

await serve(async (tool) => {
  if (!connected) await connect();
  await execute(tool);
  const said = page.getByText(/(Hello|Deleted the note of).*Ada/).first();
  const authorize = page.getByRole("button", { name: "Authorize" });
  await said.or(authorize).first().waitFor();
  if (await authorize.isVisible()) {
    // it asks before it steps up, and comes back from the sign-in as a new page
    await authorize.click();
    await page.getByText("Authorization complete").first().waitFor();
    if (!(await said.isVisible())) await execute(tool);
    await said.waitFor();
  }
  const text = (await said.innerText()).match(/(Hello, Ada!|Deleted the note of Ada\.)/)[0];
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${tool}.png`) });
  return text;
});
