//! The RS256 arithmetic, and the memory of tokens whose signature was found good.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_entra_core::access_token::AccessToken;
use mcp_entra_core::exchange::{Step, Verify};
use quick_cache::sync::Cache;

/// How many verified tokens are remembered: some 500 bytes each.
const CAPACITY: usize = 8 * 1024;
/// How many keys are kept taken apart. Entra ID publishes about five at a time.
const KEYS: usize = 32;

/// Signing keys, taken apart once: with each token that takes longer than the check itself.
#[derive(Debug)]
pub struct PublicKeys(Cache<String, Arc<PublicKey>>);

/// A key as it was written, and as it is used.
#[derive(Debug)]
struct PublicKey {
    exponent: String,
    parsed: ParsedPublicKey,
}

impl Default for PublicKeys {
    fn default() -> Self {
        Self(Cache::new(KEYS))
    }
}

impl PublicKeys {
    /// Checks a token's signature with the key that the core has chosen.
    ///
    /// # Errors
    /// Where the key cannot be used or the signature is not its.
    pub fn check(&self, verify: &Verify) -> Result<(), SignatureError> {
        let key = self.parse(verify.key().modulus(), verify.key().exponent())?;
        let signature =
            URL_SAFE_NO_PAD.decode(verify.signature()).map_err(|_| SignatureError::Signature)?;
        let verified = key.parsed.verify_sig(verify.signing_input().as_bytes(), &signature);
        verified.map_err(|_| SignatureError::Signature)
    }

    fn parse(&self, modulus: &str, exponent: &str) -> Result<Arc<PublicKey>, SignatureError> {
        let known = self.0.get(modulus).filter(|known| known.exponent == exponent);
        if let Some(known) = known {
            return Ok(known);
        }
        let octets = |text| URL_SAFE_NO_PAD.decode(text).map_err(|_| SignatureError::Key);
        let components = RsaPublicKeyComponents { n: octets(modulus)?, e: octets(exponent)? };
        let parsed = components
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| SignatureError::Key)?;
        let key = Arc::new(PublicKey { exponent: exponent.to_owned(), parsed });
        self.0.insert(modulus.to_owned(), key.clone());
        Ok(key)
    }
}

/// Why a signature was not found good.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not an RSA key.
    #[error("the key cannot check a signature")]
    Key,
    /// Another key's, or another text's, or one of a key of less than 2048 bits.
    #[error("the signature does not match")]
    Signature,
}

/// By what a token is known again: not enough to use it.
type Fingerprint = [u8; 16];

/// What is remembered: bounded, and good no longer than the token's time and key, which the core
/// holds against it at each use.
///
/// A token is known by a hash of its text under a key that this memory has drawn for itself (GMAC,
/// NIST SP 800-38D). The hash is shown to nobody, and without the key nobody can make two texts
/// with the same one but by luck, one in 2^120 at a try. SHA-256 would take five times as
/// long, which was the most of what a call cost.
#[derive(Debug)]
pub struct VerifiedTokens {
    key: Option<LessSafeKey>,
    tokens: Cache<Fingerprint, Arc<AccessToken>>,
}

impl Default for VerifiedTokens {
    /// Where the system gives no random key, nothing is remembered, and every signature checked.
    fn default() -> Self {
        let mut key = [0; 16];
        let key = getrandom::fill(&mut key)
            .ok()
            .and_then(|()| UnboundKey::new(&AES_128_GCM, &key).ok())
            .map(LessSafeKey::new);
        Self { key, tokens: Cache::new(CAPACITY) }
    }
}

impl VerifiedTokens {
    /// What is known of a token.
    pub fn recall(&self, token: &str) -> Option<Arc<AccessToken>> {
        self.tokens.get(&self.fingerprint(token)?)
    }

    /// Remembers a token whose signature is right, and goes on.
    pub fn remember(&self, verify: Verify) -> Step {
        let fingerprint = self.fingerprint(verify.token());
        let (token, step) = verify.verified();
        if let Some(fingerprint) = fingerprint {
            self.tokens.insert(fingerprint, token);
        }
        step
    }

    fn fingerprint(&self, token: &str) -> Option<Fingerprint> {
        // the nonce masks tags that others see; here nobody does, and equal texts must look equal
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let tag = self
            .key
            .as_ref()?
            .seal_in_place_separate_tag(nonce, Aad::from(token.as_bytes()), &mut [])
            .ok()?;
        tag.as_ref().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};

    use super::*;

    /// Modulus and exponent of a key, base64url, out of its DER, where they begin at known places.
    fn components(key: &RsaKeyPair) -> (String, String) {
        let der = key.public_key().as_der().unwrap();
        let der = der.as_ref();
        let (modulus, exponent) = (&der[der.len() - 261..der.len() - 5], &der[der.len() - 3..]);
        (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(exponent))
    }

    #[test]
    fn a_key_is_taken_apart_once_and_known_by_all_of_it() {
        let keys = PublicKeys::default();
        let (modulus, exponent) = components(&RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        assert_eq!(exponent, "AQAB");
        let key = keys.parse(&modulus, &exponent).unwrap();
        assert!(Arc::ptr_eq(&key, &keys.parse(&modulus, &exponent).unwrap()));
        let other = keys.parse(&modulus, "AAAAAw").map(|key| key.exponent.clone());
        assert_ne!(other.as_deref().ok(), Some("AQAB"), "the same modulus with another exponent");
        assert_eq!(keys.parse("no base64url!", "AQAB").err(), Some(SignatureError::Key));
    }

    #[test]
    fn a_token_is_known_by_all_of_its_text_and_by_its_own_memory_alone() {
        let (memory, other) = (VerifiedTokens::default(), VerifiedTokens::default());
        let token = "a".repeat(1500);
        let known = memory.fingerprint(&token).unwrap();
        assert_eq!(memory.fingerprint(&token), Some(known));
        assert_ne!(other.fingerprint(&token), Some(known));
        for at in 0..token.len() {
            let mut changed = token.clone();
            changed.replace_range(at..=at, "b");
            assert_ne!(memory.fingerprint(&changed), Some(known), "octet {at}");
        }
        // what zeros are filled up with must not be mistaken for text
        assert_ne!(memory.fingerprint(&format!("{token}\0")), Some(known));
        assert_ne!(memory.fingerprint(&token[..1499]), Some(known));
    }
}
