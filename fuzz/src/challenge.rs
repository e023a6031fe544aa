//! Every challenge parses with an independent parser and gives back what went in.

use arbitrary::Arbitrary;
use mcp_entra_core::challenge::{Challenge, ChallengeError};

/// What a challenge is made of.
#[derive(Arbitrary, Clone, Debug)]
pub struct Parts<'a> {
    resource_metadata: &'a str,
    scope: &'a str,
    error: Option<(bool, &'a str)>,
}

/// A challenge of these parts.
pub fn check(parts: &Parts<'_>) {
    let error = parts.error.map(|(scope, text)| match scope {
        true => (ChallengeError::InsufficientScope, text),
        false => (ChallengeError::InvalidToken, text),
    });
    let resource_metadata = format!("https://mcp.example.com/{}", parts.resource_metadata);
    let challenge = Challenge { resource_metadata: &resource_metadata, scope: parts.scope, error };
    let value = challenge.to_header_value();
    let params = crate::oracle::check_challenge(value.to_str().expect("a challenge is text"));
    let get = |name: &str| params.iter().find(|(known, _)| known == name).map(|(_, v)| v.as_str());
    let same = |name: &str, text: &str| {
        let plain = |b: u8| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\';
        let got = get(name).unwrap_or_default();
        assert!(got.bytes().all(plain));
        if text.bytes().all(plain) {
            assert_eq!(got, text);
        }
    };
    same("resource_metadata", &resource_metadata);
    same("scope", parts.scope);
    assert_eq!(get("error"), error.map(|(error, _)| error.as_str()));
    assert_eq!(get("error_description").is_some(), error.is_some());
    if let Some((_, text)) = error {
        same("error_description", text);
    }
    assert_eq!(params.len(), if error.is_some() { 4 } else { 2 });
}
