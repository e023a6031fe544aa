//! What a client may cost: each limit is an option, and each is answered clearly.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::mpsc;

use crate::harness::{
    Options, Server, SignIn, Web, Wire, World, error_of, header, pipe, status_of, text, within,
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_the_next_one_served() {
    let world = World::new(&["--max-connections", "3"]).await;
    let get = "GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n";
    let mut held = Vec::new();
    // one is that of the world's own client
    for _ in 0..2 {
        let mut wire = Wire::to(&world.gateway).await;
        wire.send(get).await;
        assert_eq!(status_of(&wire.some().await), 200);
        held.push(wire);
    }

    for _ in 0..3 {
        let mut refused = Wire::to(&world.gateway).await;
        refused.send(get).await;
        let answer = refused.rest().await;
        assert_eq!(status_of(&answer), 503, "{answer}");
        assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(answer.ends_with("try again\n"), "{answer}");
    }
    world.gateway.log().says("as many connections as may be").await;

    held.pop();
    let served = async {
        loop {
            let mut wire = Wire::to(&world.gateway).await;
            wire.send(get).await;
            if status_of(&wire.some().await) == 200 {
                break;
            }
        }
    };
    within("a place is free again", served).await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_told_so() {
    let world = World::new(&["--max-header-length", "8192"]).await;
    for (length, status) in [(4 * 1024, 401), (9 * 1024, 431), (1024 * 1024, 431)] {
        let mut wire = Wire::to(&world.gateway).await;
        wire.send("GET /mcp HTTP/1.1\r\nconnection: close\r\nhost: h\r\nx-long: ").await;
        wire.send(vec![b'a'; length]).await;
        wire.send("\r\n\r\n").await;
        assert_eq!(status_of(&wire.some().await), status, "{length}");
    }
    let mut wire = Wire::to(&world.gateway).await;
    wire.send("GET /mcp HTTP/1.1\r\n").await;
    for number in 0..1000 {
        wire.send(format!("x-{number}: 1\r\n")).await;
    }
    assert_eq!(status_of(&wire.some().await), 431, "too many headers");
    let mut wire = Wire::to(&world.gateway).await;
    wire.send(format!("GET /mcp?{} HTTP/1.1\r\nhost: h\r\n\r\n", "a".repeat(70_000))).await;
    assert!([414, 431].contains(&status_of(&wire.some().await)), "a long target");
    assert_eq!(world.get("/healthz").await.status(), 200, "it serves others");
}

/// Slowloris: many connections, each of which goes on sending a little of a head.
#[tokio::test]
async fn slow_heads_are_held_off_and_others_are_served_meanwhile() {
    let world = World::new(&["--header-timeout", "2"]).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut wire = Wire::to(&world.gateway).await;
        wire.send("GET /mcp HTTP/1.1\r\nhost: h\r\n").await;
        slow.push(wire);
    }
    for number in 0..2 {
        for wire in &mut slow {
            wire.send(format!("x-{number}: 1\r\n")).await;
        }
        assert_eq!(world.get("/healthz").await.status(), 200);
        tokio::time::sleep(SECOND / 2).await;
    }
    for wire in slow {
        let answer = wire.rest().await;
        assert_eq!(status_of(&answer), 408, "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_is_closed_without_a_word() {
    let world = World::new(&["--header-timeout", "1"]).await;
    assert_eq!(Wire::to(&world.gateway).await.rest().await, "");

    let get = "GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n";
    let mut kept = Wire::to(&world.gateway).await;
    kept.send(get).await;
    assert_eq!(status_of(&kept.some().await), 200);
    // longer than a first head may take: a proxy in front keeps its connections too
    tokio::time::sleep(2 * SECOND).await;
    kept.send(get).await;
    assert_eq!(status_of(&kept.some().await), 200);
    kept.send("GET /healthz HTTP/1.1\r\n").await;
    assert_eq!(status_of(&kept.rest().await), 408, "a head that has begun has no longer");

    let world = World::new(&["--idle-timeout", "1"]).await;
    let mut kept = Wire::to(&world.gateway).await;
    kept.send(get).await;
    let answer = kept.rest().await;
    assert_eq!((status_of(&answer), answer.matches("HTTP/1.1").count()), (200, 1), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_a_timeout_whoever_reads_it() {
    let rules = ["--operation-scope", "tools/call:x=mcp.write", "--body-timeout", "1"];
    let world = World::new(&rules).await;
    let (held, form) = (world.token(), "application/x-www-form-urlencoded");
    for (what, path, method, content_type) in [
        ("read for a token", "/oauth/token", "POST", form),
        ("read for a registration", "/oauth/register", "POST", "application/json"),
        ("read for an operation", "/mcp", "POST", "application/json"),
        ("passed on", "/mcp/echo", "PUT", "application/json"),
    ] {
        let mut wire = Wire::to(&world.gateway).await;
        wire.send(format!(
            "{method} {path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {held}\r\n\
             content-type: {content_type}\r\ncontent-length: 100\r\n\r\nthe beginning"
        ))
        .await;
        let answer = wire.some().await;
        assert_eq!(status_of(&answer), 408, "{what}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_pauses_and_goes_on_is_passed_on_for_as_long_as_it_takes() {
    let world = World::new(&["--body-timeout", "2"]).await;
    let (writer, body) = pipe();
    let put = Request::builder()
        .method(Method::PUT)
        .uri(world.url("/mcp/echo"))
        .header("authorization", format!("Bearer {}", world.token()))
        .body(body)
        .expect("a request");
    let write = async {
        // longer than the bound on one pause, all in all
        for _ in 0..5 {
            writer.send(Bytes::from_static(b"abc")).await.expect("somebody reads");
            tokio::time::sleep(SECOND * 6 / 10).await;
        }
        drop(writer);
    };
    let (answer, ()) = tokio::join!(world.web.open(put), write);
    assert_eq!(answer.status(), 200);
    let body = within("the answer", answer.into_body().collect()).await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("abcabcabcabcabc"));
}

#[tokio::test]
async fn a_message_that_has_to_be_read_may_be_as_long_as_the_operator_says() {
    let rules = ["--operation-scope", "tools/call:x=mcp.write", "--max-message-length", "2048"];
    let world = World::new(&rules).await;
    for (length, status) in [(2048, 200), (2049, 413)] {
        let mut message = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned();
        message.push_str(&" ".repeat(length - message.len()));
        let post = Request::post(world.url("/mcp/echo"))
            .header("authorization", format!("Bearer {}", world.token()));
        let answer = Web::new().send(post.body(message).expect("a request")).await;
        assert_eq!(answer.status(), status, "{length}");
    }
}

/// A client that stops reading costs what fits into the buffers on the way, and not for ever.
#[tokio::test]
async fn a_client_that_reads_nothing_holds_no_memory_and_is_cut_off() {
    let (answers, mut receiver) = mpsc::channel(1);
    let server = Server::start(move |_: Request<Incoming>| {
        let answers = answers.clone();
        async move {
            let (writer, body) = pipe();
            answers.send(writer).await.expect("the test is there");
            Ok(Response::new(body))
        }
    })
    .await;
    let world = World::new(&["--upstream", &server.url("/mcp"), "--write-timeout", "2"]).await;
    let before = memory(&world);

    let mut wire = Wire::to(&world.gateway).await;
    let get = "GET /mcp HTTP/1.1\r\nhost: h\r\nauthorization: Bearer";
    wire.send(format!("{get} {}\r\n\r\n", world.token())).await;
    let writer = within("it comes through", receiver.recv()).await.expect("a writer");
    let mut most = before;
    let written = async {
        let mut written = 0;
        // an end of it is an error: the gateway has hung up
        while writer.send(vec![b'a'; 1024 * 1024].into()).await.is_ok() {
            written += 1;
            assert!(written < 256, "somebody reads without end");
            most = most.max(memory(&world));
        }
    };
    within("it is cut off", written).await;
    assert!(most - before < 16 * 1024 * 1024, "from {before} to {most} octets");
    drop(wire);
}

/// What the gateway has in memory; 0 where the system does not tell.
fn memory(world: &World) -> usize {
    crate::harness::memory(world.gateway.id()).unwrap_or_default()
}

#[tokio::test]
async fn a_server_behind_that_does_not_begin_an_answer_is_a_gateway_timeout() {
    let server = Server::start(|request: Request<Incoming>| async move {
        if request.uri().path() == "/mcp/silent" {
            std::future::pending::<()>().await;
        }
        let (writer, body) = pipe();
        tokio::spawn(async move {
            // longer than it may take to begin
            for _ in 0..4 {
                tokio::time::sleep(SECOND / 2).await;
                _ = writer.send("data: 1\n\n".into()).await;
            }
        });
        Ok(Response::new(body))
    })
    .await;
    let world = World::new(&["--upstream", &server.url("/mcp"), "--upstream-timeout", "1"]).await;
    let silent = world.web.get_as(&world.token(), &world.url("/mcp/silent")).await;
    assert_eq!(silent.status(), 504);
    let stream = world.web.get_as(&world.token(), &world.url("/mcp/stream")).await;
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.body().len(), 4 * "data: 1\n\n".len(), "once it has begun it takes its time");
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let limits = "token=2 register=1 authorize=1";
    let options = Options::default()
        .variable("MCP_ENTRA_RATE_LIMITS", limits)
        .variable("MCP_ENTRA_TRUSTED_PROXIES", "1");
    let world = World::with(mcp_entra_stand_in::EntraStandIn::builder(), options).await;
    world.ready().await;
    let from = async |method: Method, path: &str, address: &str| {
        let request = Request::builder()
            .method(method)
            .uri(world.url(path))
            .header("x-forwarded-for", format!("203.0.113.99, {address}"));
        world.web.send(request.body("").expect("a request")).await
    };
    for address in ["192.0.2.1", "192.0.2.2"] {
        for (method, path, allowed) in [
            (Method::POST, "/oauth/token", 2),
            (Method::POST, "/oauth/register", 1),
            (Method::GET, "/oauth/authorize", 1),
        ] {
            for _ in 0..allowed {
                assert_eq!(from(method.clone(), path, address).await.status(), 400, "{path}");
            }
            let refused = from(method, path, address).await;
            assert_eq!(refused.status(), 429, "{path}");
            let wait: u64 = header(refused.headers(), "retry-after").parse().expect("seconds");
            assert!((1..=60).contains(&wait), "{path}: {wait}");
            if path == "/oauth/authorize" {
                assert!(header(refused.headers(), "content-type").starts_with("text/html"));
            } else {
                assert_eq!(error_of(&refused), "temporarily_unavailable", "{path}");
            }
        }
        // the rest has no limit
        for _ in 0..5 {
            assert_eq!(from(Method::GET, "/mcp", address).await.status(), 401);
        }
    }
    world.gateway.log().says("too many requests").await;
    let client = SignIn::new(&world, "http://localhost:8787/callback");
    client.tokens().await;
}

#[tokio::test]
async fn without_the_option_nobody_asks_too_often() {
    let world = World::new(&[]).await;
    for _ in 0..200 {
        let answer = world.web.post_form(&world.url("/oauth/token"), &[]).await;
        assert_eq!(answer.status(), 400);
    }
}

#[tokio::test]
async fn a_long_answer_passes_whole_to_a_client_that_reads_slowly() {
    const MIB: usize = 1024 * 1024;
    let server = Server::start(|_: Request<Incoming>| async {
        text(http::StatusCode::OK, vec![b'a'; 8 * MIB])
    })
    .await;
    let world = World::new(&["--upstream", &server.url("/mcp"), "--write-timeout", "2"]).await;
    let get = Request::get(world.url("/mcp"))
        .header("authorization", format!("Bearer {}", world.token()))
        .body(crate::harness::empty())
        .expect("a request");
    let mut body = world.web.open(get).await.into_body();
    let (mut total, mut pauses) = (0, 0);
    while let Some(frame) = within("a frame", body.frame()).await {
        total += frame.expect("it goes on").into_data().unwrap_or_default().len();
        if total / MIB > pauses {
            pauses += 1;
            // all in all longer than it may read nothing
            tokio::time::sleep(SECOND / 2).await;
        }
    }
    assert_eq!(total, 8 * MIB);
}
