//! App registrations, in the JSON that Microsoft Graph gives and takes for `application` objects.

use serde::{Deserialize, Serialize};

use crate::redirect::Platform;
use crate::time;

/// The client id of [`Application::example`].
pub const EXAMPLE_CLIENT: &str = "99999999-8888-4777-8666-555555555555";

/// Microsoft Graph's application id: the owner of every scope that names no resource.
pub(crate) const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

/// An app registration.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Application {
    /// The application (client) id.
    pub app_id: String,
    /// The name that errors show; the client id if there is none.
    pub display_name: Option<String>,
    /// Application ID URIs: what a scope or `resource` may name this application by, besides its GUID.
    pub identifier_uris: Vec<String>,
    /// Whose accounts may sign in.
    pub sign_in_audience: SignInAudience,
    /// What this application offers as an API.
    pub api: Api,
    /// What can be assigned to users and applications.
    pub app_roles: Vec<AppRole>,
    /// Platform Web: redirects that need a secret.
    pub web: RedirectUris,
    /// Platform Single-page application: redirects that need PKCE and `Origin`.
    pub spa: RedirectUris,
    /// Platform Mobile and desktop: redirects that allow no secret.
    pub public_client: RedirectUris,
    /// "Allow public client flows": for flows without a redirect URI.
    pub is_fallback_public_client: Option<bool>,
    /// Secrets. Graph hides their values; the stand-in accepts those that have a `secretText`.
    pub password_credentials: Vec<PasswordCredential>,
    /// Trust in other issuers' tokens instead of a secret.
    pub federated_identity_credentials: Vec<FederatedIdentityCredential>,
    /// The permissions that `.default` stands for.
    pub required_resource_access: Vec<RequiredResourceAccess>,
}

/// Whose accounts may sign in to an application.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum SignInAudience {
    /// This tenant's.
    #[default]
    AzureADMyOrg,
    /// Any tenant's.
    AzureADMultipleOrgs,
    /// Any tenant's and personal ones.
    AzureADandPersonalMicrosoftAccount,
    /// Personal ones only.
    PersonalMicrosoftAccount,
}

/// What an application offers as an API.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Api {
    /// Version of the access tokens: `None` and 1 mean 1, whatever the endpoint.
    pub requested_access_token_version: Option<u8>,
    /// Delegated permissions.
    pub oauth2_permission_scopes: Vec<PermissionScope>,
    /// Clients that need no consent for some of them.
    pub pre_authorized_applications: Vec<PreAuthorizedApplication>,
}

/// A delegated permission.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PermissionScope {
    /// Its id.
    pub id: String,
    /// Its name, as in `scp`.
    pub value: String,
    /// A disabled scope does not exist for clients.
    pub is_enabled: bool,
    /// `User`: users may consent; `Admin`: only administrators.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Default for PermissionScope {
    fn default() -> Self {
        Self { id: String::new(), value: String::new(), is_enabled: true, kind: "User".into() }
    }
}

/// A client that needs no consent.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PreAuthorizedApplication {
    /// The client.
    pub app_id: String,
    /// Ids of the scopes.
    pub delegated_permission_ids: Vec<String>,
}

/// A role of an application.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AppRole {
    /// Its id.
    pub id: String,
    /// Its name, as in `roles`.
    pub value: String,
    /// A disabled role is in no token.
    pub is_enabled: bool,
    /// `User`, `Application` or both.
    pub allowed_member_types: Vec<String>,
}

impl Default for AppRole {
    fn default() -> Self {
        Self {
            id: String::new(),
            value: String::new(),
            is_enabled: true,
            allowed_member_types: Vec::new(),
        }
    }
}

/// A platform's redirect URIs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RedirectUris {
    /// As registered.
    pub redirect_uris: Vec<String>,
}

/// A client secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PasswordCredential {
    /// Its id (not its value).
    pub key_id: Option<String>,
    /// Its name.
    pub display_name: Option<String>,
    /// The value; Graph shows it once, when the secret is made.
    pub secret_text: Option<String>,
    /// When it expires, for instance `2026-12-31T00:00:00Z`.
    pub end_date_time: Option<String>,
}

/// Trust in another issuer's tokens. Graph keeps these beside the application, at `/federatedIdentityCredentials`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedIdentityCredential {
    /// The assertion's `iss`.
    pub issuer: String,
    /// The assertion's `sub`.
    pub subject: String,
    /// The assertion's `aud`, usually `api://AzureADTokenExchange`.
    pub audiences: Vec<String>,
}

/// Permissions that an application lists as needed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequiredResourceAccess {
    /// The API.
    pub resource_app_id: String,
    /// Its scopes and roles.
    pub resource_access: Vec<ResourceAccess>,
}

/// One needed permission.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceAccess {
    /// Id of the scope or role.
    pub id: String,
    /// `Scope` or `Role`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Whether a secret is good.
pub(crate) enum SecretCheck {
    Good,
    Expired,
    Wrong,
}

impl Application {
    /// An empty registration: no scopes, no redirects.
    #[must_use]
    pub fn new(app_id: impl Into<String>) -> Self {
        Self { app_id: app_id.into(), ..Self::default() }
    }

    /// One registration that is both client and API, with v2 tokens, the scopes `access_as_user` and `mcp.write`, the
    /// loopback redirects of the usual clients for Mobile and desktop, and the hosted ones for Web.
    #[must_use]
    pub fn example() -> Self {
        let scope = |id: &str, value: &str| PermissionScope {
            id: id.into(),
            value: value.into(),
            ..Default::default()
        };
        let uris = |uris: &[&str]| RedirectUris {
            redirect_uris: uris.iter().map(|uri| (*uri).into()).collect(),
        };
        Self {
            app_id: EXAMPLE_CLIENT.into(),
            display_name: Some("Example MCP server".into()),
            identifier_uris: vec![format!("api://{EXAMPLE_CLIENT}")],
            api: Api {
                requested_access_token_version: Some(2),
                oauth2_permission_scopes: vec![
                    scope("a0000000-0000-4000-8000-000000000001", "access_as_user"),
                    scope("a0000000-0000-4000-8000-000000000002", "mcp.write"),
                ],
                pre_authorized_applications: Vec::new(),
            },
            public_client: uris(&[
                "http://localhost",
                "http://localhost/",
                "http://localhost/callback",
                "http://localhost/oauth/callback",
                "http://localhost/oauth/callback/debug",
                "http://127.0.0.1/",
                "http://127.0.0.1/callback",
                "http://127.0.0.1/oauth/callback",
                "http://127.0.0.1:33418/",
                "cursor://anysphere.cursor-mcp/oauth/callback",
            ]),
            web: uris(&[
                "https://claude.ai/api/mcp/auth_callback",
                "https://claude.com/api/mcp/auth_callback",
                "https://chatgpt.com/connector_platform_oauth_redirect",
                "https://vscode.dev/redirect",
                "https://insiders.vscode.dev/redirect",
            ]),
            ..Self::default()
        }
    }

    /// With this secret, which never expires.
    #[must_use]
    pub fn with_secret(mut self, value: impl Into<String>) -> Self {
        self.password_credentials
            .push(PasswordCredential { secret_text: Some(value.into()), ..Default::default() });
        self
    }

    /// With this redirect URI.
    #[must_use]
    pub fn with_redirect_uri(mut self, platform: Platform, uri: impl Into<String>) -> Self {
        let uris = match platform {
            Platform::Web => &mut self.web,
            Platform::Spa => &mut self.spa,
            Platform::Public => &mut self.public_client,
        };
        uris.redirect_uris.push(uri.into());
        self
    }

    /// With this Application ID URI.
    #[must_use]
    pub fn with_identifier_uri(mut self, uri: impl Into<String>) -> Self {
        self.identifier_uris.push(uri.into());
        self
    }

    /// Microsoft Graph, with the few scopes that sign-ins ask for.
    pub(crate) fn graph() -> Self {
        let names = ["User.Read", "User.ReadBasic.All", "Mail.Read", "Files.Read"];
        let scope = |(n, value): (usize, &&str)| PermissionScope {
            id: format!("b0000000-0000-4000-8000-{n:012}"),
            value: (*value).into(),
            ..Default::default()
        };
        Self {
            app_id: GRAPH.into(),
            display_name: Some("Microsoft Graph".into()),
            identifier_uris: vec!["https://graph.microsoft.com".into()],
            sign_in_audience: SignInAudience::AzureADMultipleOrgs,
            api: Api {
                oauth2_permission_scopes: names.iter().enumerate().map(scope).collect(),
                ..Api::default()
            },
            ..Self::default()
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.app_id)
    }

    /// The enabled scope of this name. Names are compared exactly, except Graph's, which Entra takes in any case.
    pub(crate) fn scope(&self, name: &str) -> Option<&PermissionScope> {
        self.api.oauth2_permission_scopes.iter().find(|scope| {
            scope.is_enabled
                && (scope.value == name
                    || self.app_id == GRAPH && scope.value.eq_ignore_ascii_case(name))
        })
    }

    /// The scopes that `.default` of `resource` stands for: the listed ones, or all that users may consent to if the
    /// registration lists none for it.
    pub(crate) fn default_scopes(&self, resource: &Self) -> Vec<String> {
        let listed = self
            .required_resource_access
            .iter()
            .find(|listed| listed.resource_app_id == resource.app_id);
        let wanted = |scope: &&PermissionScope| match listed {
            Some(listed) => listed.resource_access.iter().any(|access| access.id == scope.id),
            None => scope.kind != "Admin",
        };
        let scopes = resource.api.oauth2_permission_scopes.iter();
        scopes
            .filter(|scope| scope.is_enabled)
            .filter(wanted)
            .map(|scope| scope.value.clone())
            .collect()
    }

    /// The scopes that `client` has without anybody's consent.
    pub(crate) fn pre_authorized(&self, client: &str) -> impl Iterator<Item = String> {
        let ids =
            self.api.pre_authorized_applications.iter().filter(move |app| app.app_id == client);
        let ids = ids.flat_map(|app| &app.delegated_permission_ids);
        ids.filter_map(|id| {
            let scope = self
                .api
                .oauth2_permission_scopes
                .iter()
                .find(|scope| &scope.id == id && scope.is_enabled)?;
            Some(scope.value.clone())
        })
    }

    pub(crate) fn check_secret(&self, secret: &str, now: u64) -> SecretCheck {
        let mut matching = self
            .password_credentials
            .iter()
            .filter(|known| known.secret_text.as_deref() == Some(secret));
        let Some(found) = matching.next() else { return SecretCheck::Wrong };
        let expiry = found.end_date_time.as_deref().and_then(time::parse);
        if expiry.is_some_and(|expiry| expiry <= now) {
            SecretCheck::Expired
        } else {
            SecretCheck::Good
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_graph_gives() {
        let json = r#"{"@odata.context":"x","id":"1","appId":"2","identifierUris":["api://2"],
            "signInAudience":"AzureADMultipleOrgs","api":{"requestedAccessTokenVersion":null,"oauth2PermissionScopes":
            [{"id":"3","value":"a","isEnabled":false,"type":"Admin","adminConsentDescription":"d"}]},
            "web":{"redirectUris":["https://x/"],"implicitGrantSettings":{}},"isFallbackPublicClient":null,
            "passwordCredentials":[{"keyId":"4","secretText":null,"hint":"abc"}]}"#;
        let app: Application = serde_json::from_str(json).expect("parses");
        assert_eq!(app.sign_in_audience, SignInAudience::AzureADMultipleOrgs);
        assert!(app.scope("a").is_none(), "disabled");
        let again = serde_json::to_value(&app).expect("serialises");
        assert_eq!(again["api"]["oauth2PermissionScopes"][0]["type"], "Admin");
        assert_eq!(again["publicClient"]["redirectUris"], serde_json::json!([]));
    }

    #[test]
    fn secrets_expire() {
        let mut app = Application::new("x").with_secret("s");
        assert!(matches!(app.check_secret("s", 1), SecretCheck::Good));
        assert!(matches!(app.check_secret("t", 1), SecretCheck::Wrong));
        app.password_credentials[0].end_date_time = Some("1970-01-01T00:00:01Z".into());
        assert!(matches!(app.check_secret("s", 1), SecretCheck::Expired));
    }
}
