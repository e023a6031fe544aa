//! Scopes: which API each belongs to, whether it exists, who consented.

use std::collections::{BTreeSet, HashMap};

use crate::aadsts;
use crate::application::{Application, GRAPH};
use crate::refusal::Refusal;
use crate::world::World;

/// Scopes of OpenID Connect; never qualified, never an API's. `address` and `phone` are not supported and go to Graph.
const OIDC: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// A request's `scope`, by API.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scopes {
    pub(crate) text: String,
    pub(crate) oidc: BTreeSet<&'static str>,
    pub(crate) apis: Vec<ApiScopes>,
}

/// What a request wants of one API.
#[derive(Clone, Debug)]
pub(crate) struct ApiScopes {
    pub(crate) app_id: String,
    /// How the request names the API: GUID or identifier URI. Answers repeat it.
    pub(crate) spelling: String,
    pub(crate) names: Vec<String>,
    /// Whether `.default` is among them.
    pub(crate) default: bool,
}

/// Which request a scope is in: the codes differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leg {
    Authorize,
    Token,
}

/// Consents: by client, API and user, or by client and API for an administrator's.
#[derive(Default)]
pub(crate) struct Consents(HashMap<(String, String, Option<String>), BTreeSet<String>>);

impl Consents {
    pub(crate) fn grant(
        &mut self,
        client: &str,
        api: &str,
        user: Option<&str>,
        scopes: impl IntoIterator<Item = String>,
    ) {
        let key = (client.to_owned(), api.to_owned(), user.map(str::to_owned));
        self.0.entry(key).or_default().extend(scopes);
    }

    pub(crate) fn revoke_all(&mut self) {
        self.0.clear();
    }

    fn of(&self, client: &str, api: &str, user: Option<&str>) -> impl Iterator<Item = &String> {
        self.0
            .get(&(client.to_owned(), api.to_owned(), user.map(str::to_owned)))
            .into_iter()
            .flatten()
    }
}

impl World {
    /// Sorts scopes by API. A scope without a resource is Microsoft Graph's. [doc scopes-oidc]
    pub(crate) fn parse_scopes(&self, text: &str) -> Result<Scopes, Refusal> {
        let mut scopes = Scopes { text: text.to_owned(), ..Scopes::default() };
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            if let Some(known) = OIDC.iter().find(|known| **known == scope) {
                scopes.oidc.insert(known);
                continue;
            }
            let (api, spelling, name) = self.split_scope(scope)?;
            let at = scopes.apis.iter().position(|known| known.app_id == api.app_id);
            let at = at.unwrap_or_else(|| {
                let spelling = spelling.to_owned();
                scopes.apis.push(ApiScopes {
                    app_id: api.app_id.clone(),
                    spelling,
                    names: Vec::new(),
                    default: false,
                });
                scopes.apis.len() - 1
            });
            let entry = &mut scopes.apis[at];
            match name {
                ".default" => entry.default = true,
                _ => entry.names.push(name.to_owned()),
            }
        }
        Ok(scopes)
    }

    fn split_scope<'a>(
        &'a self,
        scope: &'a str,
    ) -> Result<(&'a Application, &'a str, &'a str), Refusal> {
        let named =
            self.apps.iter().flat_map(|app| app.identifier_uris.iter().map(move |uri| (app, uri)));
        let of = named.filter_map(|(app, uri)| {
            Some((app, uri, scope.strip_prefix(&**uri)?.strip_prefix('/')?))
        });
        if let Some((app, uri, name)) = of.max_by_key(|(_, uri, _)| uri.len()) {
            return Ok((app, uri, name));
        }
        let (resource, name) = scope.rsplit_once('/').unwrap_or((GRAPH, scope));
        let spelling = if scope.contains('/') { resource } else { "https://graph.microsoft.com" };
        let found = self.apps.iter().find(|app| app.app_id.eq_ignore_ascii_case(resource));
        let missing = || {
            Refusal::new(aadsts::RESOURCE_NOT_FOUND)
                .with("resource", resource)
                .with("tenant", &*self.domain)
        };
        Ok((found.ok_or_else(missing)?, spelling, name))
    }

    /// `resource` must equal an identifier URI of the application that owns the scopes; an API's URI beside scopes of
    /// Graph (bare or OpenID Connect's) fails too. [wire opencode#12308, claude-ai-mcp#514, csharp-sdk#1587]
    pub(crate) fn check_resource<'a>(
        &self,
        resource: Option<&str>,
        owners: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Refusal> {
        let Some(resource) = resource else { return Ok(()) };
        let mut owners = owners.into_iter().peekable();
        let owned = |owner: &str| {
            self.app(owner).is_some_and(|app| app.identifier_uris.iter().any(|uri| uri == resource))
        };
        let fits = if owners.peek().is_none() { owned(GRAPH) } else { owners.all(owned) };
        if fits { Ok(()) } else { Err(Refusal::new(aadsts::RESOURCE_MISMATCH)) }
    }

    /// Every named scope exists, and `.default` stands alone.
    pub(crate) fn check_scopes(
        &self,
        scopes: &Scopes,
        client: &Application,
        leg: Leg,
    ) -> Result<(), Refusal> {
        let invalid =
            |reason: String| Err(Refusal::new(aadsts::SCOPE_INVALID).with("reason", reason));
        for wanted in &scopes.apis {
            let Some(api) = self.app(&wanted.app_id) else { continue };
            // [doc scopes-oidc; issue copilot-cli#4464]
            if wanted.default && !wanted.names.is_empty() {
                let text = &scopes.text;
                return invalid(format!(
                    ".default scope can't be combined with resource-specific scopes. The scope {text} is not valid."
                ));
            }
            // [issue 2024-10]
            let oidc = |name| scopes.oidc.contains(name);
            if wanted.default
                && api.app_id == client.app_id
                && !oidc("openid")
                && (oidc("profile") || oidc("email"))
            {
                return invalid("The openid scope is required.".into());
            }
            let Some(unknown) = wanted.names.iter().find(|name| api.scope(name).is_none()) else {
                continue;
            };
            // a bare name is 650053 on both endpoints [issue claude-code#73460]; another is 70011 at the token endpoint
            // [issue ms-identity-java-webapp#38]
            if leg == Leg::Token && api.app_id != GRAPH {
                return invalid(format!("The scope '{}' does not exist.", scopes.text));
            }
            let refusal = Refusal::new(aadsts::NO_SUCH_SCOPE).about(client);
            return Err(refusal.with("scope", unknown.as_str()).with("resource", &*api.app_id));
        }
        Ok(())
    }

    /// The names that a request stands for: canonical, with `.default` resolved.
    pub(crate) fn names(&self, wanted: &ApiScopes, client: &Application) -> BTreeSet<String> {
        let Some(api) = self.app(&wanted.app_id) else { return BTreeSet::new() };
        let named = wanted.names.iter().filter_map(|name| Some(api.scope(name)?.value.clone()));
        let default = if wanted.default { client.default_scopes(api) } else { Vec::new() };
        named.chain(default).collect()
    }

    /// The API's enabled scopes that the client has for this user: the user's, an administrator's, the pre-authorized.
    pub(crate) fn consented(&self, client: &str, api: &str, user: &str) -> BTreeSet<String> {
        let Some(app) = self.app(api) else { return BTreeSet::new() };
        let granted =
            self.consents.of(client, api, Some(user)).chain(self.consents.of(client, api, None));
        let granted = granted.filter(|name| app.scope(name).is_some()).cloned();
        granted.chain(app.pre_authorized(client)).collect()
    }
}
