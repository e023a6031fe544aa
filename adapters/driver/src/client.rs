//! The HTTPS client towards Entra: pooled, bounded in time and length, following no redirect.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use mcp_entra_core::UpstreamError;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

/// How long an answer may take, from the name look-up to its last octet. Claude gives a token
/// request ten seconds, so ours ends before.
pub const TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Entra closes idle connections after a few minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The client. Cheap to clone; clones share the pool.
#[derive(Clone, Debug)]
pub struct Client {
    inner: hyper_util::client::legacy::Client<Connector, Full<Bytes>>,
    timeout: Duration,
}

impl Client {
    /// A client that believes the machine's root certificates, or those of `SSL_CERT_FILE`.
    ///
    /// # Errors
    /// Where `SSL_CERT_FILE` names something that is no certificate file.
    pub fn new() -> Result<Self, ClientError> {
        Ok(Self::with_connector(Connector::native()?))
    }

    /// A client with TLS settings of your own.
    pub fn with_tls_config(config: ClientConfig) -> Self {
        Self::with_connector(Connector::new(config))
    }

    /// A client that connects as another one beside it does.
    pub fn with_connector(connector: Connector) -> Self {
        Self::with_idle_connections(connector, usize::MAX)
    }

    /// A client that keeps no connection for later: for hosts that freeze a process, and with it
    /// connections that are gone when it goes on.
    pub fn without_idle_connections(connector: Connector) -> Self {
        Self::with_idle_connections(connector, 0)
    }

    fn with_idle_connections(connector: Connector, most: usize) -> Self {
        let inner = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(most)
            .build(connector);
        Self { inner, timeout: TIMEOUT }
    }

    /// The same client with another bound on the whole of an answer.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Asks, and reads the answer up to `limit` octets.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, UpstreamError> {
        let ask = async {
            let answer = self.inner.request(request.map(Full::new)).await.map_err(|error| {
                tracing::warn!(error = %causes(&error), "Entra ID cannot be reached");
                UpstreamError::Unreachable
            })?;
            let (head, body) = answer.into_parts();
            let body =
                Limited::new(body, limit).collect().await.map_err(|error| match error
                    .is::<LengthLimitError>(
                ) {
                    true => UpstreamError::TooLong,
                    false => UpstreamError::Incomplete,
                })?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::time::timeout(self.timeout, ask).await.unwrap_or(Err(UpstreamError::Timeout))
    }
}

/// Connects over TCP, with TLS where the address asks for it. Cheap to clone; clones share the
/// TLS settings.
#[derive(Clone, Debug)]
pub struct Connector(Arc<OnceCell<HttpsConnector<HttpConnector>>>);

impl Connector {
    /// A connector with these TLS settings.
    pub fn new(config: ClientConfig) -> Self {
        Self(Arc::new(OnceCell::new_with(Some(https_connector(config)))))
    }

    /// A connector that believes the machine's root certificates, or those of `SSL_CERT_FILE`; the
    /// bundled ones where the machine has none, as in an empty container.
    ///
    /// # Errors
    /// Where `SSL_CERT_FILE` names something that is no certificate file.
    pub fn native() -> Result<Self, ClientError> {
        Ok(Self::new(tls_config()?))
    }

    /// As [`Self::native`], with the certificates read beside the runtime when they are first
    /// needed: that takes longer than all else at the start of a process, which meanwhile answers.
    pub fn lazy() -> Self {
        Self(Arc::default())
    }

    /// Completes when the certificates are there.
    ///
    /// # Errors
    /// Where `SSL_CERT_FILE` names something that is no certificate file.
    pub async fn ready(&self) -> Result<(), ClientError> {
        self.https().await.map(drop)
    }

    async fn https(&self) -> Result<&HttpsConnector<HttpConnector>, ClientError> {
        let read = || async {
            let config = tokio::task::spawn_blocking(tls_config).await;
            let config =
                config.map_err(|error| ClientError::Tls { reason: error.to_string() })??;
            Ok(https_connector(config))
        };
        self.0.get_or_try_init(read).await
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // as hyper's own connectors, it is always ready
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.https().await?.clone().call(uri).await })
    }
}

fn https_connector(config: ClientConfig) -> HttpsConnector<HttpConnector> {
    hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http_connector())
}

fn tls_config() -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let named = std::env::var_os("SSL_CERT_FILE").or_else(|| std::env::var_os("SSL_CERT_DIR"));
    if let (Some(named), true) = (named, native.certs.is_empty()) {
        let reason = native
            .errors
            .first()
            .map_or_else(|| "no certificate in it".into(), ToString::to_string);
        return Err(ClientError::Certificates { path: named.to_string_lossy().into(), reason });
    }
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Tls { reason: error.to_string() })?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// A connector that gives up on a connection before a caller would.
fn http_connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    connector
}

/// An error and what led to it, for the log.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Why no client can be set up.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR` leads to no certificate.
    #[error(
        "SSL_CERT_FILE or SSL_CERT_DIR '{path}' gives no certificate: {reason}; name a PEM file that can be read"
    )]
    Certificates {
        /// What the variable names.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library refuses its own defaults.
    #[error("no TLS client can be set up: {reason}")]
    Tls {
        /// What it said.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;

    use super::*;

    /// Answers every request on a connection that stays open.
    fn answer(connection: &TcpStream) {
        let mut connection = BufReader::new(connection);
        let mut line = String::new();
        while matches!(connection.read_line(&mut line), Ok(1..)) {
            if line == "\r\n" {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                connection.get_mut().write_all(answer).unwrap();
            }
            line.clear();
        }
    }

    /// On how many connections three requests go out, one after the other.
    async fn connections_of(client: Client) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (accepted, seen) = mpsc::channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                accepted.send(()).unwrap();
                std::thread::spawn(move || answer(&connection.unwrap()));
            }
        });
        for _ in 0..3 {
            let request = Request::get(&url).body(Bytes::new()).unwrap();
            assert_eq!(client.send(request, 0).await.unwrap().status(), 200);
        }
        seen.try_iter().count()
    }

    #[tokio::test]
    async fn a_connection_is_kept_for_later_unless_a_freeze_may_come_between() {
        assert_eq!(connections_of(Client::new().unwrap()).await, 1);
        let client = Client::without_idle_connections(Connector::native().unwrap());
        assert_eq!(connections_of(client).await, 3);
    }
}
