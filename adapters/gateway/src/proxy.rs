//! The way to the MCP server behind: heads amended, bodies streamed and never buffered.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_TYPE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::ResponseFuture;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mcp_entra_core::Resource;
use mcp_entra_core::principal::IDENTITY_HEADERS;
use mcp_entra_driver::PassedBody;
use mcp_entra_driver::client::{Connector, causes};
use url::Url;

use crate::limits::Limits;
use crate::paced_body::{PacedBody, PauseError};
use crate::serve::RequestBody;

/// Headers that concern one connection and are not passed on (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Passes requests on to one MCP server.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    client: hyper_util::client::legacy::Client<Connector, SentBody>,
    body_timeout: Duration,
    timeout: Option<Duration>,
    /// Scheme and authority of the server behind.
    origin: Uri,
    host: HeaderValue,
    /// Its path, which stands for the public one.
    path: String,
    public_path: String,
    public_host: HeaderValue,
    public_scheme: HeaderValue,
}

type SentBody = PacedBody<PassedBody<RequestBody>>;
pub(crate) type ProxyBody = Either<Full<Bytes>, Incoming>;

impl Proxy {
    pub(crate) fn new(
        upstream: &Url,
        resource: &Resource,
        connector: Connector,
        limits: &Limits,
    ) -> Self {
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        let (scheme, host) = resource.origin().split_once("://").unwrap_or_default();
        let origin: Uri = upstream.origin().ascii_serialization().parse().unwrap_or_default();
        let behind = origin.authority().map_or("", |authority| authority.as_str());
        let value = |text| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        Self {
            client,
            body_timeout: limits.body_timeout,
            timeout: limits.upstream_timeout,
            host: value(behind),
            path: upstream.path().to_owned(),
            public_path: resource.path().to_owned(),
            public_host: value(host),
            public_scheme: value(scheme),
            origin,
        }
    }

    /// Passes a request on and streams the answer back; `forwarded_for` is the client's address.
    pub(crate) fn forward(
        self: Arc<Self>,
        request: Request<PassedBody<RequestBody>>,
        forwarded_for: Option<&HeaderValue>,
    ) -> impl Future<Output = Response<ProxyBody>> + Send + use<> {
        let asked = self.amend(request, forwarded_for).map(|request| self.client.request(request));
        async move {
            match asked {
                Some(asked) => self.answer(asked).await,
                None => answer(StatusCode::BAD_REQUEST, "the path cannot be passed on"),
            }
        }
    }

    /// The request as the server behind gets it.
    fn amend(
        &self,
        request: Request<PassedBody<RequestBody>>,
        forwarded_for: Option<&HeaderValue>,
    ) -> Option<Request<SentBody>> {
        let (mut head, body) = request.into_parts();
        head.uri = self.uri(&head.uri)?;
        head.version = http::Version::HTTP_11;
        remove_hop_by_hop(&mut head.headers);
        for name in [EXPECT, FORWARDED] {
            head.headers.remove(name);
        }
        head.headers.insert(HOST, self.host.clone());
        head.headers.insert(X_FORWARDED_HOST, self.public_host.clone());
        head.headers.insert(X_FORWARDED_PROTO, self.public_scheme.clone());
        if let Some(address) = forwarded_for {
            head.headers.append(X_FORWARDED_FOR, address.clone());
        }
        Some(Request::from_parts(head, PacedBody::new(body, self.body_timeout)))
    }

    async fn answer(&self, asked: ResponseFuture) -> Response<ProxyBody> {
        let answered = match self.timeout {
            None => Ok(asked.await),
            Some(timeout) => tokio::time::timeout(timeout, asked).await,
        };
        let Ok(answered) = answered else {
            tracing::warn!(upstream = %self.origin, "the MCP server behind did not answer in time");
            let text = "the MCP server behind did not answer in time\n";
            return answer(StatusCode::GATEWAY_TIMEOUT, text);
        };
        match answered {
            Ok(response) => {
                let (mut head, body) = response.into_parts();
                remove_hop_by_hop(&mut head.headers);
                Response::from_parts(head, Either::Right(body))
            }
            Err(error) if PauseError::caused(&error) => answer(
                StatusCode::REQUEST_TIMEOUT,
                "the body of the request took too long to arrive\n",
            ),
            Err(error) => {
                tracing::warn!(error = %causes(&error), upstream = %self.origin, "the MCP server behind did not answer");
                answer(StatusCode::BAD_GATEWAY, "the MCP server behind did not answer\n")
            }
        }
    }

    fn uri(&self, uri: &Uri) -> Option<Uri> {
        let rest = uri.path().strip_prefix(&self.public_path)?;
        let mut parts = self.origin.clone().into_parts();
        if self.path == self.public_path {
            parts.path_and_query = uri.path_and_query().cloned();
            return Uri::from_parts(parts).ok();
        }
        let path = if rest.is_empty() { &self.path } else { self.path.trim_end_matches('/') };
        let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
        parts.path_and_query = Some(format!("{path}{rest}{query}").parse().ok()?);
        Uri::from_parts(parts).ok()
    }
}

/// An answer of the gateway itself.
pub(crate) fn answer(status: StatusCode, text: &'static str) -> Response<ProxyBody> {
    let mut response = Response::new(Either::Left(Full::from(text)));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // one walk is cheaper than a look-up of each, and mostly there is none
    if !headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // what we say about the caller is not the client's to take away
        .filter(|name: &HeaderName| !IDENTITY_HEADERS.contains(&name.as_str()))
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(upstream: &str, resource: &str) -> Proxy {
        let (upstream, resource) = (upstream.parse().unwrap(), resource.parse().unwrap());
        Proxy::new(&upstream, &resource, Connector::lazy(), &Limits::default())
    }

    #[test]
    fn the_public_path_stands_for_the_path_behind() {
        for (upstream, resource, asked, sent) in [
            ("http://u:9/mcp", "https://h/mcp", "/mcp", "http://u:9/mcp"),
            ("http://u:9/mcp", "https://h/mcp", "/mcp?a=b&c=%20", "http://u:9/mcp?a=b&c=%20"),
            ("http://u:9/api/v1/", "https://h/mcp", "/mcp", "http://u:9/api/v1/"),
            ("http://u:9/api/v1/", "https://h/mcp", "/mcp/x", "http://u:9/api/v1/x"),
            ("http://u:9", "https://h/mcp", "/mcp", "http://u:9/"),
            ("http://u:9/mcp", "https://h", "/", "http://u:9/mcp/"),
            ("http://u:9", "https://h", "/sse", "http://u:9/sse"),
        ] {
            let sent_uri = proxy(upstream, resource).uri(&asked.parse().unwrap()).unwrap();
            assert_eq!(sent_uri.to_string(), sent, "{upstream} {resource} {asked}");
        }
        assert_eq!(proxy("http://u:9/mcp", "https://h/mcp").uri(&"/other".parse().unwrap()), None);
    }

    #[test]
    fn what_concerns_one_connection_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret, mcp-entra-roles"),
            ("x-secret", "1"),
            ("te", "trailers"),
            ("accept", "a"),
            ("mcp-entra-roles", "none of the client's business"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "mcp-entra-roles"]);
    }
}
