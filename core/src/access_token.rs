//! What makes an access token good: a policy over its claims, its key and the time.
//!
//! Reading, choosing the key and the policy are here, as Microsoft's own libraries have them; the
//! RS256 arithmetic alone is the driver's (see [`crate::exchange::Verify`]).
//!
//! | checked | how |
//! |---|---|
//! | header | RS256 and nothing else; no `crit`, no `jwk`, `jku`, `x5u` or `x5c` of its own |
//! | key | named by `kid`, of this cloud, and of the token's issuer where the key names one |
//! | `tid` | a GUID; on the operator's list, where there is one |
//! | `iss` | the v2 or the v1 issuer of that tenant, by the token's `ver` |
//! | `aud` | the client id, the Application ID URI, or the resource |
//! | `nbf`, `exp` | both there; at most the clock skew apart from now |
//! | `scp` or `roles` | one of them, or it is no access token (an ID token has the same audience) |

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memchr_iter;
use serde_json::Value;

use crate::discovery::Discovery;
use crate::guid::Guid;
use crate::json::Members;
use crate::key_set::SigningKey;
use crate::principal::{Caller, Principal, is_application};
use crate::settings::Settings;
use crate::time::UnixTime;

/// The most octets of a token that are read; Entra's have one or two thousand.
pub const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// A token whose signature, claims and key were found good. Only [`crate::exchange::Verify`]
/// makes one, so who holds it may remember it for the token's text until it expires.
#[derive(Clone, Debug)]
pub struct AccessToken {
    caller: Caller,
    kid: String,
    not_before: UnixTime,
    expires: UnixTime,
}

impl AccessToken {
    /// Who is calling.
    pub fn principal(&self) -> &Principal {
        &self.caller.principal
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The id of the key that signed it; once the key is withdrawn the token is not good any more.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// `exp`.
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// Whether it is in its time still.
    pub(crate) fn check_time(&self, now: UnixTime, skew: u64) -> Result<(), TokenError> {
        if now.0.saturating_add(skew) < self.not_before.0 {
            return Err(TokenError::NotYetValid);
        }
        if now.0 >= self.expires.0.saturating_add(skew) {
            return Err(TokenError::Expired);
        }
        Ok(())
    }
}

/// A token that was read and not yet believed.
#[derive(Clone, Debug)]
pub(crate) struct Unverified {
    kid: String,
    claims: Claims,
    /// Where the signature begins, behind the last full stop.
    signature: usize,
}

#[derive(Clone, Debug)]
struct Claims {
    audiences: Vec<String>,
    issuer: String,
    version: Option<String>,
    tenant_id: Guid,
    not_before: u64,
    expires: u64,
    scopes: Option<String>,
    roles: Vec<String>,
    object_id: Guid,
    subject: Option<String>,
    name: Option<String>,
    username: Option<String>,
    client_id: Option<String>,
    identity_type: Option<String>,
}

impl Unverified {
    /// Reads the compact form of RFC 7515 section 7.1.
    pub(crate) fn parse(token: &str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(TokenError::TooLong);
        }
        let mut stops = memchr_iter(b'.', token.as_bytes());
        let (Some(first), Some(second), None) = (stops.next(), stops.next(), stops.next()) else {
            return Err(TokenError::Malformed { part: "form" });
        };
        let part = |range| token.get(range).unwrap_or_default();
        let (header, payload) = (part(0..first), part(first + 1..second));
        let signature = part(second + 1..token.len());
        let kid = read_header(&decode(header, "header")?)?;
        let claims = Claims::read(&decode(payload, "payload")?)?;
        if decode(signature, "signature")?.is_empty() {
            return Err(TokenError::Malformed { part: "signature" });
        }
        Ok(Self { kid, claims, signature: token.len() - signature.len() })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Where in the token's text the signature begins.
    pub(crate) fn signature(&self) -> usize {
        self.signature
    }

    /// Holds the claims and the key against the policy. What is left is the signature.
    pub(crate) fn check(
        self,
        key: &SigningKey,
        discovery: &Discovery,
        settings: &Settings,
        now: UnixTime,
    ) -> Result<AccessToken, TokenError> {
        let claims = self.claims;
        let tenant = claims.tenant_id;
        if !settings.accepts_tenant(&tenant, discovery.issuer().tenant()) {
            return Err(TokenError::Tenant { tenant });
        }
        let is_v1 = || claims.issuer == v1_issuer(discovery, &tenant);
        let is_v2 = || claims.issuer == discovery.issuer().for_tenant(&tenant);
        let good = match claims.version.as_deref() {
            Some("1.0") => is_v1(),
            Some("2.0") => is_v2(),
            Some(_) => false,
            None => is_v1() || is_v2(),
        };
        if !good {
            return Err(TokenError::Issuer);
        }
        if !key.is_of_cloud(discovery) {
            return Err(TokenError::KeyOfAnotherCloud);
        }
        if !key.is_of_issuer(&claims.issuer, &tenant, discovery) {
            return Err(TokenError::KeyOfAnotherIssuer);
        }
        if !claims.audiences.iter().any(|audience| settings.is_audience(audience)) {
            return Err(TokenError::Audience);
        }
        // a user's ID token may have roles too
        let app = is_application(
            claims.identity_type.as_deref(),
            claims.subject.as_deref(),
            &claims.object_id,
        );
        let app_only = match &claims.scopes {
            Some(_) if claims.identity_type.as_deref() != Some("app") => false,
            None if app && !claims.roles.is_empty() => true,
            _ => return Err(TokenError::NoAccess),
        };
        let token = AccessToken {
            caller: Caller::new(Principal {
                tenant_id: tenant,
                object_id: claims.object_id,
                subject: claims.subject,
                name: claims.name,
                username: claims.username,
                client_id: claims.client_id,
                scopes: words(claims.scopes.as_deref().unwrap_or_default()),
                roles: claims.roles,
                app_only,
            }),
            kid: self.kid,
            not_before: UnixTime(claims.not_before),
            expires: UnixTime(claims.expires),
        };
        token.check_time(now, settings.clock_skew())?;
        Ok(token)
    }
}

impl Claims {
    fn read(payload: &[u8]) -> Result<Self, TokenError> {
        let members =
            Members::parse(payload).map_err(|_| TokenError::Malformed { part: "payload" })?;
        // Microsoft's validators refuse a tenant that is spelled twice
        if members.names().filter(|name| name.eq_ignore_ascii_case("tid")).count() > 1 {
            return Err(TokenError::Malformed { part: "payload" });
        }
        let text = |name| members.text(name).map(Cow::into_owned);
        let missing = |claim| TokenError::Missing { claim };
        let guid = |claim| {
            let value = members.text(claim).ok_or_else(|| missing(claim))?;
            value.parse::<Guid>().map_err(|_| TokenError::NotAGuid { claim })
        };
        let audiences = match members.get::<Value>("aud") {
            Some(Value::String(audience)) => vec![audience],
            Some(Value::Array(list)) => {
                list.into_iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
            }
            _ => return Err(missing("aud")),
        };
        Ok(Self {
            audiences,
            issuer: text("iss").ok_or_else(|| missing("iss"))?,
            version: text("ver"),
            tenant_id: guid("tid")?,
            not_before: members.get("nbf").ok_or_else(|| missing("nbf"))?,
            expires: members.get("exp").ok_or_else(|| missing("exp"))?,
            scopes: text("scp"),
            roles: members.get("roles").unwrap_or_default(),
            object_id: guid("oid")?,
            subject: text("sub"),
            name: text("name"),
            username: text("preferred_username")
                .or_else(|| text("upn"))
                .or_else(|| text("unique_name")),
            client_id: text("azp").or_else(|| text("appid")),
            identity_type: text("idtyp"),
        })
    }
}

fn read_header(header: &[u8]) -> Result<String, TokenError> {
    let members = Members::parse(header).map_err(|_| TokenError::Malformed { part: "header" })?;
    if members.text("alg").as_deref() != Some("RS256") {
        return Err(TokenError::Algorithm);
    }
    for name in ["crit", "jku", "jwk", "x5c", "x5u"] {
        if members.raw(name).is_some() {
            return Err(TokenError::Header { name });
        }
    }
    members.text("kid").map(Cow::into_owned).ok_or(TokenError::Missing { claim: "kid" })
}

/// v1 tokens come from another host than v2 tokens of the same tenant.
fn v1_issuer(discovery: &Discovery, tenant: &Guid) -> String {
    let china = discovery.cloud_instance_name() == Some("partner.microsoftonline.cn");
    let host = if china { "sts.chinacloudapi.cn" } else { "sts.windows.net" };
    format!("https://{host}/{tenant}/")
}

fn decode(part: &str, name: &'static str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed { part: name })
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Which check failed. The text goes to the client, so it has nothing of the token in it but the
/// tenant's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// `none`, HS256, and whatever Entra does not sign with.
    #[error("the token is not signed with RS256")]
    Algorithm,
    /// It was issued for another API (RFC 8707, MCP "Token Audience Binding").
    #[error("the token's audience is not this server")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// A header parameter by which a token would bring its own key, or one that must be understood.
    #[error("the token's header has '{name}', which is not accepted")]
    Header {
        /// The parameter.
        name: &'static str,
    },
    /// Another issuer than the tenant's.
    #[error("the token's issuer is not that of its tenant")]
    Issuer,
    /// A key of another Microsoft cloud.
    #[error("the token is signed by a key of another cloud")]
    KeyOfAnotherCloud,
    /// A key that belongs to another issuer.
    #[error("the token is signed by a key of another issuer")]
    KeyOfAnotherIssuer,
    /// Not a JWT.
    #[error("the token is malformed: its {part} cannot be read")]
    Malformed {
        /// The part that cannot be read.
        part: &'static str,
    },
    /// A claim without which nothing can be decided.
    #[error("the token has no usable '{claim}'")]
    Missing {
        /// The claim.
        claim: &'static str,
    },
    /// Neither delegated nor app-only access: an ID token, or a token of another kind.
    #[error("the token grants no access: it has neither scp nor roles, or both of an app")]
    NoAccess,
    /// A claim of another shape.
    #[error("the token's '{claim}' is not a GUID")]
    NotAGuid {
        /// The claim.
        claim: &'static str,
    },
    /// `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The arithmetic does not come out.
    #[error("the token's signature is not valid")]
    Signature,
    /// Another tenant than the operator allows.
    #[error("tokens of the tenant {tenant} are not accepted")]
    Tenant {
        /// The tenant.
        tenant: Guid,
    },
    /// More than [`MAX_TOKEN_LENGTH`].
    #[error("the token is longer than {MAX_TOKEN_LENGTH} bytes")]
    TooLong,
    /// No key of this id, even after the keys were fetched again.
    #[error("the token is signed by an unknown key")]
    UnknownKey,
}
