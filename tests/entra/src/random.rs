//! Randomness: ids, codes, lifetimes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's random source");
    bytes
}

/// A version 4 GUID.
pub(crate) fn guid() -> String {
    let mut number = u128::from_be_bytes(bytes());
    number = number & !(0xf << 76) | 4 << 76;
    number = number & !(0b11 << 62) | 0b10 << 62;
    guid_of(number)
}

pub(crate) fn guid_of(number: u128) -> String {
    let hex = format!("{number:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// An opaque string like Entra's codes and refresh tokens, which are long: about 4/3 of `N` characters.
pub(crate) fn opaque<const N: usize>() -> String {
    format!("1.A{}", URL_SAFE_NO_PAD.encode(bytes::<N>()))
}

/// Evenly in `0..bound`, near enough.
pub(crate) fn below(bound: u64) -> u64 {
    u64::from_be_bytes(bytes()) % bound.max(1)
}
