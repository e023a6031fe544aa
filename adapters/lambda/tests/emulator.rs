//! Functions under cargo-lambda's emulator of AWS Lambda, as processes: the example with the real
//! rmcp client, and one whose events stream.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::header::{HeaderName, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mcp_entra_stand_in::{EXAMPLE_CLIENT, EntraStandIn, User};
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::auth::{AuthClient, AuthorizationRequest, OAuthState};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{AuthorizationManager, StreamableHttpClientTransport};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

const REDIRECT_URI: &str = "http://localhost:8787/callback";
/// Against hanging; nothing here is timed.
const PATIENCE: Duration = Duration::from_secs(60);

/// An Entra ID, and a function under the emulator.
struct World {
    entra: EntraStandIn,
    origin: String,
    emulator: Child,
    log: PathBuf,
}

impl World {
    /// Starts a function, known to the world under `origin` or else under the emulator's own.
    async fn new(function: &str, origin: Option<&str>, port: u16, gate: &str) -> Self {
        let entra = EntraStandIn::builder().start().await.unwrap();
        let own = format!("http://127.0.0.1:{port}");
        let origin = origin.unwrap_or(&own).to_owned();
        let log =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("emulator-{function}-{port}.log"));
        let written = File::create(&log).unwrap();
        let mut emulate = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("emulate"));
        emulate
            .arg(port.to_string())
            .arg(example(function))
            .env("MCP_ENTRA_RESOURCE", format!("{origin}/mcp"))
            .env("MCP_ENTRA_TENANT", entra.tenant())
            .env("MCP_ENTRA_CLIENT_ID", EXAMPLE_CLIENT)
            .env("MCP_ENTRA_AUTHORITY", entra.authority())
            .env("GATE", gate)
            .stdin(Stdio::null())
            .stdout(written.try_clone().unwrap())
            .stderr(written);
        let mut world = Self { entra, origin, emulator: emulate.spawn().unwrap(), log };
        world.ready(&format!("{own}/.well-known/oauth-protected-resource")).await;
        world
    }

    /// Waits until the function answers, and says what is missing where it never will.
    async fn ready(&mut self, url: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !reqwest::get(url).await.is_ok_and(|answer| answer.status() == 200) {
            let ended = self.emulator.try_wait().unwrap();
            let log = self.log.display();
            assert!(ended.is_none(), "it ended; is cargo-lambda of .ci/tools.txt there? see {log}");
            assert!(tokio::time::Instant::now() < deadline, "the function is silent; see {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn token(&self) -> String {
        let scope = format!("api://{EXAMPLE_CLIENT}/access_as_user");
        self.entra.access_token_for(&User::default(), EXAMPLE_CLIENT, &scope).unwrap()
    }
}

impl Drop for World {
    /// The script takes its children along when it is asked to end, and not when it is killed.
    fn drop(&mut self) {
        _ = Command::new("kill").arg(self.emulator.id().to_string()).status();
        _ = self.emulator.wait();
    }
}

/// A program that was built with this test, beside it.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("examples").join(name)
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("{what}: it hangs"))
}

/// A REST API in front of a function: it renames a header.
async fn renaming_platform(port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let forward = move |request: Request<Incoming>| async move {
        let (head, body) = request.into_parts();
        let url = format!("http://127.0.0.1:{port}{}", head.uri);
        let body = body.collect().await.unwrap().to_bytes();
        let web = browser().request(head.method, url).headers(head.headers).body(body);
        let answer = web.send().await.unwrap();
        let mut response = Response::builder().status(answer.status());
        *response.headers_mut().unwrap() = renamed(answer.headers());
        Ok::<_, Infallible>(response.body(Full::new(answer.bytes().await.unwrap())).unwrap())
    };
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(forward));
            tokio::spawn(connection);
        }
    });
    origin
}

fn renamed(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove("transfer-encoding");
    if let Some(challenge) = headers.remove(WWW_AUTHENTICATE) {
        headers.insert(HeaderName::from_static("x-amzn-remapped-www-authenticate"), challenge);
    }
    headers
}

fn browser() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Follows redirects as a browser does, to the one that goes to the client.
async fn browse(url: &str) -> String {
    let mut url = url.to_owned();
    while !url.starts_with(REDIRECT_URI) {
        let answer = browser().get(&url).send().await.unwrap();
        url = answer.headers().get(LOCATION).expect("a redirect").to_str().unwrap().to_owned();
    }
    url
}

/// The real rmcp client: it discovers, registers, signs in, and calls the tool.
async fn greeting(world: &World) -> String {
    let url = world.url("/mcp");
    let mut state = OAuthState::new(&url, None).await.unwrap();
    let request = AuthorizationRequest::new(REDIRECT_URI).with_client_name("rmcp");
    state.start_authorization(request).await.expect("it discovers and registers");
    let callback = browse(&state.get_authorization_url().await.unwrap()).await;
    state.handle_callback_url(&callback).await.expect("it gets its tokens");
    let manager: AuthorizationManager = state.into_authorization_manager().unwrap();
    manager.refresh_token().await.expect("it refreshes");

    let auth = AuthClient::new(reqwest::Client::default(), manager);
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let client = ().serve(StreamableHttpClientTransport::with_client(auth, config)).await;
    let result = client.unwrap().call_tool(CallToolRequestParams::new("greet")).await.unwrap();
    result.content[0].as_text().unwrap().text.clone()
}

#[tokio::test]
async fn rmcp_signs_in_and_is_greeted() {
    let world = World::new("lambda_notes", None, free_port().await, "").await;
    assert_eq!(within("the sign-in", greeting(&world)).await, "Hello, Ada!");
    let token_requests =
        world.entra.requests().into_iter().filter(|request| request.path.ends_with("/token"));
    assert_eq!(token_requests.count(), 2, "a code, and a refresh");
}

#[tokio::test]
async fn rmcp_signs_in_where_the_platform_renames_the_challenge() {
    let port = free_port().await;
    let platform = renaming_platform(port).await;
    let world = World::new("lambda_notes", Some(&platform), port, "").await;

    let refused = browser().post(world.url("/mcp")).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.headers().contains_key("x-amzn-remapped-www-authenticate"));
    assert!(!refused.headers().contains_key(WWW_AUTHENTICATE));

    assert_eq!(within("the sign-in", greeting(&world)).await, "Hello, Ada!");
}

#[tokio::test]
async fn the_first_event_arrives_before_the_last_is_sent() {
    let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gate.local_addr().unwrap().to_string();
    let world = World::new("lambda_gated", None, free_port().await, &address).await;

    let call = browser().get(world.url("/mcp")).bearer_auth(world.token()).send();
    let mut answer = within("the head", call).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut arrived = Vec::new();
    while !arrived.ends_with(b"\n\n") {
        let chunk = within("the first event", answer.chunk()).await.unwrap();
        arrived.extend(chunk.expect("more to come"));
    }
    assert_eq!(arrived, b"data: first\n\n");

    let (mut function, _) = within("the function waits", gate.accept()).await.unwrap();
    function.write_u8(1).await.unwrap();
    assert_eq!(within("the last event", answer.text()).await.unwrap(), "data: last\n\n");
}
