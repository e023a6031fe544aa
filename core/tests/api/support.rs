//! A facade, the ten lines of a driver, and readers of what it answers.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use mcp_entra_core::access_token::AccessToken;
use mcp_entra_core::exchange::{BodyError, Document, Passing, Verify};
use mcp_entra_core::{
    Context, Discovery, Facade, KeySet, Options, Reason, Settings, Step, UnixTime, UpstreamError,
};

use super::keys;

pub(crate) const TENANT: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const CLIENT: &str = "99999999-8888-4777-8666-555555555555";
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const METADATA_URL: &str =
    "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
/// Within the life of the tokens in the fixtures.
pub(crate) const NOW: u64 = 1_767_225_700;

/// The options of one tenant, to be varied by `..options()`.
pub(crate) fn options() -> Options {
    Options {
        resource: RESOURCE.into(),
        tenant: TENANT.into(),
        client_id: CLIENT.into(),
        ..Options::default()
    }
}

pub(crate) fn facade(options: &Options) -> Facade {
    Facade::new(Settings::parse(options).unwrap())
}

/// What a driver does, with answers prepared in advance.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) facade: Facade,
    pub(crate) now: u64,
    /// What the first `Load` of it brings.
    pub(crate) discovery: Option<Arc<Discovery>>,
    pub(crate) keys: Option<Arc<KeySet>>,
    /// Whether both are there from the start.
    pub(crate) warm: bool,
    /// Whether newer keys cannot be had.
    pub(crate) keys_are_stale: bool,
    pub(crate) remembered: Option<Arc<AccessToken>>,
    pub(crate) answers: VecDeque<Result<Response<Bytes>, UpstreamError>>,
}

/// How an exchange went and ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    pub(crate) loaded: Vec<Document>,
    pub(crate) sent: Vec<Request<Bytes>>,
    pub(crate) verified: Option<Arc<AccessToken>>,
    /// The `Debug` of every step on the way, and of what is in it.
    pub(crate) shown: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum End {
    Passed(Passing),
    Responded(Response<Bytes>),
}

impl Driver {
    /// A driver that holds the documents of the test tenant.
    pub(crate) fn new(options: &Options) -> Self {
        let facade = facade(options);
        let discovery = include_bytes!("../fixtures/v2_tenant.json");
        let discovery = facade.read_discovery(discovery).ok().map(Arc::new);
        let keys = Some(super::tokens::key_set());
        Self {
            facade,
            now: NOW,
            discovery,
            keys,
            warm: true,
            keys_are_stale: false,
            remembered: None,
            answers: VecDeque::new(),
        }
    }

    pub(crate) fn answering(
        mut self,
        answers: impl IntoIterator<Item = Result<Response<Bytes>, UpstreamError>>,
    ) -> Self {
        self.answers.extend(answers);
        self
    }

    pub(crate) fn run(&self, request: Request<impl Into<Bytes>>) -> Outcome {
        let (head, body) = request.into_parts();
        let body: Bytes = body.into();
        let mut cx = Context {
            now: UnixTime(self.now),
            keys_are_stale: self.keys_are_stale,
            remembered: self.remembered.clone(),
            ..Context::default()
        };
        if self.warm {
            (cx.discovery, cx.keys) = (self.discovery.clone(), self.keys.clone());
        }
        let (mut loaded, mut sent, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        let mut verified = None;
        let mut answers = self.answers.iter();

        let mut step = self.facade.begin(&head, &cx);
        for _ in 0..8 {
            shown.push(format!("{step:?}"));
            step = match step {
                Step::Respond(response) => {
                    let end = End::Responded(response);
                    return Outcome { end, loaded, sent, verified, shown };
                }
                Step::Pass(passing) => {
                    let end = End::Passed(passing);
                    return Outcome { end, loaded, sent, verified, shown };
                }
                Step::Read(read) if body.len() > read.limit() => {
                    read.resume(Err(BodyError::TooLong))
                }
                Step::Read(read) => read.resume(Ok(body.clone())),
                Step::Load(load) => {
                    loaded.push(load.document());
                    match load.document() {
                        Document::Discovery => cx.discovery = self.discovery.clone(),
                        Document::Keys => cx.keys = self.keys.clone(),
                    }
                    load.resume(&cx)
                }
                Step::Send(request, awaiting) => {
                    sent.push(request);
                    shown.push(format!("{awaiting:?}"));
                    let answer = answers.next().unwrap_or(&Err(UpstreamError::Unreachable));
                    awaiting.resume(answer.clone())
                }
                Step::Verify(verify) if is_signed(&verify) => {
                    let (token, step) = verify.verified();
                    verified = Some(token);
                    step
                }
                Step::Verify(verify) => verify.refused(),
            };
        }
        panic!("an exchange that does not end: {shown:?}");
    }
}

fn is_signed(verify: &Verify) -> bool {
    let octets = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let (n, e) = (octets(verify.key().modulus()), octets(verify.key().exponent()));
    let message = verify.signing_input().as_bytes();
    let signature = octets(verify.signature());
    keys::is_signed(n, e, message, &signature)
}

impl Outcome {
    pub(crate) fn response(self) -> Response<Bytes> {
        match self.end {
            End::Responded(response) => response,
            End::Passed(passing) => panic!("it passed: {passing:?}"),
        }
    }

    pub(crate) fn passing(self) -> Passing {
        match self.end {
            End::Passed(passing) => passing,
            End::Responded(response) => panic!("it was answered: {response:?}"),
        }
    }

    /// Passed, or the `error_description` of the challenge; its form is checked on the way.
    pub(crate) fn verdict(self) -> Result<Passing, String> {
        match self.end {
            End::Passed(passing) => Ok(passing),
            End::Responded(response) => {
                let challenge = challenge(response.headers());
                assert_eq!(challenge.get("resource_metadata"), Some(METADATA_URL));
                let status = match challenge.get("error") {
                    None | Some("invalid_token") => StatusCode::UNAUTHORIZED,
                    Some("insufficient_scope") => StatusCode::FORBIDDEN,
                    Some("invalid_request") => StatusCode::BAD_REQUEST,
                    Some(other) => panic!("no error of RFC 6750: {other}"),
                };
                assert_eq!(response.status(), status);
                let text = challenge.get("error_description").unwrap_or_default().to_owned();
                if !text.is_empty() {
                    let reason = &response.extensions().get::<Reason>().unwrap().0;
                    assert!(reason.ends_with(&text), "{reason}");
                }
                Err(text)
            }
        }
    }
}

/// A challenge, read by an independent parser.
#[derive(Debug)]
pub(crate) struct Challenge(Vec<(String, String)>);

impl Challenge {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) fn challenge(headers: &HeaderMap) -> Challenge {
    let values: Vec<_> = headers.get_all("www-authenticate").iter().collect();
    assert_eq!(values.len(), 1, "{headers:?}");
    let parsed = http_auth::parse_challenges(values[0].to_str().unwrap()).unwrap();
    assert_eq!(parsed.len(), 1);
    assert_eq!(parsed[0].scheme, "Bearer");
    let params = parsed[0].params.iter();
    Challenge(params.map(|(name, value)| ((*name).into(), value.to_unescaped())).collect())
}

pub(crate) fn json(response: &Response<Bytes>) -> serde_json::Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_slice(response.body()).unwrap()
}

/// A form body or a query, as its pairs.
pub(crate) fn pairs(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}

pub(crate) fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
