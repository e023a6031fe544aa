//! Tokens and the token response.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{self, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::application::{Application, GRAPH};
use crate::client_auth::Proof;
use crate::options::{Granted, User};
use crate::random;
use crate::scope::ApiScopes;
use crate::world::{RefreshGrant, World};

/// Tokens for a user.
pub(crate) struct ForUser<'a> {
    pub(crate) app: &'a Application,
    pub(crate) proof: Proof,
    pub(crate) user: &'a User,
    /// `None`: Graph, for OpenID Connect's scopes alone.
    pub(crate) api: Option<ApiScopes>,
    pub(crate) oidc: BTreeSet<&'static str>,
    pub(crate) nonce: Option<&'a str>,
}

/// A token for an application that acts for itself.
pub(crate) struct ForApp<'a> {
    pub(crate) app: &'a Application,
    pub(crate) proof: Proof,
    pub(crate) api: &'a ApiScopes,
}

impl World {
    pub(crate) fn issue_for_user(
        &mut self,
        request: &ForUser<'_>,
        refresh: Option<RefreshGrant>,
    ) -> Value {
        let graph = ApiScopes {
            app_id: GRAPH.into(),
            spelling: GRAPH.into(),
            names: Vec::new(),
            default: false,
        };
        let api = request.api.as_ref().unwrap_or(&graph);
        let scopes = self.granted(request, api);
        let lifetime = self.lifetime();
        let mut response = self.response(lifetime);
        response
            .insert("access_token".into(), self.user_token(request, api, &scopes, lifetime).into());
        response.insert("scope".into(), response_scope(request, api, &scopes).into());
        if request.oidc.contains("openid") {
            response.insert("id_token".into(), self.id_token(request).into());
        }
        if let Some(refresh) = refresh {
            let token = random::opaque::<700>();
            self.refresh_tokens.insert(token.clone(), refresh);
            response.insert("refresh_token".into(), token.into());
        }
        Value::Object(response)
    }

    pub(crate) fn issue_for_app(&self, request: &ForApp<'_>) -> Value {
        let lifetime = self.lifetime();
        let ForApp { app, proof, api } = request;
        // the service principal's object id; any stable GUID will do
        let oid = self.service_principal(&app.app_id);
        let roles = self.app_roles.get(&(app.app_id.clone(), api.app_id.clone()));
        let mut claims = self.claims(api, app, *proof, lifetime);
        claims
            .extend(members(json!({ "idtyp": "app", "oid": oid, "sub": oid, "tid": self.tenant })));
        claims.insert("iss".into(), self.issuer(api, &self.tenant).into());
        if let Some(roles) = roles {
            claims.insert("roles".into(), json!(roles));
        }
        let mut response = self.response(lifetime);
        response.insert("access_token".into(), self.sign_access_token(api, claims).into());
        Value::Object(response)
    }

    /// Asked for or consented to, as the options say.
    fn granted(&self, request: &ForUser<'_>, api: &ApiScopes) -> BTreeSet<String> {
        let consented = self.consented(&request.app.app_id, &api.app_id, &request.user.oid);
        match self.form.granted {
            Granted::Consented => consented,
            Granted::Requested if api.default => consented,
            Granted::Requested => self.names(api, request.app),
        }
    }

    fn user_token(
        &self,
        request: &ForUser<'_>,
        api: &ApiScopes,
        scopes: &BTreeSet<String>,
        lifetime: u64,
    ) -> String {
        let user = request.user;
        let tid = self.tenant_of(user);
        let mut scp: Vec<_> = scopes.iter().map(String::as_str).collect();
        // never an API's, but Graph's they are [doc access-tokens]
        if api.app_id == GRAPH {
            scp.extend(request.oidc.iter().filter(|name| **name != "offline_access"));
        }
        let mut claims = self.claims(api, request.app, request.proof, lifetime);
        claims.extend(members(json!({
            "iss": self.issuer(api, tid),
            "name": user.name,
            "oid": user.oid,
            "scp": scp.join(" "),
            "sub": pairwise(user, &api.app_id),
            "tid": tid,
        })));
        claims.extend(members(if self.is_v2(api) {
            json!({ "preferred_username": user.preferred_username })
        } else {
            json!({ "acr": "1", "amr": ["pwd"], "unique_name": user.preferred_username, "upn": user.preferred_username })
        }));
        if !user.roles.is_empty() {
            claims.insert("roles".into(), json!(user.roles));
        }
        claims.extend(user.claims.clone());
        self.sign_access_token(api, claims)
    }

    /// What every access token has.
    fn claims(
        &self,
        api: &ApiScopes,
        client: &Application,
        proof: Proof,
        lifetime: u64,
    ) -> Map<String, Value> {
        let now = self.now();
        let mut claims = members(json!({
            "aio": URL_SAFE_NO_PAD.encode(random::bytes::<48>()),
            "exp": now + lifetime,
            "iat": now,
            "nbf": now,
            "rh": "1.AXkA.",
            "uti": URL_SAFE_NO_PAD.encode(random::bytes::<16>()),
        }));
        // v2: always the GUID; v1: as the request names the API [doc access-tokens]
        claims.extend(members(if self.is_v2(api) {
            json!({ "aud": api.app_id, "azp": client.app_id, "azpacr": proof.acr(), "ver": "2.0" })
        } else {
            json!({ "aud": api.spelling, "appid": client.app_id, "appidacr": proof.acr(), "ver": "1.0" })
        }));
        claims
    }

    fn id_token(&self, request: &ForUser<'_>) -> String {
        let (now, user) = (self.now(), request.user);
        let tid = self.tenant_of(user);
        let mut claims = members(json!({
            "aud": request.app.app_id,
            "exp": now + 3600,
            "iat": now,
            "iss": self.v2_issuer(tid),
            "nbf": now,
            "oid": user.oid,
            "rh": "1.AXkA.",
            "sub": pairwise(user, &request.app.app_id),
            "tid": tid,
            "uti": URL_SAFE_NO_PAD.encode(random::bytes::<16>()),
            "ver": "2.0",
        }));
        if request.oidc.contains("profile") {
            claims.extend(members(
                json!({ "name": user.name, "preferred_username": user.preferred_username }),
            ));
        }
        if request.oidc.contains("email") {
            claims.insert("email".into(), user.preferred_username.as_str().into());
        }
        if let Some(nonce) = request.nonce {
            claims.insert("nonce".into(), nonce.into());
        }
        self.keys.current().sign(&json!({}), &Value::Object(claims))
    }

    fn sign_access_token(&self, api: &ApiScopes, claims: Map<String, Value>) -> String {
        let key = self.keys.current();
        let header = if self.is_v2(api) { json!({}) } else { json!({ "x5t": key.kid }) };
        key.sign(&header, &Value::Object(claims))
    }

    /// The API decides, not the endpoint. [doc access-tokens]
    fn is_v2(&self, api: &ApiScopes) -> bool {
        self.app(&api.app_id).is_some_and(|app| app.api.requested_access_token_version == Some(2))
    }

    fn issuer(&self, api: &ApiScopes, tenant: &str) -> String {
        if self.is_v2(api) { self.v2_issuer(tenant) } else { self.v1_issuer(tenant) }
    }

    /// Between 60 and 90 minutes, at random. [doc access-tokens]
    fn lifetime(&self) -> u64 {
        self.form
            .access_token_lifetime
            .map_or_else(|| 3600 + random::below(1801), |lifetime| lifetime.as_secs())
    }

    fn response(&self, lifetime: u64) -> Map<String, Value> {
        let left = lifetime.saturating_sub(1);
        let left = if self.form.expires_in_as_string {
            left.to_string().into()
        } else {
            Value::from(left)
        };
        members(json!({ "token_type": "Bearer", "expires_in": left, "ext_expires_in": left }))
    }

    fn service_principal(&self, app_id: &str) -> String {
        let hash = digest::digest(&SHA256, format!("{}/{app_id}", self.tenant).as_bytes());
        let number =
            hash.as_ref().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
        random::guid_of(number)
    }
}

/// The granted scopes as the request spells their API; `.default` is repeated, `offline_access` never is, and OpenID
/// Connect's own appear only beside Graph's. [issue copilot-cli#4464; facts §2.3]
fn response_scope(request: &ForUser<'_>, api: &ApiScopes, scopes: &BTreeSet<String>) -> String {
    let prefix = if api.app_id == GRAPH { "https://graph.microsoft.com" } else { &api.spelling };
    let oidc = request.oidc.iter().filter(|name| api.app_id == GRAPH && **name != "offline_access");
    let default = api.default.then(|| ".default".to_owned());
    let qualified = scopes.iter().cloned().chain(default).map(|name| format!("{prefix}/{name}"));
    oidc.map(|name| (*name).to_owned()).chain(qualified).collect::<Vec<_>>().join(" ")
}

/// `sub` differs by application. [doc]
fn pairwise(user: &User, app_id: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&SHA256, format!("{}/{app_id}", user.oid).as_bytes()))
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
