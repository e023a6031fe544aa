// What every Node client shares: the browser step, and the lines in and out.
import { createInterface } from "node:readline";

// Follows redirects with plain HTTP, up to the callback.
export async function follow(url, redirectUrl) {
  for (let hops = 0; hops < 10 && !url.startsWith(redirectUrl); hops++) {
    const answer = await fetch(url, { redirect: "manual" });
    const location = answer.headers.get("location");
    if (!location) throw new Error(`no callback: ${answer.status} ${await answer.text()}`);
    url = new URL(location, url).href;
  }
  return url;
}

// A tool's name comes in as a line, what it said goes out as a line of JSON.
export async function serve(call) {
  for await (const tool of createInterface({ input: process.stdin })) {
    let said;
    try {
      said = { tool, text: await call(tool) };
    } catch (error) {
      console.error(error);
      said = { tool, error: String(error) };
    }
    console.log(JSON.stringify(said));
  }
  process.exit(0);
}
