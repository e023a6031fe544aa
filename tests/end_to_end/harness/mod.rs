//! What the tests of the gateway stand on, beside `mcp_entra_harness`.
//!
//! | | |
//! |---|---|
//! | `world` | the stand-in, a server behind and the gateway, together |
//! | `gateway` | `mcp-entra` as a process |
//! | `tls` | TLS in front of the stand-in, with a certificate that is right or wrong |
//! | `wire` | a connection by the octet |

mod gateway;
mod tls;
mod wire;
mod world;

pub(crate) use gateway::{BINARY, Gateway, Options, command, memory, peak_memory, told};
pub(crate) use mcp_entra_harness::{
    Log, McpServer, PATIENCE, Reply, Sent, Server, SignIn, Tokens, VERIFIER, Web, empty, error_of,
    header, json_body, pipe, query, text, within,
};
pub(crate) use tls::{Certificate, Tls};
pub(crate) use wire::{Wire, status_of};
pub(crate) use world::World;
