//! The example, as it stands, with a client that signs in.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use axum::{Router, response::Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use mcp_entra_axum::{Caller, Entra, Options};
use mcp_entra_stand_in::{EXAMPLE_CLIENT, EntraStandIn, User};
use tower_service::Service as _;

#[allow(dead_code, reason = "the example's main is not run here")]
#[path = "../examples/notes.rs"]
mod notes;

fn options(entra: &EntraStandIn) -> Options {
    Options {
        resource: "https://mcp.example.com/mcp".into(),
        tenant: entra.tenant(),
        client_id: EXAMPLE_CLIENT.into(),
        authority: entra.authority(),
        ..Options::default()
    }
}

/// As Entra wants them.
fn qualified(scopes: &str) -> String {
    scopes.split(' ').map(|name| format!("api://{EXAMPLE_CLIENT}/{name} ")).collect()
}

async fn send(app: &mut Router, request: Request) -> Response {
    app.as_service().call(request).await.unwrap()
}

async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn call(token: Option<&str>, message: &str) -> Request {
    let mut request = Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Body::from(message.to_owned())).unwrap()
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{
    "protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
const GREET: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","arguments":{}}}"#;

/// Without what sets it in.
fn lines(code: &str) -> String {
    code.lines().map(|line| format!("{}\n", line.trim())).collect()
}

#[test]
fn the_readme_shows_the_example() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let readme = std::fs::read_to_string(format!("{folder}/../../README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Embed it\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let example = lines(include_str!("../examples/notes.rs"));
    let blocks: Vec<_> = section.split("```rust\n").skip(1).collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let (code, _) = block.split_once("```").unwrap();
        assert!(example.contains(&lines(code)), "examples/notes.rs has not:\n{code}");
    }
}

#[tokio::test]
async fn the_example_greets_who_signed_in() {
    let entra = EntraStandIn::builder().start().await.unwrap();
    let mut app = notes::app(&options(&entra)).unwrap();

    let refused = send(&mut app, call(None, INITIALIZE)).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.headers()[WWW_AUTHENTICATE].to_str().unwrap().contains(
        "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\""
    ));

    let metadata =
        Request::get("/.well-known/oauth-authorization-server").body(Body::empty()).unwrap();
    let metadata = text(send(&mut app, metadata).await).await;
    assert!(metadata.contains("\"issuer\":\"https://mcp.example.com\""), "{metadata}");

    let token = entra
        .access_token_for(&User::default(), EXAMPLE_CLIENT, &qualified("access_as_user"))
        .unwrap();
    let opened = send(&mut app, call(Some(&token), INITIALIZE)).await;
    assert_eq!(opened.status(), StatusCode::OK);
    let session = opened.headers()["mcp-session-id"].clone();
    drop(opened);
    let mut ready = call(Some(&token), r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    ready.headers_mut().insert("mcp-session-id", session.clone());
    assert_eq!(send(&mut app, ready).await.status(), StatusCode::ACCEPTED);
    let mut greet = call(Some(&token), GREET);
    greet.headers_mut().insert("mcp-session-id", session);
    let greeting = text(send(&mut app, greet).await).await;
    assert!(greeting.contains("Hello, Ada!"), "{greeting}");
}

#[tokio::test]
async fn a_route_may_ask_for_more() {
    let entra = EntraStandIn::builder().start().await.unwrap();
    let sign_in = Entra::new(&options(&entra)).unwrap();
    let name = async |caller: Caller| caller.name.clone().unwrap_or_default();
    let protect = sign_in.protect().scopes(["mcp.write"]).unwrap();
    let mut app = Router::new().route("/admin", get(name)).layer(protect);
    let ask = |token: &str| {
        let authorization = format!("Bearer {token}");
        let request = Request::builder().method(Method::GET).uri("/admin");
        request.header(AUTHORIZATION, authorization).body(Body::empty()).unwrap()
    };
    let token = |scopes: &str| {
        entra.access_token_for(&User::default(), EXAMPLE_CLIENT, &qualified(scopes)).unwrap()
    };

    let refused = send(&mut app, ask(&token("access_as_user"))).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let challenge = refused.headers()[WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.contains("scope=\"access_as_user mcp.write\""), "{challenge}");
    let allowed = send(&mut app, ask(&token("access_as_user mcp.write"))).await;
    assert_eq!(text(allowed).await, "Ada");
}

#[tokio::test]
async fn a_handler_outside_the_layer_does_not_invent_a_caller() {
    let mut app = Router::new().route("/", get(async |_: Caller| "in"));
    let response = send(&mut app, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
