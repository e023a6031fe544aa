//! Nothing that is secret is in any `Debug`, nor in any reason that is given to the log.

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use mcp_entra_core::authorize::authorize;
use mcp_entra_core::form::Form;
use mcp_entra_core::token::{TokenRequest, TokenStep};
use mcp_entra_core::{Options, Reason, Settings};
use serde_json::json;

use super::support::{Driver, End, Outcome, encoded, options};
use super::tokens::{STRANGER, Token, call};

const FORM: &str = "application/x-www-form-urlencoded";
const STATE: &str = "canary-state";
const CODE: &str = "canary-code";
const VERIFIER: &str = "canary-verifier-canary-verifier-canary-verifier";
const OURS: &str = "canary-secret-of-ours";
const THEIRS: &str = "canary-secret-of-the-client";
const REFRESH: &str = "canary-refresh-token";
const ACCESS: &str = "canary-access-token";
const CANARIES: [&str; 7] = [STATE, CODE, VERIFIER, OURS, THEIRS, REFRESH, ACCESS];

fn with_secret() -> Options {
    Options {
        client_secret: Some(OURS.into()),
        issue_client_secret: true,
        scopes: vec!["access_as_user".into()],
        operation_scopes: vec!["tools/call=mcp.write".into()],
        ..options()
    }
}

fn is_secret(shown: &str, also: &[String]) -> bool {
    CANARIES.iter().any(|canary| shown.contains(canary))
        || also.iter().any(|secret| shown.contains(secret))
}

/// Every `Debug` of an exchange, and the reason at its end.
fn shown(outcome: &Outcome) -> Vec<String> {
    let mut shown = outcome.shown.clone();
    match &outcome.end {
        End::Passed(passing) => shown.push(format!("{passing:?} {passing:#?}")),
        End::Responded(response) => {
            shown.extend(response.extensions().get::<Reason>().map(|reason| format!("{reason:?}")));
            let challenge = response.headers().get("www-authenticate");
            shown.extend(challenge.map(|value| format!("{value:?}")));
        }
    }
    shown.extend(outcome.verified.as_ref().map(|token| format!("{token:?}")));
    shown
}

fn token_request(pairs: &[(&str, &str)]) -> Request<String> {
    Request::post("/oauth/token")
        .header("content-type", FORM)
        .header("authorization", format!("Basic {THEIRS}"))
        .header("cookie", THEIRS)
        .body(encoded(pairs))
        .unwrap()
}

fn code_pairs() -> Vec<(&'static str, &'static str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", CODE),
        ("redirect_uri", "https://claude.ai/api/mcp/auth_callback"),
        ("code_verifier", VERIFIER),
        ("client_secret", THEIRS),
    ]
}

fn refresh_pairs() -> Vec<(&'static str, &'static str)> {
    vec![("grant_type", "refresh_token"), ("refresh_token", REFRESH), ("client_secret", THEIRS)]
}

fn authorize_query(state: &str) -> String {
    encoded(&[
        ("response_type", "code"),
        ("client_id", "x"),
        ("redirect_uri", "http://localhost:1/callback"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("state", state),
        ("code", CODE),
        ("client_secret", THEIRS),
    ])
}

fn grant() -> Response<Bytes> {
    let body = json!({ "access_token": ACCESS, "refresh_token": REFRESH, "token_type": "Bearer" });
    Response::new(body.to_string().into())
}

fn refusal(code: u32) -> Response<Bytes> {
    let body = json!({ "error": "invalid_grant", "error_codes": [code] }).to_string();
    Response::builder().status(400).body(body.into()).unwrap()
}

#[test]
fn a_whole_sign_in_shows_nothing() {
    let driver = Driver::new(&with_secret());
    let token = Token::v2().with("scp", "access_as_user mcp.write").signed();
    let rpc = json!({ "jsonrpc": "2.0", "method": "tools/call", "params": { "name": "x" } });
    let query = authorize_query(STATE);
    let outcomes = [
        driver.run(Request::get(format!("/oauth/authorize?{query}")).body("").unwrap()),
        driver.run(Request::get(format!("/authorize?{query}&prompt=x")).body("").unwrap()),
        Driver::new(&with_secret()).answering([Ok(grant())]).run(token_request(&code_pairs())),
        Driver::new(&with_secret())
            .answering([Ok(refusal(7_000_218)), Ok(grant())])
            .run(token_request(&refresh_pairs())),
        driver.run(call(&token).map(|_| rpc.to_string())),
    ];
    let signature = token.rsplit('.').next().unwrap().to_owned();
    for outcome in outcomes {
        for shown in shown(&outcome) {
            assert!(!is_secret(&shown, &[token.clone(), signature.clone()]), "{shown}");
        }
    }
    for shown in [
        format!("{:?}", with_secret()),
        format!("{:#?}", driver.facade),
        format!("{:#?}", driver.facade.settings()),
    ] {
        assert!(!is_secret(&shown, &[]), "{shown}");
    }
}

#[test]
fn no_refusal_says_what_was_refused() {
    let twice = |mut pairs: Vec<(&'static str, &'static str)>, name| {
        let value = pairs.iter().find(|(known, _)| *known == name).unwrap().1;
        pairs.push((name, value));
        token_request(&pairs)
    };
    let without = |mut pairs: Vec<(&'static str, &'static str)>, name| {
        pairs.retain(|(known, _)| *known != name);
        token_request(&pairs)
    };
    let changed = |name, value| {
        let mut pairs = code_pairs();
        pairs.retain(|(known, _)| *known != name);
        pairs.push((name, value));
        token_request(&pairs)
    };
    let mut untyped = token_request(&code_pairs());
    untyped.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    let broken = token_request(&code_pairs()).map(|body| format!("{body}&x=%"));
    let query = authorize_query(STATE);
    let get = |path: String| Request::get(path).body(String::new()).unwrap();
    for request in [
        twice(code_pairs(), "code"),
        twice(code_pairs(), "code_verifier"),
        twice(refresh_pairs(), "refresh_token"),
        twice(refresh_pairs(), "client_secret"),
        without(code_pairs(), "grant_type"),
        without(code_pairs(), "redirect_uri"),
        without(refresh_pairs(), "grant_type"),
        changed("grant_type", "password"),
        changed("redirect_uri", "https://attacker.example/"),
        changed("code_verifier", "canary-code"),
        changed("scope", "https://graph.microsoft.com/x"),
        untyped,
        broken,
        get(format!("/authorize?{query}&state=x")),
        get(format!("/authorize?{query}&x=%zz")),
        get(format!("/authorize?{}", query.replace("S256", "plain"))),
        get(format!("/authorize?{}", query.replace("localhost", "attacker.example"))),
        get(format!("/mcp?access_token={ACCESS}")),
    ] {
        let outcome = Driver::new(&with_secret()).run(request);
        assert!(outcome.sent.is_empty());
        let shown = shown(&outcome);
        assert!(shown.iter().any(|text| text.starts_with("Reason")), "{shown:?}");
        for shown in shown {
            assert!(!is_secret(&shown, &[]), "{shown}");
        }
    }
}

#[test]
fn no_body_of_another_kind_is_quoted() {
    for path in ["/oauth/register", "/oauth/token", "/mcp"] {
        for body in
            [format!("\"{CODE}\""), format!(" \n\"{CODE}\""), format!("[\"{CODE}\"]"), CODE.into()]
        {
            let token = Token::v2().with("scp", "access_as_user mcp.write").signed();
            let request = Request::post(path)
                .header("authorization", format!("Bearer {token}"))
                .body(body.clone());
            let outcome = Driver::new(&with_secret()).run(request.unwrap());
            for shown in shown(&outcome) {
                assert!(!is_secret(&shown, &[]), "{path} {body}: {shown}");
            }
            assert!(!is_secret(&String::from_utf8_lossy(outcome.response().body()), &[]));
        }
    }
}

#[test]
fn no_refused_token_is_in_the_reason_or_the_challenge() {
    let driver = Driver::new(&options());
    for token in [
        ACCESS.to_owned(),
        format!("{ACCESS}.{REFRESH}.{CODE}"),
        Token::v2().with("aud", ACCESS).signed(),
        Token::v2().with("iss", ACCESS).signed(),
        Token::v2().with("tid", ACCESS).signed(),
        Token::v2().header("kid", ACCESS).signed(),
        Token::v2().header("alg", ACCESS).signed(),
        Token::v2().header("crit", ACCESS).signed(),
        Token::v2().signed_by(&STRANGER),
        Token::v2().with("exp", 1).signed(),
    ] {
        let mut request = call(&token);
        // nor where it comes twice
        for count in 0..2 {
            let outcome = driver.run(request.clone());
            for shown in shown(&outcome) {
                assert!(!is_secret(&shown, std::slice::from_ref(&token)), "{count}: {shown}");
            }
            assert!(outcome.verdict().is_err());
            let value = request.headers()["authorization"].clone();
            request.headers_mut().append("authorization", value);
        }
    }
}

#[test]
fn no_translation_on_its_own_shows_more() {
    let settings = Settings::parse(&with_secret()).unwrap();
    let form_type = HeaderValue::from_static(FORM);
    for pairs in [code_pairs(), refresh_pairs()] {
        let body = encoded(&pairs);
        let parse = || TokenRequest::parse(Some(&form_type), body.as_bytes(), &settings).unwrap();
        let request = parse();
        let granted = parse().resume(Ok(grant()), &settings);
        assert!(matches!(granted, TokenStep::Respond(_)));
        let again = parse().resume(Ok(refusal(7_000_218)), &settings);
        let form = Form::parse(body.as_bytes()).unwrap();
        let shown = format!("{request:#?} {granted:#?} {again:#?} {form:#?}");
        assert!(!is_secret(&shown, &[]), "{shown}");
    }
    for query in [authorize_query(STATE), authorize_query(STATE).replace("S256", "plain")] {
        let shown = format!("{:#?}", authorize(&query, &settings));
        assert!(!is_secret(&shown, &[]), "{shown}");
    }
}
