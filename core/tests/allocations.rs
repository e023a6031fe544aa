//! What each exchange may allocate. The bounds are what was measured: an improvement lowers one,
//! a change that raises one is a decision. A binary of its own, since the counter is the global
//! allocator.

#![cfg(not(target_family = "wasm"))]

use std::sync::Arc;

use allocation_counter::measure;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use mcp_entra_core::{Context, Facade, KeySet, Options, Settings, Step, UnixTime};

const FORM: &str = "application/x-www-form-urlencoded";

/// A facade that holds Entra's document.
fn prepared() -> (Facade, Context) {
    let settings = Settings::parse(&Options {
        resource: "https://mcp.example.com/mcp".into(),
        tenant: "11111111-2222-4333-8444-555555555555".into(),
        client_id: "99999999-8888-4777-8666-555555555555".into(),
        ..Options::default()
    });
    let facade = Facade::new(settings.unwrap_or_else(|error| panic!("{error}")));
    let document = facade.read_discovery(include_bytes!("fixtures/v2_tenant.json"));
    let discovery = document.unwrap_or_else(|error| panic!("{error}"));
    let now = UnixTime(1_767_225_700);
    (facade, Context { now, discovery: Some(Arc::new(discovery)), ..Context::default() })
}

fn head(request: http::request::Builder) -> Parts {
    request.body(()).map(|request| request.into_parts().0).unwrap_or_else(|error| panic!("{error}"))
}

/// A token with a key of the fixtures; nobody asks for its signature.
fn token() -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    // Entra writes them on one line
    let claims = include_str!("fixtures/access_token_claims_v2.json");
    let claims: String = claims.lines().map(str::trim).collect();
    format!("{}.{}.AA", part(r#"{"typ":"JWT","alg":"RS256","kid":"pub-1"}"#), part(&claims))
}

/// How often an exchange allocates until it ends, with these answers of the outside world.
fn allocations(head: &Parts, body: &'static str, answer: &'static str) -> u64 {
    allocations_in(prepared(), head, body, answer)
}

fn allocations_in(
    (facade, cx): (Facade, Context),
    head: &Parts,
    body: &'static str,
    answer: &'static str,
) -> u64 {
    let exchange = || {
        let mut step = facade.begin(head, &cx);
        let mut answer = Some(Response::new(Bytes::from_static(answer.as_bytes())));
        loop {
            step = match step {
                Step::Read(read) => read.resume(Ok(Bytes::from_static(body.as_bytes()))),
                Step::Send(_, awaiting) => match answer.take() {
                    Some(answer) => awaiting.resume(Ok(answer)),
                    None => break None,
                },
                Step::Verify(verify) => verify.verified().1,
                end => break Some(end),
            };
        }
    };
    // what is made once is made
    exchange();
    let mut end = None;
    let counted = measure(|| end = exchange());
    assert!(matches!(end, Some(Step::Pass(_) | Step::Respond(_))), "{end:?}");
    if let Some(Step::Respond(response)) = &end {
        assert_ne!(response.status(), 400, "{:?}", response.body());
    }
    counted.count_total
}

/// What `http::Response` needs for a header, be it a single static one: its map owns its memory, so
/// not even a clone of a ready answer is free. What is made once beside it is shared.
fn one_header() -> u64 {
    let counted = measure(|| {
        let mut response = Response::new(Bytes::new());
        let value = http::HeaderValue::from_static("no-store");
        response.headers_mut().insert(http::header::CACHE_CONTROL, value);
        std::hint::black_box(&response);
    });
    assert_eq!(counted.count_total, 2);
    counted.count_total
}

#[test]
fn what_is_not_ours_is_passed_on() {
    assert_eq!(allocations(&head(Request::get("/other")), "", ""), 0);
}

#[test]
fn a_challenge() {
    assert_eq!(allocations(&head(Request::post("/mcp")), "", ""), one_header());
}

#[test]
fn a_call_with_a_token() {
    let (facade, mut cx) = prepared();
    let keys = KeySet::parse(include_bytes!("fixtures/jwks_v2_common.json"));
    cx.keys = keys.ok().map(Arc::new);
    let call = head(Request::post("/mcp").header("authorization", format!("Bearer {}", token())));
    assert!(allocations_in((facade.clone(), cx.clone()), &call, "", "") <= 39);

    let Step::Verify(verify) = facade.begin(&call, &cx) else { panic!("it is not verified") };
    cx.remembered = Some(verify.verified().0);
    assert_eq!(allocations_in((facade.clone(), cx.clone()), &call, "", ""), 0);

    let Step::Pass(passing) = facade.begin(&call, &cx) else { panic!("it does not pass") };
    let amend = |mut head: Parts| measure(|| passing.amend_request(&mut head)).count_total;
    assert!(amend(call.clone()) <= 12);
    // the values of the identity headers are shared from then on
    assert!(amend(call) <= 5);
}

#[test]
fn metadata() {
    let protected_resource = head(Request::get("/.well-known/oauth-protected-resource/mcp"));
    assert_eq!(allocations(&protected_resource, "", ""), one_header());
    let authorization_server = head(Request::get("/.well-known/oauth-authorization-server"));
    assert_eq!(allocations(&authorization_server, "", ""), one_header());
}

#[test]
fn a_registration() {
    let body =
        r#"{"redirect_uris":["http://localhost:8787/callback"],"client_name":"Claude Code"}"#;
    assert!(allocations(&head(Request::post("/oauth/register")), body, "") <= 8);
}

#[test]
fn an_authorization() {
    let request = head(Request::get(
        "/oauth/authorize?response_type=code&client_id=x&redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&state=s\
         &scope=openid+access_as_user",
    ));
    assert!(allocations(&request, "", "") <= 11);
}

#[test]
fn a_code_and_a_refresh() {
    let request = head(Request::post("/oauth/token").header("content-type", FORM));
    let answer = r#"{"token_type":"Bearer","scope":"api://99999999-8888-4777-8666-555555555555/access_as_user","expires_in":3599,"access_token":"a","refresh_token":"r"}"#;
    let code = "grant_type=authorization_code&code=c&redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback\
        &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert!(allocations(&request, code, answer) <= 16);
    let refresh = "grant_type=refresh_token&refresh_token=r";
    assert!(allocations(&request, refresh, answer) <= 14);
}
