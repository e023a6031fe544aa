//! What a client sees while Entra ID, or the server behind, does not do what it should.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use mcp_entra_stand_in::{CODES, Endpoint, Fault, Surface};

use crate::harness::{Reply, Server, SignIn, Tokens, World, error_of, header, json_body, text};

const REDIRECT_URI: &str = "http://localhost:8787/callback";

/// Status, error and `Retry-After` of an answer.
type Seen = (u16, String, String);

fn seen(response: &Response<Bytes>) -> Seen {
    let retry_after = header(response.headers(), "retry-after").to_owned();
    (response.status().as_u16(), error_of(response), retry_after)
}

/// What a client is to see for a fault, and what it saw.
struct Row {
    what: String,
    expected: Seen,
    seen: Seen,
}

/// Fails with the whole table if a row is not as expected.
fn assert_all(table: &[Row]) {
    let line = |row: &Row| {
        let mark = if row.seen == row.expected { "  " } else { "->" };
        format!("{mark} {:40} expected {:?}, was {:?}\n", row.what, row.expected, row.seen)
    };
    let wrong = table.iter().filter(|row| row.seen != row.expected).count();
    let lines: String = table.iter().map(line).collect();
    assert_eq!(wrong, 0, "\n{lines}");
}

#[tokio::test]
async fn a_fault_of_the_token_endpoint_is_temporary_and_costs_no_sign_in() {
    let busy = |status, retry_after: &str| {
        (status, "temporarily_unavailable".to_owned(), retry_after.to_owned())
    };
    let world = World::new(&[]).await;
    let client = SignIn::new(&world, REDIRECT_URI);
    let tokens = client.tokens().await;
    let mut table = Vec::new();
    for (fault, expected) in [
        (Fault::Outage, busy(503, "")),
        (Fault::Status(429, Some(30)), busy(429, "30")),
        (Fault::Status(429, None), busy(429, "")),
        (Fault::Status(500, None), busy(503, "")),
        (Fault::Status(502, None), busy(503, "")),
        (Fault::Status(503, Some(7)), busy(503, "7")),
        (Fault::Status(504, None), busy(503, "")),
        (Fault::Status(404, None), busy(503, "")),
        (Fault::Html, busy(503, "")),
        (Fault::Empty, busy(503, "")),
        (Fault::Endless, busy(503, "")),
        (Fault::Huge, busy(503, "")),
        (Fault::Bom, busy(503, "")),
        (Fault::Reset, busy(503, "")),
        (Fault::Redirect("http://127.0.0.1:9/".into()), busy(503, "")),
        (Fault::Slow(Duration::from_millis(100)), (200, String::new(), String::new())),
    ] {
        world.entra.clear_requests();
        world.entra.fault_next(Endpoint::Token, fault.clone());
        let answer = client.refresh(&tokens.refresh_token).await;
        assert_eq!(answer.headers()["cache-control"], "no-store", "{fault:?}");
        assert_eq!(world.asked(Endpoint::Token).len(), 1, "{fault:?}: tried once");
        // and the refresh token has lost nothing by it
        Tokens::of(&client.refresh(&tokens.refresh_token).await);
        table.push(Row { what: format!("{fault:?}"), expected, seen: seen(&answer) });
    }
    assert!(!world.gateway.log().text().contains("panicked"));
    assert_all(&table);
}

#[tokio::test]
async fn a_policy_of_the_tenant_becomes_an_error_that_clients_know() {
    let world = World::new(&[]).await;
    let client = SignIn::new(&world, REDIRECT_URI);
    let tokens = client.tokens().await;
    let mut table = Vec::new();
    for (code, status, error) in [
        (50020, 400, "invalid_grant"),
        (50076, 400, "invalid_grant"),
        (50079, 400, "invalid_grant"),
        (50105, 500, "server_error"),
        (50173, 400, "invalid_grant"),
        (53000, 400, "invalid_grant"),
        (53003, 400, "invalid_grant"),
        (65001, 400, "invalid_grant"),
        (70043, 400, "invalid_grant"),
        (700016, 500, "server_error"),
        (700025, 500, "server_error"),
        (700082, 400, "invalid_grant"),
        (7000215, 500, "server_error"),
        (7000218, 500, "server_error"),
        (7000222, 500, "server_error"),
        (90033, 503, "temporarily_unavailable"),
    ] {
        world.entra.refuse_next(Endpoint::Token, code).expect("the stand-in knows the code");
        let answer = client.refresh(&tokens.refresh_token).await;
        let body = json_body(&answer);
        let description = body["error_description"].as_str().unwrap_or_default();
        assert!(description.contains(&format!("AADSTS{code}")), "{code}: {body}");
        assert!(description.contains("mcp-entra: "), "{code} is explained: {body}");
        assert!(body["correlation_id"].is_string(), "{code}: {body}");
        table.push(Row {
            what: format!("AADSTS{code}"),
            expected: (status, error.to_owned(), String::new()),
            seen: seen(&answer),
        });
    }
    assert_all(&table);
}

/// Whatever Entra ID says, no client is told that it is not known, which would cost it its
/// registration, or something that no client knows.
#[tokio::test]
async fn no_code_of_entras_becomes_an_error_that_misleads() {
    let world = World::new(&[]).await;
    let client = SignIn::new(&world, REDIRECT_URI);
    let tokens = client.tokens().await;
    let known = [
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "invalid_target",
        "server_error",
        "temporarily_unavailable",
        "unsupported_grant_type",
    ];
    let mut misleading = Vec::new();
    for entry in CODES.iter().filter(|entry| entry.surfaces.contains(&Surface::Token)) {
        world.entra.refuse_next(Endpoint::Token, entry.code).expect("it is one of its codes");
        let answer = client.refresh(&tokens.refresh_token).await;
        let (status, error, _) = seen(&answer);
        let expected: &[u16] = match error.as_str() {
            "server_error" => &[500],
            "temporarily_unavailable" => &[429, 503],
            _ => &[400],
        };
        if !known.contains(&error.as_str()) || !expected.contains(&status) {
            misleading.push(format!("AADSTS{}: {status} {error}", entry.code));
        }
    }
    assert!(misleading.is_empty(), "{misleading:#?}");
}

#[tokio::test]
async fn a_code_is_never_sent_twice() {
    let world = World::new(&[]).await;
    let client = SignIn::new(&world, REDIRECT_URI);
    for fault in [Fault::Status(503, None), Fault::Reset, Fault::Outage] {
        let code = client.code("s").await;
        world.entra.clear_requests();
        world.entra.fault_next(Endpoint::Token, fault.clone());
        let answer = client.redeem(&code).await;
        assert_eq!(error_of(&answer), "temporarily_unavailable", "{fault:?}");
        assert_eq!(world.asked(Endpoint::Token).len(), 1, "{fault:?}");
    }
    let code = client.code("s").await;
    Tokens::of(&client.redeem(&code).await);
    let again = client.redeem(&code).await;
    assert_eq!(seen(&again), (400, "invalid_grant".into(), String::new()));
}

#[tokio::test]
async fn a_bad_token_request_never_reaches_entra() {
    let world = World::new(&[]).await;
    let url = world.url("/oauth/token");
    let form = "application/x-www-form-urlencoded";
    let long = format!("grant_type=refresh_token&refresh_token={}", "a".repeat(1 << 20));
    let no_utf8 = "grant_type=refresh_token&refresh_token=%ff%fe".to_owned();
    let twice = "grant_type=refresh_token&refresh_token=a&refresh%5Ftoken=b".to_owned();
    for (content_type, body, status, error) in [
        (form, String::new(), 400, "invalid_request"),
        (form, "grant_type=password&username=a".into(), 400, "unsupported_grant_type"),
        (form, "grant_type=refresh_token".into(), 400, "invalid_request"),
        (form, twice, 400, "invalid_request"),
        (form, no_utf8, 400, "invalid_request"),
        (form, long, 413, "invalid_request"),
        ("application/json", "{}".into(), 400, "invalid_request"),
    ] {
        let shown = body.get(..60).unwrap_or(&body).to_owned();
        let request = Request::post(&url).header("content-type", content_type).body(body).unwrap();
        // each on a connection of its own: one whose body was not read is not used again
        let answer = crate::harness::Web::new().send(request).await;
        assert_eq!(seen(&answer), (status, error.into(), String::new()), "{shown}");
    }
    assert!(world.asked(Endpoint::Token).is_empty());
}

async fn world_behind(reply: fn(Request<Incoming>) -> Reply) -> (World, Server) {
    let server = Server::start(move |request| async move { reply(request) }).await;
    (World::new(&["--upstream", &server.url("/mcp")]).await, server)
}

async fn call(world: &World) -> Response<Bytes> {
    world.web.get_as(&world.token(), &world.url("/mcp")).await
}

#[tokio::test]
async fn a_server_behind_that_is_down_is_a_bad_gateway() {
    let (world, server) = world_behind(|_| text(StatusCode::OK, "up")).await;
    assert_eq!(call(&world).await.status(), 200);
    drop(server);
    assert_eq!(call(&world).await.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(world.get("/mcp").await.status(), 401, "without a token it is as ever");
    world.gateway.log().says("did not answer").await;

    let (world, _server) = world_behind(|_| Err(std::io::ErrorKind::ConnectionReset.into())).await;
    let answer = call(&world).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(!String::from_utf8_lossy(answer.body()).contains("127.0.0.1"), "nothing of the inside");
}

#[tokio::test]
async fn a_server_behind_that_says_401_itself_gets_our_challenge() {
    let (world, _server) = world_behind(|_| {
        let mut response = text(StatusCode::UNAUTHORIZED, "who?")?;
        let own = "Bearer resource_metadata=\"https://elsewhere.example/\"";
        response.headers_mut().insert("www-authenticate", own.parse().expect("a value"));
        Ok(response)
    })
    .await;
    let answer = call(&world).await;
    assert_eq!(answer.status(), 401);
    let challenges: Vec<_> = answer.headers().get_all("www-authenticate").iter().collect();
    let [challenge] = challenges.as_slice() else { panic!("one challenge: {challenges:?}") };
    let metadata = world.url("/.well-known/oauth-protected-resource/mcp");
    assert!(challenge.to_str().unwrap_or_default().contains(&metadata), "{challenge:?}");
    assert_eq!(answer.body(), "who?");
}

#[tokio::test]
async fn what_else_the_server_behind_says_passes_as_it_is() {
    let (world, _server) = world_behind(|request| {
        let status = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(200);
        let mut response = text(StatusCode::from_u16(status).expect("a status"), "text")?;
        for (name, value) in [
            ("mcp-session-id", "7"),
            ("set-cookie", "a=b"),
            ("location", "/there"),
            ("keep-alive", "1"),
        ] {
            response.headers_mut().append(name, value.parse().expect("a value"));
        }
        Ok(response)
    })
    .await;
    for status in [200, 202, 301, 403, 404, 418, 500, 503] {
        let url = world.url(&format!("/mcp?{status}"));
        let answer = world.web.get_as(&world.token(), &url).await;
        assert_eq!(answer.status(), status);
        for (name, value) in
            [("mcp-session-id", "7"), ("set-cookie", "a=b"), ("location", "/there")]
        {
            assert_eq!(header(answer.headers(), name), value, "{status}");
        }
        assert!(!answer.headers().contains_key("keep-alive"), "{status}");
        assert!(!answer.headers().contains_key("www-authenticate"), "{status}");
    }
}
