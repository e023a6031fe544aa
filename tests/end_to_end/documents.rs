//! Entra's documents: fetched ahead of need, kept while it is away, and not missed where there is
//! nothing to say of them.

use std::sync::Arc;
use std::time::Duration;

use mcp_entra_stand_in::{Endpoint, EntraStandIn, Fault};
use serde_json::Value;

use crate::harness::{Options, SignIn, World, error_of, header, json_body, within};

const METADATA: [&str; 4] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/mcp",
    "/.well-known/openid-configuration",
    "/mcp/.well-known/openid-configuration",
];
/// Longer than any answer may take, with Entra ID silent: eight seconds, and some for the machine.
const NO_HANG: Duration = Duration::from_secs(20);

/// Every way in which a document can be none.
fn faults() -> Vec<Fault> {
    vec![
        Fault::Outage,
        Fault::Status(503, Some(30)),
        Fault::Html,
        Fault::Empty,
        Fault::Endless,
        Fault::Huge,
        Fault::Redirect("http://127.0.0.1:9/elsewhere".into()),
        Fault::Bom,
        Fault::Reset,
        Fault::OtherTenant,
    ]
}

async fn entra() -> Arc<EntraStandIn> {
    Arc::new(EntraStandIn::builder().start().await.expect("the stand-in starts"))
}

async fn status(world: &World, token: &str) -> u16 {
    world.web.get_as(token, &world.url("/mcp/echo")).await.status().as_u16()
}

#[tokio::test]
async fn with_entra_away_everything_goes_on() {
    let world = World::new(&[]).await;
    let tokens = [world.token(), world.token()];
    assert_eq!(status(&world, &tokens[0]).await, 200);
    for endpoint in Endpoint::ALL {
        world.entra.set_fault(endpoint, Some(Fault::Outage));
    }
    for path in METADATA {
        assert_eq!(world.get(path).await.status(), 200, "{path}");
    }
    assert_eq!(status(&world, &tokens[0]).await, 200, "seen before");
    assert_eq!(status(&world, &tokens[1]).await, 200, "not seen before");
    assert_eq!(world.get("/readyz").await.status(), 200);
}

#[tokio::test]
async fn without_a_discovery_document_the_rest_is_answered() {
    let entra = entra().await;
    for fault in faults() {
        entra.set_fault(Endpoint::Discovery, Some(fault.clone()));
        let world = World::around(entra.clone(), Options::default()).await;
        without_discovery(&world, &format!("{fault:?}")).await;
        assert!(!world.gateway.log().text().contains("panicked"), "{fault:?}");
        world.gateway.log().says("could not be fetched").await;
    }
}

/// What is answered without a discovery document, and what it is.
async fn without_discovery(world: &World, what: &str) {
    let metadata = async {
        for path in METADATA {
            let answer = world.get(path).await;
            assert_eq!(answer.status(), 503, "{what} {path}");
            assert_eq!(error_of(&answer), "temporarily_unavailable", "{what} {path}");
        }
    };
    let calls = async {
        let challenged = world.get("/mcp").await;
        assert_eq!(challenged.status(), 401, "{what}");
        let challenge = header(challenged.headers(), "www-authenticate");
        assert!(challenge.contains("resource_metadata="), "{what} {challenge}");
        let protected = world.get("/.well-known/oauth-protected-resource/mcp").await;
        assert_eq!(protected.status(), 200, "{what}");
        assert_eq!(json_body(&protected)["resource"], Value::from(world.url("/mcp")));
        assert_eq!(world.get("/healthz").await.status(), 200, "{what}");
        assert_eq!(world.get("/readyz").await.status(), 503, "{what}");
    };
    let token = world.token();
    let token_call = async { assert_eq!(status(world, &token).await, 503, "{what}") };
    let all = async { tokio::join!(metadata, calls, token_call) };
    tokio::time::timeout(NO_HANG, all).await.unwrap_or_else(|_| panic!("{what} hangs"));
}

#[tokio::test]
async fn without_keys_the_metadata_is_there_and_a_token_has_to_wait() {
    let entra = entra().await;
    // a stranger's keys are keys, so they are not among these
    for fault in faults().into_iter().filter(|fault| *fault != Fault::OtherTenant) {
        entra.set_fault(Endpoint::Keys, Some(fault.clone()));
        let world = World::around(entra.clone(), Options::default()).await;
        without_keys(&world, &format!("{fault:?}")).await;
        assert!(!world.gateway.log().text().contains("panicked"), "{fault:?}");
    }
}

async fn without_keys(world: &World, what: &str) {
    let token = world.token();
    let all = async {
        assert_eq!(world.get(METADATA[0]).await.status(), 200, "{what}");
        assert_eq!(world.get("/readyz").await.status(), 503, "{what}");
        assert_eq!(status(world, &token).await, 503, "{what}");
    };
    tokio::time::timeout(NO_HANG, all).await.unwrap_or_else(|_| panic!("{what} hangs"));
}

#[tokio::test]
async fn what_was_missing_at_the_start_is_fetched_once_it_is_there() {
    for endpoint in [Endpoint::Discovery, Endpoint::Keys] {
        let entra = entra().await;
        entra.set_fault(endpoint, Some(Fault::Outage));
        let world = World::around(entra, Options::default()).await;
        world.gateway.log().says("could not be fetched").await;
        world.entra.set_fault(endpoint, None);
        world.ready().await;
        assert_eq!(world.get(METADATA[0]).await.status(), 200, "{endpoint:?}");
        assert_eq!(status(&world, &world.token()).await, 200, "{endpoint:?}");
    }
}

/// All at a time, since each takes the whole of the time that an answer may take.
#[tokio::test]
async fn an_entra_that_stalls_makes_no_answer_hang() {
    let stalls = [Fault::Slow(Duration::from_secs(60)), Fault::Drip(Duration::from_secs(1))];
    let (silent, dripping, no_keys) = (entra().await, entra().await, entra().await);
    silent.set_fault(Endpoint::Discovery, Some(stalls[0].clone()));
    dripping.set_fault(Endpoint::Discovery, Some(stalls[1].clone()));
    no_keys.set_fault(Endpoint::Keys, Some(stalls[0].clone()));
    let silent = World::around(silent, Options::default()).await;
    let dripping = World::around(dripping, Options::default()).await;
    let no_keys = World::around(no_keys, Options::default()).await;
    let [token_silent, token_dripping] = [World::new(&[]).await, World::new(&[]).await];

    let refresh = async |world: &World, fault: &Fault| {
        let client = SignIn::new(world, "http://localhost:8787/callback");
        let tokens = client.tokens().await;
        world.entra.fault_next(Endpoint::Token, fault.clone());
        let answer = tokio::time::timeout(NO_HANG, client.refresh(&tokens.refresh_token)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{fault:?} hangs"));
        assert_eq!(answer.status(), 503, "{fault:?}");
        assert_eq!(error_of(&answer), "temporarily_unavailable", "{fault:?}");
    };
    let all = async {
        tokio::join!(
            without_discovery(&silent, "silent"),
            without_discovery(&dripping, "dripping"),
            without_keys(&no_keys, "silent"),
            refresh(&token_silent, &stalls[0]),
            refresh(&token_dripping, &stalls[1]),
        )
    };
    within("all of it", all).await;
}
