//! Entra's keys while they are rolled: no request is lost, and no fetch is one too many.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_entra_stand_in::{EXAMPLE_CLIENT, EXAMPLE_TENANT, Endpoint, Fault, SigningKey};
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{World, header, within};

const CALLERS: usize = 50;

async fn status(world: &World, token: &str) -> u16 {
    world.web.get_as(token, &world.url("/mcp/echo")).await.status().as_u16()
}

/// A token of nobody's, with a key id of nobody's.
fn forged(world: &World, kid: &str) -> String {
    let now = world.entra.now();
    let claims = json!({
        "aud": EXAMPLE_CLIENT, "iss": world.entra.issuer(), "tid": EXAMPLE_TENANT, "oid": EXAMPLE_TENANT,
        "sub": "s", "ver": "2.0", "scp": "access_as_user", "nbf": now, "exp": now + 3600,
    });
    world.entra.sign(&SigningKey::Foreign, &json!({"kid": kid}), &claims).expect("a key")
}

/// Calls with a token until told to stop; gives how often, and what went wrong.
fn keep_calling(
    world: &Arc<World>,
    token: String,
    stop: &Arc<AtomicBool>,
) -> impl Future<Output = (usize, Vec<String>)> + use<> {
    let (world, stop) = (world.clone(), stop.clone());
    async move {
        let (mut calls, mut lost) = (0, Vec::new());
        while !stop.load(Ordering::Relaxed) || calls == 0 {
            calls += 1;
            let answer = world.web.get_as(&token, &world.url("/mcp/echo")).await;
            if answer.status() != 200 {
                let why = header(answer.headers(), "www-authenticate");
                lost.push(format!("call {calls}: {} {why}", answer.status()));
            }
        }
        (calls, lost)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_the_keys_under_load_loses_no_request_and_costs_one_fetch() {
    let world = Arc::new(World::new(&[]).await);
    assert_eq!(world.asked(Endpoint::Keys).len(), 1);
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    let old_key = world.entra.current_key();
    for _ in 0..CALLERS / 2 {
        callers.spawn(keep_calling(&world, world.token(), &stop));
    }
    let before = world.behind.seen().len();
    let more_calls = async |count| {
        while world.behind.seen().len() < before + count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("callers call", more_calls(CALLERS)).await;

    // all the new tokens arrive at once, and none of their keys is known yet
    world.entra.roll_keys();
    for _ in 0..CALLERS / 2 {
        callers.spawn(keep_calling(&world, world.token(), &stop));
    }
    within("callers call", more_calls(4 * CALLERS)).await;
    // with this the gateway holds both keys, and an old token is a good one until the next fetch
    assert_eq!(status(&world, &world.token()).await, 200);
    assert!(world.entra.withdraw_key(&old_key));
    within("callers call", more_calls(6 * CALLERS)).await;

    stop.store(true, Ordering::Relaxed);
    let callers = within("callers stop", callers.join_all()).await;
    assert_eq!(callers.len(), CALLERS);
    for (calls, lost) in callers {
        assert!(lost.is_empty(), "of {calls} calls: {lost:?}");
    }
    assert_eq!(world.asked(Endpoint::Keys).len(), 2, "one at the start and one more");
    assert_eq!(world.asked(Endpoint::Discovery).len(), 1);
}

#[tokio::test]
async fn a_withdrawn_key_opens_nothing_once_the_keys_are_fetched() {
    let world = World::new(&[]).await;
    let (old_key, old_token) = (world.entra.current_key(), world.token());
    assert_eq!(status(&world, &old_token).await, 200);
    world.entra.roll_keys();
    world.entra.withdraw_key(&old_key);

    assert_eq!(status(&world, &world.token()).await, 200, "the new key leads to a fetch");

    let refused = world.web.get_as(&old_token, &world.url("/mcp/echo")).await;
    assert_eq!(refused.status(), 401, "though it was good before and is remembered");
    let challenge = header(refused.headers(), "www-authenticate");
    assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_forged_tokens_costs_one_fetch() {
    let world = Arc::new(World::new(&[]).await);
    let mut flood = JoinSet::new();
    for number in 0..2 * CALLERS {
        let (world, token) = (world.clone(), forged(&world, &format!("kid-{number}")));
        flood.spawn(async move { status(&world, &token).await });
    }
    let good = world.token();
    for _ in 0..10 {
        assert_eq!(status(&world, &good).await, 200);
    }
    for status in within("the flood ends", flood.join_all()).await {
        assert_eq!(status, 401);
    }
    assert_eq!(world.asked(Endpoint::Keys).len(), 2, "one at the start and one more");
    // a stranger's token with a kid of Entra's is no better, and costs none
    let token = forged(&world, &world.entra.current_key());
    assert_eq!(status(&world, &token).await, 401);
    assert_eq!(world.asked(Endpoint::Keys).len(), 2);
}

#[tokio::test]
async fn a_caller_who_leaves_takes_no_fetch_along() {
    let world = World::new(&[]).await;
    world.entra.roll_keys();
    world.entra.fault_next(Endpoint::Keys, Fault::Slow(Duration::from_millis(500)));
    let (web, url, token) = (world.web.clone(), world.url("/mcp/echo"), world.token());
    let leaving = tokio::spawn(async move { web.get_as(&token, &url).await });
    let asked = async {
        while world.asked(Endpoint::Keys).len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("the keys are asked for", asked).await;
    leaving.abort();

    assert_eq!(status(&world, &world.token()).await, 200);
    assert_eq!(world.asked(Endpoint::Keys).len(), 2, "one at the start and one more");
}

#[tokio::test]
async fn a_key_that_was_rolled_while_entra_was_away_is_found_when_it_is_back() {
    let world = World::new(&[]).await;
    world.entra.roll_keys();
    let token = world.token();
    world.entra.set_fault(Endpoint::Keys, Some(Fault::Outage));
    // a sign-in would bring another token with that key, if it were possible at all
    assert_eq!(status(&world, &token).await, 503);
    assert_eq!(
        status(&world, &forged(&world, "nobodys")).await,
        503,
        "nor can it be called forged"
    );
    world.entra.set_fault(Endpoint::Keys, None);

    let found = async {
        while status(&world, &token).await != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    within("the new key is found", found).await;
}
