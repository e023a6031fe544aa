// Runs worker.mjs in Node, unchanged, where MCP_ENTRA_LISTEN says: the events of node:http as a Worker's requests.
// MCP_ENTRA_WASM is the module's file, if it is not in the target folder.

import { createServer } from "node:http";
import { register } from "node:module";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

// as Workers have it, `import` of a .wasm file is its compiled module
const target = process.env.CARGO_TARGET_DIR ?? new URL("../../../target", import.meta.url).pathname;
const file = process.env.MCP_ENTRA_WASM ?? `${target}/wasm32-unknown-unknown/release/mcp_entra_worker.wasm`;
const hooks = `
  const wasm = (specifier) => specifier.endsWith(".wasm");
  export const resolve = (specifier, context, next) =>
    wasm(specifier) ? { url: "wasm:" + specifier, shortCircuit: true } : next(specifier, context);
  export const load = (url, context, next) => !wasm(url) ? next(url, context) : {
    format: "module",
    shortCircuit: true,
    source: 'import { readFileSync } from "node:fs"; export default new WebAssembly.Module(readFileSync(' +
      ${JSON.stringify(JSON.stringify(file))} + '));',
  };`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
const { default: worker } = await import("./worker.mjs");

// what concerns one connection, which a Worker never sees; and what fetch would undo behind its back
const HIDDEN = ["connection", "keep-alive", "transfer-encoding", "upgrade", "expect", "te", "accept-encoding"];

const server = createServer(async (incoming, outgoing) => {
  const headers = new Headers();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    const [name, value] = incoming.rawHeaders.slice(i, i + 2);
    if (!HIDDEN.includes(name.toLowerCase())) headers.append(name, value);
  }
  const url = `http://${incoming.headers.host}${incoming.url}`;
  const { method } = incoming;
  const body = ["GET", "HEAD"].includes(method) ? null : Readable.toWeb(incoming);
  try {
    const request = new Request(url, { method, headers, body, duplex: "half" });
    const context = { waitUntil: (promise) => promise.catch(console.warn) };
    const response = await worker.fetch(request, process.env, context);
    for (const [name, value] of response.headers) outgoing.appendHeader(name, value);
    outgoing.writeHead(response.status).flushHeaders();
    if (response.body) await pipeline(Readable.fromWeb(response.body), outgoing);
    else outgoing.end();
  } catch (error) {
    console.error(error);
    if (!outgoing.headersSent) outgoing.writeHead(502);
    outgoing.end();
  }
});
const [, host, port] = process.env.MCP_ENTRA_LISTEN?.match(/^(.*):(\d+)$/) ?? [, "127.0.0.1", "8080"];
server.listen(port, host, () => console.error(`listening on http://${host}:${server.address().port}`));
