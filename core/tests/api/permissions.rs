//! What a caller who is known may do: scopes and what implies them, app roles, operations.

use http::Request;
use mcp_entra_core::Options;
use serde_json::{Value, json};

use super::support::{Driver, challenge, options};
use super::tokens::{Token, call};

fn with_rules() -> Options {
    Options {
        scopes: vec!["mcp.read".into()],
        scope_implies: vec!["mcp.write=mcp.read".into(), "mcp.admin=mcp.write,mcp.audit".into()],
        operation_scopes: vec![
            "tools/call:delete_*=mcp.write".into(),
            "tools/call:delete_all=mcp.write,mcp.audit".into(),
            "resources/read:file:///etc/*=mcp.audit".into(),
        ],
        app_roles: vec!["Mcp.Invoke".into(), "mcp.write".into()],
        ..options()
    }
}

fn post(token: &Token, body: impl Into<String>) -> Request<String> {
    call(&token.signed()).map(|_| body.into())
}

fn message(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

fn tool(name: &str) -> String {
    message("tools/call", &json!({ "name": name, "arguments": {} }))
}

/// The scopes that a call lacks.
fn lacking(token: &Token, body: impl Into<String>) -> Option<String> {
    let outcome = Driver::new(&with_rules()).run(post(token, body));
    outcome.verdict().err()
}

#[test]
fn a_scope_that_every_call_needs() {
    let driver = Driver::new(&Options { scopes: vec!["a".into(), "b".into()], ..options() });
    let verdict = |scopes: &str| {
        driver.run(call(&Token::v2().with("scp", scopes).signed())).verdict().map(|_| ())
    };
    assert_eq!(verdict("a b"), Ok(()));
    assert_eq!(verdict("c  b a"), Ok(()));
    assert_eq!(verdict("a"), Err("the token lacks the scope b".into()));
    assert_eq!(verdict("A b"), Err("the token lacks the scope a".into()));
    assert_eq!(verdict("ab"), Err("the token lacks the scope a".into()));
    assert_eq!(verdict(""), Err("the token lacks the scope a".into()));
    let response = driver.run(call(&Token::v2().with("scp", "a").signed())).response();
    assert_eq!(challenge(response.headers()).get("error"), Some("insufficient_scope"));
    assert_eq!(challenge(response.headers()).get("scope"), Some("a b"));
}

#[test]
fn a_broader_scope_implies_the_narrower_ones() {
    for scopes in ["mcp.read", "mcp.write", "mcp.admin"] {
        assert_eq!(lacking(&Token::v2().with("scp", scopes), tool("list")), None, "{scopes}");
    }
    let narrower = lacking(&Token::v2().with("scp", "mcp.audit"), tool("list"));
    assert_eq!(narrower.unwrap(), "the token lacks the scope mcp.read");
    assert_eq!(lacking(&Token::v2().with("scp", "mcp.admin"), tool("delete_all")), None);
}

#[test]
fn an_operation_that_needs_more_is_told_everything_at_once() {
    let driver = Driver::new(&with_rules());
    let reader = Token::v2().with("scp", "mcp.read");
    for (body, scope) in [
        (tool("delete_file"), "mcp.read mcp.write"),
        (tool("delete_all"), "mcp.read mcp.write mcp.audit"),
        (format!("[{},{}]", tool("list"), tool("delete_x")), "mcp.read mcp.write"),
        (message("resources/read", &json!({ "uri": "file:///etc/passwd" })), "mcp.read mcp.audit"),
    ] {
        let response = driver.run(post(&reader, body)).response();
        assert_eq!(response.status(), 403);
        let challenge = challenge(response.headers());
        assert_eq!(challenge.get("error"), Some("insufficient_scope"));
        assert_eq!(challenge.get("scope"), Some(scope));
        let text = "this operation needs more than the token grants";
        assert_eq!(challenge.get("error_description"), Some(text));
    }
    for body in [tool("list"), tool("undelete_x"), message("tools/list", &json!({}))] {
        assert_eq!(lacking(&reader, body), None);
    }
    let writer = Token::v2().with("scp", "mcp.write");
    assert_eq!(lacking(&writer, tool("delete_file")), None);
    assert!(lacking(&writer, tool("delete_all")).is_some());
}

#[test]
fn a_name_that_the_server_does_not_look_at_hides_no_uri() {
    let reader = Token::v2().with("scp", "mcp.read");
    let uri = "file:///etc/passwd";
    for params in [
        json!({ "uri": uri, "name": "harmless" }),
        json!({ "name": "harmless", "uri": uri }),
        json!({ "name": "", "uri": uri }),
        json!({ "name": 1, "uri": uri }),
    ] {
        assert!(lacking(&reader, message("resources/read", &params)).is_some(), "{params}");
    }
    let hidden = json!({ "uri": "harmless", "name": "delete_x" });
    assert!(lacking(&reader, message("tools/call", &hidden)).is_some());
}

#[test]
fn a_body_is_read_only_where_a_rule_could_need_it() {
    let good = Token::v2().with("scp", "mcp.read access_as_user").signed();
    let reads = |driver: &Driver, request: Request<&'static str>| {
        driver.run(request).shown.iter().any(|step| step.starts_with("ReadBody"))
    };
    let (with, without) = (Driver::new(&with_rules()), Driver::new(&options()));
    assert!(reads(&with, call(&good)));
    assert!(!reads(&without, call(&good)));
    let mut get = call(&good);
    *get.method_mut() = http::Method::GET;
    assert!(!reads(&with, get));
    // and only once the caller is known
    assert!(!reads(&with, call("x.y.z")));
    assert!(!reads(&with, Request::post("/mcp").body("").unwrap()));
}

#[test]
fn a_body_whose_operation_cannot_be_told_is_refused() {
    let driver = Driver::new(&with_rules());
    let reader = Token::v2().with("scp", "mcp.read");
    for body in ["", "x", "[1]", "\u{feff}{}", r#"{"method":"a","method":"tools/call"}"#] {
        let response = driver.run(post(&reader, body)).response();
        assert_eq!(response.status(), 400, "{body}");
        assert_eq!(super::support::json(&response)["error"], "invalid_request");
    }
    let long = " ".repeat(4 * 1024 * 1024 + 1);
    assert_eq!(driver.run(post(&reader, long)).response().status(), 413);
    // a client's answer to the server is no operation
    assert_eq!(lacking(&reader, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), None);
}

#[test]
fn an_application_needs_a_role_that_the_operator_names() {
    let verdict = |options: &Options, token: Token, body: String| {
        Driver::new(options).run(post(&token, body)).verdict().map(|_| ())
    };
    let needs = "an application without a user needs an app role that this server accepts";
    assert_eq!(verdict(&options(), Token::app_only(), tool("list")), Err(needs.into()));
    assert_eq!(verdict(&with_rules(), Token::app_only(), tool("list")), Ok(()));
    let other = Token::app_only().with("roles", json!(["mcp.invoke", "Other"]));
    assert_eq!(verdict(&with_rules(), other, tool("list")), Err(needs.into()));
    // where a user needs a scope, an application needs the role of that name
    assert!(verdict(&with_rules(), Token::app_only(), tool("delete_x")).is_err());
    let writer = Token::app_only().with("roles", json!(["mcp.write"]));
    assert_eq!(verdict(&with_rules(), writer, tool("delete_x")), Ok(()));
    // a user's roles are no scopes
    let user = Token::v2().with("scp", "mcp.read").with("roles", json!(["mcp.write"]));
    assert!(verdict(&with_rules(), user, tool("delete_x")).is_err());
}

#[test]
fn an_application_is_known_by_idtyp_or_by_being_its_own_subject() {
    let options = with_rules();
    let verdict =
        |token: Token| Driver::new(&options).run(post(&token, tool("list"))).verdict().map(|_| ());
    assert_eq!(verdict(Token::app_only().without("idtyp")), Ok(()));
    assert_eq!(verdict(Token::app_only().with("sub", "pairwise")), Ok(()));
    assert!(verdict(Token::app_only().without("idtyp").with("sub", "pairwise")).is_err());
    assert!(verdict(Token::app_only().with("idtyp", "user")).is_err());
    let passing = Driver::new(&options).run(post(&Token::app_only(), tool("list"))).passing();
    assert!(passing.principal().unwrap().app_only);
}
