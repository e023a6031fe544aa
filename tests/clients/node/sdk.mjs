// A client on the TypeScript SDK, version 1 (one package) or 2 (the client's own): `node sdk.mjs URL 1|2`.
import { session } from "./session.mjs";
import { follow, serve } from "./steps.mjs";

async function version1() {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const { UnauthorizedError } = await import("@modelcontextprotocol/sdk/client/auth.js");
  return { Client, StreamableHTTPClientTransport, UnauthorizedError, finish: (callback) => callback.get("code") };
}

async function version2() {
  const { Client, StreamableHTTPClientTransport, UnauthorizedError } = await import("@modelcontextprotocol/client");
  // asks for the newest protocol first, and falls back to the handshake of 2025
  const options = { versionNegotiation: { mode: "auto" } };
  return { Client, StreamableHTTPClientTransport, UnauthorizedError, options, finish: (callback) => callback };
}

const [url, major] = process.argv.slice(2);
const sdk = await (major === "1" ? version1() : version2());
await serve(session(sdk, url, "http://localhost:8787/callback", follow));
