//! Protected-resource metadata: RFC 9728.
//!
//! `resource` is the exact public URL of the MCP endpoint in every form of the document, since
//! clients compare it with the URL that they called. There is one authorization server, and it is
//! us; clients use the first one only.
//!
//! ```
//! use mcp_entra_core::protected_resource::ProtectedResourceMetadata;
//!
//! let resource = "https://mcp.example.com/mcp".parse().unwrap();
//! let scopes = ["access_as_user".parse().unwrap()];
//! let metadata = ProtectedResourceMetadata::new(&resource, &scopes);
//! assert_eq!(
//!     serde_json::to_string(&metadata).unwrap(),
//!     r#"{"resource":"https://mcp.example.com/mcp","authorization_servers":["https://mcp.example.com"],"scopes_supported":["access_as_user"],"bearer_methods_supported":["header"]}"#
//! );
//! ```

use serde::Serialize;

use crate::resource::Resource;
use crate::scope::ScopeName;

/// The document at `/.well-known/oauth-protected-resource` and its path-inserted form.
#[derive(Clone, Debug, Serialize)]
pub struct ProtectedResourceMetadata<'a> {
    resource: &'a str,
    authorization_servers: [&'a str; 1],
    /// Without `offline_access`, which concerns the authorization server (SEP-2207).
    scopes_supported: Vec<&'a str>,
    bearer_methods_supported: [&'static str; 1],
}

impl<'a> ProtectedResourceMetadata<'a> {
    /// The metadata of a resource whose every call needs `scopes`.
    pub fn new(resource: &'a Resource, scopes: &'a [ScopeName]) -> Self {
        Self {
            resource: resource.as_str(),
            authorization_servers: [resource.origin()],
            scopes_supported: scopes.iter().map(ScopeName::as_str).collect(),
            bearer_methods_supported: ["header"],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_authorization_server_is_our_origin_and_offline_access_is_not_there(
            host in "[a-z]{1,8}(:[1-9][0-9]{0,3})?", path in "(/[a-z]{1,6}){0,3}"
        ) {
            let resource: Resource = format!("https://{host}{path}").parse().unwrap();
            let scopes = ["mcp.read".parse().unwrap()];
            let text = serde_json::to_string(&ProtectedResourceMetadata::new(&resource, &scopes)).unwrap();
            let document: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&document["resource"], resource.as_str());
            prop_assert_eq!(&document["authorization_servers"], &serde_json::json!([resource.origin()]));
            prop_assert!(!text.contains("offline_access"));
        }
    }
}
