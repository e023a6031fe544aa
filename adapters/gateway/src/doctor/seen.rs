//! What the walk saw, as plain data: the examinations read this and nothing else.

use bytes::Bytes;
use http::HeaderMap;
use mcp_entra_core::known_client::KnownClient;
use serde_json::Value;
use url::Url;

/// Everything that was seen.
#[derive(Debug)]
pub(crate) struct Observations {
    /// The URL that was asked about, as it was given.
    pub(crate) resource: Url,
    /// The MCP endpoint without a token: POST, GET, HEAD.
    pub(crate) calls: Vec<Call>,
    pub(crate) protected_resource: Vec<(Form, Call)>,
    /// The authorization server that clients will use.
    pub(crate) issuer: Option<String>,
    pub(crate) rungs: Vec<(Rung, Call)>,
    pub(crate) endpoints: Endpoints,
    pub(crate) registrations: Vec<Registered>,
    pub(crate) authorizations: Vec<Authorized>,
    /// A code and a refresh token that are none.
    pub(crate) tokens: Vec<(Grant, Call)>,
    pub(crate) preflights: Vec<(Endpoint, Call)>,
    /// The 401 as a browser of another origin gets it.
    pub(crate) cross_origin: Option<Call>,
    /// Every host that was asked, in order.
    pub(crate) hosts: Vec<String>,
}

/// One request and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) answer: Result<Answer, NoAnswer>,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("the connection was refused: nothing listens there")]
    Refused,
    #[error("the host name does not resolve")]
    UnknownHost,
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("no answer within {0} seconds")]
    Timeout(u64),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("it was not asked: a public server names an address of a private network")]
    Private,
    #[error("it was not asked: it is not a URL of http or https")]
    NotAUrl,
    #[error("{0}")]
    Other(String),
}

/// The forms of the protected-resource metadata's URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// As the challenge names it.
    Challenge,
    /// RFC 9728 section 3.1.
    PathInserted,
    Root,
}

/// The ladder on which clients look for authorization-server metadata.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rung {
    /// RFC 8414 section 3.1.
    OAuth,
    OpenIdInserted,
    OpenIdAppended,
    /// RFC 8414 at the root of the MCP server's origin, where mcp-remote looks only.
    McpOrigin,
}

/// Where a client goes, from the metadata or as the revision 2025-03-26 guesses it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) guessed: bool,
    pub(crate) authorization: Option<String>,
    pub(crate) registration: Option<String>,
    pub(crate) token: Option<String>,
}

/// A trial registration.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) client: Asking,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) call: Call,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Asking {
    Known(&'static KnownClient),
    /// Of `--redirect-uri`.
    Own,
}

/// An authorization request, up to Entra's door.
#[derive(Debug)]
pub(crate) struct Authorized {
    pub(crate) redirect_uri: String,
    pub(crate) clients: Vec<Asking>,
    /// The first is the authorization endpoint, the others where it led.
    pub(crate) calls: Vec<Call>,
    /// The same without the port of 127.0.0.1, where Entra refused it.
    pub(crate) without_port: Option<Call>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Grant {
    Code,
    Refresh,
}

/// What a browser asks before it calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Endpoint {
    Mcp,
    ProtectedResource,
    AuthorizationServer,
    Registration,
    Token,
}

impl Call {
    /// The answer, if it is a JSON object with status 200 or 201.
    pub(crate) fn document(&self) -> Option<Value> {
        let answer = self.answer.as_ref().ok()?;
        let object = serde_json::from_slice(&answer.body).ok().filter(Value::is_object)?;
        matches!(answer.status, 200 | 201).then_some(object)
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.answer.as_ref().ok().map(|answer| answer.status)
    }

    /// The request in one line, without its query: it may be long, and nobody compares it.
    pub(crate) fn request(&self) -> String {
        format!("{} {}", self.method, self.url.split('?').next().unwrap_or_default())
    }

    /// What came, in one line.
    pub(crate) fn outcome(&self) -> String {
        match &self.answer {
            Ok(answer) => format!("status {}", answer.status),
            Err(reason) => reason.to_string(),
        }
    }

    pub(crate) fn location(&self) -> Option<&str> {
        let answer = self.answer.as_ref().ok()?;
        (300..400).contains(&answer.status).then(|| answer.header("location"))
    }
}

impl Answer {
    /// The first value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Asking {
    pub(crate) fn id(&self) -> &'static str {
        match self {
            Self::Known(client) => client.id,
            Self::Own => "own",
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Known(client) => client.name,
            Self::Own => "your client",
        }
    }
}

impl Observations {
    /// The authorization-server metadata that a client uses: that of the first rung that has one.
    pub(crate) fn metadata(&self) -> Option<(Rung, Value)> {
        self.rungs.iter().find_map(|(rung, call)| Some((*rung, call.document()?)))
    }

    pub(crate) fn protected_resource_document(&self) -> Option<Value> {
        self.protected_resource.iter().find_map(|(_, call)| call.document())
    }

    /// Who made this deployment, as far as its documents show it.
    pub(crate) fn deployment(&self) -> Deployment {
        if self.issuer.as_deref().and_then(|url| Url::parse(url).ok()).is_some_and(|i| is_entra(&i))
        {
            return Deployment::BareEntra;
        }
        let origin = self.resource.origin().ascii_serialization();
        let ours = |member: &str, path: &str, document: &Value| {
            let url = document[member].as_str();
            url.and_then(|url| url.strip_suffix(path)) == document["issuer"].as_str()
        };
        let is_ours = match self.metadata() {
            Some((_, document)) => {
                ours("authorization_endpoint", "/oauth/authorize", &document)
                    && ours("token_endpoint", "/oauth/token", &document)
                    && ours("registration_endpoint", "/oauth/register", &document)
            }
            // its documents fail together with Entra's
            None => self.protected_resource_document().is_some_and(|document| {
                let members: Vec<&String> =
                    document.as_object().into_iter().flatten().map(|(name, _)| name).collect();
                members
                    == [
                        "authorization_servers",
                        "bearer_methods_supported",
                        "resource",
                        "scopes_supported",
                    ]
                    && document["authorization_servers"][0].as_str().is_some_and(|issuer| {
                        issuer == origin || self.issuer.as_deref() == Some(issuer)
                    })
            }),
        };
        if is_ours { Deployment::McpEntra } else { Deployment::Other }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Deployment {
    McpEntra,
    /// The protected-resource metadata names Entra itself.
    BareEntra,
    Other,
}

/// Whether a URL is an authority of Entra ID's or its authorization endpoint, by its path: the hosts
/// are many, with national clouds and external tenants.
pub(crate) fn is_entra(url: &Url) -> bool {
    let path = url.path().trim_end_matches('/');
    path.ends_with("/oauth2/v2.0/authorize")
        || path.ends_with("/oauth2/authorize")
        || path.ends_with("/v2.0") && path.matches('/').count() == 2
        || url.host_str() == Some("sts.windows.net")
}

/// Whether two URLs have one scheme, host and port.
pub(crate) fn same_origin(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}
