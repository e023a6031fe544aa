//! From the first request to the page where the user signs in.

use http::{Method, Response};
use http_auth::ChallengeParser;
use mcp_entra_harness::{Site as _, asked, error_of, header, json_body, query};
use mcp_entra_stand_in::{EXAMPLE_CLIENT, Endpoint};
use serde_json::json;
use url::Url;

use crate::world::World;

const CURSOR: [&str; 3] = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
];
const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

pub(crate) async fn challenged(world: &World) {
    for method in [Method::GET, Method::HEAD, Method::POST] {
        let response = world.send(method.clone(), "/mcp", &[], "").await;
        assert_eq!(response.status(), 401, "{method}");
        let challenge = header(response.headers(), "www-authenticate");
        let challenges: Vec<_> = ChallengeParser::new(challenge)
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{method} {challenge:?}: {error}"));
        let [challenge] = &challenges[..] else { panic!("{method} {challenges:?}") };
        assert_eq!(challenge.scheme, "Bearer");
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_unescaped()).unwrap_or_default()
        };
        let metadata = parameter("resource_metadata");
        assert_eq!(metadata, world.url("/.well-known/oauth-protected-resource/mcp"), "{method}");
        assert_eq!(parameter("scope"), "access_as_user", "{method}");
    }
}

pub(crate) async fn protected_resource(world: &World) {
    for path in
        ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"]
    {
        let response = world.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        let content_type = header(response.headers(), "content-type");
        assert!(content_type.starts_with("application/json"), "{path}: {content_type}");
        assert_eq!(header(response.headers(), "access-control-allow-origin"), "*");
        let document = json_body(&response);
        assert_eq!(document["resource"], world.url("/mcp"), "{path}");
        assert_eq!(document["authorization_servers"], json!([world.origin()]), "{path}");
    }
}

pub(crate) async fn authorization_server(world: &World) {
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
    ] {
        let response = world.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        let document = json_body(&response);
        // RFC 8414 section 3.3: identical, octet for octet
        assert_eq!(document["issuer"], world.origin(), "{path}");
        for endpoint in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
            let url = document[endpoint].as_str().unwrap_or_default();
            assert!(url.starts_with(world.origin()), "{path}: {endpoint} is {url:?}");
        }
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]), "{path}");
    }
}

async fn register(world: &World, redirect_uris: &[&str]) -> Response<bytes::Bytes> {
    let body = json!({ "client_name": "a client", "redirect_uris": redirect_uris }).to_string();
    let headers = [("content-type", "application/json")];
    world.send(Method::POST, "/oauth/register", &headers, body).await
}

pub(crate) async fn registers(world: &World) {
    for redirect_uris in [&["http://127.0.0.1:50123/callback"][..], &CURSOR] {
        let response = register(world, redirect_uris).await;
        let document = json_body(&response);
        assert_eq!(response.status(), 201, "{document}");
        assert_eq!(document["client_id"], EXAMPLE_CLIENT);
        assert_eq!(document["redirect_uris"], json!(redirect_uris));
        assert_eq!(document["token_endpoint_auth_method"], "none");
    }
    let response = register(world, &["https://evil.example/callback"]).await;
    assert_eq!(response.status(), 400);
    assert_eq!(error_of(&response), "invalid_redirect_uri");
}

fn authorize_query(world: &World, redirect_uri: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("response_type", "code"),
        ("client_id", EXAMPLE_CLIENT),
        ("redirect_uri", redirect_uri),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("state", "a b&c=%20é"),
        ("resource", &world.url("/mcp")),
    ]);
    query.finish()
}

pub(crate) async fn authorize(world: &World) {
    let listed = authorize_query(world, "http://localhost:8787/callback");
    let response = world.get(&format!("/oauth/authorize?{listed}")).await;
    assert_eq!(response.status(), 302);
    let location: Url = header(response.headers(), "location").parse().expect("a URL");
    assert!(location.as_str().starts_with(&world.entra.authority()), "{location}");
    assert_eq!(query(&location, "resource"), None, "{location}");
    assert_eq!(query(&location, "state").as_deref(), Some("a b&c=%20é"), "{location}");
    let scope = query(&location, "scope").unwrap_or_default();
    assert!(scope.contains(&format!("{EXAMPLE_CLIENT}/access_as_user")), "{location}");

    let unlisted = authorize_query(world, "https://evil.example/callback");
    let response = world.get(&format!("/oauth/authorize?{unlisted}")).await;
    assert_eq!(response.status(), 400);
    assert_eq!(header(response.headers(), "location"), "");
    assert_eq!(header(response.headers(), "content-type"), "text/html; charset=utf-8");
}

pub(crate) async fn twice(world: &World) {
    world.entra.clear_requests();
    let query = authorize_query(world, "http://localhost:8787/callback");
    for again in ["redirect_uri=http://localhost:8787/callback", "%73tate=another"] {
        let response = world.get(&format!("/oauth/authorize?{query}&{again}")).await;
        assert_eq!(response.status(), 400, "{again}");
        assert_eq!(header(response.headers(), "location"), "", "{again}");
    }
    let form = "grant_type=refresh_token&refresh_token=a&%72efresh_token=b";
    let response = world.send(Method::POST, "/oauth/token", &FORM, form).await;
    assert_eq!(response.status(), 400);
    assert_eq!(error_of(&response), "invalid_request");
    assert!(asked(&world.entra, Endpoint::Token).is_empty(), "Entra ID was asked");
}

pub(crate) async fn too_long(world: &World) {
    world.entra.clear_requests();
    let form = format!("grant_type=refresh_token&refresh_token={}", "a".repeat(1024 * 1024));
    let response = world.send(Method::POST, "/oauth/token", &FORM, form).await;
    assert_eq!(response.status(), 413);
    assert_eq!(error_of(&response), "invalid_request");
    assert!(asked(&world.entra, Endpoint::Token).is_empty(), "Entra ID was asked");
}
