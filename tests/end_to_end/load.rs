//! Many at a time: streams that stay open while others sign in and call, and an end under load.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::harness::{
    PATIENCE, Server, SignIn, Web, World, empty, memory, pipe, query, text, within,
};

const STREAMS: usize = 1000;
/// A process with a thousand streams has some fragmentation; a leak of one of them is more.
const GROWTH: usize = 24 * 1024 * 1024;
const ROUNDS: usize = 10;

type Writers = Arc<Mutex<Vec<mpsc::Sender<Bytes>>>>;

/// A server behind: GET is a stream that the test writes to, everything else an answer.
async fn streaming() -> (Server, Writers) {
    let writers = Writers::default();
    let registry = writers.clone();
    let server = Server::start(move |request: Request<Incoming>| {
        let registry = registry.clone();
        async move {
            if request.method() != http::Method::GET {
                return text(StatusCode::OK, "answered");
            }
            let (writer, body) = pipe();
            registry.lock().unwrap_or_else(PoisonError::into_inner).push(writer);
            Ok(Response::builder()
                .header("content-type", "text/event-stream")
                .body(body)
                .expect("a response"))
        }
    })
    .await;
    (server, writers)
}

/// Opens a stream and counts its events until it ends.
async fn listen(world: Arc<World>, web: Web, token: String, events: Arc<AtomicUsize>) {
    let get = Request::get(world.url("/mcp")).header("authorization", format!("Bearer {token}"));
    let mut body = web.open(get.body(empty()).expect("a request")).await.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let octets = frame.into_data().unwrap_or_default();
        let ends = octets.windows(2).filter(|pair| pair == b"\n\n").count();
        events.fetch_add(ends, Ordering::Relaxed);
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(4 * PATIENCE, wait).await.is_err() {
        panic!("{what}: not within {:?}", 4 * PATIENCE);
    }
}

/// Ten rounds; with `SOAK_MINUTES`, as many as fit (`tests/deep soak`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_stay_open_while_others_sign_in_and_call() {
    let files = rlimit::increase_nofile_limit(8192).expect("a limit");
    assert!(files > 3 * STREAMS as u64, "the system allows {files} open files");
    let (server, writers) = streaming().await;
    let world = Arc::new(World::new(&["--upstream", &server.url("/mcp")]).await);
    let (token, events) = (world.token(), Arc::new(AtomicUsize::new(0)));
    let mut streams = JoinSet::new();
    let web = Web::new();
    for _ in 0..STREAMS {
        streams.spawn(listen(world.clone(), web.clone(), token.clone(), events.clone()));
    }
    let count = || writers.lock().unwrap_or_else(PoisonError::into_inner).len();
    until("the streams are open", || count() == STREAMS).await;

    let minutes = std::env::var("SOAK_MINUTES").ok().and_then(|text| text.parse::<u64>().ok());
    let end = minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let mut settled = None;
    let mut round = 0;
    while end.map_or(round < ROUNDS, |end| Instant::now() < end || round < ROUNDS) {
        round += 1;
        let all = writers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for writer in &all {
            writer.send(format!("data: {round}\n\n").into()).await.expect("somebody reads");
        }
        let tokens = SignIn::new(&*world, "http://localhost:8787/callback").tokens().await;
        for _ in 0..20 {
            let post = Request::post(world.url("/mcp"))
                .header("authorization", format!("Bearer {}", tokens.access_token));
            let answer = world.web.send(post.body("{}").expect("a request")).await;
            assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, &b"answered"[..]));
        }
        until("every event arrives", || events.load(Ordering::Relaxed) == round * STREAMS).await;
        let now = memory(world.gateway.id());
        if round == 2 {
            settled = now;
        }
        if let (Some(settled), Some(now)) = (settled, now) {
            assert!(now < settled + GROWTH, "round {round}: from {settled} to {now} octets");
        }
    }
    let megabytes = memory(world.gateway.id()).unwrap_or_default() / (1024 * 1024);
    println!("{STREAMS} streams, {round} rounds, {megabytes} MiB");
    assert_eq!(count(), STREAMS, "none was opened anew");
    writers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    within("the streams end", streams.join_all()).await;
}

/// The ids of requests.
#[derive(Clone, Debug, Default)]
struct Ids(Arc<Mutex<BTreeSet<String>>>);

impl Ids {
    fn add(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.into());
    }

    fn all(&self) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Calls until the gateway is gone. Where `anew`, each call has a connection of its own.
async fn call_until_the_end(world: Arc<World>, token: String, caller: usize, anew: bool) -> Ids {
    let (answered, mut web) = (Ids::default(), Web::new());
    for call in 0.. {
        if anew {
            web = Web::new();
        }
        let id = format!("{caller}-{call}");
        let url = world.url(&format!("/mcp?id={id}"));
        let Some(answer) = web.try_get_as(&token, &url).await else { break };
        assert_eq!(answer.status(), 200, "{id}");
        assert_eq!(answer.body(), id.as_bytes(), "its own answer, and whole");
        answered.add(&id);
    }
    answered
}

/// What has arrived at the server behind is answered; what has not arrived can be asked again.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_termination_under_load_loses_no_request() {
    let arrived = Ids::default();
    let recorder = arrived.clone();
    let server = Server::start(move |request: Request<Incoming>| {
        let recorder = recorder.clone();
        async move {
            let uri = format!("http://behind{}", request.uri());
            let id = query(&uri.parse().expect("a URL"), "id").unwrap_or_default();
            recorder.add(&id);
            tokio::time::sleep(Duration::from_millis(30)).await;
            text(StatusCode::OK, id)
        }
    })
    .await;
    let mut world = World::new(&["--upstream", &server.url("/mcp")]).await;
    let token = world.token();
    let gateway = Arc::new(world);
    let mut callers = JoinSet::new();
    for caller in 0..40 {
        let (world, anew) = (gateway.clone(), caller % 2 == 0);
        callers.spawn(call_until_the_end(world, token.clone(), caller, anew));
    }
    until("there is load", || arrived.all().len() > 400).await;
    let before = arrived.all().len();
    gateway.gateway.terminate();

    let answered: BTreeSet<_> = within("callers see the end", callers.join_all())
        .await
        .into_iter()
        .flat_map(|ids| ids.all())
        .collect();
    let lost: Vec<_> = arrived.all().difference(&answered).cloned().collect();
    assert!(lost.is_empty(), "of {} that arrived: {lost:?}", arrived.all().len());
    assert!(answered.len() >= before, "{} and {before}", answered.len());
    world = Arc::into_inner(gateway).expect("the callers are gone");
    assert_eq!(world.gateway.ended().await.code(), Some(0));
}
