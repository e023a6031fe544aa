//! The core behind a few functions over linear memory, for a host that gives it nothing at all.
//!
//! The host writes JSON into [`input`]'s buffer and reads JSON from [`output`]'s. It configures
//! once, begins exchanges, and carries each on until it is told to `respond` or to `pass`:
//!
//! ```text
//! configure  {"resource", "tenant", "client_id", …}  -> {"discovery": URL}
//! hold       {"discovery": text} | {"keys": text}    -> {"keys": URL}
//! begin      {"method", "target", "headers": [[name, value]], "now": seconds}  -> a step
//! carry_on   {"exchange", …}                                                   -> a step
//!
//! step                                                    carried on with
//!   {"respond": {"status", "headers", "body"}}
//!   {"exchange", "read": limit}                           {"body"}, without where it is too long
//!   {"exchange", "load": "discovery" | "keys"}            nothing more: what is held by then counts
//!   {"exchange", "verify": {"n", "e", "text", "signature"}}   {"good": whether it is so}
//!   {"exchange", "send": {"url", "headers", "body", "limit"}} {"status", "headers", "body"}, without
//!                                                             where there is no answer
//!   {"exchange", "pass": {"headers"}}                     {"status", "headers"} of who served it
//!   {"amended": headers}                                  …and these are what to answer with
//!   {"pass": null}                                        not for us
//! ```

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use mcp_entra_core::exchange::{Awaiting, BodyError, Document, Load, Passing, ReadBody, Verify};
use mcp_entra_core::{Context, Facade, KeySet, Options, Settings, Step, UnixTime, UpstreamError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

type Headers = Vec<(String, String)>;

#[derive(Default)]
struct Host {
    input: Vec<u8>,
    output: Vec<u8>,
    facade: Option<Facade>,
    cx: Context,
    exchanges: HashMap<u32, Exchange>,
    last: u32,
}

/// A request that waits for something.
struct Exchange {
    head: http::request::Parts,
    waiting: Waiting,
}

enum Waiting {
    Read(ReadBody),
    Load(Load),
    Verify(Box<Verify>),
    Send(Box<Awaiting>),
    Pass(Passing),
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

/// Where to write this many octets of input.
#[unsafe(no_mangle)]
pub extern "C" fn input(length: usize) -> *mut u8 {
    HOST.with_borrow_mut(|host| {
        host.input.resize(length, 0);
        host.input.as_mut_ptr()
    })
}

/// Where the output is, whose length the last call returned. `{"error": text}` is a fault of the
/// host's, or of its configuration.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    HOST.with_borrow(|host| host.output.as_ptr())
}

/// Configures; returns the length of the output.
#[unsafe(no_mangle)]
pub extern "C" fn configure() -> usize {
    call(|host, input: Configuration| {
        let settings = Settings::parse(&Options {
            resource: input.resource,
            tenant: input.tenant,
            client_id: input.client_id,
            client_secret: input.client_secret,
            authority: input.authority,
            operation_scopes: input.operation_scopes,
            ..Options::default()
        });
        let facade = Facade::new(settings.map_err(|error| error.to_string())?);
        let discovery = facade.discovery_request().uri().to_string();
        host.facade = Some(facade);
        Ok(json!({ "discovery": discovery }))
    })
}

/// Holds a document of Entra's; returns the length of the output.
#[unsafe(no_mangle)]
pub extern "C" fn hold() -> usize {
    call(|host, input: Documents| {
        let facade = host.facade.as_ref().ok_or("it is not configured")?;
        if let Some(text) = input.discovery {
            let discovery = facade.read_discovery(text.as_bytes()).map_err(|e| e.to_string())?;
            host.cx.discovery = Some(Arc::new(discovery));
        }
        if let Some(text) = input.keys {
            let keys = KeySet::parse(text.as_bytes()).map_err(|e| e.to_string())?;
            host.cx.keys = Some(Arc::new(keys));
        }
        Ok(json!({ "keys": host.cx.discovery.as_ref().map(|discovery| discovery.jwks_uri()) }))
    })
}

/// Begins an exchange; returns the length of the output.
#[unsafe(no_mangle)]
pub extern "C" fn begin() -> usize {
    call(|host, input: Head| {
        let facade = host.facade.as_ref().ok_or("it is not configured")?;
        host.cx.now = UnixTime(input.now);
        let mut request = Request::new(());
        *request.method_mut() = input.method.parse::<Method>().map_err(|e| e.to_string())?;
        *request.uri_mut() = input.target.parse::<Uri>().map_err(|e| e.to_string())?;
        *request.headers_mut() = header_map(&input.headers)?;
        let (head, ()) = request.into_parts();
        let step = facade.begin(&head, &host.cx);
        Ok(host.tell(step, head))
    })
}

/// Carries an exchange on; returns the length of the output.
#[unsafe(no_mangle)]
pub extern "C" fn carry_on() -> usize {
    call(|host, input: Effect| {
        let Exchange { head, waiting } =
            host.exchanges.remove(&input.exchange).ok_or("there is no such exchange")?;
        let body = input.body.map(Bytes::from);
        let step = match waiting {
            Waiting::Read(read) => read.resume(body.ok_or(BodyError::TooLong)),
            Waiting::Load(load) => load.resume(&host.cx),
            Waiting::Verify(verify) if input.good => verify.verified().1,
            Waiting::Verify(verify) => verify.refused(),
            Waiting::Send(awaiting) => awaiting.resume(match body {
                Some(body) => Ok(answer(input.status, &input.headers, body)?),
                None => Err(UpstreamError::Unreachable),
            }),
            Waiting::Pass(passing) => {
                let (mut head, ()) = answer(input.status, &input.headers, ())?.into_parts();
                passing.amend_response(&mut head);
                return Ok(json!({ "amended": pairs(&head.headers) }));
            }
        };
        Ok(host.tell(step, head))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    resource: String,
    tenant: String,
    client_id: String,
    client_secret: Option<String>,
    #[serde(default)]
    authority: String,
    #[serde(default)]
    operation_scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Documents {
    discovery: Option<String>,
    keys: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    method: String,
    target: String,
    headers: Headers,
    now: u64,
}

#[derive(Deserialize)]
struct Effect {
    exchange: u32,
    body: Option<String>,
    #[serde(default)]
    good: bool,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers: Headers,
}

impl Host {
    /// Tells the host what to do, and keeps what waits for it.
    fn tell(&mut self, step: Step, mut head: http::request::Parts) -> Value {
        let (mut told, waiting) = match step {
            Step::Respond(response) => {
                let respond = json!({
                    "status": response.status().as_u16(),
                    "headers": pairs(response.headers()),
                    "body": String::from_utf8_lossy(response.body()),
                });
                return json!({ "respond": respond });
            }
            Step::Pass(passing) if passing.principal().is_none() => return json!({ "pass": null }),
            Step::Pass(passing) => {
                passing.amend_request(&mut head);
                (json!({ "pass": { "headers": pairs(&head.headers) } }), Waiting::Pass(passing))
            }
            Step::Read(read) => (json!({ "read": read.limit() }), Waiting::Read(read)),
            Step::Load(load) => {
                let document = match load.document() {
                    Document::Discovery => "discovery",
                    Document::Keys => "keys",
                };
                (json!({ "load": document }), Waiting::Load(load))
            }
            Step::Verify(verify) => {
                let told = json!({
                    "n": verify.key().modulus(),
                    "e": verify.key().exponent(),
                    "text": verify.signing_input(),
                    "signature": verify.signature(),
                });
                (json!({ "verify": told }), Waiting::Verify(verify))
            }
            Step::Send(request, awaiting) => {
                let told = json!({
                    "url": request.uri().to_string(),
                    "headers": pairs(request.headers()),
                    "body": String::from_utf8_lossy(request.body()),
                    "limit": awaiting.limit(),
                });
                (json!({ "send": told }), Waiting::Send(awaiting))
            }
        };
        self.last = self.last.wrapping_add(1);
        self.exchanges.insert(self.last, Exchange { head, waiting });
        told["exchange"] = self.last.into();
        told
    }
}

fn answer<B>(status: u16, headers: &Headers, body: B) -> Result<Response<B>, String> {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).map_err(|e| e.to_string())?;
    *answer.headers_mut() = header_map(headers)?;
    Ok(answer)
}

fn header_map(headers: &Headers) -> Result<HeaderMap, String> {
    let headers = headers.iter().map(|(name, value)| {
        let name = name.parse::<HeaderName>().map_err(|e| e.to_string())?;
        // a host's strings hold an octet in each character
        let value: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
        let value = value.and_then(|octets| HeaderValue::from_bytes(&octets).ok());
        Ok((name, value.ok_or("a header's value has what none may have")?))
    });
    headers.collect()
}

fn pairs(headers: &HeaderMap) -> Headers {
    let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn call<T: DeserializeOwned>(act: impl FnOnce(&mut Host, T) -> Result<Value, String>) -> usize {
    HOST.with_borrow_mut(|host| {
        let input = serde_json::from_slice(&host.input).map_err(|error| error.to_string());
        let told = input.and_then(|input| act(host, input));
        let told = told.unwrap_or_else(|error| json!({ "error": error }));
        host.output = serde_json::to_vec(&told).unwrap_or_default();
        host.output.len()
    })
}
