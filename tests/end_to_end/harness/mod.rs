//! What the tests stand on.
//!
//! | | |
//! |---|---|
//! | `world` | the stand-in, a server behind and the gateway, together |
//! | `gateway` | `mcp-entra` as a process, and its log |
//! | `mcp_server` | a real MCP server that remembers what it was sent |
//! | `server` | a plain HTTP server of a test's own |
//! | `web` | a plain HTTP client that follows nothing and hides nothing |
//! | `sign_in` | the steps of a sign-in, each by hand |

mod gateway;
mod mcp_server;
mod server;
mod sign_in;
mod web;
mod world;

pub(crate) use gateway::{BINARY, Gateway, Log, Options, command, told};
pub(crate) use mcp_server::McpServer;
pub(crate) use server::{Reply, Server, empty, pipe, text};
pub(crate) use sign_in::{SignIn, Tokens, VERIFIER, browse, error_of};
pub(crate) use web::{Sent, Web, header, json_body, query};
pub(crate) use world::World;

/// Longer than anything here may take; what takes longer hangs.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Waits for something that has to happen.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}
