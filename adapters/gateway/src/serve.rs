//! `mcp-entra serve`: the sign-in in front of an MCP server.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use mcp_entra_core::{Facade, Principal, Settings};
use mcp_entra_driver::client::tls_config;
use mcp_entra_driver::{Client, ClientError, Driver, PassedBody};
use mcp_entra_hyper::Service;
use mcp_entra_hyper::server;
use tokio::net::TcpListener;
use url::Url;

use crate::limits::Limits;
use crate::proxy::{Proxy, ProxyBody, answer};
use crate::rate_limit::RateLimits;

/// A gateway that is ready to serve.
#[derive(Debug)]
pub(crate) struct Gateway {
    driver: Driver,
    proxy: Proxy,
    rates: Arc<RateLimits>,
    limits: server::Limits,
}

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
            rates: Arc::new(RateLimits::new(&limits.rates, limits.trusted_proxies)),
            limits: limits.server,
        })
    }

    /// Serves until `shutdown` completes.
    pub(crate) async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Self { driver, proxy, rates, limits } = self;
        let behind = service_fn(move |request: Request<PassedBody<Incoming>>| {
            let proxy = proxy.clone();
            async move {
                // the driver alone says who calls, and nobody passes without
                Ok::<_, Infallible>(match request.extensions().get::<Arc<Principal>>() {
                    Some(_) => proxy.forward(request).await,
                    None => answer(StatusCode::NOT_FOUND, "nothing is served at this path\n"),
                })
            }
        });
        let sign_in = Service::new(driver.clone(), behind);
        let gateway = {
            let driver = driver.clone();
            service_fn(move |request: Request<Incoming>| {
                let (driver, rates, sign_in) = (driver.clone(), rates.clone(), sign_in.clone());
                async move {
                    if let Some(health) = health(&request, &driver) {
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
        tokio::select! {
            () = server::serve(listener, gateway, limits, shutdown) => {}
            () = driver.documents().keep_fresh() => {}
        }
    }
}

/// The platform's questions, which are answered wherever the MCP endpoint is.
fn health(request: &Request<Incoming>, driver: &Driver) -> Option<Response<ProxyBody>> {
    match request.uri().path() {
        "/healthz" => Some(answer(StatusCode::OK, "alive\n")),
        "/readyz" if driver.documents().is_ready() => Some(answer(StatusCode::OK, "ready\n")),
        "/readyz" => Some(answer(
            StatusCode::SERVICE_UNAVAILABLE,
            "Entra ID's discovery document and keys are not there yet\n",
        )),
        _ => None,
    }
}
