//! `serve -- COMMAND`: the MCP server behind, as a process of ours.
//!
//! Where a platform starts one program and no more (a Functions app, a container, a service), the
//! gateway starts the server. It tells it its port, lets calls wait until something listens there,
//! ends it when it ends itself, and ends when the server does.

use std::fmt;
use std::io;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process;
use tokio::sync::watch;
use url::Url;

/// How often it is tried whether the server listens.
const POLL: Duration = Duration::from_millis(50);
/// How often the log says that it still does not.
const REMINDER: Duration = Duration::from_secs(10);
/// What the server has to end in, once it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// Where servers look for the port to listen on. The Functions host's own variables are ours, and a
/// server that was written for that host must not listen on our port.
const PORT: &str = "PORT";
const FUNCTIONS_PORTS: [&str; 2] = ["FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_HTTPWORKER_PORT"];
/// What is nobody's business but ours.
const SECRETS: [&str; 2] = ["MCP_ENTRA_CLIENT_SECRET", "MCP_ENTRA_CLIENT_SECRET_FILE"];

/// The server behind. Its whole process group is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: process::Child,
    /// The process group, which has the number of its first process.
    group: Option<u32>,
    command: String,
    accepting: Accepting,
}

impl Child {
    /// Starts `command`, a program and its arguments, to listen at `upstream`.
    ///
    /// # Errors
    /// A sentence for the operator, where it cannot be started.
    pub(crate) fn start(command: &[String], upstream: &Url) -> Result<Self, String> {
        let port = upstream.port_or_known_default().unwrap_or_default().to_string();
        // the program alone: arguments may hold what no log should
        let shown = command.first().cloned().unwrap_or_default();
        let mut process = starting(command);
        process.stdin(Stdio::null()).env(PORT, &port);
        for name in FUNCTIONS_PORTS.iter().filter(|name| std::env::var_os(name).is_some()) {
            process.env(name, &port);
        }
        for name in SECRETS {
            process.env_remove(name);
        }
        // a signal from the terminal comes to us, and we pass it on when its time has come
        #[cfg(unix)]
        process.process_group(0);
        let process = process.spawn().map_err(|error| cannot_start(&shown, &error))?;
        let group = process.id();
        tracing::info!(command = shown, PORT = port, "started the MCP server behind");
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(watch_for(upstream.clone(), sender));
        Ok(Self { process, group, command: shown, accepting: Accepting(receiver) })
    }

    /// Whether the server listens yet.
    pub(crate) fn accepting(&self) -> Accepting {
        self.accepting.clone()
    }

    /// Waits for its end, and says what it was.
    pub(crate) async fn ended(&mut self) -> Ended {
        let status = self.process.wait().await;
        // what it has started does not outlive it
        self.kill();
        Ended { command: self.command.clone(), status }
    }

    /// Asks it to end, and sees to it.
    pub(crate) async fn stop(mut self) {
        #[cfg(unix)]
        if let Some(group) = self.group() {
            // it may have ended just now
            _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
            if tokio::time::timeout(GRACE, self.process.wait()).await.is_err() {
                tracing::warn!(
                    command = self.command,
                    "the MCP server behind did not end in {} seconds, and is killed",
                    GRACE.as_secs()
                );
            }
        }
        // dropping it kills what is left
    }

    #[cfg(unix)]
    fn group(&self) -> Option<rustix::process::Pid> {
        self.group.and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?))
    }

    fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.group() {
            // there may be nobody left
            _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        self.group = None;
        _ = self.process.start_kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct Ended {
    command: String,
    status: io::Result<ExitStatus>,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.status {
            Ok(status) => write!(f, "the MCP server behind, '{}', ended: {status}", self.command),
            Err(error) => write!(f, "the MCP server behind, '{}', is lost: {error}", self.command),
        }
    }
}

/// Whether the server behind listens yet.
#[derive(Clone, Debug)]
pub(crate) struct Accepting(watch::Receiver<bool>);

impl Accepting {
    pub(crate) fn is_true(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it listens; `false` where it does not within `limit`.
    pub(crate) async fn within(&self, limit: Duration) -> bool {
        if self.is_true() {
            return true;
        }
        let mut receiver = self.0.clone();
        let accepting = receiver.wait_for(|accepting| *accepting);
        matches!(tokio::time::timeout(limit, accepting).await, Ok(Ok(_)))
    }
}

/// Tries until somebody listens at `upstream`.
async fn watch_for(upstream: Url, accepting: watch::Sender<bool>) {
    let (host, port) = (upstream.host_str(), upstream.port_or_known_default());
    let host = host.unwrap_or_default().trim_matches(['[', ']']);
    let address = (host, port.unwrap_or_default());
    let mut waited = Duration::ZERO;
    while let Err(error) = TcpStream::connect(address).await {
        if waited >= REMINDER {
            waited = Duration::ZERO;
            tracing::warn!(%error, %upstream, "still waiting for the MCP server behind to listen");
        }
        tokio::time::sleep(POLL).await;
        waited += POLL;
    }
    tracing::info!(%upstream, "the MCP server behind listens");
    accepting.send_replace(true);
}

/// A port on loopback that is free just now.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn cannot_start(command: &str, error: &io::Error) -> String {
    format!("-- '{command}': {error}; give the command that starts the MCP server, after --")
}

/// On Linux the program goes by way of [`become_command`], so that it ends when we are killed
/// outright, as the Functions host does with its handlers.
#[cfg(target_os = "linux")]
fn starting(command: &[String]) -> process::Command {
    let mut process = process::Command::new("/proc/self/exe");
    process.arg0("mcp-entra").args(["behind", "--"]).args(command);
    process
}

#[cfg(not(target_os = "linux"))]
fn starting(command: &[String]) -> process::Command {
    let (program, arguments) = command.split_first().map_or(("", &[][..]), |(p, a)| (p, a));
    let mut process = process::Command::new(program);
    process.args(arguments);
    process
}

/// Becomes `command`, which gets SIGTERM when the process that started this one is gone.
#[cfg(target_os = "linux")]
pub(crate) fn become_command(command: &[String]) -> ExitCode {
    use std::os::unix::process::CommandExt as _;

    let term = Some(rustix::process::Signal::TERM);
    // without it the server may outlive us, and that is all
    _ = rustix::process::set_parent_process_death_signal(term);
    let (program, arguments) =
        command.split_first().map_or(("", &[][..]), |(program, rest)| (program.as_str(), rest));
    let error = std::process::Command::new(program).args(arguments).exec();
    eprintln!("mcp-entra: {}", cannot_start(program, &error));
    // as shells have it
    ExitCode::from(127)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_learns_of_it_and_who_has_waited_long_enough_goes() {
        let (sender, receiver) = watch::channel(false);
        let accepting = Accepting(receiver);
        assert!(!accepting.within(Duration::ZERO).await);
        let waiting = tokio::spawn({
            let accepting = accepting.clone();
            async move { accepting.within(Duration::MAX).await }
        });
        sender.send_replace(true);
        assert!(waiting.await.unwrap());
        assert!(accepting.is_true());
    }

    #[tokio::test]
    async fn a_server_that_listens_is_found_by_name_and_by_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1"] {
            let (sender, receiver) = watch::channel(false);
            watch_for(format!("http://{host}:{port}/mcp").parse().unwrap(), sender).await;
            assert!(*receiver.borrow());
        }
    }
}
