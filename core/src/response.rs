//! The few shapes that our answers have, and the headers that each must carry.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, PRAGMA,
    REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};

/// Why an answer is a refusal, in the extensions of the answer, for the log of whoever serves it.
/// It never holds a token, a code, a secret or a state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason(pub String);

/// How long clients may keep our metadata, in seconds: short, since Claude's servers keep it too.
const METADATA: HeaderValue = HeaderValue::from_static("public, max-age=300");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The headers of a shape, made once: a copy costs half of what inserting each of them does.
type Headers = LazyLock<HeaderMap>;

static DOCUMENT: Headers = LazyLock::new(|| {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, METADATA);
    allow_any_origin(&mut headers);
    headers
});

static EMPTY: Headers = LazyLock::new(|| {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, NO_STORE);
    allow_any_origin(&mut headers);
    headers
});

static ANSWER: Headers = LazyLock::new(|| {
    let mut headers = EMPTY.clone();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers
});

/// An answer whose headers are ready.
pub(crate) fn ready(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers.clone();
    response
}

/// A public document.
pub(crate) fn document(body: Bytes) -> Response<Bytes> {
    ready(StatusCode::OK, &DOCUMENT, body)
}

/// An answer for one client alone (RFC 6749 section 5.1).
pub(crate) fn json(status: StatusCode, body: Bytes) -> Response<Bytes> {
    ready(status, &ANSWER, body)
}

/// A status without a body, kept by nobody.
pub(crate) fn empty(status: StatusCode) -> Response<Bytes> {
    ready(status, &EMPTY, Bytes::new())
}

/// A redirect of the browser, which tells the next site nothing of this one.
pub(crate) fn redirect(location: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A page for a person, which nothing may run in or frame.
pub(crate) fn page(status: StatusCode, html: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(html.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_TYPE, "text/html; charset=utf-8");
    set(CACHE_CONTROL, "no-store");
    set(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    set(REFERRER_POLICY, "no-referrer");
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    response
}

/// Says when to try again, in seconds (RFC 9110 section 10.2.3).
pub(crate) fn retry_after(mut response: Response<Bytes>, seconds: u64) -> Response<Bytes> {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The endpoint exists and the method does not.
pub(crate) fn method_not_allowed(methods: &'static str) -> Response<Bytes> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// The answer to a browser that asks before it calls, given before any authentication.
///
/// No credentials but the bearer token are involved, so any origin may call; `*` covers every
/// header but `Authorization`, and the rest is named for browsers that do not know it.
pub(crate) fn preflight() -> Response<Bytes> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, DELETE, OPTIONS");
    set(
        ACCESS_CONTROL_ALLOW_HEADERS,
        "Authorization, Content-Type, Last-Event-ID, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, *",
    );
    set(ACCESS_CONTROL_MAX_AGE, "7200");
    response
}

/// Lets a page of any origin read an answer and the headers that MCP clients need of it.
pub(crate) fn allow_any_origin(headers: &mut HeaderMap) {
    headers.reserve(2);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "MCP-Protocol-Version, Mcp-Session-Id, Retry-After, WWW-Authenticate",
        ),
    );
}
