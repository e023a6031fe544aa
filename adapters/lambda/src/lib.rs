//! mcp-entra for AWS Lambda: one function in front of your [`lambda_http`] handler.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use lambda_http::{Body, Error, Request, Response, run_with_streaming_response, service_fn};
//! use mcp_entra_lambda::{Entra, Options, Principal};
//!
//! # async fn run() -> Result<(), Error> {
//! let entra = Entra::new(&Options {
//!     resource: "https://mcp.example.com/mcp".into(),
//!     tenant: "contoso.com".into(),
//!     client_id: "99999999-8888-4777-8666-555555555555".into(),
//!     ..Options::default()
//! }).await?;
//! let handler = service_fn(async |request: Request| {
//!     let name = request.extensions().get::<Arc<Principal>>().and_then(|caller| caller.name.clone());
//!     Ok::<_, Error>(Response::new(Body::from(format!("Hello, {}", name.unwrap_or_default()))))
//! });
//! run_with_streaming_response(entra.protect(handler)).await
//! # }
//! ```
//!
//! `lambda_http::run` takes it as well, for platforms that do not stream. `examples/notes.rs` is an
//! MCP server with it, `deploy/` what brings it to AWS, `emulate` what runs it on your machine.
//!
//! # What your handler sees
//!
//! Signed-in callers alone, whatever the path: the sign-in endpoints, and requests of nobody, are
//! answered in front of it. The request is as `lambda_http` makes it, with the caller among its
//! extensions.
//!
//! # What the platforms do
//!
//! | | |
//! |---|---|
//! | stages | `lambda_http` puts the stage in front of the path, HTTP APIs leave it there: the endpoints are found with and without. Clients look for `/.well-known/` at the root of the host, so there must be one: a Function URL, the stage `$default`, a custom domain, a load balancer |
//! | a parameter twice | is refused, but a load balancer passes the last one on alone, unless its multi-value headers are on |
//! | `WWW-Authenticate` | REST APIs rename it to `x-amzn-remapped-www-authenticate`; clients then find the metadata by its well-known address |

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt as _, Either};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _, Response};
use mcp_entra_core::{Facade, Settings, SettingsError};
pub use mcp_entra_core::{Options, Principal};
use mcp_entra_driver::client::Connector;
use mcp_entra_driver::{Answer, Client, ClientError, Driver, PassedBody};

/// How long the init phase, which may take ten seconds, waits for Entra's documents.
const INIT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a request waits for fresh documents where older ones would do.
const REQUEST_PATIENCE: Duration = Duration::from_secs(2);

/// The sign-in of one MCP server.
#[derive(Clone, Debug)]
pub struct Entra {
    driver: Driver,
}

impl Entra {
    /// Sets the sign-in up, and fetches Entra's documents: call it before the runtime is run, so
    /// that this is part of the init phase. Where Entra cannot be reached, the first request that
    /// needs a document tries again.
    ///
    /// A function is frozen between requests, so nothing refreshes documents beside them: an hour
    /// later, frozen or not, the next request does. No connection to Entra is kept, since a freeze
    /// may outlive it.
    ///
    /// # Errors
    /// Everything that is wrong with the options, or why there is no TLS client.
    pub async fn new(options: &Options) -> Result<Self, EntraError> {
        let facade = Facade::new(Settings::parse(options)?);
        let client = Client::without_idle_connections(Connector::native()?);
        let driver = Driver::with_client(facade, client);
        driver.refresh(INIT_PATIENCE).await;
        Ok(Self { driver })
    }

    /// Puts the sign-in in front of a handler, for `lambda_http::run` and
    /// `lambda_http::run_with_streaming_response`. The handler answers with an [`http::Response`];
    /// [`lambda_http::IntoResponse::into_response`] makes one of anything else.
    pub fn protect<S>(&self, handler: S) -> Protected<S> {
        Protected { entra: self.clone(), inner: handler }
    }

    /// The endpoint of ours that a request is for. Every other path needs a caller, so it does no
    /// harm to find one with and without a stage.
    fn endpoint(&self, request: &Request) -> Option<&str> {
        let path = match request.raw_http_path() {
            "" => request.uri().path(),
            path => path,
        };
        let stage = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV1(api)) => api.stage.as_deref(),
            Some(RequestContext::ApiGatewayV2(api)) => api.stage.as_deref(),
            _ => None,
        };
        let below_stage = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
        let mut paths = self.driver.facade().paths();
        paths.find(|known| *known == path || Some(*known) == below_stage)
    }
}

impl<S> tower_layer::Layer<S> for Entra {
    type Service = Protected<S>;

    fn layer(&self, inner: S) -> Protected<S> {
        self.protect(inner)
    }
}

/// A handler behind [`Entra::protect`].
#[derive(Clone, Debug)]
pub struct Protected<S> {
    entra: Entra,
    inner: S,
}

impl<S, R> tower_service::Service<Request> for Protected<S>
where
    S: tower_service::Service<Request, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    R: Send,
{
    type Response = Answer<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Answer<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        // the service that was polled ready is the one to call
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let entra = self.entra.clone();
        Box::pin(async move {
            entra.driver.refresh(REQUEST_PATIENCE).await;
            let is_text = matches!(request.body(), Body::Text(_));
            let outcome = match entra.endpoint(&request) {
                Some(path) => {
                    *request.uri_mut() = with_path(request.uri(), path);
                    entra.driver.drive(request).await
                }
                None => entra.driver.authenticate(request).await,
            };
            let pass = move |request| async move {
                let request = restore(request, is_text).await;
                inner.call(request).await
            };
            outcome.complete(pass).await
        })
    }
}

/// A path of ours with the query of a request, octet for octet.
fn with_path(uri: &Uri, path: &str) -> Uri {
    let query = uri.query().map(|query| format!("{path}?{query}"));
    query.as_deref().unwrap_or(path).parse().unwrap_or_else(|_| uri.clone())
}

/// The request that came in, though its body may have been read to decide.
async fn restore(request: http::Request<PassedBody<Body>>, is_text: bool) -> Request {
    let (head, body) = request.into_parts();
    let body = match body {
        Either::Right(untouched) => untouched,
        Either::Left(read) => {
            let Ok(read) = read.collect().await;
            let octets = Bytes::into(read.to_bytes());
            match is_text {
                true => {
                    String::from_utf8(octets).map_or_else(|e| e.into_bytes().into(), Body::from)
                }
                false => Body::Binary(octets),
            }
        }
    };
    Request::from_parts(head, body)
}

/// Why the sign-in cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntraError {
    /// There is no TLS client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Something is wrong with the options.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}
