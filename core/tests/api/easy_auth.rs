//! Easy Auth's headers: believed where the operator said so, and reaching nobody where not.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, Request};
use mcp_entra_core::{Options, PERSONAL_ACCOUNTS_TENANT, Principal};
use serde_json::{Value, json};

use super::support::{CLIENT, Driver, TENANT, challenge, options};
use super::tokens::{Token, call};

const ADA: &str = include_str!("../fixtures/easyauth_principal.b64");

fn trusting() -> Options {
    Options { trust: "easy-auth".into(), ..options() }
}

fn with_principal(value: &str) -> Request<&'static str> {
    Request::post("/mcp").header("x-ms-client-principal", value).body("").unwrap()
}

/// The fixture's principal, changed and encoded.
fn principal(change: impl FnOnce(&mut Vec<Value>)) -> String {
    let mut principal: Value =
        serde_json::from_str(include_str!("../fixtures/easyauth_principal.json")).unwrap();
    change(principal["claims"].as_array_mut().unwrap());
    STANDARD.encode(principal.to_string())
}

fn without(claims: &mut Vec<Value>, name: &str) {
    claims.retain(|claim| !claim["typ"].as_str().unwrap().ends_with(name));
}

fn reason(options: &Options, value: &str) -> Option<String> {
    Driver::new(options).run(with_principal(value)).verdict().err()
}

/// The head of a passed request, as the server behind sees it.
fn amended(
    options: &Options,
    request: Request<&'static str>,
) -> (HeaderMap, Option<Arc<Principal>>) {
    let headers = request.headers().clone();
    let passing = Driver::new(options).run(request).passing();
    let (mut head, ()) = Request::new(()).into_parts();
    head.headers = headers;
    passing.amend_request(&mut head);
    (head.headers, head.extensions.get().cloned())
}

#[test]
fn a_principal_is_who_calls() {
    let request = with_principal(ADA.trim());
    let (headers, caller) = amended(&trusting(), request);
    let caller = caller.unwrap();
    assert_eq!(caller.tenant_id.as_str(), TENANT);
    assert_eq!(caller.name.as_deref(), Some("Ada Lovelace"));
    assert_eq!(headers["mcp-entra-tenant-id"], TENANT);
    assert_eq!(headers["mcp-entra-object-id"], "22222222-0000-4000-8000-000000000001");
    assert_eq!(headers["mcp-entra-name"], "Ada Lovelace");
    assert_eq!(headers["mcp-entra-username"], "ada@contoso.com");
    assert_eq!(headers["mcp-entra-scopes"], "access_as_user");
    assert_eq!(headers["mcp-entra-roles"], "Admin Reader");
    assert_eq!(headers["mcp-entra-app-only"], "false");
    assert_eq!(headers["x-ms-client-principal"], ADA.trim());
}

#[test]
fn nobody_without_one() {
    let driver = Driver::new(&trusting());
    let response = driver.run(Request::post("/mcp").body("").unwrap()).response();
    assert_eq!(response.status(), 401);
    assert_eq!(challenge(response.headers()).get("error"), None);
    // a bearer token is not what is trusted here
    let response = driver.run(call(&Token::v2().signed())).response();
    assert_eq!(response.status(), 401);
}

#[test]
fn malformed_is_refused_and_never_ignored() {
    let not_base64 = "the client principal is not base64";
    let not_one = "the client principal is not the JSON that App Service writes";
    let encoded = |text: &str| STANDARD.encode(text);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let in_a_claim = format!(r#"{{"auth_typ":"aad","claims":[{{"typ":{deep},"val":""}}]}}"#);
    let beside = format!(r#"{{"auth_typ":"aad","claims":[],"x":{deep}}}"#);
    for (value, expected) in [
        ("!".to_owned(), not_base64),
        (format!("{}=", ADA.trim()), not_base64),
        (String::new(), not_one),
        (encoded("{\"auth_typ\":"), not_one),
        (encoded("[]"), not_one),
        (encoded(&deep), not_one),
        (encoded(&in_a_claim), not_one),
        (encoded(&beside), "the client principal has no tid, or one that is not a GUID"),
        (encoded(r#"{"identityProvider":"aad","userId":"1","userDetails":"a"}"#), not_one),
        ("A".repeat(1024 * 1024), "the client principal is longer than 65536 bytes"),
        (
            encoded(r#"{"auth_typ":"github","claims":[]}"#),
            "the client principal comes from 'github' and not from Entra ID",
        ),
        (
            principal(|claims| {
                without(claims, "tenantid");
                claims.push(json!({ "typ": "tid", "val": "contoso.com" }));
            }),
            "the client principal has no tid, or one that is not a GUID",
        ),
        (
            principal(|claims| claims.push(json!({ "typ": "tid", "val": TENANT }))),
            "the client principal has tid twice",
        ),
    ] {
        assert_eq!(reason(&trusting(), &value).as_deref(), Some(expected), "{value:.80}");
    }
    let twice = Request::post("/mcp")
        .header("x-ms-client-principal", ADA.trim())
        .header("x-ms-client-principal", ADA.trim())
        .body("");
    let reason = Driver::new(&trusting()).run(twice.unwrap()).verdict().unwrap_err();
    assert_eq!(reason, "the request has two X-MS-CLIENT-PRINCIPAL headers");
}

#[test]
fn tenants_are_those_of_the_settings() {
    let other = "22222222-3333-4444-8555-666666666666";
    let refused = |tenant: &str| Some(format!("tokens of the tenant {tenant} are not accepted"));
    let verdict = |tenant: &str, allowed: &[&str], caller: &str| {
        let allowed_tenants = allowed.iter().map(|t| (*t).into()).collect();
        let options = Options { tenant: tenant.into(), allowed_tenants, ..trusting() };
        let value = principal(|claims| {
            without(claims, "tenantid");
            claims.push(json!({ "typ": "tid", "val": caller }));
        });
        reason(&options, &value)
    };
    assert_eq!(verdict(TENANT, &[], TENANT), None);
    assert_eq!(verdict(TENANT, &[], other), refused(other));
    assert_eq!(verdict("common", &[], other), None);
    assert_eq!(verdict("common", &[TENANT], other), refused(other));
    assert_eq!(verdict("common", &[TENANT, other], other), None);
    let personal = PERSONAL_ACCOUNTS_TENANT;
    assert_eq!(verdict("common", &[], personal), None);
    assert_eq!(verdict("organizations", &[], personal), refused(personal));
    assert_eq!(verdict("consumers", &[], personal), None);
    assert_eq!(verdict("consumers", &[], TENANT), refused(TENANT));
}

#[test]
fn a_browser_session_is_no_application() {
    let options = Options { app_roles: vec!["Admin".into()], ..trusting() };
    let without_scope = principal(|claims| without(claims, "scope"));
    // a user whose ID token has the role, and no access token at all
    let lacks = "the token lacks the scope access_as_user";
    assert_eq!(reason(&options, &without_scope).as_deref(), Some(lacks));
    let application = principal(|claims| {
        without(claims, "scope");
        claims.push(json!({ "typ": "idtyp", "val": "app" }));
    });
    assert_eq!(reason(&options, &application), None);
}

const FORGED: [&str; 14] = [
    "x-ms-client-principal",
    "x-ms-client-principal-id",
    "x-ms-client-principal-name",
    "x-ms-client-principal-idp",
    "x_ms_client_principal",
    "x-ms-client_principal",
    "x-ms-token-aad-access-token",
    "x-ms-token-aad-id-token",
    "x_ms_token_aad_access_token",
    "mcp-entra-object-id",
    "mcp_entra_object_id",
    "mcp-entra_roles",
    "mcp-entra-app-only",
    "mcp-entra-whatever-comes",
];

fn forged(mut request: Request<&'static str>) -> Request<&'static str> {
    for name in FORGED {
        let name = HeaderName::from_static(name);
        request.headers_mut().append(name.clone(), "forged".parse().unwrap());
        request.headers_mut().append(name, "forged again".parse().unwrap());
    }
    request.headers_mut().insert("x-ms-request-id", "kept".parse().unwrap());
    request.headers_mut().insert("mcp-session-id", "kept".parse().unwrap());
    request
}

fn holds_nothing_forged(headers: &HeaderMap) {
    let left: Vec<_> =
        headers.iter().filter(|(_, value)| value.as_bytes().starts_with(b"forged")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(headers["x-ms-request-id"], "kept");
    assert_eq!(headers["mcp-session-id"], "kept");
}

#[test]
fn forged_headers_change_nothing_and_reach_nobody() {
    // without a token they are nobody's word
    let driver = Driver::new(&options());
    assert_eq!(
        driver.run(forged(Request::post("/mcp").body("").unwrap())).response().status(),
        401
    );
    let disguised = with_principal(ADA.trim());
    assert_eq!(driver.run(disguised).response().status(), 401);
    // beside a token
    let (headers, caller) = amended(&options(), forged(call(&Token::v2().signed())));
    holds_nothing_forged(&headers);
    assert_eq!(headers["mcp-entra-object-id"], "22222222-0000-4000-8000-000000000001");
    assert_eq!(headers["mcp-entra-app-only"], "false");
    assert_eq!(headers["mcp-entra-client-id"], CLIENT);
    assert!(!headers.contains_key("mcp-entra-roles"));
    assert!(caller.is_some());
    // on the way to whatever else is served
    let (headers, caller) = amended(&options(), forged(Request::get("/other").body("").unwrap()));
    holds_nothing_forged(&headers);
    assert_eq!(caller, None);
}

#[test]
fn where_easy_auth_is_trusted_only_what_it_sets_is_left() {
    let mut request = with_principal(ADA.trim());
    for name in ["x-ms-client-principal-id", "x-ms-token-aad-access-token", "authorization"] {
        request.headers_mut().insert(name, "by easy auth".parse().unwrap());
    }
    // names that the platform does not know and that a server behind may read as its own
    for name in FORGED.iter().filter(|name| name.contains('_') || name.starts_with("mcp")) {
        request.headers_mut().insert(*name, "forged".parse().unwrap());
    }
    request.headers_mut().insert("x-ms-request-id", "kept".parse().unwrap());
    request.headers_mut().insert("mcp-session-id", "kept".parse().unwrap());
    let (headers, _) = amended(&trusting(), request.clone());
    holds_nothing_forged(&headers);
    assert_eq!(headers["x-ms-client-principal-id"], "by easy auth");
    assert!(!headers.contains_key("x-ms-token-aad-access-token"));
    assert!(!headers.contains_key("authorization"));
    let forwarding = Options { forward_token: true, ..trusting() };
    let (headers, _) = amended(&forwarding, request);
    assert_eq!(headers["x-ms-token-aad-access-token"], "by easy auth");
    assert_eq!(headers["authorization"], "by easy auth");
    holds_nothing_forged(&headers);
}

#[test]
fn the_token_goes_on_only_where_the_operator_says_so() {
    let token = Token::v2().signed();
    let (headers, _) = amended(&options(), call(&token));
    assert!(!headers.contains_key("authorization"));
    let forwarding = Options { forward_token: true, ..options() };
    let (headers, _) = amended(&forwarding, call(&token));
    assert_eq!(headers["authorization"], format!("Bearer {token}"));
    // what is not for us keeps what it has
    let other = Request::get("/other").header("authorization", "Basic YTpi").body("").unwrap();
    let (headers, _) = amended(&options(), other);
    assert_eq!(headers["authorization"], "Basic YTpi");
}
