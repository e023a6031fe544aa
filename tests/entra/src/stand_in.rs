//! The handle on a running stand-in.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::task::AbortHandle;

use crate::aadsts::Aadsts;
use crate::application::{Application, GRAPH};
use crate::builder::EntraStandInBuilder;
use crate::client_auth::Proof;
use crate::discovery::Version;
use crate::fault::{Endpoint, Fault};
use crate::issue::{ForApp, ForUser};
use crate::keys::{SigningKey, UnknownKey};
use crate::options::{Consent, Form, Strictness, User};
use crate::record::RecordedRequest;
use crate::refusal::Refusal;
use crate::scope::{ApiScopes, Leg};
use crate::server::{Shared, lock};

/// A running stand-in for Entra ID. It stops when dropped.
pub struct EntraStandIn {
    world: Shared,
    address: SocketAddr,
    task: AbortHandle,
}

/// No AADSTS code of this number is in [`CODES`](crate::CODES).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode(
    /// The number asked for.
    pub u32,
);

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stand-in has no AADSTS{}", self.0)
    }
}

impl std::error::Error for UnknownCode {}

impl EntraStandIn {
    /// Options, all of which have defaults.
    pub fn builder() -> EntraStandInBuilder {
        EntraStandInBuilder::default()
    }

    pub(crate) fn new(world: Shared, address: SocketAddr, task: AbortHandle) -> Self {
        Self { world, address, task }
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stands for `https://login.microsoftonline.com`, without a final slash.
    #[must_use]
    pub fn authority(&self) -> String {
        lock(&self.world).authority.clone()
    }

    /// The tenant's GUID.
    #[must_use]
    pub fn tenant(&self) -> String {
        lock(&self.world).tenant.clone()
    }

    /// `iss` of the tenant's v2 tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        let world = lock(&self.world);
        world.v2_issuer(&world.tenant)
    }

    /// `iss` of the tenant's v1 tokens.
    #[must_use]
    pub fn v1_issuer(&self) -> String {
        let world = lock(&self.world);
        world.v1_issuer(&world.tenant)
    }

    /// The v2 discovery document of a tenant segment.
    ///
    /// # Errors
    /// There is no such tenant.
    pub fn discovery_document(&self, segment: &str) -> Result<Value, Refusal> {
        lock(&self.world).discovery(segment, Version::V2)
    }

    /// The tenant's v2 key set.
    #[must_use]
    pub fn keys(&self) -> Value {
        let world = lock(&self.world);
        world.key_set(&world.tenant, Version::V2).unwrap_or_default()
    }

    /// The requests so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.world).requests.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        lock(&self.world).requests.clear();
    }

    /// Sets the stand-in's clock forward: codes, refresh tokens and secrets age, new tokens are dated ahead.
    pub fn advance(&self, by: Duration) {
        lock(&self.world).ahead += by;
    }

    /// Seconds since 1970 by the stand-in's clock.
    #[must_use]
    pub fn now(&self) -> u64 {
        lock(&self.world).now()
    }

    /// Publishes a new key and signs with it from now on; the former stay published. Gives its `kid`.
    pub fn roll_keys(&self) -> String {
        lock(&self.world).keys.roll()
    }

    /// Takes a key of this stand-in out of the key sets; whether it was there.
    pub fn withdraw_key(&self, kid: &str) -> bool {
        lock(&self.world).keys.withdraw(kid)
    }

    /// The `kid` of the key that signs.
    #[must_use]
    pub fn current_key(&self) -> String {
        lock(&self.world).keys.current().kid.clone()
    }

    /// Signs any claims. The header is `typ`, `alg` and `kid`; members of `header` are put over it, and `null` removes one.
    ///
    /// # Errors
    /// There is no such key.
    pub fn sign(
        &self,
        key: &SigningKey,
        header: &Value,
        claims: &Value,
    ) -> Result<String, UnknownKey> {
        let key = lock(&self.world).keys.get(key)?.clone();
        Ok(key.sign(header, claims))
    }

    /// An access token as the token endpoint would give it to this client, without sign-in and as if the user had
    /// consented; `scopes` is a `scope` parameter.
    ///
    /// # Errors
    /// The client, a resource or a scope does not exist, or several resources are named.
    pub fn access_token_for(
        &self,
        user: &User,
        client: &str,
        scopes: &str,
    ) -> Result<String, Refusal> {
        let mut world = lock(&self.world);
        let app = world.client(Some(client))?.clone();
        let scopes = world.parse_scopes(scopes)?;
        world.check_scopes(&scopes, &app, Leg::Token)?;
        if scopes.apis.len() > 1 {
            return Err(Refusal::new(crate::aadsts::SEVERAL_RESOURCES).with("scope", scopes.text));
        }
        let api = scopes.apis.into_iter().next();
        if let Some(api) = &api {
            let names = world.names(api, &app);
            world.consents.grant(&app.app_id, &api.app_id, Some(&user.oid), names);
        }
        let request =
            ForUser { app: &app, proof: Proof::None, user, api, oidc: scopes.oidc, nonce: None };
        Ok(access_token(&world.issue_for_user(&request, None)))
    }

    /// An app-only access token for an API, named by GUID or identifier URI.
    ///
    /// # Errors
    /// The client or the API does not exist.
    pub fn app_token_for(&self, client: &str, resource: &str) -> Result<String, Refusal> {
        let world = lock(&self.world);
        let app = world.client(Some(client))?;
        let scopes = world.parse_scopes(&format!("{resource}/.default"))?;
        let graph = || ApiScopes {
            app_id: GRAPH.into(),
            spelling: GRAPH.into(),
            names: Vec::new(),
            default: true,
        };
        let api = &scopes.apis.into_iter().next().unwrap_or_else(graph);
        Ok(access_token(&world.issue_for_app(&ForApp { app, proof: Proof::Secret, api })))
    }

    /// Disturbs an endpoint until told otherwise.
    pub fn set_fault(&self, endpoint: Endpoint, fault: Option<Fault>) {
        lock(&self.world).faults.entry(endpoint).or_default().always = fault;
    }

    /// Disturbs an endpoint's next request; further calls queue up.
    pub fn fault_next(&self, endpoint: Endpoint, fault: Fault) {
        lock(&self.world).faults.entry(endpoint).or_default().next.push_back(fault);
    }

    /// Refuses every otherwise good request to authorize or token with this AADSTS code, until told otherwise.
    ///
    /// # Errors
    /// The code is not in [`CODES`](crate::CODES).
    pub fn set_policy_error(
        &self,
        endpoint: Endpoint,
        code: Option<u32>,
    ) -> Result<(), UnknownCode> {
        let entry = code.map(|code| Aadsts::find(code).ok_or(UnknownCode(code))).transpose()?;
        lock(&self.world).policy.entry(endpoint).or_default().always = entry;
        Ok(())
    }

    /// Refuses the next otherwise good request to authorize or token with this AADSTS code; further calls queue up.
    ///
    /// # Errors
    /// The code is not in [`CODES`](crate::CODES).
    pub fn refuse_next(&self, endpoint: Endpoint, code: u32) -> Result<(), UnknownCode> {
        let entry = Aadsts::find(code).ok_or(UnknownCode(code))?;
        lock(&self.world).policy.entry(endpoint).or_default().next.push_back(entry);
        Ok(())
    }

    /// Adds an application, or replaces the one of the same client id.
    pub fn set_application(&self, app: Application) {
        let mut world = lock(&self.world);
        match world.apps.iter_mut().find(|known| known.app_id == app.app_id) {
            Some(known) => *known = app,
            None => world.apps.push(app),
        }
    }

    /// Signs a user in, in every browser; `None` signs out.
    pub fn set_signed_in(&self, user: Option<User>) {
        lock(&self.world).signed_in = user;
    }

    /// Sets who consents. What was consented to stays.
    pub fn set_consent(&self, consent: Consent) {
        lock(&self.world).consent = consent;
    }

    /// Consents for all users: names of scopes, unqualified.
    pub fn admin_consent(&self, client: &str, api: &str, scopes: &[&str]) {
        lock(&self.world).consents.grant(
            client,
            api,
            None,
            scopes.iter().map(|name| (*name).to_owned()),
        );
    }

    /// Revokes every consent, users' and administrators'.
    pub fn revoke_consents(&self) {
        lock(&self.world).consents.revoke_all();
    }

    /// Assigns an API's app role to an application.
    pub fn assign_app_role(&self, client: &str, api: &str, role: impl Into<String>) {
        let key = (client.to_owned(), api.to_owned());
        lock(&self.world).app_roles.entry(key).or_default().push(role.into());
    }

    /// Replaces the answers to uncertain questions.
    pub fn set_strictness(&self, strictness: Strictness) {
        lock(&self.world).strictness = strictness;
    }

    /// Replaces the form of tokens and answers.
    pub fn set_form(&self, form: Form) {
        lock(&self.world).form = form;
    }
}

impl Drop for EntraStandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for EntraStandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntraStandIn").field("address", &self.address).finish_non_exhaustive()
    }
}

fn access_token(response: &Value) -> String {
    response["access_token"].as_str().unwrap_or_default().to_owned()
}
