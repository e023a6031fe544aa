//! The endpoints on a socket.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::aadsts;
use crate::answer::Answer;
use crate::discovery::Version;
use crate::fault::{Endpoint, Fault, FaultyBody};
use crate::parameters::Parameters;
use crate::record::RecordedRequest;
use crate::refusal::{Ids, Refusal};
use crate::token::TokenHeaders;
use crate::world::World;

/// Longest request body.
const LONGEST_BODY: usize = 1 << 20;

pub(crate) type Shared = Arc<Mutex<World>>;

/// A panic elsewhere leaves nothing half-written that matters to a test.
pub(crate) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until dropped; its connections end with it.
pub(crate) async fn serve(listener: TcpListener, world: Shared) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, Arc::clone(&world)))),
                // out of descriptors, or a client gone early: the next may do
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, world: Shared) {
    let service = service_fn(|request| respond(request, &world));
    // an error is a client that went away, or an ordered outage
    drop(
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

async fn respond(request: Request<Incoming>, world: &Shared) -> io::Result<Response<FaultyBody>> {
    let (parts, body) = request.into_parts();
    let too_long = |_| io::Error::from(io::ErrorKind::InvalidData);
    let body = Limited::new(body, LONGEST_BODY).collect().await.map_err(too_long)?.to_bytes();
    let route = Route::of(parts.uri.path());
    let fault = {
        let mut world = lock(world);
        world.requests.push(recorded(&parts, &body, route.as_ref()));
        route.as_ref().and_then(|route| world.take_fault(route.endpoint))
    };
    match &fault {
        Some(Fault::Outage) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::Slow(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    let answer = fault.as_ref().and_then(Fault::canned).unwrap_or_else(|| {
        let mut world = lock(world);
        let answer = route.as_ref().map_or_else(Answer::not_found, |route| {
            route.answer(&mut world, &parts, &body, fault.as_ref())
        });
        if fault == Some(Fault::Bom) {
            Answer { body: [b"\xef\xbb\xbf", &answer.body[..]].concat(), ..answer }
        } else {
            answer
        }
    });
    Ok(response(answer, fault.as_ref()))
}

/// A path that Entra serves.
struct Route<'a> {
    endpoint: Endpoint,
    segment: &'a str,
    version: Version,
}

impl<'a> Route<'a> {
    /// No RFC 8414 document is among them, at either end of the path.
    fn of(path: &'a str) -> Option<Self> {
        let (segment, rest) = path.strip_prefix('/')?.split_once('/')?;
        let (endpoint, version) = match rest {
            "v2.0/.well-known/openid-configuration" => (Endpoint::Discovery, Version::V2),
            ".well-known/openid-configuration" => (Endpoint::Discovery, Version::V1),
            "discovery/v2.0/keys" => (Endpoint::Keys, Version::V2),
            "discovery/keys" => (Endpoint::Keys, Version::V1),
            "oauth2/v2.0/authorize" => (Endpoint::Authorize, Version::V2),
            "oauth2/v2.0/token" => (Endpoint::Token, Version::V2),
            _ => return None,
        };
        Some(Self { endpoint, segment, version })
    }

    fn answer(
        &self,
        world: &mut World,
        parts: &Parts,
        body: &[u8],
        fault: Option<&Fault>,
    ) -> Answer {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let correlation = header("client-request-id");
        let method = parts.method.as_str();
        let others = fault == Some(&Fault::OtherTenant);
        let document = match (self.endpoint, method) {
            (Endpoint::Discovery, "GET" | "HEAD") if others => {
                Ok(world.other_tenants_discovery(self.version))
            }
            (Endpoint::Discovery, "GET" | "HEAD") => world.discovery(self.segment, self.version),
            (Endpoint::Keys, "GET" | "HEAD") if others => Ok(world.keys.strangers()),
            (Endpoint::Keys, "GET" | "HEAD") => world.key_set(self.segment, self.version),
            (Endpoint::Authorize, "GET") => {
                let query = parts.uri.query().unwrap_or_default();
                return world.authorize(
                    self.segment,
                    &Parameters::parse(query.as_bytes()),
                    query,
                    correlation,
                );
            }
            (Endpoint::Authorize, "POST") => {
                let query = String::from_utf8_lossy(body);
                return world.authorize(
                    self.segment,
                    &Parameters::parse(body),
                    &query,
                    correlation,
                );
            }
            (Endpoint::Token, "POST") => {
                let (content_type, origin) = (header("content-type"), header("origin"));
                let headers = TokenHeaders {
                    content_type,
                    origin,
                    authorization: header("authorization"),
                    correlation,
                };
                let answer = world.token(self.segment, &headers, body);
                // any origin may read the answer; whether it may redeem is the platform's matter
                return if origin.is_some() {
                    answer.header("access-control-allow-origin", "*")
                } else {
                    answer
                };
            }
            (_, "OPTIONS") => {
                return Answer::empty(200)
                    .header("access-control-allow-origin", "*")
                    .header("access-control-allow-methods", "GET, POST, OPTIONS")
                    .header(
                        "access-control-allow-headers",
                        header("access-control-request-headers").unwrap_or("content-type"),
                    );
            }
            (endpoint, method) => {
                let expected =
                    if endpoint == Endpoint::Token { "POST, OPTIONS" } else { "GET, OPTIONS" };
                let refusal =
                    Refusal::new(aadsts::METHOD).with("expected", expected).with("method", method);
                return Answer::html(400, Ids::new(world.now(), correlation).page(&refusal));
            }
        };
        match document {
            Ok(document) => Answer::document(&document),
            Err(refusal) => {
                let body = Ids::new(world.now(), correlation).json(
                    &refusal,
                    world.form.separator,
                    &world.authority,
                );
                Answer::json(refusal.aadsts().status, &body)
            }
        }
    }
}

fn recorded(parts: &Parts, body: &[u8], route: Option<&Route<'_>>) -> RecordedRequest {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    RecordedRequest {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: String::from_utf8_lossy(body).into_owned(),
        endpoint: route.map(|route| route.endpoint),
    }
}

fn response(answer: Answer, fault: Option<&Fault>) -> Response<FaultyBody> {
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        // a value from a request that no header can hold is left out
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let mut response = Response::new(FaultyBody::new(answer.body, fault));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}
