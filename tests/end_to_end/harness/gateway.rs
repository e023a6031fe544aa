//! `mcp-entra` as a process.

use std::process::{Command, ExitStatus};

use mcp_entra_harness::{Log, POLL, Process, free_port, within};

/// The binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_mcp-entra");

/// What a process is told. Variables give way to arguments, as the binary has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Options {
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// These, and the others where these say nothing.
    pub(crate) fn or(self, others: &Self) -> Self {
        let variables = [others.variables.clone(), self.variables].concat();
        let arguments = [others.arguments.clone(), self.arguments].concat();
        Self { arguments, variables }
    }
}

/// The binary with these options and no other of this process's environment.
pub(crate) fn command(options: &Options) -> Command {
    told(Command::new(BINARY), options)
}

/// A command that is told these options.
pub(crate) fn told(command: Command, options: &Options) -> Command {
    let mut command = mcp_entra_harness::without_settings(command);
    command.args(&options.arguments);
    command.envs(options.variables.iter().map(|(name, value)| (name, value)));
    command
}

/// A running gateway. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    process: Process,
    origin: String,
}

impl Gateway {
    /// Starts `serve`. Without `--listen` it gets a port that is free just now, and a resource
    /// that names it.
    pub(crate) async fn start(options: &Options) -> Self {
        for _ in 0..20 {
            let port = free_port();
            let defaults = Options::default()
                .arguments(&["serve"])
                .variable("MCP_ENTRA_LISTEN", format!("127.0.0.1:{port}"))
                .variable("MCP_ENTRA_RESOURCE", format!("http://127.0.0.1:{port}/mcp"))
                .variable("MCP_ENTRA_LOG_FORMAT", "json");
            if let Some(gateway) = Self::spawn(&options.clone().or(&defaults)).await {
                return gateway;
            }
        }
        panic!("no port stays free");
    }

    /// `None` where somebody else has taken the port.
    async fn spawn(options: &Options) -> Option<Self> {
        let mut process = Process::start(command(options));
        let started = async {
            loop {
                if let Some(address) = process.log().find("listening", "address") {
                    return Some(address);
                }
                if let Some(status) = process.status() {
                    // the log's last lines may still be on their way
                    tokio::time::sleep(10 * POLL).await;
                    let log = process.log().text();
                    assert!(log.contains("choose a free address"), "{status}: {log}");
                    return None;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let address = within("the gateway says where it listens", started).await?;
        Some(Self { process, origin: format!("http://{address}") })
    }

    /// Where it listens.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn log(&self) -> &Log {
        self.process.log()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to end, as platforms do.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        self.process.terminate();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }
}
