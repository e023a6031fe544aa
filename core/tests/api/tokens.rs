//! Access tokens as Entra signs them, and keys to sign them with.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use mcp_entra_core::KeySet;
use serde_json::{Value, json};

use super::keys::Key;

/// The key that every key set here holds, under several ids.
pub(crate) static SIGNER: LazyLock<Key> = LazyLock::new(Key::generate);
/// A key that no key set holds.
pub(crate) static STRANGER: LazyLock<Key> = LazyLock::new(Key::generate);

/// The key set of the test tenant, with one key, `good`.
pub(crate) fn key_set() -> Arc<KeySet> {
    let issuer = "https://login.microsoftonline.com/{tenantid}/v2.0";
    key_set_of(&[jwk("good", Some(issuer), Some("microsoftonline.com"))])
}

pub(crate) fn key_set_of(keys: &[Value]) -> Arc<KeySet> {
    Arc::new(KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap())
}

/// [`SIGNER`] as Entra's key sets show it: without `alg`.
pub(crate) fn jwk(kid: &str, issuer: Option<&str>, cloud: Option<&str>) -> Value {
    let mut key = json!({
        "kty": "RSA",
        "use": "sig",
        "kid": kid,
        "n": URL_SAFE_NO_PAD.encode(SIGNER.modulus()),
        "e": URL_SAFE_NO_PAD.encode(SIGNER.exponent()),
    });
    if let Some(issuer) = issuer {
        key["issuer"] = issuer.into();
    }
    if let Some(cloud) = cloud {
        key["cloud_instance_name"] = cloud.into();
    }
    key
}

/// A token to be varied and signed.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    header: Value,
    claims: Value,
}

impl Token {
    pub(crate) fn v1() -> Self {
        Self::of(include_str!("../fixtures/access_token_claims_v1.json"))
    }

    pub(crate) fn v2() -> Self {
        Self::of(include_str!("../fixtures/access_token_claims_v2.json"))
    }

    /// A token of an application without a user, with the role `Mcp.Invoke`.
    pub(crate) fn app_only() -> Self {
        Self::of(include_str!("../fixtures/access_token_claims_v2_app_only.json"))
    }

    fn of(claims: &str) -> Self {
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": "good" });
        Self { header, claims: serde_json::from_str(claims).unwrap() }
    }

    #[must_use]
    pub(crate) fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims[claim] = value.into();
        self
    }

    #[must_use]
    pub(crate) fn without(mut self, claim: &str) -> Self {
        assert!(self.claims.as_object_mut().unwrap().remove(claim).is_some(), "no {claim}");
        self
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    #[must_use]
    pub(crate) fn without_header(mut self, name: &str) -> Self {
        assert!(self.header.as_object_mut().unwrap().remove(name).is_some(), "no {name}");
        self
    }

    pub(crate) fn unsigned(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.AA", part(&self.header), part(&self.claims))
    }

    pub(crate) fn signed(&self) -> String {
        signed_by(&SIGNER, &self.header.to_string(), &self.claims.to_string())
    }

    pub(crate) fn signed_by(&self, key: &Key) -> String {
        signed_by(key, &self.header.to_string(), &self.claims.to_string())
    }

    /// With JSON that no [`Value`] can hold, put in front of the claims' members.
    pub(crate) fn signed_with_raw_claims(&self, members: &str) -> String {
        let claims = self.claims.to_string().replacen('{', &format!("{{{members},"), 1);
        signed_by(&SIGNER, &self.header.to_string(), &claims)
    }

    pub(crate) fn signed_with_raw_header(&self, members: &str) -> String {
        let header = self.header.to_string().replacen('{', &format!("{{{members},"), 1);
        signed_by(&SIGNER, &header, &self.claims.to_string())
    }
}

pub(crate) fn signed_by(key: &Key, header: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let input = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// An MCP call with this token.
pub(crate) fn call(token: &str) -> Request<&'static str> {
    Request::post("/mcp").header("authorization", format!("Bearer {token}")).body("").unwrap()
}
