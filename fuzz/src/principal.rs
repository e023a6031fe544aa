//! A principal says what the header says, and its headers are plain text that reads back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_entra_core::Principal;
use mcp_entra_core::principal::IDENTITY_HEADERS;

use crate::oracle::read;

/// The JSON of Easy Auth's header.
pub fn check(json: &[u8]) {
    _ = Principal::from_easy_auth(json);
    let Ok(principal) = Principal::from_easy_auth(STANDARD.encode(json).as_bytes()) else { return };
    let source = read(json);
    if source.is_null() {
        return;
    }
    let claims = source["claims"].as_array().expect("a list");
    let has = |value: &str| {
        claims.iter().any(|c| c["val"].as_str().is_some_and(|v| v.eq_ignore_ascii_case(value)))
    };
    assert!(has(principal.tenant_id.as_str()) && has(principal.object_id.as_str()));
    for text in [&principal.subject, &principal.name, &principal.username, &principal.client_id] {
        assert!(text.as_deref().is_none_or(has));
    }
    assert!(!principal.app_only || principal.scopes.is_empty());
    for (name, value) in principal.to_headers() {
        assert!(IDENTITY_HEADERS.contains(&name.as_str()));
        let value = value.to_str().expect("a header of ours is printable");
        assert!(value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)));
        if name == "mcp-entra-name" {
            let octets = value.replace('+', "%2B");
            let (name, _) = form_urlencoded::parse(octets.as_bytes()).next().unwrap_or_default();
            // `=` and `&` are the form's own
            if !value.contains(['=', '&']) {
                assert_eq!(Some(name.as_ref()), principal.name.as_deref());
            }
        }
    }
}
