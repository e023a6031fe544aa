// What in_browser.mjs bundles and opens: the client runs in the page, so that its requests are cross-origin.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { session } from "./session.mjs";

const options = { versionNegotiation: { mode: "auto" } };
const sdk = { Client, StreamableHTTPClientTransport, UnauthorizedError, options, finish: (callback) => callback };
const { url, redirectUrl } = Object.fromEntries(new URLSearchParams(location.search));
window.call = session(sdk, url, redirectUrl, window.follow);
