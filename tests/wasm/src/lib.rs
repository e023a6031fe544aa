//! The core behind four functions over linear memory, for a host that gives it nothing at all.
//!
//! The host writes JSON into [`input`]'s buffer and reads JSON from [`output`]'s. It configures
//! once, begins an exchange, and carries it on until it is told to `respond` or to `pass`:
//!
//! ```text
//! configure  {"options": {"resource", "tenant", "client_id"}, "discovery": text}
//! begin      {"method", "target", "headers": [[name, value]], "now": seconds}
//!            -> {"step": "respond", "status", "headers", "body"} | {"step": "pass"}
//!             | {"step": "read", "limit"} | {"step": "send", "target", "body"}
//! carry_on   {"body"} after read | {"status", "body"} after send   -> as above
//! ```

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use mcp_entra_core::exchange::{Awaiting, ReadBody};
use mcp_entra_core::{Context, Facade, Options, Settings, Step, UnixTime, UpstreamError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[derive(Default)]
struct Host {
    input: Vec<u8>,
    output: Vec<u8>,
    facade: Option<(Facade, Context)>,
    waiting: Option<Waiting>,
}

enum Waiting {
    Body(ReadBody),
    Answer(Box<Awaiting>),
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

/// Where the output is, whose length the last call returned.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    HOST.with_borrow(|host| host.output.as_ptr())
}

/// Configures; returns the length of the output, which is `null` or what is wrong.
#[unsafe(no_mangle)]
pub extern "C" fn configure() -> usize {
    call(|host, input: Configuration| {
        let options = Options {
            resource: input.options.resource,
            tenant: input.options.tenant,
            client_id: input.options.client_id,
            ..Options::default()
        };
        let facade = Facade::new(Settings::parse(&options).map_err(|e| e.to_string())?);
        let discovery = facade.read_discovery(input.discovery.as_bytes());
        let discovery = Some(Arc::new(discovery.map_err(|e| e.to_string())?));
        host.facade = Some((facade, Context { discovery, ..Context::default() }));
        Ok(Value::Null)
    })
}

/// Begins an exchange; returns the length of the output.
#[unsafe(no_mangle)]
pub extern "C" fn begin() -> usize {
    call(|host, input: Head| {
        let (facade, cx) = host.facade.as_mut().ok_or("it is not configured")?;
        cx.now = UnixTime(input.now);
        let mut builder = Request::builder()
            .method(input.method.parse::<Method>().map_err(|e| e.to_string())?)
            .uri(input.target.parse::<Uri>().map_err(|e| e.to_string())?);
        for (name, value) in &input.headers {
            builder = builder.header(name, value);
        }
        let (head, ()) = builder.body(()).map_err(|e| e.to_string())?.into_parts();
        let step = facade.begin(&head, cx);
        Ok(tell(step, &mut host.waiting))
    })
}

/// Carries an exchange on; returns the length of the output.
#[unsafe(no_mangle)]
pub extern "C" fn carry_on() -> usize {
    call(|host, input: Effect| {
        let body = Bytes::from(input.body);
        let step = match host.waiting.take().ok_or("nothing is waiting")? {
            Waiting::Body(read) => read.resume(Ok(body)),
            Waiting::Answer(awaiting) => {
                let mut answer = Response::new(body);
                awaiting.resume(match StatusCode::from_u16(input.status) {
                    Ok(status) => {
                        *answer.status_mut() = status;
                        Ok(answer)
                    }
                    Err(_) => Err(UpstreamError::Unreachable),
                })
            }
        };
        Ok(tell(step, &mut host.waiting))
    })
}

#[derive(Deserialize)]
struct Configuration {
    options: Required,
    discovery: String,
}

#[derive(Deserialize)]
struct Required {
    resource: String,
    tenant: String,
    client_id: String,
}

#[derive(Deserialize)]
struct Head {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    now: u64,
}

#[derive(Deserialize)]
struct Effect {
    #[serde(default)]
    status: u16,
    body: String,
}

fn tell(step: Step, waiting: &mut Option<Waiting>) -> Value {
    match step {
        Step::Respond(response) => {
            let headers = response.headers().iter();
            let headers: Vec<_> = headers
                .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
                .collect();
            json!({
                "step": "respond",
                "status": response.status().as_u16(),
                "headers": headers,
                "body": String::from_utf8_lossy(response.body()),
            })
        }
        Step::Read(read) => {
            let limit = read.limit();
            *waiting = Some(Waiting::Body(read));
            json!({ "step": "read", "limit": limit })
        }
        Step::Send(request, awaiting) => {
            *waiting = Some(Waiting::Answer(awaiting));
            let body = String::from_utf8_lossy(request.body());
            json!({ "step": "send", "target": request.uri().to_string(), "body": body })
        }
        Step::Pass(_) => json!({ "step": "pass" }),
        // this host holds the one document, and no keys
        Step::Load(_) | Step::Verify(_) => json!({ "step": "unsupported" }),
    }
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
