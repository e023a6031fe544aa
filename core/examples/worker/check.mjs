// The core, compiled to WebAssembly, asks nothing of the outside world: its module has no import.
// And it works all the same: a client is challenged, discovers, registers and is sent to Entra ID.
// The whole of it, in a Worker, is among the subjects of tests/suite.
//
//   cargo build -p mcp-entra-worker --release --target wasm32-unknown-unknown
//   node core/examples/worker/check.mjs [path to mcp_entra_worker.wasm]

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

const target = process.env.CARGO_TARGET_DIR ?? new URL("../../../target", import.meta.url).pathname;
const path = process.argv[2] ?? `${target}/wasm32-unknown-unknown/release/mcp_entra_worker.wasm`;
const bytes = await readFile(path);
const module = await WebAssembly.compile(bytes);

const imports = WebAssembly.Module.imports(module);
assert.deepEqual(imports, [], "the module has imports");
console.log(`imports      none, in ${bytes.length} bytes`);

const { exports } = await WebAssembly.instantiate(module);

function call(name, value) {
  const input = new TextEncoder().encode(JSON.stringify(value));
  const at = exports.input(input.length);
  new Uint8Array(exports.memory.buffer, at, input.length).set(input);
  const length = exports[name]();
  const output = new Uint8Array(exports.memory.buffer, exports.output(), length);
  const told = JSON.parse(new TextDecoder().decode(output));
  assert.equal(told?.error, undefined, `${name}: ${told?.error}`);
  return told;
}

function begin(method, target, headers = []) {
  return call("begin", { method, target, headers, now: 1_767_225_700 });
}

function header(response, name) {
  return response.headers.find(([known]) => known === name)?.[1];
}

const client_id = "99999999-8888-4777-8666-555555555555";
const tenant = "11111111-2222-4333-8444-555555555555";
const options = { resource: "https://mcp.example.com/mcp", tenant, client_id };
const { discovery } = call("configure", options);
assert.equal(discovery, `https://login.microsoftonline.com/${tenant}/v2.0/.well-known/openid-configuration`);

const { respond: challenge } = begin("POST", "/mcp");
assert.equal(challenge.status, 401);
assert.equal(
  header(challenge, "www-authenticate"),
  'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="access_as_user"',
);
console.log(`challenge    ${challenge.status} ${header(challenge, "www-authenticate")}`);

const waiting = begin("GET", "/.well-known/oauth-authorization-server");
assert.equal(waiting.load, "discovery");
const fixture = new URL("../../tests/fixtures/v2_tenant.json", import.meta.url);
call("hold", { discovery: await readFile(fixture, "utf8") });

// other exchanges go on while one waits
const read = begin("POST", "/oauth/register", [["content-type", "application/json"]]);
assert.equal(read.read, 65536);

const { respond: metadata } = call("carry_on", { exchange: waiting.exchange });
assert.equal(metadata.status, 200);
assert.equal(JSON.parse(metadata.body).issuer, "https://mcp.example.com");
console.log(`metadata     ${metadata.status} ${metadata.body.slice(0, 96)}…`);

const body = JSON.stringify({ redirect_uris: ["http://localhost:8787/callback"] });
const { respond: registration } = call("carry_on", { exchange: read.exchange, body });
assert.equal(registration.status, 201);
assert.equal(JSON.parse(registration.body).client_id, client_id);
console.log(`register     ${registration.status} ${registration.body.slice(0, 96)}…`);

const query = new URLSearchParams({
  response_type: "code",
  client_id,
  redirect_uri: "http://localhost:8787/callback",
  code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  code_challenge_method: "S256",
  resource: "https://mcp.example.com/mcp",
});
const { respond: authorize } = begin("GET", `/oauth/authorize?${query}`);
assert.equal(authorize.status, 302);
const location = new URL(header(authorize, "location"));
assert.equal(location.origin, "https://login.microsoftonline.com");
assert.equal(location.searchParams.get("resource"), null);
console.log(`authorize    ${authorize.status} ${location.origin}${location.pathname}?…`);

assert.deepEqual(begin("GET", "/elsewhere"), { pass: null });
console.log("elsewhere    passed on");
