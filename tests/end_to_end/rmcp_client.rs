//! The real rmcp client with its own authorization support, from its first request on.

use std::time::Duration;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use mcp_entra_harness::Client;
use mcp_entra_harness::entra::assert_it_saw_nothing_that_it_refuses;
use mcp_entra_harness::rmcp_client::REDIRECT_URI;
use mcp_entra_stand_in::{EXAMPLE_CLIENT, Endpoint, EntraStandIn, Fault, Form};
use rmcp::transport::auth::{AuthError, AuthorizationRequest, OAuthState};
use serde_json::json;

use crate::harness::{Server, Web, World, header, text};

const DELETE_NEEDS_WRITE: [&str; 2] = ["--operation-scope", "tools/call:delete_*=mcp.write"];

#[tokio::test]
async fn it_discovers_registers_signs_in_and_is_greeted_by_name() {
    let world = World::new(&[]).await;
    let client = Client::sign_in(&world).await;

    assert_eq!(client.call("greet").await.unwrap(), "Hello, Ada!");
    assert!(!world.behind.seen().is_empty());
    assert_it_saw_nothing_that_it_refuses(&world.entra);
}

#[tokio::test]
async fn it_refreshes_and_goes_on() {
    let world = World::new(&[]).await;
    let client = Client::sign_in(&world).await;
    let before = client.auth.get_access_token().await.unwrap();

    client.auth.auth_manager.lock().await.refresh_token().await.unwrap();

    assert_ne!(client.auth.get_access_token().await.unwrap(), before);
    assert_eq!(client.call("greet").await.unwrap(), "Hello, Ada!");
    // once more, with the refresh token that the first refresh gave
    client.auth.auth_manager.lock().await.refresh_token().await.unwrap();
    assert_eq!(client.call("greet").await.unwrap(), "Hello, Ada!");
    assert_it_saw_nothing_that_it_refuses(&world.entra);
}

#[tokio::test]
async fn an_expired_token_is_renewed_without_a_sign_in() {
    let world = World::new(&[]).await;
    world.entra.set_form(Form { access_token_lifetime: Some(Duration::ZERO), ..Form::default() });
    let manager = Client::authorize(&world).await;
    world.entra.set_form(Form::default());

    let client = Client::connect(&world.url("/mcp"), manager).await;
    assert_eq!(client.call("greet").await.unwrap(), "Hello, Ada!");
    assert_eq!(world.asked(Endpoint::Authorize).len(), 1);
    assert_eq!(world.asked(Endpoint::Token).len(), 2, "a code, and a refresh");
}

#[tokio::test]
async fn it_steps_up_where_a_tool_needs_more() {
    let world = World::new(&DELETE_NEEDS_WRITE).await;
    let client = Client::sign_in(&world).await;
    assert_eq!(client.call("greet").await.unwrap(), "Hello, Ada!");

    let error = client.call("delete_note").await.expect_err("the token lacks mcp.write");
    assert_eq!(client.step_up(&world, &error).await, "access_as_user mcp.write");
    let granted = client.auth.auth_manager.lock().await.get_current_scopes().await;
    assert!(granted.iter().any(|scope| scope == "mcp.write"), "{granted:?}");

    let deleted = client.call("delete_note").await.unwrap();
    assert_eq!(deleted, "Deleted with access_as_user mcp.write");
    assert_it_saw_nothing_that_it_refuses(&world.entra);
}

#[tokio::test]
async fn a_refresh_token_that_entra_has_revoked_leads_to_a_new_sign_in() {
    let world = World::new(&[]).await;
    let client = Client::sign_in(&world).await;
    world.entra.set_policy_error(Endpoint::Token, Some(70043)).unwrap();

    let error = client.auth.auth_manager.lock().await.refresh_token().await.unwrap_err();

    assert!(matches!(error, AuthError::TokenRefreshRejected(_)), "{error:?}");
}

#[tokio::test]
async fn a_refresh_while_entra_is_away_keeps_the_sign_in() {
    let world = World::new(&[]).await;
    let client = Client::sign_in(&world).await;
    world.entra.set_fault(Endpoint::Token, Some(Fault::Status(503, Some(7))));

    let manager = client.auth.auth_manager.lock().await;
    let error = manager.refresh_token().await.unwrap_err();
    assert!(matches!(error, AuthError::TokenRefreshFailed(_)), "{error:?}");

    world.entra.set_fault(Endpoint::Token, None);
    manager.refresh_token().await.unwrap();
}

/// Why there is an mcp-entra: the same client, told by a server that Entra ID itself signs in.
#[tokio::test]
async fn without_mcp_entra_it_fails() {
    let entra = EntraStandIn::builder().start().await.unwrap();
    let server = format!("{}/{}/v2.0", entra.authority(), entra.tenant());
    let behind = Server::start(move |request: Request<Incoming>| {
        let server = server.clone();
        async move {
            let host = request.headers()["host"].to_str().unwrap_or_default().to_owned();
            if request.uri().path().starts_with("/.well-known/oauth-protected-resource") {
                let scope = format!("api://{EXAMPLE_CLIENT}/access_as_user");
                let document = json!({
                    "resource": format!("http://{host}/mcp"),
                    "authorization_servers": [server],
                    "scopes_supported": [scope],
                });
                return text(StatusCode::OK, document.to_string());
            }
            let mut response = text(StatusCode::UNAUTHORIZED, "")?;
            let challenge = format!(
                "Bearer resource_metadata=\"http://{host}/.well-known/oauth-protected-resource\""
            );
            response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
            Ok(response)
        }
    })
    .await;
    let url = behind.url("/mcp");

    let mut state = OAuthState::new(&url, None).await.unwrap();
    let request = AuthorizationRequest::new(REDIRECT_URI).with_client_name("rmcp");
    let error = state.start_authorization(request).await.unwrap_err();
    assert!(matches!(error, AuthError::RegistrationFailed(_)), "{error:?}");

    // and with the client id typed in by hand it gets no further than the sign-in
    let request = AuthorizationRequest::new(REDIRECT_URI).with_preregistered_client(EXAMPLE_CLIENT);
    state.start_authorization(request).await.unwrap();
    let authorize = state.get_authorization_url().await.unwrap();
    let answer = Web::new().get(&authorize).await;
    let page = String::from_utf8_lossy(answer.body());
    let location = header(answer.headers(), "location");
    assert!(format!("{page}{location}").contains("AADSTS9010010"), "{page}{location}");
}
