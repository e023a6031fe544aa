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

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited};
use mcp_entra_core::exchange::{Awaiting, BodyError, Load, Passing, ReadBody};
use mcp_entra_core::{Context, Facade, Reason, Step, UnixTime};

pub mod client;
pub mod documents;
pub mod layer;
pub mod signature;

pub use client::{Client, ClientError};
pub use layer::Layer;
pub use mcp_entra_core as core;

use documents::Documents;
use signature::{PublicKeys, VerifiedTokens};

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
    keys: PublicKeys,
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
            Self::Answered(response) => Ok(answered(response)),
            Self::Passed(request, passing) => Ok(passed(behind(request).await?, &passing)),
        }
    }
}

/// An answer of ours.
pub fn answered<R>(response: Response<Bytes>) -> Answer<R> {
    response.map(|body| Either::Left(Full::new(body)))
}

/// The answer of the service behind to a request that passed, its head completed.
pub fn passed<R>(response: Response<R>, passing: &Passing) -> Answer<R> {
    let (mut head, body) = response.into_parts();
    passing.amend_response(&mut head);
    Response::from_parts(head, Either::Right(body))
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
        let (keys, verified) = (PublicKeys::default(), VerifiedTokens::default());
        let shared = Arc::new(Shared { facade, client, documents, keys, verified });
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
        self.start(request).outcome().await
    }

    /// As [`Self::drive`], for a request that is for the protected resource whatever its path.
    pub async fn authenticate<B>(&self, request: Request<B>) -> Outcome<B>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.begin(request, Facade::authenticate).outcome().await
    }

    /// As [`Self::drive`], with what needs no waiting done at once: for servers that make no future
    /// of a request that is answered already.
    pub fn start<B>(&self, request: Request<B>) -> Started<B> {
        self.begin(request, Facade::begin)
    }

    fn begin<B>(
        &self,
        request: Request<B>,
        begin: impl FnOnce(&Facade, &http::request::Parts, &Context) -> Step,
    ) -> Started<B> {
        let Shared { facade, documents, verified, .. } = &*self.shared;
        let (head, body) = request.into_parts();
        let mut cx = documents.context(now());
        cx.remembered = facade.bearer_token(&head.headers).and_then(|token| verified.recall(token));
        let step = begin(facade, &head, &cx);
        self.go_on(step, head, Some(Either::Right(body)))
    }

    /// Performs what needs no waiting. Without a body, what was to be read of it broke off.
    fn go_on<B>(
        &self,
        mut step: Step,
        mut head: http::request::Parts,
        body: Option<PassedBody<B>>,
    ) -> Started<B> {
        let wait = loop {
            step = match step {
                Step::Respond(response) => {
                    log(&head.method, head.uri.path(), &response);
                    return Started::Done(Outcome::Answered(response));
                }
                Step::Pass(passing) => {
                    passing.amend_request(&mut head);
                    let body = body.unwrap_or(Either::Left(Full::default()));
                    let request = Request::from_parts(head, body);
                    return Started::Done(Outcome::Passed(request, passing));
                }
                Step::Verify(verify) => match self.shared.keys.check(&verify) {
                    Ok(()) => self.shared.verified.remember(*verify),
                    Err(error) => {
                        tracing::debug!(%error, "signature refused");
                        verify.refused()
                    }
                },
                Step::Load(load) => break Wait::Load(load),
                Step::Read(read) => break Wait::Read(read),
                Step::Send(request, awaiting) => {
                    break Wait::Send(Box::new((request, *awaiting)));
                }
            };
        };
        Started::Waiting(Box::new(Waiting { driver: self.clone(), wait, head, body }))
    }
}

/// A request that was begun.
#[derive(Debug)]
#[must_use = "an exchange that is not carried on is a request without an answer"]
#[expect(clippy::large_enum_variant, reason = "mostly it is done, and a box is what that saves")]
pub enum Started<B> {
    /// There was nothing to wait for.
    Done(Outcome<B>),
    /// A body is to be read or Entra to be asked.
    Waiting(Box<Waiting<B>>),
}

/// A request that waits for something.
pub struct Waiting<B> {
    driver: Driver,
    wait: Wait,
    head: http::request::Parts,
    body: Option<PassedBody<B>>,
}

enum Wait {
    Load(Load),
    Read(ReadBody),
    Send(Box<(Request<Bytes>, Awaiting)>),
}

impl<B> fmt::Debug for Waiting<B> {
    /// Shows what is waited for, and nothing of a request that may hold a code or a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.wait {
            Wait::Load(_) => "Waiting(Load)",
            Wait::Read(_) => "Waiting(Read)",
            Wait::Send(_) => "Waiting(Send)",
        })
    }
}

impl<B> Started<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// What becomes of the request in the end.
    pub async fn outcome(mut self) -> Outcome<B> {
        loop {
            self = match self {
                Self::Done(outcome) => return outcome,
                Self::Waiting(waiting) => waiting.wait().await,
            };
        }
    }
}

impl<B> Waiting<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Waits for one thing, and goes on.
    async fn wait(self: Box<Self>) -> Started<B> {
        let Self { driver, wait, head, mut body } = *self;
        let step = match wait {
            Wait::Read(read) => {
                let bytes = match body.take() {
                    Some(Either::Right(untouched)) => {
                        read_body(&read, untouched, driver.body_timeout).await
                    }
                    _ => Err(BodyError::Incomplete),
                };
                body = bytes.clone().ok().map(|bytes| Either::Left(Full::new(bytes)));
                read.resume(bytes)
            }
            Wait::Load(load) => {
                // a caller who goes away takes no fetch along, for which others wait
                let (fetching, document) = (driver.clone(), load.document());
                _ = tokio::spawn(async move { fetching.documents().load(document).await }).await;
                load.resume(&driver.documents().context(now()))
            }
            Wait::Send(asking) => {
                let (request, awaiting) = *asking;
                let answer = driver.shared.client.send(request, awaiting.limit()).await;
                awaiting.resume(answer)
            }
        };
        driver.go_on(step, head, body)
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

#[cfg(test)]
mod tests {
    use mcp_entra_core::{Options, Settings};

    use super::*;

    #[tokio::test]
    async fn what_is_streamed_behind_is_passed_on_and_not_copied() {
        let settings = Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "contoso.com".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            ..Options::default()
        });
        let driver = Driver::new(Facade::new(settings.unwrap())).unwrap();
        let request = Request::get("/elsewhere").body(Full::new(Bytes::new())).unwrap();
        let Started::Done(Outcome::Passed(_, passing)) = driver.start(request) else {
            panic!("nothing is to be waited for, and the path is not ours");
        };
        let event = Bytes::from(b"data: {}\n\n".to_vec());
        let mut answer = passed(Response::new(Full::new(event.clone())), &passing);
        let frame = answer.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap().as_ptr(), event.as_ptr());
    }
}
