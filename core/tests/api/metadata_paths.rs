//! The metadata at each of the paths that clients build, and while Entra cannot be reached.

use std::sync::Arc;

use http::Request;
use mcp_entra_core::exchange::Document;
use mcp_entra_core::{Context, Discovery, Facade, Options, Settings, Step};
use serde_json::{Value, json};

use super::support::{Driver, json as read, options};

fn get(driver: &Driver, path: &str) -> Value {
    let response = driver.run(Request::get(path).body("").unwrap()).response();
    assert_eq!(response.status(), 200, "{path}");
    read(&response)
}

#[test]
fn protected_resource_metadata_at_the_root_inserted_and_appended() {
    let driver = Driver::new(&options());
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/mcp/.well-known/oauth-protected-resource",
    ] {
        assert_eq!(
            get(&driver, path),
            json!({
                "resource": "https://mcp.example.com/mcp",
                "authorization_servers": ["https://mcp.example.com"],
                "scopes_supported": ["access_as_user"],
                "bearer_methods_supported": ["header"],
            })
        );
    }
}

#[test]
fn authorization_server_metadata_at_the_root_inserted_and_appended() {
    for (resource, path) in [
        ("https://mcp.example.com/mcp", "/mcp"),
        ("https://mcp.example.com/a/b/", "/a/b"),
        ("https://mcp.example.com", ""),
    ] {
        let driver = Driver::new(&Options { resource: resource.into(), ..options() });
        for document in ["oauth-authorization-server", "openid-configuration"] {
            for path in [
                format!("/.well-known/{document}"),
                format!("/.well-known/{document}{path}"),
                format!("{path}/.well-known/{document}"),
            ] {
                let metadata = get(&driver, &path);
                assert_eq!(metadata["issuer"], "https://mcp.example.com");
                for (member, value) in [
                    ("authorization_endpoint", "https://mcp.example.com/oauth/authorize"),
                    ("token_endpoint", "https://mcp.example.com/oauth/token"),
                    ("registration_endpoint", "https://mcp.example.com/oauth/register"),
                ] {
                    assert_eq!(metadata[member], value);
                }
                assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
            }
        }
        let resource = get(&driver, "/.well-known/oauth-protected-resource");
        assert_eq!(resource["authorization_servers"], json!(["https://mcp.example.com"]));
    }
}

#[test]
fn clients_may_ask_at_once_for_what_operations_need() {
    let driver = Driver::new(&Options {
        operation_scopes: vec!["tools/call=access_as_user,mcp.write".into()],
        ..options()
    });
    let metadata = get(&driver, "/.well-known/oauth-authorization-server");
    assert_eq!(
        metadata["scopes_supported"],
        json!(["access_as_user", "mcp.write", "openid", "profile", "email", "offline_access"])
    );
    let resource = get(&driver, "/.well-known/oauth-protected-resource");
    assert_eq!(resource["scopes_supported"], json!(["access_as_user"]), "what every call needs");
}

#[test]
fn the_template_is_never_passed_on_however_it_is_written() {
    let mut driver = Driver::new(&Options { tenant: "common".into(), ..options() });
    let document = include_str!("../fixtures/v2_common.json");
    for written in ["{tenantid}", "\\u007btenantid\\u007d", "\\u007Btenant\\u0069d}"] {
        let userinfo = "https://graph.microsoft.com/oidc/userinfo";
        let document = document.replace(userinfo, &format!("{userinfo}/{written}"));
        assert!(document.contains(written));
        let discovery = driver.facade.read_discovery(document.as_bytes()).unwrap();
        driver.discovery = Some(discovery.into());
        let metadata = get(&driver, "/.well-known/openid-configuration");
        assert_eq!(metadata.get("userinfo_endpoint"), None, "{written}");
        assert!(!metadata.to_string().contains("{tenantid}"));
    }
}

#[test]
fn without_entras_document_it_is_loaded_and_then_the_client_tries_again() {
    let mut driver = Driver::new(&options());
    driver.warm = false;
    let path = "/.well-known/oauth-authorization-server";
    let outcome = driver.run(Request::get(path).body("").unwrap());
    assert_eq!(outcome.loaded, [Document::Discovery]);
    assert_eq!(outcome.response().status(), 200);

    driver.discovery = None;
    let outcome = driver.run(Request::get(path).body("").unwrap());
    assert_eq!(outcome.loaded, [Document::Discovery]);
    let response = outcome.response();
    assert_eq!(response.status(), 503);
    assert_eq!(read(&response)["error"], "temporarily_unavailable");
    assert_eq!(response.headers()["cache-control"], "no-store");
    // what does not need it is there all the same
    get(&driver, "/.well-known/oauth-protected-resource");
}

#[test]
fn the_request_for_entras_document_has_nothing_of_a_clients() {
    let request = Driver::new(&options()).facade.discovery_request();
    assert_eq!(request.method(), "GET");
    assert_eq!(
        *request.uri(),
        "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0/.well-known/openid-configuration"
    );
    assert!(request.headers().is_empty() && request.body().is_empty());
}

#[test]
fn a_document_that_was_read_without_the_facade_gives_the_same_metadata() {
    let settings = Settings::parse(&options()).unwrap();
    let entra = include_bytes!("../fixtures/v2_tenant.json");
    let alone = Discovery::parse(entra, settings.authority()).unwrap();
    let facade = Facade::new(settings);
    let rendered = facade.read_discovery(entra).unwrap();
    let path = "/.well-known/oauth-authorization-server";
    let (head, ()) = Request::get(path).body(()).unwrap().into_parts();
    let answer = |discovery| {
        let cx = Context { discovery: Some(Arc::new(discovery)), ..Context::default() };
        match facade.begin(&head, &cx) {
            Step::Respond(response) => read(&response),
            step => panic!("{step:?}"),
        }
    };
    assert_eq!(answer(alone), answer(rendered));
}
