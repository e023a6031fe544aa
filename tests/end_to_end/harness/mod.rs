//! What the tests of the gateway stand on, beside `mcp_entra_harness`.
//!
//! | | |
//! |---|---|
//! | `world` | the stand-in, a server behind and the gateway, together |
//! | `gateway` | `mcp-entra` as a process |

mod gateway;
mod world;

pub(crate) use gateway::{BINARY, Gateway, Options, command, told};
pub(crate) use mcp_entra_harness::{
    Log, McpServer, PATIENCE, Reply, Sent, Server, SignIn, Tokens, VERIFIER, Web, empty, error_of,
    header, json_body, pipe, text, within,
};
pub(crate) use world::World;
