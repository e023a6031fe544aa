//! Under the Azure Functions host: the gateway as a custom handler, started by a stand-in for the
//! host in each of its modes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use mcp_entra_functions_host_stand_in::{App, FunctionsHost, Mode};
use mcp_entra_stand_in::{Endpoint, EntraStandIn, Fault};
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

use crate::harness::{
    BINARY, Log, McpServer, Options, PATIENCE, Server, SignIn, Tokens, Web, World, command, header,
    json_body, pipe, text, told, within,
};

const REDIRECT_URI: &str = "http://localhost:8787/callback";

/// What an operator does in each mode, beside the file that sets it.
fn options(mode: Mode) -> Options {
    match mode {
        Mode::Envelope => Options::default().variable("MCP_ENTRA_FUNCTIONS_ENVELOPE", "mcp"),
        _ => Options::default(),
    }
}

/// A function app: the host, the gateway behind it, an Entra ID and an MCP server behind that.
struct FunctionApp {
    _entra: EntraStandIn,
    host: FunctionsHost,
    behind: McpServer,
    web: Web,
    log: Log,
}

impl FunctionApp {
    async fn start(mode: Mode) -> Self {
        let app = Self::starting(
            EntraStandIn::builder().start().await.expect("it starts"),
            mode,
            options(mode),
        )
        .await;
        app.ready().await;
        app
    }

    async fn starting(entra: EntraStandIn, mode: Mode, options: Options) -> Self {
        let behind = McpServer::start().await;
        // the resource is known from WEBSITE_HOSTNAME, which the host sets, as on Azure
        let options = options
            .or(&World::options(&entra, &behind.url()))
            .or(&Options::default().arguments(&["serve"]));
        Self::of(App::catch_all(mode), command(&options), entra, behind).await
    }

    async fn of(app: App, mut handler: Command, entra: EntraStandIn, behind: McpServer) -> Self {
        handler.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let started = FunctionsHost::start(app, handler, listen);
        let mut host = within("the host starts", started).await.expect("the handler answers");
        let log = Log::of(host.take_stderr().expect("its standard error is a pipe"));
        Self { _entra: entra, host, behind, web: Web::new(), log }
    }

    async fn ready(&self) {
        let ready = self.url("/readyz");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.web.get(&ready).await.status() != 200 {
            assert!(tokio::time::Instant::now() < deadline, "{}", self.log.text());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.host.address().port())
    }

    fn sign_in(&self) -> SignIn<'_> {
        SignIn::at(&self.web, self.url(""), REDIRECT_URI)
    }

    /// A client that has signed in.
    async fn client(&self) -> rmcp::service::RunningService<rmcp::RoleClient, ()> {
        let Tokens { access_token, .. } = self.sign_in().tokens().await;
        let config = StreamableHttpClientTransportConfig::with_uri(self.url("/mcp"))
            .auth_header(access_token);
        let transport =
            StreamableHttpClientTransport::with_client(reqwest::Client::default(), config);
        within("it connects", ().serve(transport)).await.expect("an MCP server")
    }
}

async fn the_whole_way(mode: Mode) {
    let app = FunctionApp::start(mode).await;

    let challenge = app.web.get(&app.url("/mcp")).await;
    assert_eq!(challenge.status(), 401);
    let resource = app.url("/mcp");
    let metadata = app.url("/.well-known/oauth-protected-resource/mcp");
    let header = header(challenge.headers(), "www-authenticate");
    assert!(header.contains(&format!("resource_metadata=\"{metadata}\"")), "{header}");
    assert_eq!(json_body(&app.web.get(&metadata).await)["resource"], *resource);
    let document = app.web.get(&app.url("/.well-known/oauth-authorization-server")).await;
    assert_eq!(json_body(&document)["issuer"], app.url(""));

    let client = app.client().await;
    let call = client.call_tool(CallToolRequestParams::new("greet"));
    let greeting = within("it greets", call).await.expect("an answer");
    assert!(format!("{greeting:?}").contains("Hello, Ada!"), "{greeting:?}");
}

#[tokio::test]
async fn sign_in_and_a_tool_call_where_the_host_proxies() {
    the_whole_way(Mode::Proxying).await;
}

#[tokio::test]
async fn sign_in_and_a_tool_call_where_the_host_forwards() {
    the_whole_way(Mode::Forwarding).await;
}

#[tokio::test]
async fn sign_in_and_a_tool_call_in_the_envelope() {
    the_whole_way(Mode::Envelope).await;
}

/// A copy of an app as a user has it: the files that are deployed, the binary, and a server of
/// their own.
fn copy_of(name: &str, server: &str) -> PathBuf {
    let root = std::env::temp_dir().join(format!("mcp-entra-{name}-{}", std::process::id()));
    _ = std::fs::remove_dir_all(&root);
    let deployed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions/deploy").join(name);
    let copied = Command::new("cp").arg("-R").arg(&deployed).arg(&root).status();
    assert!(copied.expect("cp runs").success());
    std::os::unix::fs::symlink(BINARY, root.join("mcp-entra")).expect("a link");
    // it stays executable
    std::fs::write(root.join("start"), server).expect("it is ours");
    root
}

#[tokio::test]
async fn the_apps_that_are_deployed_work() {
    for name in ["app", "app-by-profile"] {
        let root = copy_of(name, "#!/bin/sh\necho port=$PORT >&2\nexec sleep 1000\n");
        let mut app = App::read(&root).expect("the host takes it");
        assert_eq!(app.mode, Mode::Proxying);
        assert!(app.settings.iter().any(|(name, _)| name == "MCP_ENTRA_TENANT"), "{name}");
        // whoever else is on this machine may have it
        app.port = None;
        let entra = EntraStandIn::builder().start().await.unwrap();
        let authority = Options::default().variable("MCP_ENTRA_AUTHORITY", entra.authority());
        let handler = told(app.handler().expect("host.json names it"), &authority);
        let app = FunctionApp::of(app, handler, entra, McpServer::start().await).await;

        let Tokens { access_token, .. } = app.sign_in().tokens().await;
        app.log.says("port=").await;
        let port =
            app.log.lines().iter().find_map(|line| line.strip_prefix("port=").map(str::to_owned));
        let address = format!("127.0.0.1:{}", port.expect("the server was started"));
        let listener = tokio::net::TcpListener::bind(address).await.expect("it is free");
        let _server = Server::at(listener, |_| async { text(http::StatusCode::OK, "called") });
        let answer = app.web.get_as(&access_token, &app.url("/mcp")).await;
        assert_eq!(answer.body(), "called", "{name}");
        drop(app);
        _ = std::fs::remove_dir_all(root);
    }
}

#[tokio::test]
async fn a_refresh_passes_in_every_mode() {
    for mode in [Mode::Proxying, Mode::Forwarding, Mode::Envelope] {
        let app = FunctionApp::start(mode).await;
        let tokens = app.sign_in().tokens().await;
        let answer = app.sign_in().refresh(&tokens.refresh_token).await;
        assert_ne!(Tokens::of(&answer).access_token, tokens.access_token, "{mode:?}");
    }
}

#[tokio::test]
async fn the_host_has_its_answer_even_while_entra_is_away() {
    for (mode, resource) in [
        (Mode::Proxying, ""),
        (Mode::Envelope, ""),
        // the ping goes to the resource itself
        (Mode::Proxying, "https://mcp.example.com/"),
    ] {
        let entra = EntraStandIn::builder().start().await.unwrap();
        entra.set_fault(Endpoint::Discovery, Some(Fault::Slow(PATIENCE * 10)));
        let options = options(mode).variable("MCP_ENTRA_RESOURCE", resource);
        // it starts when the ping is answered
        let app = FunctionApp::starting(entra, mode, options).await;
        assert_eq!(app.web.get(&app.url("/healthz")).await.status(), 200);
        assert_eq!(app.web.get(&app.url("/readyz")).await.status(), 503);
    }
}

#[tokio::test]
async fn the_first_event_arrives_before_the_last_is_sent_where_the_host_proxies() {
    let (writer, body) = pipe();
    let body = std::sync::Arc::new(std::sync::Mutex::new(Some(body)));
    let server = Server::start(move |_| {
        let body = body.lock().unwrap().take();
        async move {
            let response = Response::builder().header("content-type", "text/event-stream");
            Ok(response.body(body.expect("one request")).expect("a response"))
        }
    })
    .await;
    let entra = EntraStandIn::builder().start().await.unwrap();
    let options = Options::default().arguments(&["--upstream", &server.url("/mcp")]);
    let app = FunctionApp::starting(entra, Mode::Proxying, options).await;
    app.ready().await;

    let Tokens { access_token, .. } = app.sign_in().tokens().await;
    let get =
        Request::get(app.url("/mcp")).header("authorization", format!("Bearer {access_token}"));
    let mut events = app.web.open(get.body(crate::harness::empty()).unwrap()).await.into_body();
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        writer.send(event.into()).await.expect("somebody reads");
        let frame = within("an event", events.frame()).await.expect("an event").unwrap();
        assert_eq!(frame.into_data().unwrap(), event);
    }
    drop(writer);
    assert!(within("the end", events.frame()).await.is_none());
}

#[tokio::test]
async fn in_the_envelope_an_endless_stream_is_not_offered() {
    let app = FunctionApp::start(Mode::Envelope).await;
    let client = app.client().await;
    // the client has opened its stream of events by now, or has been told that there is none
    within("the tools", client.list_all_tools()).await.expect("the session goes on");
    let Tokens { access_token, .. } = app.sign_in().tokens().await;
    let opened = app.behind.seen().into_iter().find(|head| head.method == "POST");
    let session = opened.map(|_| app.behind.last_headers()["mcp-session-id"].clone());
    let mut get = Request::get(app.url("/mcp"))
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {access_token}"));
    if let Some(session) = session {
        get = get.header("mcp-session-id", session);
    }
    let answer = app.web.send(get.body("").unwrap()).await;
    assert_eq!(answer.status(), 405, "{:?}", answer.body());
    assert_eq!(header(answer.headers(), "allow"), "POST, DELETE");
}

#[tokio::test]
async fn a_parameter_that_is_given_twice_is_refused_in_every_mode() {
    for mode in [Mode::Proxying, Mode::Forwarding, Mode::Envelope] {
        let app = FunctionApp::start(mode).await;
        let mut url = app.sign_in().authorize_url("s");
        url.query_pairs_mut()
            .append_pair("redirect_uri", "https://claude.ai/api/mcp/auth_callback");
        let answer = app.web.get(url.as_str()).await;
        assert_eq!(answer.status(), 400, "{mode:?}");
        assert!(!answer.headers().contains_key("location"), "{mode:?}");
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_missed_where_the_host_drops_it() {
    let app = FunctionApp::start(Mode::Envelope).await;
    let (writer, body) = pipe();
    drop(writer);
    let post = Request::post(app.url("/oauth/token")).body(body).unwrap();
    let answer = app.web.open(post).await;
    assert_eq!(answer.status(), 411);
}

/// Whoever could post an envelope could say who has signed in.
#[tokio::test]
async fn an_envelope_is_believed_only_where_the_operator_says_so() {
    let app = FunctionApp::start(Mode::Proxying).await;
    let Tokens { access_token, .. } = app.sign_in().tokens().await;
    let forged =
        r#"{"Data":{"req":{"Url":"http://localhost/healthz","Method":"GET","Headers":{}}}}"#;
    let post = |path: &str| {
        let post = Request::post(app.url(path)).header("content-type", "application/json");
        post.header("authorization", format!("Bearer {access_token}"))
    };
    let answer: Response<Bytes> = app.web.send(post("/mcp/echo").body(forged).unwrap()).await;
    assert_eq!(json_body(&answer)["body"], forged, "the server behind sees it as it is");

    // in the envelope mode a client's own is but the body of a request
    let app = FunctionApp::start(Mode::Envelope).await;
    let answer = app.web.send(
        Request::post(app.url("/mcp"))
            .header("content-type", "application/json")
            .body(forged)
            .unwrap(),
    );
    assert_eq!(answer.await.status(), 401);
}

#[tokio::test]
async fn the_envelope_needs_a_port_that_the_host_alone_can_reach() {
    let server = Server::start(|_| async { text(http::StatusCode::OK, "") }).await;
    for (listen, name, problem) in [
        ("0.0.0.0:0", "mcp", "whoever reaches 0.0.0.0:0 could say who they are"),
        ("127.0.0.1:0", "api/mcp", "it is not the name of a function"),
    ] {
        let options = Options::default()
            .arguments(&["serve", "--listen", listen, "--functions-envelope", name])
            .variable("MCP_ENTRA_UPSTREAM", server.url("/mcp"))
            .variable("MCP_ENTRA_RESOURCE", "https://mcp.example.com/mcp")
            .variable("MCP_ENTRA_TENANT", "contoso.com")
            .variable("MCP_ENTRA_CLIENT_ID", mcp_entra_stand_in::EXAMPLE_CLIENT);
        let output = command(&options).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        let named =
            format!("--functions-envelope (MCP_ENTRA_FUNCTIONS_ENVELOPE) '{name}': {problem}");
        assert!(text.contains(&named), "{text}");
    }
}
