//! Entra's signing keys (RFC 7517), with what Microsoft adds to each: the issuer and the cloud it
//! may sign for.

use std::borrow::Cow;

use crate::discovery::{Discovery, TENANT_TEMPLATE};
use crate::guid::Guid;
use crate::json::Members;

/// The most octets of a key set that are read; Entra's has about 15,000.
pub const MAX_KEY_SET_LENGTH: usize = 512 * 1024;

/// The most keys that are kept, the upper end of what Microsoft advises.
const MAX_KEYS: usize = 1000;

/// The RSA signature keys of a key set.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<SigningKey>,
}

impl KeySet {
    /// Reads a JWK Set. Keys of other kinds are left out; Entra's have no `alg`, so one without
    /// counts as RS256.
    ///
    /// # Errors
    /// Where it is no key set, or none of its keys can check an RS256 signature.
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > MAX_KEY_SET_LENGTH {
            return Err(KeySetError::TooLong);
        }
        let not_json =
            |error: serde_json::Error| KeySetError::NotJson { reason: error.to_string() };
        let set = Members::parse(document).map_err(not_json)?;
        let keys = set.raw("keys").map_or("[]", |raw| raw.get());
        let keys: Vec<Members<'_>> = serde_json::from_str(keys).map_err(not_json)?;
        let keys: Vec<_> = keys.iter().filter_map(SigningKey::of).take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err(KeySetError::Empty);
        }
        Ok(Self { keys })
    }

    /// The key of an id.
    pub fn find(&self, kid: &str) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// The keys in their order.
    pub fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter()
    }
}

/// An RSA public key that signs tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SigningKey {
    kid: String,
    n: String,
    e: String,
    issuer: Option<String>,
    cloud_instance_name: Option<String>,
}

impl SigningKey {
    fn of(key: &Members<'_>) -> Option<Self> {
        let text = |name| key.text(name).map(Cow::into_owned);
        let usable = text("kty").as_deref() == Some("RSA")
            && text("use").is_none_or(|usage| usage == "sig")
            && text("alg").is_none_or(|alg| alg == "RS256");
        if !usable {
            return None;
        }
        Some(Self {
            kid: text("kid").filter(|kid| !kid.is_empty())?,
            n: text("n")?,
            e: text("e")?,
            issuer: text("issuer"),
            cloud_instance_name: text("cloud_instance_name"),
        })
    }

    /// The key's id, which a token's header names.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The modulus, base64url as in the document (RFC 7518 section 6.3.1.1).
    pub fn modulus(&self) -> &str {
        &self.n
    }

    /// The exponent, base64url as in the document (RFC 7518 section 6.3.1.2).
    pub fn exponent(&self) -> &str {
        &self.e
    }

    /// Whether the key may sign for the cloud of the discovery document. The public `common` key
    /// set carries US Government keys under the same issuer, told apart by this alone.
    pub(crate) fn is_of_cloud(&self, discovery: &Discovery) -> bool {
        match (self.cloud_instance_name.as_deref(), discovery.cloud_instance_name()) {
            (Some(key), Some(cloud)) => key == cloud,
            _ => true,
        }
    }

    /// Whether the key may sign for an issuer: its own, or the v2 one of the same tenant, under
    /// which v1 tokens are signed too.
    pub(crate) fn is_of_issuer(&self, issuer: &str, tenant: &Guid, discovery: &Discovery) -> bool {
        self.issuer.as_deref().is_none_or(|template| {
            let own = template.replace(TENANT_TEMPLATE, tenant.as_str());
            own == issuer || own == discovery.issuer().for_tenant(tenant)
        })
    }
}

/// Why a key set was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// No RSA signature key in it.
    #[error("the key set has no RSA signature key")]
    Empty,
    /// HTML, nothing, a cut-off document, a member twice.
    #[error("the key set is not a JSON object: {reason}")]
    NotJson {
        /// What the parser said.
        reason: String,
    },
    /// More than [`MAX_KEY_SET_LENGTH`].
    #[error("the key set is longer than {MAX_KEY_SET_LENGTH} bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entras_keys_have_no_alg_and_are_read() {
        let set = KeySet::parse(include_bytes!("../tests/fixtures/jwks_v2_common.json")).unwrap();
        let kids: Vec<_> = set.iter().map(SigningKey::kid).collect();
        assert_eq!(kids, ["pub-1", "pub-2", "usgov-1", "msa-1"]);
    }

    #[test]
    fn keys_of_other_kinds_are_left_out() {
        let set = br#"{"keys":[
            {"kty":"EC","kid":"1","crv":"P-256","x":"x","y":"y"},
            {"kty":"RSA","kid":"2","use":"enc","n":"n","e":"e"},
            {"kty":"RSA","kid":"3","alg":"RS512","n":"n","e":"e"},
            {"kty":"oct","kid":"4","k":"k"},
            {"kty":"RSA","n":"n","e":"e"},
            {"kty":"RSA","kid":"6","alg":"RS256","n":"n","e":"e"}]}"#;
        let set = KeySet::parse(set).unwrap();
        assert_eq!(set.iter().map(SigningKey::kid).collect::<Vec<_>>(), ["6"]);
    }

    #[test]
    fn what_is_no_key_set() {
        let refused = |text: &str| KeySet::parse(text.as_bytes()).unwrap_err();
        for text in ["", "<html>", "[]", r#"{"keys":{}}"#, r#"{"keys":[{"kid":"a","kid":"b"}]}"#] {
            assert!(matches!(refused(text), KeySetError::NotJson { .. }), "{text}");
        }
        assert_eq!(refused("{}"), KeySetError::Empty);
        assert_eq!(refused(r#"{"keys":[]}"#), KeySetError::Empty);
        assert_eq!(refused(&" ".repeat(MAX_KEY_SET_LENGTH + 1)), KeySetError::TooLong);
        let no_object = refused(r#"{"keys":[1]}"#).to_string();
        assert!(no_object.contains("expected a JSON object"), "{no_object}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "half a million octets take Miri many minutes")]
    fn a_key_set_may_have_half_a_megabyte() {
        let of = |length: usize| {
            let keys = r#"{"keys":[{"kty":"RSA","kid":"1","n":"n","e":"e"}]}"#;
            keys.to_owned() + &" ".repeat(length - keys.len())
        };
        assert!(KeySet::parse(of(512 * 1024).as_bytes()).is_ok());
        assert_eq!(KeySet::parse(of(512 * 1024 + 1).as_bytes()).unwrap_err(), KeySetError::TooLong);
    }
}
