//! An MCP server whose users sign in with Entra ID: `cargo run -p mcp-entra-axum --example notes`.

use std::sync::Arc;

use mcp_entra_axum::{Entra, Options, Principal};
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

/// The MCP server with its sign-in.
pub(crate) fn app(options: &Options) -> Result<axum::Router, Box<dyn std::error::Error>> {
    let config = StreamableHttpServerConfig::default();
    let mcp =
        StreamableHttpService::new(|| Ok(Notes), Arc::<LocalSessionManager>::default(), config);

    let entra = Entra::new(options)?;
    let mcp = axum::Router::new().route_service("/mcp", mcp).route_layer(entra.protect());
    Ok(entra.router().merge(mcp))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = app(&Options {
        resource: std::env::var("MCP_ENTRA_RESOURCE")?,
        tenant: std::env::var("MCP_ENTRA_TENANT")?,
        client_id: std::env::var("MCP_ENTRA_CLIENT_ID")?,
        authority: std::env::var("MCP_ENTRA_AUTHORITY").unwrap_or_default(),
        ..Options::default()
    })?;
    let listener = tokio::net::TcpListener::bind(std::env::var("MCP_ENTRA_LISTEN")?).await?;
    axum::serve(listener, app).await?;
    Ok(())
}
