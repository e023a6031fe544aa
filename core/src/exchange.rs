//! What may follow: the effects that a driver performs, and how each is resumed.
//!
//! A [`Step`] is all that the core ever asks for. Each continuation is owned, `Send + 'static`,
//! consumed when it is resumed, and takes failures too, so that what a client is told of them is
//! decided here and not in a driver. An exchange has at most one `Read`; it asks for a `Load` of
//! each document once, and `Send`s at most twice (see [`crate::token`]).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode};

use crate::access_token::{AccessToken, TokenError, Unverified};
use crate::discovery::Discovery;
use crate::facade::{Facade, ascii};
use crate::key_set::{KeySet, SigningKey};
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::operation::Operations;
use crate::principal::{Caller, Principal};
use crate::registration::{self, MAX_REGISTRATION_LENGTH};
use crate::response;
use crate::scope::ScopeName;
use crate::time::UnixTime;
use crate::token::{MAX_TOKEN_REQUEST_LENGTH, MAX_TOKEN_RESPONSE_LENGTH, TokenRequest, TokenStep};
use crate::upstream::UpstreamError;

/// All that the outside world supplies: the time, and what the driver holds just now.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The time.
    pub now: UnixTime,
    /// Entra's discovery document, once it was fetched.
    pub discovery: Option<Arc<Discovery>>,
    /// Entra's signing keys, once they were fetched.
    pub keys: Option<Arc<KeySet>>,
    /// Whether newer keys were wanted and could not be fetched: a key that is not among `keys` may
    /// be one of them.
    pub keys_are_stale: bool,
    /// What an earlier exchange found out about the very token that this request brings, see
    /// [`Facade::bearer_token`].
    pub remembered: Option<Arc<AccessToken>>,
}

/// What to do next. Not `#[non_exhaustive]`: a driver that compiles handles every effect.
#[must_use = "an exchange that is not carried on is a request without an answer"]
pub enum Step {
    /// Bring a document up to date where that is due, then resume with what there is.
    Load(Load),
    /// Hand the request on, its head amended by [`Passing::amend_request`], and amend the head of
    /// the answer.
    Pass(Passing),
    /// Buffer the body up to a limit, then resume.
    Read(ReadBody),
    /// Answer.
    Respond(Response<Bytes>),
    /// Ask Entra, follow no redirect, then resume with the answer or with why there is none.
    Send(Request<Bytes>, Box<Awaiting>),
    /// Check a signature, then resume.
    Verify(Box<Verify>),
}

impl fmt::Debug for Step {
    /// Shows which step it is, and nothing of a request that may hold a code or a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(load) => load.fmt(f),
            Self::Pass(passing) => passing.fmt(f),
            Self::Read(read) => read.fmt(f),
            Self::Respond(response) => write!(f, "Respond({})", response.status()),
            Self::Send(request, _) => {
                write!(f, "Send({} {})", request.method(), request.uri().path())
            }
            Self::Verify(_) => f.write_str("Verify(…)"),
        }
    }
}

/// A document that is needed before the exchange can go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Document {
    /// Entra's discovery document.
    Discovery,
    /// Entra's signing keys; they may be there and lack the key that a token names.
    Keys,
}

/// A document has to be loaded.
pub struct Load {
    facade: Facade,
    document: Document,
    purpose: Purpose,
}

enum Purpose {
    Metadata,
    Authenticate(Box<Authenticating>),
}

impl Load {
    pub(crate) fn for_metadata(facade: Facade) -> Self {
        Self { facade, document: Document::Discovery, purpose: Purpose::Metadata }
    }

    /// Which document.
    pub fn document(&self) -> Document {
        self.document
    }

    /// Goes on with what the driver holds now.
    pub fn resume(self, cx: &Context) -> Step {
        match self.purpose {
            Purpose::Metadata => Step::Respond(match &cx.discovery {
                Some(discovery) => self.facade.metadata(discovery),
                None => unavailable(NOT_FETCHED),
            }),
            Purpose::Authenticate(authenticating) => {
                authenticating.resume(self.facade, cx, Some(self.document))
            }
        }
    }
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Load").field(&self.document).finish()
    }
}

/// A bearer token on its way to being believed.
pub(crate) struct Authenticating {
    /// The whole header's value, shared and not copied.
    authorization: HeaderValue,
    /// Where in it the token begins.
    token: usize,
    unverified: Unverified,
    reads_body: bool,
}

impl Authenticating {
    pub(crate) fn new(
        authorization: &HeaderValue,
        token: usize,
        reads_body: bool,
    ) -> Result<Self, TokenError> {
        Ok(Self {
            unverified: Unverified::parse(token_in(authorization, token))?,
            token,
            authorization: authorization.clone(),
            reads_body,
        })
    }

    /// `loaded` is the document that was asked for last, which is not asked for twice.
    pub(crate) fn resume(self, facade: Facade, cx: &Context, loaded: Option<Document>) -> Step {
        let load = |document, facade, purpose| {
            Step::Load(Load { facade, document, purpose: Purpose::Authenticate(Box::new(purpose)) })
        };
        let Some(discovery) = &cx.discovery else {
            return match loaded {
                Some(_) => Step::Respond(unavailable(NOT_FETCHED)),
                None => load(Document::Discovery, facade, self),
            };
        };
        let known = cx.keys.as_ref().and_then(|keys| keys.find(self.unverified.kid()));
        let Some(key) = known else {
            return match (loaded, &cx.keys) {
                (Some(Document::Keys), None) => Step::Respond(unavailable(NOT_FETCHED)),
                // a new sign-in would not help, and may not even be possible now
                (Some(Document::Keys), Some(_)) if cx.keys_are_stale => {
                    Step::Respond(unavailable(KEYS_ARE_STALE))
                }
                (Some(Document::Keys), Some(_)) => {
                    Step::Respond(facade.refuse_token(TokenError::UnknownKey))
                }
                _ => load(Document::Keys, facade, self),
            };
        };
        let signature = self.unverified.signature();
        match self.unverified.check(key, discovery, facade.settings(), cx.now) {
            Err(error) => Step::Respond(facade.refuse_token(error)),
            Ok(access_token) => Step::Verify(Box::new(Verify {
                facade,
                authorization: self.authorization,
                token: self.token,
                signature,
                key: key.clone(),
                access_token,
                reads_body: self.reads_body,
            })),
        }
    }
}

/// A token of which all but the signature is good.
pub struct Verify {
    facade: Facade,
    authorization: HeaderValue,
    token: usize,
    signature: usize,
    key: SigningKey,
    access_token: AccessToken,
    reads_body: bool,
}

impl Verify {
    /// The key to check with: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The octets that were signed.
    pub fn signing_input(&self) -> &str {
        self.token().get(..self.signature.saturating_sub(1)).unwrap_or_default()
    }

    /// The signature, base64url.
    pub fn signature(&self) -> &str {
        self.token().get(self.signature..).unwrap_or_default()
    }

    /// The whole token. What is remembered of it is remembered by a hash of this text.
    pub fn token(&self) -> &str {
        token_in(&self.authorization, self.token)
    }

    /// The signature is right. The token may be remembered until it expires or its key goes.
    pub fn verified(self) -> (Arc<AccessToken>, Step) {
        let step = self.facade.authorized(self.access_token.caller().clone(), self.reads_body);
        (Arc::new(self.access_token), step)
    }

    /// The signature is wrong.
    pub fn refused(self) -> Step {
        Step::Respond(self.facade.refuse_token(TokenError::Signature))
    }
}

fn token_in(authorization: &HeaderValue, start: usize) -> &str {
    ascii(authorization).and_then(|text| text.get(start..)).unwrap_or_default()
}

impl fmt::Debug for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify").field("kid", &self.key.kid()).finish_non_exhaustive()
    }
}

/// The request's body has to be read.
#[derive(Debug)]
pub struct ReadBody {
    facade: Facade,
    purpose: BodyPurpose,
}

#[derive(Debug)]
pub(crate) enum BodyPurpose {
    Operation(Passing),
    Registration(UnixTime),
    Token(Option<HeaderValue>),
}

impl ReadBody {
    pub(crate) fn new(facade: Facade, purpose: BodyPurpose) -> Self {
        Self { facade, purpose }
    }

    /// The most octets to buffer; a longer body is [`BodyError::TooLong`].
    pub fn limit(&self) -> usize {
        match self.purpose {
            BodyPurpose::Operation(_) => self.facade.settings().max_message_length(),
            BodyPurpose::Registration(_) => MAX_REGISTRATION_LENGTH,
            BodyPurpose::Token(_) => MAX_TOKEN_REQUEST_LENGTH,
        }
    }

    /// Goes on with the body, or with why there is none. After [`Step::Pass`] the octets that
    /// were read are the body to hand on.
    pub fn resume(self, body: Result<Bytes, BodyError>) -> Step {
        let Self { facade, purpose } = self;
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let error_response = OAuthError::new(ErrorCode::InvalidRequest, error.to_string());
                let mut response = error_response.into_response();
                let status = match error {
                    BodyError::Incomplete => None,
                    BodyError::Timeout => Some(StatusCode::REQUEST_TIMEOUT),
                    BodyError::TooLong => Some(StatusCode::PAYLOAD_TOO_LARGE),
                };
                if let Some(status) = status {
                    *response.status_mut() = status;
                    // the rest of the body is not read, so nothing can follow on the connection
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                return Step::Respond(response);
            }
        };
        match purpose {
            BodyPurpose::Operation(passing) => match Operations::parse(&body) {
                Some(operations) => facade.allowed(passing, &operations),
                None => {
                    let text = "the body is not a JSON-RPC message whose operation can be told";
                    Step::Respond(OAuthError::new(ErrorCode::InvalidRequest, text).into_response())
                }
            },
            BodyPurpose::Registration(now) => {
                Step::Respond(match registration::register(&body, facade.settings(), now) {
                    Ok(answer) => response::json(StatusCode::CREATED, answer),
                    Err(error) => error.into_response(),
                })
            }
            BodyPurpose::Token(content_type) => {
                match TokenRequest::parse(content_type.as_ref(), &body, facade.settings()) {
                    Ok(request) => ask(facade, request),
                    Err(error) => Step::Respond(error.into_response()),
                }
            }
        }
    }
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The connection broke.
    #[error("the request's body broke off")]
    Incomplete,
    /// It took longer than the driver allows.
    #[error("the request's body took too long to arrive")]
    Timeout,
    /// Longer than [`ReadBody::limit`].
    #[error("the request's body is too long")]
    TooLong,
}

/// Entra was asked for a token.
#[derive(Debug)]
pub struct Awaiting {
    facade: Facade,
    request: TokenRequest,
}

impl Awaiting {
    /// The most octets of the answer to read; a longer one is [`UpstreamError::TooLong`].
    pub fn limit(&self) -> usize {
        MAX_TOKEN_RESPONSE_LENGTH
    }

    /// Goes on with the answer, or with why there is none.
    pub fn resume(self, answer: Result<Response<Bytes>, UpstreamError>) -> Step {
        match self.request.resume(answer, self.facade.settings()) {
            TokenStep::Respond(response) => Step::Respond(response),
            TokenStep::Send(request) => ask(self.facade, request),
        }
    }
}

fn ask(facade: Facade, request: TokenRequest) -> Step {
    let upstream = request.to_upstream(facade.settings());
    Step::Send(upstream, Box::new(Awaiting { facade, request }))
}

/// Permission to hand a request on.
pub struct Passing {
    facade: Facade,
    caller: Option<Caller>,
}

impl Passing {
    pub(crate) fn new(facade: Facade, caller: Option<Caller>) -> Self {
        Self { facade, caller }
    }

    /// Who is calling. `None` where the request is not for the protected resource at all: a
    /// gateway with nothing else to serve answers it with 404 and does not hand it on.
    pub fn principal(&self) -> Option<&Principal> {
        self.caller.as_ref().map(|caller| &*caller.principal)
    }

    /// Asks for scopes beside those that every call needs, as a route may. The answer for a
    /// caller that lacks one is a challenge that names them all; `None` where nothing is lacking.
    pub fn lacks(&self, scopes: &[ScopeName]) -> Option<Response<Bytes>> {
        self.facade.lacks(self, &scopes.iter().collect::<Vec<_>>())
    }

    /// Removes from the request what a client may not say about who it is, and where a caller is
    /// known says it: in the identity headers, and as an `Arc<Principal>` among the extensions.
    pub fn amend_request(&self, head: &mut http::request::Parts) {
        self.facade.amend_request(head, self.caller.as_ref());
    }

    /// Completes the answer of whoever served the request: browsers may read it, and a 401 of its
    /// own carries our challenge, without which no client could act on it.
    pub fn amend_response(&self, head: &mut http::response::Parts) {
        if self.caller.is_some() {
            self.facade.amend_response(head);
        }
    }
}

impl fmt::Debug for Passing {
    /// Shows whether a caller is known and not who it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caller = if self.caller.is_some() { "caller known" } else { "not for us" };
        write!(f, "Passing({caller})")
    }
}

const NOT_FETCHED: &str = "Entra ID's documents could not be fetched yet; try again";
const KEYS_ARE_STALE: &str =
    "the token's key is not known, and Entra ID cannot be asked for newer ones just now; try again";
/// In seconds; after a failure the driver tries again about as soon.
const RETRY: u64 = 5;

fn unavailable(text: &'static str) -> Response<Bytes> {
    let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, text);
    response::retry_after(error.into_response(), RETRY)
}
