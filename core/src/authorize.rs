//! The authorization request: from what a client's browser brings to what Entra accepts.
//!
//! Nothing is redirected before the redirect URI is known to be sound and listed; what is wrong
//! until then gets a page, what is wrong after it goes back to the client as RFC 6749 section
//! 4.1.2.1 says. Only parameters that Entra knows are passed on:
//!
//! | parameter | towards Entra |
//! |---|---|
//! | `client_id` | the configured one |
//! | `redirect_uri`, `state`, `code_challenge`, `nonce`, `domain_hint`, `claims` | unchanged |
//! | `scope` | qualified, see [`crate::scope`] |
//! | `resource` | dropped, once it is known to name us (AADSTS9010010) |
//! | `prompt` | `login`, `none`, `select_account`; `consent` is dropped (AADSTS90094), as is all else (AADSTS90023) |
//! | `login_hint` | unchanged, except beside `select_account`, where Entra has no use for it |
//! | `response_mode` | `query`, which is what our metadata offers |
//! | anything else | dropped |

use std::fmt;

use crate::form::{Form, FormError, Writer};
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::redirect_uri::{RedirectUri, RedirectUriError};
use crate::scope::ApiName;
use crate::settings::Settings;

/// The most octets of a query that are read; Entra refuses long ones too (AADSTS90015).
pub const MAX_QUERY_LENGTH: usize = 8 * 1024;

/// Passed on unchanged: what Entra documents for its authorization endpoint and a client may need.
const UNCHANGED: [&str; 4] = ["state", "nonce", "domain_hint", "claims"];

/// What Entra takes as `prompt` and what does not stop a sign-in: `consent` asks for a consent
/// that many tenants leave to administrators (AADSTS90094, AADSTS90095).
const PROMPTS: [&str; 3] = ["login", "none", "select_account"];

/// Where the browser goes next.
#[derive(Clone, Eq, PartialEq)]
pub enum Authorization {
    /// Back to the client with an error; the URI is sound and listed.
    Client {
        /// The redirect URI with `error`, `error_description` and `state`.
        location: String,
        /// The error, for the log.
        error: OAuthError,
    },
    /// On to Entra.
    Entra {
        /// Entra's authorization endpoint with its parameters.
        location: String,
    },
    /// Nowhere.
    Page(AuthorizeError),
}

impl fmt::Debug for Authorization {
    /// Shows which way it goes and not the location, which holds the state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client { error, .. } => f.debug_tuple("Client").field(error).finish(),
            Self::Entra { .. } => f.write_str("Entra"),
            Self::Page(error) => f.debug_tuple("Page").field(error).finish(),
        }
    }
}

/// Decides on an authorization request.
///
/// ```
/// use mcp_entra_core::authorize::{Authorization, authorize};
/// use mcp_entra_core::{Options, Settings};
///
/// let settings = Settings::parse(&Options {
///     resource: "https://mcp.example.com/mcp".into(),
///     tenant: "common".into(),
///     client_id: "99999999-8888-4777-8666-555555555555".into(),
///     ..Options::default()
/// })
/// .unwrap();
/// let query = "response_type=code&client_id=x&redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback\
///     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
///     &resource=https%3A%2F%2Fmcp.example.com%2Fmcp&prompt=consent&state=s";
/// assert_eq!(
///     authorize(query, &settings),
///     Authorization::Entra {
///         location: "https://login.microsoftonline.com/common/oauth2/v2.0/authorize\
///             ?client_id=99999999-8888-4777-8666-555555555555&response_type=code\
///             &redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback\
///             &scope=api%3A%2F%2F99999999-8888-4777-8666-555555555555%2Faccess_as_user+offline_access\
///             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
///             &response_mode=query&state=s"
///             .into()
///     }
/// );
/// ```
pub fn authorize(query: &str, settings: &Settings) -> Authorization {
    let decided = Form::check(query).and_then(|form| {
        let redirect_uri = client_and_redirect_uri(&form, settings)?;
        let error = match location(&form, redirect_uri, settings) {
            Ok(location) => return Ok(Authorization::Entra { location }),
            Err(error) => error,
        };
        let mut parameters =
            vec![("error", error.code().as_str()), ("error_description", error.description())];
        parameters.extend(form.get("state").map(|state| ("state", state)));
        let uri: RedirectUri = redirect_uri.parse().map_err(|reason| {
            AuthorizeError::UnsoundRedirectUri { uri: redirect_uri.into(), reason }
        })?;
        let location = uri.with_parameters(parameters);
        Ok(Authorization::Client { location, error })
    });
    decided.unwrap_or_else(Authorization::Page)
}

impl<'a> Form<'a> {
    fn check(query: &'a str) -> Result<Self, AuthorizeError> {
        if query.len() > MAX_QUERY_LENGTH {
            return Err(AuthorizeError::TooLong);
        }
        Ok(Self::parse(query.as_bytes())?)
    }
}

/// The redirect URI, once it is known to be sound and listed.
fn client_and_redirect_uri<'f>(
    form: &'f Form<'_>,
    settings: &Settings,
) -> Result<&'f str, AuthorizeError> {
    form.get("client_id").ok_or(AuthorizeError::NoClientId)?;
    let text = form.get("redirect_uri").ok_or(AuthorizeError::NoRedirectUri)?;
    match settings.redirect_policy().find(text) {
        Ok(Some(_)) => Ok(text),
        Ok(None) => Err(AuthorizeError::UnlistedRedirectUri { uri: text.into() }),
        Err(reason) => Err(AuthorizeError::UnsoundRedirectUri { uri: text.into(), reason }),
    }
}

/// Entra's authorization endpoint with what it may know.
fn location(
    form: &Form<'_>,
    redirect_uri: &str,
    settings: &Settings,
) -> Result<String, OAuthError> {
    let refuse = |code, text: &'static str| Err(OAuthError::new(code, text));
    if form.get("request").is_some() {
        return refuse(ErrorCode::RequestNotSupported, "request objects are not supported");
    }
    if form.get("request_uri").is_some() {
        return refuse(ErrorCode::RequestUriNotSupported, "request_uri is not supported");
    }
    match form.get("response_type") {
        Some("code") => {}
        None => return refuse(ErrorCode::InvalidRequest, "response_type is missing"),
        Some(_) => {
            return refuse(ErrorCode::UnsupportedResponseType, "response_type must be code");
        }
    }
    if !matches!(form.get("response_mode"), None | Some("query")) {
        return refuse(ErrorCode::InvalidRequest, "response_mode must be query");
    }
    if form.get("code_challenge_method") != Some("S256") {
        return refuse(ErrorCode::InvalidRequest, "code_challenge_method must be S256");
    }
    let Some(challenge) = form.get("code_challenge").filter(|text| is_s256(text)) else {
        return refuse(
            ErrorCode::InvalidRequest,
            "code_challenge must be the 43 characters of an S256 challenge",
        );
    };
    check_resource(form, settings)?;
    let scope = settings.api().qualify(form.get("scope"), ApiName::AppIdUri)?;
    let prompt = prompt(form.get("prompt"))?;

    let mut location = String::with_capacity(1024);
    location.push_str(settings.authorization_start());
    let mut query = Writer::new(location);
    query
        .pair("redirect_uri", redirect_uri)
        .pair("scope", &scope)
        .pair("code_challenge", challenge)
        .pair("code_challenge_method", "S256")
        .pair("response_mode", "query");
    for name in UNCHANGED {
        if let Some(value) = form.get(name) {
            query.pair(name, value);
        }
    }
    if let Some(prompt) = prompt {
        query.pair("prompt", prompt);
    }
    if let (Some(hint), true) = (form.get("login_hint"), prompt != Some("select_account")) {
        query.pair("login_hint", hint);
    }
    Ok(query.finish())
}

/// RFC 8707 section 2, on both legs: every `resource` names us, or the token would be for another.
/// Copilot CLI names us by the client id, as Entra does; that is us too.
pub(crate) fn check_resource(form: &Form<'_>, settings: &Settings) -> Result<(), OAuthError> {
    let is_ours =
        |value: &&str| settings.resource().is_named_by(value) || settings.is_audience(value);
    match form.all("resource").find(|value| !is_ours(value)) {
        None => Ok(()),
        Some(other) => Err(OAuthError::new(
            ErrorCode::InvalidTarget,
            format!("the resource '{other}' is not this one, which is '{}'", settings.resource()),
        )),
    }
}

/// The one prompt that Entra is asked for; OpenID Connect Core section 3.1.2.1 lets `none` stand
/// alone only.
fn prompt(asked: Option<&str>) -> Result<Option<&'static str>, OAuthError> {
    let words: Vec<&str> = asked.unwrap_or_default().split(' ').filter(|w| !w.is_empty()).collect();
    if words.len() > 1 && words.contains(&"none") {
        let text = "prompt=none cannot stand beside other prompts";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
    }
    Ok(words.iter().find_map(|word| PROMPTS.into_iter().find(|known| known == word)))
}

/// RFC 7636 section 4.2: the base64url of 32 octets, without padding.
fn is_s256(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// What is answered with a page, since there is no redirect URI to be trusted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// RFC 6749 section 4.1.1.
    #[error("the authorization request has no client_id")]
    NoClientId,
    /// OAuth 2.1 section 4.1.1: required where a client has several.
    #[error("the authorization request has no redirect_uri")]
    NoRedirectUri,
    /// The query cannot be read.
    #[error(transparent)]
    Form(#[from] FormError),
    /// More than [`MAX_QUERY_LENGTH`].
    #[error("the authorization request is longer than {MAX_QUERY_LENGTH} bytes")]
    TooLong,
    /// Sound, and not on the list.
    #[error("the redirect URI '{uri}' is not allowed here")]
    UnlistedRedirectUri {
        /// The URI as it was sent.
        uri: String,
    },
    /// Not a URI to which a code may ever be sent.
    #[error("the redirect URI '{uri}' is not allowed anywhere: {reason}")]
    UnsoundRedirectUri {
        /// The URI as it was sent.
        uri: String,
        /// What is wrong with it.
        reason: RedirectUriError,
    },
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::options::Options;

    const REDIRECT: (&str, &str) = ("redirect_uri", "http://localhost:8787/callback");
    const GOOD: [(&str, &str); 6] = [
        ("response_type", "code"),
        ("client_id", "whatever"),
        REDIRECT,
        // RFC 7636 appendix B
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("state", "xyz"),
    ];

    static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
        Settings::parse(&Options {
            resource: "https://mcp.example.com/mcp".into(),
            tenant: "contoso.com".into(),
            client_id: "99999999-8888-4777-8666-555555555555".into(),
            ..Options::default()
        })
        .unwrap()
    });

    fn query(changes: &[(&str, &str)]) -> String {
        let kept = GOOD.iter().filter(|(name, _)| !changes.iter().any(|(n, _)| n == name));
        let pairs = kept.chain(changes).filter(|(_, value)| *value != "-");
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    /// What Entra gets, as pairs.
    fn sent(changes: &[(&str, &str)]) -> Vec<(String, String)> {
        match authorize(&query(changes), &SETTINGS) {
            Authorization::Entra { location } => {
                let url = Url::parse(&location).unwrap();
                assert_eq!(url.path(), "/contoso.com/oauth2/v2.0/authorize");
                url.query_pairs().into_owned().collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn value(changes: &[(&str, &str)], name: &str) -> Option<String> {
        sent(changes).into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    fn client_error(changes: &[(&str, &str)]) -> ErrorCode {
        match authorize(&query(changes), &SETTINGS) {
            Authorization::Client { location, error } => {
                assert!(
                    location.starts_with("http://localhost:8787/callback?error="),
                    "{location}"
                );
                assert!(location.ends_with("&state=xyz"), "{location}");
                error.code()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn its_debug_shows_which_way_it_goes() {
        let shown =
            |changes: &[(&str, &str)]| format!("{:?}", authorize(&query(changes), &SETTINGS));
        assert_eq!(shown(&[]), "Entra");
        let client = shown(&[("response_type", "token")]);
        assert!(client.starts_with("Client(OAuthError"), "{client}");
        let page = shown(&[("client_id", "-")]);
        assert!(page.starts_with("Page("), "{page}");
    }

    #[test]
    fn only_what_entra_knows_is_passed_on() {
        let more = [
            ("resource", "https://mcp.example.com/mcp"),
            ("audience", "x"),
            ("application_type", "native"),
            ("nonce", "n"),
            ("login_hint", "ada@contoso.com"),
            ("domain_hint", "contoso.com"),
            ("claims", "{}"),
            ("client_secret", "s"),
            ("Resource", "x"),
            ("prompt", "login"),
        ];
        let names: Vec<String> = sent(&more).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "client_id",
                "response_type",
                "redirect_uri",
                "scope",
                "code_challenge",
                "code_challenge_method",
                "response_mode",
                "state",
                "nonce",
                "domain_hint",
                "claims",
                "prompt",
                "login_hint"
            ]
        );
        assert_eq!(value(&[], "client_id").unwrap(), "99999999-8888-4777-8666-555555555555");
        assert_eq!(value(&[("state", "a b&c=%")], "state").unwrap(), "a b&c=%");
    }

    #[test]
    fn prompts_that_entra_refuses_are_dropped() {
        for (asked, sent) in [
            ("consent", None),
            ("create", None),
            ("login", Some("login")),
            ("none", Some("none")),
            ("select_account consent", Some("select_account")),
            ("consent login", Some("login")),
        ] {
            assert_eq!(value(&[("prompt", asked)], "prompt").as_deref(), sent, "{asked}");
        }
        let both = [("prompt", "select_account"), ("login_hint", "ada")];
        assert_eq!(value(&both, "login_hint"), None);
        assert_eq!(client_error(&[("prompt", "none login")]), ErrorCode::InvalidRequest);
    }

    #[test]
    fn a_resource_is_ours_in_any_spelling_or_refused() {
        for ours in [
            "https://mcp.example.com/mcp",
            "https://mcp.example.com/mcp/",
            "https://MCP.example.com:443/mcp",
            "99999999-8888-4777-8666-555555555555",
            "api://99999999-8888-4777-8666-555555555555",
        ] {
            assert_eq!(value(&[("resource", ours)], "resource"), None);
        }
        assert_eq!(
            client_error(&[("resource", "https://other.example.com/mcp")]),
            ErrorCode::InvalidTarget
        );
        let two =
            [("resource", "https://mcp.example.com/mcp"), ("resource", "https://evil.example")];
        assert_eq!(client_error(&two), ErrorCode::InvalidTarget);
    }

    #[test]
    fn faults_after_the_redirect_uri_go_to_the_client() {
        use ErrorCode as E;
        for (change, error) in [
            (("response_type", "token"), E::UnsupportedResponseType),
            (("response_type", "-"), E::InvalidRequest),
            (("response_mode", "fragment"), E::InvalidRequest),
            (("code_challenge", "-"), E::InvalidRequest),
            (("code_challenge", "short"), E::InvalidRequest),
            (("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c="), E::InvalidRequest),
            (("code_challenge_method", "plain"), E::InvalidRequest),
            (("code_challenge_method", "-"), E::InvalidRequest),
            (("scope", "https://graph.microsoft.com/User.Read"), E::InvalidScope),
            (("request", "e30"), E::RequestNotSupported),
            (("request_uri", "https://x"), E::RequestUriNotSupported),
        ] {
            assert_eq!(client_error(&[change]), error, "{change:?}");
        }
    }

    #[test]
    fn faults_before_it_get_a_page() {
        let page = |query: &str| match authorize(query, &SETTINGS) {
            Authorization::Page(error) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(page(""), AuthorizeError::NoClientId);
        assert_eq!(page(&query(&[("client_id", "-")])), AuthorizeError::NoClientId);
        assert_eq!(page(&query(&[("redirect_uri", "-")])), AuthorizeError::NoRedirectUri);
        assert_eq!(
            page(&format!("{}&state=again", query(&[]))),
            FormError::Duplicate { name: "state".into() }.into()
        );
        assert_eq!(page(&format!("{}&x=%zz", query(&[]))), FormError::Percent.into());
        assert_eq!(
            page(&query(&[("state", &"s".repeat(MAX_QUERY_LENGTH))])),
            AuthorizeError::TooLong
        );
        let longest = 8 * 1024 - query(&[("state", "")]).len();
        let longest = query(&[("state", &"s".repeat(longest))]);
        assert!(matches!(authorize(&longest, &SETTINGS), Authorization::Entra { .. }));
        assert_eq!(page(&format!("{longest}s")), AuthorizeError::TooLong);
        let unlisted = page(&query(&[("redirect_uri", "https://attacker.example/<cb>")]));
        assert!(matches!(unlisted, AuthorizeError::UnsoundRedirectUri { .. }));
        let unlisted = page(&query(&[("redirect_uri", "https://attacker.example/cb")]));
        assert!(unlisted.to_html(&SETTINGS).contains("https://attacker.example/cb"));
    }

    proptest! {
        #[test]
        fn no_input_redirects_to_an_unlisted_uri(
            redirect in prop_oneof![
                "(https?|cursor|javascript|data)://?[a-z0-9.@:/\\\\?#%*]{0,30}",
                Just("http://localhost:1/callback".into()), Just("https://claude.ai/api/mcp/auth_callback".into()),
            ],
            extra in "[a-z_%0-9=&+]{0,40}",
            scope in "[ -~]{0,20}",
        ) {
            let query = format!("{extra}&{}", query(&[("redirect_uri", &redirect), ("scope", &scope)]));
            match authorize(&query, &SETTINGS) {
                Authorization::Entra { location } => {
                    let url = Url::parse(&location).unwrap();
                    prop_assert_eq!(url.host_str(), Some("login.microsoftonline.com"));
                    let pairs: Vec<_> = url.query_pairs().collect();
                    prop_assert!(pairs.iter().all(|(name, _)| !name.eq_ignore_ascii_case("resource")));
                    let uri = &pairs.iter().find(|(name, _)| name == "redirect_uri").unwrap().1;
                    prop_assert!(SETTINGS.redirect_policy().allows(&uri.parse().unwrap()));
                }
                Authorization::Client { location, .. } => {
                    let bare = location.split(['?', '#']).next().unwrap();
                    prop_assert!(SETTINGS.redirect_policy().allows(&bare.parse().unwrap()), "{}", location);
                }
                Authorization::Page(_) => {}
            }
        }
    }
}
