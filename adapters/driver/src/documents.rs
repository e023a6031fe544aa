//! Entra's discovery document and signing keys, as the driver holds them.
//!
//! They are fetched ahead of need and refreshed hourly, off the request path; one fetch at a time,
//! however many requests wait. What was good stays in use while Entra is away: the discovery
//! document for as long as it takes, the keys for a day. A token that names an unknown key causes
//! at most one fetch in five minutes, as Microsoft advises, so that forged tokens cost nothing.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Request;
use mcp_entra_core::discovery::MAX_DISCOVERY_LENGTH;
use mcp_entra_core::exchange::Document;
use mcp_entra_core::key_set::MAX_KEY_SET_LENGTH;
use mcp_entra_core::{Context, Discovery, Facade, KeySet, UnixTime};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::client::Client;

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
    held: ArcSwap<Held>,
    attempts: Mutex<Attempts>,
}

#[derive(Clone, Debug, Default)]
struct Held {
    discovery: Option<(Arc<Discovery>, Instant)>,
    keys: Option<(Arc<KeySet>, Instant)>,
}

/// What limits the next fetch.
#[derive(Debug, Default)]
struct Attempts {
    for_unknown_key: Option<Instant>,
    failed: u32,
    not_before: Option<Instant>,
}

impl Documents {
    pub(crate) fn new(facade: Facade, client: Client) -> Self {
        Self { facade, client, held: ArcSwap::default(), attempts: Mutex::default() }
    }

    /// What the core gets to see at a time.
    pub fn context(&self, now: UnixTime) -> Context {
        let held = self.held.load();
        let keys = held.keys.as_ref().filter(|(_, fetched)| fetched.elapsed() < KEEP_KEYS);
        Context {
            now,
            discovery: held.discovery.as_ref().map(|(discovery, _)| discovery.clone()),
            keys: keys.map(|(keys, _)| keys.clone()),
            remembered: None,
        }
    }

    /// Whether everything is there that a call needs.
    pub fn is_ready(&self) -> bool {
        let cx = self.context(UnixTime(0));
        cx.discovery.is_some() && cx.keys.is_some()
    }

    /// Brings a document up to date for a request that cannot go on without. Returns when there
    /// is nothing to wait for, be it there or not.
    pub async fn load(&self, document: Document) {
        let asked = Instant::now();
        let mut attempts = self.attempts.lock().await;
        let held = self.held.load_full();
        if attempts.not_before.is_some_and(|not_before| asked < not_before) {
            return;
        }
        match (document, &held.keys) {
            (Document::Discovery, _) if held.discovery.is_some() => {}
            (Document::Discovery, _) => self.fetch(&mut attempts).await,
            // somebody else's fetch came in while this request waited
            (Document::Keys, Some((_, fetched))) if *fetched >= asked => {}
            (Document::Keys, Some((_, fetched))) if fetched.elapsed() < KEEP_KEYS => {
                let recent = attempts.for_unknown_key.is_some_and(|at| at.elapsed() < UNKNOWN_KEY);
                if !recent {
                    attempts.for_unknown_key = Some(Instant::now());
                    tracing::info!("a token names an unknown key; fetching the keys");
                    self.fetch(&mut attempts).await;
                }
            }
            (Document::Keys, _) => self.fetch(&mut attempts).await,
        }
    }

    /// Fetches the documents now and again, ahead of need. Run it beside the server; it ends with
    /// the task that it is run in.
    pub async fn keep_fresh(&self) {
        loop {
            let wait = {
                let mut attempts = self.attempts.lock().await;
                if self.age().is_none_or(|age| age >= REFRESH) {
                    self.fetch(&mut attempts).await;
                }
                match attempts.not_before {
                    Some(not_before) => not_before.saturating_duration_since(Instant::now()),
                    None => REFRESH.saturating_sub(self.age().unwrap_or_default()),
                }
            };
            tokio::time::sleep(wait.max(FIRST_RETRY)).await;
        }
    }

    /// The age of the older document; `None` while one is missing.
    fn age(&self) -> Option<Duration> {
        let held = self.held.load();
        let ((_, discovery), (_, keys)) = (held.discovery.as_ref()?, held.keys.as_ref()?);
        Some((*discovery).min(*keys).elapsed())
    }

    async fn fetch(&self, attempts: &mut Attempts) {
        match self.fetch_both().await {
            Ok(()) => {
                attempts.failed = 0;
                attempts.not_before = None;
            }
            Err(error) => {
                let wait = FIRST_RETRY.saturating_mul(1 << attempts.failed.min(6)).min(LAST_RETRY);
                attempts.failed += 1;
                attempts.not_before = Some(Instant::now() + wait);
                let kept = self.held.load().discovery.is_some();
                tracing::warn!(%error, kept, "Entra ID's documents could not be fetched");
            }
        }
    }

    async fn fetch_both(&self) -> Result<(), String> {
        let request = self.facade.discovery_request();
        let uri = request.uri().to_string();
        let document = self.get(request, MAX_DISCOVERY_LENGTH).await?;
        let discovery =
            self.facade.read_discovery(&document).map_err(|error| format!("{uri}: {error}"))?;
        let uri = discovery.jwks_uri().to_owned();
        let fetched = Instant::now();
        self.replace(|held| held.discovery = Some((Arc::new(discovery.clone()), fetched)));

        let request = Request::get(&uri)
            .body(bytes::Bytes::new())
            .map_err(|error| format!("{uri}: {error}"))?;
        let document = self.get(request, MAX_KEY_SET_LENGTH).await?;
        let keys = KeySet::parse(&document).map_err(|error| format!("{uri}: {error}"))?;
        let (count, fetched) = (keys.iter().count(), Instant::now());
        self.replace(|held| held.keys = Some((Arc::new(keys.clone()), fetched)));
        tracing::info!(
            keys = count,
            issuer = discovery.issuer().as_str(),
            "Entra ID's documents are fresh"
        );
        Ok(())
    }

    async fn get(
        &self,
        request: Request<bytes::Bytes>,
        limit: usize,
    ) -> Result<bytes::Bytes, String> {
        let uri = request.uri().to_string();
        let answer =
            self.client.send(request, limit).await.map_err(|error| format!("{uri}: {error}"))?;
        match answer.status() {
            http::StatusCode::OK => Ok(answer.into_body()),
            status => Err(format!("{uri}: Entra ID answered {status}")),
        }
    }

    fn replace(&self, change: impl Fn(&mut Held)) {
        self.held.rcu(|held| {
            let mut held = Held::clone(held);
            change(&mut held);
            held
        });
    }
}
