//! Who is examined: every way to run mcp-entra, each as a process.
//!
//! A subject is told what the operator of any of them says, by the variables `MCP_ENTRA_…`:
//! where to listen, the resource, tenant, client id, authority, and the server behind, where it
//! has one. A new adapter is a new row.

use std::path::PathBuf;
use std::process::Command;

/// A way to run mcp-entra.
pub(crate) struct Subject {
    /// As the table names it.
    pub(crate) name: &'static str,
    /// How it is started, on a port.
    pub(crate) command: fn(port: u16) -> Command,
}

/// Those that serve what [`mcp_entra_harness::Behind`] serves, in front of it or around it.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject { name: "gateway", command: |_| binary("mcp-entra", &["serve"]) },
    Subject { name: "axum", command: |_| binary("subject", &["axum"]) },
    Subject { name: "hyper", command: |_| binary("subject", &["hyper"]) },
    Subject { name: "Lambda", command: |port| lambda(port, "subject") },
    Subject { name: "Worker", command: |_| node("core/examples/worker/serve.mjs") },
    Subject { name: "Functions, proxying", command: |port| functions("proxying", port) },
    Subject { name: "Functions, forwarding", command: |port| functions("forwarding", port) },
    Subject { name: "Functions, envelope", command: |port| functions("envelope", port) },
];

/// The examples, which greet their user and serve nothing else.
pub(crate) const EXAMPLES: &[Subject] = &[
    Subject { name: "axum, `notes.rs`", command: |_| binary("examples/notes", &[]) },
    Subject { name: "hyper, `hyper_notes.rs`", command: |_| binary("examples/hyper_notes", &[]) },
    Subject { name: "Lambda, `notes.rs`", command: |port| lambda(port, "examples/lambda_notes") },
    Subject { name: "the core alone, `embed.rs`", command: |_| binary("examples/embed", &[]) },
];

/// A binary of this workspace, beside the one that runs.
fn binary(name: &str, arguments: &[&str]) -> Command {
    let suite = std::env::current_exe().expect("this process has a file");
    let binary = suite.with_file_name(name);
    assert!(binary.exists(), "{} is not built; tests/suite/run builds it", binary.display());
    let mut command = mcp_entra_harness::command(binary);
    command.args(arguments);
    command
}

/// A function under cargo-lambda's emulator.
fn lambda(port: u16, function: &str) -> Command {
    let mut command = mcp_entra_harness::command(root().join("adapters/lambda/emulate"));
    command.arg(port.to_string()).arg(binary(function, &[]).get_program());
    command.env("SUBJECT", "lambda");
    command
}

/// The gateway, started by the stand-in for the Functions host.
fn functions(mode: &str, port: u16) -> Command {
    let listen = format!("127.0.0.1:{port}");
    let mut command =
        binary("functions-host-stand-in", &["--mode", mode, "--listen", &listen, "--"]);
    command.arg(binary("mcp-entra", &[]).get_program()).arg("serve");
    // the host says where
    command.env_remove("MCP_ENTRA_LISTEN");
    if mode == "envelope" {
        command.env("MCP_ENTRA_FUNCTIONS_ENVELOPE", "mcp");
    }
    command
}

fn node(script: &str) -> Command {
    let mut command = mcp_entra_harness::command("node");
    command.arg(root().join(script));
    command
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
