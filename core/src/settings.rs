//! What the operator says, parsed once into types that cannot be wrong.
//!
//! [`Options`] holds the texts as they came from flags, variables or a file; [`Settings::parse`]
//! checks them as a whole and reports every fault at once, each with the option, its value and
//! what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::authority::{Authority, PERSONAL_ACCOUNTS_TENANT, Tenant};
use crate::form::Writer;
use crate::guid::Guid;
use crate::operation::{MAX_MESSAGE_LENGTH, OperationRule};
use crate::options::{Fault, Options, SettingsError};
use crate::platform::{Platform, Trust};
use crate::redirect_uri::{RedirectPolicy, RedirectUri};
use crate::resource::Resource;
use crate::scope::{Api, AppIdUri, ScopeName};

/// The cloud that `authority` names by default.
pub const DEFAULT_AUTHORITY: &str = "https://login.microsoftonline.com";
/// The scope that is required by default, the one that the Azure portal suggests.
pub const DEFAULT_SCOPE: &str = "access_as_user";
/// The default and the most of `clock_skew`, in seconds, as in Microsoft's own libraries.
pub const MAX_CLOCK_SKEW: u64 = 300;

/// The settings of one facade.
#[derive(Clone, Debug)]
pub struct Settings {
    resource: Resource,
    authority: Authority,
    /// Entra's authorization endpoint with the parameters that are the same for all.
    authorization_start: String,
    client_id: Guid,
    api: Api,
    redirect_policy: RedirectPolicy,
    client_secret: Option<ClientSecret>,
    platform: Platform,
    issue_client_secret: bool,
    audiences: Vec<String>,
    allowed_tenants: Vec<Guid>,
    /// For each scope, those that include it, directly or by way of others.
    broader: BTreeMap<String, BTreeSet<Arc<str>>>,
    operation_rules: Vec<OperationRule>,
    app_roles: Vec<String>,
    clock_skew: u64,
    max_message_length: usize,
    trust: Trust,
    forward_token: bool,
}

impl Settings {
    /// Parses and checks the options together.
    ///
    /// # Errors
    /// Every fault that there is, not the first one only.
    pub fn parse(options: &Options) -> Result<Self, SettingsError> {
        let mut faults = Vec::new();
        let resource = read::<Resource>(
            &mut faults,
            "resource",
            &options.resource,
            "give the public URL of the MCP endpoint, such as https://mcp.example.com/mcp",
        )
        .filter(|resource| {
            let path = resource.path();
            let reserved = ["/.well-known", "/oauth", "/healthz", "/readyz"];
            let clash = reserved.iter().any(|r| {
                path.strip_prefix(r).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            if clash {
                faults.push(Fault::new(
                    "resource",
                    path,
                    "its path is one of the sign-in endpoints",
                    "choose another path, such as /mcp",
                ));
            }
            !clash
        });
        let client_id = read::<Guid>(
            &mut faults,
            "client-id",
            &options.client_id,
            "give the Application (client) ID from the app registration's Overview",
        );
        let origin = or_default(&options.authority, DEFAULT_AUTHORITY);
        let mend = "give the origin of the cloud, such as https://login.microsoftonline.com";
        if let Err(error) = Authority::parse(origin, "common") {
            faults.push(Fault::new("authority", origin, error, mend));
        }
        let mend = "give the Directory (tenant) ID from the app registration's Overview";
        let tenant = read::<Tenant>(&mut faults, "tenant", &options.tenant, mend);
        let authority = tenant.and_then(|tenant| Authority::parse(origin, tenant.as_str()).ok());

        let mend = "give the name from 'Expose an API' without the api:// part";
        let mut required: Vec<ScopeName> = all(&mut faults, "scope", &options.scopes, mend);
        if options.scopes.is_empty() {
            required.extend(DEFAULT_SCOPE.parse::<ScopeName>().ok());
        }
        let mend =
            "write it as method=scope or method:tool=scope, such as tools/call:delete_*=mcp.write";
        let operation_rules: Vec<OperationRule> =
            all(&mut faults, "operation-scope", &options.operation_scopes, mend);
        let broader = broader(&implications(&mut faults, &options.scope_implies));
        let optional: Vec<ScopeName> =
            operation_rules.iter().flat_map(OperationRule::scopes).cloned().collect();
        let app_id_uri = match options.app_id_uri.as_str() {
            "" => None,
            text => read::<AppIdUri>(
                &mut faults,
                "app-id-uri",
                text,
                "give it as 'Expose an API' shows it",
            ),
        };

        let mend = "give it exactly as the app registration has it";
        let mut redirect_policy = RedirectPolicy::known_clients();
        redirect_policy.allow(all::<RedirectUri>(
            &mut faults,
            "redirect-uri",
            &options.redirect_uris,
            mend,
        ));
        let platform = read::<Platform>(
            &mut faults,
            "platform",
            or_default(&options.platform, "auto"),
            "give auto, web or native",
        );
        let client_secret = options.client_secret.as_deref().map(str::trim);
        if client_secret == Some("") {
            faults.push(Fault::new(
                "client-secret",
                "",
                "it is empty",
                "give the secret's value, or leave the variable out",
            ));
        }
        if platform == Some(Platform::Web) && client_secret.is_none() {
            faults.push(Fault::new(
                "platform",
                "web",
                "the Web platform needs a client secret (AADSTS7000218)",
                "set MCP_ENTRA_CLIENT_SECRET, or use native",
            ));
        }
        let mut allowed_tenants = all::<Guid>(
            &mut faults,
            "allowed-tenant",
            &options.allowed_tenants,
            "give the tenant's GUID",
        );
        allowed_tenants.sort_unstable();
        let trust = read::<Trust>(
            &mut faults,
            "trust",
            or_default(&options.trust, "token"),
            "give token or easy-auth",
        );
        let clock_skew = options.clock_skew.unwrap_or(MAX_CLOCK_SKEW);
        if clock_skew > MAX_CLOCK_SKEW {
            faults.push(Fault::new(
                "clock-skew",
                &clock_skew.to_string(),
                "it is more than 300 seconds",
                "set the machine's clock by NTP",
            ));
        }
        let max_message_length = options.max_message_length.unwrap_or(MAX_MESSAGE_LENGTH);
        if max_message_length == 0 {
            faults.push(Fault::new(
                "max-message-length",
                "0",
                "no message is that short",
                "give a number of octets, such as 4194304",
            ));
        }

        let parts = (resource, client_id, authority, platform, trust);
        let (Some(resource), Some(client_id), Some(authority), Some(platform), Some(trust)) = parts
        else {
            return Err(SettingsError { faults });
        };
        if !faults.is_empty() {
            return Err(SettingsError { faults });
        }
        let api = match app_id_uri {
            Some(uri) if uri.as_str() != format!("api://{client_id}") => Api::new(uri, required),
            _ => Api::of_client(client_id, required),
        };
        let mut start = Writer::new(format!("{}?", authority.authorization_endpoint()));
        start.pair("client_id", client_id.as_str()).pair("response_type", "code");
        Ok(Self {
            authorization_start: start.finish(),
            api: api.with_optional(optional).with_resource(resource.clone()),
            resource,
            authority,
            client_id,
            redirect_policy,
            client_secret: client_secret.map(|secret| ClientSecret(secret.into())),
            platform,
            issue_client_secret: options.issue_client_secret,
            audiences: options.audiences.clone(),
            allowed_tenants,
            broader,
            operation_rules,
            app_roles: options.app_roles.clone(),
            clock_skew,
            max_message_length,
            trust,
            forward_token: options.forward_token,
        })
    }

    /// The public URL of the MCP endpoint.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The cloud and the tenant.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn authorization_start(&self) -> &str {
        &self.authorization_start
    }

    /// The app registration that every client uses.
    pub fn client_id(&self) -> &Guid {
        &self.client_id
    }

    /// The API whose scopes are asked for.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Where codes may be sent.
    pub fn redirect_policy(&self) -> &RedirectPolicy {
        &self.redirect_policy
    }

    /// Which redirect URIs are on the Web platform.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// Whether a client that insists on a secret is given a placeholder.
    pub fn issues_client_secret(&self) -> bool {
        self.issue_client_secret
    }

    /// The tenants whose users may call, in order; empty for all that the authority stands for.
    pub fn allowed_tenants(&self) -> &[Guid] {
        &self.allowed_tenants
    }

    /// What operations need beside the required scopes.
    pub fn operation_rules(&self) -> &[OperationRule] {
        &self.operation_rules
    }

    /// The app roles, one of which an application without a user must have.
    pub fn app_roles(&self) -> &[String] {
        &self.app_roles
    }

    /// Seconds by which clocks may differ.
    pub fn clock_skew(&self) -> u64 {
        self.clock_skew
    }

    /// The most octets of an MCP message that are read to find its operation.
    pub fn max_message_length(&self) -> usize {
        self.max_message_length
    }

    /// Whose word on the caller is taken.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// Whether the server behind receives the caller's access token.
    pub fn forwards_token(&self) -> bool {
        self.forward_token
    }

    /// Whether users of a tenant may call. `of_domain` is the tenant that a configured domain is
    /// of, where Entra has said so.
    pub(crate) fn accepts_tenant(&self, tenant: &Guid, of_domain: Option<Guid>) -> bool {
        let of_authority = match self.authority.tenant() {
            Tenant::Common => true,
            Tenant::Consumers => tenant.as_str() == PERSONAL_ACCOUNTS_TENANT,
            Tenant::Domain(_) => of_domain.is_none_or(|id| id == *tenant),
            Tenant::Id(id) => id == tenant,
            Tenant::Organizations => tenant.as_str() != PERSONAL_ACCOUNTS_TENANT,
        };
        let allowed = &self.allowed_tenants;
        of_authority && (allowed.is_empty() || allowed.binary_search(tenant).is_ok())
    }

    /// Whether a token with this `aud` is for us.
    pub(crate) fn is_audience(&self, audience: &str) -> bool {
        audience.eq_ignore_ascii_case(self.client_id.as_str())
            || audience == self.api.app_id_uri().as_str()
            || audience == self.resource.as_str()
            || self.audiences.iter().any(|other| other == audience)
    }

    /// Whether holding `scopes` amounts to holding `wanted`, by the operator's hierarchy.
    pub(crate) fn holds(&self, scopes: &[String], wanted: &ScopeName) -> bool {
        let wanted = wanted.as_str();
        let broader = self.broader.get(wanted);
        scopes
            .iter()
            .any(|scope| scope == wanted || broader.is_some_and(|b| b.contains(scope.as_str())))
    }

    pub(crate) fn client_secret(&self) -> Option<&ClientSecret> {
        self.client_secret.as_ref()
    }
}

/// A client secret, which no output shows.
#[derive(Clone)]
pub(crate) struct ClientSecret(String);

impl ClientSecret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

fn or_default<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

fn read<T: FromStr<Err: fmt::Display>>(
    faults: &mut Vec<Fault>,
    option: &'static str,
    text: &str,
    mend: &'static str,
) -> Option<T> {
    text.parse().map_err(|error: T::Err| faults.push(Fault::new(option, text, error, mend))).ok()
}

fn all<T: FromStr<Err: fmt::Display>>(
    faults: &mut Vec<Fault>,
    option: &'static str,
    texts: &[String],
    mend: &'static str,
) -> Vec<T> {
    texts.iter().filter_map(|text| read(faults, option, text, mend)).collect()
}

fn implications(faults: &mut Vec<Fault>, texts: &[String]) -> Vec<(ScopeName, Vec<ScopeName>)> {
    let parse = |text: &str| {
        let (broader, narrower) = text.split_once('=')?;
        let narrower = narrower.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
        Some((broader.parse().ok()?, narrower))
    };
    let mut implications = Vec::new();
    for text in texts {
        match parse(text) {
            Some(implication) => implications.push(implication),
            None => faults.push(Fault::new(
                "scope-implies",
                text,
                "it is not of the form broader=narrower",
                "write it as mcp.write=mcp.read or mcp.admin=mcp.read,mcp.write",
            )),
        }
    }
    implications
}

/// Turned around and followed to the end, once, so that no request has to.
fn broader(implications: &[(ScopeName, Vec<ScopeName>)]) -> BTreeMap<String, BTreeSet<Arc<str>>> {
    let mut directly = BTreeMap::<&str, Vec<Arc<str>>>::new();
    for (broader, narrower) in implications {
        let broader: Arc<str> = broader.as_str().into();
        for scope in narrower {
            directly.entry(scope.as_str()).or_default().push(broader.clone());
        }
    }
    let followed = directly.iter().map(|(scope, broader)| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&Arc<str>> = broader.iter().collect();
        while let Some(scope) = next.pop() {
            if reached.insert(scope.clone()) {
                next.extend(directly.get(&**scope).into_iter().flatten());
            }
        }
        (scope.to_string(), reached)
    });
    followed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Options {
        Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "contoso.com".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            ..Options::default()
        }
    }

    #[test]
    fn defaults() {
        let settings = Settings::parse(&good()).unwrap();
        assert_eq!(settings.authority().origin(), DEFAULT_AUTHORITY);
        assert_eq!(
            settings.api().app_id_uri().as_str(),
            "api://99999999-8888-4777-8666-555555555555"
        );
        assert_eq!(settings.api().required()[0].as_str(), DEFAULT_SCOPE);
        assert_eq!((settings.platform(), settings.trust()), (Platform::Auto, Trust::Token));
        assert_eq!(settings.clock_skew(), MAX_CLOCK_SKEW);
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let options = Options {
            resource: "http://mcp.example.com/mcp".into(),
            tenant: "contoso".into(),
            client_id: String::new(),
            platform: "spa".into(),
            scopes: vec!["api://x/y".into()],
            app_id_uri: "https://h/".into(),
            redirect_uris: vec!["javascript:x".into(), "https://h/*".into()],
            allowed_tenants: vec!["contoso.com".into()],
            scope_implies: vec!["mcp.write".into()],
            operation_scopes: vec!["tools/call".into()],
            clock_skew: Some(301),
            trust: "me".into(),
            client_secret: Some(" ".into()),
            ..Options::default()
        };
        let error = Settings::parse(&options).unwrap_err();
        let named: Vec<_> = error.faults().iter().map(Fault::option).collect();
        assert_eq!(
            named,
            [
                "resource",
                "client-id",
                "tenant",
                "scope",
                "operation-scope",
                "scope-implies",
                "app-id-uri",
                "redirect-uri",
                "redirect-uri",
                "platform",
                "client-secret",
                "allowed-tenant",
                "trust",
                "clock-skew"
            ]
        );
        let text = error.to_string();
        assert!(text.contains("client-id is missing: give the Application (client) ID"), "{text}");
        assert!(text.contains("tenant 'contoso': it must be a tenant GUID"), "{text}");
    }

    #[test]
    fn the_mcp_endpoint_is_not_one_of_ours() {
        for path in ["/oauth", "/oauth/token", "/.well-known/x", "/healthz"] {
            let options = Options { resource: format!("https://h{path}"), ..good() };
            assert_eq!(Settings::parse(&options).unwrap_err().faults()[0].option(), "resource");
        }
        assert!(
            Settings::parse(&Options { resource: "https://h/oauth2".into(), ..good() }).is_ok()
        );
    }

    #[test]
    fn tenants_are_kept_in_order() {
        let tenants =
            ["22222222-3333-4444-8555-666666666666", "11111111-2222-4333-8444-555555555555"];
        let options = Options { allowed_tenants: tenants.map(Into::into).into(), ..good() };
        let settings = Settings::parse(&options).unwrap();
        let allowed: Vec<_> = settings.allowed_tenants().iter().map(Guid::as_str).collect();
        assert_eq!(allowed, [tenants[1], tenants[0]]);
    }

    #[test]
    fn the_default_application_id_uri_may_be_written_out() {
        let api = |app_id_uri: &str| {
            let options = Options { app_id_uri: app_id_uri.into(), ..good() };
            let settings = Settings::parse(&options).unwrap();
            settings.api().qualify(None, crate::scope::ApiName::ClientId).unwrap()
        };
        let by_guid = "99999999-8888-4777-8666-555555555555/access_as_user offline_access";
        assert_eq!(api(""), by_guid);
        assert_eq!(api("api://99999999-8888-4777-8666-555555555555"), by_guid);
        assert_eq!(api("api://other"), "api://other/access_as_user offline_access");
    }

    #[test]
    fn the_web_platform_needs_a_secret() {
        let options = Options { platform: "web".into(), ..good() };
        assert_eq!(Settings::parse(&options).unwrap_err().faults()[0].option(), "platform");
        let options = Options { client_secret: Some("s3cret".into()), ..options };
        let settings = Settings::parse(&options).unwrap();
        assert!(!format!("{settings:?} {options:?}").contains("s3cret"));
        assert!(format!("{settings:?}").contains("client_secret: Some(ClientSecret(…))"));
    }

    #[test]
    fn a_broader_scope_implies_the_narrower_ones() {
        let scope_implies = vec!["a=b,c".into(), "c=d".into(), "d=a".into()];
        let settings = Settings::parse(&Options { scope_implies, ..good() }).unwrap();
        let holds =
            |held: &str, wanted: &str| settings.holds(&[held.into()], &wanted.parse().unwrap());
        assert!(holds("a", "b") && holds("a", "d") && holds("c", "b"));
        assert!(!holds("b", "a") && !holds("x", "a"));
    }

    #[test]
    #[cfg_attr(miri, ignore = "half a million pairs of scopes take Miri many minutes")]
    fn a_long_chain_of_scopes_is_followed_to_its_end() {
        let scope_implies = (0..1000).map(|i| format!("s{i}=s{}", i + 1)).collect();
        let settings = Settings::parse(&Options { scope_implies, ..good() }).unwrap();
        let holds =
            |held: &str, wanted: &str| settings.holds(&[held.into()], &wanted.parse().unwrap());
        assert!(holds("s0", "s1000") && holds("s500", "s501"));
        assert!(!holds("s1000", "s0") && !holds("s501", "s500"));
    }
}
