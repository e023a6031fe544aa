//! A stand-in for the Azure Functions host with a custom handler: it starts the handler as a
//! process, waits until it answers, and hands it requests as the host does in each of its three
//! modes.
//!
//! | mode | `host.json` | what the handler gets |
//! |---|---|---|
//! | [`Mode::Proxying`] | `enableProxyingHttpRequest`, or the profile `mcp-custom-handler` | the request and its body as they come; the answer streams |
//! | [`Mode::Forwarding`] | `enableForwardingHttpRequest` | a request built anew: repeated query keys joined, chunked bodies lost; the answer is buffered |
//! | [`Mode::Envelope`] | neither | the request as JSON, at the function's name; the answer as JSON, one value for each header |
//!
//! It is written from Microsoft's documentation and from the host's public source, and knows
//! nothing of the handlers that it starts. What an [`App`] is, it reads from the files that are
//! deployed.
//!
//! What it does not do: triggers other than HTTP, function keys (a function that needs one answers
//! 401, always), restarts of a handler that ended, timeouts, routes beyond literal segments and a
//! catch-all. Not for production.

mod app;
pub mod envelope;
mod forwarding;
mod handler;
mod proxying;
mod server;

pub use app::{App, Function, Level, Mode};
pub use server::FunctionsHost;
