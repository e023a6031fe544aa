//! The MCP server of the demo: two tools, and an interest in who calls.

use std::sync::Arc;

use hyper_util::service::TowerToHyperService;
use rmcp::ServerHandler;
use rmcp::handler::server::common::Extension;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{tool, tool_handler, tool_router};
use tokio::net::TcpListener;

use super::{Failure, spawn_server};

/// Starts it and returns its URL.
pub(crate) async fn start() -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/mcp", listener.local_addr()?);
    let service = StreamableHttpService::new(
        || Ok(Notes),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    spawn_server(listener, TowerToHyperService::new(service));
    Ok(url)
}

#[derive(Clone, Debug)]
struct Notes;

#[tool_router]
impl Notes {
    #[tool(description = "Greet the signed-in user")]
    fn greet(&self, Extension(head): Extension<http::request::Parts>) -> String {
        format!("Hello, {}!", header(&head, "mcp-entra-name"))
    }

    #[tool(description = "Delete a note; needs the scope mcp.write")]
    fn delete_note(&self, Extension(head): Extension<http::request::Parts>) -> String {
        format!(
            "Deleted, as {} may with {}.",
            header(&head, "mcp-entra-name"),
            header(&head, "mcp-entra-scopes")
        )
    }
}

#[tool_handler]
impl ServerHandler for Notes {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_instructions("A demo of mcp-entra: call greet to see who you are")
    }
}

/// What mcp-entra says about the caller. Behind it nobody else can set these headers.
fn header<'h>(head: &'h http::request::Parts, name: &str) -> &'h str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("nobody")
}
