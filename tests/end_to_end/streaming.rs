//! What passes, passes as it comes: nothing waits for an end.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rmcp::model::{CallToolRequestParams, ProgressNotificationParam};
use rmcp::service::NotificationContext;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, RoleClient, ServiceExt as _};
use tokio::sync::{Mutex, mpsc};

use crate::harness::{Sent, Server, Web, World, empty, json_body, peak_memory, pipe, text, within};

const MIB: usize = 1024 * 1024;

/// A request with Ada's token.
fn request(world: &World, method: Method, path: &str, body: Sent) -> Request<Sent> {
    Request::builder()
        .method(method)
        .uri(world.url(path))
        .header("authorization", format!("Bearer {}", world.token()))
        .body(body)
        .expect("a request")
}

/// Hands progress on to a test.
struct Progress(mpsc::UnboundedSender<f64>);

impl ClientHandler for Progress {
    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.0.send(progress.progress).expect("the test is there");
    }
}

#[tokio::test]
async fn a_tool_reports_progress_while_it_works() {
    let world = World::new(&[]).await;
    let config =
        StreamableHttpClientTransportConfig::with_uri(world.url("/mcp")).auth_header(world.token());
    let transport = StreamableHttpClientTransport::with_client(reqwest::Client::default(), config);
    let (sender, mut progress) = mpsc::unbounded_channel();
    let client = within("it connects", Progress(sender).serve(transport)).await.unwrap();

    let call = client.call_tool(CallToolRequestParams::new("count"));
    let watch = async {
        assert_eq!(progress.recv().await, Some(1.0));
        // the tool goes no further before this, so the first notification did not wait for it
        world.behind.open_gate();
        assert_eq!(progress.recv().await, Some(2.0));
        assert_eq!(progress.recv().await, Some(3.0));
    };
    let (result, ()) = within("it counts", async { tokio::join!(call, watch) }).await;
    assert!(format!("{result:?}").contains("counted"), "{result:?}");
}

/// A server behind whose answers a test writes while they are sent.
async fn written_answers() -> (Server, mpsc::Receiver<mpsc::Sender<Bytes>>) {
    let (answers, receiver) = mpsc::channel(1);
    let server = Server::start(move |_: Request<Incoming>| {
        let answers = answers.clone();
        async move {
            let (writer, body) = pipe();
            answers.send(writer).await.expect("the test is there");
            let response = Response::builder().header("content-type", "text/event-stream");
            Ok(response.body(body).expect("a response"))
        }
    })
    .await;
    (server, receiver)
}

#[tokio::test]
async fn the_first_event_arrives_before_the_last_is_sent() {
    let (server, mut answers) = written_answers().await;
    for rules in [&[][..], &["--operation-scope", "tools/call:x=mcp.write"]] {
        let upstream = server.url("/mcp");
        let world = World::new(&[&["--upstream", &upstream][..], rules].concat()).await;
        let (mut writer, message) = (None, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        let post = request(&world, Method::POST, "/mcp", message.to_owned().boxed_unsync());
        let answer = async {
            writer = answers.recv().await;
            let writer = writer.as_ref().expect("a request came through");
            writer.send("data: 1\n\n".into()).await.expect("somebody reads");
        };
        let (response, ()) = tokio::join!(world.web.open(post), answer);
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");

        let mut body = response.into_body();
        for event in ["data: 2\n\n", "data: 3\n\n"] {
            let frame = within("an event", body.frame()).await.expect("an event").unwrap();
            assert!(frame.into_data().unwrap().starts_with(b"data: "));
            let writer = writer.as_ref().expect("the answer goes on");
            writer.send(event.into()).await.expect("somebody reads");
        }
        drop(writer);
        let rest = within("the end", body.collect()).await.unwrap().to_bytes();
        assert_eq!(rest, "data: 3\n\n");
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_ends_the_stream_behind() {
    let (server, mut answers) = written_answers().await;
    let world = World::new(&["--upstream", &server.url("/mcp")]).await;

    let stream = world.web.open(request(&world, Method::GET, "/mcp", empty()));
    let (response, writer) = tokio::join!(stream, answers.recv());
    let writer = writer.expect("a request came through");
    writer.send("data: 1\n\n".into()).await.expect("somebody reads");
    drop(response);

    within("the server behind learns of it", writer.closed()).await;
}

#[tokio::test]
async fn a_client_that_gives_up_waiting_ends_the_request_behind() {
    let (dropped, mut gone) = mpsc::channel::<()>(1);
    let (dropped, arrived) =
        (Arc::new(Mutex::new(Some(dropped))), Arc::new(tokio::sync::Notify::new()));
    let notify = arrived.clone();
    let server = Server::start(move |_: Request<Incoming>| {
        let (dropped, notify) = (dropped.clone(), notify.clone());
        async move {
            // it goes with this future, and this future only with the connection
            let _dropped = dropped.lock().await.take();
            notify.notify_one();
            std::future::pending().await
        }
    })
    .await;
    let world = World::new(&["--upstream", &server.url("/mcp")]).await;

    let get = request(&world, Method::GET, "/mcp", empty());
    let web = world.web.clone();
    let waiting = tokio::spawn(async move { web.open(get).await });
    within("a request comes through", arrived.notified()).await;
    waiting.abort();

    within("the server behind learns of it", gone.recv()).await;
}

/// A server behind that counts what it is sent, and says when the first of it is there.
async fn counting() -> (Server, mpsc::Receiver<Result<usize, String>>) {
    let (counts, receiver) = mpsc::channel(64);
    let server = Server::start(move |request: Request<Incoming>| {
        let counts = counts.clone();
        async move {
            let mut total = 0;
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                let count = frame.map(|frame| frame.into_data().unwrap_or_default().len());
                let broken = count.is_err();
                total += count.as_ref().copied().unwrap_or_default();
                // a test that has seen enough does not read on
                _ = counts.try_send(count.map_err(|error| error.to_string()));
                if broken {
                    break;
                }
            }
            text(StatusCode::OK, total.to_string())
        }
    })
    .await;
    (server, receiver)
}

#[tokio::test]
async fn a_large_upload_arrives_while_it_is_sent_and_is_not_held() {
    let (server, mut counts) = counting().await;
    let world = World::new(&["--upstream", &server.url("/mcp")]).await;
    let before = peak_memory(world.gateway.id());

    let (writer, body) = pipe();
    let upload = async {
        writer.send(vec![b'a'; 64 * 1024].into()).await.expect("somebody reads");
        assert!(within("the first of it arrives", counts.recv()).await.is_some());
        for _ in 0..20 {
            writer.send(vec![b'a'; MIB].into()).await.expect("somebody reads");
        }
        drop(writer);
    };
    let post = request(&world, Method::POST, "/mcp", body);
    let (response, ()) = tokio::join!(world.web.open(post), upload);

    let total = within("the count", response.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(total, (20 * MIB + 64 * 1024).to_string());
    if let (Some(before), Some(after)) = (before, peak_memory(world.gateway.id())) {
        assert!(after - before < 10 * MIB, "from {before} to {after} octets");
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_breaks_off_behind() {
    let (server, mut counts) = counting().await;
    let world = World::new(&["--upstream", &server.url("/mcp")]).await;

    let (writer, body) = pipe();
    let post = request(&world, Method::POST, "/mcp", body);
    let web = world.web.clone();
    let upload = tokio::spawn(async move { web.open(post).await });
    writer.send("the beginning".into()).await.expect("somebody reads");
    assert_eq!(within("the beginning", counts.recv()).await, Some(Ok(13)));
    upload.abort();

    let end = within("the end", counts.recv()).await;
    assert!(matches!(end, Some(Err(_))), "not taken for a whole one: {end:?}");
}

#[tokio::test]
async fn a_body_that_has_to_be_read_has_a_limit_and_others_have_none() {
    let world = World::new(&["--operation-scope", "tools/call:x=mcp.write"]).await;

    // one octet too many, and the answer is there before the end
    let (writer, body) = pipe();
    let too_long = async {
        writer.send(vec![b' '; 4 * MIB].into()).await.expect("somebody reads");
        writer.send(" ".into()).await.expect("somebody reads");
    };
    let post = request(&world, Method::POST, "/mcp/echo", body);
    let (refused, ()) = tokio::join!(world.web.open(post), too_long);
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(world.behind.seen().is_empty());

    let put = request(&world, Method::PUT, "/mcp/echo", empty()).map(|_| vec![b' '; 5 * MIB]);
    assert_eq!(Web::new().send(put).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_method_path_and_query_passes() {
    let world = World::new(&[]).await;
    for (method, path) in [
        (Method::GET, "/mcp/echo?a=b&c=%20%26&a=%C3%A9&empty="),
        (Method::HEAD, "/mcp/echo?a"),
        (Method::DELETE, "/mcp/echo/deeper//slashes/%20"),
        (Method::POST, "/mcp/echo?"),
        (Method::PATCH, "/mcp/echo"),
    ] {
        let body = || Bytes::from_static(b"{\"a\":1}");
        let has_body = method == Method::POST || method == Method::PATCH;
        let sent = request(&world, method.clone(), path, empty())
            .map(|_| if has_body { body() } else { Bytes::new() });
        let response = world.web.send(sent).await;

        assert_eq!(response.status(), 200, "{method} {path}");
        let seen = world.behind.seen().pop().expect("it came through");
        assert_eq!(seen.method, method);
        assert_eq!(seen.uri.to_string(), path, "{method}");
        if method == Method::HEAD {
            assert!(response.body().is_empty());
        } else if has_body {
            assert_eq!(json_body(&response)["body"], "{\"a\":1}");
            assert_eq!(seen.headers["content-length"], "7");
        }
    }
}

#[tokio::test]
async fn options_is_answered_before_anything_else() {
    let world = World::new(&[]).await;
    let preflight = Request::options(world.url("/mcp"))
        .header("origin", "http://localhost:6274")
        .header("access-control-request-method", "POST")
        .body("")
        .unwrap();
    let response = world.web.send(preflight).await;
    assert!(response.status().is_success());
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert!(world.behind.seen().is_empty());
}
