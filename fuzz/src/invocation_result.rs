//! An answer in the envelope of an Azure Function is the answer: its status, its body, and each
//! header that the envelope can carry; what it cannot carry is told in the log.
//!
//! ```text
//! 401                     the status
//! content-type: text/html the headers
//!
//! no                      the body
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use mcp_entra_functions::OUTPUT;
use mcp_entra_functions::response::to_result;
use serde_json::{Value, json};

/// What the host says itself.
const OF_THE_HOST: [&str; 7] =
    ["connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// An answer as above.
pub fn check(answer: &[u8]) {
    let Some(response) = read(answer) else { return };
    let result = to_result(&response, OUTPUT);
    let result: Value = serde_json::from_slice(&result).expect("a result is JSON");
    let output = &result["Outputs"][OUTPUT];
    let logs = result["Logs"].as_array().expect("a log is lines").iter();
    let logs: Vec<&str> = logs.map(|line| line.as_str().expect("a line is text")).collect();
    assert_eq!(result, json!({ "Outputs": { OUTPUT: output }, "Logs": logs, "ReturnValue": null }));

    let Ok(body) = std::str::from_utf8(response.body()) else {
        assert_eq!(output["statusCode"], "502");
        assert_eq!(output["headers"], json!({ "content-type": "text/plain; charset=utf-8" }));
        assert_eq!(logs, [output["body"].as_str().unwrap_or_default().trim_end()]);
        return;
    };
    let mut headers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut told = Vec::new();
    for (name, value) in response.headers() {
        match std::str::from_utf8(value.as_bytes()) {
            _ if OF_THE_HOST.contains(&name.as_str()) => {}
            Ok(text) if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) => {
                headers.entry(name.as_str()).or_default().push(text);
            }
            _ => told.push(format!("{name}: a value that is not printable ASCII was left out")),
        }
    }
    // the one header whose values are not one list
    if let Some(cookies) = headers.get_mut("set-cookie").filter(|cookies| cookies.len() > 1) {
        told.push(format!("set-cookie: the first of {} was kept", cookies.len()));
        cookies.truncate(1);
    }
    let headers: Value =
        headers.into_iter().map(|(name, values)| (name, values.join(", "))).collect();
    let status = response.status();
    assert_eq!(*output, json!({ "statusCode": status.as_str(), "headers": headers, "body": body }));
    let mut logs = logs;
    logs.sort_unstable();
    told.sort_unstable();
    assert_eq!(logs, told);
}

fn read(answer: &[u8]) -> Option<Response<Bytes>> {
    let at = answer.windows(2).position(|window| window == b"\n\n").unwrap_or(answer.len());
    let (head, body) = answer.split_at(at);
    let mut lines = head.split(|&octet| octet == b'\n');
    let body = body.get(2..).unwrap_or_default();
    let mut response = Response::new(Bytes::copy_from_slice(body));
    *response.status_mut() = StatusCode::from_bytes(lines.next()?).ok()?;
    for line in lines {
        let colon = line.windows(2).position(|window| window == b": ")?;
        let (name, value) = line.split_at(colon);
        let value = HeaderValue::from_bytes(value.get(2..)?).ok()?;
        response.headers_mut().append(HeaderName::from_bytes(name).ok()?, value);
    }
    Some(response)
}
