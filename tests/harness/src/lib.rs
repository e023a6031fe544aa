//! What the tests of whole processes stand on.
//!
//! | | |
//! |---|---|
//! | [`process`] | a process of ours, and its log |
//! | [`mcp_server`] | a real MCP server that says what it was sent, on its own or within a process |
//! | [`server`] | a plain HTTP server of a test's own |
//! | [`web`] | a plain HTTP client that follows nothing and hides nothing |
//! | [`sign_in`] | the steps of a sign-in, each by hand |
//! | [`rmcp_client`] | the real rmcp client, which signs in by itself |
//! | [`entra`] | what a test wants of the stand-in for Entra ID |

pub mod entra;
pub mod mcp_server;
pub mod process;
pub mod rmcp_client;
pub mod server;
pub mod sign_in;
pub mod web;

pub use entra::{access_token, asked};
pub use mcp_server::{Behind, McpServer};
pub use process::{Log, POLL, Process, command, free_port, without_settings};
pub use rmcp_client::Client;
pub use server::{Reply, Server, empty, pipe, text};
pub use sign_in::{SignIn, Tokens, VERIFIER, browse, error_of};
pub use web::{Sent, Site, Web, header, json_body, query};

/// Longer than anything here may take; what takes longer hangs.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Waits for something that has to happen.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}
