//! Who is calling: nobody says so but Entra ID, or Easy Auth where the operator trusts it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use mcp_entra_stand_in::{EXAMPLE_CLIENT, EXAMPLE_TENANT, EntraStandIn, SigningKey, User};
use serde_json::{Value, json};

use crate::harness::{Options, World, header};

const EVE: &str = "66666666-0000-4000-8000-000000000066";

/// A client principal of Eve's, as App Service writes it.
fn principal() -> String {
    let claims = json!([
        {"typ": "http://schemas.microsoft.com/identity/claims/tenantid", "val": EXAMPLE_TENANT},
        {"typ": "http://schemas.microsoft.com/identity/claims/objectidentifier", "val": EVE},
        {"typ": "http://schemas.microsoft.com/identity/claims/scope", "val": "access_as_user"},
        {"typ": "name", "val": "Eve"},
    ]);
    encoded(&json!({"auth_typ": "aad", "claims": claims, "name_typ": "name", "role_typ": "roles"}))
}

fn encoded(principal: &Value) -> String {
    STANDARD.encode(principal.to_string())
}

async fn call(world: &World, headers: &[(&str, &str)]) -> Response<Bytes> {
    let mut request = Request::get(world.url("/mcp/echo"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.web.send(request.body("").expect("a request")).await
}

fn challenge(response: &Response<Bytes>) -> &str {
    header(response.headers(), "www-authenticate")
}

fn has_any(headers: &HeaderMap, name: &str) -> bool {
    let folded = name.to_ascii_lowercase().replace('_', "-");
    headers.keys().any(|known| known.as_str().replace('_', "-") == folded)
}

#[tokio::test]
async fn a_forged_principal_changes_nothing_and_reaches_nobody() {
    let world = World::new(&[]).await;
    let (principal, token) = (principal(), format!("Bearer {}", world.token()));
    let forged = [
        "X-MS-CLIENT-PRINCIPAL",
        "X-MS-CLIENT-PRINCIPAL-ID",
        "X-MS-CLIENT-PRINCIPAL-NAME",
        "X-MS-CLIENT-PRINCIPAL-IDP",
        "X_MS_CLIENT_PRINCIPAL",
        "x-ms_client-PRINCIPAL_id",
        "X-MS-TOKEN-AAD-ACCESS-TOKEN",
        "X-MS-TOKEN-AAD-ID-TOKEN",
        "X_MS_TOKEN_AAD_REFRESH_TOKEN",
        "Mcp-Entra-Roles",
        "Mcp_Entra_Roles",
        "Mcp-Entra-Anything-At-All",
    ];
    for name in forged {
        let response = call(&world, &[(name, &principal)]).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{name}");
        assert!(world.behind.seen().is_empty(), "{name}");
    }
    for name in forged {
        let twice = [("authorization", &*token), (name, &principal), (name, "Eve")];
        assert_eq!(call(&world, &twice).await.status(), StatusCode::OK, "{name}");
        let headers = world.behind.last_headers();
        assert!(!has_any(&headers, name), "{name}: {headers:?}");
        assert_eq!(headers["mcp-entra-name"], "Ada", "{name}");
    }
    let set = ["mcp-entra-name", "mcp-entra-object-id", "Mcp-Entra-Scopes", "MCP_ENTRA_TENANT_ID"];
    for name in set {
        call(&world, &[("authorization", &token), (name, EVE), (name, EVE)]).await;
        let headers = world.behind.last_headers();
        assert!(headers.values().all(|value| value != EVE), "{name}: {headers:?}");
        let name = name.to_ascii_lowercase().replace('_', "-");
        assert_eq!(headers.get_all(&name).iter().count(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_client_cannot_have_its_identity_removed_on_the_way() {
    let world = World::new(&[]).await;
    let token = format!("Bearer {}", world.token());
    let connection =
        "close, mcp-entra-name, mcp-entra-object-id, Mcp-Entra-App-Only, x-forwarded-for";
    call(&world, &[("authorization", &token), ("connection", connection)]).await;
    let headers = world.behind.last_headers();
    for (name, value) in [("mcp-entra-name", "Ada"), ("mcp-entra-app-only", "false")] {
        assert_eq!(header(&headers, name), value, "{headers:?}");
    }
    assert!(headers.contains_key("mcp-entra-object-id"));
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
}

#[tokio::test]
async fn the_server_behind_learns_who_calls_and_not_by_which_token() {
    let world = World::new(&[]).await;
    let token = format!("Bearer {}", world.token());
    call(&world, &[("authorization", &token), ("cookie", "a=b")]).await;

    let headers = world.behind.last_headers();
    assert!(!headers.contains_key("authorization"), "{headers:?}");
    let ada = User::default();
    for (name, value) in [
        ("mcp-entra-tenant-id", EXAMPLE_TENANT),
        ("mcp-entra-object-id", &ada.oid),
        ("mcp-entra-name", "Ada"),
        ("mcp-entra-username", "ada@contoso.com"),
        ("mcp-entra-client-id", EXAMPLE_CLIENT),
        ("mcp-entra-scopes", "access_as_user"),
        ("mcp-entra-app-only", "false"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-for", "127.0.0.1"),
    ] {
        assert_eq!(header(&headers, name), value, "{name}");
    }
    assert_eq!(
        header(&headers, "x-forwarded-host"),
        world.gateway.origin().trim_start_matches("http://")
    );
    assert!(world.behind.url().contains(header(&headers, "host")), "{headers:?}");
}

#[tokio::test]
async fn the_token_is_passed_on_where_the_operator_says_so() {
    let world = World::new(&["--forward-token"]).await;
    let token = format!("Bearer {}", world.token());
    call(&world, &[("authorization", &token)]).await;
    let headers = world.behind.last_headers();
    assert_eq!(header(&headers, "authorization"), token);
    assert_eq!(header(&headers, "mcp-entra-name"), "Ada");
}

#[tokio::test]
async fn a_name_that_is_not_ascii_arrives_percent_encoded() {
    let zoe = User { name: "Zoë 100% 李\r\nX-Evil: 1".into(), ..User::default() };
    let world = World::new(&[]).await;
    let token = format!("Bearer {}", world.token_of(&zoe));
    call(&world, &[("authorization", &token)]).await;
    let headers = world.behind.last_headers();
    assert_eq!(headers["mcp-entra-name"], "Zo%C3%AB 100%25 %E6%9D%8E%0D%0AX-Evil: 1");
    assert!(!headers.contains_key("x-evil"));
}

#[tokio::test]
async fn every_bad_token_is_refused_with_its_reason() {
    let world = World::new(&[]).await;
    let good = world.token();
    let now = world.entra.now();
    let claims = json!({
        "aud": EXAMPLE_CLIENT, "iss": world.entra.issuer(), "tid": EXAMPLE_TENANT, "oid": EVE, "sub": "s",
        "ver": "2.0", "scp": "access_as_user", "iat": now, "nbf": now, "exp": now + 3600,
    });
    let signed = |key: SigningKey, member: &str, value: Value| {
        let mut claims = claims.clone();
        claims[member] = value;
        world.entra.sign(&key, &json!({}), &claims).expect("a key")
    };
    assert_eq!(
        call_with(&world, &signed(SigningKey::Current, "sub", json!("s"))).await.status(),
        200
    );
    for (what, token, said) in [
        ("not a token", "a".into(), "token"),
        ("an unknown key", signed(SigningKey::Foreign, "sub", json!("s")), "key"),
        ("another audience", signed(SigningKey::Current, "aud", json!("api://other")), "audience"),
        ("no audience", signed(SigningKey::Current, "aud", json!(null)), "aud"),
        ("expired", signed(SigningKey::Current, "exp", json!(now - 301)), "expired"),
        ("another tenant", signed(SigningKey::Current, "tid", json!(EVE)), ""),
        ("another text", format!("{}A{}", &good[..40], &good[41..]), ""),
        ("five parts", format!("{good}.a.a"), "token"),
    ] {
        let response = call_with(&world, &token).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{what}");
        let challenge = challenge(&response);
        assert!(challenge.contains(r#"error="invalid_token""#), "{what}: {challenge}");
        assert!(challenge.contains(said), "{what}: {challenge}");
        assert!(token.len() < 40 || !challenge.contains(&token[..40]), "{what}: {challenge}");
    }
    assert_eq!(world.behind.seen().len(), 1, "the good one");
}

async fn call_with(world: &World, token: &str) -> Response<Bytes> {
    call(world, &[("authorization", &format!("Bearer {token}"))]).await
}

#[tokio::test]
async fn a_request_without_one_clear_token_is_told_what_to_do() {
    let world = World::new(&[]).await;
    let token = format!("Bearer {}", world.token());

    for headers in [&[][..], &[("authorization", "Basic YTpi")], &[("authorization", "Bearer")]] {
        let response = call(&world, headers).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{headers:?}");
        let metadata = world.url("/.well-known/oauth-protected-resource/mcp");
        let expected = format!(r#"Bearer resource_metadata="{metadata}", scope="access_as_user""#);
        assert_eq!(challenge(&response), expected, "{headers:?}");
    }
    let head = Request::head(world.url("/mcp")).body("").unwrap();
    assert_eq!(world.web.send(head).await.status(), StatusCode::UNAUTHORIZED);

    let twice = call(&world, &[("authorization", &token), ("authorization", &token)]).await;
    assert_eq!(twice.status(), StatusCode::BAD_REQUEST);
    let in_query = format!("/mcp/echo?access_token={}", world.token());
    assert_eq!(world.get(&in_query).await.status(), StatusCode::BAD_REQUEST);
    let long = format!("Bearer {}", "a".repeat(1 << 20));
    let refused = call(&world, &[("authorization", &long)]).await.status();
    assert!(refused.is_client_error(), "{refused}");
    assert!(world.behind.seen().is_empty());
}

#[tokio::test]
async fn easy_auth_is_believed_where_the_operator_says_so() {
    let options = Options::default()
        .arguments(&["--trust", "easy-auth"])
        .variable("WEBSITE_AUTH_ENABLED", "True");
    let world = World::with(EntraStandIn::builder(), options).await;
    let token = format!("Bearer {}", world.token());

    let response = call(&world, &[("x-ms-client-principal", &principal())]).await;
    assert_eq!(response.status(), StatusCode::OK, "{}", challenge(&response));
    let headers = world.behind.last_headers();
    assert_eq!(headers["mcp-entra-object-id"], EVE);
    assert_eq!(headers["mcp-entra-name"], "Eve");

    // a token is not what is trusted here, and our own headers are nobody else's in any mode
    let others = [("authorization", &*token), ("mcp-entra-object-id", EVE)];
    let response = call(&world, &others).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(!challenge(&response).contains("error="), "{}", challenge(&response));
    let before = world.behind.seen().len();

    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (what, value) in [
        ("not base64", "%%%".to_owned()),
        ("no JSON", STANDARD.encode("<html>")),
        ("nested deep", STANDARD.encode(nested)),
        ("Static Web Apps", encoded(&json!({"identityProvider": "aad", "userId": EVE}))),
        ("another provider", encoded(&json!({"auth_typ": "github", "claims": []}))),
        ("nobody", encoded(&json!({"auth_typ": "aad", "claims": []}))),
    ] {
        let response = call(&world, &[("x-ms-client-principal", &value)]).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{what}");
        assert!(challenge(&response).contains(r#"error="invalid_token""#), "{what}");
    }
    let twice = [("x-ms-client-principal", &*principal()), ("x-ms-client-principal", &principal())];
    assert_eq!(call(&world, &twice).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(world.behind.seen().len(), before, "nobody came through");
}
