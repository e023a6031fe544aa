//! The host on a socket: routes, keys, and what it answers itself.

use std::io;
use std::net::SocketAddr;
use std::process::{ChildStderr, Command, ExitStatus};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use crate::app::{App, Function, Level, Mode};
use crate::handler::Handler;
use crate::{envelope, forwarding, proxying};

pub(crate) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// What becomes of a request; an error closes the connection.
pub(crate) type Reply = io::Result<Response<Body>>;

/// A running host. It and its handler stop when it is dropped.
#[derive(Debug)]
pub struct FunctionsHost {
    address: SocketAddr,
    handler: Handler,
    task: AbortHandle,
}

impl FunctionsHost {
    /// Starts the handler, waits until it answers, then serves.
    ///
    /// # Errors
    /// Where the address is taken, or the handler cannot be started, ends, or does not answer in
    /// time.
    pub async fn start(app: App, handler: Command, listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let hostname = format!("localhost:{}", address.port());
        let handler = Handler::start(&app, handler, &hostname).await?;
        let port = handler.port();
        let task = tokio::spawn(serve(listener, Arc::new(app), port)).abort_handle();
        Ok(Self { address, handler, task })
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handler's port on loopback.
    #[must_use]
    pub fn handler_port(&self) -> u16 {
        self.handler.port()
    }

    /// The handler's process.
    #[must_use]
    pub fn handler_id(&self) -> u32 {
        self.handler.id()
    }

    /// What the handler writes to standard error, if that was asked to be a pipe; once.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.handler.take_stderr()
    }

    /// The handler's end, if it has ended.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn handler_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.handler.try_wait()
    }
}

impl Drop for FunctionsHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, app: Arc<App>, port: u16) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                _ = stream.set_nodelay(true);
                let app = app.clone();
                let service = service_fn(move |request| respond(request, app.clone(), port));
                connections.spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn respond(request: Request<Incoming>, app: Arc<App>, port: u16) -> Reply {
    let path = request.uri().path();
    let first = path.split('/').nth(1).unwrap_or_default();
    if first.eq_ignore_ascii_case("admin") {
        return Ok(text(StatusCode::UNAUTHORIZED, ""));
    }
    if first.eq_ignore_ascii_case("runtime") {
        return Ok(text(StatusCode::NOT_FOUND, ""));
    }
    let method = request.method().as_str();
    let allowed = |function: &&Function| {
        function.methods.as_ref().is_none_or(|methods| methods.iter().any(|known| known == method))
    };
    let found = app.functions.iter().filter(allowed).find_map(|function| {
        function.matches(&app.route_prefix, path).map(|parameter| (function, parameter))
    });
    let Some((function, parameter)) = found else {
        return Ok(match path {
            "/" if app.has_homepage() => {
                text(StatusCode::OK, "Your Functions app is up and running")
            }
            "/" => text(StatusCode::NO_CONTENT, ""),
            _ => text(StatusCode::NOT_FOUND, ""),
        });
    };
    if function.level == Level::Key {
        return Ok(text(StatusCode::UNAUTHORIZED, ""));
    }
    match app.mode {
        Mode::Proxying => proxying::pass(request, port).await,
        Mode::Forwarding => forwarding::pass(request, port).await,
        Mode::Envelope => envelope::pass(request, function, parameter, port).await,
    }
}

pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    response
}

pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// The invocation failed: the caller learns no more.
pub(crate) fn failed(why: &str) -> Response<Body> {
    eprintln!("functions-host-stand-in: the invocation failed: {why}");
    text(StatusCode::INTERNAL_SERVER_ERROR, "")
}
