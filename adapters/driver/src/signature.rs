//! The RS256 arithmetic, and the memory of tokens whose signature was found good.

use std::sync::Arc;

use aws_lc_rs::digest;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use mcp_entra_core::access_token::AccessToken;
use mcp_entra_core::exchange::Verify;
use quick_cache::sync::Cache;

/// How many verified tokens are remembered: some 500 bytes each.
const CAPACITY: usize = 8 * 1024;

/// Checks a token's signature with the key that the core has chosen.
///
/// # Errors
/// Where the key cannot be used or the signature is not its.
pub fn check(verify: &Verify) -> Result<(), SignatureError> {
    let key = DecodingKey::from_rsa_components(verify.key().modulus(), verify.key().exponent())
        .map_err(|_| SignatureError::Key)?;
    let message = verify.signing_input().as_bytes();
    match crypto::verify(verify.signature(), message, &key, Algorithm::RS256) {
        Ok(true) => Ok(()),
        Ok(false) => Err(SignatureError::Signature),
        Err(_) => Err(SignatureError::Key),
    }
}

/// Why a signature was not found good.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not an RSA key of 2048 bits or more.
    #[error("the key cannot check a signature")]
    Key,
    /// Another key's, or another text's.
    #[error("the signature does not match")]
    Signature,
}

/// The SHA-256 of a token: enough to know it again, not enough to use it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a token's text.
    pub fn of(token: &str) -> Self {
        let mut fingerprint = [0; 32];
        let digest = digest::digest(&digest::SHA256, token.as_bytes());
        fingerprint.copy_from_slice(digest.as_ref());
        Self(fingerprint)
    }
}

/// What is remembered: bounded, and good no longer than the token's time and key, which the core
/// holds against it at each use.
#[derive(Debug)]
pub struct VerifiedTokens(Cache<Fingerprint, Arc<AccessToken>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl VerifiedTokens {
    /// What is known of a token.
    pub fn recall(&self, token: &str) -> Option<Arc<AccessToken>> {
        self.0.get(&Fingerprint::of(token))
    }

    /// Remembers a token.
    pub fn remember(&self, fingerprint: Fingerprint, token: Arc<AccessToken>) {
        self.0.insert(fingerprint, token);
    }
}
