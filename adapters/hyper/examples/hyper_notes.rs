//! An MCP server on hyper whose users sign in with Entra ID:
//! `cargo run -p mcp-entra-hyper --example hyper_notes`.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, body::Incoming};
use mcp_entra_driver::core::{Facade, Options, Principal, Settings};
use mcp_entra_hyper::{Driver, PassedBody, Service, server};
use rmcp::handler::server::common::Extension;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

#[derive(Clone)]
struct Notes;

#[tool_router]
impl Notes {
    #[tool(description = "Greet the signed-in user")]
    fn greet(&self, Extension(head): Extension<http::request::Parts>) -> String {
        let caller = head.extensions.get::<Arc<Principal>>();
        format!("Hello, {}!", caller.and_then(|caller| caller.name.as_deref()).unwrap_or("you"))
    }
}

#[tool_handler]
impl ServerHandler for Notes {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::parse(&Options {
        resource: std::env::var("MCP_ENTRA_RESOURCE")?,
        tenant: std::env::var("MCP_ENTRA_TENANT")?,
        client_id: std::env::var("MCP_ENTRA_CLIENT_ID")?,
        authority: std::env::var("MCP_ENTRA_AUTHORITY").unwrap_or_default(),
        ..Options::default()
    })?;
    let driver = Driver::new(Facade::new(settings))?;
    let config = StreamableHttpServerConfig::default();
    let mcp =
        StreamableHttpService::new(|| Ok(Notes), Arc::<LocalSessionManager>::default(), config);

    // it sees what passes only: calls with a caller, and paths that are neither ours nor MCP's
    let behind = service_fn(move |request: Request<PassedBody<Incoming>>| {
        let mcp = mcp.clone();
        async move {
            if request.extensions().get::<Arc<Principal>>().is_some() {
                return Ok::<_, Infallible>(mcp.handle(request).await);
            }
            let mut response = Response::new(http_body_util::Empty::new().boxed());
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        }
    });
    let listener = tokio::net::TcpListener::bind(std::env::var("MCP_ENTRA_LISTEN")?).await?;
    let (service, limits) = (Service::new(driver, behind), server::Limits::default());
    server::serve(listener, service, limits, std::future::pending()).await;
    Ok(())
}
