//! `mcp-entra serve`: the sign-in in front of an MCP server.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use mcp_entra_core::{Facade, Principal, Settings};
use mcp_entra_driver::{ClientError, Driver, PassedBody};
use mcp_entra_hyper::Service;
use mcp_entra_hyper::server::{self, Limits};
use tokio::net::TcpListener;
use url::Url;

use crate::proxy::{Proxy, answer};

/// A gateway that is ready to serve.
#[derive(Debug)]
pub(crate) struct Gateway {
    driver: Driver,
    proxy: Proxy,
}

impl Gateway {
    pub(crate) fn new(settings: Settings, upstream: &Url) -> Result<Self, ClientError> {
        let proxy = Proxy::new(upstream, settings.resource())?;
        Ok(Self { driver: Driver::new(Facade::new(settings))?, proxy })
    }

    /// Serves until `shutdown` completes.
    pub(crate) async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Self { driver, proxy } = self;
        let inner = {
            let driver = driver.clone();
            service_fn(move |request: Request<PassedBody<Incoming>>| {
                let (driver, proxy) = (driver.clone(), proxy.clone());
                async move {
                    Ok::<_, Infallible>(match request.uri().path() {
                        // the driver alone says who calls, and nobody passes without
                        _ if request.extensions().get::<Arc<Principal>>().is_some() => {
                            proxy.forward(request).await
                        }
                        "/healthz" => answer(StatusCode::OK, "alive\n"),
                        "/readyz" if driver.documents().is_ready() => {
                            answer(StatusCode::OK, "ready\n")
                        }
                        "/readyz" => answer(
                            StatusCode::SERVICE_UNAVAILABLE,
                            "Entra ID's discovery document and keys are not there yet\n",
                        ),
                        _ => answer(StatusCode::NOT_FOUND, "nothing is served at this path\n"),
                    })
                }
            })
        };
        let service = Service::new(driver.clone(), inner);
        tokio::select! {
            () = server::serve(listener, service, Limits::default(), shutdown) => {}
            () = driver.documents().keep_fresh() => {}
        }
    }
}
