//! Discovery documents and key sets.

use serde_json::{Value, json};

use crate::options::Cloud;
use crate::refusal::Refusal;
use crate::tenant::{CONSUMERS, Segment};
use crate::world::World;

/// `claims_supported`, as far as both versions agree.
const CLAIMS: [&str; 11] = [
    "sub",
    "iss",
    "cloud_instance_name",
    "cloud_instance_host_name",
    "cloud_graph_host_name",
    "msgraph_host",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
];
const V2_CLAIMS: [&str; 8] =
    ["nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email"];
const V1_CLAIMS: [&str; 6] = ["amr", "nonce", "email", "given_name", "family_name", "nickname"];

/// v1 or v2: same directory, other documents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

impl World {
    /// The document for a tenant segment. A domain is answered with the GUID; `common` and `organizations` have the literal
    /// `{tenantid}` in `issuer`; `consumers` an issuer unlike its URL. [verbatim fixtures; derived]
    pub(crate) fn discovery(&self, segment: &str, version: Version) -> Result<Value, Refusal> {
        let parsed = Segment::parse(segment, &self.tenant, &self.domain)?;
        Ok(self.document(parsed, &self.tenant, version))
    }

    /// As if the cache of some proxy had another tenant's.
    pub(crate) fn other_tenants_discovery(&self, version: Version) -> Value {
        self.document(Segment::Tenant, "ffffffff-0000-4000-8000-000000000000", version)
    }

    fn document(&self, segment: Segment, tenant: &str, version: Version) -> Value {
        let (name, issuer_tenant) = match segment {
            Segment::Tenant => (tenant, tenant),
            Segment::Common => ("common", "{tenantid}"),
            Segment::Organizations => ("organizations", "{tenantid}"),
            Segment::Consumers => ("consumers", CONSUMERS),
        };
        let base = format!("{}/{name}", self.authority);
        let mut document = match version {
            Version::V1 => self.v1_document(&base, issuer_tenant),
            Version::V2 => self.v2_document(&base, issuer_tenant),
        };
        let (graph, msgraph, rbac, region) = self.hosts();
        let shared = json!({
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "http_logout_supported": true,
            "frontchannel_logout_supported": true,
            "kerberos_endpoint": format!("{base}/kerberos"),
            "tenant_region_scope": (segment == Segment::Tenant).then_some(region),
            "cloud_instance_name": self.cloud_instance(),
            "cloud_graph_host_name": graph,
            "msgraph_host": msgraph,
            "rbac_url": rbac,
        });
        if let (Value::Object(document), Value::Object(shared)) = (&mut document, shared) {
            document.extend(shared);
            if self.cloud == Cloud::UsGovernment && segment == Segment::Tenant {
                document.insert("tenant_region_sub_scope".into(), "DODCON".into());
            }
        }
        document
    }

    /// Directory graph, Microsoft Graph, role service; the tenant's region.
    fn hosts(&self) -> (&str, &str, &str, &str) {
        match self.cloud {
            Cloud::Public => {
                ("graph.windows.net", "graph.microsoft.com", "https://pas.windows.net", "NA")
            }
            Cloud::UsGovernment => (
                "graph.windows.net",
                "graph.microsoft.us",
                "https://pasff.usgovcloudapi.net",
                "USGov",
            ),
            Cloud::China => (
                "graph.chinacloudapi.cn",
                "microsoftgraph.chinacloudapi.cn",
                "https://pas.chinacloudapi.cn",
                "AS",
            ),
        }
    }

    /// No RFC 8414: no `registration_endpoint`, `grant_types_supported`, `code_challenge_methods_supported`.
    fn v2_document(&self, base: &str, tenant: &str) -> Value {
        let mut document = json!({
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": self.v2_issuer(tenant),
            "request_uri_parameter_supported": false,
            "userinfo_endpoint": format!("https://{}/oidc/userinfo", self.hosts().1),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
            "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
            "claims_supported": ([&CLAIMS[..], &V2_CLAIMS].concat()),
        });
        // they name hosts that bypass whatever stands before Entra [openiddict#2298, 2025]
        if self.cloud == Cloud::Public
            && let Value::Object(document) = &mut document
        {
            let host = base.replacen(&self.authority, "https://mtlsauth.microsoft.com", 1);
            let methods = [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
                "self_signed_tls_client_auth",
            ];
            document.insert("token_endpoint_auth_methods_supported".into(), json!(methods));
            document.insert(
                "mtls_endpoint_aliases".into(),
                json!({ "token_endpoint": format!("{host}/oauth2/v2.0/token") }),
            );
            document.insert("tls_client_certificate_bound_access_tokens".into(), true.into());
        }
        document
    }

    fn v1_document(&self, base: &str, tenant: &str) -> Value {
        json!({
            "token_endpoint": format!("{base}/oauth2/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": format!("{}/common/discovery/keys", self.authority),
            "response_types_supported": ["code", "id_token", "code id_token", "token id_token", "token"],
            "scopes_supported": ["openid"],
            "issuer": self.v1_issuer(tenant),
            "microsoft_multi_refresh_token": true,
            "authorization_endpoint": format!("{base}/oauth2/authorize"),
            "device_authorization_endpoint": format!("{base}/oauth2/devicecode"),
            "end_session_endpoint": format!("{base}/oauth2/logout"),
            "check_session_iframe": format!("{base}/oauth2/checksession"),
            "userinfo_endpoint": format!("{base}/openid/userinfo"),
            "claims_supported": ([&CLAIMS[..], &V1_CLAIMS].concat()),
        })
    }

    /// The key set; `common` and `organizations` have the template in each key's `issuer`.
    pub(crate) fn key_set(&self, segment: &str, version: Version) -> Result<Value, Refusal> {
        let tenant = match Segment::parse(segment, &self.tenant, &self.domain)? {
            Segment::Tenant => &*self.tenant,
            Segment::Common | Segment::Organizations => "{tenantid}",
            Segment::Consumers => CONSUMERS,
        };
        Ok(match version {
            Version::V1 => self.keys.v1(),
            Version::V2 => {
                self.keys.v2(&self.authority, &self.v2_issuer(tenant), self.cloud_instance())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Same members as the fixtures, and the same values where they do not name a host.
    #[test]
    fn like_the_fixtures() {
        let tenant = "contoso.onmicrosoft.com";
        for (segment, version, host, fixture) in [
            (tenant, Version::V2, "com", include_str!("../fixtures/v2_tenant.json")),
            ("common", Version::V2, "com", include_str!("../fixtures/v2_common.json")),
            ("consumers", Version::V2, "com", include_str!("../fixtures/v2_consumers.json")),
            (tenant, Version::V2, "us", include_str!("../fixtures/v2_usgov_tenant.json")),
            (tenant, Version::V1, "com", include_str!("../fixtures/v1_tenant.json")),
        ] {
            let mut world = crate::builder::EntraStandInBuilder::default().world();
            world.cloud = if host == "us" { Cloud::UsGovernment } else { Cloud::Public };
            world.authority = format!("https://login.microsoftonline.{host}");
            let ours = world.discovery(segment, version).expect("a document");
            let theirs: Value = serde_json::from_str(fixture).expect("a fixture");
            let names = |value: &Value| {
                value.as_object().map(|it| it.keys().cloned().collect::<BTreeSet<_>>())
            };
            assert_eq!(names(&ours), names(&theirs), "{segment}");
            for (name, value) in theirs.as_object().into_iter().flatten() {
                assert_eq!(&ours[name], value, "{segment} {name}");
            }
        }
    }
}
