//! An [`http::Response`] as the result of an invocation.
//!
//! ```
//! let response = http::Response::builder()
//!     .status(302)
//!     .header("location", "https://login.microsoftonline.com/")
//!     .body(bytes::Bytes::new())?;
//! let result = mcp_entra_functions::response::to_result(&response, "res");
//! assert_eq!(
//!     result,
//!     r#"{"Outputs":{"res":{"statusCode":"302","headers":{"location":"https://login.microsoftonline.com/"},"body":""}},"Logs":[],"ReturnValue":null}"#
//! );
//! # Ok::<(), http::Error>(())
//! ```
//!
//! The result goes to the host with `200 OK`, whatever the status in it: the host makes `500` of
//! anything else, and follows a redirect itself.
//!
//! What the envelope cannot carry is left out, and a line in `Logs` says so, which the host writes
//! to the function's log:
//!
//! - A header has one value. Several are joined by a comma, as RFC 9110 section 5.3 allows; of
//!   several `Set-Cookie`, to which it does not apply, the first is kept.
//! - Values of headers are ASCII, since the host refuses to send others.
//! - A body is text. The host has no way to send octets that are not UTF-8, so the status is 502 in
//!   their place.
//! - `Content-Length` and what concerns one connection are the host's own to say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{Response, StatusCode};
use serde::Serialize;

/// What the host says itself.
const OF_THE_HOST: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    HeaderName::from_static("keep-alive"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

const NOT_TEXT: &str = "the answer is not text, and without proxying the Functions host carries nothing else: \
     set customHandler.enableProxyingHttpRequest in host.json\n";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InvocationResult<'r> {
    outputs: BTreeMap<&'r str, Output<'r>>,
    logs: Vec<String>,
    return_value: (),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output<'r> {
    status_code: Cow<'r, str>,
    headers: BTreeMap<&'r str, Cow<'r, str>>,
    body: &'r str,
}

/// The result with this response, under the name of the `http` output binding ([`crate::OUTPUT`],
/// mostly).
#[must_use]
pub fn to_result(response: &Response<Bytes>, output: &str) -> Bytes {
    let mut logs = Vec::new();
    let answer = match std::str::from_utf8(response.body()) {
        Ok(body) => Output {
            status_code: response.status().as_str().to_owned().into(),
            headers: headers_of(response.headers(), &mut logs),
            body,
        },
        Err(_) => {
            logs.push(NOT_TEXT.trim_end().to_owned());
            Output {
                status_code: StatusCode::BAD_GATEWAY.as_str().to_owned().into(),
                headers: BTreeMap::from([("content-type", "text/plain; charset=utf-8".into())]),
                body: NOT_TEXT,
            }
        }
    };
    let result =
        InvocationResult { outputs: BTreeMap::from([(output, answer)]), logs, return_value: () };
    // strings in maps with strings for keys: there is nothing in it that JSON has not
    serde_json::to_vec(&result).unwrap_or_default().into()
}

fn headers_of<'r>(
    headers: &'r HeaderMap,
    logs: &mut Vec<String>,
) -> BTreeMap<&'r str, Cow<'r, str>> {
    let mut result = BTreeMap::new();
    for name in headers.keys().filter(|name| !OF_THE_HOST.contains(name)) {
        let mut values = Vec::new();
        for value in headers.get_all(name) {
            match value.to_str() {
                Ok(value) if !value.contains('\t') => values.push(value),
                _ => logs.push(format!("{name}: a value that is not printable ASCII was left out")),
            }
        }
        if name == SET_COOKIE && values.len() > 1 {
            logs.push(format!("set-cookie: the first of {} was kept", values.len()));
            values.truncate(1);
        }
        let value = match values[..] {
            [] => continue,
            [value] => value.into(),
            _ => values.join(", ").into(),
        };
        result.insert(name.as_str(), value);
    }
    result
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn result(headers: &[(&str, &[u8])], body: &'static [u8]) -> Value {
        let mut response = Response::new(Bytes::from_static(body));
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).unwrap();
            response.headers_mut().append(name, http::HeaderValue::from_bytes(value).unwrap());
        }
        serde_json::from_slice(&to_result(&response, "res")).unwrap()
    }

    #[test]
    fn the_documented_result_but_for_its_log() {
        let response = Response::builder()
            .status(401)
            .header("www-authenticate", "Bearer resource_metadata=\"https://app.azurewebsites.net/.well-known/oauth-protected-resource/mcp\"")
            .header("content-type", "application/json")
            .body(Bytes::from_static(b"{\"error\":\"invalid_token\"}"))
            .unwrap();
        let fixture = include_str!("../tests/fixtures/result.json")
            .replace("WWW-Authenticate", "www-authenticate")
            .replace("Content-Type", "content-type");
        let mut expected: Value = serde_json::from_str(&fixture).unwrap();
        expected["Logs"] = json!([]);
        let result: Value = serde_json::from_slice(&to_result(&response, "res")).unwrap();
        assert_eq!(result, expected);
    }

    #[test]
    fn several_values_are_joined_but_for_cookies() {
        let several: &[(&str, &[u8])] = &[
            ("www-authenticate", b"Bearer a=\"b\""),
            ("www-authenticate", b"Basic"),
            ("set-cookie", b"a=1"),
            ("set-cookie", b"b=2"),
        ];
        let result = result(several, b"");
        assert_eq!(
            result["Outputs"]["res"]["headers"],
            json!({ "www-authenticate": "Bearer a=\"b\", Basic", "set-cookie": "a=1" })
        );
        assert_eq!(result["Logs"], json!(["set-cookie: the first of 2 was kept"]));
    }

    #[test]
    fn what_the_host_says_itself_or_cannot_say_is_left_out() {
        let headers: &[(&str, &[u8])] = &[
            ("content-length", b"5"),
            ("transfer-encoding", b"chunked"),
            ("x-name", "caf\u{e9}".as_bytes()),
            ("vary", b"origin"),
        ];
        let result = result(headers, b"hello");
        assert_eq!(result["Outputs"]["res"]["headers"], json!({ "vary": "origin" }));
        assert_eq!(
            result["Logs"],
            json!(["x-name: a value that is not printable ASCII was left out"])
        );
    }

    #[test]
    fn octets_that_are_no_text_are_an_error_and_not_other_octets() {
        let result = result(&[("content-type", b"image/png")], b"\x89PNG");
        assert_eq!(result["Outputs"]["res"]["statusCode"], "502");
        assert!(result["Logs"][0].as_str().unwrap().contains("enableProxyingHttpRequest"));
    }
}
