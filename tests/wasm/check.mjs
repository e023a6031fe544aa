// The core, compiled to WebAssembly, asks nothing of the outside world: its module has no import.
// And it works all the same: a client discovers, is challenged, registers and signs in.
//
//   cargo build -p mcp-entra-wasm --release --target wasm32-unknown-unknown
//   node tests/wasm/check.mjs [path to mcp_entra_wasm.wasm]

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

const target = process.env.CARGO_TARGET_DIR ?? new URL("../../target", import.meta.url).pathname;
const path = process.argv[2] ?? `${target}/wasm32-unknown-unknown/release/mcp_entra_wasm.wasm`;
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
const discovery = await readFile(
  new URL("../../core/tests/fixtures/v2_tenant.json", import.meta.url),
  "utf8",
);
const options = { resource: "https://mcp.example.com/mcp", tenant, client_id };
assert.equal(call("configure", { options, discovery }), null);

const challenge = begin("POST", "/mcp");
assert.equal(challenge.status, 401);
assert.equal(
  header(challenge, "www-authenticate"),
  'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="access_as_user"',
);
console.log(`challenge    ${challenge.status} ${header(challenge, "www-authenticate")}`);

const metadata = begin("GET", "/.well-known/oauth-authorization-server");
assert.equal(metadata.status, 200);
assert.equal(JSON.parse(metadata.body).issuer, "https://mcp.example.com");
console.log(`metadata     ${metadata.status} ${metadata.body.slice(0, 96)}…`);

const read = begin("POST", "/oauth/register", [["content-type", "application/json"]]);
assert.equal(read.step, "read");
const registration = call("carry_on", {
  body: JSON.stringify({ redirect_uris: ["http://localhost:8787/callback"] }),
});
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
const authorize = begin("GET", `/oauth/authorize?${query}`);
assert.equal(authorize.status, 302);
const location = new URL(header(authorize, "location"));
assert.equal(location.origin, "https://login.microsoftonline.com");
assert.equal(location.searchParams.get("resource"), null);
console.log(`authorize    ${authorize.status} ${location.origin}${location.pathname}?…`);

const form = [["content-type", "application/x-www-form-urlencoded"]];
assert.equal(begin("POST", "/oauth/token", form).step, "read");
const sent = call("carry_on", { body: "grant_type=refresh_token&refresh_token=r" });
assert.equal(sent.step, "send");
assert.equal(new URLSearchParams(sent.body).get("scope"), `${client_id}/access_as_user offline_access`);
const token = call("carry_on", { status: 200, body: '{"access_token":"a"}' });
assert.equal(token.status, 200);
console.log(`token        ${token.status} ${token.body}`);

assert.equal(begin("GET", "/elsewhere").step, "pass");
console.log("elsewhere    passed on");
