// Runs a test binary that was compiled for wasm32-wasip1, as cargo's runner:
//
//   CARGO_TARGET_WASM32_WASIP1_RUNNER="node --no-warnings core/tests/wasi.mjs" \
//       cargo test -p mcp-entra-core --target wasm32-wasip1
//
// A panic ends a WebAssembly program, so the first test that fails is the last one that ran.

import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [, , file, ...options] = process.argv;
const wasi = new WASI({
  version: "preview1",
  // there is one thread, and nothing is read from or written to the machine
  args: [file, "--test-threads=1", ...options],
  env: { RUST_BACKTRACE: "0", PROPTEST_CASES: process.env.PROPTEST_CASES ?? "256" },
  returnOnExit: true,
});
const module = await WebAssembly.compile(await readFile(file));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
