//! Who may call, and who says so.

use http::Method;
use http::header::AUTHORIZATION;
use mcp_entra_harness::{header, json_body};
use mcp_entra_stand_in::{EXAMPLE_CLIENT, EXAMPLE_TENANT, SigningKey, User};
use serde_json::{Value, json};

use crate::world::World;

const EVE: &str = "66666666-0000-4000-8000-000000000066";

pub(crate) async fn bad_tokens(world: &World) {
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
    let good = signed(SigningKey::Current, "sub", json!("s"));
    let forged = {
        let (input, signature) = good.rsplit_once('.').expect("three parts");
        let (first, rest) = signature.split_at(1);
        format!("{input}.{}{rest}", if first == "A" { "B" } else { "A" })
    };
    let call = async |token: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [(AUTHORIZATION.as_str(), authorization.as_str())];
        world.send(Method::GET, "/mcp/echo", &headers, "").await
    };
    assert_eq!(call(&good).await.status(), 200);
    for (what, token) in [
        ("not a token", "a".into()),
        ("another signature", forged),
        ("a foreign key", signed(SigningKey::Foreign, "sub", json!("s"))),
        ("another audience", signed(SigningKey::Current, "aud", json!("api://other"))),
        ("another tenant", signed(SigningKey::Current, "tid", json!(EVE))),
        ("expired", signed(SigningKey::Current, "exp", json!(now - 301))),
    ] {
        let response = call(&token).await;
        assert_eq!(response.status(), 401, "{what}");
        let challenge = header(response.headers(), "www-authenticate");
        assert!(challenge.contains(r#"error="invalid_token""#), "{what}: {challenge}");
        assert!(challenge.contains("resource_metadata="), "{what}: {challenge}");
    }
    let in_query = world.get(&format!("/mcp/echo?access_token={good}")).await;
    assert_eq!(in_query.status(), 400);
}

/// The values of a header, its name compared as servers behind compare it.
fn values<'e>(echo: &'e Value, name: &str) -> Vec<&'e str> {
    let folded = name.to_ascii_lowercase().replace('_', "-");
    let headers = echo["headers"].as_array().expect("the headers");
    let headers = headers.iter().filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_str()?)));
    headers.filter(|(known, _)| known.replace('_', "-") == folded).map(|(_, value)| value).collect()
}

pub(crate) async fn forged(world: &World) {
    let forged = [
        "X-MS-CLIENT-PRINCIPAL",
        "X-MS-CLIENT-PRINCIPAL-ID",
        "X_MS_CLIENT_PRINCIPAL",
        "X-MS-TOKEN-AAD-ACCESS-TOKEN",
        "Mcp-Entra-Roles",
        "Mcp_Entra_Roles",
        "Mcp-Entra-Anything-At-All",
    ];
    for name in forged {
        let response = world.send(Method::GET, "/mcp/echo", &[(name, EVE)], "").await;
        assert_eq!(response.status(), 401, "{name}");
        let response = world.call(Method::GET, "/mcp/echo", &[(name, EVE)], "").await;
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(values(&json_body(&response), name), [""; 0], "{name}");
    }
    let ada = User::default();
    for (name, value) in [
        ("mcp-entra-name", "Ada"),
        ("mcp-entra-object-id", &ada.oid),
        ("mcp-entra-tenant-id", EXAMPLE_TENANT),
        ("MCP_ENTRA_USERNAME", "ada@contoso.com"),
    ] {
        let response = world.call(Method::GET, "/mcp/echo", &[(name, EVE), (name, EVE)], "").await;
        assert_eq!(values(&json_body(&response), name), [value], "{name}");
    }
    let echo = json_body(&world.call(Method::GET, "/mcp/echo", &[], "").await);
    assert_eq!(values(&echo, "authorization"), [""; 0], "the token stays here");
}

pub(crate) async fn browsers(world: &World) {
    for path in ["/mcp", "/oauth/token", "/.well-known/oauth-authorization-server"] {
        let preflight = [
            ("origin", "http://localhost:6274"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,mcp-protocol-version"),
        ];
        let response = world.send(Method::OPTIONS, path, &preflight, "").await;
        assert_eq!(response.status(), 204, "{path}");
        let headers = response.headers();
        assert_eq!(header(headers, "access-control-allow-origin"), "*", "{path}");
        let allowed = header(headers, "access-control-allow-headers").to_ascii_lowercase();
        assert!(allowed.contains("authorization"), "{path}: {allowed}");
    }
    let origin = [("origin", "http://localhost:6274")];
    let refused = world.send(Method::POST, "/mcp", &origin, "").await;
    let allowed = world.call(Method::GET, "/mcp/echo", &origin, "").await;
    for response in [refused, allowed] {
        assert_eq!(header(response.headers(), "access-control-allow-origin"), "*");
        let exposed = header(response.headers(), "access-control-expose-headers");
        assert!(exposed.to_ascii_lowercase().contains("www-authenticate"), "{exposed}");
    }
}

pub(crate) async fn elsewhere(world: &World) {
    for path in ["/", "/elsewhere", "/mcpx", "/MCP", "/oauth"] {
        for response in [world.get(path).await, world.call(Method::GET, path, &[], "").await] {
            // the gateway has a page of its own there, for a person who looks what this is
            let is_our_page =
                path == "/" && response.headers().contains_key("content-security-policy");
            assert!(is_our_page || response.status() == 404, "{path}: {}", response.status());
            assert!(!response.headers().contains_key("set-cookie"), "{path} reached the server");
        }
    }
}
