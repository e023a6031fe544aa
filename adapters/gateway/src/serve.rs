//! `mcp-entra serve`: the sign-in in front of an MCP server.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use mcp_entra_core::{Facade, Principal, Settings};
use mcp_entra_driver::client::tls_config;
use mcp_entra_driver::{Client, ClientError, Driver, PassedBody};
use mcp_entra_functions::FunctionName;
use mcp_entra_hyper::Service;
use mcp_entra_hyper::server;
use tokio::net::TcpListener;
use url::Url;

use crate::child::Accepting;
use crate::limits::Limits;
use crate::proxy::{Proxy, ProxyBody, answer};
use crate::rate_limit::RateLimits;

/// How long a call waits for a server behind that has just been started.
const START: Duration = Duration::from_secs(20);

/// A gateway that is ready to serve.
#[derive(Debug)]
pub(crate) struct Gateway {
    driver: Driver,
    proxy: Proxy,
    accepting: Option<Accepting>,
    envelope: Option<mcp_entra_functions::Layer>,
    rates: Arc<RateLimits>,
    limits: server::Limits,
}

/// The body of a request: as it comes, or out of an envelope.
pub(crate) type RequestBody = Either<Full<Bytes>, Incoming>;

impl Gateway {
    pub(crate) fn new(
        settings: Settings,
        upstream: &Url,
        limits: &Limits,
    ) -> Result<Self, ClientError> {
        // the machine's certificates are read once for both ways
        let tls = tls_config()?;
        let proxy = Proxy::new(upstream, settings.resource(), tls.clone(), limits);
        let client = Client::with_tls_config(tls).with_timeout(limits.entra_timeout);
        let driver = Driver::with_client(Facade::new(settings), client);
        Ok(Self {
            driver: driver.with_body_timeout(limits.body_timeout),
            proxy,
            accepting: None,
            envelope: None,
            rates: Arc::new(RateLimits::new(&limits.rates, limits.trusted_proxies)),
            limits: limits.server,
        })
    }

    /// Calls wait until the server behind listens.
    pub(crate) fn once(self, accepting: Accepting) -> Self {
        Self { accepting: Some(accepting), ..self }
    }

    /// Requests come in the envelope of this function, if one is named.
    pub(crate) fn in_envelopes_of(self, function: Option<&FunctionName>) -> Self {
        Self { envelope: function.map(mcp_entra_functions::Layer::new), ..self }
    }

    /// Serves until `shutdown` completes.
    pub(crate) async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Self { driver, proxy, accepting, envelope, rates, limits } = self;
        // each request has the services to itself, and what they stand on is shared
        let proxy = Arc::new(proxy);
        let behind = {
            let (facade, accepting) = (driver.facade().clone(), accepting.clone());
            service_fn(move |request: Request<PassedBody<RequestBody>>| {
                let (proxy, facade) = (proxy.clone(), facade.clone());
                let accepting = accepting.clone();
                async move {
                    // the driver alone says who calls, and nobody passes without
                    if request.extensions().get::<Arc<Principal>>().is_none() {
                        return Ok::<_, Infallible>(match request.uri().path() {
                            "/" => facade.front_page().map(|page| Either::Left(page.into())),
                            _ => answer(StatusCode::NOT_FOUND, "nothing is served at this path\n"),
                        });
                    }
                    match accepting {
                        Some(accepting) if !accepting.within(START).await => Ok(later()),
                        _ => Ok(proxy.forward(request).await),
                    }
                }
            })
        };
        let sign_in = Service::new(driver.clone(), behind);
        let gateway = {
            let driver = driver.clone();
            service_fn(move |request: Request<RequestBody>| {
                let (driver, rates, sign_in) = (driver.clone(), rates.clone(), sign_in.clone());
                let accepting = accepting.clone();
                async move {
                    if let Some(health) = health(&request, &driver, accepting.as_ref()) {
                        return Ok(health.map(Either::Right));
                    }
                    let (head, body) = request.into_parts();
                    if let Some(refusal) = rates.refusal(&head, driver.facade()) {
                        return Ok(refusal.map(|body| Either::Left(Full::new(body))));
                    }
                    sign_in.call(Request::from_parts(head, body)).await
                }
            })
        };
        let gateway = service_fn(move |request: Request<Incoming>| {
            let (gateway, envelope) = (gateway.clone(), envelope.clone());
            async move {
                match envelope {
                    Some(envelope) => {
                        envelope.answer(request, |request| gateway.call(request)).await
                    }
                    None => {
                        let response = gateway.call(request.map(Either::Right)).await?;
                        Ok::<_, Infallible>(response.map(Either::Right))
                    }
                }
            }
        });
        tokio::select! {
            () = server::serve(listener, gateway, limits, shutdown) => {}
            () = driver.documents().keep_fresh() => {}
        }
    }
}

/// The platform's questions, which are answered wherever the MCP endpoint is.
fn health(
    request: &Request<RequestBody>,
    driver: &Driver,
    accepting: Option<&Accepting>,
) -> Option<Response<ProxyBody>> {
    match request.uri().path() {
        "/healthz" => Some(answer(StatusCode::OK, "alive\n")),
        "/readyz" if accepting.is_some_and(|accepting| !accepting.is_true()) => Some(later()),
        "/readyz" if driver.documents().is_ready() => Some(answer(StatusCode::OK, "ready\n")),
        "/readyz" => Some(answer(
            StatusCode::SERVICE_UNAVAILABLE,
            "Entra ID's discovery document and keys are not there yet\n",
        )),
        _ => None,
    }
}

/// The server behind has been started, and does not listen yet.
fn later() -> Response<ProxyBody> {
    let mut response =
        answer(StatusCode::SERVICE_UNAVAILABLE, "the MCP server behind is not there yet\n");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}
