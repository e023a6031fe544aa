//! The binary `mcp-entra` end to end: a process between real clients, a real MCP server and a
//! stand-in for Entra ID that refuses what Entra refuses.
//!
//! Every test has a world of its own ([`harness::World`]), so all of them run at a time.

mod harness;

mod app_registration;
mod callers;
#[cfg(unix)]
mod child;
mod doctor;
mod documents;
mod explained;
mod fault_table;
mod faults;
#[cfg(unix)]
mod functions;
mod keys;
mod limits;
mod load;
mod operator;
mod platforms;
mod rmcp_client;
mod smuggling;
mod streaming;
