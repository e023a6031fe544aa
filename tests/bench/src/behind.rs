//! What stands behind whatever is measured: an MCP server, and an Entra ID of fixed answers.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Channel};
use hyper::body::{Frame, Incoming};
use mcp_entra_stand_in::EntraStandIn;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::Failure;
use crate::server::{AnyBody, connection, full, listen, serve};

const CLIENT: &str = "99999999-8888-4777-8666-555555555555";
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Hello, Ada"}],"isError":false}}"#;
const EVENT: &str =
    "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";

/// Serves both; prints where they are and what a client needs, one `name=value` a line.
pub(crate) async fn run(
    certificate: &str,
    key: &str,
    tokens: usize,
    delay: u64,
) -> Result<(), Failure> {
    let listener = listen().await?;
    let authority = format!("https://{}", listener.local_addr()?);
    let entra = EntraStandIn::builder().authority(&authority).start().await?;
    let documents = Arc::new(Documents::of(&entra)?);
    println!("authority={authority}");
    println!("tenant={}", entra.tenant());
    println!("keys={}", entra.keys());
    let mut out = std::io::stdout().lock();
    for _ in 0..tokens {
        let scope = format!("api://{CLIENT}/access_as_user");
        let token = entra.access_token_for(&Default::default(), CLIENT, &scope);
        writeln!(out, "token={}", token.map_err(|refusal| format!("{refusal:?}"))?)?;
    }
    drop(out);
    let acceptor = TlsAcceptor::from(Arc::new(tls(certificate, key)?));
    let delay = Duration::from_millis(delay);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, documents) = (acceptor.clone(), documents.clone());
            _ = stream.set_nodelay(true);
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let answer = move |request| entra_id(request, documents.clone(), delay);
                connection(stream, answer).await;
            });
        }
    });
    serve(crate::server::listen().await?, mcp).await
}

fn tls(certificate: &str, key: &str) -> Result<ServerConfig, Failure> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}

/// What Entra ID answers, whatever it is asked.
struct Documents {
    discovery: Bytes,
    keys: Bytes,
    token: Bytes,
}

impl Documents {
    fn of(entra: &EntraStandIn) -> Result<Self, Failure> {
        let discovery = entra.discovery_document(&entra.tenant());
        let token = serde_json::json!({
            "token_type": "Bearer",
            "scope": format!("api://{CLIENT}/access_as_user"),
            "expires_in": 3599,
            "access_token": "a".repeat(1500),
            "refresh_token": "r".repeat(1000),
        });
        Ok(Self {
            discovery: discovery.map_err(|refusal| format!("{refusal:?}"))?.to_string().into(),
            keys: entra.keys().to_string().into(),
            token: token.to_string().into(),
        })
    }
}

async fn entra_id(
    request: Request<Incoming>,
    documents: Arc<Documents>,
    delay: Duration,
) -> Response<AnyBody> {
    let path = request.uri().path();
    let answer = match path {
        _ if path.ends_with("/token") => documents.token.clone(),
        _ if path.contains("/keys") => documents.keys.clone(),
        _ => documents.discovery.clone(),
    };
    _ = request.into_body().collect().await;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    json(answer)
}

/// A call is answered at once. `GET` opens a stream of as many events as `?events=` says, or one
/// that says nothing.
async fn mcp(request: Request<Incoming>) -> Response<AnyBody> {
    if request.method() == http::Method::POST {
        _ = request.into_body().collect().await;
        return json(Bytes::from_static(ANSWER.as_bytes()));
    }
    let events = request.uri().query().and_then(|query| query.strip_prefix("events="));
    let events = events.map(|events| events.parse::<u32>().unwrap_or_default());
    let (mut sender, body) = Channel::<Bytes, Failure>::new(1);
    tokio::spawn(async move {
        let event = || Frame::data(Bytes::from_static(EVENT.as_bytes()));
        for _ in 0..events.unwrap_or(1) {
            if sender.send(event()).await.is_err() {
                return;
            }
            // one event, one write: as where something happens in between
            tokio::task::yield_now().await;
        }
        if events.is_none() {
            std::future::pending::<()>().await;
        }
    });
    let mut response = Response::new(body.boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn json(body: Bytes) -> Response<AnyBody> {
    let mut response = Response::new(full(body));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
