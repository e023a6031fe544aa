//! Authorization-server metadata (RFC 8414) from Entra's OpenID Connect discovery.
//!
//! Entra has no such document, and its own lacks what clients insist on. Ours has:
//!
//! - `issuer`: our own origin, byte-equal to the entry in the protected-resource metadata, since
//!   clients refuse metadata of another issuer (RFC 8414 section 3.3);
//! - our endpoints, with registration among them, and none that leads around us (mutual TLS
//!   aliases, device codes, pushed requests);
//! - `code_challenge_methods_supported`, without which MCP clients refuse to go on, and
//!   `grant_types_supported`, whose default would leave out `refresh_token`;
//! - `none` among the authentication methods, since our clients are public;
//! - never `{tenantid}`, and never `authorization_response_iss_parameter_supported`: the
//!   authorization response comes from Entra, which sends no `iss` of ours (RFC 9207).

use bytes::Bytes;

use crate::discovery::Discovery;
use crate::json::Members;
use crate::scope::{OPENID_SCOPES, ScopeName};
use crate::settings::Settings;

/// Where browsers are sent to sign in.
pub const AUTHORIZATION_ENDPOINT: &str = "/oauth/authorize";
/// Where clients register.
pub const REGISTRATION_ENDPOINT: &str = "/oauth/register";
/// Where clients redeem codes and refresh tokens.
pub const TOKEN_ENDPOINT: &str = "/oauth/token";

/// Renders the document.
///
/// ```
/// use mcp_entra_core::{Discovery, Options, Settings, authorization_server};
///
/// let settings = Settings::parse(&Options {
///     resource: "https://mcp.example.com/mcp".into(),
///     tenant: "11111111-2222-4333-8444-555555555555".into(),
///     client_id: "99999999-8888-4777-8666-555555555555".into(),
///     ..Options::default()
/// })
/// .unwrap();
/// let entra = include_bytes!("../tests/fixtures/v2_tenant.json");
/// let discovery = Discovery::parse(entra, settings.authority()).unwrap();
/// let document = authorization_server::metadata(&discovery, &settings);
/// let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
/// assert_eq!(document["issuer"], "https://mcp.example.com");
/// assert_eq!(document["registration_endpoint"], "https://mcp.example.com/oauth/register");
/// assert!(document.get("mtls_endpoint_aliases").is_none());
/// ```
pub fn metadata(discovery: &Discovery, settings: &Settings) -> Bytes {
    let resource = settings.resource();
    let api = settings.api();
    let scopes = api.required().iter().chain(api.optional()).map(ScopeName::as_str);
    let scopes: Vec<&str> = scopes.chain(OPENID_SCOPES).collect();
    let methods: &[&str] = if settings.issues_client_secret() {
        &["none", "client_secret_post", "client_secret_basic"]
    } else {
        &["none"]
    };

    let mut document = Members::new();
    document.set("issuer", &resource.origin());
    document.set("authorization_endpoint", &resource.join(AUTHORIZATION_ENDPOINT));
    document.set("token_endpoint", &resource.join(TOKEN_ENDPOINT));
    document.set("registration_endpoint", &resource.join(REGISTRATION_ENDPOINT));
    document.set("scopes_supported", &scopes);
    document.set("response_types_supported", &["code"]);
    document.set("response_modes_supported", &["query"]);
    document.set("grant_types_supported", &["authorization_code", "refresh_token"]);
    document.set("token_endpoint_auth_methods_supported", &methods);
    document.set("code_challenge_methods_supported", &["S256"]);
    // required of an OpenID Connect document; Entra's own, where it gives them
    document.set("subject_types_supported", &["pairwise"]);
    document.set("id_token_signing_alg_values_supported", &["RS256"]);
    for (name, raw) in discovery.kept() {
        document.set(name, raw);
    }
    document.to_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::options::Options;

    const TENANT: &str = "11111111-2222-4333-8444-555555555555";

    fn settings(tenant: &str) -> Settings {
        Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: tenant.into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            ..Options::default()
        })
        .unwrap()
    }

    fn render(entra: &[u8], tenant: &str) -> Value {
        let settings = settings(tenant);
        let discovery = Discovery::parse(entra, settings.authority()).unwrap();
        serde_json::from_slice(&metadata(&discovery, &settings)).unwrap()
    }

    #[test]
    fn golden() {
        let entra = include_bytes!("../tests/fixtures/v2_tenant.json");
        let source: Value = serde_json::from_slice(entra).unwrap();
        assert_eq!(
            render(entra, TENANT),
            json!({
                "issuer": "https://mcp.example.com",
                "authorization_endpoint": "https://mcp.example.com/oauth/authorize",
                "token_endpoint": "https://mcp.example.com/oauth/token",
                "registration_endpoint": "https://mcp.example.com/oauth/register",
                "scopes_supported": ["access_as_user", "openid", "profile", "email", "offline_access"],
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_methods_supported": ["none"],
                "code_challenge_methods_supported": ["S256"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "claims_supported": source["claims_supported"],
                "end_session_endpoint": source["end_session_endpoint"],
                "frontchannel_logout_supported": true,
                "jwks_uri": source["jwks_uri"],
                "request_uri_parameter_supported": false,
                "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
            })
        );
    }

    #[test]
    fn the_template_of_shared_audiences_is_never_passed_on() {
        for (entra, tenant) in [
            (include_bytes!("../tests/fixtures/v2_common.json").as_slice(), "common"),
            (include_bytes!("../tests/fixtures/v2_organizations.json").as_slice(), "organizations"),
        ] {
            let document = render(entra, tenant);
            assert!(!document.to_string().contains("{tenantid}"));
            assert_eq!(document["issuer"], "https://mcp.example.com");
        }
    }

    proptest! {
        #[test]
        fn whatever_entra_adds_the_issuer_and_the_endpoints_are_ours(
            name in "[a-z_]{1,12}_endpoint|mtls_endpoint_aliases|issuer2|authorization_response_iss_parameter_supported|[a-z_]{1,20}",
            value in "[ -~&&[^\"\\\\]]{0,20}",
        ) {
            let entra = include_str!("../tests/fixtures/v2_common.json");
            let source: Value = serde_json::from_str(entra).unwrap();
            prop_assume!(source.get(&name).is_none());
            let more = entra.replacen('{', &format!("{{\"{name}\":\"{value}\","), 1);
            let document = render(more.as_bytes(), "common");
            prop_assert_eq!(&document, &render(entra.as_bytes(), "common"));
            for (member, value) in document.as_object().unwrap() {
                let entras = ["userinfo_endpoint", "end_session_endpoint"].contains(&member.as_str());
                if member.ends_with("_endpoint") && !entras {
                    prop_assert!(value.as_str().unwrap().starts_with("https://mcp.example.com/oauth/"));
                }
            }
        }
    }
}
