//! The three grants.

use aws_lc_rs::digest::{self, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::aadsts;
use crate::application::Application;
use crate::fault::Endpoint;
use crate::issue::{ForApp, ForUser};
use crate::redirect::Platform;
use crate::refusal::Refusal;
use crate::scope::{ApiScopes, Leg, Scopes};
use crate::tenant::{Segment, is_guid};
use crate::time;
use crate::token::TokenRequest;
use crate::world::{CodeGrant, RefreshGrant, World};

/// "About 10 minutes". [doc]
const CODE_LIFETIME: u64 = 600;
/// Of a single-page application's refresh tokens. [doc 700084]
const SPA_LIFETIME: u64 = 86_400;
/// Of a refresh token that nobody uses. [doc 700082]
const INACTIVITY: u64 = 90 * 86_400;

impl World {
    pub(crate) fn redeem_code(
        &mut self,
        request: &TokenRequest<'_>,
        app: &Application,
    ) -> Result<Value, Refusal> {
        let code = request.required("code")?;
        let known =
            self.codes.get_mut(code).ok_or_else(|| Refusal::new(aadsts::MALFORMED_GRANT))?;
        if known.spent {
            return Err(Refusal::new(aadsts::CODE_SPENT));
        }
        known.spent = self.strictness.failure_spends_code;
        let grant = known.clone();
        let tokens = self.exchange(request, app, &grant)?;
        if let Some(known) = self.codes.get_mut(code) {
            known.spent = true;
        }
        Ok(tokens)
    }

    fn exchange(
        &mut self,
        request: &TokenRequest<'_>,
        app: &Application,
        grant: &CodeGrant,
    ) -> Result<Value, Refusal> {
        if grant.client != app.app_id {
            return Err(Refusal::new(aadsts::GRANT_INVALID));
        }
        if self.now() >= grant.issued + CODE_LIFETIME {
            return Err(Refusal::new(aadsts::CODE_EXPIRED));
        }
        let same = if self.strictness.same_segment {
            grant.segment.eq_ignore_ascii_case(request.segment)
        } else {
            Segment::parse(&grant.segment, &self.tenant, &self.domain).ok() == Some(request.tenant)
        };
        if !same {
            return Err(Refusal::new(aadsts::OTHER_TENANT));
        }
        let redirect_uri = request.required("redirect_uri")?;
        if redirect_uri != grant.redirect_uri {
            let refusal =
                Refusal::new(aadsts::REDIRECT_URI_CHANGED).with("redirect_uri", redirect_uri);
            return Err(refusal.with("expected", &*grant.redirect_uri));
        }
        let proof = self.authenticate(request, app, grant.platform)?;
        check_verifier(request.parameters.get("code_verifier"), grant)?;

        let scopes = self.scopes_for_code(request, grant)?;
        let api = self.checked_api(request, &scopes, app, scopes.apis.first())?;
        self.ordered_refusal(Endpoint::Token, app)?;
        self.check_consent(api.as_ref(), app, &grant.user.oid)?;
        let on_this_leg =
            scopes.oidc.contains("offline_access") || !self.strictness.offline_access_on_both_legs;
        let mut oidc = scopes.oidc.clone();
        // the id_token is the authorization's, whatever this leg repeats
        oidc.extend(grant.scopes.oidc.iter().filter(|name| **name != "offline_access"));
        let now = self.now();
        let refresh =
            (on_this_leg && grant.scopes.oidc.contains("offline_access")).then(|| RefreshGrant {
                client: app.app_id.clone(),
                platform: grant.platform,
                user: grant.user.clone(),
                api: api.clone(),
                openid: oidc.contains("openid"),
                issued: now,
                first_issued: now,
            });
        Ok(self.issue_for_user(
            &ForUser { app, proof, user: &grant.user, api, oidc, nonce: grant.nonce.as_deref() },
            refresh,
        ))
    }

    /// The scopes of a redemption: the request's, or the authorization's if Entra may infer them.
    fn scopes_for_code(
        &self,
        request: &TokenRequest<'_>,
        grant: &CodeGrant,
    ) -> Result<Scopes, Refusal> {
        if let Some(scope) = request.parameters.get("scope") {
            return self.parse_scopes(scope);
        }
        if self.strictness.code_needs_scope && !grant.scopes.apis.is_empty() {
            return Err(match request.parameters.given("scope") {
                None => Refusal::new(aadsts::MISSING).with("name", "scope"),
                Some(_) => Refusal::new(aadsts::SCOPE_EMPTY),
            });
        }
        if grant.scopes.apis.len() > 1 {
            return Err(Refusal::new(aadsts::SCOPE_EMPTY));
        }
        Ok(grant.scopes.clone())
    }

    pub(crate) fn redeem_refresh_token(
        &mut self,
        request: &TokenRequest<'_>,
        app: &Application,
    ) -> Result<Value, Refusal> {
        let token = request.required("refresh_token")?;
        let malformed = || Refusal::new(aadsts::MALFORMED_GRANT);
        let grant = self.refresh_tokens.get(token).ok_or_else(malformed)?.clone();
        if grant.client != app.app_id {
            return Err(Refusal::new(aadsts::GRANT_INVALID));
        }
        let proof = self.authenticate(request, app, grant.platform)?;
        let now = self.now();
        if grant.platform == Platform::Spa && now >= grant.first_issued + SPA_LIFETIME {
            return Err(
                Refusal::new(aadsts::REFRESH_SPA).with("issued", time::stamp(grant.first_issued))
            );
        }
        if now >= grant.issued + INACTIVITY {
            return Err(
                Refusal::new(aadsts::REFRESH_INACTIVE).with("issued", time::stamp(grant.issued))
            );
        }

        let named = request.parameters.get("scope");
        let scopes = self.parse_scopes(named.unwrap_or_default())?;
        // a refresh token is bound to no API: without a scope it is the last one's [doc v2-oauth2-auth-code-flow]
        let last = if named.is_none() { grant.api.as_ref() } else { None };
        let api = self.checked_api(request, &scopes, app, scopes.apis.first().or(last))?;
        // [wire: claude-ai-mcp#228, mcp-remote#357; the GUID form: Softeria#502]
        if let Some(own) = api.as_ref().filter(|api| api.app_id == app.app_id) {
            let by_guid = is_guid(&own.spelling) || !self.strictness.own_refresh_needs_guid;
            if named.is_none() || !by_guid {
                return Err(Refusal::new(aadsts::TOKEN_FOR_ITSELF).about(app));
            }
        }
        self.ordered_refusal(Endpoint::Token, app)?;
        self.check_consent(api.as_ref(), app, &grant.user.oid)?;
        let mut oidc = scopes.oidc;
        if grant.openid && named.is_none() {
            oidc.insert("openid");
        }
        // each refresh gives a new token; the old one stays good [doc]
        let refresh = RefreshGrant { api: api.clone(), issued: now, ..grant.clone() };
        Ok(self.issue_for_user(
            &ForUser { app, proof, user: &grant.user, api, oidc, nonce: None },
            Some(refresh),
        ))
    }

    pub(crate) fn client_credentials(
        &mut self,
        request: &TokenRequest<'_>,
        app: &Application,
    ) -> Result<Value, Refusal> {
        // [doc 9001023]
        if matches!(request.tenant, Segment::Common | Segment::Consumers) {
            return Err(Refusal::new(aadsts::GRANT_NEEDS_TENANT));
        }
        // [issue oidc-cli#7]
        let missing = || Refusal::new(aadsts::MISSING_FIELD).with("name", "scope");
        let scope = request.parameters.get("scope").ok_or_else(missing)?;
        let proof = self.authenticate_app(request, app)?;
        let not_default = || Refusal::new(aadsts::SCOPE_NOT_DEFAULT).with("scope", scope);
        let scopes = self.parse_scopes(scope).map_err(|refusal| {
            if scope.ends_with("/.default") { refusal } else { not_default() }
        })?;
        let api = match &scopes.apis[..] {
            [api] if api.default && api.names.is_empty() && scopes.oidc.is_empty() => api,
            _ => return Err(not_default()),
        };
        self.check_resource(request.parameters.get("resource"), [&*api.app_id])?;
        self.ordered_refusal(Endpoint::Token, app)?;
        Ok(self.issue_for_app(&ForApp { app, proof, api }))
    }

    /// One API, whose scopes exist, and which `resource` names if it is given.
    fn checked_api(
        &self,
        request: &TokenRequest<'_>,
        scopes: &Scopes,
        app: &Application,
        api: Option<&ApiScopes>,
    ) -> Result<Option<ApiScopes>, Refusal> {
        self.check_resource(request.parameters.get("resource"), api.map(|api| &*api.app_id))?;
        if scopes.apis.len() > 1 {
            return Err(Refusal::new(aadsts::SEVERAL_RESOURCES).with("scope", &*scopes.text));
        }
        self.check_scopes(scopes, app, Leg::Token)?;
        Ok(api.cloned())
    }

    /// [doc 65001]
    fn check_consent(
        &self,
        api: Option<&ApiScopes>,
        app: &Application,
        user: &str,
    ) -> Result<(), Refusal> {
        let Some(api) = api else { return Ok(()) };
        let consented = self.consented(&app.app_id, &api.app_id, user);
        let covered = if api.default {
            !consented.is_empty()
        } else {
            self.names(api, app).is_subset(&consented)
        };
        if covered { Ok(()) } else { Err(Refusal::new(aadsts::NOT_CONSENTED).about(app)) }
    }
}

/// PKCE. A verifier without a challenge is a mismatch too. [issue convex-auth#457]
fn check_verifier(verifier: Option<&str>, grant: &CodeGrant) -> Result<(), Refusal> {
    let matches = match (&grant.challenge, verifier) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some(_), None) => return Err(Refusal::new(aadsts::VERIFIER_MISSING)),
        (Some(challenge), Some(verifier)) if challenge.hashed => {
            URL_SAFE_NO_PAD.encode(digest::digest(&SHA256, verifier.as_bytes())) == challenge.value
        }
        (Some(challenge), Some(verifier)) => verifier == challenge.value,
    };
    if matches { Ok(()) } else { Err(Refusal::new(aadsts::VERIFIER_WRONG)) }
}
