//! Signing keys, the documents that publish them, and JWTs.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::certificate;
use crate::tenant::CONSUMERS;

/// Which key [`sign`](crate::EntraStandIn::sign) uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SigningKey {
    /// The one that signs new tokens.
    #[default]
    Current,
    /// One of this stand-in's by its `kid`, published or withdrawn.
    Kid(String),
    /// The published one with `cloud_instance_name: microsoftonline.us`.
    UsGovernment,
    /// The published one of personal accounts.
    Consumers,
    /// One that was never published.
    Foreign,
}

/// No key has this `kid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey(
    /// The `kid` asked for.
    pub String,
);

impl std::fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no key with kid {}", self.0)
    }
}

impl std::error::Error for UnknownKey {}

/// An RSA key with the names Entra gives it.
pub(crate) struct Key {
    pub(crate) kid: String,
    pair: KeyPair,
    certificate: String,
}

impl Key {
    fn generate() -> Arc<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("an RSA key of 2048 bits");
        let certificate = certificate::self_signed(&pair);
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate));
        Arc::new(Self { kid, pair, certificate: STANDARD.encode(certificate) })
    }

    /// As in a v1 key set: Entra names no `alg`, and `kid` is `x5t`.
    fn public(&self) -> Map<String, Value> {
        let key = self.pair.public_key();
        let number = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        [
            ("kty", "RSA".into()),
            ("use", "sig".into()),
            ("kid", self.kid.as_str().into()),
            ("x5t", self.kid.as_str().into()),
            ("n", number(key.modulus().big_endian_without_leading_zero())),
            ("e", number(key.exponent().big_endian_without_leading_zero())),
            ("x5c", json!([self.certificate])),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// A compact JWS; a `null` in `header` removes a member.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let mut protected = json!({ "typ": "JWT", "alg": "RS256", "kid": self.kid });
        for (name, value) in header.as_object().into_iter().flatten() {
            match (value, protected.as_object_mut()) {
                (Value::Null, Some(protected)) => drop(protected.remove(name)),
                (value, Some(protected)) => drop(protected.insert(name.clone(), value.clone())),
                (_, None) => {}
            }
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&protected), encode(claims));
        let signature = certificate::sign(&self.pair, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The keys of one stand-in. Keys of other clouds and of nobody are made once for the process, since they take time.
pub(crate) struct Keys {
    own: Vec<(Arc<Key>, bool)>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self { own: vec![(Key::generate(), true)] }
    }

    pub(crate) fn current(&self) -> &Arc<Key> {
        &self.own.last().expect("there is always a key").0
    }

    pub(crate) fn roll(&mut self) -> String {
        self.own.push((Key::generate(), true));
        self.current().kid.clone()
    }

    pub(crate) fn withdraw(&mut self, kid: &str) -> bool {
        let found = self.own.iter_mut().find(|(key, published)| *published && key.kid == kid);
        found.map(|(_, published)| *published = false).is_some()
    }

    pub(crate) fn get(&self, which: &SigningKey) -> Result<&Arc<Key>, UnknownKey> {
        match which {
            SigningKey::Current => Ok(self.current()),
            SigningKey::UsGovernment => Ok(us_government()),
            SigningKey::Consumers => Ok(consumers()),
            SigningKey::Foreign => Ok(foreign()),
            SigningKey::Kid(kid) => {
                let found = self.own.iter().find(|(key, _)| &key.kid == kid);
                found.map(|(key, _)| key).ok_or_else(|| UnknownKey(kid.clone()))
            }
        }
    }

    /// A key set without any of ours.
    pub(crate) fn strangers(&self) -> Value {
        json!({ "keys": [foreign().public()] })
    }

    /// The claims of a token signed by one of this stand-in's published keys.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, _) = message.split_once('.')?;
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let kid = header["kid"].as_str()?;
        let (key, _) = self.own.iter().find(|(key, published)| *published && key.kid == kid)?;
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.pair.public_key());
        public.verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        claims(token)
    }

    /// The v2 key set: a public tenant's holds keys of the US Government cloud with the same issuer, and of personal
    /// accounts; only `cloud_instance_name` tells the former.
    pub(crate) fn v2(&self, authority: &str, issuer: &str, cloud: &str) -> Value {
        let other = if cloud == "microsoftonline.us" {
            "microsoftonline.com"
        } else {
            "microsoftonline.us"
        };
        let personal = format!("{authority}/{CONSUMERS}/v2.0");
        let published = self.own.iter().filter(|(_, published)| *published);
        let own = published.map(|(key, _)| (key, cloud, issuer));
        let all = own.chain([(us_government(), other, issuer), (consumers(), cloud, &*personal)]);
        let keys = all.map(|(key, cloud, issuer)| {
            let mut entry = key.public();
            entry.insert("cloud_instance_name".into(), cloud.into());
            entry.insert("issuer".into(), issuer.into());
            Value::Object(entry)
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }

    /// The v1 key set has neither `issuer` nor `cloud_instance_name`.
    pub(crate) fn v1(&self) -> Value {
        let published = self.own.iter().filter(|(_, published)| *published);
        let keys: Vec<_> = published.map(|(key, _)| key.public()).collect();
        json!({ "keys": keys })
    }
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn foreign() -> &'static Arc<Key> {
    static KEY: OnceLock<Arc<Key>> = OnceLock::new();
    KEY.get_or_init(Key::generate)
}

fn us_government() -> &'static Arc<Key> {
    static KEY: OnceLock<Arc<Key>> = OnceLock::new();
    KEY.get_or_init(Key::generate)
}

fn consumers() -> &'static Arc<Key> {
    static KEY: OnceLock<Arc<Key>> = OnceLock::new();
    KEY.get_or_init(Key::generate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_keys_verify() {
        let mut keys = Keys::new();
        let token = keys.current().sign(&json!({}), &json!({ "sub": "x" }));
        assert_eq!(keys.verify(&token), Some(json!({ "sub": "x" })));
        let old = keys.current().kid.clone();
        assert_ne!(keys.roll(), old);
        assert!(keys.verify(&token).is_some());
        assert!(keys.withdraw(&old) && !keys.withdraw(&old));
        assert_eq!(keys.verify(&token), None);
        assert!(keys.get(&SigningKey::Kid(old)).is_ok(), "still signs");
        assert!(keys.get(&SigningKey::Kid("x".into())).is_err());
    }

    #[test]
    fn header_overrides() {
        let token = Keys::new().current().sign(&json!({ "alg": "none", "kid": null }), &json!({}));
        let header =
            URL_SAFE_NO_PAD.decode(token.split('.').next().expect("a header")).expect("base64url");
        assert_eq!(header, br#"{"alg":"none","typ":"JWT"}"#);
    }

    #[test]
    fn key_set_like_entras() {
        let set = Keys::new().v2("http://a", "http://a/t/v2.0", "microsoftonline.com");
        let entries = set["keys"].as_array().expect("keys");
        let clouds: Vec<_> =
            entries.iter().map(|key| key["cloud_instance_name"].as_str()).collect();
        assert_eq!(
            clouds,
            [Some("microsoftonline.com"), Some("microsoftonline.us"), Some("microsoftonline.com")]
        );
        assert!(entries.iter().all(|key| key.get("alg").is_none() && key["kid"] == key["x5t"]));
    }
}
