// node check.mjs BINARIES CHROMIUM SCREENSHOTS
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";
import { inPage } from "./in_page.mjs";
import { pages, world } from "./world.mjs";

const [binaries, executablePath, screenshots] = process.argv.slice(2);
const WIDTHS = [320, 360, 1280];

await mkdir(screenshots, { recursive: true });
const servers = await world(binaries);
const quiet = ["quic", "background-networking", "component-update", "sync"].map((what) => `--disable-${what}`);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--no-first-run", ...quiet] });
const faults = [];
let rendered = 0;

async function look(name, status, url, colorScheme, width) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 780 } });
  const page = await context.newPage();
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  const what = `${name}, ${width} px, ${colorScheme}`;
  try {
    const response = await page.goto(url, { waitUntil: "load" });
    assert.equal(response.status(), status);
    assert.match(response.headers()["content-security-policy"], /^default-src 'none'; style-src 'unsafe-inline';/);
    // whatever a browser asks of its own accord, an icon, is not the page's doing
    assert.deepEqual(asked.filter((other) => new URL(other).pathname !== "/favicon.ico"), [url], "it loads something");
    const found = await page.evaluate(inPage);
    assert.deepEqual(found.faults, []);
    assert.ok(found.texts > 3, "it says something");
    await page.screenshot({ path: `${screenshots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    rendered += 1;
    return found;
  } catch (error) {
    faults.push(`${what}: ${error.message}`);
  } finally {
    await context.close();
  }
}

// The question is asked and answered without a script and without a mouse.
async function ask() {
  const page = await browser.newPage({ javaScriptEnabled: false });
  await page.goto(`${servers.origin}/oauth/error`);
  await page.keyboard.press("Tab");
  const pasted = "AADSTS50011: The redirect URI 'http://localhost:1/<script>' specified in the request does not match";
  await page.keyboard.type(pasted);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal(await page.textContent("h1"), "AADSTS50011");
  assert.ok(!(await page.content()).includes("localhost:1"), "what was pasted is not shown");
}

try {
  const seen = new Map();
  for (const [name, status, url] of pages(servers)) {
    for (const width of WIDTHS) {
      for (const scheme of ["light", "dark"]) {
        const found = await look(name, status, url, scheme, width);
        if (found) seen.set(scheme, (seen.get(scheme) ?? new Set()).add(found.background));
      }
    }
  }
  const [light, dark] = [...seen.values()].map((backgrounds) => [...backgrounds].join());
  assert.notEqual(light, dark, "dark is another colour than light");
  await ask();
} finally {
  await browser.close();
  servers.end();
}
for (const fault of faults) console.error(fault);
console.log(`${rendered} pages rendered, ${faults.length} do not read well`);
process.exitCode = faults.length === 0 ? 0 : 1;
