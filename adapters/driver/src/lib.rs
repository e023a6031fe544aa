//! Performs what [`mcp_entra_core`] asks for: all the I/O of mcp-entra, once, for every stack.
//!
//! [`Driver::drive`] takes a request and either answers it or hands it back with leave to pass:
//!
//! ```text
//! request -> Driver::drive -> Outcome::Answered(response)
//!                          -> Outcome::Passed(request, passing) -> the server behind
//! ```
//!
//! [`Layer`] does the same as a tower middleware. What is OAuth about it is decided in the core;
//! here are
//!
//! | | |
//! |---|---|
//! | [`client`] | the pooled HTTPS client, with limits on time and length and without redirects |
//! | [`documents`] | Entra's discovery document and keys: fetched ahead of need, one fetch at a time |
//! | [`signature`] | the RS256 arithmetic, and the memory of what it found out |
//! | [`layer`] | the tower middleware |

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited};
use mcp_entra_core::exchange::{BodyError, Passing, ReadBody};
use mcp_entra_core::{Context, Facade, Reason, Step, UnixTime};

pub mod client;
pub mod documents;
pub mod layer;
pub mod signature;

pub use client::{Client, ClientError};
pub use layer::Layer;
pub use mcp_entra_core as core;

use documents::Documents;
use signature::VerifiedTokens;

/// How long a client may take to send a body that is read, if nothing else is said.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the rest of a body that is too long is read, and kept nowhere: a connection that closes
/// with something unread is reset, which takes the answer from a client or a proxy that still sends.
const REST_TIMEOUT: Duration = Duration::from_secs(1);

/// Drives exchanges. Cheap to clone; clones share the client, the documents and the memory.
#[derive(Clone, Debug)]
pub struct Driver {
    shared: Arc<Shared>,
    body_timeout: Duration,
}

#[derive(Debug)]
struct Shared {
    facade: Facade,
    client: Client,
    documents: Documents,
    verified: VerifiedTokens,
}

/// The body of a passed request: untouched, or what was read of it to decide.
pub type PassedBody<B> = Either<Full<Bytes>, B>;

/// What became of a request.
#[derive(Debug)]
pub enum Outcome<B> {
    /// It is answered.
    Answered(Response<Bytes>),
    /// It may be handed on; its head is amended already, that of the answer is to be amended.
    Passed(Request<PassedBody<B>>, Passing),
}

/// An answer of ours, or of the service behind.
pub type Answer<R> = Response<Either<Full<Bytes>, R>>;

impl<B> Outcome<B> {
    /// Answers, or asks the service behind and completes its answer.
    ///
    /// # Errors
    /// That of the service behind.
    pub async fn complete<F, R, E>(
        self,
        behind: impl FnOnce(Request<PassedBody<B>>) -> F,
    ) -> Result<Answer<R>, E>
    where
        F: Future<Output = Result<Response<R>, E>>,
    {
        match self {
            Self::Answered(response) => Ok(response.map(|body| Either::Left(Full::new(body)))),
            Self::Passed(request, passing) => {
                let (mut head, body) = behind(request).await?.into_parts();
                passing.amend_response(&mut head);
                Ok(Response::from_parts(head, Either::Right(body)))
            }
        }
    }
}

impl Driver {
    /// A driver for a facade, with the machine's root certificates.
    ///
    /// # Errors
    /// Where no TLS client can be set up.
    pub fn new(facade: Facade) -> Result<Self, ClientError> {
        Ok(Self::with_client(facade, Client::new()?))
    }

    /// A driver with a client of your own making.
    pub fn with_client(facade: Facade, client: Client) -> Self {
        let documents = Documents::new(facade.clone(), client.clone());
        let verified = VerifiedTokens::default();
        let shared = Arc::new(Shared { facade, client, documents, verified });
        Self { shared, body_timeout: BODY_TIMEOUT }
    }

    /// The same driver with another bound on the time in which a body that is read must arrive.
    #[must_use]
    pub fn with_body_timeout(self, body_timeout: Duration) -> Self {
        Self { body_timeout, ..self }
    }

    /// The facade.
    pub fn facade(&self) -> &Facade {
        &self.shared.facade
    }

    /// Entra's documents as they are held.
    pub fn documents(&self) -> &Documents {
        &self.shared.documents
    }

    /// Brings Entra's documents up to date where that is due, and waits for it so long at most.
    ///
    /// For hosts that freeze a process between requests, where [`Documents::keep_fresh`] would stand
    /// still: call it before a request. Mostly it has nothing to do.
    pub async fn refresh(&self, patience: Duration) {
        if self.documents().is_due() {
            // a fetch that takes longer goes on
            let driver = self.clone();
            let fetch = tokio::spawn(async move { driver.documents().refresh().await });
            _ = tokio::time::timeout(patience, fetch).await;
        }
    }

    /// Answers a request, or gives leave to pass it, by its path.
    pub async fn drive<B>(&self, request: Request<B>) -> Outcome<B>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.run(request, Facade::begin).await
    }

    /// As [`Self::drive`], for a request that is for the protected resource whatever its path.
    pub async fn authenticate<B>(&self, request: Request<B>) -> Outcome<B>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.run(request, Facade::authenticate).await
    }

    async fn run<B>(
        &self,
        request: Request<B>,
        begin: impl FnOnce(&Facade, &http::request::Parts, &Context) -> Step,
    ) -> Outcome<B>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Shared { facade, client, documents, verified } = &*self.shared;
        let (mut head, body) = request.into_parts();
        let mut body = Some(Either::Right(body));
        let mut cx = documents.context(now());
        cx.remembered = facade.bearer_token(&head.headers).and_then(|token| verified.recall(token));

        let mut step = begin(facade, &head, &cx);
        loop {
            step = match step {
                Step::Respond(response) => {
                    log(&head.method, head.uri.path(), &response);
                    return Outcome::Answered(response);
                }
                Step::Pass(passing) => {
                    passing.amend_request(&mut head);
                    let body = body.unwrap_or(Either::Left(Full::default()));
                    return Outcome::Passed(Request::from_parts(head, body), passing);
                }
                Step::Read(read) => {
                    let bytes = match body.take() {
                        Some(Either::Right(untouched)) => {
                            read_body(&read, untouched, self.body_timeout).await
                        }
                        _ => Err(BodyError::Incomplete),
                    };
                    body = bytes.clone().ok().map(|bytes| Either::Left(Full::new(bytes)));
                    read.resume(bytes)
                }
                Step::Load(load) => {
                    // a caller who goes away takes no fetch along, for which others wait
                    let (driver, document) = (self.clone(), load.document());
                    _ = tokio::spawn(async move { driver.documents().load(document).await }).await;
                    load.resume(&documents.context(now()))
                }
                Step::Verify(verify) => match signature::check(&verify) {
                    Ok(()) => {
                        let fingerprint = signature::Fingerprint::of(verify.token());
                        let (token, step) = verify.verified();
                        verified.remember(fingerprint, token);
                        step
                    }
                    Err(error) => {
                        tracing::debug!(%error, "signature refused");
                        verify.refused()
                    }
                },
                Step::Send(request, awaiting) => {
                    let answer = client.send(request, awaiting.limit()).await;
                    awaiting.resume(answer)
                }
            };
        }
    }
}

async fn read_body<B>(read: &ReadBody, body: B, timeout: Duration) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = Box::pin(body);
    let limited = Limited::new(body.as_mut(), read.limit());
    match tokio::time::timeout(timeout, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            // whoever still sends then has had its time
            _ = tokio::time::timeout(REST_TIMEOUT, rest).await;
            Err(BodyError::TooLong)
        }
        Ok(Err(_)) => Err(BodyError::Incomplete),
        Err(_) => Err(BodyError::Timeout),
    }
}

/// One line for each answer of ours, where it is a refusal or somebody debugs: never a query, which holds codes and states.
fn log(method: &Method, path: &str, response: &Response<Bytes>) {
    let status = response.status().as_u16();
    match response.extensions().get::<Reason>() {
        Some(Reason(reason)) if response.status().is_server_error() => {
            tracing::warn!(%method, path, status, reason, "refused");
        }
        Some(Reason(reason)) => tracing::info!(%method, path, status, reason, "refused"),
        // a line costs half of what such an answer does
        None => tracing::debug!(%method, path, status, "answered"),
    }
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    UnixTime(since.unwrap_or_default().as_secs())
}
