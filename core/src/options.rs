//! What the operator says, as texts, and what is wrong with them.

use std::fmt;

/// The options as texts. `Default` leaves out what must be given: `resource`, `tenant` and
/// `client_id`.
#[derive(Clone, Default)]
pub struct Options {
    /// The public URL of the MCP endpoint; its origin is the issuer.
    pub resource: String,
    /// A tenant GUID or domain, `organizations`, `common` or `consumers`.
    pub tenant: String,
    /// The application (client) id of the app registration.
    pub client_id: String,
    /// The client secret, for redirect URIs on the Web platform.
    pub client_secret: Option<String>,
    /// `auto`, `web` or `native`; empty for `auto`.
    pub platform: String,
    /// The scopes that every call needs; none for [`crate::DEFAULT_SCOPE`].
    pub scopes: Vec<String>,
    /// The Application ID URI; empty for `api://<client-id>`.
    pub app_id_uri: String,
    /// The origin of the Microsoft cloud; empty for [`crate::DEFAULT_AUTHORITY`].
    pub authority: String,
    /// Redirect URIs beside those of the known clients.
    pub redirect_uris: Vec<String>,
    /// Whether a client that insists on a secret is given a placeholder.
    pub issue_client_secret: bool,
    /// The tenants whose users may call; none for all that `tenant` stands for.
    pub allowed_tenants: Vec<String>,
    /// Audiences of tokens beside the client id, the Application ID URI and the resource: the
    /// GUID of the API, where it is another application than the client.
    pub audiences: Vec<String>,
    /// `write=read,list`: who has the first scope has the others.
    pub scope_implies: Vec<String>,
    /// `tools/call:delete_*=mcp.write`: what an operation needs beside the required scopes.
    pub operation_scopes: Vec<String>,
    /// The app roles, one of which an application without a user must have; none for no such
    /// callers.
    pub app_roles: Vec<String>,
    /// Seconds by which clocks may differ; `None` for [`crate::MAX_CLOCK_SKEW`].
    pub clock_skew: Option<u64>,
    /// The most octets of an MCP message that has to be read for `operation_scopes`; `None` for
    /// [`crate::operation::MAX_MESSAGE_LENGTH`].
    pub max_message_length: Option<usize>,
    /// `token` or `easy-auth`; empty for `token`.
    pub trust: String,
    /// Whether the server behind receives the caller's access token.
    pub forward_token: bool,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("resource", &self.resource)
            .field("tenant", &self.tenant)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Everything that is wrong with the options.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SettingsError {
    pub(crate) faults: Vec<Fault>,
}

impl SettingsError {
    /// One for each option that is wrong.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

/// One option that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    option: &'static str,
    value: String,
    problem: String,
    mend: &'static str,
}

impl Fault {
    pub(crate) fn new(
        option: &'static str,
        value: &str,
        problem: impl fmt::Display,
        mend: &'static str,
    ) -> Self {
        Self { option, value: value.into(), problem: problem.to_string(), mend }
    }

    /// The option, named as the gateway's flag is without its hyphens.
    pub fn option(&self) -> &'static str {
        self.option
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { option, value, problem, mend } = self;
        match value.as_str() {
            "" => write!(f, "{option} is missing: {mend}"),
            _ => write!(f, "{option} '{value}': {problem}; {mend}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_debug_shows_whose_they_are_and_no_secret() {
        let options = Options {
            resource: "https://h/mcp".into(),
            tenant: "common".into(),
            client_id: "x".into(),
            client_secret: Some("s".into()),
            ..Options::default()
        };
        assert_eq!(
            format!("{options:?}"),
            r#"Options { resource: "https://h/mcp", tenant: "common", client_id: "x", .. }"#
        );
    }
}
