//! What passes, passes as it comes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use mcp_entra_harness::{Site as _, empty, header, json_body, within};
use tokio::net::TcpListener;

use crate::world::World;

/// Longer than an answer that streams may take to begin; one that does not never begins.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn heads(world: &World) {
    for (method, path, query) in [
        (Method::GET, "/mcp/echo", "a=b&c=%20%26&a=%C3%A9&empty="),
        (Method::DELETE, "/mcp/echo/deeper/%20x", ""),
        (Method::PUT, "/mcp/echo", "a+b=c%2Bd"),
        (Method::PATCH, "/mcp/echo", ""),
    ] {
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let response = world.call(method.clone(), &target, &[("x-custom", "1")], "").await;
        assert_eq!(response.status(), 200, "{method} {target}");
        let echo = json_body(&response);
        assert_eq!(echo["method"], method.as_str());
        assert_eq!(echo["path"], path, "{method}");
        assert_eq!(echo["query"].as_str().unwrap_or_default(), query, "{method}");
        let headers = echo["headers"].to_string();
        assert!(headers.contains(r#"["x-custom","1"]"#), "{method} {headers}");
    }
    let head = world.call(Method::HEAD, "/mcp/echo", &[], "").await;
    assert_eq!(head.status(), 200);
    assert!(head.body().is_empty());
}

pub(crate) async fn cookies(world: &World) {
    let response = world.call(Method::GET, "/mcp/echo", &[("cookie", "a=b; c=d")], "").await;
    let echo = json_body(&response);
    assert!(echo["headers"].to_string().contains(r#"["cookie","a=b; c=d"]"#), "{echo}");
    let set: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(set, ["a=1; Path=/", "b=2; Path=/"]);
}

pub(crate) async fn bodies(world: &World) {
    let binary: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    let form = b"a=%00%ff&b=+&c=caf%C3%A9".to_vec();
    for (content_type, body) in [
        ("application/octet-stream", binary),
        ("application/x-www-form-urlencoded", form),
        ("text/plain; charset=utf-8", "Zoë, 李".into()),
        ("application/json", br#"{"a": 1,  "a": 2}"#.to_vec()),
    ] {
        let headers = [("content-type", content_type)];
        let response = world.call(Method::PUT, "/mcp/echo", &headers, body.clone()).await;
        assert_eq!(response.status(), 200, "{content_type}");
        let echo = json_body(&response);
        let sent = STANDARD.decode(echo["body_base64"].as_str().unwrap_or_default());
        assert!(sent.as_ref() == Ok(&body), "{content_type}: another body arrived");
        let headers = echo["headers"].to_string();
        assert!(headers.contains(content_type), "{content_type}: {headers}");
    }
}

/// The server behind sends its last event only once the gate, which is here, has hung up.
pub(crate) async fn events(world: &World) {
    let gate = TcpListener::bind("127.0.0.1:0").await.expect("some port is free");
    let address = gate.local_addr().expect("it is bound");
    let request = Request::get(world.url(&format!("/mcp/events?gate={address}")))
        .header("authorization", format!("Bearer {}", world.token()))
        .header("accept", "text/event-stream")
        .body(empty())
        .expect("a request");
    let head = tokio::time::timeout(PATIENCE, world.web().open(request)).await;
    let response = head.expect("no answer begins before the last event");
    assert_eq!(response.status(), 200);
    assert_eq!(header(response.headers(), "content-type"), "text/event-stream");

    let mut body = response.into_body();
    let mut read = String::new();
    while !read.contains("data: first\n\n") {
        let frame = within("the first event", body.frame()).await.expect("an event");
        let data = frame.expect("a frame").into_data().unwrap_or_default();
        read.push_str(&String::from_utf8_lossy(&data));
    }
    assert_eq!(read, "data: first\n\n");
    let (connection, _) = within("the server waits", gate.accept()).await.expect("a connection");
    drop(connection);
    let rest = within("the last event", body.collect()).await.expect("the end").to_bytes();
    assert_eq!(rest, "data: last\n\n");
}
