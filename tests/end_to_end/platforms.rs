//! With a client secret: it goes where Entra ID wants it and nowhere else.

use bytes::Bytes;
use http::Response;
use mcp_entra_stand_in::{Application, Endpoint, EntraStandIn, Platform};

use crate::harness::{Options, SignIn, Tokens, World, error_of};

const SECRET: &str = "a-secret~of.the_app";
const WEB: &str = "https://claude.ai/api/mcp/auth_callback";
const LOOPBACK: &str = "http://localhost:8787/callback";

async fn world(arguments: &[&str]) -> World {
    world_of(Application::example().with_secret(SECRET), arguments).await
}

async fn world_of(application: Application, arguments: &[&str]) -> World {
    let entra = EntraStandIn::builder().application(application);
    let options =
        Options::default().arguments(arguments).variable("MCP_ENTRA_CLIENT_SECRET", SECRET);
    let world = World::with(entra, options).await;
    world.ready().await;
    world
}

/// The secret of each token request that the stand-in has seen since the last look.
fn secrets(world: &World) -> Vec<Option<String>> {
    let requests = world.asked(Endpoint::Token);
    world.entra.clear_requests();
    requests.iter().map(|request| request.parameter("client_secret")).collect()
}

fn with_secret() -> Option<String> {
    Some(SECRET.into())
}

fn assert_no_code_of_entras(response: &Response<Bytes>) {
    let body = String::from_utf8_lossy(response.body());
    for code in ["7000218", "700025", SECRET] {
        assert!(!body.contains(code), "{body}");
    }
}

#[tokio::test]
async fn an_https_redirect_gets_the_secret_and_its_refresh_too_at_the_second_attempt() {
    let world = world(&[]).await;
    let client = SignIn::new(&world, WEB);

    let answer = client.redeem(&client.code("s").await).await;
    assert_no_code_of_entras(&answer);
    let tokens = Tokens::of(&answer);
    assert_eq!(secrets(&world), [with_secret()]);

    let answer = client.refresh(&tokens.refresh_token).await;
    assert_no_code_of_entras(&answer);
    let tokens = Tokens::of(&answer);
    assert_eq!(secrets(&world), [None, with_secret()]);

    let call = world.web.get_as(&tokens.access_token, &world.url("/mcp/echo")).await;
    assert_eq!(call.status(), 200);
}

#[tokio::test]
async fn a_loopback_redirect_never_gets_the_secret() {
    let world = world(&[]).await;
    let client = SignIn::new(&world, LOOPBACK);

    let answer = client.redeem(&client.code("s").await).await;
    assert_no_code_of_entras(&answer);
    let tokens = Tokens::of(&answer);
    let answer = client.refresh(&tokens.refresh_token).await;
    assert_no_code_of_entras(&answer);
    Tokens::of(&answer);

    assert_eq!(secrets(&world), [None, None]);
}

#[tokio::test]
async fn a_private_scheme_is_no_web_platform() {
    let world = world(&[]).await;
    let cursor = SignIn::new(&world, "cursor://anysphere.cursor-mcp/oauth/callback");
    cursor.tokens().await;
    assert_eq!(secrets(&world), [None]);
}

#[tokio::test]
async fn where_all_is_web_everything_gets_the_secret_at_once() {
    let application = Application {
        public_client: Default::default(),
        ..Application::example().with_secret(SECRET)
    }
    .with_redirect_uri(Platform::Web, "http://localhost:8787/callback");
    let world = world_of(application, &["--platform", "web"]).await;
    for redirect_uri in [WEB, LOOPBACK] {
        let client = SignIn::new(&world, redirect_uri);
        let tokens = client.tokens().await;
        Tokens::of(&client.refresh(&tokens.refresh_token).await);
        assert_eq!(secrets(&world), [with_secret(), with_secret()], "{redirect_uri}");
    }
}

#[tokio::test]
async fn where_all_is_native_nothing_gets_the_secret() {
    let application = Application { web: Default::default(), ..Application::example() }
        .with_secret(SECRET)
        .with_redirect_uri(Platform::Public, WEB);
    let world = world_of(application, &["--platform", "native"]).await;
    for redirect_uri in [WEB, LOOPBACK] {
        let client = SignIn::new(&world, redirect_uri);
        let tokens = client.tokens().await;
        Tokens::of(&client.refresh(&tokens.refresh_token).await);
        assert_eq!(secrets(&world), [None, None], "{redirect_uri}");
    }
}

#[tokio::test]
async fn a_clients_own_credentials_stay_here() {
    let world = world(&[]).await;
    let client = SignIn::new(&world, LOOPBACK);
    let code = client.code("s").await;
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs([
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", LOOPBACK),
        ("code_verifier", crate::harness::VERIFIER),
        ("client_id", "the-client's-own"),
        ("client_secret", "the-client's-own"),
        ("client_assertion", "the-client's-own"),
        ("resource", &world.url("/mcp")),
    ]);
    let request = http::Request::post(world.url("/token"))
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("authorization", "Basic dGhlLWNsaWVudCdzLW93bjp4")
        .header("origin", "http://localhost:6274")
        .header("cookie", "the-client's=own")
        .body(body.finish())
        .unwrap();
    let answer = world.web.send(request).await;

    Tokens::of(&answer);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let sent = world.asked(Endpoint::Token).pop().expect("a token request");
    assert!(!format!("{sent:?}").contains("own"), "{sent:?}");
    assert!(!format!("{sent:?}").contains("6274"), "{sent:?}");
    assert_eq!(sent.parameter("resource"), None);
}

#[tokio::test]
async fn a_wrong_secret_is_the_operators_matter_and_shown_to_nobody() {
    let application = Application::example().with_secret("another");
    let world = world_of(application, &[]).await;
    let client = SignIn::new(&world, WEB);

    let answer = client.redeem(&client.code("s").await).await;

    assert_eq!(answer.status(), 500);
    assert_eq!(error_of(&answer), "server_error");
    assert_no_code_of_entras(&answer);
    world.gateway.log().says("7000215").await;
    assert!(!world.gateway.log().text().contains(SECRET));
}
