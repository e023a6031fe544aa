//! Requests that two readers may read in two ways: none gets past the gateway as another one.

use http::Request;

use crate::harness::{Wire, World, header, status_of};

const NEXT: &str = "GET /mcp/echo/smuggled HTTP/1.1\r\nhost: h\r\n\r\n";

/// Sends a request of a caller who may, with something behind it that nobody may, and gives the
/// statuses of the answers. What is behind must not arrive at the server behind, nor must a
/// request whose length could be read in two ways leave the connection open for a next one.
async fn statuses(world: &World, raw: &str) -> Vec<u16> {
    let authorization = format!("authorization: Bearer {}", world.token());
    let mut wire = Wire::to(&world.gateway).await;
    wire.send(raw.replace("AUTHORIZATION", &authorization)).await;
    wire.rest()
        .await
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|a| status_of(&format!("HTTP/1.1 {a}")))
        .collect()
}

#[tokio::test]
async fn a_body_whose_end_is_doubtful_smuggles_nothing() {
    let world = World::new(&["--idle-timeout", "2", "--body-timeout", "1"]).await;
    let post = "POST /mcp/echo HTTP/1.1\r\nhost: h\r\nAUTHORIZATION\r\n";
    for (what, headers, body, expected) in [
        // RFC 9112 section 6.1: the chunks count, and the connection ends
        ("both", "content-length: 4\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n", &[200][..]),
        (
            "both, the other way",
            "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
            "0\r\n\r\n",
            &[200],
        ),
        ("two lengths", "content-length: 0\r\ncontent-length: 44\r\n", "", &[400]),
        ("a list of lengths", "content-length: 0, 44\r\n", "", &[400]),
        ("a signed length", "content-length: +0\r\n", "", &[400]),
        ("a negative length", "content-length: -1\r\n", "", &[400]),
        ("a length in hexadecimal", "content-length: 0x0\r\n", "", &[400]),
        ("a length beyond all", "content-length: 18446744073709551616\r\n", "", &[400]),
        ("another coding", "transfer-encoding: gzip\r\n", "0\r\n\r\n", &[400]),
        ("chunked, but not last", "transfer-encoding: chunked, identity\r\n", "0\r\n\r\n", &[400]),
        ("nearly chunked", "transfer-encoding: xchunked\r\n", "0\r\n\r\n", &[400]),
        ("chunked in a quote", "transfer-encoding: \"chunked\"\r\n", "0\r\n\r\n", &[400]),
        ("space before the colon", "transfer-encoding : chunked\r\n", "0\r\n\r\n", &[400]),
        ("a folded line", "transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n", &[400]),
        ("a bare carriage return", "x: a\rtransfer-encoding: chunked\r\n", "0\r\n\r\n", &[400]),
        ("a nul", "x: a\0\r\n", "", &[400]),
        ("a header without a name", ": chunked\r\n", "", &[400]),
        // a chunk that breaks off is a body that breaks off
        ("a chunk's length that is none", "transfer-encoding: chunked\r\n", "z\r\n", &[502]),
        (
            "a chunk's length beyond all",
            "transfer-encoding: chunked\r\n",
            "fffffffffffffffff\r\n",
            &[502],
        ),
        (
            "a chunk that is longer than it says",
            "transfer-encoding: chunked\r\n",
            "1\r\nab\r\n0\r\n\r\n",
            &[502],
        ),
    ] {
        let before = world.behind.seen().len();
        let seen = statuses(&world, &format!("{post}{headers}\r\n{body}{NEXT}")).await;
        assert_eq!(seen, expected, "{what}");
        let arrived = world.behind.seen().split_off(before);
        let paths: Vec<_> = arrived.iter().map(|head| head.uri.path()).collect();
        assert!(paths.iter().all(|path| *path == "/mcp/echo"), "{what}: {paths:?}");
        assert!(paths.len() <= 1, "{what}: {paths:?}");
        for head in &arrived {
            let both = head.headers.contains_key("content-length")
                && head.headers.contains_key("transfer-encoding");
            assert!(!both, "{what}: {head:?}");
        }
    }
}

#[tokio::test]
async fn two_requests_on_a_connection_are_two_callers() {
    let world = World::new(&["--idle-timeout", "2"]).await;
    let get = "GET /mcp/echo HTTP/1.1\r\nhost: h\r\nAUTHORIZATION\r\n\r\n";
    let seen = statuses(&world, &format!("{get}{NEXT}{get}")).await;
    assert_eq!(seen, [200, 401, 200], "the one between has no token of its own");
    assert!(world.behind.seen().iter().all(|head| head.uri.path() == "/mcp/echo"));
}

#[tokio::test]
async fn an_old_or_odd_request_line_leads_nowhere() {
    let world = World::new(&["--idle-timeout", "2"]).await;
    for (line, expected) in [
        ("GET /mcp/echo", &[400][..]),
        ("GET /mcp/echo HTTP/3.7", &[400]),
        ("GET  /mcp/echo HTTP/1.1", &[400]),
        ("GET /mcp/echo\tHTTP/1.1", &[400]),
        ("GET /mcp/ec ho HTTP/1.1", &[400]),
        ("G\u{e9}T /mcp/echo HTTP/1.1", &[400]),
        ("PRI * HTTP/2.0", &[400]),
        // nobody is a caller of these
        ("CONNECT mcp.example.com:443 HTTP/1.1", &[404]),
        ("OPTIONS * HTTP/1.1", &[404]),
        // an absolute form is what it names, and its host is not believed
        ("GET http://elsewhere.example/mcp/echo HTTP/1.1", &[200]),
    ] {
        let raw = format!("{line}\r\nhost: h\r\nconnection: close\r\nAUTHORIZATION\r\n\r\n");
        assert_eq!(statuses(&world, &raw).await, expected, "{line}");
    }
    for head in world.behind.seen() {
        let host = header(&head.headers, "host");
        assert!(
            !host.contains("elsewhere")
                && !header(&head.headers, "x-forwarded-host").contains("elsewhere")
        );
    }
}

#[tokio::test]
async fn a_line_break_in_what_is_sent_begins_no_header() {
    let world = World::new(&[]).await;
    for path in [
        "/oauth/authorize?client_id=c&redirect_uri=http%3A%2F%2Flocalhost%2Fcallback&state=a%0D%0AX-Evil%3A%201",
        "/oauth/authorize?client_id=c&redirect_uri=http%3A%2F%2Flocalhost%2Fcallback%0D%0AX-Evil%3A%201",
        "/oauth/authorize?client_id=c%0D%0AX-Evil%3A%201&redirect_uri=http%3A%2F%2Flocalhost%2Fcallback",
        "/mcp/%0D%0AX-Evil:%201",
        "/.well-known/oauth-authorization-server?%0D%0AX-Evil:%201",
    ] {
        let mut wire = Wire::to(&world.gateway).await;
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")).await;
        let answer = wire.rest().await;
        let (head, _) = answer.split_once("\r\n\r\n").expect("an answer");
        assert!(status_of(head) != 0, "{path}");
        let evil = head.lines().any(|line| line.to_ascii_lowercase().starts_with("x-evil"));
        assert!(!evil, "{path}: {head}");
    }
}

/// What a cache in front may keep is the same for everybody, and the rest may be kept by nobody.
#[tokio::test]
async fn nothing_that_a_cache_does_not_know_of_changes_a_document() {
    let world = World::new(&[]).await;
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        let plain = world.get(path).await;
        assert_eq!(header(plain.headers(), "cache-control"), "public, max-age=300", "{path}");
        for (name, value) in [
            ("host", "evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-prefix", "/evil"),
            ("x-original-url", "/evil"),
            ("x-rewrite-url", "/evil"),
            ("forwarded", "host=evil.example;proto=http"),
            ("origin", "https://evil.example"),
            ("authorization", "Bearer evil"),
            ("accept-language", "de"),
        ] {
            let request = Request::get(world.url(path)).header(name, value);
            let answer = world.web.send(request.body("").expect("a request")).await;
            assert_eq!(answer.body(), plain.body(), "{path} with {name}");
            let origin = header(answer.headers(), "access-control-allow-origin");
            assert_eq!(origin, "*", "{path} with {name}");
        }
        assert_eq!(world.get(&format!("{path}?evil=1")).await.body(), plain.body(), "{path}");
    }
    for path in ["/mcp", "/oauth/token", "/oauth/register", "/oauth/authorize?client_id=c"] {
        let answer = world.get(path).await;
        assert_eq!(header(answer.headers(), "cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn every_page_has_the_headers_that_keep_it_still() {
    let world = World::new(&["--rate-limit", "authorize=3"]).await;
    let redirect = "redirect_uri=https%3A%2F%2Fevil.example%2Fcb";
    for (query, status) in [
        (format!("client_id=c&{redirect}"), 400),
        ("client_id=c&redirect_uri=javascript%3Aalert(1)".into(), 400),
        ("client_id=c&client_id=d".into(), 400),
        (format!("client_id=c&{redirect}"), 429),
    ] {
        let page = world.get(&format!("/oauth/authorize?{query}")).await;
        assert_eq!(page.status(), status, "{query}");
        let headers = page.headers();
        assert_eq!(header(headers, "content-type"), "text/html; charset=utf-8", "{query}");
        let policy = header(headers, "content-security-policy");
        for directive in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.split("; ").any(|known| known == directive), "{query}: {policy}");
        }
        assert!(!policy.contains("script"), "{query}: {policy}");
        assert_eq!(header(headers, "cache-control"), "no-store", "{query}");
        assert_eq!(header(headers, "referrer-policy"), "no-referrer", "{query}");
        assert_eq!(header(headers, "x-content-type-options"), "nosniff", "{query}");
        assert_eq!(header(headers, "x-frame-options"), "DENY", "{query}");
        let html = String::from_utf8_lossy(page.body()).to_lowercase();
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<link"));
    }
}
