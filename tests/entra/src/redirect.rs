//! Redirect URIs: which registered one a request's is, and how an answer is put on it.

use crate::application::Application;
use crate::options::Strictness;

/// The platform a redirect URI is registered for, which decides on secrets and `Origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// A confidential client: a secret is needed.
    Web,
    /// A single-page application: PKCE and `Origin` are needed.
    Spa,
    /// Mobile and desktop: no secret is allowed.
    Public,
}

impl Application {
    /// The platform that `uri` is registered for.
    pub(crate) fn platform_of(&self, uri: &str, strictness: &Strictness) -> Option<Platform> {
        self.registered()
            .find(|(_, known)| matches(known, uri, strictness))
            .map(|(platform, _)| platform)
    }

    /// Every registered redirect URI.
    pub(crate) fn registered(&self) -> impl Iterator<Item = (Platform, &str)> {
        fn each(platform: Platform, uris: &[String]) -> impl Iterator<Item = (Platform, &str)> {
            uris.iter().map(move |uri| (platform, uri.as_str()))
        }
        each(Platform::Web, &self.web.redirect_uris)
            .chain(each(Platform::Spa, &self.spa.redirect_uris))
            .chain(each(Platform::Public, &self.public_client.redirect_uris))
    }
}

/// Byte for byte, but the port of `http://localhost` is ignored and `[::1]` is never accepted. [doc reply-url]
fn matches(registered: &str, requested: &str, strictness: &Strictness) -> bool {
    let normal = |uri: &str| {
        let uri = without_loopback_port(uri, strictness);
        if strictness.root_slash_matters { uri } else { with_root_slash(&uri) }
    };
    !requested.starts_with("http://[::1]") && normal(registered) == normal(requested)
}

fn without_loopback_port(uri: &str, strictness: &Strictness) -> String {
    let hosts = if strictness.loopback_ip_needs_port {
        &["localhost"][..]
    } else {
        &["localhost", "127.0.0.1"]
    };
    for host in hosts {
        let start = format!("http://{host}");
        let Some(port) = uri.strip_prefix(&start).and_then(|rest| rest.strip_prefix(':')) else {
            continue;
        };
        let rest = port.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
            return start + rest;
        }
    }
    uri.to_owned()
}

/// Entra returns a URI without a path with a slash, in the modes query and fragment. [doc reply-url]
pub(crate) fn with_root_slash(uri: &str) -> String {
    match uri.split_once("://") {
        Some((_, rest)) if !rest.contains(['/', '?', '#']) => format!("{uri}/"),
        _ => uri.to_owned(),
    }
}

/// `uri` with `parameters` in its query.
pub(crate) fn with_query(uri: &str, parameters: &[(&str, &str)]) -> String {
    let uri = with_root_slash(uri);
    let separator = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{separator}{}", encode(parameters))
}

/// `uri` with `parameters` in its fragment.
pub(crate) fn with_fragment(uri: &str, parameters: &[(&str, &str)]) -> String {
    format!("{}#{}", with_root_slash(uri), encode(parameters))
}

fn encode(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching() {
        let (strict, lenient) = (Strictness::default(), Strictness::lenient());
        for (registered, requested, strictly, leniently) in [
            ("https://a.example/cb", "https://a.example/cb", true, true),
            ("https://a.example/cb", "https://a.example/CB", false, false),
            ("https://a.example/cb", "https://a.example/cb/", false, false),
            ("https://a.example/cb", "https://a.example:444/cb", false, false),
            ("https://a.example", "https://a.example/", false, true),
            ("http://localhost/cb", "http://localhost:3118/cb", true, true),
            ("http://localhost:1/cb", "http://localhost:2/cb", true, true),
            ("http://localhost", "http://localhost:3118", true, true),
            ("http://localhost", "http://localhost:3118/", false, true),
            ("http://localhost/cb", "http://localhost:3118@evil.example/cb", false, false),
            ("http://localhost/cb", "http://localhost.evil.example/cb", false, false),
            ("https://localhost/cb", "https://localhost:3118/cb", false, false),
            ("http://127.0.0.1/", "http://127.0.0.1:3118/", false, true),
            ("http://[::1]/cb", "http://[::1]/cb", false, false),
        ] {
            assert_eq!(
                matches(registered, requested, &strict),
                strictly,
                "{registered} {requested}"
            );
            assert_eq!(
                matches(registered, requested, &lenient),
                leniently,
                "{registered} {requested}"
            );
        }
    }

    #[test]
    fn answers() {
        assert_eq!(with_query("https://a", &[("code", "1 2")]), "https://a/?code=1+2");
        assert_eq!(with_query("https://a/b?c=d", &[("code", "1")]), "https://a/b?c=d&code=1");
        assert_eq!(with_fragment("app://a/b", &[("code", "1")]), "app://a/b#code=1");
    }
}
