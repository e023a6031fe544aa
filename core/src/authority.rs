//! The authority: which Microsoft cloud, and which tenant or audience of it.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use url::Url;

use crate::guid::Guid;
use crate::resource::is_loopback;

/// The tenant of personal Microsoft accounts, for which `consumers` stands.
pub const PERSONAL_ACCOUNTS_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// Hosts that are one cloud under several names, from Entra's own instance discovery.
const CLOUDS: [&[&str]; 3] = [
    &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
    &["login.microsoftonline.us", "login.usgovcloudapi.net"],
    &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn", "sts.chinacloudapi.cn"],
];

/// Where Entra ID is: the origin of a cloud, and a tenant.
///
/// The two endpoints of a sign-in follow from these by Microsoft's documented pattern and are not
/// taken from the discovery document: so both legs name the same tenant segment (else
/// AADSTS700005), and a sign-in does not wait for discovery.
///
/// ```
/// use mcp_entra_core::Authority;
///
/// let authority = Authority::parse("https://login.microsoftonline.com", "contoso.com").unwrap();
/// assert_eq!(
///     *authority.token_endpoint(),
///     "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token"
/// );
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authority {
    host: String,
    origin: String,
    tenant: Tenant,
    authorization_endpoint: String,
    token_endpoint: Uri,
    discovery_endpoint: Uri,
}

impl Authority {
    /// Parses the origin of a cloud (`https://login.microsoftonline.com`) and a tenant.
    ///
    /// # Errors
    /// Where either is not of its form; `http` is for loopback only.
    pub fn parse(origin: &str, tenant: &str) -> Result<Self, AuthorityError> {
        let url = Url::parse(origin).map_err(|_| AuthorityError::NotAUrl)?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(AuthorityError::NotHttps);
        }
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(AuthorityError::NotAnOrigin);
        }
        let origin = url.origin().ascii_serialization();
        let tenant: Tenant = tenant.parse()?;
        let endpoint = |path: &str| {
            Uri::try_from(format!("{origin}/{tenant}{path}")).map_err(|_| AuthorityError::NotAUrl)
        };
        Ok(Self {
            authorization_endpoint: format!("{origin}/{tenant}/oauth2/v2.0/authorize"),
            token_endpoint: endpoint("/oauth2/v2.0/token")?,
            discovery_endpoint: endpoint("/v2.0/.well-known/openid-configuration")?,
            host: url.host_str().unwrap_or_default().into(),
            origin,
            tenant,
        })
    }

    /// The origin, such as `https://login.microsoftonline.com`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The tenant.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Where users sign in.
    pub fn authorization_endpoint(&self) -> &str {
        &self.authorization_endpoint
    }

    /// Where codes and refresh tokens are redeemed.
    pub fn token_endpoint(&self) -> &Uri {
        &self.token_endpoint
    }

    /// Where the OpenID Connect discovery document is.
    pub fn discovery_endpoint(&self) -> &Uri {
        &self.discovery_endpoint
    }

    /// Whether a URL of the discovery document belongs to this cloud: the same origin, another
    /// name of the same cloud, or another name of the same customer directory.
    pub(crate) fn includes(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        if url.origin().ascii_serialization() == self.origin {
            return true;
        }
        let standard = url.scheme() == "https" && url.port().is_none();
        let one_cloud = |cloud: &&[&str]| cloud.contains(&host) && cloud.contains(&&*self.host);
        let customers = |host: &str| host.ends_with(".ciamlogin.com");
        standard && (CLOUDS.iter().any(one_cloud) || (customers(host) && customers(&self.host)))
    }
}

/// A tenant, or an audience that stands for several.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tenant {
    /// Work, school and personal accounts.
    Common,
    /// Personal accounts.
    Consumers,
    /// A verified domain of one tenant.
    Domain(String),
    /// One tenant.
    Id(Guid),
    /// Work and school accounts of any tenant.
    Organizations,
}

impl Tenant {
    /// The path segment in Entra's URLs.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Common => "common",
            Self::Consumers => "consumers",
            Self::Domain(domain) => domain,
            Self::Id(id) => id.as_str(),
            Self::Organizations => "organizations",
        }
    }
}

impl FromStr for Tenant {
    type Err = AuthorityError;

    fn from_str(text: &str) -> Result<Self, AuthorityError> {
        Ok(match text {
            "common" => Self::Common,
            "consumers" => Self::Consumers,
            "organizations" => Self::Organizations,
            _ => match text.parse() {
                Ok(id) => Self::Id(id),
                Err(_) if is_domain(text) => Self::Domain(text.to_ascii_lowercase()),
                Err(_) => return Err(AuthorityError::Tenant),
            },
        })
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an authority or a tenant was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// No absolute URL with a host.
    #[error("it is not an absolute URL")]
    NotAUrl,
    /// A path, a query or credentials: the tenant is an option of its own.
    #[error("it must be an origin, without a path: the tenant is given separately")]
    NotAnOrigin,
    /// Secrets would travel in the clear.
    #[error("it must be https (http only for localhost, 127.0.0.1 or [::1])")]
    NotHttps,
    /// Neither a GUID, nor a domain, nor one of the three audiences.
    #[error("it must be a tenant GUID, a domain, organizations, common or consumers")]
    Tenant,
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants() {
        assert_eq!("common".parse(), Ok(Tenant::Common));
        assert_eq!("Contoso.COM".parse(), Ok(Tenant::Domain("contoso.com".into())));
        for bad in ["", "contoso", "a..b", "a.b/c", "../common", "{tenantid}", "Common"] {
            assert_eq!(bad.parse::<Tenant>(), Err(AuthorityError::Tenant), "{bad}");
        }
    }

    #[test]
    fn origins() {
        let parse = |origin| Authority::parse(origin, "common").map(|a| a.origin);
        assert_eq!(
            parse("https://login.microsoftonline.us/").unwrap(),
            "https://login.microsoftonline.us"
        );
        assert_eq!(parse("http://127.0.0.1:9").unwrap(), "http://127.0.0.1:9");
        assert_eq!(parse("http://login.microsoftonline.com"), Err(AuthorityError::NotHttps));
        assert_eq!(parse("https://h/tenant"), Err(AuthorityError::NotAnOrigin));
        assert_eq!(parse("login.microsoftonline.com"), Err(AuthorityError::NotAUrl));
    }

    #[test]
    fn one_cloud_has_several_names() {
        let includes = |origin: &str, url: &str| {
            Authority::parse(origin, "common").unwrap().includes(&Url::parse(url).unwrap())
        };
        assert!(includes("https://login.microsoftonline.com", "https://login.windows.net/x"));
        assert!(includes("https://contoso.ciamlogin.com", "https://1.ciamlogin.com/x"));
        assert!(includes("http://127.0.0.1:9", "http://127.0.0.1:9/x"));
        assert!(!includes("http://127.0.0.1:9", "http://127.0.0.1:10/x"));
        assert!(!includes(
            "https://login.microsoftonline.com",
            "https://login.microsoftonline.us/x"
        ));
        assert!(!includes("https://login.microsoftonline.com", "http://login.windows.net/x"));
        assert!(!includes("https://login.microsoftonline.com", "https://login.windows.net:444/x"));
        assert!(!includes("https://contoso.ciamlogin.com", "https://ciamlogin.com.evil/x"));
    }
}
