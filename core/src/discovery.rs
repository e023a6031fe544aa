//! Entra's OpenID Connect discovery document: read once, and checked to be the one that was meant.
//!
//! The document decides which issuer and which keys are believed, so one of another tenant or
//! another cloud is refused with the reason, as are HTML, nothing at all and a megabyte of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use crate::authority::{Authority, PERSONAL_ACCOUNTS_TENANT, Tenant};
use crate::guid::Guid;
use crate::json::Members;

/// The most octets of a discovery document that are read; Entra's has about 2,000.
pub const MAX_DISCOVERY_LENGTH: usize = 64 * 1024;

/// What Entra's `common` and `organizations` documents have in the place of a tenant.
pub(crate) const TENANT_TEMPLATE: &str = "{tenantid}";

/// The members that an OAuth or OpenID Connect client can use and that lead nowhere else.
const KEPT: [&str; 8] = [
    "claims_supported",
    "end_session_endpoint",
    "frontchannel_logout_supported",
    "id_token_signing_alg_values_supported",
    "jwks_uri",
    "request_uri_parameter_supported",
    "subject_types_supported",
    "userinfo_endpoint",
];

/// What a discovery document says that matters here.
#[derive(Clone, Debug)]
pub struct Discovery {
    issuer: Issuer,
    jwks_uri: String,
    cloud_instance_name: Option<String>,
    kept: BTreeMap<&'static str, Box<RawValue>>,
    /// Our own metadata, rendered once from all this.
    metadata: Bytes,
}

impl Discovery {
    /// Reads the document that `authority` answered.
    ///
    /// # Errors
    /// Where it is no discovery document, or not that of the authority.
    pub fn parse(document: &[u8], authority: &Authority) -> Result<Self, DiscoveryError> {
        if document.len() > MAX_DISCOVERY_LENGTH {
            return Err(DiscoveryError::TooLong);
        }
        if document.is_empty() {
            return Err(DiscoveryError::Empty);
        }
        let members = Members::parse(document)
            .map_err(|error| DiscoveryError::NotJson { reason: error.to_string() })?;
        let text = |name: &'static str| -> Result<String, DiscoveryError> {
            members.get(name).ok_or(DiscoveryError::Missing { member: name })
        };
        let ours = |member: &'static str, value: &str| match Url::parse(value) {
            Ok(url) if authority.includes(&url) => Ok(()),
            _ => Err(DiscoveryError::Elsewhere { member, value: value.into() }),
        };

        let issuer = text("issuer")?;
        ours("issuer", &issuer)?;
        let issuer = Issuer::of_tenant(issuer, authority.tenant())?;
        let jwks_uri = text("jwks_uri")?;
        ours("jwks_uri", &jwks_uri)?;
        for endpoint in ["authorization_endpoint", "token_endpoint"] {
            ours(endpoint, &text(endpoint)?)?;
        }

        let kept = KEPT.into_iter().filter_map(|name| {
            // read, since the template may be written with escapes
            let value = members.get::<Value>(name)?;
            let raw = members.raw(name).filter(|_| !value.to_string().contains(TENANT_TEMPLATE))?;
            Some((name, raw.to_owned()))
        });
        Ok(Self {
            issuer,
            jwks_uri,
            cloud_instance_name: members.get("cloud_instance_name"),
            kept: kept.collect(),
            metadata: Bytes::new(),
        })
    }

    /// The issuer of Entra's own tokens, which is never ours.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Where the signing keys are.
    pub fn jwks_uri(&self) -> &str {
        &self.jwks_uri
    }

    /// The cloud, such as `microsoftonline.com`, whose keys alone are believed.
    pub fn cloud_instance_name(&self) -> Option<&str> {
        self.cloud_instance_name.as_deref()
    }

    pub(crate) fn with_metadata(self, metadata: Bytes) -> Self {
        Self { metadata, ..self }
    }

    pub(crate) fn metadata(&self) -> Bytes {
        self.metadata.clone()
    }

    /// The members that clients of ours may see, byte for byte.
    pub(crate) fn kept(&self) -> &BTreeMap<&'static str, Box<RawValue>> {
        &self.kept
    }
}

/// An issuer of Entra's, in which `{tenantid}` may stand for the tenant of each token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    text: String,
    tenant: Option<Guid>,
}

impl Issuer {
    fn of_tenant(issuer: String, tenant: &Tenant) -> Result<Self, DiscoveryError> {
        let segment = issuer.split('/').nth(3).unwrap_or_default();
        let own = segment.parse::<Guid>().ok();
        let meant = match tenant {
            Tenant::Common | Tenant::Organizations => segment == TENANT_TEMPLATE,
            Tenant::Consumers => segment == PERSONAL_ACCOUNTS_TENANT,
            Tenant::Domain(_) => own.is_some(),
            Tenant::Id(id) => own == Some(*id),
        };
        if !meant {
            return Err(DiscoveryError::OtherTenant { issuer, tenant: tenant.to_string() });
        }
        Ok(Self { text: issuer, tenant: own })
    }

    /// The issuer as the document gives it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The issuer of one tenant's tokens.
    pub fn for_tenant(&self, tenant: &Guid) -> String {
        self.text.replace(TENANT_TEMPLATE, tenant.as_str())
    }

    /// The one tenant, where the issuer is not a template.
    pub fn tenant(&self) -> Option<Guid> {
        self.tenant
    }
}

/// Why a discovery document was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// A URL of another cloud, or of nobody's.
    #[error("the discovery document's {member} '{value}' does not belong to the authority")]
    Elsewhere {
        /// The member.
        member: &'static str,
        /// Its value.
        value: String,
    },
    /// No octets.
    #[error("the discovery document is empty")]
    Empty,
    /// A member that every one of Entra's documents has.
    #[error("the discovery document has no '{member}'")]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// HTML, a byte order mark, a cut-off document, a member twice.
    #[error("the discovery document is not a JSON object: {reason}")]
    NotJson {
        /// What the parser said.
        reason: String,
    },
    /// The document of another tenant.
    #[error("the discovery document's issuer '{issuer}' is not that of the tenant '{tenant}'")]
    OtherTenant {
        /// The issuer in the document.
        issuer: String,
        /// The tenant that was asked for.
        tenant: String,
    },
    /// More than [`MAX_DISCOVERY_LENGTH`].
    #[error("the discovery document is longer than {MAX_DISCOVERY_LENGTH} bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "11111111-2222-4333-8444-555555555555";
    const PUBLIC: &str = "https://login.microsoftonline.com";

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../tests/fixtures/", $name, ".json")).as_slice()
        };
    }

    fn parse(document: &[u8], origin: &str, tenant: &str) -> Result<Discovery, DiscoveryError> {
        Discovery::parse(document, &Authority::parse(origin, tenant).unwrap())
    }

    #[test]
    fn every_cloud_and_audience() {
        let china = "https://login.partner.microsoftonline.cn";
        for (document, origin, tenant, issuer) in [
            (fixture!("v2_tenant"), PUBLIC, TENANT, format!("{PUBLIC}/{TENANT}/v2.0")),
            (fixture!("v2_tenant"), PUBLIC, "contoso.com", format!("{PUBLIC}/{TENANT}/v2.0")),
            (
                fixture!("v2_tenant_pre2025_no_mtls"),
                PUBLIC,
                TENANT,
                format!("{PUBLIC}/{TENANT}/v2.0"),
            ),
            (fixture!("v2_common"), PUBLIC, "common", format!("{PUBLIC}/{TENANT}/v2.0")),
            (
                fixture!("v2_organizations"),
                PUBLIC,
                "organizations",
                format!("{PUBLIC}/{TENANT}/v2.0"),
            ),
            (
                fixture!("v2_consumers"),
                PUBLIC,
                "consumers",
                format!("{PUBLIC}/{PERSONAL_ACCOUNTS_TENANT}/v2.0"),
            ),
            (
                fixture!("v2_usgov_tenant"),
                "https://login.microsoftonline.us",
                TENANT,
                format!("https://login.microsoftonline.us/{TENANT}/v2.0"),
            ),
            (fixture!("v2_china_tenant"), china, TENANT, format!("{china}/{TENANT}/v2.0")),
            (
                fixture!("v2_china_tenant"),
                "https://login.chinacloudapi.cn",
                TENANT,
                format!("{china}/{TENANT}/v2.0"),
            ),
            (
                fixture!("v2_ciam_external_id"),
                "https://contoso.ciamlogin.com",
                "contoso.onmicrosoft.com",
                format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"),
            ),
        ] {
            let discovery = parse(document, origin, tenant).unwrap();
            assert_eq!(discovery.issuer().for_tenant(&TENANT.parse().unwrap()), issuer);
            assert_eq!(discovery.issuer().as_str().replace("{tenantid}", TENANT), issuer);
            assert!(discovery.jwks_uri().ends_with("/discovery/v2.0/keys"));
            assert!(discovery.cloud_instance_name().is_some());
        }
    }

    #[test]
    fn what_is_not_the_document_that_was_meant() {
        let refused = |document: &[u8]| parse(document, PUBLIC, TENANT).unwrap_err();
        assert_eq!(refused(b""), DiscoveryError::Empty);
        assert_eq!(refused(&vec![b' '; MAX_DISCOVERY_LENGTH + 1]), DiscoveryError::TooLong);
        assert_ne!(refused(&vec![b' '; MAX_DISCOVERY_LENGTH]), DiscoveryError::TooLong);
        for text in
            [&b"<html>Service Unavailable</html>"[..], b"\xef\xbb\xbf{}", b"[]", b"{", b"null"]
        {
            assert!(matches!(refused(text), DiscoveryError::NotJson { .. }), "{text:?}");
        }
        assert_eq!(refused(b"{}"), DiscoveryError::Missing { member: "issuer" });
        assert!(matches!(refused(fixture!("v2_common")), DiscoveryError::OtherTenant { .. }));
        assert!(matches!(refused(fixture!("v2_consumers")), DiscoveryError::OtherTenant { .. }));
        for elsewhere in
            [fixture!("v2_usgov_tenant"), fixture!("v1_tenant"), fixture!("b2c_v2_userflow")]
        {
            assert!(parse(elsewhere, "https://login.contoso.com", TENANT).is_err());
        }
        assert!(matches!(refused(fixture!("v2_usgov_tenant")), DiscoveryError::Elsewhere { .. }));
        let stolen = String::from_utf8_lossy(fixture!("v2_tenant")).replace(
            "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/discovery",
            "https://keys.attacker.example/discovery",
        );
        assert!(matches!(
            refused(stolen.as_bytes()),
            DiscoveryError::Elsewhere { member: "jwks_uri", .. }
        ));
    }
}
