// A gateway in front of a stand-in for Entra ID, both as processes, and the pages that they show.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const CLIENT = "99999999-8888-4777-8666-555555555555";
const TENANT = "11111111-2222-4333-8444-555555555555";

async function start(binary, args, env, standardOutput, ready) {
  const stdio = ["pipe", standardOutput ? "pipe" : "ignore", standardOutput ? "ignore" : "pipe"];
  const child = spawn(binary, args, { env: { PATH: process.env.PATH, ...env }, stdio });
  const lines = createInterface({ input: standardOutput ? child.stdout : child.stderr });
  const said = [];
  const started = (async () => {
    for await (const line of lines) {
      said.push(line);
      const found = line.match(ready);
      if (found) return found[1];
    }
  })();
  const value = await Promise.race([started, once(child, "exit")]);
  if (typeof value !== "string") throw new Error(`${binary} ended: ${said.join("\n")}`);
  return { child, value };
}

// Two gateways, with and without a client secret, and a function that ends everything.
export async function world(binaries) {
  const entra = await start(`${binaries}/entra-stand-in`, [], {}, true, /^authority=(.*)$/);
  const gateway = (port, more) =>
    start(
      `${binaries}/mcp-entra`,
      ["serve", "--resource", `http://127.0.0.1:${port}/mcp`, "--upstream", "http://127.0.0.1:9/mcp"],
      {
        MCP_ENTRA_LISTEN: `127.0.0.1:${port}`,
        MCP_ENTRA_TENANT: TENANT,
        MCP_ENTRA_CLIENT_ID: CLIENT,
        MCP_ENTRA_AUTHORITY: entra.value,
        MCP_ENTRA_LOG_FORMAT: "json",
        ...more,
      },
      false,
      /"listening".*"address":"([^"]*)"/,
    );
  const gateways = [await gateway(await freePort(), {}), await gateway(await freePort(), { MCP_ENTRA_CLIENT_SECRET: "s" })];
  const [origin, withSecret] = gateways.map(({ value }) => `http://${value}`);
  return { origin, withSecret, end: () => [entra, ...gateways].forEach(({ child }) => child.kill()) };
}

async function freePort() {
  const { createServer } = await import("node:net");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// Every kind of page there is: a name, the status, the URL.
export function pages({ origin, withSecret }) {
  const authorize = (parameters, at = origin) => `${at}/oauth/authorize?${new URLSearchParams(parameters)}`;
  const redirect = (redirect_uri, at) => authorize({ client_id: CLIENT, redirect_uri }, at);
  const long = `https://client.example/${"a-rather-long-segment/".repeat(9)}callback`;
  const explained = [50011, 53003, 54005, 90033, 90009, 700016, 7000218, 9010010];
  return [
    ["front", 200, `${origin}/`],
    ["mcp", 401, `${origin}/mcp`],
    ["unlisted-web", 400, redirect("https://client.example/callback")],
    ["unlisted-web-with-secret", 400, redirect("https://client.example/callback", withSecret)],
    ["unlisted-loopback", 400, redirect("http://127.0.0.1:50123/callback/1a2b3c4d5e6f")],
    ["unlisted-scheme", 400, redirect("com.example.client:/callback")],
    ["unlisted-long", 400, redirect(long)],
    ["unlisted-too-long", 400, redirect(long + "/x".repeat(99))],
    ["unlisted-odd", 400, redirect("https://client.example/it's")],
    ["unsound", 400, redirect("javascript:alert(1)")],
    ["unsound-long", 400, redirect(`http://${"w".repeat(300)}.example/`)],
    ["no-client-id", 400, authorize({})],
    ["no-redirect-uri", 400, authorize({ client_id: CLIENT })],
    ["twice", 400, `${authorize({ client_id: CLIENT })}&client_id=x`],
    ["too-long", 400, authorize({ client_id: "x".repeat(9000) })],
    ["asking", 200, `${origin}/oauth/error`],
    ["unknown-code", 200, `${origin}/oauth/error?code=4242`],
    ...explained.map((code) => [`AADSTS${code}`, 200, `${origin}/oauth/error?code=${code}`]),
  ];
}
