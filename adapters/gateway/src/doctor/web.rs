//! The only way out: bounded in time and length, following nothing, and saying which hosts it asked.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::request::Builder;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::rt::TokioExecutor;
use mcp_entra_driver::ClientError;
use mcp_entra_driver::client::{Connector, causes};
use url::{Host, Url};

use super::seen::{Answer, Call, NoAnswer};

/// Entra's pages are some hundred kilobytes.
const LIMIT: usize = 1024 * 1024;
const AGENT: &str = concat!(
    "mcp-entra-doctor/",
    env!("CARGO_PKG_VERSION"),
    " (+",
    env!("CARGO_PKG_REPOSITORY"),
    ")"
);

/// The client.
#[derive(Debug)]
pub(crate) struct Web {
    inner: hyper_util::client::legacy::Client<Connector, Full<Bytes>>,
    timeout: Duration,
    /// Whether the server that is examined is itself in a private network, or on this machine.
    private: bool,
    hosts: Mutex<Vec<String>>,
}

impl Web {
    /// A client for the walk that begins at `resource`.
    pub(crate) async fn new(resource: &Url, timeout: Duration) -> Result<Self, ClientError> {
        let inner = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .build(Connector::native()?);
        let private = is_private(resource).await;
        Ok(Self { inner, timeout, private, hosts: Mutex::default() })
    }

    /// Every host that was asked.
    pub(crate) fn hosts(&self) -> Vec<String> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn get(&self, url: &str) -> Call {
        self.ask("GET", url, |request| request, "").await
    }

    /// Asks, with what `head` adds to the request.
    pub(crate) async fn ask(
        &self,
        method: &'static str,
        url: &str,
        head: impl FnOnce(Builder) -> Builder,
        body: impl Into<Bytes>,
    ) -> Call {
        let answer = match Url::parse(url) {
            Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => {
                self.answer(method, &parsed, head, body.into()).await
            }
            _ => Err(NoAnswer::NotAUrl),
        };
        Call { method, url: url.to_owned(), answer }
    }

    async fn answer(
        &self,
        method: &str,
        url: &Url,
        head: impl FnOnce(Builder) -> Builder,
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        if !self.private && is_private(url).await {
            return Err(NoAnswer::Private);
        }
        self.note(url);
        let request = http::Request::builder().method(method).uri(url.as_str());
        let request = head(request.header(USER_AGENT, AGENT))
            .body(Full::new(body))
            .map_err(|error| NoAnswer::Other(error.to_string()))?;
        let asked = async {
            let answer =
                self.inner.request(request).await.map_err(|error| reason(&causes(&error)))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LIMIT).collect().await;
            let body = body.map_err(|error| match error.is::<LengthLimitError>() {
                true => NoAnswer::TooLong(LIMIT),
                false => NoAnswer::Other("the answer breaks off".into()),
            })?;
            Ok(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: body.to_bytes(),
            })
        };
        let seconds = self.timeout.as_secs();
        tokio::time::timeout(self.timeout, asked).await.unwrap_or(Err(NoAnswer::Timeout(seconds)))
    }

    fn note(&self, url: &Url) {
        let host = url.origin().ascii_serialization();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
}

/// The connector has no types for these.
fn reason(causes: &str) -> NoAnswer {
    let has = |words: &[&str]| words.iter().any(|word| causes.contains(word));
    if has(&["dns error", "failed to lookup", "Name or service"]) {
        NoAnswer::UnknownHost
    } else if has(&["onnection refused", "actively refused"]) {
        NoAnswer::Refused
    } else if has(&["certificate", "handshake", "TLS", "InvalidMessage", "corrupt message"]) {
        NoAnswer::Tls(causes.rsplit(": ").next().unwrap_or(causes).to_owned())
    } else {
        NoAnswer::Other(causes.to_owned())
    }
}

/// Whether a URL leads into a private network or to this machine; a name does if any of its
/// addresses does.
async fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_private_address(address.into()),
        Some(Host::Ipv6(address)) => is_private_address(address.into()),
        Some(Host::Domain(name)) => {
            let port = url.port_or_known_default().unwrap_or(443);
            let addresses = tokio::net::lookup_host((name, port)).await;
            addresses.is_ok_and(|mut found| found.any(|found| is_private_address(found.ip())))
        }
        None => false,
    }
}

fn is_private_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()
                // RFC 6598
                || a == 100 && b & 0xc0 == 64
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            v6.is_loopback()
                || v6.is_unspecified()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_private() {
        for (url, private) in [
            ("https://10.1.2.3/", true),
            ("https://172.31.0.1/", true),
            ("https://192.168.0.1/", true),
            ("https://169.254.169.254/metadata", true),
            ("https://100.64.0.1/", true),
            ("http://127.0.0.1:1/", true),
            ("http://0.0.0.0/", true),
            ("http://[::1]/", true),
            ("http://[fd00::1]/", true),
            ("http://[fe80::1]/", true),
            ("http://[::ffff:10.0.0.1]/", true),
            ("http://localhost/", true),
            ("https://20.190.160.1/", false),
            ("https://172.32.0.1/", false),
            ("https://[2603:1037:1::1]/", false),
        ] {
            assert_eq!(is_private(&url.parse().unwrap()).await, private, "{url}");
        }
    }

    #[tokio::test]
    async fn a_public_server_leads_nobody_into_a_private_network() {
        let public = "https://20.190.160.1/mcp".parse().unwrap();
        let web = Web::new(&public, Duration::from_secs(5)).await.unwrap();
        let call = web.get("http://169.254.169.254/metadata/instance").await;
        assert_eq!(call.answer.unwrap_err(), NoAnswer::Private);
        assert!(web.hosts().is_empty());
    }
}
