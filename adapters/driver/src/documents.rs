//! Entra's discovery document and signing keys, as the driver holds them.
//!
//! They are fetched ahead of need and refreshed hourly, off the request path; each by one fetch
//! at a time, however many requests wait. What was good stays in use while Entra is away: the
//! discovery document for as long as it takes, the keys for a day. A token that names an unknown
//! key causes at most one fetch in five minutes, as Microsoft advises, so that forged tokens cost
//! nothing; where that fetch fails it is tried again after a moment, which is longer each time.
//!
//! Where a process is frozen between requests, as on AWS Lambda, nothing can run beside it, and its
//! clock may stand still: there [`Documents::refresh`] goes before a request, and ages are told by
//! the wall clock too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Request, StatusCode};
use mcp_entra_core::discovery::MAX_DISCOVERY_LENGTH;
use mcp_entra_core::exchange::Document;
use mcp_entra_core::key_set::MAX_KEY_SET_LENGTH;
use mcp_entra_core::{Context, Discovery, Facade, KeySet, UnixTime};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::client::Client;
use crate::now;

/// After this long a document is fetched again.
pub const REFRESH: Duration = Duration::from_secs(60 * 60);
/// Keys older than this are not believed any more.
pub const KEEP_KEYS: Duration = Duration::from_secs(24 * 60 * 60);
/// Unknown keys cause at most one fetch in this time.
pub const UNKNOWN_KEY: Duration = Duration::from_secs(5 * 60);
/// How soon a fetch that failed is tried again, at first; then twice as long each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// The documents of one authority.
#[derive(Debug)]
pub struct Documents {
    facade: Facade,
    client: Client,
    discovery: Slot<Discovery>,
    keys: Slot<KeySet>,
}

/// One document, and what limits the next fetch of it.
#[derive(Debug)]
struct Slot<T> {
    held: ArcSwapOption<Held<T>>,
    /// Whether the last fetch brought nothing.
    fetch_failed: AtomicBool,
    attempts: Mutex<Attempts>,
}

#[derive(Debug)]
struct Held<T> {
    document: Arc<T>,
    fetched: Moment,
}

#[derive(Debug, Default)]
struct Attempts {
    failed: u32,
    last_failure: Option<Moment>,
    for_unknown_key: Option<Moment>,
}

/// A moment by both clocks: one that nobody can set, and one that goes on while the process is
/// frozen or lies in a snapshot.
#[derive(Clone, Copy, Debug)]
struct Moment {
    monotonic: Instant,
    wall: UnixTime,
}

impl Documents {
    pub(crate) fn new(facade: Facade, client: Client) -> Self {
        Self { facade, client, discovery: Slot::default(), keys: Slot::default() }
    }

    /// What the core gets to see at a time.
    pub fn context(&self, now: UnixTime) -> Context {
        Context {
            now,
            discovery: self.discovery.get(),
            keys: self.keys.get().filter(|_| self.keys.age() < KEEP_KEYS),
            keys_are_stale: self.keys.fetch_failed.load(Ordering::Relaxed),
            remembered: None,
        }
    }

    /// Whether everything is there that a call needs.
    pub fn is_ready(&self) -> bool {
        let cx = self.context(UnixTime(0));
        cx.discovery.is_some() && cx.keys.is_some()
    }

    /// Brings a document up to date for a request that cannot go on without. Returns when there
    /// is nothing more to wait for, be it there or not.
    pub async fn load(&self, document: Document) {
        let asked = Moment::now();
        match document {
            Document::Discovery => {
                let mut attempts = self.discovery.attempts.lock().await;
                if self.discovery.get().is_none() && attempts.may_try() {
                    self.fetch_discovery(&mut attempts).await;
                }
            }
            Document::Keys => {
                let mut attempts = self.keys.attempts.lock().await;
                let held = self.keys.held.load_full();
                let (due, for_unknown_key) = match held {
                    // somebody else's fetch came in while this request waited
                    Some(held) if held.fetched.monotonic >= asked.monotonic => (false, false),
                    Some(held) if held.fetched.elapsed() < KEEP_KEYS => {
                        (attempts.may_look_for_unknown_key(), true)
                    }
                    _ => (true, false),
                };
                if due && attempts.may_try() {
                    self.fetch_keys(&mut attempts).await;
                    // a fetch that failed has answered nothing, and has a wait of its own
                    if for_unknown_key && attempts.failed == 0 {
                        attempts.for_unknown_key = Some(Moment::now());
                    }
                }
            }
        }
    }

    /// Fetches the documents now and again, ahead of need. Run it beside the server; it ends with
    /// the task that it is run in.
    pub async fn keep_fresh(&self) {
        loop {
            self.refresh().await;
            let wait = self.discovery.wait().await.min(self.keys.wait().await);
            tokio::time::sleep(wait.max(FIRST_RETRY)).await;
        }
    }

    /// Whether a document is missing or older than [`REFRESH`].
    pub fn is_due(&self) -> bool {
        self.discovery.age() >= REFRESH || self.keys.age() >= REFRESH
    }

    /// Fetches what is due, unless it was tried in vain a moment ago.
    pub async fn refresh(&self) {
        if self.discovery.age() >= REFRESH {
            let mut attempts = self.discovery.attempts.lock().await;
            // somebody else's fetch may have come in meanwhile
            if self.discovery.age() >= REFRESH && attempts.may_try() {
                self.fetch_discovery(&mut attempts).await;
            }
        }
        if self.keys.age() >= REFRESH {
            let mut attempts = self.keys.attempts.lock().await;
            if self.keys.age() >= REFRESH && attempts.may_try() {
                self.fetch_keys(&mut attempts).await;
            }
        }
    }

    async fn fetch_discovery(&self, attempts: &mut Attempts) {
        let request = self.facade.discovery_request();
        let uri = request.uri().to_string();
        let fetched = self.get(request, MAX_DISCOVERY_LENGTH).await.and_then(|document| {
            self.facade.read_discovery(&document).map_err(|error| error.to_string())
        });
        self.discovery.put(fetched, &uri, attempts);
    }

    /// The discovery document says where the keys are, so it comes first.
    async fn fetch_keys(&self, attempts: &mut Attempts) {
        let Some(discovery) = self.discovery.get() else { return };
        let uri = discovery.jwks_uri();
        let fetched = match Request::get(uri).body(Bytes::new()) {
            Err(error) => Err(error.to_string()),
            Ok(request) => self
                .get(request, MAX_KEY_SET_LENGTH)
                .await
                .and_then(|document| KeySet::parse(&document).map_err(|error| error.to_string())),
        };
        self.keys.put(fetched, uri, attempts);
    }

    async fn get(&self, request: Request<Bytes>, limit: usize) -> Result<Bytes, String> {
        let answer = self.client.send(request, limit).await.map_err(|error| error.to_string())?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            status => Err(format!("Entra ID answered {status}")),
        }
    }
}

impl<T> Slot<T> {
    fn get(&self) -> Option<Arc<T>> {
        self.held.load().as_ref().map(|held| held.document.clone())
    }

    /// How old the document is; a missing one is older than any.
    fn age(&self) -> Duration {
        self.held.load().as_ref().map_or(Duration::MAX, |held| held.fetched.elapsed())
    }

    fn put(&self, fetched: Result<T, String>, uri: &str, attempts: &mut Attempts) {
        self.fetch_failed.store(fetched.is_err(), Ordering::Relaxed);
        match fetched {
            Ok(document) => {
                let held = Held { document: Arc::new(document), fetched: Moment::now() };
                self.held.store(Some(Arc::new(held)));
                attempts.failed = 0;
                attempts.last_failure = None;
                tracing::info!(uri, "fetched from Entra ID");
            }
            Err(error) => {
                attempts.failed = attempts.failed.saturating_add(1);
                attempts.last_failure = Some(Moment::now());
                let kept = self.get().is_some();
                tracing::warn!(uri, error, kept, "could not be fetched from Entra ID");
            }
        }
    }

    /// How long until the next fetch is due.
    async fn wait(&self) -> Duration {
        let attempts = self.attempts.lock().await;
        REFRESH.saturating_sub(self.age()).max(attempts.wait())
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            held: ArcSwapOption::empty(),
            fetch_failed: AtomicBool::default(),
            attempts: Mutex::default(),
        }
    }
}

impl Attempts {
    /// Whether the last failure is long enough ago.
    fn may_try(&self) -> bool {
        self.wait().is_zero()
    }

    /// How long until the last failure is long enough ago.
    fn wait(&self) -> Duration {
        let Some(last_failure) = self.last_failure else { return Duration::ZERO };
        let doubled = self.failed.saturating_sub(1).min(6);
        let wait = FIRST_RETRY.saturating_mul(1 << doubled).min(LAST_RETRY);
        wait.saturating_sub(last_failure.elapsed())
    }

    /// Whether the last fetch for an unknown key is long enough ago.
    fn may_look_for_unknown_key(&self) -> bool {
        self.for_unknown_key.is_none_or(|at| at.elapsed() >= UNKNOWN_KEY)
    }
}

impl Moment {
    fn now() -> Self {
        Self { monotonic: Instant::now(), wall: now() }
    }

    /// How long ago, by the clock that says more: believing a document too long is the worse fault.
    fn elapsed(&self) -> Duration {
        let by_wall = Duration::from_secs(now().0.saturating_sub(self.wall.0));
        self.monotonic.elapsed().max(by_wall)
    }
}

#[cfg(test)]
mod tests {
    use mcp_entra_core::{Options, Settings};

    use super::*;

    const HOUR: u64 = 60 * 60;

    /// Documents that were fetched so long ago by the wall clock, in a process that was frozen at
    /// once.
    fn frozen_for(hours: u64) -> Documents {
        let settings = Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "11111111-2222-4333-8444-555555555555".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            ..Options::default()
        });
        let facade = Facade::new(settings.unwrap());
        let documents = Documents::new(facade.clone(), Client::new().unwrap());
        let discovery = include_bytes!("../../../core/tests/fixtures/v2_tenant.json");
        let keys = include_bytes!("../../../core/tests/fixtures/jwks_v2_common.json");
        let wall = UnixTime(now().0 - hours * HOUR);
        let fetched = Moment { wall, ..Moment::now() };
        let discovery = facade.read_discovery(discovery).unwrap();
        documents
            .discovery
            .held
            .store(Some(Arc::new(Held { document: discovery.into(), fetched })));
        let keys = KeySet::parse(keys).unwrap();
        documents.keys.held.store(Some(Arc::new(Held { document: keys.into(), fetched })));
        documents
    }

    #[test]
    fn a_freeze_counts_as_time() {
        assert!(!frozen_for(0).is_due());
        assert!(frozen_for(0).is_ready());
        assert!(frozen_for(1).is_due());
        assert!(frozen_for(23).is_ready(), "while Entra is away, keys are good for a day");
        assert!(!frozen_for(24).is_ready());
    }

    #[test]
    fn a_freeze_ends_the_wait_of_a_failure() {
        let mut attempts =
            Attempts { failed: 7, last_failure: Some(Moment::now()), ..Attempts::default() };
        assert!(!attempts.may_try());
        let wall = UnixTime(now().0 - HOUR);
        attempts.last_failure = Some(Moment { wall, ..Moment::now() });
        assert!(attempts.may_try());
    }
}
