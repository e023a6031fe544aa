//! The handler as a process.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStderr, Command};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::app::App;

/// The host's own limit, from its source; the documentation says a minute.
const START: Duration = Duration::from_secs(30);

/// How often the host looks whether the handler is there.
const POLL: Duration = Duration::from_millis(25);

/// A running handler. It is killed when dropped, as the host does it: at once, and alone.
#[derive(Debug)]
pub(crate) struct Handler {
    child: Child,
    port: u16,
}

impl Handler {
    /// Starts it, and waits until it answers a `GET /`, in any way.
    pub(crate) async fn start(app: &App, mut command: Command, hostname: &str) -> io::Result<Self> {
        let port = app.port.map_or_else(free_port, Ok)?;
        let given: Vec<String> =
            command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        let hostname = ("WEBSITE_HOSTNAME".to_owned(), hostname.to_owned());
        for (name, value) in app.settings.iter().chain([&hostname]) {
            if !given.contains(name) {
                command.env(name, value);
            }
        }
        for name in ["FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_HTTPWORKER_PORT"] {
            command.env(name, port.to_string());
        }
        for name in ["FUNCTIONS_CUSTOMHANDLER_WORKER_ID", "FUNCTIONS_HTTPWORKER_ID"] {
            command.env(name, "00000000-0000-4000-8000-000000000004");
        }
        let child = command.spawn().map_err(|error| {
            let program = command.get_program().to_string_lossy().into_owned();
            io::Error::new(error.kind(), format!("the handler '{program}': {error}"))
        })?;
        let mut handler = Self { child, port };
        match tokio::time::timeout(START, handler.answers()).await {
            Ok(answers) => answers.map(|()| handler),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the handler never answered")),
        }
    }

    async fn answers(&mut self) -> io::Result<()> {
        loop {
            let ping = Request::get("/").header("host", format!("127.0.0.1:{}", self.port));
            let ping = ping.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
            if send(self.port, ping).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the handler ended: {status}")));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    pub(crate) fn try_wait(&mut self) -> io::Result<Option<std::process::ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        // it may have ended already
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Sends a request to the handler. No redirect is followed here.
pub(crate) async fn send<B>(port: u16, request: Request<B>) -> io::Result<hyper::Response<Incoming>>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // it ends with the answer's body, or when nobody reads that any more
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(io::Error::other)
}
