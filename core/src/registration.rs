//! Dynamic client registration (RFC 7591), answered with the one app registration that exists.
//!
//! Entra registers nobody on request. Every client gets the configured client id, so the answer
//! is a function of the request: nothing is stored, nothing expires, and a client that keeps its
//! registration for a year still works. What a client may do is not decided here: its redirect
//! URI is checked at each sign-in, by us and by Entra.
//!
//! ```
//! use mcp_entra_core::{Options, Settings, UnixTime, registration};
//!
//! let settings = Settings::parse(&Options {
//!     resource: "https://mcp.example.com/mcp".into(),
//!     tenant: "common".into(),
//!     client_id: "99999999-8888-4777-8666-555555555555".into(),
//!     ..Options::default()
//! })
//! .unwrap();
//! let body = br#"{"redirect_uris":["http://localhost:8787/callback"],"client_name":null}"#;
//! let answer = registration::register(body, &settings, UnixTime(1_767_225_600)).unwrap();
//! assert_eq!(
//!     &answer[..],
//!     br#"{"client_id":"99999999-8888-4777-8666-555555555555","client_id_issued_at":1767225600,"redirect_uris":["http://localhost:8787/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}"#
//! );
//! ```

use bytes::Bytes;
use serde::ser::SerializeMap as _;

use crate::json::{Members, Text, write_object};
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::settings::Settings;
use crate::time::UnixTime;

/// The most octets of a registration that are read.
pub const MAX_REGISTRATION_LENGTH: usize = 64 * 1024;

/// The most redirect URIs in one registration; VS Code sends four.
pub const MAX_REDIRECT_URIS: usize = 32;

/// What a client that insists on a secret is given where the operator allows it. It is no secret
/// and opens nothing: the token endpoint discards whatever credentials a client sends.
pub const PLACEHOLDER_SECRET: &str = "mcp-entra-clients-have-no-secret";

/// Text about the client, given back as it came.
const ECHOED: [&str; 8] = [
    "application_type",
    "client_name",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "software_id",
    "software_version",
    "tos_uri",
];

/// Answers a registration: the body of the `201 Created` of RFC 7591 section 3.2.1.
///
/// # Errors
/// `invalid_client_metadata` or `invalid_redirect_uri` with the value and the mend.
pub fn register(body: &[u8], settings: &Settings, now: UnixTime) -> Result<Bytes, OAuthError> {
    let invalid = |text: String| OAuthError::new(ErrorCode::InvalidClientMetadata, text);
    let asked = Members::parse(body)
        .map_err(|error| invalid(format!("the registration is not a JSON object: {error}")))?;
    let redirect_uris = redirect_uris(&asked, settings)?;

    let secret_method = asked
        .text("token_endpoint_auth_method")
        .filter(|_| settings.issues_client_secret())
        .filter(|method| ["client_secret_basic", "client_secret_post"].contains(&&**method));

    Ok(write_object(body.len() + 512, |answer| {
        answer.serialize_entry("client_id", settings.client_id().as_str())?;
        answer.serialize_entry("client_id_issued_at", &now.0)?;
        answer.serialize_entry("redirect_uris", &redirect_uris)?;
        answer.serialize_entry("grant_types", &["authorization_code", "refresh_token"])?;
        answer.serialize_entry("response_types", &["code"])?;
        match secret_method {
            Some(method) => {
                answer.serialize_entry("token_endpoint_auth_method", &method)?;
                answer.serialize_entry("client_secret", PLACEHOLDER_SECRET)?;
                answer.serialize_entry("client_secret_expires_at", &0)?;
            }
            None => answer.serialize_entry("token_endpoint_auth_method", "none")?,
        }
        if let Some(scope) = asked.text("scope").filter(|scope| settings.api().understands(scope)) {
            answer.serialize_entry("scope", &scope)?;
        }
        for name in ECHOED {
            if let Some(text) = asked.text(name) {
                answer.serialize_entry(name, &text)?;
            }
        }
        match asked.get::<Vec<Text<'_>>>("contacts") {
            Some(contacts) => answer.serialize_entry("contacts", &contacts),
            None => Ok(()),
        }
    }))
}

/// All must be sound and one must be on the list: a client may bring others, such as the web
/// callback beside the desktop one, and each is checked when it is used.
fn redirect_uris<'a>(
    asked: &'a Members<'_>,
    settings: &Settings,
) -> Result<Vec<Text<'a>>, OAuthError> {
    let invalid = |text: String| OAuthError::new(ErrorCode::InvalidRedirectUri, text);
    let texts: Vec<Text<'_>> = asked.get("redirect_uris").unwrap_or_default();
    if texts.is_empty() || texts.len() > MAX_REDIRECT_URIS {
        return Err(invalid(format!("redirect_uris must name 1 to {MAX_REDIRECT_URIS} URIs")));
    }
    let mut listed = false;
    for text in &texts {
        let found = settings
            .redirect_policy()
            .find(text)
            .map_err(|error| invalid(format!("redirect URI '{}': {error}", cut(text))))?;
        listed |= found.is_some();
    }
    if !listed {
        let text = texts.first().map_or("", |text| cut(text));
        return Err(invalid(format!(
            "none of the redirect URIs is allowed here, such as '{text}'; the operator adds one with \
             --redirect-uri and registers it in Entra ID"
        )));
    }
    Ok(texts)
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(200).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::options::Options;

    fn settings(issue_client_secret: bool) -> Settings {
        Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "common".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            client_secret: Some("the-real-one".into()),
            issue_client_secret,
            ..Options::default()
        })
        .unwrap()
    }

    /// Without the placeholder and with it.
    static SETTINGS: LazyLock<[Settings; 2]> = LazyLock::new(|| [false, true].map(settings));

    fn register(body: &Value, secret: bool) -> Result<Value, OAuthError> {
        super::register(body.to_string().as_bytes(), &SETTINGS[usize::from(secret)], UnixTime(7))
            .map(|answer| serde_json::from_slice(&answer).unwrap())
    }

    #[test]
    fn rfc_7591_section_3_1() {
        let answer = register(
            &json!({
                "redirect_uris": ["https://client.example.org/callback", "http://localhost/callback"],
                "client_name": "My Example Client",
                "client_name#ja-Jpan-JP": "\u{30AF}",
                "token_endpoint_auth_method": "client_secret_basic",
                "logo_uri": "https://client.example.org/logo.png",
                "jwks_uri": "https://client.example.org/my_public_keys.jwks",
                "example_extension_parameter": "example_value",
            }),
            false,
        );
        assert_eq!(
            answer.unwrap(),
            json!({
                "client_id": "99999999-8888-4777-8666-555555555555",
                "client_id_issued_at": 7,
                "redirect_uris": ["https://client.example.org/callback", "http://localhost/callback"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "client_name": "My Example Client",
                "logo_uri": "https://client.example.org/logo.png",
            })
        );
    }

    #[test]
    fn cursor_registers_three_redirect_uris_at_once() {
        let uris = json!([
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback"
        ]);
        let body = json!({
            "client_name": "Cursor", "redirect_uris": uris, "application_type": "native",
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "token_endpoint_auth_method": "none", "scope": "access_as_user offline_access",
            "client_uri": null, "contacts": null,
        });
        let answer = register(&body, false).unwrap();
        assert_eq!(answer["redirect_uris"], uris);
        assert_eq!(answer["application_type"], "native");
        assert_eq!(answer["scope"], "access_as_user offline_access");
        assert!(answer.as_object().unwrap().values().all(|value| !value.is_null()));
        assert!(answer.get("client_secret").is_none());
    }

    #[test]
    fn a_placeholder_secret_is_given_only_where_it_is_switched_on_and_asked_for() {
        let asks = |method| {
            json!({
                "redirect_uris": ["https://teams.microsoft.com/api/platform/v1.0/oAuthRedirect"],
                "token_endpoint_auth_method": method,
            })
        };
        let given = register(&asks("client_secret_post"), true).unwrap();
        assert_eq!(given["client_secret"], PLACEHOLDER_SECRET);
        assert_eq!(given["client_secret_expires_at"], 0);
        assert_eq!(given["token_endpoint_auth_method"], "client_secret_post");
        assert!(register(&asks("none"), true).unwrap().get("client_secret").is_none());
        assert!(
            register(&asks("client_secret_post"), false).unwrap().get("client_secret").is_none()
        );
    }

    #[test]
    fn refusals() {
        let code = |body: &str| {
            super::register(body.as_bytes(), &SETTINGS[0], UnixTime(0)).unwrap_err().code()
        };
        for body in ["", "[]", "<html>", "null", r#"{"a":1,"a":2}"#, "\u{feff}{}"] {
            assert_eq!(code(body), ErrorCode::InvalidClientMetadata, "{body}");
        }
        for uris in [
            "null",
            "[]",
            "\"http://localhost/callback\"",
            "[1]",
            "[null]",
            r#"["https://attacker.example/cb"]"#,
            r#"["http://localhost/callback","javascript:alert(1)"]"#,
            r#"["http://localhost/callback","http://example.com/cb"]"#,
            r#"["http://localhost/callback","https://h/cb#f"]"#,
            r#"["http://localhost/callback","https://*.h/cb"]"#,
        ] {
            assert_eq!(
                code(&format!(r#"{{"redirect_uris":{uris}}}"#)),
                ErrorCode::InvalidRedirectUri,
                "{uris}"
            );
        }
    }

    #[test]
    fn a_scope_of_another_api_is_not_given_back() {
        let given = |scope: &str| {
            let body = json!({ "redirect_uris": ["http://localhost/callback"], "scope": scope });
            register(&body, false).unwrap().get("scope").cloned()
        };
        assert_eq!(given("openid access_as_user"), Some("openid access_as_user".into()));
        assert_eq!(given("access_as_user https://graph.microsoft.com/User.Read"), None);
    }

    #[test]
    fn one_to_thirty_two_redirect_uris() {
        let of = |number| json!({ "redirect_uris": vec!["http://localhost/callback"; number] });
        assert_eq!(
            register(&of(32), false).unwrap()["redirect_uris"].as_array().unwrap().len(),
            32
        );
        let refused = register(&of(33), false).unwrap_err();
        assert_eq!(refused.description(), "redirect_uris must name 1 to 32 URIs");
    }

    #[test]
    fn a_refusal_quotes_the_beginning_of_a_redirect_uri() {
        let refused = |uri: &str| {
            let body = json!({ "redirect_uris": [uri] });
            register(&body, false).unwrap_err().description().to_owned()
        };
        let long = format!("https://h/{}", "é".repeat(300));
        let quoted = format!("redirect URI 'https://h/{}': it has a character", "?".repeat(190));
        assert!(refused(&long).starts_with(&quoted), "{}", refused(&long));
        let unlisted = "none of the redirect URIs is allowed here, such as 'https://h/cb';";
        assert!(refused("https://h/cb").starts_with(unlisted), "{}", refused("https://h/cb"));
    }

    proptest! {
        #[test]
        fn an_answer_never_has_the_real_secret_a_null_or_another_client_id(
            name in "[ -~]{0,20}", method in "none|client_secret_post|client_secret_basic|x", on: bool,
        ) {
            let body = json!({
                "redirect_uris": ["http://127.0.0.1:1/callback"], "client_name": name,
                "token_endpoint_auth_method": method, "client_id": "mine", "client_secret": "mine",
            });
            let answer = register(&body, on).unwrap();
            prop_assert_eq!(&answer["client_id"], "99999999-8888-4777-8666-555555555555");
            prop_assert_eq!(&answer["client_name"], &name);
            prop_assert!(!answer.to_string().contains("the-real-one"));
            prop_assert!(answer.as_object().unwrap().values().all(|value| !value.is_null()));
            prop_assert_eq!(answer, register(&body, on).unwrap());
        }
    }
}
