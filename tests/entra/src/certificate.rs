//! The self-signed certificate in `x5c`: just enough DER for one.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};

const SHA256_WITH_RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const RSA_ENCRYPTION: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const COMMON_NAME: &[u8] = &[0x06, 3, 0x55, 4, 3];
const NULL: &[u8] = &[0x05, 0];

/// DER of a certificate for this key, as Entra's: issued by itself to `accounts.accesscontrol.windows.net`.
pub(crate) fn self_signed(pair: &KeyPair) -> Vec<u8> {
    let attribute = sequence(&[COMMON_NAME, &tlv(0x0c, b"accounts.accesscontrol.windows.net")]);
    let name = sequence(&[&tlv(0x31, &attribute)]);
    let validity = sequence(&[&tlv(0x17, b"250101000000Z"), &tlv(0x17, b"491231235959Z")]);
    let algorithm = sequence(&[SHA256_WITH_RSA, NULL]);
    let key = sequence(&[&sequence(&[RSA_ENCRYPTION, NULL]), &bits(pair.public_key().as_ref())]);
    let signed = sequence(&[&tlv(0x02, &[1]), &algorithm, &name, &validity, &name, &key]);
    let signature = sign(pair, &signed);
    sequence(&[&signed, &algorithm, &bits(&signature)])
}

/// RSASSA-PKCS1-v1_5 with SHA-256.
pub(crate) fn sign(pair: &KeyPair, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
        .expect("a 2048-bit key signs");
    signature
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn bits(content: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], content].concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(short as u8),
        middle @ 0x80..=0xff => out.extend([0x81, middle as u8]),
        long => out.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    out.extend(content);
    out
}
