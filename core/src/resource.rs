//! The protected resource: the public URL of the MCP endpoint, whose origin is the issuer.

use std::fmt;

use url::Url;

/// The public URL of the MCP endpoint, such as `https://mcp.example.com/mcp`.
///
/// It is what protected-resource metadata calls `resource` (RFC 9728 section 2) and what clients
/// send as `resource` (RFC 8707). Its origin is the issuer of our authorization-server metadata,
/// so both come from configuration and never from a `Host` header.
///
/// ```
/// use mcp_entra_core::Resource;
///
/// let resource: Resource = "https://mcp.example.com/mcp".parse().unwrap();
/// assert_eq!(resource.origin(), "https://mcp.example.com");
/// assert_eq!(resource.path(), "/mcp");
/// assert!(resource.is_named_by("HTTPS://MCP.example.com:443/mcp/"));
/// assert!(!resource.is_named_by("https://mcp.example.com/other"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resource {
    url: Url,
    text: String,
    origin: String,
}

impl Resource {
    /// The URL without a trailing slash on a bare origin, as the MCP specification asks.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, without a trailing slash: our issuer.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The path of the MCP endpoint without a trailing slash; empty for a bare origin.
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    /// Whether a `resource` parameter means this resource: equal after WHATWG normalisation,
    /// one trailing slash more or less, since clients add and lose it.
    pub fn is_named_by(&self, value: &str) -> bool {
        fn path(url: &Url) -> &str {
            let path = url.path();
            path.strip_suffix('/').unwrap_or(path)
        }
        let is_same = |other: Url| {
            other.origin() == self.url.origin()
                && path(&other) == path(&self.url)
                && other.query() == self.url.query()
                && other.fragment().is_none()
                && other.username().is_empty()
                && other.password().is_none()
        };
        value == self.text || Url::parse(value).is_ok_and(is_same)
    }

    /// Where a path of ours is, as an absolute URL.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

impl std::str::FromStr for Resource {
    type Err = ResourceError;

    fn from_str(text: &str) -> Result<Self, ResourceError> {
        let url = Url::parse(text).map_err(|_| ResourceError::NotAUrl)?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(ResourceError::NotHttps);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ResourceError::QueryOrFragment);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ResourceError::UserInfo);
        }
        if url.path().contains("//") || url.path().contains('%') {
            return Err(ResourceError::Path);
        }
        let text = match url.path() {
            "/" => url.as_str().trim_end_matches('/'),
            _ => url.as_str(),
        };
        Ok(Self { text: text.into(), origin: url.origin().ascii_serialization(), url })
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text cannot be the URL of a protected resource.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// No absolute URL with a host.
    #[error("it is not an absolute URL")]
    NotAUrl,
    /// RFC 9728 section 2: `https`, here with `http` on loopback for development.
    #[error("it must be https (http only for localhost, 127.0.0.1 or [::1])")]
    NotHttps,
    /// A path that proxies would rewrite on the way.
    #[error("its path must not have empty or percent-encoded segments")]
    Path,
    /// RFC 9728 section 2: no fragment; a query would never match what clients send.
    #[error("it must not have a query or a fragment")]
    QueryOrFragment,
    /// Credentials in a public URL.
    #[error("it must not have a user name or a password")]
    UserInfo,
}

/// Whether the host is a loopback address or `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_has_no_slash_on_a_bare_origin() {
        for (text, canonical, path) in [
            ("https://h", "https://h", ""),
            ("https://h/", "https://h", ""),
            ("https://h:443/mcp", "https://h/mcp", "/mcp"),
            ("https://H/a/b/", "https://h/a/b/", "/a/b"),
            ("http://127.0.0.1:8080/mcp", "http://127.0.0.1:8080/mcp", "/mcp"),
            ("http://[::1]:8080/mcp", "http://[::1]:8080/mcp", "/mcp"),
            ("http://localhost/mcp", "http://localhost/mcp", "/mcp"),
        ] {
            let resource: Resource = text.parse().unwrap();
            assert_eq!((resource.as_str(), resource.to_string()), (canonical, canonical.into()));
            assert_eq!(resource.path(), path);
        }
    }

    #[test]
    fn refusals() {
        for (text, error) in [
            ("", ResourceError::NotAUrl),
            ("mcp.example.com/mcp", ResourceError::NotAUrl),
            ("http://mcp.example.com/mcp", ResourceError::NotHttps),
            ("cursor://x/mcp", ResourceError::NotHttps),
            ("https://h/mcp?a=b", ResourceError::QueryOrFragment),
            ("https://h/mcp#a", ResourceError::QueryOrFragment),
            ("https://u@h/mcp", ResourceError::UserInfo),
            ("https://:p@h/mcp", ResourceError::UserInfo),
            ("https://h//mcp", ResourceError::Path),
            ("https://h/m%63p", ResourceError::Path),
        ] {
            assert_eq!(text.parse::<Resource>().unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn what_names_the_resource() {
        let resource: Resource = "https://h/mcp".parse().unwrap();
        for good in ["https://h/mcp", "https://h/mcp/", "https://H:443/mcp"] {
            assert!(resource.is_named_by(good), "{good}");
        }
        for bad in [
            "",
            "https://h",
            "https://h/mcp//",
            "https://h/MCP",
            "https://h/mcp#",
            "https://h.evil/mcp",
            "https://u@h/mcp",
            "https://:p@h/mcp",
            "https://h/mcp?x",
            "http://h/mcp",
            "api://h/mcp",
        ] {
            assert!(!resource.is_named_by(bad), "{bad}");
        }
        let origin: Resource = "https://h".parse().unwrap();
        assert!(origin.is_named_by("https://h/") && origin.is_named_by("https://h"));
    }
}
