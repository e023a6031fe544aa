//! Entra's error answers: read leniently, and turned into what an OAuth client understands.
//!
//! Microsoft documents members and codes and asks nobody to depend on them, and its answers vary:
//! `error_codes` may be numbers or a string, statuses differ between reports. So the status, the
//! `error` and the codes are each a hint, and what is not understood is an error of the server.

use std::borrow::Cow;

use serde_json::Value;

use crate::aadsts::{self, Aadsts, Action};
use crate::explanation;
use crate::json::Members;
use crate::oauth_error::{ErrorCode, describable};
use crate::settings::Settings;

/// What Entra said when it refused a token request.
#[derive(Debug)]
pub(crate) struct EntraError<'a> {
    members: Members<'a>,
    error: String,
    description: String,
    codes: Vec<u32>,
}

impl<'a> EntraError<'a> {
    /// `None` where the body is not an OAuth error: HTML, nothing, somebody else's JSON.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let members = Members::parse(body).ok()?;
        let error = members.text("error")?.into_owned();
        let description = members.text("error_description").unwrap_or_default().into_owned();
        let mut codes: Vec<u32> = aadsts::codes_in(&description).collect();
        let listed = match members.get::<Value>("error_codes") {
            Some(Value::Array(listed)) => listed,
            Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or_default(),
            _ => Vec::new(),
        };
        for code in listed.iter().filter_map(Value::as_u64).filter_map(|c| u32::try_from(c).ok()) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        Some(Self { members, error, description, codes })
    }

    fn known(&self) -> Option<&'static Aadsts> {
        aadsts::explain_last(&self.codes)
    }

    /// Whether the client credential was missing where Entra wants one.
    pub(crate) fn wants_credential(&self) -> bool {
        self.codes.contains(&7000218)
    }

    /// What the client is told.
    pub(crate) fn meaning(&self) -> Meaning<'_> {
        use ErrorCode::{InvalidGrant, ServerError, TemporarilyUnavailable};

        let action = self.known().map(|known| known.action);
        match (action, self.error.as_str()) {
            (Some(Action::Retry), _) | (_, "temporarily_unavailable") => {
                Meaning::Is(TemporarilyUnavailable)
            }
            (Some(Action::SignIn), _) => Meaning::Is(InvalidGrant),
            (Some(Action::Operator), _) => Meaning::Is(ServerError),
            (_, "interaction_required" | "login_required" | "consent_required") => {
                Meaning::Is(InvalidGrant)
            }
            (_, "invalid_resource") => Meaning::Is(ErrorCode::InvalidTarget),
            (
                _,
                known @ ("invalid_grant"
                | "invalid_request"
                | "invalid_scope"
                | "invalid_target"
                | "unsupported_grant_type"),
            ) => Meaning::AsEntraSays(known),
            // the client id and the credential that Entra speaks of are ours
            (_, _) => Meaning::Is(ServerError),
        }
    }

    /// Entra's own members with our `error`, its text followed by the explanation, and the page
    /// that has all of it, Entra's own included.
    pub(crate) fn to_bytes(&self, error: &str, settings: &Settings) -> bytes::Bytes {
        let mut members = self.members.clone();
        members.set("error", &error);
        let mut description = describable(&self.description);
        if let Some(known) = self.known() {
            description.push_str(&format!(" [mcp-entra: {}; {}]", known.cause, known.mend));
            members.set("error_uri", &explanation::url(known.code, settings));
        }
        members.set("error_description", &description);
        members.to_bytes()
    }

    /// One line for the log.
    pub(crate) fn reason(&self) -> String {
        let id = |name| self.members.text(name).unwrap_or(Cow::Borrowed("none"));
        let code = self.codes.last().map_or_else(String::new, |code| format!(" AADSTS{code}"));
        let explained = self
            .known()
            .map_or_else(String::new, |known| format!(": {}; {}", known.cause, known.mend));
        format!(
            "Entra ID answered {}{code}{explained} (trace id {}, correlation id {})",
            describable(&self.error),
            describable(&id("trace_id")),
            describable(&id("correlation_id")),
        )
    }
}

/// What an error of Entra's is to an OAuth client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Meaning<'a> {
    /// A code that every client knows, with Entra's own status.
    AsEntraSays(&'a str),
    /// Another code than Entra's.
    Is(ErrorCode),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    fn meaning(body: &str) -> String {
        match EntraError::parse(body.as_bytes()).unwrap().meaning() {
            Meaning::AsEntraSays(error) => error.into(),
            Meaning::Is(code) => code.as_str().into(),
        }
    }

    #[test]
    fn what_entra_says_and_what_clients_are_told() {
        for (body, told) in [
            (r#"{"error":"interaction_required","error_codes":[50076]}"#, "invalid_grant"),
            (r#"{"error":"interaction_required"}"#, "invalid_grant"),
            (r#"{"error":"invalid_grant","error_description":"AADSTS70043: x"}"#, "invalid_grant"),
            (r#"{"error":"consent_required","error_codes":"[65001]"}"#, "invalid_grant"),
            (r#"{"error":"invalid_client","error_codes":[7000218]}"#, "server_error"),
            (r#"{"error":"unauthorized_client","error_codes":[700016]}"#, "server_error"),
            (r#"{"error":"invalid_client"}"#, "server_error"),
            (r#"{"error":"invalid_request","error_codes":[90033]}"#, "temporarily_unavailable"),
            (r#"{"error":"invalid_grant","error_codes":[90024]}"#, "temporarily_unavailable"),
            (r#"{"error":"invalid_resource"}"#, "invalid_target"),
            (r#"{"error":"invalid_scope","error_codes":[70011]}"#, "invalid_scope"),
            (r#"{"error":"invalid_request","error_codes":"[90033]"}"#, "temporarily_unavailable"),
            (
                r#"{"error":"invalid_grant","error_description":"AADSTS70002: x AADSTS54005: y"}"#,
                "invalid_grant",
            ),
            (r#"{"error":"invalid_grant","error_codes":[4242]}"#, "invalid_grant"),
            (r#"{"error":"something_new","error_codes":{}}"#, "server_error"),
        ] {
            assert_eq!(meaning(body), told, "{body}");
        }
        for no_error in ["", "<html>", "[]", "{}", r#"{"error":1}"#, r#"{"error":{"code":"x"}}"#] {
            assert!(EntraError::parse(no_error.as_bytes()).is_none(), "{no_error}");
        }
    }

    #[test]
    fn entras_text_is_kept_and_the_explanation_follows() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are expired.\r\nTrace ID: t","error_codes":[7000222],"trace_id":"t","correlation_id":"c","timestamp":"now","error_uri":"https://login.microsoftonline.com/error?code=7000222"}"#;
        let error = EntraError::parse(body.as_bytes()).unwrap();
        let settings = Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "contoso.com".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            ..Options::default()
        });
        let answer = error.to_bytes("server_error", &settings.unwrap());
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["error"], "server_error");
        assert_eq!(answer["correlation_id"], "c");
        assert_eq!(answer["error_uri"], "https://mcp.example.com/oauth/error?code=7000222");
        assert_eq!(
            answer["error_description"],
            "AADSTS7000222: The provided client secret keys are expired. Trace ID: t [mcp-entra: the client secret has expired; create a new one under Certificates & secrets, and give its Value, not its Secret ID, as MCP_ENTRA_CLIENT_SECRET or in the file of MCP_ENTRA_CLIENT_SECRET_FILE]"
        );
        assert_eq!(
            error.reason(),
            "Entra ID answered invalid_client AADSTS7000222: the client secret has expired; create a new one under Certificates & secrets, and give its Value, not its Secret ID, as MCP_ENTRA_CLIENT_SECRET or in the file of MCP_ENTRA_CLIENT_SECRET_FILE (trace id t, correlation id c)"
        );
    }
}
