//! Who is calling: one type, whether a token says so or Easy Auth does.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use crate::guid::Guid;

/// The header in which App Service and Container Apps put who has signed in.
pub const CLIENT_PRINCIPAL: &str = "x-ms-client-principal";

/// The most octets of that header that are read.
pub const MAX_PRINCIPAL_LENGTH: usize = 64 * 1024;

/// A user, or an application that acts for itself, as Entra ID knows it.
///
/// Tenant and object id together name the user for ever; names and addresses change.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Principal {
    /// The tenant, `tid`.
    pub tenant_id: Guid,
    /// The user or service principal in it, `oid`.
    pub object_id: Guid,
    /// The pairwise subject, `sub`.
    pub subject: Option<String>,
    /// What to call the user, `name`. Not unique, and the user may change it.
    pub name: Option<String>,
    /// What the user signs in as, `preferred_username`, `upn` or `unique_name`. It may change.
    pub username: Option<String>,
    /// The application that calls, `azp` or `appid`.
    pub client_id: Option<String>,
    /// What the user lets the client do, `scp`.
    pub scopes: Vec<String>,
    /// What the tenant lets the user or the application do, `roles`.
    pub roles: Vec<String>,
    /// Whether there is no user: an application acts for itself.
    pub app_only: bool,
}

/// A principal with the headers that name it, made once for each token and shared by its calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) principal: Arc<Principal>,
    pub(crate) headers: Arc<[(HeaderName, HeaderValue)]>,
}

impl Caller {
    pub(crate) fn new(principal: Principal) -> Self {
        let mut headers = Vec::with_capacity(IDENTITY_HEADERS.len());
        headers.extend(principal.to_headers());
        Self { headers: headers.into(), principal: Arc::new(principal) }
    }
}

/// The headers in which the server behind is told who calls; ours alone, whatever a client sends.
pub const IDENTITY_HEADERS: [&str; 9] = [
    "mcp-entra-tenant-id",
    "mcp-entra-object-id",
    "mcp-entra-subject",
    "mcp-entra-name",
    "mcp-entra-username",
    "mcp-entra-client-id",
    "mcp-entra-scopes",
    "mcp-entra-roles",
    "mcp-entra-app-only",
];

static NAMES: [HeaderName; 9] = [
    HeaderName::from_static(IDENTITY_HEADERS[0]),
    HeaderName::from_static(IDENTITY_HEADERS[1]),
    HeaderName::from_static(IDENTITY_HEADERS[2]),
    HeaderName::from_static(IDENTITY_HEADERS[3]),
    HeaderName::from_static(IDENTITY_HEADERS[4]),
    HeaderName::from_static(IDENTITY_HEADERS[5]),
    HeaderName::from_static(IDENTITY_HEADERS[6]),
    HeaderName::from_static(IDENTITY_HEADERS[7]),
    HeaderName::from_static(IDENTITY_HEADERS[8]),
];

impl Principal {
    /// Reads Easy Auth's `X-MS-CLIENT-PRINCIPAL`: base64 of JSON, with long or short claim names.
    ///
    /// # Errors
    /// Whatever is not exactly that is refused: an ignored header would be an unknown caller.
    pub fn from_easy_auth(header: &[u8]) -> Result<Self, PrincipalError> {
        if header.len() > MAX_PRINCIPAL_LENGTH {
            return Err(PrincipalError::TooLong);
        }
        let url_safe = header.iter().any(|byte| b"-_".contains(byte));
        let engine = if url_safe { &URL_SAFE } else { &STANDARD };
        let json = engine.decode(header).map_err(|_| PrincipalError::NotBase64)?;
        let principal: ClientPrincipal =
            serde_json::from_slice(&json).map_err(|_| PrincipalError::NotAPrincipal)?;
        if !["aad", "azureactivedirectory"]
            .contains(&principal.auth_typ.to_ascii_lowercase().as_str())
        {
            return Err(PrincipalError::OtherProvider { provider: principal.auth_typ });
        }
        let all = |names: &[&str]| -> Vec<String> {
            let claims = principal.claims.iter();
            claims.filter(|c| names.contains(&c.typ.as_str())).map(|c| c.val.clone()).collect()
        };
        let one = |names: &'static [&'static str]| match all(names).as_slice() {
            [] => Ok(None),
            [value] => Ok(Some(value.clone())),
            _ => Err(PrincipalError::Twice { claim: names.first().copied().unwrap_or_default() }),
        };
        let guid = |names: &'static [&'static str]| {
            let claim = names.first().copied().unwrap_or_default();
            let value = one(names)?.ok_or(PrincipalError::Missing { claim })?;
            value.parse::<Guid>().map_err(|_| PrincipalError::Missing { claim })
        };
        let scopes = one(&["scp", "http://schemas.microsoft.com/identity/claims/scope"])?;
        let tenant_id = guid(&["tid", "http://schemas.microsoft.com/identity/claims/tenantid"])?;
        let object_id =
            guid(&["oid", "http://schemas.microsoft.com/identity/claims/objectidentifier"])?;
        let subject =
            one(&["sub", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"])?;
        let identity_type = one(&["idtyp"])?;
        let app = is_application(identity_type.as_deref(), subject.as_deref(), &object_id);
        // a user's session in the browser has no scope either
        let app_only = scopes.is_none() && app;
        Ok(Self {
            tenant_id,
            object_id,
            subject,
            name: one(&["name"])?,
            username: match one(&["preferred_username"])? {
                Some(username) => Some(username),
                None => one(&["upn", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"])?,
            },
            client_id: match one(&["azp"])? {
                Some(client_id) => Some(client_id),
                None => one(&["appid"])?,
            },
            scopes: scopes
                .unwrap_or_default()
                .split(' ')
                .filter(|s| !s.is_empty())
                .map(Into::into)
                .collect(),
            roles: all(&["roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"]),
            app_only,
        })
    }

    /// The values of [`IDENTITY_HEADERS`]. Text that is not printable ASCII, and `%`, are
    /// percent-encoded as UTF-8; lists are separated by spaces.
    pub fn to_headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let text = |text: &str| HeaderValue::try_from(percent_encoded(text)).ok();
        let list = |items: &[String]| match items {
            [] => None,
            [one] => text(one),
            _ => text(&items.join(" ")),
        };
        let values = [
            text(self.tenant_id.as_str()),
            text(self.object_id.as_str()),
            self.subject.as_deref().and_then(text),
            self.name.as_deref().and_then(text),
            self.username.as_deref().and_then(text),
            self.client_id.as_deref().and_then(text),
            list(&self.scopes),
            list(&self.roles),
            Some(HeaderValue::from_static(if self.app_only { "true" } else { "false" })),
        ];
        let names = NAMES.iter().cloned();
        names.zip(values).filter_map(|(name, value)| Some((name, value?)))
    }
}

/// Whether claims are of an application that acts for no user: `idtyp` says so; where it is left
/// out, as it is unless the app registration asks for it, an application is its own subject.
pub(crate) fn is_application(
    identity_type: Option<&str>,
    subject: Option<&str>,
    object_id: &Guid,
) -> bool {
    match identity_type {
        Some(identity_type) => identity_type == "app",
        None => subject == Some(object_id.as_str()),
    }
}

/// Whether only a trusted sender may set a header of this name: Easy Auth's, or ours. Servers
/// that speak CGI fold `_` into `-`, so we do too.
pub(crate) fn is_identity_header(name: &str) -> bool {
    is_in_family(name, "x-ms-client-principal")
        || is_token_header(name)
        || is_in_family(name, "mcp-entra-")
}

/// Whether Easy Auth hands a token on in a header of this name.
pub(crate) fn is_token_header(name: &str) -> bool {
    is_in_family(name, "x-ms-token-")
}

fn is_in_family(name: &str, family: &str) -> bool {
    name.len() >= family.len()
        && name.bytes().zip(family.bytes()).all(|(a, b)| {
            let a = if a == b'_' { b'-' } else { a.to_ascii_lowercase() };
            a == b
        })
}

fn percent_encoded(text: &str) -> String {
    // nearly always, which is seen sixteen octets at a time
    if text.bytes().fold(true, |all, byte| all & (byte != b'%' && matches!(byte, 0x20..=0x7e))) {
        return text.into();
    }
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => encoded.push_str("%25"),
            0x20..=0x7e => encoded.push(char::from(byte)),
            // writing to a String does not fail
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}

#[derive(Deserialize)]
struct ClientPrincipal {
    auth_typ: String,
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    typ: String,
    val: String,
}

const LENIENT_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT_PADDING);

/// Why Easy Auth's header was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PrincipalError {
    /// A claim without which nobody is named.
    #[error("the client principal has no {claim}, or one that is not a GUID")]
    Missing {
        /// The claim's short name.
        claim: &'static str,
    },
    /// Not the JSON of App Service; Static Web Apps has another.
    #[error("the client principal is not the JSON that App Service writes")]
    NotAPrincipal,
    /// Not base64.
    #[error("the client principal is not base64")]
    NotBase64,
    /// Another identity provider than Entra.
    #[error("the client principal comes from '{provider}' and not from Entra ID")]
    OtherProvider {
        /// What `auth_typ` says.
        provider: String,
    },
    /// More than [`MAX_PRINCIPAL_LENGTH`].
    #[error("the client principal is longer than {MAX_PRINCIPAL_LENGTH} bytes")]
    TooLong,
    /// Two values where one counts.
    #[error("the client principal has {claim} twice")]
    Twice {
        /// The claim's short name.
        claim: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(json: &str) -> String {
        STANDARD.encode(json)
    }

    #[test]
    fn app_services_principal() {
        let header = include_str!("../tests/fixtures/easyauth_principal.b64").trim();
        let principal = Principal::from_easy_auth(header.as_bytes()).unwrap();
        assert_eq!(principal.tenant_id.as_str(), "11111111-2222-4333-8444-555555555555");
        assert_eq!(principal.object_id.as_str(), "22222222-0000-4000-8000-000000000001");
        assert_eq!(principal.name.as_deref(), Some("Ada Lovelace"));
        assert_eq!(principal.username.as_deref(), Some("ada@contoso.com"));
        assert_eq!(principal.scopes, ["access_as_user"]);
        assert_eq!(principal.roles, ["Admin", "Reader"]);
        assert!(!principal.app_only);
        let unpadded = header.trim_end_matches('=').replace('+', "-").replace('/', "_");
        assert_eq!(Principal::from_easy_auth(unpadded.as_bytes()).unwrap(), principal);
    }

    #[test]
    fn what_is_refused() {
        let refused = |header: &str| Principal::from_easy_auth(header.as_bytes()).unwrap_err();
        let claims =
            |claims: &str| encoded(&format!(r#"{{"auth_typ":"aad","claims":[{claims}]}}"#));
        let tid = r#"{"typ":"tid","val":"11111111-2222-4333-8444-555555555555"}"#;
        assert_eq!(refused("!"), PrincipalError::NotBase64);
        assert_eq!(refused(""), PrincipalError::NotAPrincipal);
        assert_eq!(refused(&encoded("{\"auth_typ\"")), PrincipalError::NotAPrincipal);
        assert_eq!(refused(&"A".repeat(64 * 1024)), PrincipalError::NotAPrincipal);
        assert_eq!(refused(&"A".repeat(64 * 1024 + 1)), PrincipalError::TooLong);
        let deep = format!(r#"{{"auth_typ":"aad","x":{}"#, "[".repeat(10_000));
        assert_eq!(refused(&encoded(&deep)), PrincipalError::NotAPrincipal);
        let static_web_apps = r#"{"identityProvider":"aad","userId":"1","userDetails":"a","userRoles":["anonymous"]}"#;
        assert_eq!(refused(&encoded(static_web_apps)), PrincipalError::NotAPrincipal);
        let google = encoded(r#"{"auth_typ":"google","claims":[]}"#);
        assert_eq!(refused(&google), PrincipalError::OtherProvider { provider: "google".into() });
        assert_eq!(refused(&claims("")), PrincipalError::Missing { claim: "tid" });
        assert_eq!(refused(&claims(tid)), PrincipalError::Missing { claim: "oid" });
        assert_eq!(
            refused(&claims(&format!("{tid},{tid}"))),
            PrincipalError::Twice { claim: "tid" }
        );
        assert_eq!(
            refused(&claims(r#"{"typ":"tid","val":"contoso"}"#)),
            PrincipalError::Missing { claim: "tid" }
        );
    }

    #[test]
    fn headers_carry_any_name_and_nothing_else() {
        let mut principal = Principal::from_easy_auth(
            include_str!("../tests/fixtures/easyauth_principal.b64").trim().as_bytes(),
        )
        .unwrap();
        principal.username = Some("%".into());
        principal.name = Some("Žofie 100%\r\nX: y".into());
        let headers: Vec<_> = principal.to_headers().collect();
        let name = headers.iter().find(|(name, _)| *name == "mcp-entra-name").unwrap();
        assert_eq!(name.1, "%C5%BDofie 100%25%0D%0AX: y");
        let username = headers.iter().find(|(name, _)| *name == "mcp-entra-username").unwrap();
        assert_eq!(username.1, "%25");
        let roles = headers.iter().find(|(name, _)| *name == "mcp-entra-roles").unwrap();
        assert_eq!(roles.1, "Admin Reader");
    }

    #[test]
    fn identity_headers_in_any_disguise() {
        for name in [
            "x-ms-client-principal",
            "X-MS-CLIENT-PRINCIPAL-ID",
            "x_ms_client_principal",
            "x-ms-token-aad-id-token",
            "x-ms_token-x",
            "mcp-entra-name",
            "Mcp_Entra_Name",
            "mcp-entra-anything",
        ] {
            assert!(is_identity_header(name), "{name}");
        }
        for name in
            ["x-ms-client", "mcp-session-id", "authorization", "x-ms-request-id", "mcp-entra"]
        {
            assert!(!is_identity_header(name), "{name}");
        }
    }
}
