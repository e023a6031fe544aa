//! `mcp-entra` as a process, and its log.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::within;

const POLL: Duration = Duration::from_millis(5);

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
pub(crate) fn told(mut command: Command, options: &Options) -> Command {
    for (name, _) in std::env::vars() {
        if ["MCP_ENTRA_", "WEBSITE_", "FUNCTIONS_", "CONTAINER_APP_", "AZURE_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    command.args(&options.arguments);
    command.envs(options.variables.iter().map(|(name, value)| (name, value)));
    command
}

/// A running gateway. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    origin: String,
    log: Log,
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
        let mut child = command(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let log = Log::of(child.stderr.take().expect("its standard error is a pipe"));
        let mut gateway = Self { child, origin: String::new(), log };
        let started = async {
            loop {
                if let Some(address) = gateway.log.find("listening", "address") {
                    return Some(address);
                }
                if let Ok(Some(status)) = gateway.child.try_wait() {
                    // the log's last lines may still be on their way
                    tokio::time::sleep(10 * POLL).await;
                    let log = gateway.log.text();
                    assert!(log.contains("choose a free address"), "{status}: {log}");
                    return None;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let address = within("the gateway says where it listens", started).await?;
        gateway.origin = format!("http://{address}");
        Some(gateway)
    }

    /// Where it listens.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as platforms do.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().expect("it is our child") {
                    return status;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        within("the gateway ends", ended).await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // it may have ended already
        _ = self.child.kill();
        _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the gateway's log:\n{}", self.log.text());
        }
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.local_addr().expect("it is bound").port()
}

/// What a process has written to its standard error so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn of(stderr: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let lines = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        log
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// A field of the first line with this message.
    pub(crate) fn find(&self, message: &str, field: &str) -> Option<String> {
        let lines = self.lines();
        let fields = lines.iter().filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let fields = line.get("fields")?;
            (fields["message"] == message).then(|| fields[field].as_str().map(str::to_owned))
        });
        fields.flatten().next()
    }

    /// Waits for a line that contains `text`.
    pub(crate) async fn says(&self, text: &str) {
        let said = async {
            while !self.text().contains(text) {
                tokio::time::sleep(POLL).await;
            }
        };
        within(&format!("the log says {text:?}"), said).await;
    }
}
