//! A process of ours, and its log.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::within;

/// How often something that has to happen is looked for.
pub const POLL: Duration = Duration::from_millis(5);

/// Variables that an operator or a platform sets, and a test must not inherit.
const SETTINGS: [&str; 5] = ["MCP_ENTRA_", "WEBSITE_", "FUNCTIONS_", "CONTAINER_APP_", "AZURE_"];

/// A program that is run without the settings of this process's environment.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    without_settings(Command::new(program))
}

/// A command without the settings of this process's environment.
pub fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let known = name.to_string_lossy();
        if SETTINGS.iter().any(|prefix| known.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// A port that is free just now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.local_addr().expect("it is bound").port()
}

/// A running process. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: Log,
    group: bool,
}

impl Process {
    /// Starts it; what it writes to its standard error is its log. Its standard input ends when
    /// this process does.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Log::of(child.stderr.take().expect("its standard error is a pipe"));
        Self { child, log, group: false }
    }

    /// As [`Self::start`], for one that starts others: they are killed too.
    #[cfg(unix)]
    pub fn start_group(mut command: Command) -> Self {
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = Self::start(command);
        process.group = true;
        process
    }

    /// What it has written.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as platforms do.
    #[cfg(unix)]
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(status.success());
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = async {
            loop {
                if let Some(status) = self.status() {
                    return status;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        within("the process ends", ended).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.group {
            let group = format!("-{}", self.child.id());
            _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        }
        // it may have ended already
        _ = self.child.kill();
        _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the process's log:\n{}", self.log.text());
        }
    }
}

/// What a process has written to its standard error so far.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// What is read there, from now on.
    pub fn of(stderr: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let lines = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        log
    }

    /// Its lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// A field of the first line with this message.
    pub fn find(&self, message: &str, field: &str) -> Option<String> {
        let lines = self.lines();
        let fields = lines.iter().filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let fields = line.get("fields")?;
            (fields["message"] == message).then(|| fields[field].as_str().map(str::to_owned))
        });
        fields.flatten().next()
    }

    /// Waits for a line that contains `text`.
    pub async fn says(&self, text: &str) {
        let said = async {
            while !self.text().contains(text) {
                tokio::time::sleep(POLL).await;
            }
        };
        within(&format!("the log says {text:?}"), said).await;
    }
}
