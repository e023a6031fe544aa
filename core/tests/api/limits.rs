//! What a client is told that asks too often, sends too much or takes too long.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use mcp_entra_core::exchange::BodyError;
use mcp_entra_core::{Context, Facade, Options, Reason, SignInEndpoint, Step};
use serde_json::{Value, json};

use super::support::{facade, options};

fn head(method: Method, path: &str) -> Parts {
    Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0
}

#[test]
fn the_endpoints_that_may_be_limited_are_those_of_the_sign_in() {
    let facade = facade(&options());
    for (method, path, endpoint) in [
        (Method::GET, "/oauth/authorize?a=b", Some(SignInEndpoint::Authorize)),
        (Method::GET, "/authorize", Some(SignInEndpoint::Authorize)),
        (Method::POST, "/oauth/register", Some(SignInEndpoint::Register)),
        (Method::POST, "/register", Some(SignInEndpoint::Register)),
        (Method::POST, "/oauth/token", Some(SignInEndpoint::Token)),
        // what is wrong costs something too
        (Method::GET, "/token", Some(SignInEndpoint::Token)),
        (Method::OPTIONS, "/oauth/token", None),
        (Method::GET, "/.well-known/oauth-authorization-server", None),
        (Method::POST, "/mcp", None),
        (Method::POST, "/elsewhere", None),
    ] {
        assert_eq!(facade.sign_in_endpoint(&head(method, path)), endpoint, "{path}");
    }
}

#[test]
fn who_asks_too_often_is_told_for_how_long_to_wait_in_a_form_that_it_reads() {
    let facade = facade(&options());
    for endpoint in [SignInEndpoint::Register, SignInEndpoint::Token] {
        let response = facade.too_many_requests(endpoint, 17);
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "17");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["error"], "temporarily_unavailable");
        assert!(response.extensions().get::<Reason>().is_some(), "the log says why");
    }
    let page = facade.too_many_requests(SignInEndpoint::Authorize, 17);
    assert_eq!(page.status(), 429);
    assert_eq!(page.headers()["retry-after"], "17");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.headers().contains_key("content-security-policy"));
    assert!(String::from_utf8_lossy(page.body()).contains("In 17 seconds"));
}

/// The limit of the body that a request's exchange reads, and the answer where it has none.
fn refused(facade: &Facade, path: &str, error: BodyError) -> (usize, Response<Bytes>) {
    let Step::Read(read) = facade.begin(&head(Method::POST, path), &Context::default()) else {
        panic!("{path} reads no body");
    };
    let limit = read.limit();
    match read.resume(Err(error)) {
        Step::Respond(response) => (limit, response),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_body_that_is_not_there_is_told_by_its_status() {
    let facade = facade(&options());
    for (error, status, closes) in [
        (BodyError::Incomplete, 400, false),
        (BodyError::Timeout, 408, true),
        (BodyError::TooLong, 413, true),
    ] {
        for path in ["/oauth/token", "/oauth/register"] {
            let (limit, response) = refused(&facade, path, error);
            assert_eq!(limit, 64 * 1024, "{path}");
            assert_eq!(response.status(), status);
            assert_eq!(response.headers().contains_key("connection"), closes, "{error}");
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["error"], json!("invalid_request"));
        }
    }
}

#[test]
fn the_length_of_a_message_is_the_operators_choice() {
    let principal = r#"{"auth_typ":"aad","claims":[
        {"typ":"tid","val":"11111111-2222-4333-8444-555555555555"},
        {"typ":"oid","val":"22222222-0000-4000-8000-000000000001"},
        {"typ":"scp","val":"access_as_user"}]}"#;
    let principal = STANDARD.encode(principal);
    for (chosen, limit) in [(None, 4 * 1024 * 1024), (Some(1), 1), (Some(1 << 30), 1 << 30)] {
        let facade = facade(&Options {
            operation_scopes: vec!["tools/call:x=mcp.write".into()],
            trust: "easy-auth".into(),
            max_message_length: chosen,
            ..options()
        });
        let mut head = head(Method::POST, "/mcp");
        head.headers.insert("x-ms-client-principal", principal.parse().unwrap());
        match facade.begin(&head, &Context::default()) {
            Step::Read(read) => assert_eq!(read.limit(), limit),
            other => panic!("{other:?}"),
        }
    }
    let none = Options { max_message_length: Some(0), ..options() };
    let error = mcp_entra_core::Settings::parse(&none).unwrap_err().to_string();
    assert!(error.starts_with("max-message-length '0'"), "{error}");
}
