//! The `WWW-Authenticate` challenge that starts a sign-in: RFC 6750 section 3 with the
//! `resource_metadata` of RFC 9728 section 5.1.
//!
//! ```text
//! challenge = "Bearer" 1*SP auth-param *( "," SP auth-param )
//! auth-param = token "=" quoted-string
//! ```
//!
//! The URL is always absolute: clients ignore a relative one without a word.
//!
//! ```
//! use mcp_entra_core::challenge::{Challenge, ChallengeError};
//!
//! let challenge = Challenge {
//!     resource_metadata: "https://h/.well-known/oauth-protected-resource/mcp",
//!     scope: "access_as_user",
//!     error: None,
//! };
//! assert_eq!(
//!     challenge.to_header_value(),
//!     r#"Bearer resource_metadata="https://h/.well-known/oauth-protected-resource/mcp", scope="access_as_user""#
//! );
//! ```

use std::fmt;

use http::HeaderValue;

use crate::oauth_error::{describable, is_description_byte};

/// What a client is told when it may not pass.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    /// The absolute URL of the protected-resource metadata.
    pub resource_metadata: &'a str,
    /// Every scope that the operation needs.
    pub scope: &'a str,
    /// What was wrong with the token; `None` where none was sent (RFC 6750 section 3.1).
    pub error: Option<(ChallengeError, &'a str)>,
}

impl Challenge<'_> {
    /// The header's value. Whatever the parts hold, it is well formed.
    pub fn to_header_value(&self) -> HeaderValue {
        // quoted() lets nothing through that a header could not carry
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

impl fmt::Display for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer ")?;
        if let Some((error, description)) = self.error {
            write!(f, "error=\"{}\", ", error.as_str())?;
            write!(f, "error_description=\"{}\", ", quoted(description))?;
        }
        write!(f, "resource_metadata=\"{}\", ", quoted(self.resource_metadata))?;
        write!(f, "scope=\"{}\"", quoted(self.scope))
    }
}

/// RFC 6750 section 3.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ChallengeError {
    /// The token is good and does not allow this operation.
    InsufficientScope,
    /// The request is malformed: two tokens, or one in the query string.
    InvalidRequest,
    /// The token is malformed, expired, revoked or not for us.
    InvalidToken,
}

impl ChallengeError {
    /// The code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
        }
    }
}

fn quoted(text: &str) -> String {
    if text.bytes().all(is_description_byte) { text.into() } else { describable(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_9728_section_5_1() {
        let challenge = Challenge {
            resource_metadata: "https://resource.example.com/.well-known/oauth-protected-resource",
            scope: "a b",
            error: Some((ChallengeError::InvalidToken, "the token has expired")),
        };
        assert_eq!(
            challenge.to_header_value(),
            "Bearer error=\"invalid_token\", error_description=\"the token has expired\", \
             resource_metadata=\"https://resource.example.com/.well-known/oauth-protected-resource\", \
             scope=\"a b\""
        );
    }

    proptest! {
        #[test]
        fn an_independent_parser_reads_back_what_went_in(
            url in "https://[a-z]{1,8}/[!-~&&[^\"\\\\]]{0,16}",
            scope in "[!-~&&[^\"\\\\]]{1,8}( [!-~&&[^\"\\\\]]{1,8}){0,3}",
            description in ".{0,40}",
        ) {
            let error = Some((ChallengeError::InsufficientScope, description.as_str()));
            let challenge = Challenge { resource_metadata: &url, scope: &scope, error };
            let value = challenge.to_header_value();
            let parsed = http_auth::parse_challenges(value.to_str().unwrap()).unwrap();
            prop_assert_eq!(parsed.len(), 1);
            let param = |name: &str| {
                let (_, value) = parsed[0].params.iter().find(|(n, _)| *n == name).unwrap();
                value.to_unescaped()
            };
            prop_assert_eq!(parsed[0].scheme, "Bearer");
            prop_assert_eq!(param("resource_metadata"), url);
            prop_assert_eq!(param("scope"), scope);
            prop_assert_eq!(param("error"), "insufficient_scope");
            prop_assert_eq!(param("error_description"), describable(&description));
        }
    }
}
