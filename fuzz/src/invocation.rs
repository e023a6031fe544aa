//! The envelope of an Azure Function becomes the request that is in it, by another reading of the
//! same JSON, and comes back from an envelope again.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request};
use mcp_entra_functions::TRIGGER;
use mcp_entra_functions::request::{InvocationError, from_invocation};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::setting::SECRET;

/// What is posted to the function's name.
pub fn check(invocation: &[u8]) {
    let trigger = trigger(&String::from_utf8_lossy(invocation)).unwrap_or_default();
    let request = match from_invocation(invocation, TRIGGER) {
        Ok(request) => request,
        Err(error) => return check_error(&error, &trigger),
    };
    check_target(&request, &trigger);
    assert_eq!(request.method().as_str(), trigger["Method"]);
    check_headers(&request, &trigger["Headers"]);
    check_body(&request, &trigger["Body"]);

    let again = from_invocation(&by_the_host(&request), TRIGGER).expect("it was a request");
    assert_eq!(again.method(), request.method());
    assert_eq!(again.uri(), request.uri());
    assert_eq!(again.headers(), request.headers());
    assert_eq!(again.body(), request.body());
}

/// What the envelope says of the request. What is beside `Data` means nothing, so it is not read.
fn trigger(envelope: &str) -> Option<Value> {
    let envelope: BTreeMap<String, &RawValue> = serde_json::from_str(envelope).ok()?;
    let mut data: Value = serde_json::from_str(envelope.get("Data")?.get()).ok()?;
    data.get_mut(TRIGGER).map(Value::take)
}

/// No refusal shows a query, a header's value or a body. What is of a type that the host does not
/// send may be shown.
fn check_error(error: &InvocationError, trigger: &Value) {
    let shown = |text: &str| text.contains(SECRET);
    let path = trigger["Url"].as_str().and_then(|url| url.split('?').next()).unwrap_or_default();
    let mut names = trigger["Headers"].as_object().into_iter().flat_map(Map::keys);
    let is_public = matches!(error, InvocationError::Json(_))
        || shown(path)
        || trigger["Method"].as_str().is_some_and(shown)
        || names.any(|name| shown(name));
    assert!(is_public || !shown(&error.to_string()), "{error}");
}

/// The path and the query are those of the URL, octet for octet.
fn check_target(request: &Request<Bytes>, trigger: &Value) {
    let target = request.uri().to_string();
    assert!(request.uri().authority().is_none());
    let url = trigger["Url"].as_str().expect("a URL is text");
    let (scheme, rest) = url.split_once("://").expect("it is absolute");
    assert!(["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()), "{scheme}");
    let rest = rest.split('#').next().unwrap_or_default();
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, rest) = rest.split_at(at);
    assert!(!host.is_empty());
    let slash = if rest.starts_with('/') { "" } else { "/" };
    let expected = format!("{slash}{rest}");
    if expected.contains('?') {
        assert_eq!(target, expected);
        return;
    }
    // without a query in the URL, another decoder finds in it what `Query` says
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    assert_eq!(path, expected);
    let given = match &trigger["Query"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        value => value.clone(),
    };
    let mut pairs = Vec::new();
    for (key, value) in given.as_object().into_iter().flatten() {
        for value in values(value).expect("a value is text") {
            pairs.push((key.into(), value.into()));
        }
    }
    assert_eq!(form_urlencoded::parse(query.as_bytes()).collect::<Vec<_>>(), pairs);
}

/// No header is lost and none invented, but for what frames the body.
fn check_headers(request: &Request<Bytes>, given: &Value) {
    let mut expected: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        let values = values(value).expect("a value is text");
        expected.entry(name.to_ascii_lowercase()).or_default().extend(values);
    }
    let length = request.body().len().to_string();
    expected.remove("transfer-encoding");
    expected.remove("content-length");
    if length != "0" {
        expected.insert("content-length".into(), vec![&length]);
    }
    expected.retain(|_, values| !values.is_empty());
    assert_eq!(request.headers().keys_len(), expected.len());
    for (name, values) in expected {
        assert!(request.headers().get_all(&name).iter().eq(values.iter()), "{name}");
        assert!(values.iter().all(|value| !value.contains(['\r', '\n', '\0'])), "{name}");
    }
}

fn check_body(request: &Request<Bytes>, given: &Value) {
    match given.as_str() {
        None => assert!(request.body().is_empty()),
        Some(text) if is_binary(request.headers()) => {
            let padding = |text: &str| text.trim_end_matches('=').to_owned();
            assert_eq!(padding(&STANDARD.encode(request.body())), padding(text));
        }
        Some(text) => assert_eq!(request.body(), text),
    }
}

/// Whether the host sends such a body in base64.
fn is_binary(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/octet-stream" || kind.starts_with("multipart/")
}

fn values(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(value) => Some(vec![value]),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// The envelope in which the host would put a request.
fn by_the_host(request: &Request<Bytes>) -> Vec<u8> {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("it was text");
    let mut headers = json!({});
    for name in request.headers().keys() {
        let values = request.headers().get_all(name).iter();
        headers[name.as_str()] = values.map(|value| text(value.as_bytes())).collect();
    }
    let mut trigger = json!({
        "Url": format!("https://app.azurewebsites.net{}", request.uri()),
        "Method": request.method().as_str(),
        "Query": {},
        "Headers": headers,
    });
    if !request.body().is_empty() {
        trigger["Body"] = match is_binary(request.headers()) {
            true => STANDARD.encode(request.body()).into(),
            false => text(request.body()).into(),
        };
    }
    json!({ "Data": { TRIGGER: trigger }, "Metadata": {} }).to_string().into_bytes()
}
