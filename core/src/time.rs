//! Time as an argument: the core never asks for it.

/// Seconds since 1970-01-01T00:00:00Z, as in the `exp` of a token (RFC 7519 section 2).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct UnixTime(pub u64);
