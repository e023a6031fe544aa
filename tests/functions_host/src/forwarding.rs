//! `enableForwardingHttpRequest`, the older way: the host builds a request of its own and waits for
//! the whole answer.
//!
//! - Query keys that are repeated, in whatever case, become one with the values joined by a comma;
//!   the query is encoded anew.
//! - The path is decoded and encoded anew, so that an encoded `?` or `#` ends it.
//! - A body without `Content-Length` is lost.
//! - Of the headers for the body only `Content-Type` and `Content-Length` are kept.
//! - The host's version, the invocation and a further user agent are added.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, Response};

use crate::handler;
use crate::proxying::{INVOCATION_ID, remove_hop_by_hop};
use crate::server::{Reply, failed, whole};

pub(crate) const VERSION: &str = "4.1054.0.0";

pub(crate) async fn pass(request: Request<Incoming>, port: u16) -> Reply {
    let (head, body) = request.into_parts();
    let body = match content_length(&head.headers) {
        0 => Bytes::new(),
        _ => body.collect().await.map_err(std::io::Error::other)?.to_bytes(),
    };
    let mut path = path(head.uri.path());
    for (index, (key, value)) in joined(head.uri.query().unwrap_or_default()).iter().enumerate() {
        path.push(if index == 0 { '?' } else { '&' });
        path.push_str(&[encoded(key), encoded(value)].join("="));
    }
    let mut forwarded = Request::new(Full::new(body.clone()));
    *forwarded.method_mut() = head.method;
    *forwarded.uri_mut() = path.parse().map_err(std::io::Error::other)?;
    *forwarded.headers_mut() = headers(head.headers, body.is_empty());
    let response = match handler::send(port, forwarded).await {
        Ok(response) => response,
        Err(error) => return Ok(failed(&error.to_string())),
    };
    let (mut head, body) = response.into_parts();
    remove_hop_by_hop(&mut head.headers);
    match body.collect().await {
        Ok(body) => Ok(Response::from_parts(head, whole(body.to_bytes()))),
        Err(error) => Ok(failed(&error.to_string())),
    }
}

/// Zero where it is missing.
pub(crate) fn content_length(headers: &HeaderMap) -> u64 {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

fn headers(mut headers: HeaderMap, no_body: bool) -> HeaderMap {
    remove_hop_by_hop(&mut headers);
    let of_the_body: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            name.as_str().starts_with("content-") || *name == "allow" || *name == "expires"
        })
        .filter(|name| no_body || !matches!(**name, CONTENT_TYPE | CONTENT_LENGTH))
        .cloned()
        .collect();
    for name in of_the_body {
        headers.remove(name);
    }
    add_hosts_own(&mut headers);
    headers
}

/// What the host adds to a request that it builds.
pub(crate) fn add_hosts_own(headers: &mut HeaderMap) {
    headers.insert("x-azure-functions-hostversion", HeaderValue::from_static(VERSION));
    headers.insert("x-azure-functions-invocationid", INVOCATION_ID);
    let client = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let agent = format!("{client} Azure-Functions-Host/{VERSION}");
    if let Ok(agent) = agent.trim().parse() {
        headers.insert(USER_AGENT, agent);
    }
}

/// The query as the host reads it: each key once, values joined by a comma.
pub(crate) fn joined(query: &str) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match joined.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&key)) {
            Some((_, values)) => {
                values.push(',');
                values.push_str(&value);
            }
            None => joined.push((key.into_owned(), value.into_owned())),
        }
    }
    joined
}

/// As .NET encodes a part of a query.
fn encoded(text: &str) -> String {
    percent_encoded(text, "-._~!$()*,;@")
}

/// The path, decoded but for slashes, and encoded again.
fn path(path: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let octet = hex.filter(|_| first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match octet {
            Some(octet) if octet != b'/' => {
                decoded.push(octet);
                rest = &after[2..];
            }
            _ => {
                decoded.push(first);
                rest = after;
            }
        }
    }
    let decoded = String::from_utf8_lossy(&decoded);
    let end = decoded.find(['?', '#']).unwrap_or(decoded.len());
    percent_encoded(&decoded[..end], "-._~!$&'()*+,;=:@/%")
}

fn percent_encoded(text: &str, also_plain: &str) -> String {
    let mut encoded = String::new();
    for &octet in text.as_bytes() {
        if octet.is_ascii_alphanumeric() || also_plain.as_bytes().contains(&octet) {
            encoded.push(octet.into());
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_and_written_anew() {
        let anew = |query: &str| {
            let pairs = joined(query).into_iter();
            let pairs = pairs.map(|(key, value)| [encoded(&key), encoded(&value)].join("="));
            pairs.collect::<Vec<_>>().join("&")
        };
        assert_eq!(anew("a=1&b=%20+%2F&A=2&c"), "a=1,2&b=%20%20%2F&c=");
        assert_eq!(anew("resource=https://h/mcp"), "resource=https%3A%2F%2Fh%2Fmcp");
    }

    #[test]
    fn a_path_is_decoded_and_encoded_again() {
        for (asked, sent) in [
            ("/mcp", "/mcp"),
            ("/a%20b/%C3%A9", "/a%20b/%C3%A9"),
            ("/a%2Fb", "/a%2Fb"),
            ("/%6dcp", "/mcp"),
            ("/mcp%3Fa=b", "/mcp"),
        ] {
            assert_eq!(path(asked), sent, "{asked}");
        }
    }

    #[test]
    fn of_the_headers_for_the_body_two_are_kept() {
        let given = [
            ("content-type", "a/b"),
            ("content-length", "2"),
            ("content-encoding", "gzip"),
            ("host", "app.example"),
            ("user-agent", "curl/8"),
        ];
        let given: HeaderMap = given
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        let with_body = headers(given.clone(), false);
        assert_eq!(with_body["content-length"], "2");
        assert_eq!(with_body["host"], "app.example");
        assert_eq!(with_body["user-agent"], format!("curl/8 Azure-Functions-Host/{VERSION}"));
        assert!(!with_body.contains_key("content-encoding"));
        assert!(!headers(given, true).contains_key("content-type"));
    }
}
