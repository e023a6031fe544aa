//! The token request and its answer: from what a client sends to what Entra accepts, and back.
//!
//! | towards Entra | |
//! |---|---|
//! | `grant_type` | `authorization_code` and `refresh_token`, nothing else |
//! | `client_id` | the configured one |
//! | `code`, `redirect_uri`, `code_verifier`, `refresh_token` | unchanged |
//! | `scope` | qualified, and added where it is absent: AADSTS28003 on a code; AADSTS90009 on a refresh, which wants the GUID form too |
//! | `resource` | dropped, once it is known to name us (AADSTS9010010) |
//! | `client_secret` | ours, where the redirect URI is on the Web platform (AADSTS7000218) and not elsewhere (AADSTS700025) |
//! | the client's credentials, its `Origin` (AADSTS9002326), its cookies, all else | dropped |
//!
//! A code that Entra saw is spent, so nothing is tried again for it. A refresh names no redirect
//! URI; where its platform is not known it is asked for without the secret first, and once more
//! with it if Entra then wants one: a refresh token survives a refusal.

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};

use crate::authorize::check_resource;
use crate::entra_error::{EntraError, Meaning};
use crate::form::{Form, Writer};
use crate::json::Members;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::platform::Platform;
use crate::response::{self, Reason};
use crate::scope::ApiName;
use crate::settings::Settings;
use crate::upstream::UpstreamError;

/// The most octets of a token request that are read: tokens and codes have a few thousand.
pub const MAX_TOKEN_REQUEST_LENGTH: usize = 64 * 1024;
/// The most octets of Entra's answer that are read.
pub const MAX_TOKEN_RESPONSE_LENGTH: usize = 256 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

/// A sound token request, ready to be asked of Entra. Its `Debug` shows no secret.
pub struct TokenRequest {
    /// The form, without our credential.
    form: Writer,
    /// What the client asked, in its own words.
    asked: Option<String>,
    credential: Credential,
}

/// Whether our secret goes along.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Credential {
    Attached,
    Withheld,
    /// Withheld, and attached if Entra then wants it.
    WithheldFirst,
}

impl TokenRequest {
    /// Reads a token request.
    ///
    /// # Errors
    /// What is wrong with it, as RFC 6749 section 5.2 puts it.
    pub fn parse(
        content_type: Option<&HeaderValue>,
        body: &[u8],
        settings: &Settings,
    ) -> Result<Self, OAuthError> {
        if !is_form(content_type) {
            let text = format!("the token request must be {FORM}");
            return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
        }
        let form = Form::parse(body)?;
        let get = |name: &'static str| match form.get(name) {
            Some(value) => Ok(value),
            None => {
                let text = format!("the token request has no {name}");
                Err(OAuthError::new(ErrorCode::InvalidRequest, text))
            }
        };
        let (grant_type, api_name) = match form.get("grant_type") {
            Some("authorization_code") => ("authorization_code", ApiName::AppIdUri),
            Some("refresh_token") => ("refresh_token", ApiName::ClientId),
            Some(_) => {
                let text = "grant_type must be authorization_code or refresh_token";
                return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, text));
            }
            None => {
                let text = "the token request has no grant_type";
                return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
            }
        };
        check_resource(&form, settings)?;
        let scope = settings.api().qualify(form.get("scope"), api_name)?;
        let mut sent = Writer::new(String::with_capacity(body.len() + 256));
        sent.pair("client_id", settings.client_id().as_str())
            .pair("grant_type", grant_type)
            .pair("scope", &scope);
        let credential = if grant_type == "authorization_code" {
            let redirect_uri = get("redirect_uri")?;
            let web = redirect_platform(redirect_uri, settings)?;
            sent.pair("code", get("code")?)
                .pair("redirect_uri", redirect_uri)
                .pair("code_verifier", code_verifier(get("code_verifier")?)?);
            if web { Credential::Attached } else { Credential::Withheld }
        } else {
            sent.pair("refresh_token", get("refresh_token")?);
            match settings.platform() {
                Platform::Auto => Credential::WithheldFirst,
                Platform::Native => Credential::Withheld,
                Platform::Web => Credential::Attached,
            }
        };
        Ok(Self {
            form: sent,
            asked: form.get("scope").map(str::to_owned),
            credential: match settings.client_secret() {
                Some(_) => credential,
                None => Credential::Withheld,
            },
        })
    }

    /// The request to Entra. It has no header of the client's.
    pub fn to_upstream(&self, settings: &Settings) -> Request<Bytes> {
        let mut form = self.form.clone();
        if let (Credential::Attached, Some(secret)) = (self.credential, settings.client_secret()) {
            form.pair("client_secret", secret.expose());
        }
        let mut request = Request::new(Bytes::from(form.finish()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = settings.authority().token_endpoint().clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        request
    }

    /// What follows from Entra's answer.
    pub fn resume(
        mut self,
        answer: Result<Response<Bytes>, UpstreamError>,
        settings: &Settings,
    ) -> TokenStep {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return TokenStep::Respond(unavailable(&error.to_string(), None)),
        };
        if answer.status().is_success() {
            return TokenStep::Respond(match self.granted(answer.body(), settings) {
                Some(body) => response::json(StatusCode::OK, body),
                None => unavailable("Entra ID's answer holds no token", Some(&answer)),
            });
        }
        let Some(error) = EntraError::parse(answer.body()) else {
            let text = format!("Entra ID answered {} and no OAuth error", answer.status());
            return TokenStep::Respond(unavailable(&text, Some(&answer)));
        };
        if self.credential == Credential::WithheldFirst && error.wants_credential() {
            self.credential = Credential::Attached;
            return TokenStep::Send(self);
        }
        TokenStep::Respond(refusal(&error, &answer, settings))
    }

    /// The body for the client: Entra's, with the scope in the client's words.
    fn granted(&self, body: &[u8], settings: &Settings) -> Option<Bytes> {
        let mut members = Members::parse(body).ok()?;
        members.text("access_token").filter(|token| !token.is_empty())?;
        let refreshable = members.text("refresh_token").is_some();
        let answered = members.text("scope");
        let answered = answered.as_deref().unwrap_or_default();
        match settings.api().granted(answered, self.asked.as_deref(), refreshable) {
            Some(scope) => members.set("scope", &scope),
            None => members.remove("scope"),
        }
        // AD FS and the v1 endpoint write the number as a string
        if let Some(seconds) = members.text("expires_in").and_then(|s| s.parse::<u64>().ok()) {
            members.set("expires_in", &seconds);
        }
        Some(members.to_bytes())
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest").field("credential", &self.credential).finish_non_exhaustive()
    }
}

/// What follows from Entra's answer.
pub enum TokenStep {
    /// The answer for the client.
    Respond(Response<Bytes>),
    /// Ask once more, with our credential.
    Send(TokenRequest),
}

impl fmt::Debug for TokenStep {
    /// Shows which it is, and nothing of an answer that may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Respond(response) => write!(f, "Respond({})", response.status()),
            Self::Send(request) => f.debug_tuple("Send").field(request).finish(),
        }
    }
}

/// Entra's refusal in terms that an OAuth client acts on rightly.
fn refusal(
    error: &EntraError<'_>,
    answer: &Response<Bytes>,
    settings: &Settings,
) -> Response<Bytes> {
    let status = answer.status();
    let busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    let (code, status) = match error.meaning() {
        _ if busy => ("temporarily_unavailable", busy_status(status)),
        Meaning::Is(code) => (code.as_str(), code.status()),
        Meaning::AsEntraSays(code) => (code, StatusCode::BAD_REQUEST),
    };
    let mut response = response::json(status, error.to_bytes(code, settings));
    keep_retry_after(&mut response, answer);
    response.extensions_mut().insert(Reason(error.reason()));
    response
}

/// A fault that passes: never `invalid_client` or `invalid_grant`, which cost a registration or a
/// sign-in.
fn unavailable(text: &str, answer: Option<&Response<Bytes>>) -> Response<Bytes> {
    let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, format!("{text}; try again"));
    let mut response = error.into_response();
    if let Some(answer) = answer {
        *response.status_mut() = busy_status(answer.status());
        keep_retry_after(&mut response, answer);
    }
    response
}

fn busy_status(status: StatusCode) -> StatusCode {
    match status {
        StatusCode::TOO_MANY_REQUESTS => status,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn keep_retry_after(response: &mut Response<Bytes>, answer: &Response<Bytes>) {
    if let Some(value) = answer.headers().get(RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, value.clone());
    }
}

fn is_form(content_type: Option<&HeaderValue>) -> bool {
    let text = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM))
}

/// Whether the redirect URI of a code is on the Web platform.
fn redirect_platform(text: &str, settings: &Settings) -> Result<bool, OAuthError> {
    match settings.redirect_policy().find(text) {
        Ok(Some(kind)) => Ok(settings.platform().is_web(kind)),
        _ => {
            let text = "the redirect_uri is not the one that the code was sent to";
            Err(OAuthError::new(ErrorCode::InvalidGrant, text))
        }
    }
}

/// RFC 7636 section 4.1; Entra would spend the code on a malformed one.
fn code_verifier(text: &str) -> Result<&str, OAuthError> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
        Ok(text)
    } else {
        let text = "code_verifier must be 43 to 128 characters of RFC 7636 section 4.1";
        Err(OAuthError::new(ErrorCode::InvalidRequest, text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::options::Options;

    const CODE: &str = "grant_type=authorization_code&code=c&redirect_uri=http://localhost:1/callback\
        &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const REFRESH: &str = "grant_type=refresh_token&refresh_token=r";

    fn settings(platform: &str, client_secret: Option<&str>) -> Settings {
        Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "common".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            client_secret: client_secret.map(Into::into),
            platform: platform.into(),
            ..Options::default()
        })
        .unwrap()
    }

    fn parse(body: &str, settings: &Settings) -> Result<TokenRequest, OAuthError> {
        TokenRequest::parse(Some(&HeaderValue::from_static(FORM)), body.as_bytes(), settings)
    }

    fn sent(body: &str) -> String {
        let settings = settings("auto", None);
        let request = parse(body, &settings).unwrap().to_upstream(&settings);
        String::from_utf8(request.into_body().to_vec()).unwrap()
    }

    #[test]
    fn rfc_6749_section_4_1_3_with_a_scope_added() {
        assert_eq!(
            sent(&format!(
                "{CODE}&client_id=theirs&client_secret=theirs&resource=https://mcp.example.com/mcp"
            )),
            "client_id=99999999-8888-4777-8666-555555555555&grant_type=authorization_code\
             &scope=api%3A%2F%2F99999999-8888-4777-8666-555555555555%2Faccess_as_user+offline_access\
             &code=c&redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcallback\
             &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn rfc_6749_section_6_with_a_scope_that_names_the_api_by_guid() {
        assert_eq!(
            sent(REFRESH),
            "client_id=99999999-8888-4777-8666-555555555555&grant_type=refresh_token\
             &scope=99999999-8888-4777-8666-555555555555%2Faccess_as_user+offline_access&refresh_token=r"
        );
    }

    #[test]
    fn the_secret_goes_where_the_platform_needs_it_and_nowhere_else() {
        let https =
            CODE.replace("http://localhost:1/callback", "https://claude.ai/api/mcp/auth_callback");
        for (platform, body, credential) in [
            ("auto", CODE, Credential::Withheld),
            ("auto", &https, Credential::Attached),
            ("auto", REFRESH, Credential::WithheldFirst),
            ("web", CODE, Credential::Attached),
            ("web", REFRESH, Credential::Attached),
            ("native", &https, Credential::Withheld),
            ("native", REFRESH, Credential::Withheld),
        ] {
            let request = parse(body, &settings(platform, Some("s3cret"))).unwrap();
            assert_eq!(request.credential, credential, "{platform} {body}");
            assert!(!format!("{request:?}").contains("s3cret"));
        }
        assert_eq!(
            parse(&https, &settings("auto", None)).unwrap().credential,
            Credential::Withheld
        );
    }

    #[test]
    fn its_debug_shows_whether_the_secret_goes_along_and_nothing_else() {
        let settings = settings("web", Some("s3cret"));
        let shown = "TokenRequest { credential: Attached, .. }";
        let request = || parse(REFRESH, &settings).unwrap();
        assert_eq!(format!("{:?}", request()), shown);
        assert_eq!(format!("{:?}", TokenStep::Send(request())), format!("Send({shown})"));
        let step = request().resume(Err(UpstreamError::Timeout), &settings);
        assert_eq!(format!("{step:?}"), "Respond(503 Service Unavailable)");
    }

    proptest! {
        #[test]
        fn nothing_of_the_clients_own_reaches_entra(
            extra in "(&(resource|Resource|%72esource|client_id|client_secret|client_assertion|x)=[a-z0-9:/.%]{0,12}){0,4}",
            scope in "[a-z.]{0,8}( openid)?",
            refresh: bool,
        ) {
            let settings = settings("auto", None);
            let body = format!("{}&scope={scope}{extra}", if refresh { REFRESH } else { CODE });
            if let Ok(request) = parse(&body, &settings) {
                let request = request.to_upstream(&settings);
                let form = Form::parse(request.body()).unwrap();
                let known = ["client_id", "grant_type", "scope", "code", "redirect_uri", "code_verifier", "refresh_token"];
                prop_assert!(form.iter().all(|(name, _)| known.contains(&name)));
                prop_assert_eq!(form.get("client_id"), Some("99999999-8888-4777-8666-555555555555"));
                prop_assert!(form.get("scope").unwrap().contains("99999999-8888-4777-8666-555555555555/"));
                prop_assert!(request.headers().keys().all(|name| name == CONTENT_TYPE || name == ACCEPT));
            }
        }
    }
}
