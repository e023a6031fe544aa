//! What a stand-in can be told: the user, the consent policy, how strict to be where the facts are uncertain.

use std::time::Duration;

use serde_json::{Map, Value};

/// A user of the directory.
#[derive(Clone, Debug)]
pub struct User {
    /// Object id.
    pub oid: String,
    /// Display name.
    pub name: String,
    /// User principal name.
    pub preferred_username: String,
    /// Home tenant; the stand-in's tenant if `None`.
    pub tid: Option<String>,
    /// `roles` in access tokens.
    pub roles: Vec<String>,
    /// Further claims for access tokens, for instance `groups`.
    pub claims: Map<String, Value>,
}

impl Default for User {
    /// Ada, of the stand-in's tenant.
    fn default() -> Self {
        Self {
            oid: "22222222-0000-4000-8000-000000000001".into(),
            name: "Ada".into(),
            preferred_username: "ada@contoso.com".into(),
            tid: None,
            roles: Vec::new(),
            claims: Map::new(),
        }
    }
}

/// Who consents, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// Users may consent, and do, to whatever is asked (except scopes of type `Admin`).
    #[default]
    User,
    /// Only administrators: `prompt=consent` and scopes without [admin consent](crate::EntraStandIn::admin_consent) get
    /// AADSTS90094.
    AdminOnly,
    /// Nobody is asked at authorize and nobody consents: the token endpoint says AADSTS65001.
    Never,
}

/// What `scp` (and `scope` in the token response) lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Granted {
    /// Every scope of the resource that the user has consented to for this client, asked for now or not. This is what
    /// Entra does.
    #[default]
    Consented,
    /// Only what the request names.
    Requested,
}

/// What separates the message from `Trace ID` in `error_description`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Separator {
    /// A space, since about 2022.
    #[default]
    Space,
    /// CR LF, as before.
    CrLf,
}

/// The form of tokens and answers, where Entra's varies.
#[derive(Clone, Debug)]
pub struct Form {
    /// Life of an access token; `None` draws one between 60 and 90 minutes for each.
    pub access_token_lifetime: Option<Duration>,
    /// What `scp` lists.
    pub granted: Granted,
    /// `expires_in` and `ext_expires_in` as strings, as AD FS and the v1 endpoint give them.
    pub expires_in_as_string: bool,
    /// `iss` of v1 tokens and documents, with `{tenantid}` for the tenant.
    pub v1_issuer: String,
    /// Separator in `error_description`.
    pub separator: Separator,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            access_token_lifetime: None,
            granted: Granted::default(),
            expires_in_as_string: false,
            v1_issuer: "https://sts.windows.net/{tenantid}/".into(),
            separator: Separator::default(),
        }
    }
}

/// What to do where the facts are uncertain. The default is the stricter answer throughout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strictness {
    /// `http://127.0.0.1` needs the registered port; if false its port is ignored, as `http://localhost`'s always is.
    /// Microsoft's page says "loopback or localhost"; copilot-cli#1965 got AADSTS50011.
    pub loopback_ip_needs_port: bool,
    /// `https://host` and `https://host/` are different redirect URIs.
    pub root_slash_matters: bool,
    /// On a refresh where client and API are one application, the scope must name it by GUID (`<client id>/scope`), else
    /// AADSTS90009. Softeria#502 reports that `api://…/scope` fails, others that any scope will do. Without a scope it
    /// fails in any case.
    pub own_refresh_needs_guid: bool,
    /// A code whose authorization named an API's scopes is redeemed only with `scope`: absent is AADSTS900144, empty
    /// AADSTS28003. If false the authorization's scopes count, and AADSTS28003 is left for codes of several resources.
    pub code_needs_scope: bool,
    /// If the token request names scopes, `offline_access` must be among them for a refresh token (and always among the
    /// authorization's).
    pub offline_access_on_both_legs: bool,
    /// A code is spent by the first attempt, failed or not (Softeria#664); if false only by success.
    pub failure_spends_code: bool,
    /// The token request must use the very tenant segment of the authorization; if false the tenant's domain and its GUID
    /// are alike. AADSTS700005.
    pub same_segment: bool,
    /// `prompt=none` does not consent: scopes not consented before are AADSTS65001 with `interaction_required`.
    pub silent_needs_consent: bool,
    /// Status of `invalid_client`, 400 or 401: both were seen.
    pub invalid_client_status: u16,
    /// Status of the error page: 200 and 400 were seen.
    pub page_status: u16,
    /// Longest query at authorize, in bytes (AADSTS90015). The real limit is not documented; a sign-out of 4.4 kB was
    /// refused (aspnet/Identity#2010).
    pub longest_query: usize,
}

impl Default for Strictness {
    fn default() -> Self {
        Self {
            loopback_ip_needs_port: true,
            root_slash_matters: true,
            own_refresh_needs_guid: true,
            code_needs_scope: true,
            offline_access_on_both_legs: true,
            failure_spends_code: true,
            same_segment: true,
            silent_needs_consent: true,
            invalid_client_status: 401,
            page_status: 400,
            longest_query: 4096,
        }
    }
}

impl Strictness {
    /// The most lenient answer throughout.
    #[must_use]
    pub fn lenient() -> Self {
        Self {
            loopback_ip_needs_port: false,
            root_slash_matters: false,
            own_refresh_needs_guid: false,
            code_needs_scope: false,
            offline_access_on_both_legs: false,
            failure_spends_code: false,
            same_segment: false,
            silent_needs_consent: false,
            invalid_client_status: 400,
            page_status: 200,
            longest_query: 16_384,
        }
    }
}

/// A national cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// `microsoftonline.com`.
    #[default]
    Public,
    /// `microsoftonline.us`.
    UsGovernment,
    /// `partner.microsoftonline.cn`.
    China,
}
