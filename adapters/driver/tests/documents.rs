//! When Entra's documents are fetched, over hours and days.
//!
//! The clock is set ahead and then runs on: a clock that stands still would run to the next
//! timeout whenever a socket has to be waited for.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use mcp_entra_driver::core::{Facade, Options, Settings};
use mcp_entra_driver::{Driver, Outcome, documents};
use mcp_entra_stand_in::{EXAMPLE_CLIENT, Endpoint, EntraStandIn, Fault, User};

const SECOND: Duration = Duration::from_secs(1);

struct World {
    entra: EntraStandIn,
    driver: Driver,
}

impl World {
    async fn new() -> Self {
        let entra = EntraStandIn::builder().start().await.expect("it starts");
        let settings = Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: entra.tenant(),
            client_id: EXAMPLE_CLIENT.into(),
            authority: entra.authority(),
            ..Options::default()
        });
        let driver = Driver::new(Facade::new(settings.expect("settings"))).expect("a driver");
        Self { entra, driver }
    }

    fn token(&self) -> String {
        let scope = format!("api://{EXAMPLE_CLIENT}/access_as_user");
        self.entra.access_token_for(&User::default(), EXAMPLE_CLIENT, &scope).expect("a token")
    }

    /// The status of a call with a token; 200 where it may pass.
    async fn call(&self, token: &str) -> u16 {
        let request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
        match self.driver.drive(request.body(Full::new(Bytes::new())).expect("a request")).await {
            Outcome::Answered(response) => response.status().as_u16(),
            Outcome::Passed(..) => 200,
        }
    }

    /// The status of the authorization server's metadata.
    async fn metadata(&self) -> u16 {
        let request = Request::get("/.well-known/oauth-authorization-server");
        match self.driver.drive(request.body(Full::new(Bytes::new())).expect("a request")).await {
            Outcome::Answered(response) => response.status().as_u16(),
            Outcome::Passed(..) => panic!("it is ours to answer"),
        }
    }

    fn fetches(&self, endpoint: Endpoint) -> usize {
        let requests = self.entra.requests();
        requests.iter().filter(|request| request.endpoint == Some(endpoint)).count()
    }

    /// Waits for a number of fetches, for as long as they may take.
    async fn has_fetched(&self, endpoint: Endpoint, count: usize) {
        for _ in 0..1000 {
            if self.fetches(endpoint) == count {
                // the answer has a way to go yet
                tokio::time::sleep(SECOND / 10).await;
                return;
            }
            tokio::time::sleep(SECOND / 100).await;
        }
        panic!("{} fetches and not {count}", self.fetches(endpoint));
    }
}

/// Sets the clock ahead.
async fn later(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

#[tokio::test]
async fn an_unknown_key_causes_one_fetch_in_five_minutes() {
    let world = World::new().await;
    assert_eq!(world.call(&world.token()).await, 200);
    assert_eq!(world.fetches(Endpoint::Keys), 1);

    world.entra.roll_keys();
    assert_eq!(world.call(&world.token()).await, 200);
    assert_eq!(world.fetches(Endpoint::Keys), 2);

    world.entra.roll_keys();
    let token = world.token();
    later(documents::UNKNOWN_KEY - 10 * SECOND).await;
    for _ in 0..10 {
        assert_eq!(world.call(&token).await, 401);
    }
    assert_eq!(world.fetches(Endpoint::Keys), 2, "not so soon again");

    later(10 * SECOND).await;
    assert_eq!(world.call(&token).await, 200);
    assert_eq!(world.fetches(Endpoint::Keys), 3);
    assert_eq!(world.fetches(Endpoint::Discovery), 1, "it says nothing of keys");
}

#[tokio::test]
async fn keys_are_kept_for_a_day_without_entra_and_not_longer() {
    let world = World::new().await;
    let token = world.token();
    assert_eq!(world.call(&token).await, 200);
    for endpoint in Endpoint::ALL {
        world.entra.set_fault(endpoint, Some(Fault::Outage));
    }

    later(documents::KEEP_KEYS - 60 * SECOND).await;
    assert!(world.driver.documents().is_ready());
    assert_eq!(world.call(&token).await, 200);

    later(60 * SECOND).await;
    assert!(!world.driver.documents().is_ready());
    assert_eq!(world.call(&token).await, 503, "though it is remembered");

    for endpoint in Endpoint::ALL {
        world.entra.set_fault(endpoint, None);
    }
    later(60 * SECOND).await;
    assert_eq!(world.call(&token).await, 200);
}

/// Metadata, calls with tokens that were seen and ones that were not, over a whole day.
#[tokio::test]
async fn after_one_good_fetch_a_day_passes_without_entra() {
    let world = World::new().await;
    assert_eq!(world.metadata().await, 200);
    let seen = world.token();
    assert_eq!(world.call(&seen).await, 200);
    for endpoint in Endpoint::ALL {
        world.entra.set_fault(endpoint, Some(Fault::Outage));
    }
    let driver = world.driver.clone();
    let fresh = tokio::spawn(async move { driver.documents().keep_fresh().await });
    for hour in 1..24 {
        later(documents::REFRESH).await;
        assert_eq!(world.metadata().await, 200, "hour {hour}");
        assert_eq!(world.call(&seen).await, 200, "hour {hour}");
        assert_eq!(world.call(&world.token()).await, 200, "hour {hour}: not seen before");
        assert!(world.driver.documents().is_ready(), "hour {hour}");
    }
    // a key that came up meanwhile cannot be told from a forged one, and neither is refused
    world.entra.roll_keys();
    assert_eq!(world.call(&world.token()).await, 503);

    later(documents::REFRESH).await;
    assert_eq!(world.call(&seen).await, 503, "a day is over");
    assert_eq!(world.metadata().await, 200, "where it is has no end");
    fresh.abort();
}

#[tokio::test]
async fn documents_are_fetched_hourly_and_off_the_request_path() {
    let world = World::new().await;
    let driver = world.driver.clone();
    let fresh = tokio::spawn(async move { driver.documents().keep_fresh().await });
    for hour in 1..4 {
        world.has_fetched(Endpoint::Discovery, hour).await;
        world.has_fetched(Endpoint::Keys, hour).await;
        later(documents::REFRESH - 60 * SECOND).await;
        tokio::time::sleep(SECOND / 10).await;
        assert_eq!(world.fetches(Endpoint::Keys), hour, "not before the hour");
        later(60 * SECOND).await;
    }

    world.has_fetched(Endpoint::Keys, 4).await;

    // a key that was rolled meanwhile is known before the first token of it comes
    world.entra.roll_keys();
    later(documents::REFRESH).await;
    world.has_fetched(Endpoint::Keys, 5).await;
    assert_eq!(world.call(&world.token()).await, 200);
    assert_eq!(world.fetches(Endpoint::Keys), 5);
    fresh.abort();
}

#[tokio::test]
async fn a_fetch_that_failed_is_tried_again_ever_more_seldom() {
    let world = World::new().await;
    world.entra.set_fault(Endpoint::Discovery, Some(Fault::Status(503, None)));
    let driver = world.driver.clone();
    let fresh = tokio::spawn(async move { driver.documents().keep_fresh().await });
    let token = world.token();
    let mut wait = SECOND;
    for attempt in 1..10 {
        world.has_fetched(Endpoint::Discovery, attempt).await;
        if wait > 5 * SECOND {
            // whoever asks meanwhile is told at once, and causes no attempt
            assert_eq!(world.call(&token).await, 503);
            assert_eq!(world.fetches(Endpoint::Discovery), attempt);
        }
        later(wait).await;
        wait = (wait * 2).min(60 * SECOND);
    }
    world.entra.set_fault(Endpoint::Discovery, None);
    later(60 * SECOND).await;
    world.has_fetched(Endpoint::Keys, 1).await;
    fresh.abort();
}

#[tokio::test]
async fn where_nothing_runs_beside_what_is_due_is_fetched_before_a_request() {
    let world = World::new().await;
    world.driver.refresh(60 * SECOND).await;
    assert!(world.driver.documents().is_ready());
    let token = world.token();

    later(documents::REFRESH).await;
    tokio::join!(world.driver.refresh(60 * SECOND), world.driver.refresh(60 * SECOND));
    for endpoint in [Endpoint::Discovery, Endpoint::Keys] {
        assert_eq!(world.fetches(endpoint), 2, "one for both requests");
        world.entra.set_fault(endpoint, Some(Fault::Outage));
    }

    // what was good stays in use, and a patience of nothing waits for nothing
    later(documents::REFRESH).await;
    world.driver.refresh(Duration::ZERO).await;
    world.driver.refresh(60 * SECOND).await;
    assert_eq!(world.call(&token).await, 200);
}
