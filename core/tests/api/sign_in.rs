//! The browser's leg and the registration before it, through the one door.

use http::{HeaderMap, Request};
use mcp_entra_core::{Options, Reason};
use serde_json::json;

use super::support::{CLIENT, Driver, encoded, json as read, options};

const GOOD: [(&str, &str); 7] = [
    ("response_type", "code"),
    ("client_id", "what-the-client-thinks"),
    ("redirect_uri", "http://localhost:8787/callback"),
    ("scope", "openid access_as_user"),
    ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    ("code_challenge_method", "S256"),
    ("state", "a b&c"),
];

fn get(path: &str, query: &str) -> http::Response<bytes::Bytes> {
    let request = Request::get(format!("{path}?{query}")).body("").unwrap();
    Driver::new(&options()).run(request).response()
}

fn is_kept_by_nobody(headers: &HeaderMap) {
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["referrer-policy"], "no-referrer");
}

#[test]
fn the_browser_goes_on_to_entra() {
    let mut query = GOOD.to_vec();
    query.extend([
        ("resource", "https://mcp.example.com/mcp"),
        ("prompt", "consent"),
        ("client_secret", "what-the-client-thinks"),
    ]);
    for path in ["/oauth/authorize", "/authorize"] {
        let response = get(path, &encoded(&query));
        assert_eq!(response.status(), 302);
        assert_eq!(
            response.headers()["location"],
            "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/oauth2/v2.0/authorize\
             ?client_id=99999999-8888-4777-8666-555555555555&response_type=code\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback\
             &scope=openid+api%3A%2F%2F99999999-8888-4777-8666-555555555555%2Faccess_as_user+offline_access\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
             &response_mode=query&state=a+b%26c"
        );
        is_kept_by_nobody(response.headers());
        assert!(response.extensions().get::<Reason>().is_none());
        assert!(response.body().is_empty());
    }
}

#[test]
fn a_fault_of_the_client_goes_back_to_it() {
    let query = encoded(&GOOD).replace("S256", "plain");
    let response = get("/oauth/authorize", &query);
    assert_eq!(response.status(), 302);
    assert_eq!(
        response.headers()["location"],
        "http://localhost:8787/callback?error=invalid_request\
         &error_description=code_challenge_method+must+be+S256&state=a+b%26c"
    );
    is_kept_by_nobody(response.headers());
    let reason = &response.extensions().get::<Reason>().unwrap().0;
    assert_eq!(reason, "invalid_request: code_challenge_method must be S256");
}

#[test]
fn an_address_that_nobody_listed_gets_a_page() {
    for uri in [
        "https://attacker.example/callback",
        "javascript:alert(1)",
        "http://localhost:8787/callback#x",
        "http://localhost:8787/callback/../x",
        "http://localhost:8787@attacker.example/callback",
    ] {
        let mut query = GOOD.to_vec();
        query[2].1 = uri;
        let response = get("/oauth/authorize", &encoded(&query));
        assert_eq!(response.status(), 400, "{uri}");
        assert!(!response.headers().contains_key("location"));
        is_kept_by_nobody(response.headers());
        assert_eq!(response.headers()["x-frame-options"], "DENY");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        let page = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(page.contains("What the operator of this server can do"), "{page}");
        assert!(!page.contains("<script"));
    }
}

#[test]
fn a_query_that_cannot_be_read_gets_a_page() {
    for query in [
        format!("{}&state=again", encoded(&GOOD)),
        format!("{}&x=%zz", encoded(&GOOD)),
        format!("{}&x=%ff", encoded(&GOOD)),
        format!("{}&x=%0d%0aSet-Cookie:+x", encoded(&GOOD)),
        format!("{}&x={}", encoded(&GOOD), "y".repeat(16 * 1024)),
        encoded(&GOOD).replace("client_id", "client"),
        String::new(),
    ] {
        let response = get("/oauth/authorize", &query);
        assert_eq!(response.status(), 400, "{query:.80}");
        assert!(response.extensions().get::<Reason>().is_some());
    }
}

#[test]
fn a_registration_is_answered_with_the_one_client() {
    let request = |body: String| {
        let request = Request::post("/oauth/register").header("content-type", "application/json");
        Driver::new(&options()).run(request.body(body).unwrap()).response()
    };
    let body = json!({
        "client_name": "Cursor",
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ],
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "logo_uri": null,
    });
    let response = request(body.to_string());
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(
        read(&response),
        json!({
            "client_id": CLIENT,
            "client_id_issued_at": 1_767_225_700,
            "redirect_uris": body["redirect_uris"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
            "client_name": "Cursor",
        })
    );
    for (body, error) in [
        (String::new(), "invalid_client_metadata"),
        ("[]".into(), "invalid_client_metadata"),
        ("{".into(), "invalid_client_metadata"),
        (r#"{"redirect_uris":[],"redirect_uris":[]}"#.into(), "invalid_client_metadata"),
        ("{}".into(), "invalid_redirect_uri"),
        (r#"{"redirect_uris":["https://attacker.example/cb"]}"#.into(), "invalid_redirect_uri"),
        (r#"{"redirect_uris":["javascript:x"]}"#.into(), "invalid_redirect_uri"),
    ] {
        let response = request(body.clone());
        assert_eq!(response.status(), 400);
        assert_eq!(read(&response)["error"], error, "{body}");
    }
    let response = request(" ".repeat(1024 * 1024));
    assert_eq!(response.status(), 413);
    assert_eq!(read(&response)["error_description"], "the request's body is too long");
}

#[test]
fn the_real_secret_is_given_to_nobody() {
    let options = Options {
        client_secret: Some("the-real-one".into()),
        issue_client_secret: true,
        ..options()
    };
    let body = json!({
        "redirect_uris": ["https://teams.microsoft.com/api/platform/v1.0/oAuthRedirect"],
        "token_endpoint_auth_method": "client_secret_post",
    });
    let request = Request::post("/register").body(body.to_string()).unwrap();
    let response = Driver::new(&options).run(request).response();
    assert_eq!(read(&response)["client_secret"], "mcp-entra-clients-have-no-secret");
    let request = Request::get("/.well-known/oauth-authorization-server").body("").unwrap();
    let response = Driver::new(&options).run(request).response();
    assert!(!String::from_utf8_lossy(response.body()).contains("the-real-one"));
}
