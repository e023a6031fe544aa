//! The whole way to a tool call, and what follows.

use http::header::AUTHORIZATION;
use mcp_entra_harness::entra::assert_it_saw_nothing_that_it_refuses;
use mcp_entra_harness::rmcp_client::REDIRECT_URI;
use mcp_entra_harness::{Client, SignIn, Tokens, asked, error_of};
use mcp_entra_stand_in::{Endpoint, Fault};

use crate::world::World;

pub(crate) async fn signs_in(world: &World) {
    world.entra.clear_requests();
    let client = Client::sign_in(world).await;
    assert_eq!(client.call("greet").await.expect("it calls"), "Hello, Ada!");
    assert_it_saw_nothing_that_it_refuses(&world.entra);
}

pub(crate) async fn refreshes(world: &World) {
    let client = SignIn::new(world, REDIRECT_URI);
    let mut tokens = client.tokens().await;
    for _ in 0..2 {
        world.entra.clear_requests();
        tokens = Tokens::of(&client.refresh(&tokens.refresh_token).await);
        let sent = asked(&world.entra, Endpoint::Token).pop().expect("Entra ID was asked");
        let scope = sent.parameter("scope").unwrap_or_default();
        assert!(scope.contains("/access_as_user"), "{scope:?}");
    }
    let authorization = format!("Bearer {}", tokens.access_token);
    let headers = [(AUTHORIZATION.as_str(), authorization.as_str())];
    let response = world.send(http::Method::GET, "/mcp/echo", &headers, "").await;
    assert_eq!(response.status(), 200);
}

pub(crate) async fn steps_up(world: &World) {
    let client = Client::sign_in(world).await;
    let refusal = client.call("delete_note").await.expect_err("the token lacks mcp.write");
    assert_eq!(client.step_up(world, &refusal).await, "access_as_user mcp.write");
    let deleted = client.call("delete_note").await.expect("it calls");
    assert_eq!(deleted, "Deleted with access_as_user mcp.write");
    client.auth.auth_manager.lock().await.refresh_token().await.expect("it refreshes");
    let deleted = client.call("delete_note").await.expect("it calls");
    assert_eq!(deleted, "Deleted with access_as_user mcp.write");
}

pub(crate) async fn entra_away(world: &World) {
    let client = SignIn::new(world, REDIRECT_URI);
    let tokens = client.tokens().await;
    assert_eq!(world.get("/.well-known/oauth-authorization-server").await.status(), 200);

    for endpoint in Endpoint::ALL {
        world.entra.set_fault(endpoint, Some(Fault::Outage));
    }
    let metadata = world.get("/.well-known/oauth-authorization-server").await;
    let call = world.call(http::Method::GET, "/mcp/echo", &[], "").await;
    let refresh = client.refresh(&tokens.refresh_token).await;
    for endpoint in Endpoint::ALL {
        world.entra.set_fault(endpoint, None);
    }

    assert_eq!(metadata.status(), 200);
    assert_eq!(call.status(), 200, "with a token that was not seen before");
    assert_eq!(refresh.status(), 503);
    assert_eq!(error_of(&refresh), "temporarily_unavailable");
    Tokens::of(&client.refresh(&tokens.refresh_token).await);
}
