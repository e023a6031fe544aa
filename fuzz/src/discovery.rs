//! Metadata has our issuer and our endpoints, leads nowhere around us, and has no template in it.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use mcp_entra_core::{Context, Discovery, Step};
use serde_json::Value;

use crate::oracle::read;
use crate::setting::{ORIGIN, SETTINGS, Setting};

/// Entra's discovery document, or what came in its place.
pub fn check(document: &[u8]) {
    for setting in SETTINGS.iter() {
        let Ok(discovery) = setting.facade.read_discovery(document) else { continue };
        let source = read(document);
        if source.is_null() {
            continue;
        }
        assert_eq!(source["issuer"], discovery.issuer().as_str());
        assert_eq!(source["jwks_uri"], discovery.jwks_uri());
        let told = metadata(setting, Arc::new(discovery));
        let told: Value = serde_json::from_slice(&told).expect("metadata is JSON");
        assert_eq!(told["issuer"], ORIGIN);
        for endpoint in ["authorization", "token", "registration"] {
            let endpoint = told[format!("{endpoint}_endpoint")].as_str().expect("an endpoint");
            assert!(endpoint.starts_with("https://mcp.example.com/oauth/"), "{endpoint}");
        }
        for (member, value) in told.as_object().expect("an object") {
            let entras = matches!(member.as_str(), "userinfo_endpoint" | "end_session_endpoint");
            let ours = matches!(
                member.as_str(),
                "authorization_endpoint" | "token_endpoint" | "registration_endpoint"
            );
            assert!(!member.ends_with("_endpoint") || entras || ours, "{member}");
            assert!(!value.to_string().contains("{tenantid}"), "{member} has a template");
            assert_ne!(member, "mtls_endpoint_aliases");
            assert_ne!(member, "authorization_response_iss_parameter_supported");
        }
        assert_eq!(told["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    }
}

fn metadata(setting: &Setting, discovery: Arc<Discovery>) -> Bytes {
    let request = Request::get("/.well-known/oauth-authorization-server").body(());
    let (head, ()) = request.expect("a request").into_parts();
    let cx = Context { discovery: Some(discovery), ..Context::default() };
    match setting.facade.begin(&head, &cx) {
        Step::Respond(response) => response.into_body(),
        other => panic!("{other:?}"),
    }
}
