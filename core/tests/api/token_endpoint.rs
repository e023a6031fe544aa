//! The token endpoint towards Entra: what is asked, with which credential, and how often.

use http::{HeaderMap, Request, Response};
use mcp_entra_core::{Options, UpstreamError};
use serde_json::json;

use super::support::{Driver, Outcome, encoded, json as read, options, pairs};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const LOOPBACK: &str = "http://localhost:8787/callback";
const WEB: &str = "https://claude.ai/api/mcp/auth_callback";
const PRIVATE: &str = "cursor://anysphere.cursor-mcp/oauth/callback";
const REFRESH: [(&str, &str); 2] = [("grant_type", "refresh_token"), ("refresh_token", "r")];

fn code(redirect_uri: &str) -> [(&str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", "what-the-client-thinks"),
        ("code", "c"),
        ("redirect_uri", redirect_uri),
        ("code_verifier", VERIFIER),
    ]
}

fn form(body: impl Into<String>) -> Request<String> {
    let content_type = "application/x-www-form-urlencoded";
    Request::post("/oauth/token").header("content-type", content_type).body(body.into()).unwrap()
}

type Answer = Result<Response<bytes::Bytes>, UpstreamError>;

fn granted() -> Answer {
    let body = json!({ "token_type": "Bearer", "access_token": "a", "expires_in": 3599 });
    Ok(Response::new(body.to_string().into()))
}

fn refused(code: u32) -> Answer {
    let body = json!({ "error": "invalid_client", "error_codes": [code] });
    Ok(Response::builder().status(401).body(body.to_string().into()).unwrap())
}

fn run(options: &Options, body: String, answers: impl IntoIterator<Item = Answer>) -> Outcome {
    Driver::new(options).answering(answers).run(form(body))
}

fn sent(options: &Options, body: &[(&str, &str)]) -> Vec<(String, String)> {
    let outcome = run(options, encoded(body), [granted()]);
    assert_eq!(outcome.sent.len(), 1);
    pairs(outcome.sent[0].body())
}

/// What a body that never reaches Entra is answered with.
fn error(request: Request<impl Into<bytes::Bytes>>) -> (u16, String) {
    let outcome = Driver::new(&options()).run(request);
    assert!(outcome.sent.is_empty());
    let response = outcome.response();
    assert_eq!(response.headers()["cache-control"], "no-store");
    (response.status().as_u16(), read(&response)["error"].as_str().unwrap().to_owned())
}

fn with_secret(platform: &str) -> Options {
    Options { client_secret: Some("s".into()), platform: platform.into(), ..options() }
}

fn has_secret(pairs: &[(String, String)]) -> bool {
    let secrets: Vec<_> = pairs.iter().filter(|(name, _)| name == "client_secret").collect();
    assert!(secrets.is_empty() || secrets == [&("client_secret".into(), "s".into())]);
    !secrets.is_empty()
}

#[test]
fn a_code_is_redeemed_with_what_entra_wants_and_nothing_else() {
    let outcome = run(&options(), encoded(&code(LOOPBACK)), [granted()]);
    let [request] = outcome.sent.as_slice() else { panic!("{:?}", outcome.sent) };
    assert_eq!(request.method(), "POST");
    assert_eq!(
        *request.uri(),
        "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/oauth2/v2.0/token"
    );
    assert_eq!(
        request.body(),
        "client_id=99999999-8888-4777-8666-555555555555&grant_type=authorization_code\
         &scope=api%3A%2F%2F99999999-8888-4777-8666-555555555555%2Faccess_as_user+offline_access\
         &code=c&redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let response = outcome.response();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["pragma"], "no-cache");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
}

#[test]
fn a_refresh_without_a_scope_names_it_by_guid() {
    let outcome = run(&options(), encoded(&REFRESH), [granted()]);
    assert_eq!(
        outcome.sent[0].body(),
        "client_id=99999999-8888-4777-8666-555555555555&grant_type=refresh_token\
         &scope=99999999-8888-4777-8666-555555555555%2Faccess_as_user+offline_access\
         &refresh_token=r"
    );
    // where the API may be another application than the client, by its Application ID URI
    let options = Options { app_id_uri: "https://contoso.com/tools".into(), ..options() };
    let scope = sent(&options, &REFRESH).into_iter().find(|(name, _)| name == "scope").unwrap().1;
    assert_eq!(scope, "https://contoso.com/tools/access_as_user offline_access");
}

#[test]
fn nothing_of_the_clients_own_goes_along() {
    let mut body = code(LOOPBACK).to_vec();
    body.extend([
        ("resource", "https://mcp.example.com/mcp"),
        ("resource", "https://mcp.example.com/mcp/"),
        ("client_secret", "the-clients"),
        ("client_assertion", "the-clients"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("audience", "the-clients"),
        ("state", "the-clients"),
    ]);
    let mut request = form(encoded(&body));
    for (name, value) in [
        ("authorization", "Basic dGhlLWNsaWVudHM6dGhlLWNsaWVudHM="),
        ("origin", "http://localhost:6274"),
        ("cookie", "session=the-clients"),
        ("referer", "http://localhost:6274/"),
        ("user-agent", "the-clients"),
        ("mcp-protocol-version", "2026-07-28"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let outcome = Driver::new(&options()).answering([granted()]).run(request);
    let request = &outcome.sent[0];
    let names: Vec<_> = pairs(request.body()).into_iter().map(|(name, _)| name).collect();
    let wanted = ["client_id", "grant_type", "scope", "code", "redirect_uri", "code_verifier"];
    assert_eq!(names, wanted);
    assert!(!String::from_utf8_lossy(request.body()).contains("the-clients"));
    let mut expected = HeaderMap::new();
    expected.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    expected.insert("accept", "application/json".parse().unwrap());
    assert_eq!(*request.headers(), expected);
}

#[test]
fn the_secret_goes_along_where_the_redirect_uri_is_on_the_web_platform() {
    for (platform, loopback, web, private) in [
        ("", false, true, false),
        ("auto", false, true, false),
        ("web", true, true, true),
        ("native", false, false, false),
    ] {
        for (uri, expected) in [(LOOPBACK, loopback), (WEB, web), (PRIVATE, private)] {
            let sent = sent(&with_secret(platform), &code(uri));
            assert_eq!(has_secret(&sent), expected, "{platform} {uri}");
        }
    }
    assert!(!has_secret(&sent(&options(), &code(WEB))), "there is none");
}

#[test]
fn a_code_is_asked_for_once_whatever_entra_says() {
    for platform in ["auto", "web", "native"] {
        for uri in [LOOPBACK, WEB] {
            for answer in [refused(7_000_218), refused(700_025), Err(UpstreamError::Timeout)] {
                let body = encoded(&code(uri));
                let outcome = run(&with_secret(platform), body, [answer, granted()]);
                assert_eq!(outcome.sent.len(), 1, "{platform} {uri}");
            }
        }
    }
}

#[test]
fn a_refresh_asks_once_more_where_entra_wants_the_secret() {
    let refresh = |platform, answers: [Answer; 3]| {
        let outcome = run(&with_secret(platform), encoded(&REFRESH), answers);
        let secrets: Vec<_> = outcome.sent.iter().map(|r| has_secret(&pairs(r.body()))).collect();
        (secrets, outcome.response().status().as_u16())
    };
    let wants_one = || refused(7_000_218);
    assert_eq!(refresh("auto", [granted(), granted(), granted()]), (vec![false], 200));
    assert_eq!(refresh("auto", [wants_one(), granted(), granted()]), (vec![false, true], 200));
    assert_eq!(refresh("auto", [wants_one(), wants_one(), granted()]), (vec![false, true], 500));
    assert_eq!(refresh("auto", [refused(700_025), granted(), granted()]), (vec![false], 500));
    assert_eq!(refresh("web", [wants_one(), granted(), granted()]), (vec![true], 500));
    assert_eq!(refresh("native", [wants_one(), granted(), granted()]), (vec![false], 500));
    let outcome = run(&options(), encoded(&REFRESH), [wants_one(), granted()]);
    assert_eq!(outcome.sent.len(), 1, "there is no secret to ask with");
    // the same request, but for the secret
    let outcome = run(&with_secret("auto"), encoded(&REFRESH), [wants_one(), granted()]);
    let (first, second) = (pairs(outcome.sent[0].body()), pairs(outcome.sent[1].body()));
    assert_eq!(first, second[..first.len()]);
    assert_eq!(second.len(), first.len() + 1);
}

#[test]
fn a_request_that_entra_need_not_see() {
    let changed = |name: &str, value: &str| {
        let pairs: Vec<_> =
            code(LOOPBACK).into_iter().filter(|(known, _)| *known != name).collect();
        let body = encoded(&pairs);
        error(form(if value.is_empty() {
            body
        } else {
            format!("{body}&{}", encoded(&[(name, value)]))
        }))
    };
    let bad = |error: &str| (400, error.to_owned());
    for name in ["grant_type", "code", "redirect_uri", "code_verifier"] {
        assert_eq!(changed(name, ""), bad("invalid_request"), "{name}");
    }
    for grant in ["client_credentials", "password", "Authorization_Code", "implicit", "x"] {
        assert_eq!(changed("grant_type", grant), bad("unsupported_grant_type"), "{grant}");
    }
    for grant in ["device_code", "token-exchange", "jwt-bearer"] {
        let grant = format!("urn:ietf:params:oauth:grant-type:{grant}");
        assert_eq!(changed("grant_type", &grant), bad("unsupported_grant_type"), "{grant}");
    }
    assert_eq!(changed("redirect_uri", "https://attacker.example/"), bad("invalid_grant"));
    assert_eq!(changed("redirect_uri", "javascript:x"), bad("invalid_grant"));
    assert_eq!(changed("code_verifier", &"v".repeat(42)), bad("invalid_request"));
    assert_eq!(changed("code_verifier", &"v".repeat(129)), bad("invalid_request"));
    assert_eq!(changed("code_verifier", &"é".repeat(43)), bad("invalid_request"));
    assert_eq!(changed("resource", "https://other.example/mcp"), bad("invalid_target"));
    assert_eq!(changed("scope", "https://graph.microsoft.com/x"), bad("invalid_scope"));
    assert_eq!(changed("scope", &"s ".repeat(65)), bad("invalid_scope"));
    assert_eq!(error(form("grant_type=refresh_token")), bad("invalid_request"));
    assert_eq!(error(form("grant_type=refresh_token&refresh_token=")), bad("invalid_request"));
}

#[test]
fn a_body_that_cannot_be_read() {
    let good = encoded(&REFRESH);
    let bad = (400, "invalid_request".to_owned());
    for name in ["grant_type", "refresh_token", "scope", "x", "%67rant_type", "client_id"] {
        assert_eq!(error(form(format!("{good}&{name}=1&{name}=2"))), bad, "{name}");
    }
    for tail in ["%", "%4", "%4g", "%zz", "%ff", "%c3%28", "%00", "%0a", "%ed%a0%80"] {
        assert_eq!(error(form(format!("{good}&x={tail}"))), bad, "{tail}");
        assert_eq!(error(form(format!("{good}&{tail}=x"))), bad, "{tail}");
    }
    let many: String = (0..64).map(|i| format!("&p{i}=v")).collect();
    assert_eq!(error(form(format!("{good}{many}"))), bad);
    let octets = form("").map(|_| b"grant_type=refresh_token&refresh_token=\xff".to_vec());
    assert_eq!(error(octets), bad);
    let too_long = (413, "invalid_request".to_owned());
    assert_eq!(error(form(format!("{good}&x={}", "y".repeat(1024 * 1024)))), too_long);
    assert_eq!(error(form(format!("{good}&x={}", "y".repeat(64 * 1024)))), too_long);
    let fits = format!("{good}&x={}", "y".repeat(64 * 1024 - good.len() - 3));
    assert_eq!(run(&options(), fits, [granted()]).sent.len(), 1);
}

#[test]
fn only_a_form_is_a_token_request() {
    let good = encoded(&REFRESH);
    let typed = |content_type: &'static str| {
        let mut request = form(good.clone());
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        Driver::new(&options()).answering([granted()]).run(request).response().status().as_u16()
    };
    assert_eq!(typed("application/x-www-form-urlencoded"), 200);
    assert_eq!(typed("Application/X-WWW-Form-Urlencoded ; charset=UTF-8"), 200);
    for other in ["application/json", "text/plain", "", "multipart/form-data; boundary=x"] {
        assert_eq!(typed(other), 400, "{other}");
    }
    assert_eq!(error(Request::post("/oauth/token").body(good.clone()).unwrap()).0, 400);
}
