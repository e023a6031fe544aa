//! How we say no to an OAuth client: RFC 6749 sections 4.1.2.1 and 5.2, RFC 7591 section 3.2.2,
//! RFC 8707 section 2.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::form::FormError;
use crate::response::{self, Reason};
use crate::scope::ScopeError;

/// What a client sent is quoted up to here.
const MAX_DESCRIPTION_LENGTH: usize = 600;

/// A refusal: a code that programs read and a sentence for the person who must act.
///
/// ```
/// use mcp_entra_core::oauth_error::{ErrorCode, OAuthError};
///
/// let error = OAuthError::new(ErrorCode::InvalidScope, "the scope 'x' belongs to another API");
/// let response = error.into_response();
/// assert_eq!(response.status(), 400);
/// assert_eq!(
///     &response.body()[..],
///     br#"{"error":"invalid_scope","error_description":"the scope 'x' belongs to another API"}"#
/// );
/// ```
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub struct OAuthError {
    code: ErrorCode,
    description: Cow<'static, str>,
}

impl OAuthError {
    /// A refusal. Characters that RFC 6749 does not allow in a description are replaced.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        let mut description = description.into();
        if description.len() > MAX_DESCRIPTION_LENGTH {
            description =
                description.chars().take(MAX_DESCRIPTION_LENGTH).collect::<String>().into();
        }
        if !description.bytes().all(is_description_byte) {
            description = Cow::Owned(describable(&description));
        }
        Self { code, description }
    }

    /// What programs read.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What people read.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The answer of the token and registration endpoints.
    pub fn into_response(self) -> Response<Bytes> {
        #[derive(serde::Serialize)]
        struct Body<'a> {
            error: &'a str,
            error_description: &'a str,
        }
        let body = Body { error: self.code.as_str(), error_description: &self.description };
        // two strings always serialize
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = response::json(self.code.status(), body.into());
        response.extensions_mut().insert(Reason(self.to_string()));
        response
    }
}

impl From<FormError> for OAuthError {
    fn from(error: FormError) -> Self {
        Self::new(ErrorCode::InvalidRequest, error.to_string())
    }
}

impl From<ScopeError> for OAuthError {
    fn from(error: ScopeError) -> Self {
        Self::new(ErrorCode::InvalidScope, error.to_string())
    }
}

/// The error codes that our endpoints answer with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// RFC 7591 section 3.2.2.
    InvalidClientMetadata,
    /// RFC 6749 section 5.2: sign in again.
    InvalidGrant,
    /// RFC 7591 section 3.2.2.
    InvalidRedirectUri,
    /// RFC 6749 section 5.2.
    InvalidRequest,
    /// RFC 6749 section 5.2.
    InvalidScope,
    /// RFC 8707 section 2: `resource` names another resource.
    InvalidTarget,
    /// OpenID Connect Core section 6.
    RequestNotSupported,
    /// OpenID Connect Core section 6.
    RequestUriNotSupported,
    /// RFC 6749 section 4.1.2.1: something is wrong on our side, and nothing the client can do.
    ServerError,
    /// RFC 6749 section 4.1.2.1: try again later.
    TemporarilyUnavailable,
    /// RFC 6749 section 5.2.
    UnsupportedGrantType,
    /// RFC 6749 section 4.1.2.1.
    UnsupportedResponseType,
}

impl ErrorCode {
    /// The code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    /// The status that goes with it in a JSON answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// `%x20-21 / %x23-5B / %x5D-7E`, what RFC 6749 and RFC 6750 allow in a description.
pub(crate) fn is_description_byte(byte: u8) -> bool {
    matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

/// The text with quotes softened, line breaks as spaces and the rest as `?`.
pub(crate) fn describable(text: &str) -> String {
    text.chars()
        .filter(|&c| c != '\r')
        .map(|c| match c {
            '"' => '\'',
            '\n' | '\t' => ' ',
            '\\' => '/',
            c if u8::try_from(c).is_ok_and(is_description_byte) => c,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_only_what_the_rfc_allows() {
        let error = OAuthError::new(ErrorCode::InvalidRequest, "a \"b\"\r\nc\\d é\0");
        assert_eq!(error.description(), "a 'b' c/d ??");
    }

    #[test]
    fn an_answer_is_kept_by_nobody() {
        let response = OAuthError::new(ErrorCode::TemporarilyUnavailable, "x").into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["content-type"], "application/json");
    }
}
