//! An accepted URI is what a browser would open, and a listed one differs from the list's by the
//! port of a loopback address at most.

use mcp_entra_core::redirect_uri::{RedirectKind, RedirectUri};
use url::{Host, Url};

use crate::setting::first;

/// A redirect URI as a client sends it.
pub fn check(text: &str) {
    let Ok(uri) = text.parse::<RedirectUri>() else { return };
    assert_eq!(uri.as_str(), text);
    let url = Url::parse(text).expect("a URI that was accepted is a URL");
    assert!(url.as_str() == text || url.as_str() == format!("{text}/"));
    assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
    assert!(!text.contains(['*', '\\', '#', ' ', '\r', '\n']));
    match url.scheme() {
        "https" => assert_eq!(uri.kind(), RedirectKind::Https),
        "http" => {
            assert_eq!(uri.kind(), RedirectKind::Loopback);
            assert!(matches!(url.host_str(), Some("localhost" | "127.0.0.1")));
        }
        "javascript" | "data" | "file" | "blob" | "vbscript" => panic!("{text}"),
        _ => assert_eq!(uri.kind(), RedirectKind::PrivateScheme),
    }
    let policy = first().settings().redirect_policy();
    if !policy.allows(&uri) {
        return;
    }
    let listed = policy.iter().any(|listed| {
        let mut portless = url.clone();
        let any_port = listed.kind() == RedirectKind::Loopback
            && Url::parse(listed.as_str()).is_ok_and(|listed| listed.port().is_none())
            && !matches!(url.host(), Some(Host::Ipv6(_)))
            && portless.set_port(None).is_ok();
        let same = Url::parse(listed.as_str()).as_ref() == Ok(&url);
        same || any_port && Url::parse(listed.as_str()).as_ref() == Ok(&portless)
    });
    assert!(listed, "{text} is on no list");
}
