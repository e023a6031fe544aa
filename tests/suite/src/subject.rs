//! The MCP server of the tests with an adapter in it, in the idiom of each: `subject axum`.

use std::error::Error;
use std::sync::Arc;

use axum::routing::any;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use mcp_entra_axum::Entra;
use mcp_entra_core::{Facade, Options, Principal, Settings};
use mcp_entra_harness::Behind;
use mcp_entra_hyper::server::{self, Limits};
use mcp_entra_hyper::{Driver, PassedBody, Service};
use tokio::net::TcpListener;

type Anything<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Anything<()> {
    let options = Options {
        resource: std::env::var("MCP_ENTRA_RESOURCE")?,
        tenant: std::env::var("MCP_ENTRA_TENANT")?,
        client_id: std::env::var("MCP_ENTRA_CLIENT_ID")?,
        authority: std::env::var("MCP_ENTRA_AUTHORITY")?,
        operation_scopes: vec![std::env::var("MCP_ENTRA_OPERATION_SCOPES")?],
        ..Options::default()
    };
    let listener = TcpListener::bind(std::env::var("MCP_ENTRA_LISTEN")?).await?;
    match std::env::args().nth(1).as_deref() {
        Some("axum") => in_axum(&options, listener).await,
        Some("hyper") => in_hyper(&options, listener).await,
        _ => Err("usage: subject axum|hyper".into()),
    }
}

async fn in_axum(options: &Options, listener: TcpListener) -> Anything<()> {
    let entra = Entra::new(options)?;
    let behind = Behind::default();
    let answer = any(move |request: axum::extract::Request| async move {
        let response = behind.answer(request).await;
        response
            .map(|response| response.map(axum::body::Body::new))
            .map_err(|_| StatusCode::BAD_REQUEST)
    });
    let mcp = axum::Router::new()
        .route("/mcp", answer.clone())
        .route("/mcp/{*path}", answer)
        .route_layer(entra.protect());
    axum::serve(listener, entra.router().merge(mcp)).await?;
    Ok(())
}

async fn in_hyper(options: &Options, listener: TcpListener) -> Anything<()> {
    let driver = Driver::new(Facade::new(Settings::parse(options)?))?;
    let behind = Behind::default();
    let service = service_fn(move |request: Request<PassedBody<Incoming>>| {
        let behind = behind.clone();
        async move {
            // what passes without a caller is not for the MCP server
            match request.extensions().get::<Arc<Principal>>() {
                Some(_) => behind.answer(request).await,
                None => mcp_entra_harness::text(StatusCode::NOT_FOUND, ""),
            }
        }
    });
    let service = Service::new(driver, service);
    server::serve(listener, service, Limits::default(), std::future::pending()).await;
    Ok(())
}
