//! An MCP server on AWS Lambda whose users sign in with Entra ID: `adapters/lambda/emulate 9000` runs
//! it on this machine, `adapters/lambda/deploy` brings it to AWS.

use std::sync::Arc;

use lambda_http::{Error, run_with_streaming_response, tracing};
use mcp_entra_lambda::{Entra, Options, Principal};
use rmcp::handler::server::common::Extension;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
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
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let options = Options {
        resource: std::env::var("MCP_ENTRA_RESOURCE")?,
        tenant: std::env::var("MCP_ENTRA_TENANT")?,
        client_id: std::env::var("MCP_ENTRA_CLIENT_ID")?,
        authority: std::env::var("MCP_ENTRA_AUTHORITY").unwrap_or_default(),
        ..Options::default()
    };
    let entra = Entra::new(&options).await.inspect_err(|error| tracing::error!("{error}"))?;
    // the next request may go to another instance, so there are no sessions; and who has a token
    // is no browser that was led here by another name
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .disable_allowed_hosts();
    let mcp =
        StreamableHttpService::new(|| Ok(Notes), NeverSessionManager::default().into(), config);
    run_with_streaming_response(entra.protect(mcp)).await
}
