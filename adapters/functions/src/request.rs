//! An invocation as an [`http::Request`].
//!
//! ```
//! let invocation = br#"{"Data":{"req":{
//!     "Url": "https://app.azurewebsites.net/oauth/authorize?scope=a&scope=b",
//!     "Method": "GET",
//!     "Query": { "scope": "a,b" },
//!     "Headers": { "Accept": ["text/html"] }
//! }},"Metadata":{}}"#;
//! let request = mcp_entra_functions::request::from_invocation(invocation, "req")?;
//! assert_eq!(request.uri(), "/oauth/authorize?scope=a&scope=b");
//! assert_eq!(request.headers()["accept"], "text/html");
//! # Ok::<(), mcp_entra_functions::request::InvocationError>(())
//! ```
//!
//! The rules, from the host's source (`GetRequestAsJObject`) and the documentation of custom
//! handlers:
//!
//! - The path and the query are those of `Url`. `Query` joins repeated keys by a comma, so that two
//!   values look like one; it is read only where `Url` has no query. The host sends an object, the
//!   documentation shows a string with one in it.
//! - `Body` is base64 where the content type is `application/octet-stream` or `multipart/*`, else
//!   text.
//! - `Body` is left out where the request had no `Content-Length`. A body that was sent all the
//!   same is lost, which is an error here and not an empty body.
//! - `Params`, `Identities` and `Metadata` are not read. They say nothing that is not in the rest.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Method, Request, Uri};
use serde::Deserialize;

/// The most values of headers. The host takes 100 from a client, and [`HeaderMap`] panics at some
/// 24,000.
pub const MOST_HEADERS: usize = 1024;

/// Why an invocation is no request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvocationError {
    /// Not the JSON that the host sends.
    #[error("not an invocation of an HTTP trigger: {0}")]
    Json(#[from] serde_json::Error),
    /// No input of this name, or one that is no HTTP trigger's.
    #[error(
        "the invocation has no input '{0}': that must be the name of the HTTP trigger in function.json"
    )]
    NoTrigger(String),
    /// `Url` is not absolute. Its query is not shown.
    #[error("Url '{0}' is not an absolute http or https URL")]
    Url(String),
    /// `Method` is no method.
    #[error("Method '{0}' is not an HTTP method")]
    Method(String),
    /// A header that no request can have. Its value is not shown.
    #[error("the header '{0}' has a name or a value that HTTP does not have")]
    Header(String),
    /// More than [`MOST_HEADERS`].
    #[error("the request has more than {MOST_HEADERS} headers")]
    TooManyHeaders,
    /// `Query` is a string, but no object is in it.
    #[error("Query is neither an object nor a string with one in it")]
    Query,
    /// `Body` is not the base64 that its content type calls for.
    #[error("Body is not in base64, which {0} calls for")]
    Body(String),
    /// The request had a body, and the host has left it out. The caller is to be told 411 Length
    /// Required.
    #[error("the body was sent without Content-Length, and the host does not hand such bodies on")]
    BodyLost,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Invocation {
    data: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Trigger {
    url: String,
    method: String,
    #[serde(default)]
    query: Query,
    #[serde(default)]
    headers: BTreeMap<String, OneOrMore>,
    #[serde(default)]
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Query {
    Pairs(BTreeMap<String, OneOrMore>),
    Text(String),
}

impl Default for Query {
    fn default() -> Self {
        Self::Pairs(BTreeMap::new())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::More(values) => values,
        }
    }
}

/// The request in an invocation, whose HTTP trigger is called `trigger` ([`crate::TRIGGER`],
/// mostly).
///
/// Its URI is a path and a query; the host is in the header `Host`. `Content-Length` is that of the
/// body as it came; no other header is there that the invocation does not name.
///
/// # Errors
/// Where it is not what the host sends, or a body is lost.
pub fn from_invocation(
    invocation: &[u8],
    trigger: &str,
) -> Result<Request<Bytes>, InvocationError> {
    // serde would take the fields of a struct from an array as well
    if !invocation.trim_ascii_start().starts_with(b"{") {
        return Err(InvocationError::Json(serde::de::Error::custom("it is not an object")));
    }
    let mut invocation: Invocation = serde_json::from_slice(invocation)?;
    let trigger = invocation
        .data
        .remove(trigger)
        .filter(serde_json::Value::is_object)
        .ok_or_else(|| InvocationError::NoTrigger(trigger.to_owned()))?;
    let Trigger { url, method, query, headers, body } = serde_json::from_value(trigger)?;

    let mut headers = headers_of(&headers)?;
    let body = body_of(body, &headers)?;
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONTENT_LENGTH);
    if !body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let mut request = Request::new(body);
    *request.method_mut() =
        Method::from_bytes(method.as_bytes()).map_err(|_| InvocationError::Method(method))?;
    *request.uri_mut() = uri_of(&url, query)?;
    *request.headers_mut() = headers;
    Ok(request)
}

fn uri_of(url: &str, query: Query) -> Result<Uri, InvocationError> {
    let pairs = match query {
        Query::Pairs(pairs) => pairs,
        Query::Text(text) if text.is_empty() => BTreeMap::new(),
        Query::Text(text) => serde_json::from_str(&text).map_err(|_| InvocationError::Query)?,
    };
    let absolute = url.parse::<Uri>().ok().filter(|uri| {
        uri.authority().is_some() && matches!(uri.scheme_str(), Some("http" | "https"))
    });
    let fault = || InvocationError::Url(url.split('?').next().unwrap_or_default().to_owned());
    let absolute = absolute.ok_or_else(fault)?;
    let mut target = absolute.path().to_owned();
    if let Some(query) = absolute.query() {
        target.push('?');
        target.push_str(query);
    } else {
        let pairs =
            pairs.iter().flat_map(|(key, values)| values.as_slice().iter().map(move |v| (key, v)));
        for (index, (key, value)) in pairs.enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            encode(key, &mut target);
            target.push('=');
            encode(value, &mut target);
        }
    }
    target.parse().map_err(|_| fault())
}

/// Appends with everything percent-encoded but what RFC 3986 section 2.3 leaves alone.
fn encode(text: &str, target: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &octet in text.as_bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            target.push(octet.into());
        } else {
            target.push('%');
            target.push(HEX[usize::from(octet >> 4)].into());
            target.push(HEX[usize::from(octet & 15)].into());
        }
    }
}

fn headers_of(given: &BTreeMap<String, OneOrMore>) -> Result<HeaderMap, InvocationError> {
    let mut headers = HeaderMap::new();
    for (name, values) in given {
        let fault = || InvocationError::Header(name.clone());
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| fault())?;
        for value in values.as_slice() {
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| fault())?;
            if headers.len() == MOST_HEADERS {
                return Err(InvocationError::TooManyHeaders);
            }
            headers.append(&header, value);
        }
    }
    Ok(headers)
}

fn body_of(body: Option<String>, headers: &HeaderMap) -> Result<Bytes, InvocationError> {
    /// The host pads; who rewrites its JSON may not.
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &ALPHABET,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );

    let Some(text) = body else {
        let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
        return if length || headers.contains_key(TRANSFER_ENCODING) {
            Err(InvocationError::BodyLost)
        } else {
            Ok(Bytes::new())
        };
    };
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "application/octet-stream" || kind.starts_with("multipart/") {
        let octets = BASE64.decode(text).map_err(|_| InvocationError::Body(kind))?;
        return Ok(octets.into());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn invocation(request: &Value) -> Vec<u8> {
        json!({ "Data": { "req": request }, "Metadata": {} }).to_string().into_bytes()
    }

    fn get(url: &str, more: &Value) -> Result<Request<Bytes>, InvocationError> {
        let mut request = json!({ "Url": url, "Method": "GET" });
        for (name, value) in more.as_object().unwrap() {
            request[name] = value.clone();
        }
        from_invocation(&invocation(&request), "req")
    }

    #[test]
    fn the_documented_invocation_is_the_request_that_was_sent() {
        let invocation = include_bytes!("../tests/fixtures/invocation.json");
        let request = from_invocation(invocation, "req").unwrap();
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "/token");
        assert_eq!(request.headers()["host"], "app.azurewebsites.net");
        assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(request.headers()["content-length"], "40");
        assert_eq!(request.body(), "grant_type=refresh_token&refresh_token=r");
    }

    #[test]
    fn a_parameter_that_is_given_twice_stays_two() {
        let query = json!({ "Query": { "redirect_uri": "https://a,https://b" } });
        let request = get("https://h/a?redirect_uri=https://a&redirect_uri=https://b", &query);
        assert_eq!(request.unwrap().uri(), "/a?redirect_uri=https://a&redirect_uri=https://b");
    }

    #[test]
    fn a_query_is_an_object_or_a_string_with_one_and_second_to_the_url() {
        for (url, query, expected) in [
            ("https://h/a", json!({ "k": "a b&c", "l": "\u{e9}" }), "/a?k=a%20b%26c&l=%C3%A9"),
            ("https://h/a", json!(r#"{"k":"v"}"#), "/a?k=v"),
            ("https://h/a", json!({ "k": ["v", "w"] }), "/a?k=v&k=w"),
            ("https://h/a", json!("{}"), "/a"),
            ("https://h/a", json!(""), "/a"),
            ("https://h?x=y", json!({ "k": "v" }), "/?x=y"),
            ("https://h/a?", json!({ "k": "v" }), "/a?"),
        ] {
            let request = get(url, &json!({ "Query": query })).unwrap();
            assert_eq!(request.uri(), expected, "{url} {query}");
        }
        let wrong = get("https://h/a", &json!({ "Query": "k=v" }));
        assert!(matches!(wrong, Err(InvocationError::Query)));
    }

    #[test]
    fn a_body_is_text_or_base64_by_its_content_type() {
        for (kind, body, expected) in [
            ("application/json; charset=utf-8", "{}", &b"{}"[..]),
            ("text/plain", "aGk=", b"aGk="),
            ("application/octet-stream", "/w==", b"\xff"),
            ("Application/Octet-Stream;x", "/w", b"\xff"),
            ("multipart/form-data; boundary=b", "aGk=", b"hi"),
        ] {
            let more = json!({ "Headers": { "Content-Type": [kind], "Content-Length": ["7"] }, "Body": body });
            let request = get("https://h/", &more).unwrap();
            assert_eq!(request.body(), expected, "{kind}");
            assert_eq!(request.headers()["content-length"], expected.len().to_string());
        }
        let more =
            json!({ "Headers": { "Content-Type": "application/octet-stream" }, "Body": "!" });
        assert!(matches!(get("https://h/", &more), Err(InvocationError::Body(_))));
    }

    #[test]
    fn a_body_that_the_host_has_dropped_is_not_an_empty_one() {
        for (headers, lost) in [
            (json!({ "Transfer-Encoding": ["chunked"] }), true),
            (json!({ "Content-Length": ["4"] }), true),
            (json!({ "Content-Length": ["0"] }), false),
            (json!({}), false),
        ] {
            let result = get("https://h/", &json!({ "Headers": headers, "Body": null }));
            assert_eq!(matches!(result, Err(InvocationError::BodyLost)), lost, "{headers}");
        }
    }

    #[test]
    fn a_header_may_have_several_values_or_one() {
        let headers = json!({ "Accept": ["a", "b"], "X-One": "c", "X-None": [] });
        let request = get("https://h/", &json!({ "Headers": headers })).unwrap();
        assert_eq!(request.headers().get_all("accept").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(request.headers()["x-one"], "c");
        assert_eq!(request.headers().len(), 3);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for url in ["/mcp", "app/mcp", "ftp://h/", "https://", "https://h/a b", ""] {
            assert!(matches!(get(url, &json!({})), Err(InvocationError::Url(_))), "{url}");
        }
        for header in [json!({ "a b": "c" }), json!({ "a": "b\r\nc: d" }), json!({ "": "" })] {
            let result = get("https://h/", &json!({ "Headers": header }));
            assert!(matches!(result, Err(InvocationError::Header(_))), "{header}");
        }
        let method = get("https://h/", &json!({ "Method": "GET /" }));
        assert!(matches!(method, Err(InvocationError::Method(_))));
        for text in ["", "null", "[]", "{}", r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#] {
            let result = from_invocation(text.as_bytes(), "req");
            assert!(matches!(result, Err(InvocationError::Json(_))), "{text}");
        }
        let other = from_invocation(&invocation(&json!({})), "request");
        assert!(other.unwrap_err().to_string().contains("'request'"));
    }

    #[test]
    fn fields_are_known_by_their_names_and_not_by_their_places() {
        let trigger = json!({ "Url": "https://h/", "Method": "GET" });
        let placed = json!([{ "req": trigger }]).to_string();
        let result = from_invocation(placed.as_bytes(), "req");
        assert!(matches!(result, Err(InvocationError::Json(_))));
        let placed = invocation(&json!(["https://h/", "GET", {}, {}, null]));
        assert!(matches!(from_invocation(&placed, "req"), Err(InvocationError::NoTrigger(_))));
    }

    #[test]
    fn a_refusal_shows_neither_a_query_nor_a_header_nor_a_body() {
        let unsound = ["https://h/a b?code=canary", "https://h/a?code=canary b", "/a?code=canary"];
        for (url, header) in
            unsound.iter().map(|url| (*url, "a")).chain([("https://h/", "canary\n")])
        {
            let more = json!({ "Headers": { "authorization": header }, "Body": "canary" });
            let shown = get(url, &more).unwrap_err().to_string();
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn more_headers_than_a_request_has_are_refused() {
        let named = |count| {
            let headers: BTreeMap<String, &str> =
                (0..count).map(|n| (format!("h{n}"), "")).collect();
            get("https://h/", &json!({ "Headers": headers }))
        };
        assert_eq!(named(MOST_HEADERS).unwrap().headers().len(), MOST_HEADERS);
        for headers in [named(MOST_HEADERS + 1), named(40_000)] {
            assert!(matches!(headers, Err(InvocationError::TooManyHeaders)));
        }
        let values = get("https://h/", &json!({ "Headers": { "h": vec![""; MOST_HEADERS + 1] } }));
        assert!(matches!(values, Err(InvocationError::TooManyHeaders)));
    }
}
