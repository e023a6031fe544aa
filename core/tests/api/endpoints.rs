//! Every path with every method: what is ours, what is the resource's, what is nobody's.

use http::{Method, Request, Response};
use mcp_entra_core::Options;

use super::support::{Driver, Outcome, challenge, json, options};
use super::tokens::{Token, call};

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"];

fn run(options: &Options, method: &str, path: &str) -> Outcome {
    let request = Request::builder().method(method).uri(path).body("").unwrap();
    Driver::new(options).run(request)
}

fn status(options: &Options, method: &str, path: &str) -> u16 {
    run(options, method, path).response().status().as_u16()
}

fn has_cors(response: &Response<bytes::Bytes>) {
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
    for name in ["WWW-Authenticate", "Mcp-Session-Id", "MCP-Protocol-Version", "Retry-After"] {
        assert!(exposed.contains(name), "{exposed}");
    }
}

#[test]
fn documents_are_for_get_and_head() {
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        for method in METHODS {
            let response = run(&options(), method, path).response();
            has_cors(&response);
            match method {
                "GET" | "HEAD" => {
                    assert_eq!(response.status(), 200);
                    assert_eq!(response.headers()["content-type"], "application/json");
                    assert_eq!(response.headers()["cache-control"], "public, max-age=300");
                }
                "OPTIONS" => assert_eq!(response.status(), 204),
                _ => {
                    assert_eq!(response.status(), 405, "{method} {path}");
                    assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
                }
            }
        }
    }
}

#[test]
fn the_browsers_endpoint_is_for_get_and_head() {
    for path in ["/oauth/authorize", "/authorize"] {
        for method in METHODS {
            let response = run(&options(), method, path).response();
            match method {
                "GET" | "HEAD" => {
                    assert_eq!(response.status(), 400);
                    let content_type = &response.headers()["content-type"];
                    assert_eq!(content_type, "text/html; charset=utf-8");
                }
                "OPTIONS" => assert_eq!(response.status(), 204),
                _ => {
                    assert_eq!(response.status(), 405, "{method} {path}");
                    assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
                }
            }
        }
    }
}

#[test]
fn an_error_of_entras_is_explained_to_whoever_asks() {
    for path in ["/oauth/error", "/oauth/error?code=50011", "/oauth/error?code=%3Cscript%3E"] {
        for method in METHODS {
            let response = run(&options(), method, path).response();
            match method {
                "GET" | "HEAD" => {
                    assert_eq!(response.status(), 200);
                    is_a_page(&response);
                    assert_eq!(response.headers()["cache-control"], "public, max-age=3600");
                }
                "OPTIONS" => assert_eq!(response.status(), 204),
                _ => assert_eq!(response.status(), 405, "{method} {path}"),
            }
        }
    }
}

#[test]
fn a_browser_sees_a_page_with_the_challenge_and_clients_see_the_challenge() {
    let driver = Driver::new(&options());
    let ask = |accept: Option<&str>| {
        let mut request = Request::get("/mcp");
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        driver.run(request.body("").unwrap()).response()
    };
    let bare = ask(None);
    assert!(bare.body().is_empty());
    let browsers = [
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
        "Text/HTML;q=0.9",
    ];
    for accept in browsers {
        let page = ask(Some(accept));
        is_a_page(&page);
        assert!(String::from_utf8_lossy(page.body()).contains("https://mcp.example.com/mcp"));
        assert_eq!(page.status(), bare.status());
        for (name, value) in bare.headers() {
            assert_eq!(page.headers().get(name), Some(value), "{name}");
        }
    }
    let clients = ["application/json, text/event-stream", "text/event-stream", "*/*", "text/*"];
    for accept in clients {
        let response = ask(Some(accept));
        assert_eq!(response.status(), bare.status());
        assert_eq!((response.headers(), response.body()), (bare.headers(), bare.body()));
    }
}

#[test]
fn the_page_is_there_for_whoever_has_nothing_else_to_show() {
    let page = Driver::new(&options()).facade.front_page();
    assert_eq!(page.status(), 200);
    is_a_page(&page);
    assert!(String::from_utf8_lossy(page.body()).contains("https://mcp.example.com/mcp"));
}

fn is_a_page(response: &Response<bytes::Bytes>) {
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("script-src"));
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(!String::from_utf8_lossy(response.body()).contains("<script"));
}

#[test]
fn the_clients_endpoints_are_for_post() {
    for path in ["/oauth/register", "/register", "/oauth/token", "/token"] {
        for method in METHODS {
            let response = run(&options(), method, path).response();
            has_cors(&response);
            match method {
                "POST" => {
                    assert_eq!(response.status(), 400);
                    assert!(json(&response)["error"].as_str().unwrap().starts_with("invalid_"));
                    assert_eq!(response.headers()["cache-control"], "no-store");
                }
                "OPTIONS" => assert_eq!(response.status(), 204),
                _ => {
                    assert_eq!(response.status(), 405, "{method} {path}");
                    assert_eq!(response.headers()["allow"], "POST, OPTIONS");
                }
            }
        }
    }
}

#[test]
fn the_resource_and_what_is_below_it_ask_for_a_token_whatever_the_method() {
    let extension = Method::from_bytes(b"QUERY").unwrap();
    for path in ["/mcp", "/mcp/", "/mcp/sse", "/mcp/a/b?x=y", "/mcp//x", "/mcp/%61"] {
        for method in METHODS.into_iter().chain([extension.as_str()]) {
            let response = run(&options(), method, path).response();
            has_cors(&response);
            if method == "OPTIONS" {
                assert_eq!(response.status(), 204);
                assert!(!response.headers().contains_key("www-authenticate"));
                continue;
            }
            assert_eq!(response.status(), 401, "{method} {path}");
            assert_eq!(response.headers()["cache-control"], "no-store");
            let challenge = challenge(response.headers());
            let metadata = super::support::METADATA_URL;
            assert_eq!(challenge.get("resource_metadata"), Some(metadata));
            assert_eq!(challenge.get("scope"), Some("access_as_user"));
            assert_eq!((challenge.get("error"), challenge.get("error_description")), (None, None));
        }
    }
}

#[test]
fn a_browser_may_ask_before_it_calls() {
    for path in ["/mcp", "/oauth/token", "/register", "/.well-known/openid-configuration"] {
        let request = Request::options(path)
            .header("origin", "http://localhost:6274")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,mcp-protocol-version")
            .body("");
        let response = Driver::new(&options()).run(request.unwrap()).response();
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let methods = &response.headers()["access-control-allow-methods"];
        assert_eq!(methods, "GET, HEAD, POST, DELETE, OPTIONS");
        let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap();
        for name in ["Authorization", "Content-Type", "MCP-Protocol-Version", "Mcp-Session-Id"] {
            assert!(allowed.contains(name), "{allowed}");
        }
        assert!(!response.headers().contains_key("access-control-allow-credentials"));
        assert!(response.body().is_empty());
    }
}

#[test]
fn what_is_not_ours_is_passed_with_nobody_known() {
    for path in [
        "/",
        "/other",
        "/mcpx",
        "/MCP",
        "/mcp%2fx",
        "/oauth",
        "/oauth/",
        "/oauth/token/",
        "/oauth/Token",
        "/.well-known/oauth-protected-resource/",
        "/.well-known/oauth-protected-resource/other",
        "/healthz",
        "*",
    ] {
        for method in METHODS {
            let passing = run(&options(), method, path).passing();
            assert_eq!(passing.principal(), None, "{method} {path}");
            // and its answer is left alone
            let (mut head, ()) = Response::builder().status(401).body(()).unwrap().into_parts();
            passing.amend_response(&mut head);
            assert!(head.headers.is_empty());
        }
    }
}

#[test]
fn a_path_that_the_server_behind_may_read_otherwise_is_refused() {
    let driver = Driver::new(&options());
    let token = Token::v2().signed();
    for path in [
        "/mcp/..",
        "/mcp/../admin",
        "/mcp/./x",
        "/mcp/%2e%2e/admin",
        "/mcp/.%2E/admin",
        "/mcp/a%2fb",
        "/mcp/a%2Fb",
        "/mcp/a%5cb",
        "/mcp/a%5C..%5Cb",
    ] {
        let mut request = call(&token);
        *request.uri_mut() = path.parse().unwrap();
        let reason = driver.run(request).verdict().unwrap_err();
        assert_eq!(reason, "the path has dot segments or encoded separators", "{path}");
    }
    for path in ["/mcp/a.b", "/mcp/...", "/mcp/.well", "/mcp/a%20b", "/mcp?x=../%2e%2e/"] {
        let mut request = call(&token);
        *request.uri_mut() = path.parse().unwrap();
        assert!(driver.run(request).verdict().is_ok(), "{path}");
    }
}

#[test]
fn a_resource_at_a_bare_origin_has_every_path_but_ours() {
    let options = Options { resource: "https://mcp.example.com".into(), ..options() };
    for path in
        ["/", "/mcp", "/oauth", "/.well-known/other", "/.well-known/oauth-protected-resource/"]
    {
        let response = run(&options, "POST", path).response();
        assert_eq!(response.status(), 401, "{path}");
        assert_eq!(
            challenge(response.headers()).get("resource_metadata"),
            Some("https://mcp.example.com/.well-known/oauth-protected-resource")
        );
    }
    let metadata = run(&options, "GET", "/.well-known/oauth-protected-resource").response();
    assert_eq!(json(&metadata)["resource"], "https://mcp.example.com");
    assert_eq!(status(&options, "GET", "/authorize"), 400);
    assert_eq!(status(&options, "POST", "/oauth/token"), 400);
    assert_eq!(run(&options, "OPTIONS", "*").passing().principal(), None);
}

#[test]
fn a_resource_may_have_the_path_of_a_bare_endpoint() {
    let options = Options { resource: "https://mcp.example.com/token".into(), ..options() };
    assert_eq!(status(&options, "POST", "/token"), 401);
    assert_eq!(status(&options, "POST", "/oauth/token"), 400);
    assert_eq!(status(&options, "GET", "/token/.well-known/oauth-protected-resource"), 200);
}

#[test]
fn whoever_serves_the_resource_need_not_know_its_path() {
    // as behind a router that has stripped a prefix
    let driver = Driver::new(&options());
    let (head, ()) = Request::post("/").body(()).unwrap().into_parts();
    let step = driver.facade.authenticate(&head, &mcp_entra_core::Context::default());
    assert_eq!(format!("{step:?}"), "Respond(401 Unauthorized)");
}

#[test]
fn nothing_comes_from_the_host_header() {
    for (name, value) in [
        ("host", "attacker.example"),
        ("x-forwarded-host", "attacker.example"),
        ("forwarded", "host=attacker.example;proto=http"),
        ("x-forwarded-proto", "attacker.example"),
        ("x-original-url", "https://attacker.example/x"),
    ] {
        for (method, uri) in [
            ("GET", "/.well-known/oauth-protected-resource"),
            ("GET", "/.well-known/oauth-authorization-server"),
            ("POST", "/mcp"),
            ("GET", "/authorize"),
            ("GET", "https://attacker.example/.well-known/oauth-protected-resource/mcp"),
            ("POST", "http://attacker.example/mcp"),
        ] {
            let request =
                Request::builder().method(method).uri(uri).header(name, value).body("").unwrap();
            let response = Driver::new(&options()).run(request).response();
            let shown = format!("{:?}{:?}", response.headers(), response.body());
            assert!(!shown.contains("attacker"), "{method} {uri}: {shown}");
        }
    }
}

#[test]
fn an_answer_from_behind_is_completed() {
    let passing = Driver::new(&options()).run(call(&Token::v2().signed())).passing();
    let amended = |response: http::response::Builder| {
        let (mut head, ()) = response.body(()).unwrap().into_parts();
        passing.amend_response(&mut head);
        head.headers
    };
    let headers = amended(Response::builder().status(401).header("www-authenticate", "Basic"));
    assert_eq!(challenge(&headers).get("scope"), Some("access_as_user"));
    let headers = amended(Response::builder().status(403).header("www-authenticate", "Basic"));
    assert_eq!(headers["www-authenticate"], "Basic");
    let own = Response::builder().header("access-control-allow-origin", "https://own.example");
    let headers = amended(own);
    assert_eq!(headers.len(), 1, "its own rules for browsers stand: {headers:?}");
    has_cors(
        &Response::builder()
            .body(bytes::Bytes::new())
            .map(|mut response| {
                *response.headers_mut() = amended(Response::builder());
                response
            })
            .unwrap(),
    );
}
