//! What a registration needs, as plain data: the forms and the check read this and nothing else.

use mcp_entra_core::known_client::{KNOWN_CLIENTS, KnownClient};
use mcp_entra_core::redirect_uri::{RedirectKind, RedirectUri};
use mcp_entra_core::{Guid, Platform, Resource, Settings, Tenant};
use uuid::Uuid;

use super::serve_command::ServeCommand;

/// The most characters of an application's name.
pub(super) const LONGEST_NAME: usize = 120;
/// What Entra does not take in a name, and what a shell would take for its own.
pub(super) const UNFIT_FOR_NAMES: &str = "<>;&%\"'\\`$";

/// The namespace of the ids below.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d0f_6f6e_2a4e_5f0b_9c61_3d1c_2b0e_8a57);

/// Everything that the app registration of one gateway has to have.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// What users read when they sign in and consent.
    pub(crate) display_name: String,
    /// The public URL of the MCP endpoint; `None` where a registration is only checked.
    pub(crate) resource: Option<String>,
    /// The origin of the Microsoft cloud.
    pub(crate) authority: String,
    /// `None` where it is not known: then the audience is one tenant, and the check asks for none.
    pub(crate) tenant: Option<Tenant>,
    /// `None` where Entra has not given it yet.
    pub(crate) client_id: Option<Guid>,
    /// `None` for `api://<client-id>`.
    pub(crate) app_id_uri: Option<String>,
    pub(crate) clients: Vec<&'static KnownClient>,
    pub(crate) redirect_uris: Vec<WantedRedirectUri>,
    pub(crate) scopes: Vec<WantedScope>,
    pub(crate) app_roles: Vec<WantedAppRole>,
    /// Clients with registrations of their own that need no consent.
    pub(crate) pre_authorized: Vec<Guid>,
    /// Whether an administrator consents for everybody.
    pub(crate) admin_consent: bool,
    pub(crate) serve: ServeCommand,
}

/// A platform of the app registration, by the name that the portal gives it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AppPlatform {
    MobileAndDesktop,
    Spa,
    Web,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WantedRedirectUri {
    pub(crate) uri: String,
    pub(crate) platform: AppPlatform,
    /// Who needs it: names of clients, or the option that it comes from.
    pub(crate) wanted_by: Vec<&'static str>,
}

/// A delegated permission, with the texts that Entra shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WantedScope {
    pub(crate) id: Uuid,
    pub(crate) value: String,
    pub(crate) admin_consent_display_name: String,
    pub(crate) admin_consent_description: String,
    pub(crate) user_consent_display_name: String,
    pub(crate) user_consent_description: String,
}

/// A role for applications that call without a user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WantedAppRole {
    pub(crate) id: Uuid,
    pub(crate) value: String,
    pub(crate) display_name: String,
    pub(crate) description: String,
}

impl Wanted {
    /// What a gateway with these settings needs for these clients.
    pub(crate) fn new(settings: &Settings, clients: &[&'static KnownClient]) -> Self {
        Self::of(settings, clients, place_of(settings))
    }

    /// `place` is what Entra's pages call the MCP server.
    pub(super) fn of(settings: &Settings, clients: &[&'static KnownClient], place: &str) -> Self {
        let api = settings.api();
        let mut names: Vec<&str> = Vec::new();
        for scope in api.required().iter().chain(api.optional()) {
            if !names.contains(&scope.as_str()) {
                names.push(scope.as_str());
            }
        }
        let own = format!("api://{}", settings.client_id());
        let app_id_uri = api.app_id_uri().as_str();
        Self {
            display_name: display_name(settings.resource()),
            resource: Some(settings.resource().to_string()),
            authority: settings.authority().origin().into(),
            tenant: Some(settings.authority().tenant().clone()),
            client_id: Some(*settings.client_id()),
            app_id_uri: (app_id_uri != own).then(|| app_id_uri.to_owned()),
            clients: clients.to_vec(),
            redirect_uris: redirect_uris(settings, clients),
            scopes: names.into_iter().map(|name| WantedScope::new(name, place)).collect(),
            app_roles: settings
                .app_roles()
                .iter()
                .map(|role| WantedAppRole::new(role, place))
                .collect(),
            pre_authorized: Vec::new(),
            admin_consent: false,
            serve: ServeCommand::default(),
        }
    }

    /// Whose accounts may sign in, as Graph's `signInAudience` has it.
    pub(crate) fn sign_in_audience(&self) -> &'static str {
        match self.tenant {
            None | Some(Tenant::Domain(_) | Tenant::Id(_)) => "AzureADMyOrg",
            Some(Tenant::Organizations) => "AzureADMultipleOrgs",
            Some(Tenant::Common) => "AzureADandPersonalMicrosoftAccount",
            Some(Tenant::Consumers) => "PersonalMicrosoftAccount",
        }
    }

    /// The Application ID URI of a client id.
    pub(crate) fn identifier_uri(&self, client_id: &str) -> String {
        self.app_id_uri.clone().unwrap_or_else(|| format!("api://{client_id}"))
    }

    /// The redirect URIs of a platform.
    pub(crate) fn redirect_uris_on(&self, platform: AppPlatform) -> Vec<&str> {
        let uris = self.redirect_uris.iter().filter(|wanted| wanted.platform == platform);
        uris.map(|wanted| wanted.uri.as_str()).collect()
    }

    /// Whether a client secret is needed: only where a redirect URI is on the Web platform.
    pub(crate) fn needs_secret(&self) -> bool {
        self.redirect_uris.iter().any(|wanted| wanted.platform == AppPlatform::Web)
    }

    /// Whether a redirect URI is for clients without a secret.
    pub(crate) fn has_public_clients(&self) -> bool {
        self.redirect_uris.iter().any(|wanted| wanted.platform == AppPlatform::MobileAndDesktop)
    }

    /// The origin of Microsoft Graph in this cloud.
    pub(crate) fn graph(&self) -> &'static str {
        match self.authority.as_str() {
            authority if authority.ends_with(".us") => "https://graph.microsoft.us",
            authority if authority.ends_with(".cn") => "https://microsoftgraph.chinacloudapi.cn",
            _ => "https://graph.microsoft.com",
        }
    }
}

impl AppPlatform {
    pub(crate) const ALL: [Self; 3] = [Self::Web, Self::Spa, Self::MobileAndDesktop];

    /// What Graph calls it.
    pub(crate) fn property(self) -> &'static str {
        match self {
            Self::MobileAndDesktop => "publicClient",
            Self::Spa => "spa",
            Self::Web => "web",
        }
    }

    /// What the portal calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MobileAndDesktop => "Mobile and desktop applications",
            Self::Spa => "Single-page application",
            Self::Web => "Web",
        }
    }
}

impl WantedScope {
    fn new(value: &str, place: &str) -> Self {
        Self {
            id: stable_id("scope", value),
            value: value.into(),
            admin_consent_display_name: format!("Access {place} as the user"),
            admin_consent_description: format!(
                "MCP clients may call {place} on behalf of the signed-in user, with {value}."
            ),
            user_consent_display_name: format!("Access {place} as you"),
            user_consent_description: format!(
                "MCP clients may call {place} on your behalf, with {value}."
            ),
        }
    }
}

impl WantedAppRole {
    fn new(value: &str, place: &str) -> Self {
        Self {
            id: stable_id("role", value),
            value: value.into(),
            display_name: value.into(),
            description: format!("Applications may call {place} without a user, with {value}."),
        }
    }
}

/// The resource without its scheme, where that is short enough for Entra's pages.
fn place_of(settings: &Settings) -> &str {
    let place = schemeless(settings.resource());
    if place.len() > 60 { "the MCP server" } else { place }
}

fn schemeless(resource: &Resource) -> &str {
    resource.as_str().split_once("://").map_or("", |(_, place)| place)
}

/// `MCP server mcp.example.com/mcp`, as far as Entra takes it for a name.
fn display_name(resource: &Resource) -> String {
    let place = schemeless(resource).chars().filter(|c| !UNFIT_FOR_NAMES.contains(*c));
    "MCP server ".chars().chain(place).take(LONGEST_NAME).collect()
}

/// An id that a permission keeps for ever. It has to be unique within one registration only, and
/// comes of the name alone: were it made of the URL or the client id too, it would change with
/// them, and Entra refuses to replace a permission that is enabled.
fn stable_id(kind: &str, value: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{kind}/{value}").as_bytes())
}

fn redirect_uris(settings: &Settings, clients: &[&'static KnownClient]) -> Vec<WantedRedirectUri> {
    let mut wanted: Vec<WantedRedirectUri> = Vec::new();
    let mut add = |uri: &str, by: &'static str| {
        let Ok(parsed) = uri.parse::<RedirectUri>() else { return };
        let platform = app_platform(settings.platform(), parsed.kind());
        match wanted.iter_mut().find(|known| known.uri == uri) {
            Some(known) if known.wanted_by.contains(&by) => {}
            Some(known) => known.wanted_by.push(by),
            None => {
                wanted.push(WantedRedirectUri { uri: uri.into(), platform, wanted_by: vec![by] });
            }
        }
    };
    for client in clients {
        for uri in client.redirect_uris {
            add(uri, client.name);
            // Entra ignores the port of http://localhost; for http://127.0.0.1 it is disputed
            let host = "http://127.0.0.1";
            if let (Some(port), Some(path)) = (client.default_port, uri.strip_prefix(host)) {
                add(&format!("{host}:{port}{path}"), client.name);
            }
        }
    }
    let known = |uri: &RedirectUri| {
        KNOWN_CLIENTS.iter().any(|client| client.redirect_uris.contains(&uri.as_str()))
    };
    for uri in settings.redirect_policy().iter().filter(|uri| !known(uri)) {
        add(uri.as_str(), "--redirect-uri");
    }
    wanted
}

fn app_platform(platform: Platform, kind: RedirectKind) -> AppPlatform {
    if platform.is_web(kind) { AppPlatform::Web } else { AppPlatform::MobileAndDesktop }
}

#[cfg(test)]
mod tests {
    use mcp_entra_core::Options;

    use super::*;

    fn wanted(tenant: &str, platform: &str, redirect_uri: &str) -> Wanted {
        let settings = Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: tenant.into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            client_secret: Some("secret".into()),
            platform: platform.into(),
            redirect_uris: vec![redirect_uri.into()],
            operation_scopes: vec!["tools/call=mcp.write,access_as_user".into()],
            ..Options::default()
        });
        Wanted::new(&settings.unwrap(), &KNOWN_CLIENTS.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_tenant_says_whose_accounts_may_sign_in() {
        for (tenant, audience) in [
            ("contoso.com", "AzureADMyOrg"),
            ("11111111-2222-4333-8444-555555555555", "AzureADMyOrg"),
            ("organizations", "AzureADMultipleOrgs"),
            ("common", "AzureADandPersonalMicrosoftAccount"),
            ("consumers", "PersonalMicrosoftAccount"),
        ] {
            assert_eq!(wanted(tenant, "auto", "https://h/cb").sign_in_audience(), audience);
        }
    }

    #[test]
    fn each_redirect_uri_is_on_the_platform_that_serve_takes_it_for() {
        use AppPlatform as P;
        for (platform, uri, on) in [
            ("auto", "https://h/cb", P::Web),
            ("auto", "http://localhost:4000/cb", P::MobileAndDesktop),
            ("auto", "my.app:/cb", P::MobileAndDesktop),
            ("native", "https://h/cb", P::MobileAndDesktop),
            ("web", "http://127.0.0.1/cb", P::Web),
        ] {
            let wanted = wanted("contoso.com", platform, uri);
            assert!(wanted.redirect_uris_on(on).contains(&uri), "{platform} {uri}");
            assert!(wanted.redirect_uris_on(P::Spa).is_empty());
            assert_eq!(wanted.needs_secret(), platform != "native");
            assert_eq!(wanted.has_public_clients(), platform != "web");
        }
    }

    #[test]
    fn a_client_on_127_0_0_1_has_its_port_listed_and_all_others_too() {
        let wanted = wanted("contoso.com", "auto", "https://h/cb");
        let native = wanted.redirect_uris_on(AppPlatform::MobileAndDesktop);
        assert!(
            native.contains(&"http://127.0.0.1/") && native.contains(&"http://127.0.0.1:33418/")
        );
        assert!(!native.iter().any(|uri| uri.starts_with("http://localhost:")), "{native:?}");
        let shared = wanted.redirect_uris.iter().find(|w| w.uri == "http://localhost/callback");
        assert_eq!(shared.unwrap().wanted_by, ["Claude Code", "Cursor"]);
    }

    #[test]
    fn a_scope_keeps_its_id_for_ever() {
        let wanted = wanted("contoso.com", "auto", "https://h/cb");
        let ids = wanted.scopes.iter().map(|scope| (scope.value.as_str(), scope.id.to_string()));
        assert_eq!(
            ids.collect::<Vec<_>>(),
            [
                ("access_as_user", "0630377e-2b4a-5d9d-bd6b-aca7d252b9ce".into()),
                ("mcp.write", "0fbe0758-fde5-544d-93fc-bf3a6ab5cac9".into()),
            ]
        );
    }
}
