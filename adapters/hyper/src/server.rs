//! An HTTP/1.1 server around hyper's: limits on what a client may cost, and a shutdown that loses
//! no accepted request.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use crate::head_timer::head_timer;

/// So many connections above the limit are told so at a time; further ones wait to be accepted.
const REFUSED_CONNECTIONS: usize = 256;
/// How long an answer of last resort waits to be asked for, and then to be read.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Requests that are on their way when a shutdown begins arrive within this time.
const GRACE: Duration = Duration::from_millis(100);
/// hyper takes no less.
const LEAST_HEADER_LENGTH: usize = 8 * 1024;

/// What a client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; further ones are answered with 503.
    pub connections: usize,
    /// How long a client may take to send the head of a request, and how long a connection may
    /// stay without a first one. A head that began is answered with 408.
    pub header_timeout: Duration,
    /// How long a connection may stay open between two requests. Where a proxy in front keeps its
    /// connections, longer than the proxy does, or now and then it uses one that is just closed.
    pub idle_timeout: Duration,
    /// The most octets of a request's head, 8 KiB at least; a longer one is answered with 431.
    pub header_length: usize,
    /// How long a client may read nothing of what there is to read; then its connection is closed.
    pub write_timeout: Duration,
    /// How long a shutdown waits for what is under way; streams end then.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_timeout: Duration::from_secs(15),
            header_length: 64 * 1024,
            idle_timeout: Duration::from_secs(300),
            write_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(20),
        }
    }
}

/// The address of the client, among the extensions of each request.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddr(pub SocketAddr);

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Serving,
    /// What is under way may finish.
    Draining,
    /// Nothing may.
    Over,
}

/// Serves until `shutdown` completes, then drains. Each request has its [`ClientAddr`] among its
/// extensions.
pub async fn serve<S, R>(
    listener: TcpListener,
    service: S,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let with_address = move |address| {
        let service = service.clone();
        service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ClientAddr(address));
            service.call(request)
        })
    };
    serve_each(listener, with_address, limits, shutdown).await;
}

/// As [`serve`], with a service for each connection, made of the client's address.
pub async fn serve_each<S, R>(
    listener: TcpListener,
    service: impl Fn(SocketAddr) -> S,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<R>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (phase, unchanged) = watch::channel(Phase::Serving);
    let places = Places::new(limits.connections);
    let start = move |stream: TcpStream, address: SocketAddr, place: Place| {
        // a socket that cannot do without delay works all the same
        _ = stream.set_nodelay(true);
        let (service, mut phase) = (service(address), unchanged.clone());
        tokio::spawn(async move {
            if place.is_within_limit() {
                run(stream, address, service, limits, &mut phase).await;
            } else {
                tracing::warn!(%address, "refused: there are as many connections as may be");
                refuse(stream).await;
            }
            drop(place);
        });
    };
    let mut shutdown = pin!(shutdown);

    loop {
        let (place, accepted) = tokio::select! {
            accepted = places.accept(&listener) => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, address)) => start(stream, address, place),
            Err(error) => {
                // out of file descriptors, mostly: a moment later some are free again
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    tracing::info!(
        seconds = limits.drain.as_secs(),
        "shutting down; requests under way may finish"
    );
    // the system has accepted these already
    while let Ok((place, Ok((stream, address)))) =
        tokio::time::timeout(Duration::ZERO, places.accept(&listener)).await
    {
        start(stream, address, place);
    }
    drop(listener);
    // each connection holds a receiver until its end; where there is none, nobody needs to know
    drop(start);
    _ = phase.send(Phase::Draining);
    if tokio::time::timeout(limits.drain, phase.closed()).await.is_err() {
        _ = phase.send(Phase::Over);
        tracing::info!("the rest was cut off");
    }
}

/// The connections that there may be.
struct Places {
    all: Arc<Semaphore>,
    within_limit: Arc<Semaphore>,
}

/// A connection's place, free again when it is dropped. The semaphores are never closed.
struct Place {
    _any: Option<OwnedSemaphorePermit>,
    within_limit: Option<OwnedSemaphorePermit>,
}

impl Places {
    fn new(limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS - REFUSED_CONNECTIONS);
        Self {
            all: Arc::new(Semaphore::new(limit + REFUSED_CONNECTIONS)),
            within_limit: Arc::new(Semaphore::new(limit)),
        }
    }

    /// The next connection, once there is a place for it, be it to be refused.
    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> (Place, std::io::Result<(TcpStream, SocketAddr)>) {
        let any = self.all.clone().acquire_owned().await.ok();
        let accepted = listener.accept().await;
        let within_limit = self.within_limit.clone().try_acquire_owned().ok();
        (Place { _any: any, within_limit }, accepted)
    }
}

impl Place {
    fn is_within_limit(&self) -> bool {
        self.within_limit.is_some()
    }
}

/// One connection to its end.
async fn run<S, R>(
    stream: TcpStream,
    address: SocketAddr,
    service: S,
    limits: Limits,
    phase: &mut watch::Receiver<Phase>,
) where
    S: Service<Request<Incoming>, Response = Response<R>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_timeout));
    let (stream, timer) = head_timer(Box::pin(stream), limits.header_timeout, limits.idle_timeout);
    let mut connection = http1::Builder::new()
        .timer(timer)
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_length.max(LEAST_HEADER_LENGTH))
        .serve_connection(TokioIo::new(stream), service);

    // where both are ready, what has arrived goes first
    let serving = tokio::select! {
        biased;
        ended = &mut connection => Some(ended),
        () = reached(phase, Phase::Draining) => None,
    };
    let arriving = match serving {
        Some(ended) => Some(ended),
        None => tokio::time::timeout(GRACE, &mut connection).await.ok(),
    };
    let ended = match arriving {
        Some(ended) => ended,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            tokio::select! {
                biased;
                ended = &mut connection => ended,
                () = reached(phase, Phase::Over) => return,
            }
        }
    };
    let Err(error) = ended else { return };
    tracing::debug!(%error, %address, "the connection ended early");
    if error.is_timeout() {
        let parts = connection.into_parts();
        // nobody waits for an answer on a connection on which nothing was asked
        if !parts.read_buf.is_empty() {
            let text = "the head of the request took too long to arrive\n";
            say(parts.io.into_inner(), StatusCode::REQUEST_TIMEOUT, text).await;
        }
    }
}

/// Waits for a phase. The server lives longer than its connections; if not, that is the end too.
async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    _ = phase.wait_for(|phase| *phase == wanted || *phase == Phase::Over).await;
}

/// Says that there are too many connections, once something is asked.
async fn refuse(mut stream: TcpStream) {
    let mut head = [0; 1024];
    if matches!(tokio::time::timeout(LAST_WORDS, stream.read(&mut head)).await, Ok(Ok(1..))) {
        let text = "there are as many connections as this server may have; try again\n";
        say(stream, StatusCode::SERVICE_UNAVAILABLE, text).await;
    }
}

/// Answers where hyper does not, and closes.
async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, status: StatusCode, text: &str) {
    let retry_after = match status {
        StatusCode::SERVICE_UNAVAILABLE => "retry-after: 5\r\n",
        _ => "",
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
         {retry_after}content-length: {}\r\n\r\n{text}",
        text.len()
    );
    let spoken = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // with something unread, closing would be a reset, which takes the answer away
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    // a client that does not listen has gone
    _ = tokio::time::timeout(LAST_WORDS, spoken).await;
}
