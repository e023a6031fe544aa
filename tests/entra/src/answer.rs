//! Answers before they are HTTP, with the headers Entra sends.

use serde_json::Value;

use crate::random;
use crate::refusal::{escape, page};

/// Status, headers, body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", content_type.into())], body: body.into() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn html(status: u16, html: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", html).uncached()
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string()).uncached()
    }

    pub(crate) fn tokens(body: &Value) -> Self {
        Self::json(200, body)
    }

    /// A discovery document or key set. [recording 2023-10-12]
    pub(crate) fn document(body: &Value) -> Self {
        Self::new(200, "application/json; charset=utf-8", body.to_string())
            .header("cache-control", "max-age=86400, private")
            .header("access-control-allow-origin", "*")
            .header("access-control-allow-methods", "GET, OPTIONS")
            .common()
    }

    pub(crate) fn redirect(location: &str) -> Self {
        let link = format!("<h2>Object moved to <a href=\"{}\">here</a>.</h2>", escape(location));
        Self::html(302, page("Object moved", &link)).header("location", location)
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }.common()
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            404,
            "text/html; charset=utf-8",
            page("404 - File or directory not found.", "<h1>404</h1>"),
        )
        .common()
    }

    fn uncached(self) -> Self {
        self.header("cache-control", "no-store, no-cache")
            .header("pragma", "no-cache")
            .header("expires", "-1")
            .common()
    }

    /// Several `Set-Cookie`, which nobody should pass on. [recording]
    fn common(self) -> Self {
        self.header("strict-transport-security", "max-age=31536000; includeSubDomains")
            .header("x-content-type-options", "nosniff")
            .header("p3p", "CP=\"DSP CUR OTPi IND OTRi ONL FIN\"")
            .header("x-ms-request-id", random::guid())
            .header("x-ms-ests-server", "2.1.0.0 - STANDIN ProdSlices")
            .header(
                "set-cookie",
                format!("fpc={}; path=/; secure; HttpOnly; SameSite=None", random::guid()),
            )
            .header("set-cookie", "x-ms-gateway-slice=estsfd; path=/; secure; httponly")
            .header("set-cookie", "stsservicecookie=estsfd; path=/; secure; httponly")
    }
}
