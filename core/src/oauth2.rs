//! Conversions to the types of the [`oauth2`](::oauth2) crate, for those who use it.
//!
//! ```
//! use mcp_entra_core::redirect_uri::RedirectUri;
//!
//! let uri: RedirectUri = "http://localhost:8787/callback".parse().unwrap();
//! let url = oauth2::RedirectUrl::from(&uri);
//! assert_eq!(url.as_str(), "http://localhost:8787/callback");
//! ```

use ::oauth2::basic::BasicErrorResponseType;
use ::oauth2::{ClientId, RedirectUrl, Scope, StandardErrorResponse};

use crate::guid::Guid;
use crate::oauth_error::OAuthError;
use crate::redirect_uri::RedirectUri;
use crate::scope::ScopeName;

impl From<Guid> for ClientId {
    fn from(guid: Guid) -> Self {
        Self::new(guid.to_string())
    }
}

impl From<&RedirectUri> for RedirectUrl {
    fn from(uri: &RedirectUri) -> Self {
        Self::from_url(uri.url().clone())
    }
}

impl From<&ScopeName> for Scope {
    fn from(name: &ScopeName) -> Self {
        Self::new(name.to_string())
    }
}

impl From<&OAuthError> for StandardErrorResponse<BasicErrorResponseType> {
    fn from(error: &OAuthError) -> Self {
        use BasicErrorResponseType as Basic;

        let code = match error.code().as_str() {
            "invalid_grant" => Basic::InvalidGrant,
            "invalid_request" => Basic::InvalidRequest,
            "invalid_scope" => Basic::InvalidScope,
            "unsupported_grant_type" => Basic::UnsupportedGrantType,
            other => Basic::Extension(other.to_owned()),
        };
        Self::new(code, Some(error.description().to_owned()), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth_error::ErrorCode;

    #[test]
    fn an_error_reads_the_same_on_both_sides() {
        for code in [ErrorCode::InvalidGrant, ErrorCode::InvalidTarget, ErrorCode::InvalidScope] {
            let error = OAuthError::new(code, "why");
            let body = error.clone().into_response().into_body();
            let parsed: StandardErrorResponse<BasicErrorResponseType> =
                serde_json::from_slice(&body).unwrap();
            assert_eq!(parsed, (&error).into());
        }
    }
}
