//! `mcp-entra serve`: the sign-in in front of an MCP server.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use mcp_entra_core::{Facade, Principal, Settings};
use mcp_entra_driver::client::tls_config;
use mcp_entra_driver::{Client, ClientError, Driver, PassedBody};
use mcp_entra_hyper::Service;
use mcp_entra_hyper::server::{self, Limits};
use tokio::net::TcpListener;
use url::Url;

use crate::proxy::{Proxy, ProxyBody, answer};

/// A gateway that is ready to serve.
#[derive(Debug)]
pub(crate) struct Gateway {
    driver: Driver,
    proxy: Proxy,
}

impl Gateway {
    pub(crate) fn new(settings: Settings, upstream: &Url) -> Result<Self, ClientError> {
        // the machine's certificates are read once for both ways
        let tls = tls_config()?;
        let proxy = Proxy::new(upstream, settings.resource(), tls.clone());
        let client = Client::with_tls_config(tls);
        Ok(Self { driver: Driver::with_client(Facade::new(settings), client), proxy })
    }

    /// Serves until `shutdown` completes.
    pub(crate) async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Self { driver, proxy } = self;
        let facade = driver.facade().clone();
        let behind = service_fn(move |request: Request<PassedBody<Incoming>>| {
            let (proxy, facade) = (proxy.clone(), facade.clone());
            async move {
                // the driver alone says who calls, and nobody passes without
                Ok::<_, Infallible>(match request.extensions().get::<Arc<Principal>>() {
                    Some(_) => proxy.forward(request).await,
                    None if request.uri().path() == "/" => {
                        facade.front_page().map(|page| Either::Left(page.into()))
                    }
                    None => answer(StatusCode::NOT_FOUND, "nothing is served at this path\n"),
                })
            }
        });
        let sign_in = Service::new(driver.clone(), behind);
        let gateway = {
            let driver = driver.clone();
            service_fn(move |request: Request<Incoming>| {
                let health = health(&request, &driver);
                let sign_in = sign_in.clone();
                async move {
                    match health {
                        Some(health) => Ok(health.map(Either::Right)),
                        None => sign_in.call(request).await,
                    }
                }
            })
        };
        tokio::select! {
            () = server::serve(listener, gateway, Limits::default(), shutdown) => {}
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
