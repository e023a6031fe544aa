//! Keys that sign tokens. The core chooses the key and leaves the arithmetic to the driver, so on
//! WebAssembly, where the library for it is not to be had, a keyed checksum takes its place.

pub(crate) use arithmetic::{Key, is_signed};

#[cfg(not(target_family = "wasm"))]
mod arithmetic {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    };

    pub(crate) struct Key(RsaKeyPair);

    impl Key {
        pub(crate) fn generate() -> Self {
            Self(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
        }

        pub(crate) fn modulus(&self) -> Vec<u8> {
            self.0.public_key().modulus().big_endian_without_leading_zero().to_vec()
        }

        pub(crate) fn exponent(&self) -> Vec<u8> {
            self.0.public_key().exponent().big_endian_without_leading_zero().to_vec()
        }

        pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
            let mut signature = vec![0; self.0.public_modulus_len()];
            self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        }
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256, by another implementation than the drivers'.
    pub(crate) fn is_signed(n: Vec<u8>, e: Vec<u8>, message: &[u8], signature: &[u8]) -> bool {
        let key = RsaPublicKeyComponents { n, e };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

#[cfg(target_family = "wasm")]
mod arithmetic {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    use std::sync::atomic::{AtomicU8, Ordering};

    static KEYS: AtomicU8 = AtomicU8::new(0);

    pub(crate) struct Key(u8);

    impl Key {
        pub(crate) fn generate() -> Self {
            Self(KEYS.fetch_add(1, Ordering::Relaxed))
        }

        pub(crate) fn modulus(&self) -> Vec<u8> {
            vec![self.0; 256]
        }

        pub(crate) fn exponent(&self) -> Vec<u8> {
            vec![1, 0, 1]
        }

        pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
            checksum(&self.modulus(), message)
        }
    }

    pub(crate) fn is_signed(n: Vec<u8>, _: Vec<u8>, message: &[u8], signature: &[u8]) -> bool {
        checksum(&n, message) == signature
    }

    fn checksum(modulus: &[u8], message: &[u8]) -> Vec<u8> {
        let mut hasher = DefaultHasher::new();
        (modulus, message).hash(&mut hasher);
        hasher.finish().to_be_bytes().repeat(32)
    }
}
