//! What holds for every request and every script of answers.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use mcp_entra_core::redirect_uri::RedirectUri;
use mcp_entra_core::{Facade, Options, UpstreamError};
use proptest::prelude::*;
use url::Url;

use super::support::{CLIENT, Driver, End, NOW, Outcome, challenge, options, pairs};
use super::tokens::Token;

/// What a client says of itself, which Entra must never hear.
const THEIRS: &str = "what-the-client-says";
const OURS: &str = "the-real-secret";

static TOKENS: LazyLock<[String; 4]> = LazyLock::new(|| {
    [
        Token::v2().signed(),
        Token::app_only().signed(),
        Token::v2().with("aud", "x").signed(),
        Token::v2().header("kid", "unknown").signed(),
    ]
});

fn settings() -> impl Strategy<Value = Options> {
    let secret = || Some(OURS.to_owned());
    prop_oneof![
        1 => Just(options()),
        3 => Just(Options { client_secret: secret(), ..options() }),
        1 => Just(Options { client_secret: secret(), platform: "web".into(), ..options() }),
        1 => Just(Options { resource: "https://mcp.example.com".into(), ..options() }),
        1 => Just(Options { trust: "easy-auth".into(), ..options() }),
        1 => Just(Options {
            operation_scopes: vec!["tools/call:x*=mcp.write".into()],
            app_roles: vec!["Mcp.Invoke".into()],
            ..options()
        }),
    ]
}

fn target() -> impl Strategy<Value = (String, String)> {
    let meant = prop::sample::select(vec![
        ("POST", "/mcp"),
        ("POST", "/mcp/x"),
        ("GET", "/oauth/authorize"),
        ("GET", "/authorize"),
        ("POST", "/oauth/token"),
        ("POST", "/token"),
        ("POST", "/oauth/token"),
        ("POST", "/oauth/register"),
        ("GET", "/.well-known/oauth-protected-resource/mcp"),
        ("GET", "/.well-known/openid-configuration"),
        ("OPTIONS", "*"),
        ("GET", "/"),
    ]);
    prop_oneof![
        10 => meant.prop_map(|(method, path)| (method.into(), path.into())),
        1 => ("[A-Z]{1,8}", "/[!-~&&[^#?]]{0,20}"),
        1 => ("GET|HEAD|OPTIONS|DELETE|PUT", "/mcp|/oauth/token|/authorize"),
    ]
}

/// A form or a query that begins soundly, or not at all, and goes on with what matters or anything.
fn form(starts: &'static [&'static str]) -> impl Strategy<Value = String> {
    let pair = prop_oneof![
        prop::sample::select(vec![
            "grant_type=authorization_code".to_owned(),
            "grant_type=refresh_token".into(),
            "code=c".into(),
            "refresh_token=r".into(),
            "redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback".into(),
            "redirect_uri=https://claude.ai/api/mcp/auth_callback".into(),
            "redirect_uri=https://attacker.example/callback".into(),
            "code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into(),
            "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into(),
            "code_challenge_method=S256".into(),
            "response_type=code".into(),
            "resource=https%3A%2F%2Fmcp.example.com%2Fmcp".into(),
            "resource=https://other.example".into(),
            "%72esource=https%3A%2F%2Fmcp.example.com".into(),
            "scope=openid+access_as_user".into(),
            "prompt=consent".into(),
            "state=a%26resource%3Db".into(),
            format!("client_id={THEIRS}"),
            format!("client_secret={THEIRS}"),
            format!("client_assertion={THEIRS}"),
        ]),
        "[a-z_]{1,10}=[!-~]{0,20}".prop_map(|pair| pair.replace('#', "")),
    ];
    (prop::sample::select(starts), prop::collection::vec(pair, 0..4)).prop_map(
        |(start, mut pairs)| {
            pairs.insert(0, start.to_owned());
            pairs.join("&")
        },
    )
}

/// What each leg cannot do without, or too few forms would get through.
const AUTHORIZE: [&str; 3] = [
    "",
    "response_type=code&client_id=x&redirect_uri=http://localhost:1/callback\
     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
    "client_id=x&redirect_uri=http://localhost:1/callback",
];
const TOKEN: [&str; 4] = [
    "",
    "grant_type=refresh_token&refresh_token=r",
    "grant_type=refresh_token&refresh_token=r",
    "grant_type=authorization_code&code=c&redirect_uri=http://localhost:1/callback\
     &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
];

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => form(&TOKEN).prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        1 => prop::sample::select(vec![
            r#"{"redirect_uris":["http://localhost/callback"],"scope":"openid"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x1"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        ]).prop_map(|text| text.as_bytes().to_vec()),
    ]
}

fn header() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
    let name = prop::sample::select(vec![
        "authorization",
        "content-type",
        "origin",
        "cookie",
        "host",
        "x-ms-client-principal",
        "mcp-entra-object-id",
    ]);
    let value = prop_oneof![
        Just("application/x-www-form-urlencoded".to_owned()),
        Just(include_str!("../fixtures/easyauth_principal.b64").trim().to_owned()),
        Just(format!("Basic {THEIRS}")),
        Just(THEIRS.to_owned()),
        "[ -~]{0,30}",
    ];
    (name, value).prop_map(|(name, value)| {
        (HeaderName::from_static(name), HeaderValue::try_from(value).unwrap())
    })
}

fn request() -> impl Strategy<Value = Request<Bytes>> {
    let headers = prop::collection::vec(header(), 0..3);
    let token = prop::option::of(prop::sample::select(TOKENS.as_slice()));
    let is_form = prop::bool::weighted(0.8);
    (target(), form(&AUTHORIZE), headers, token, is_form, body()).prop_map(
        |((method, path), query, headers, token, is_form, body)| {
            // most calls of the resource have no query, and one of the sign-in is nothing to it
            let bare = path == "*" || path.starts_with("/mcp") && is_form;
            let target = if bare { path } else { format!("{path}?{query}") };
            let mut request = Request::new(Bytes::from(body));
            *request.method_mut() = method.parse().unwrap();
            *request.uri_mut() = target.parse::<Uri>().unwrap_or_default();
            request.headers_mut().extend(headers);
            if let Some(token) = token {
                let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
                request.headers_mut().insert("authorization", value);
            }
            if is_form {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                request.headers_mut().insert("content-type", form);
            }
            request
        },
    )
}

fn answer() -> impl Strategy<Value = Result<Response<Bytes>, UpstreamError>> {
    let status = prop::sample::select(vec![200, 204, 302, 400, 401, 429, 500, 503]);
    let body = prop_oneof![
        prop::sample::select(vec![
            r#"{"access_token":"a","refresh_token":"r","scope":"openid"}"#.to_owned(),
            r#"{"error":"invalid_grant","error_description":"AADSTS70043: \"x\""}"#.into(),
            "<html>".into(),
        ]),
        ".{0,40}",
    ];
    let answered = (status, body).prop_map(|(status, body)| {
        Ok(Response::builder().status(status).body(body.into()).unwrap())
    });
    let wants_secret = Just(Response::new(r#"{"error":"x","error_codes":[7000218]}"#.into()))
        .prop_map(|mut response| {
            *response.status_mut() = http::StatusCode::UNAUTHORIZED;
            Ok(response)
        });
    let none = prop::sample::select(vec![
        Err(UpstreamError::Timeout),
        Err(UpstreamError::Incomplete),
        Err(UpstreamError::TooLong),
        Err(UpstreamError::Unreachable),
    ]);
    prop_oneof![8 => answered, 3 => wants_secret, 1 => none]
}

fn nothing_of_the_clients_reaches_entra(facade: &Facade, request: &Request<Bytes>) {
    assert_eq!(request.uri(), facade.settings().authority().token_endpoint());
    assert_eq!(request.method(), "POST");
    let headers: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(headers, ["content-type", "accept"]);
    let mut names = Vec::new();
    for (name, value) in pairs(request.body()) {
        assert!(!value.contains(THEIRS) && !name.eq_ignore_ascii_case("resource"), "{name}");
        match name.as_str() {
            "client_id" => assert_eq!(value, CLIENT),
            "client_secret" => assert_eq!(value, OURS),
            "scope" => assert!(value.contains("offline_access"), "{value}"),
            "grant_type" | "code" | "redirect_uri" | "code_verifier" | "refresh_token" => {}
            other => panic!("Entra was sent {other}"),
        }
        assert!(!names.contains(&name), "{name} twice");
        names.push(name);
    }
    assert!(names.iter().any(|name| name == "scope"));
}

fn leads_nowhere_else(facade: &Facade, location: &str) {
    let entra = facade.settings().authority().authorization_endpoint();
    let url = Url::parse(location).unwrap();
    if location.starts_with(&format!("{entra}?")) {
        let pairs: Vec<_> = url.query_pairs().collect();
        assert!(pairs.iter().all(|(name, _)| name != "resource" && name != "client_secret"));
        let of = |name: &str| pairs.iter().find(|(known, _)| known == name).unwrap().1.as_ref();
        assert_eq!(of("client_id"), CLIENT);
        let redirect_uri: RedirectUri = of("redirect_uri").parse().unwrap();
        assert!(facade.settings().redirect_policy().allows(&redirect_uri));
    } else {
        let (bare, _) = location.split_once('?').unwrap();
        let redirect_uri: RedirectUri = bare.parse().unwrap();
        assert!(facade.settings().redirect_policy().allows(&redirect_uri), "{location}");
        assert!(url.query_pairs().any(|(name, _)| name == "error"), "{location}");
    }
}

fn holds(driver: &Driver, outcome: Outcome) {
    let facade = &driver.facade;
    assert!(outcome.sent.len() <= 2);
    outcome.sent.iter().for_each(|request| nothing_of_the_clients_reaches_entra(facade, request));
    let End::Responded(response) = outcome.end else { return };
    if response.headers().contains_key("www-authenticate") {
        let challenge = challenge(response.headers());
        let metadata = Url::parse(challenge.get("resource_metadata").unwrap()).unwrap();
        assert_eq!(metadata.origin().ascii_serialization(), "https://mcp.example.com");
        assert!(!challenge.get("scope").unwrap().is_empty());
    }
    assert_eq!(response.status() == 302, response.headers().contains_key("location"));
    if let Some(location) = response.headers().get("location") {
        leads_nowhere_else(facade, location.to_str().unwrap());
    }
    let body = String::from_utf8_lossy(response.body());
    assert!(!body.contains(OURS), "{body}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_exchange_ends_and_keeps_the_promises(
        options in settings(),
        request in request(),
        answers in prop::collection::vec(answer(), 1..3),
        warm in any::<bool>(),
        now in prop_oneof![4 => Just(NOW), 1 => any::<u64>()],
    ) {
        let driver = Driver { warm, now, ..Driver::new(&options).answering(answers) };
        let outcome = driver.run(request);
        holds(&driver, outcome);
    }
}

#[test]
fn the_generators_reach_what_the_properties_are_about() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let script = (settings(), request(), prop::collection::vec(answer(), 1..3));
    let (mut sent, mut twice, mut challenged, mut to_entra, mut to_client, mut known) =
        (0, 0, 0, 0, 0, 0);
    for _ in 0..2000 {
        let (options, request, answers) = script.new_tree(&mut runner).unwrap().current();
        let outcome = Driver::new(&options).answering(answers).run(request);
        sent += usize::from(!outcome.sent.is_empty());
        twice += usize::from(outcome.sent.len() == 2);
        match &outcome.end {
            End::Passed(passing) => known += usize::from(passing.principal().is_some()),
            End::Responded(response) => {
                challenged += usize::from(response.headers().contains_key("www-authenticate"));
                let location = response.headers().get("location").map(|v| v.to_str().unwrap());
                let entras = |l: &str| l.starts_with("https://login.microsoftonline.com/");
                to_entra += usize::from(location.is_some_and(entras));
                to_client += usize::from(location.is_some_and(|l| !entras(l)));
            }
        }
    }
    let reached = [sent, twice, challenged, to_entra, to_client, known];
    assert!(reached.iter().all(|count| *count >= 3), "{reached:?}");
}
