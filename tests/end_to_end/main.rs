//! The binary `mcp-entra` end to end: a process between real clients, a real MCP server and a
//! stand-in for Entra ID that refuses what Entra refuses.
//!
//! Every test has a world of its own ([`harness::World`]), so all of them run at a time.

mod harness;

mod app_registration;
mod callers;
mod doctor;
mod documents;
mod explained;
mod faults;
mod keys;
mod operator;
mod platforms;
mod rmcp_client;
mod streaming;
