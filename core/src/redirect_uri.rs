//! Redirect URIs: which are sound at all, and to which a code may be sent.
//!
//! The rules mirror Entra's own, which has the last word: a match is exact, except that the port
//! of `http://localhost` and `http://127.0.0.1` is free (RFC 8252 section 7.3) while the path is
//! not. A URI that is not on the list is answered with a page and never with a redirect.
//!
//! ```
//! use mcp_entra_core::redirect_uri::{RedirectPolicy, RedirectUri};
//!
//! let policy = RedirectPolicy::known_clients();
//! let uri: RedirectUri = "http://localhost:51234/callback".parse().unwrap();
//! assert!(policy.allows(&uri));
//! assert!(!policy.allows(&"https://attacker.example/callback".parse().unwrap()));
//! assert!("javascript:alert(1)".parse::<RedirectUri>().is_err());
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::known_client::KNOWN_CLIENTS;

/// Entra's own limit on a registered redirect URI is 256; clients may add a port to it.
pub const MAX_LENGTH: usize = 2048;

/// The redirect URIs to which a code may be sent.
#[derive(Clone, Debug)]
pub struct RedirectPolicy {
    allowed: Vec<RedirectUri>,
    /// The same in their normal form, to be looked up.
    kinds: BTreeMap<String, RedirectKind>,
}

impl RedirectPolicy {
    /// The [`KNOWN_CLIENTS`].
    pub fn known_clients() -> Self {
        let uris = KNOWN_CLIENTS.iter().flat_map(|client| client.redirect_uris);
        let mut policy = Self { allowed: Vec::new(), kinds: BTreeMap::new() };
        policy.allow(uris.filter_map(|uri| uri.parse().ok()));
        policy
    }

    /// Adds the operator's own.
    pub fn allow(&mut self, uris: impl IntoIterator<Item = RedirectUri>) {
        for uri in uris {
            if self.kinds.insert(uri.url.to_string(), uri.kind).is_none() {
                self.allowed.push(uri);
            }
        }
    }

    /// Whether a code may be sent there.
    pub fn allows(&self, uri: &RedirectUri) -> bool {
        self.find_normal(uri.url.as_str()).is_some()
    }

    /// What a URI that came with a request is, where a code may be sent there.
    ///
    /// # Errors
    /// Where it is not sound.
    pub(crate) fn find(&self, text: &str) -> Result<Option<RedirectKind>, RedirectUriError> {
        // what is on the list was read before, and is as sound with a port
        match self.find_normal(text).filter(|_| text.len() <= MAX_LENGTH) {
            Some(kind) => Ok(Some(kind)),
            None => {
                let uri: RedirectUri = text.parse()?;
                Ok(self.allows(&uri).then_some(uri.kind))
            }
        }
    }

    fn find_normal(&self, url: &str) -> Option<RedirectKind> {
        let any_port = without_port(url).and_then(|url| self.kinds.get(&url));
        any_port.or_else(|| self.kinds.get(url)).copied()
    }

    /// The list.
    pub fn iter(&self) -> impl Iterator<Item = &RedirectUri> {
        self.allowed.iter()
    }
}

/// A sound redirect URI, exactly as it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedirectUri {
    url: Url,
    /// Whether the URL ends with a slash that was not written.
    bare: bool,
    kind: RedirectKind,
}

impl RedirectUri {
    /// The URI as it was written.
    pub fn as_str(&self) -> &str {
        let text = self.url.as_str();
        if self.bare { text.strip_suffix('/').unwrap_or(text) } else { text }
    }

    /// The URI as a URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where it leads.
    pub fn kind(&self) -> RedirectKind {
        self.kind
    }

    /// The URI with parameters added to its query, whatever it already has.
    pub(crate) fn with_parameters<'a>(
        &self,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> String {
        let mut url = self.url.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        url.into()
    }
}

/// The entry of a list that stands for every port of a loopback URI in its normal form.
fn without_port(url: &str) -> Option<String> {
    let hosts = ["http://localhost", "http://127.0.0.1"];
    let (host, rest) = hosts.iter().find_map(|host| Some((host, url.strip_prefix(host)?)))?;
    let (port, path) = rest.strip_prefix(':')?.split_once('/')?;
    // as a parser writes it: not the default port, no sign, no leading zeros
    let is_normal = port == "0" || (port != "80" && !port.starts_with(['+', '0']));
    let is_port = is_normal && port.parse::<u16>().is_ok();
    is_port.then(|| [host, "/", path].concat())
}

impl FromStr for RedirectUri {
    type Err = RedirectUriError;

    fn from_str(text: &str) -> Result<Self, RedirectUriError> {
        if text.len() > MAX_LENGTH {
            return Err(RedirectUriError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['\\', '"', '<', '>'])
        {
            return Err(RedirectUriError::Character);
        }
        let url = Url::parse(text).map_err(|_| RedirectUriError::NotAUrl)?;
        if url.fragment().is_some() {
            return Err(RedirectUriError::Fragment);
        }
        if text.contains('*') {
            return Err(RedirectUriError::Wildcard);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RedirectUriError::UserInfo);
        }
        // what a browser would normalise is not what Entra compares
        let bare = url.as_str().strip_suffix('/') == Some(text);
        if url.as_str() != text && !bare {
            return Err(RedirectUriError::NotNormal);
        }
        let kind = match (url.scheme(), url.host()) {
            ("https", Some(_)) => RedirectKind::Https,
            ("http", Some(Host::Domain("localhost"))) => RedirectKind::Loopback,
            ("http", Some(Host::Ipv4(address))) if address.octets() == [127, 0, 0, 1] => {
                RedirectKind::Loopback
            }
            ("http", Some(Host::Ipv6(address))) if address.is_loopback() => {
                return Err(RedirectUriError::Ipv6Loopback);
            }
            ("http", _) => return Err(RedirectUriError::NotHttps),
            (scheme, _) if EXECUTABLE_SCHEMES.contains(&scheme) => {
                return Err(RedirectUriError::Scheme);
            }
            (_, Some(_)) => RedirectKind::PrivateScheme,
            // com.example.app:/callback, the form of RFC 8252 section 7.1
            (scheme, None) if scheme.contains('.') && url.path().starts_with('/') => {
                RedirectKind::PrivateScheme
            }
            _ => return Err(RedirectUriError::Scheme),
        };
        Ok(Self { url, bare, kind })
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a redirect URI leads, which decides its platform in the app registration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RedirectKind {
    /// A web server.
    Https,
    /// `http://localhost` or `http://127.0.0.1`.
    Loopback,
    /// A scheme that an application has claimed (RFC 8252 section 7.1).
    PrivateScheme,
}

/// Schemes that a browser runs or opens itself instead of handing them to an application.
const EXECUTABLE_SCHEMES: [&str; 16] = [
    "about",
    "blob",
    "chrome",
    "data",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "javascript",
    "jar",
    "mailto",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// Why a redirect URI is unsound.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectUriError {
    /// A character that has no place in a URI.
    #[error("it has a character that a redirect URI cannot have")]
    Character,
    /// RFC 6749 section 3.1.2.
    #[error("it must not have a fragment")]
    Fragment,
    /// Entra does not support it.
    #[error("Entra ID does not support [::1]; use http://localhost or http://127.0.0.1")]
    Ipv6Loopback,
    /// No absolute URI.
    #[error("it is not an absolute URI")]
    NotAUrl,
    /// RFC 8252 section 8.3.
    #[error("http is for localhost and 127.0.0.1 only; use https")]
    NotHttps,
    /// A browser would go to another URI than the one that is compared.
    #[error("it is not in its normal form (lower-case host, no default port, no dot segments)")]
    NotNormal,
    /// A browser would run it, or nobody could have claimed it.
    #[error("its scheme is not one that an application can receive a code by")]
    Scheme,
    /// Longer than [`MAX_LENGTH`].
    #[error("it is longer than {MAX_LENGTH} characters")]
    TooLong,
    /// Credentials in a URI.
    #[error("it must not have a user name or a password")]
    UserInfo,
    /// Redirect URIs are compared, not matched.
    #[error("it must not have a wildcard")]
    Wildcard,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_found_is_what_the_parsed_uri_is(
            host in "http://(localhost|127.0.0.1|127.1|[::1])|https://claude.ai|cursor://x",
            port in ":?|:0|:80|:443|:[+0]?[0-9]{1,5}|:a@b",
            path in prop_oneof![Just("/callback"), Just("/"), Just(""), Just("/oauth/callback"), Just("\\callback"), Just("/callback#"), Just("/api/mcp/auth_callback")],
        ) {
            let policy = RedirectPolicy::known_clients();
            let text = format!("{host}{port}{path}");
            let parsed = text.parse::<RedirectUri>().map(|uri| {
                let mut bare = uri.url.clone();
                if uri.kind == RedirectKind::Loopback {
                    bare.set_port(None).unwrap();
                }
                let listed = |known: &RedirectUri| known.url == uri.url || known.url == bare;
                policy.iter().any(listed).then_some(uri.kind)
            });
            prop_assert_eq!(policy.find(&text), parsed);
        }
    }

    fn uri(text: &str) -> RedirectUri {
        text.parse().unwrap()
    }

    #[test]
    fn every_known_client_is_allowed() {
        let policy = RedirectPolicy::known_clients();
        for client in KNOWN_CLIENTS {
            for text in client.redirect_uris {
                assert!(policy.allows(&uri(text)), "{}: {text}", client.name);
            }
        }
        for observed in [
            "http://localhost:8787/callback",
            "http://localhost:6274/oauth/callback/debug",
            "http://127.0.0.1:33418/",
            "http://127.0.0.1:19876/mcp/oauth/callback",
            "http://localhost:3334/oauth/callback",
        ] {
            assert!(policy.allows(&uri(observed)), "{observed}");
        }
    }

    #[test]
    fn what_is_not_listed_is_not_allowed() {
        let policy = RedirectPolicy::known_clients();
        for other in [
            "https://attacker.example/callback",
            "https://claude.ai.attacker.example/api/mcp/auth_callback",
            "https://claude.ai/api/mcp/auth_callback/",
            "https://claude.ai/api/mcp/Auth_callback",
            "https://claude.ai/api/mcp/auth_callback?x=y",
            "https://claude.ai:8443/api/mcp/auth_callback",
            "http://localhost:8787/callback/x",
            "http://localhost:8787/Callback",
            "http://127.0.0.1:33418/x",
            "cursor://anysphere.cursor-mcp/oauth/callback2",
            "cursor://other/oauth/callback",
            "vscode://x/callback",
        ] {
            assert!(!policy.allows(&uri(other)), "{other}");
        }
    }

    #[test]
    fn an_operators_port_is_exact_and_none_stands_for_all() {
        let mut policy = RedirectPolicy::known_clients();
        policy.allow([uri("http://localhost:4000/one"), uri("http://127.0.0.1/two")]);
        assert!(policy.allows(&uri("http://localhost:4000/one")));
        assert!(!policy.allows(&uri("http://localhost:4001/one")));
        assert!(policy.allows(&uri("http://127.0.0.1:4001/two")));
        assert!(!policy.allows(&uri("http://localhost:4001/two")));
    }

    #[test]
    fn a_port_is_free_as_a_browser_writes_it_and_not_otherwise() {
        use RedirectUriError as E;
        let mut policy = RedirectPolicy::known_clients();
        let longest = "a".repeat(MAX_LENGTH - "http://localhost/".len());
        policy.allow([uri(&format!("http://localhost/{longest}"))]);
        for (port, found) in [
            ("", Ok(Some(RedirectKind::Loopback))),
            (":0", Ok(Some(RedirectKind::Loopback))),
            (":8787", Ok(Some(RedirectKind::Loopback))),
            (":65535", Ok(Some(RedirectKind::Loopback))),
            (":65536", Err(E::NotAUrl)),
            (":+1", Err(E::NotAUrl)),
            (":", Err(E::NotNormal)),
            (":80", Err(E::NotNormal)),
            (":08", Err(E::NotNormal)),
        ] {
            assert_eq!(policy.find(&format!("http://localhost{port}/callback")), found, "{port}");
        }
        assert_eq!(policy.find(&format!("http://localhost:1/{longest}")), Err(E::TooLong));
    }

    #[test]
    fn the_list_has_each_address_once_and_as_it_was_written() {
        let mut policy = RedirectPolicy::known_clients();
        let known = policy.iter().count();
        policy.allow(
            ["https://own.example", "http://localhost/callback", "https://own.example"].map(uri),
        );
        let own: Vec<_> = policy.iter().skip(known).map(ToString::to_string).collect();
        assert_eq!(own, ["https://own.example"]);
        assert!(policy.iter().any(|listed| listed.as_str() == "http://localhost/callback"));
    }

    #[test]
    fn refusals() {
        use RedirectUriError as E;
        for (text, error) in [
            ("", E::NotAUrl),
            ("/callback", E::NotAUrl),
            ("javascript:alert(1)", E::Scheme),
            ("data:text/html,x", E::Scheme),
            ("vbscript:x", E::Scheme),
            ("file:///etc/passwd", E::Scheme),
            ("blob:https://h/x", E::Scheme),
            ("ws://h/x", E::Scheme),
            ("foo:bar", E::Scheme),
            ("foo:/bar", E::Scheme),
            ("app.example:bar", E::Scheme),
            ("http://example.com/callback", E::NotHttps),
            ("http://localhost.attacker.example/callback", E::NotHttps),
            ("http://127.0.0.2/callback", E::NotHttps),
            ("http://[::1]:80/callback", E::NotNormal),
            ("http://[::1]/callback", E::Ipv6Loopback),
            ("http://[::2]/callback", E::NotHttps),
            ("https://h/cb#", E::Fragment),
            ("https://h/cb#f", E::Fragment),
            ("https://*.h/cb", E::Wildcard),
            ("https://u@h/cb", E::UserInfo),
            ("https://u:p@h/cb", E::UserInfo),
            ("https://:p@h/cb", E::UserInfo),
            ("https://H/cb", E::NotNormal),
            ("https://h:443/cb", E::NotNormal),
            ("https://h/a/../cb", E::NotNormal),
            ("http://127.1/callback", E::NotNormal),
            ("http://localhost\\@attacker.example/", E::Character),
            ("https://h/c b", E::Character),
            ("https://h/cb\r\nx: y", E::Character),
            (" https://h/cb", E::Character),
        ] {
            assert_eq!(text.parse::<RedirectUri>().unwrap_err(), error, "{text}");
        }
        let of = |length: usize| format!("https://h/{}", "a".repeat(length - "https://h/".len()));
        assert!(of(2048).parse::<RedirectUri>().is_ok());
        assert_eq!(of(2049).parse::<RedirectUri>().unwrap_err(), E::TooLong);
    }

    #[test]
    fn parameters_are_added_to_what_is_there() {
        let added =
            |text| uri(text).with_parameters([("error", "access_denied"), ("state", "a&b")]);
        assert_eq!(added("https://h/cb"), "https://h/cb?error=access_denied&state=a%26b");
        assert_eq!(added("https://h/cb?x=y"), "https://h/cb?x=y&error=access_denied&state=a%26b");
        assert_eq!(added("cursor://a/b"), "cursor://a/b?error=access_denied&state=a%26b");
        assert_eq!(
            added("com.example.app:/cb"),
            "com.example.app:/cb?error=access_denied&state=a%26b"
        );
    }

    proptest! {
        #[test]
        fn an_accepted_uri_is_what_a_browser_would_open(text in "(https?|cursor|a\\.b):/{0,3}[a-z0-9@:%.\\[\\]*/?#\\\\]{0,24}") {
            if let Ok(uri) = text.parse::<RedirectUri>() {
                let opened = Url::parse(uri.as_str()).unwrap();
                let slashed = format!("{text}/");
                prop_assert!(opened.as_str() == text || opened.as_str() == slashed);
                prop_assert!(opened.fragment().is_none() && opened.username().is_empty());
                prop_assert!(opened.scheme() != "http" || matches!(opened.host_str(), Some("localhost" | "127.0.0.1")));
            }
        }
    }
}
