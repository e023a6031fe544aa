// A client on the TypeScript SDK 2 in Chromium: `node in_browser.mjs URL CHROMIUM`. Discovery, registration, tokens and
// calls are the page's own requests, under CORS; only the sign-in is followed outside.
import { createServer } from "node:http";
import { rolldown } from "rolldown";
import { open } from "./chromium.mjs";
import { follow, serve } from "./steps.mjs";

const [url, executablePath] = process.argv.slice(2);
const input = new URL("page.mjs", import.meta.url).pathname;
const bundle = await rolldown({ input, platform: "browser", logLevel: "silent" });
const { output } = await bundle.generate({ format: "esm" });
const files = { "/": ["text/html", '<!doctype html><script type="module" src="/page.js"></script>'] };
for (const { fileName, code } of output) files[`/${fileName}`] = ["text/javascript", code];

const server = createServer((request, response) => {
  const [type, body] = files[new URL(request.url, "http://page").pathname] ?? [];
  response.writeHead(body ? 200 : 404, { "Content-Type": type ?? "text/plain" }).end(body);
});
await new Promise((listening) => server.listen(0, "localhost", listening));

const page = await open(executablePath);
await page.exposeFunction("follow", follow);
const origin = `http://localhost:${server.address().port}`;
await page.goto(`${origin}/?${new URLSearchParams({ url, redirectUrl: `${origin}/oauth/callback` })}`);
await page.waitForFunction(() => window.call);
await serve((tool) => page.evaluate((tool) => window.call(tool), tool));
