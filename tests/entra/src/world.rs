//! The state behind the endpoints: directory, grants, clock, and what a test has ordered.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use crate::aadsts::Aadsts;
use crate::application::Application;
use crate::fault::{Endpoint, Fault};
use crate::keys::Keys;
use crate::options::{Cloud, Consent, Form, Strictness, User};
use crate::record::RecordedRequest;
use crate::redirect::Platform;
use crate::refusal::Refusal;
use crate::scope::{ApiScopes, Consents, Scopes};
use crate::tenant::CONSUMERS;

/// Everything that changes.
pub(crate) struct World {
    pub(crate) authority: String,
    pub(crate) tenant: String,
    pub(crate) domain: String,
    pub(crate) cloud: Cloud,
    pub(crate) apps: Vec<Application>,
    pub(crate) users: Vec<User>,
    pub(crate) signed_in: Option<User>,
    pub(crate) consent: Consent,
    pub(crate) consents: Consents,
    /// `roles` of app-only tokens, by client and API.
    pub(crate) app_roles: HashMap<(String, String), Vec<String>>,
    pub(crate) strictness: Strictness,
    pub(crate) form: Form,
    pub(crate) keys: Keys,
    pub(crate) codes: HashMap<String, CodeGrant>,
    pub(crate) refresh_tokens: HashMap<String, RefreshGrant>,
    /// How far the stand-in's clock is ahead.
    pub(crate) ahead: Duration,
    pub(crate) faults: HashMap<Endpoint, Orders<Fault>>,
    pub(crate) policy: HashMap<Endpoint, Orders<&'static Aadsts>>,
    pub(crate) requests: Vec<RecordedRequest>,
}

/// An authorization code's content.
#[derive(Clone)]
pub(crate) struct CodeGrant {
    pub(crate) client: String,
    pub(crate) redirect_uri: String,
    pub(crate) platform: Platform,
    pub(crate) segment: String,
    pub(crate) user: User,
    pub(crate) scopes: Scopes,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) nonce: Option<String>,
    pub(crate) issued: u64,
    pub(crate) spent: bool,
}

/// PKCE.
#[derive(Clone)]
pub(crate) struct Challenge {
    pub(crate) hashed: bool,
    pub(crate) value: String,
}

/// A refresh token's content.
#[derive(Clone)]
pub(crate) struct RefreshGrant {
    pub(crate) client: String,
    pub(crate) platform: Platform,
    pub(crate) user: User,
    /// The API of the last access token; `None` is Graph for OpenID Connect's own scopes.
    pub(crate) api: Option<ApiScopes>,
    pub(crate) openid: bool,
    pub(crate) issued: u64,
    /// Of the first in a chain: a single-page application's do not live longer by renewal.
    pub(crate) first_issued: u64,
}

/// What a test has ordered for an endpoint: for the next requests, then for all.
pub(crate) struct Orders<T> {
    pub(crate) next: VecDeque<T>,
    pub(crate) always: Option<T>,
}

impl<T> Default for Orders<T> {
    fn default() -> Self {
        Self { next: VecDeque::new(), always: None }
    }
}

impl<T: Clone> Orders<T> {
    fn take(&mut self) -> Option<T> {
        self.next.pop_front().or_else(|| self.always.clone())
    }
}

impl World {
    /// Seconds since 1970 by the stand-in's clock.
    pub(crate) fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        (now + self.ahead).as_secs()
    }

    pub(crate) fn app(&self, id: &str) -> Option<&Application> {
        self.apps.iter().find(|app| app.app_id.eq_ignore_ascii_case(id))
    }

    pub(crate) fn tenant_of<'a>(&'a self, user: &'a User) -> &'a str {
        user.tid.as_deref().unwrap_or(&self.tenant)
    }

    /// `iss` of v2 tokens for a tenant, or with the literal `{tenantid}`.
    pub(crate) fn v2_issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}/v2.0", self.authority)
    }

    pub(crate) fn v1_issuer(&self, tenant: &str) -> String {
        self.form.v1_issuer.replace("{tenantid}", tenant)
    }

    pub(crate) fn cloud_instance(&self) -> &'static str {
        match self.cloud {
            Cloud::Public => "microsoftonline.com",
            Cloud::UsGovernment => "microsoftonline.us",
            Cloud::China => "partner.microsoftonline.cn",
        }
    }

    pub(crate) fn is_personal(&self, user: &User) -> bool {
        self.tenant_of(user) == CONSUMERS
    }

    pub(crate) fn take_fault(&mut self, endpoint: Endpoint) -> Option<Fault> {
        self.faults.get_mut(&endpoint)?.take()
    }

    /// The refusal that a test has ordered, if any.
    pub(crate) fn ordered_refusal(
        &mut self,
        endpoint: Endpoint,
        client: &Application,
    ) -> Result<(), Refusal> {
        let Some(entry) = self.policy.get_mut(&endpoint).and_then(Orders::take) else {
            return Ok(());
        };
        let now = crate::time::stamp(self.now());
        let refusal = Refusal::new(entry)
            .about(client)
            .with("tenant", &*self.domain)
            .with("resource", &*client.app_id);
        Err(refusal
            .with("issued", &*now)
            .with("now", &*now)
            .with("user", "")
            .with("tid", &*self.tenant))
    }
}
