//! What the gateway is held against: hyper that does as little as can be.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::Failure;
use crate::server::{listen, serve};

/// Answers from a file: a list of `{path, status, headers, body}`.
pub(crate) async fn fixed(answers: &str) -> Result<(), Failure> {
    let file: Vec<Value> = serde_json::from_slice(&std::fs::read(answers)?)?;
    let answers: Result<HashMap<_, _>, Failure> = file.iter().map(answer).collect();
    let answers = Arc::new(answers?);
    let empty = || Response::new(Full::default());
    serve(listen().await?, move |request: Request<Incoming>| {
        let answers = answers.clone();
        async move {
            let answer = answers.get(request.uri().path()).cloned().unwrap_or_else(empty);
            if request.method() == http::Method::POST {
                _ = request.into_body().collect().await;
            }
            answer
        }
    })
    .await
}

fn answer(entry: &Value) -> Result<(String, Response<Full<Bytes>>), Failure> {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let mut response = Response::new(Full::from(text("body")));
    let status = entry["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    *response.status_mut() = StatusCode::from_u16(status.unwrap_or(200))?;
    let headers: HashMap<String, String> = serde_json::from_value(entry["headers"].clone())?;
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok((text("path"), response))
}

/// Streams to an upstream; with keys, after a check of the token.
pub(crate) async fn proxy(
    upstream: &str,
    certificate: &str,
    pool: bool,
    keys: Option<&str>,
) -> Result<(), Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(certificate)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(if pool { usize::MAX } else { 0 })
        .build(connector);
    let upstream: Uri = upstream.parse()?;
    let keys = keys.map(signing_keys).transpose()?.map(Arc::new);
    serve(listen().await?, move |mut request: Request<Incoming>| {
        let (client, keys, upstream) = (client.clone(), keys.clone(), upstream.clone());
        async move {
            if keys.is_some_and(|keys| !is_signed(request.headers(), &keys)) {
                return empty(StatusCode::UNAUTHORIZED);
            }
            let mut parts = upstream.into_parts();
            parts.path_and_query = request.uri().path_and_query().cloned();
            let Ok(uri) = Uri::from_parts(parts) else { return empty(StatusCode::BAD_REQUEST) };
            *request.uri_mut() = uri;
            request.headers_mut().remove(HOST);
            match client.request(request).await {
                Ok(response) => response.map(Either::Right),
                Err(_) => empty(StatusCode::BAD_GATEWAY),
            }
        }
    })
    .await
}

fn empty(status: StatusCode) -> Response<Either<Full<Bytes>, Incoming>> {
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = status;
    response
}

fn signing_keys(file: &str) -> Result<HashMap<String, DecodingKey>, Failure> {
    let set: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let keys = set["keys"].as_array().into_iter().flatten();
    let text = |key: &Value, name: &str| key[name].as_str().unwrap_or_default().to_owned();
    keys.map(|key| {
        let parsed = DecodingKey::from_rsa_components(&text(key, "n"), &text(key, "e"))?;
        Ok((text(key, "kid"), parsed))
    })
    .collect()
}

/// Signature, audience and time, as the least that a careful proxy checks.
fn is_signed(headers: &HeaderMap, keys: &HashMap<String, DecodingKey>) -> bool {
    let check = || {
        let token = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let header = jsonwebtoken::decode_header(token).ok()?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_aud = false;
        validation.validate_nbf = true;
        jsonwebtoken::decode::<Value>(token, keys.get(&header.kid?)?, &validation).ok()
    };
    check().is_some()
}
