// A Worker in front of an MCP server: the core, bound to fetch by hand.
// cargo build --release -p mcp-entra-worker --target wasm32-unknown-unknown makes the .wasm file beside this one;
// the variables are the gateway's: MCP_ENTRA_RESOURCE and so on.

import core from "./mcp_entra_worker.wasm";

const REFRESH = 60 * 60 * 1000; // documents older than this are fetched again, beside a request
const UNKNOWN_KEY = 5 * 60 * 1000; // an unknown key causes at most one fetch in this time
const { exports } = new WebAssembly.Instance(core);
const encoder = new TextEncoder();
let documents; // Entra ID's: name -> { url, fetched }

function call(name, value) {
  const input = encoder.encode(JSON.stringify(value));
  const at = exports.input(input.length); // which may move the memory
  new Uint8Array(exports.memory.buffer, at, input.length).set(input);
  const length = exports[name]();
  const output = new Uint8Array(exports.memory.buffer, exports.output(), length);
  const { error, ...told } = JSON.parse(new TextDecoder().decode(output));
  if (error) throw new Error(error);
  return told;
}

function configure(env) {
  const { MCP_ENTRA_RESOURCE: resource, MCP_ENTRA_TENANT: tenant, MCP_ENTRA_CLIENT_ID: client_id } = env;
  const { MCP_ENTRA_CLIENT_SECRET: client_secret, MCP_ENTRA_AUTHORITY: authority = "" } = env;
  const operation_scopes = env.MCP_ENTRA_OPERATION_SCOPES?.split(/\s+/) ?? [];
  const told = call("configure", { resource, tenant, client_id, client_secret, authority, operation_scopes });
  documents = { discovery: { url: told.discovery }, keys: {} };
}

const ask = (url, init = {}) => fetch(url, { redirect: "manual", signal: AbortSignal.timeout(8000), ...init });

// The whole of a body as text, or undefined where it is longer. What is no UTF-8 is no form and no JSON either.
async function read(body, limit) {
  const chunks = [];
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    if ((limit -= chunk.length) < 0) return undefined;
  }
  const octets = await new Blob(chunks).arrayBuffer();
  try { return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets); } catch { return ""; }
}

async function load(name, patience) {
  const document = documents[name];
  if (!document.url || Date.now() - document.fetched < patience) return;
  try {
    const answer = await ask(document.url);
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    documents.keys.url = call("hold", { [name]: await read(answer.body, 512 * 1024) }).keys;
    document.fetched = Date.now();
  } catch (error) { console.warn(`${document.url}: ${error}`); } // what is held stays in use
}

async function send({ url, headers, body, limit }) {
  const answer = await ask(url, { method: "POST", headers, body });
  return { status: answer.status, headers: [...answer.headers], body: await read(answer.body, limit) };
}

async function verify({ n, e, text, signature }) {
  const rs256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const binary = atob(signature.replaceAll("-", "+").replaceAll("_", "/"));
  const octets = Uint8Array.from(binary, (octet) => octet.charCodeAt(0));
  const key = await crypto.subtle.importKey("jwk", { kty: "RSA", n, e }, rs256, false, ["verify"]);
  return { good: await crypto.subtle.verify(rs256, key, octets, encoder.encode(text)) };
}

export default {
  async fetch(request, env, context) {
    if (!documents) configure(env);
    for (const name in documents) if (documents[name].fetched) context.waitUntil(load(name, REFRESH));
    let { method, headers, body } = request;
    const { pathname, search } = new URL(request.url);
    const now = Math.floor(Date.now() / 1000);
    let step = call("begin", { method, target: pathname + search, headers: [...headers], now });
    for (;;) {
      const { exchange, respond, pass } = step;
      if (respond) return new Response(respond.body || null, respond);
      if (pass === null) return new Response("nothing is served at this path\n", { status: 404 });
      if (pass) {
        const rest = pathname.slice(new URL(env.MCP_ENTRA_RESOURCE).pathname.length) + search;
        const init = { method, headers: pass.headers, body, redirect: "manual", duplex: "half" };
        const away = () => new Response("the MCP server behind did not answer\n", { status: 502 });
        const { status, headers: theirs, body: stream } = await fetch(env.MCP_ENTRA_UPSTREAM + rest, init).catch(away);
        const { amended } = call("carry_on", { exchange, status, headers: [...theirs] });
        return new Response(stream, { status, headers: amended });
      }
      let effect = {};
      if (step.read) effect = { body: (body = await read(body, step.read)) };
      if (step.load) await load(step.load, step.load === "keys" ? UNKNOWN_KEY : REFRESH);
      if (step.verify) effect = await verify(step.verify).catch(() => ({ good: false }));
      if (step.send) effect = await send(step.send).catch(() => ({}));
      step = call("carry_on", { exchange, ...effect });
    }
  },
};
