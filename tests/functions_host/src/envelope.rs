//! Neither proxying nor forwarding: the handler gets each invocation as JSON, at the function's
//! name, and says in JSON what to answer.
//!
//! - `Url` is the request's own; in `Query` repeated keys are joined by a comma.
//! - `Body` is there only with a `Content-Length`: base64 for `application/octet-stream` and
//!   `multipart/*`, for everything else text.
//! - The invocation itself is sent in chunks.
//! - What is no success, or no such JSON, is a failed invocation: the caller gets 500. So is a
//!   redirect of the invocation itself, which the host follows, with a GET.
//! - A header has one value, which is text.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::app::Function;
use crate::handler;
use crate::server::{Body, Reply, failed, whole};
use crate::{forwarding, server};

type Parameter = Option<(String, String)>;

pub(crate) async fn pass(
    request: Request<Incoming>,
    function: &Function,
    parameter: Parameter,
    port: u16,
) -> Reply {
    let (head, body) = request.into_parts();
    let body = match forwarding::content_length(&head.headers) {
        0 => None,
        _ => Some(body.collect().await.map_err(std::io::Error::other)?.to_bytes()),
    };
    let invocation = invocation(&head, body.as_ref(), function, parameter).to_string();
    let mut request = Request::post(format!("/{}", function.name))
        .header(HOST, format!("127.0.0.1:{port}"))
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .body(Chunked(Some(invocation.into())))
        .map_err(std::io::Error::other)?;
    forwarding::add_hosts_own(request.headers_mut());
    let response = match handler::send(port, request).await {
        Ok(response) => response,
        Err(error) => return Ok(failed(&error.to_string())),
    };
    if !response.status().is_success() {
        return Ok(failed(&format!("the handler answered {}", response.status())));
    }
    let result = match response.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Ok(failed(&error.to_string())),
    };
    Ok(match serde_json::from_slice(&result) {
        Ok(result) => answer(&result, &function.output).unwrap_or_else(|why| failed(&why)),
        Err(error) => failed(&format!("no result: {error}")),
    })
}

/// What the handler gets.
pub fn invocation(
    head: &Parts,
    body: Option<&Bytes>,
    function: &Function,
    parameter: Parameter,
) -> Value {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers = Map::new();
    for name in head.headers.keys() {
        let values = head.headers.get_all(name).iter().map(text).map(Value::from).collect();
        headers.insert(canonical(name), Value::Array(values));
    }
    let query: Map<String, Value> = forwarding::joined(head.uri.query().unwrap_or_default())
        .into_iter()
        .map(|(key, value)| (key, value.into()))
        .collect();
    let host = head.headers.get(HOST).map(text).unwrap_or_default();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut metadata = json!({
        "Query": query,
        "Headers": headers,
        "sys": { "MethodName": function.name, "UtcNow": "2026-01-01T00:00:00Z", "RandGuid": "00000000-0000-4000-8000-000000000006" },
    });
    let mut parameters = Map::new();
    if let Some((name, value)) = parameter {
        // as the host has it: JSON within JSON
        metadata[&name] = Value::String(Value::String(value.clone()).to_string());
        parameters.insert(name, value.into());
    }
    let mut request = json!({
        "Url": format!("http://{host}{path}"),
        "Method": head.method.as_str(),
        "Query": query,
        "Headers": headers,
        "Params": parameters,
        "Identities": [{
            "AuthenticationType": null,
            "IsAuthenticated": false,
            "Actor": null,
            "BootstrapContext": null,
            "Claims": [],
            "Label": null,
            "Name": null,
            "NameClaimType": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
            "RoleClaimType": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
        }],
    });
    if let Some(body) = body {
        let kind =
            head.headers.get(CONTENT_TYPE).map(text).unwrap_or_default().to_ascii_lowercase();
        let binary = kind.starts_with("application/octet-stream") || kind.starts_with("multipart/");
        let body =
            if binary { STANDARD.encode(body) } else { String::from_utf8_lossy(body).into_owned() };
        request["Body"] = body.into();
    }
    json!({ "Data": { &function.trigger: request }, "Metadata": metadata })
}

/// `content-type` as `Content-Type`.
fn canonical(name: &HeaderName) -> String {
    let capital = |part: &str| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.as_str().split('-').map(capital).collect::<Vec<_>>().join("-")
}

/// What the caller gets.
pub fn answer(result: &Value, output: &str) -> Result<Response<Body>, String> {
    for line in field(result, "Logs").and_then(Value::as_array).into_iter().flatten() {
        eprintln!("functions-host-stand-in: the handler's log: {line}");
    }
    let Some(output) = field(result, "Outputs").and_then(|outputs| outputs.get(output)) else {
        return Ok(server::text(StatusCode::OK, "{}"));
    };
    let status = field(output, "StatusCode").or_else(|| field(output, "Status"));
    let status = status.map(plain).and_then(|status| status.parse::<u16>().ok()).unwrap_or(200);
    let body = field(output, "Body").map(plain).unwrap_or_default();
    let mut headers = HeaderMap::new();
    let given = field(output, "Headers").and_then(Value::as_object);
    for (name, value) in given.into_iter().flatten() {
        if value.is_null() || value.is_array() || value.is_object() {
            return Err(format!("header {name} is not text"));
        }
        let name = HeaderName::try_from(name).map_err(|error| format!("header {name}: {error}"))?;
        let value = plain(value);
        if !value.chars().all(|c| (' '..='~').contains(&c)) {
            return Err(format!("header {name} has a character that the host refuses"));
        }
        if name == CONTENT_LENGTH && value != body.len().to_string() {
            return Err(format!("Content-Length {value} is not that of the body"));
        }
        let value =
            HeaderValue::try_from(value).map_err(|error| format!("header {name}: {error}"))?;
        // of two in different case the second is dropped
        headers.entry(name).or_insert(value);
    }
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain"));
    let kind = String::from_utf8_lossy(headers[CONTENT_TYPE].as_bytes()).into_owned();
    if !kind.contains("charset=")
        && let Ok(kind) = format!("{kind}; charset=utf-8").parse()
    {
        // the body is text, and the host says which
        headers.insert(CONTENT_TYPE, kind);
    }
    let mut response = Response::new(whole(body));
    *response.status_mut() = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
    *response.headers_mut() = headers;
    Ok(response)
}

/// A field by its name in any case.
fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let fields = value.as_object()?;
    let (_, value) = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    (!value.is_null()).then_some(value)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A body whose length is not told.
struct Chunked(Option<Bytes>);

impl hyper::body::Body for Chunked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(output: Value) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let response = answer(&json!({ "Outputs": { "res": output } }), "res")?;
        let (head, body) = response.into_parts();
        Ok((head.status, head.headers, body.collect().await.unwrap().to_bytes()))
    }

    #[tokio::test]
    async fn the_documented_answer_is_understood() {
        let output = json!({ "statusCode": "401", "headers": { "A": "b" }, "body": "no" });
        let (status, headers, body) = answered(output).await.unwrap();
        assert_eq!((status.as_u16(), &body[..]), (401, &b"no"[..]));
        assert_eq!(headers["a"], "b");
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    }

    #[tokio::test]
    async fn a_number_serves_as_a_status_and_nothing_is_200() {
        assert_eq!(answered(json!({ "status": 204 })).await.unwrap().0, 204);
        let (status, _, body) = answered(json!({ "body": null })).await.unwrap();
        assert_eq!((status.as_u16(), body.len()), (200, 0));
        let nothing = answer(&json!({}), "res").unwrap().into_body();
        assert_eq!(nothing.collect().await.unwrap().to_bytes(), "{}");
    }

    #[tokio::test]
    async fn what_is_no_header_fails_the_invocation() {
        for value in
            [json!(["a", "b"]), json!(null), json!({}), json!("caf\u{e9}"), json!("a\r\nb")]
        {
            answered(json!({ "headers": { "x": value } })).await.unwrap_err();
        }
        answered(json!({ "headers": { "content-length": "5" }, "body": "no" })).await.unwrap_err();
    }

    #[test]
    fn a_body_is_text_or_base64_or_lost() {
        let request = |kind: &str| Request::post("/a?k=1&K=2").header(CONTENT_TYPE, kind).body(());
        let function = &crate::App::catch_all(crate::Mode::Envelope).functions[0];
        for (kind, expected) in [
            ("application/json", json!("\u{fffd}")),
            ("application/octet-stream", json!("/w==")),
            ("multipart/form-data; boundary=b", json!("/w==")),
        ] {
            let (head, ()) = request(kind).unwrap().into_parts();
            let body = Bytes::from_static(b"\xff");
            let request = invocation(&head, Some(&body), function, None)["Data"]["req"].take();
            assert_eq!(request["Body"], expected, "{kind}");
            assert_eq!(request["Query"], json!({ "k": "1,2" }));
            assert_eq!(request["Headers"]["Content-Type"], json!([kind]));
            assert_eq!(invocation(&head, None, function, None)["Data"]["req"].get("Body"), None);
        }
    }
}
