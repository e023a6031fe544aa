//! Client authentication: whether a secret is needed or forbidden is decided by the redirect URI's platform.

use serde_json::Value;

use crate::aadsts;
use crate::application::{Application, SecretCheck};
use crate::keys;
use crate::redirect::Platform;
use crate::refusal::Refusal;
use crate::token::TokenRequest;
use crate::world::World;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client proved itself: `azpacr` in its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    None,
    Secret,
    Assertion,
}

impl Proof {
    pub(crate) fn acr(self) -> &'static str {
        match self {
            Self::None => "0",
            Self::Secret => "1",
            Self::Assertion => "2",
        }
    }
}

impl World {
    /// For a code or refresh token of a redirect URI of this platform.
    pub(crate) fn authenticate(
        &self,
        request: &TokenRequest<'_>,
        app: &Application,
        platform: Platform,
    ) -> Result<Proof, Refusal> {
        match (platform, request.origin) {
            // [doc v2-oauth2-auth-code-flow]
            (Platform::Spa, None) => return Err(Refusal::new(aadsts::NO_ORIGIN)),
            (Platform::Web | Platform::Public, Some(origin)) => {
                return Err(Refusal::new(aadsts::ORIGIN).with("origin", origin));
            }
            _ => {}
        }
        let proof = self.proof(request, app);
        match platform {
            Platform::Web => proof.and_then(|proof| match proof {
                Proof::None => Err(Refusal::new(aadsts::NO_SECRET)),
                proof => Ok(proof),
            }),
            // a wrong secret is refused as a right one is: the value is not looked at
            Platform::Spa | Platform::Public => match proof {
                Ok(Proof::None) => Ok(Proof::None),
                _ => Err(Refusal::new(aadsts::PUBLIC_CLIENT)),
            },
        }
    }

    /// For an application that acts for itself.
    pub(crate) fn authenticate_app(
        &self,
        request: &TokenRequest<'_>,
        app: &Application,
    ) -> Result<Proof, Refusal> {
        // [doc: credentials are refused in all flows in the presence of Origin]
        if let Some(origin) = request.origin {
            return Err(Refusal::new(aadsts::ORIGIN).with("origin", origin));
        }
        match self.proof(request, app)? {
            Proof::None => Err(Refusal::new(aadsts::CREDENTIAL_REQUIRED)),
            proof => Ok(proof),
        }
    }

    fn proof(&self, request: &TokenRequest<'_>, app: &Application) -> Result<Proof, Refusal> {
        if let Some(assertion) = request.parameters.get("client_assertion") {
            return match request.parameters.get("client_assertion_type") {
                Some(ASSERTION_TYPE) => {
                    self.check_assertion(assertion, app).map(|()| Proof::Assertion)
                }
                _ => Err(Refusal::new(aadsts::MISSING).with("name", "client_assertion_type")),
            };
        }
        let Some(secret) = request.secret() else { return Ok(Proof::None) };
        match app.check_secret(secret, self.now()) {
            SecretCheck::Good => Ok(Proof::Secret),
            SecretCheck::Wrong => Err(Refusal::new(aadsts::WRONG_SECRET).about(app)),
            SecretCheck::Expired => Err(Refusal::new(aadsts::EXPIRED_SECRET).about(app)),
        }
    }

    /// Federated identity credentials: issuer, subject and audience must match a record. The signature is checked if the
    /// issuer is this stand-in (a managed identity's token); another issuer's is trusted. Certificates are not supported.
    fn check_assertion(&self, assertion: &str, app: &Application) -> Result<(), Refusal> {
        let invalid = || Refusal::new(aadsts::ASSERTION_SIGNATURE);
        let claims = keys::claims(assertion).ok_or_else(invalid)?;
        let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        let (issuer, subject, audience) = (text("iss"), text("sub"), text("aud"));
        let known = &app.federated_identity_credentials;
        if !known.iter().any(|record| record.issuer == issuer) {
            return Err(Refusal::new(aadsts::FEDERATED_ISSUER).with("issuer", issuer));
        }
        let Some(record) =
            known.iter().find(|record| record.issuer == issuer && record.subject == subject)
        else {
            return Err(Refusal::new(aadsts::FEDERATED_SUBJECT).with("subject", subject));
        };
        if !record.audiences.contains(&audience) {
            return Err(Refusal::new(aadsts::FEDERATED_AUDIENCE).with("audience", audience));
        }
        if issuer == self.v2_issuer(&self.tenant) {
            self.keys.verify(assertion).ok_or_else(invalid)?;
            if claims.get("scp").is_some() {
                return Err(Refusal::new(aadsts::FEDERATED_NOT_APP_ONLY));
            }
        }
        match claims.get("exp").and_then(Value::as_u64) {
            Some(expiry) if expiry > self.now() => Ok(()),
            _ => Err(invalid()),
        }
    }
}
