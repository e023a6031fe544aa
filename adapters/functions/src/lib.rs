//! Azure Functions custom handlers without proxying or forwarding: the host posts each request as
//! JSON to the name of the function, and reads in JSON what to answer.
//!
//! ```text
//! POST /mcp                                        GET /.well-known/openid-configuration?a=b
//! {"Data":{"req":{"Url":"https://…?a=b",      ->   accept: application/json
//!   "Method":"GET","Headers":{…},…}},…}
//!
//! {"Outputs":{"res":{"statusCode":"302",      <-   302 Found
//!   "headers":{"location":"…"},"body":""}},…}      location: …
//! ```
//!
//! | | |
//! |---|---|
//! | [`request`] | an invocation as an [`http::Request`] |
//! | [`response`] | an [`http::Response`] as the result of an invocation |
//! | [`layer`] | both around a service, as a tower middleware or as a function |
//!
//! The translations are pure: no I/O, no state.
//!
//! # When to use it
//!
//! Only where the app cannot have `"enableProxyingHttpRequest": true` in its `host.json`: that
//! passes requests as they are. The envelope buffers everything, carries text alone in answers, one
//! value for each header, and loses the body of a request without `Content-Length`.
//!
//! # Whom it believes
//!
//! Whoever may post an envelope says which method, path and headers the request has, those of Easy
//! Auth among them. In the envelope mode that is the host alone, which is why the handler must
//! listen on loopback. In the other modes it would be any client. So nothing is recognised as an
//! envelope by its looks: the function's name is given, or there is no envelope.

pub mod layer;
pub mod request;
pub mod response;

pub use layer::{FunctionName, Layer, NameError};

/// The name of the trigger binding in the `function.json` that this crate is deployed with.
pub const TRIGGER: &str = "req";

/// The name of its output binding.
pub const OUTPUT: &str = "res";
