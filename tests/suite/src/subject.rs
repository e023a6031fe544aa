//! The MCP server of the tests with an adapter in it, in the idiom of each: `subject axum`, or
//! `SUBJECT=axum` for a platform that gives no arguments.

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

type Anything<T> = Result<T, Box<dyn Error + Send + Sync>>;

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
    match std::env::args().nth(1).or_else(|| std::env::var("SUBJECT").ok()).as_deref() {
        Some("axum") => in_axum(&options).await,
        Some("hyper") => in_hyper(&options).await,
        Some("lambda") => in_lambda(&options).await,
        _ => Err("usage: subject axum|hyper|lambda".into()),
    }
}

async fn listener() -> Anything<TcpListener> {
    Ok(TcpListener::bind(std::env::var("MCP_ENTRA_LISTEN")?).await?)
}

async fn in_axum(options: &Options) -> Anything<()> {
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
    axum::serve(listener().await?, entra.router().merge(mcp)).await?;
    Ok(())
}

async fn in_hyper(options: &Options) -> Anything<()> {
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
    server::serve(listener().await?, service, Limits::default(), std::future::pending()).await;
    Ok(())
}

async fn in_lambda(options: &Options) -> Anything<()> {
    let entra = mcp_entra_lambda::Entra::new(options).await?;
    let behind = Behind::without_sessions();
    let handler = lambda_http::service_fn(move |request: lambda_http::Request| {
        let behind = behind.clone();
        async move { behind.answer(request).await }
    });
    lambda_http::run_with_streaming_response(entra.protect(handler)).await
}
