//! The binary as its operator meets it: options, ports, signals, the log.

use std::process::Output;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use mcp_entra_stand_in::{Application, Endpoint, EntraStandIn, Fault};
use tokio::sync::mpsc;

use crate::harness::{
    Gateway, Options, Server, SignIn, Tokens, VERIFIER, Web, World, command, header, pipe, within,
};

const REDIRECT_URI: &str = "http://localhost:8787/callback";

/// Runs the binary to its end.
async fn run(options: Options) -> (Option<i32>, String) {
    let output = tokio::task::spawn_blocking(move || command(&options).output());
    let Output { status, stdout, stderr } =
        within("it ends", output).await.expect("no panic").expect("it runs");
    let text = [stdout, stderr].concat();
    (status.code(), String::from_utf8_lossy(&text).into_owned())
}

fn serve() -> Options {
    Options::default().arguments(&["serve"])
}

/// Options that are right.
fn right() -> Options {
    Options::default()
        .variable("MCP_ENTRA_LISTEN", "127.0.0.1:0")
        .variable("MCP_ENTRA_RESOURCE", "https://mcp.example.com/mcp")
        .variable("MCP_ENTRA_UPSTREAM", "http://127.0.0.1:9/mcp")
        .variable("MCP_ENTRA_TENANT", "contoso.com")
        .variable("MCP_ENTRA_CLIENT_ID", mcp_entra_stand_in::EXAMPLE_CLIENT)
        // nobody listens there
        .variable("MCP_ENTRA_AUTHORITY", "http://127.0.0.1:9")
}

fn right_to_serve() -> Options {
    serve().or(&right())
}

#[tokio::test]
async fn everything_that_is_missing_is_named_at_once() {
    let (status, text) = run(serve()).await;
    assert_eq!(status, Some(2), "{text}");
    for option in ["resource", "upstream", "tenant", "client-id"] {
        let variable = option.to_uppercase().replace('-', "_");
        let named = format!("--{option} (MCP_ENTRA_{variable})");
        assert_eq!(text.matches(&named).count(), 1, "{named} in: {text}");
    }
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once_with_its_value() {
    let wrong = [
        ("listen", "MCP_ENTRA_LISTEN", "everywhere"),
        ("resource", "MCP_ENTRA_RESOURCE", "http://mcp.example.com/mcp"),
        ("upstream", "MCP_ENTRA_UPSTREAM", "ftp://behind/"),
        ("client-id", "MCP_ENTRA_CLIENT_ID", "my-app"),
        ("platform", "MCP_ENTRA_PLATFORM", "mobile"),
        ("authority", "MCP_ENTRA_AUTHORITY", "http://login.example.com"),
        ("tenant", "MCP_ENTRA_TENANT", "con/toso"),
        ("redirect-uri", "MCP_ENTRA_REDIRECT_URIS", "javascript:alert(1)"),
        ("allowed-tenant", "MCP_ENTRA_ALLOWED_TENANTS", "contoso"),
        ("scope-implies", "MCP_ENTRA_SCOPE_IMPLIES", "mcp.write"),
        ("operation-scope", "MCP_ENTRA_OPERATION_SCOPES", "tools/call"),
        ("trust", "MCP_ENTRA_TRUST", "anybody"),
        ("max-connections", "MCP_ENTRA_MAX_CONNECTIONS", "all"),
        ("rate-limit", "MCP_ENTRA_RATE_LIMITS", "login=5"),
    ];
    let by_flag = wrong.iter().fold(serve(), |options, (flag, _, value)| {
        options.arguments(&[&format!("--{flag}"), value])
    });
    let by_variable = wrong
        .iter()
        .fold(serve(), |options, (_, variable, value)| options.variable(variable, *value));
    for options in [by_flag, by_variable] {
        let (status, text) = run(options).await;
        assert_eq!(status, Some(2), "{text}");
        for (flag, variable, value) in wrong {
            let named = format!("--{flag} ({variable})");
            let line = text.lines().find(|line| line.contains(&named));
            let line = line.unwrap_or_else(|| panic!("{named} in:\n{text}"));
            assert!(line.contains(value), "{value} in: {line}");
        }
        assert_eq!(text.lines().count(), wrong.len(), "{text}");
    }
}

#[tokio::test]
async fn a_secret_comes_from_one_place() {
    let twice = right_to_serve()
        .variable("MCP_ENTRA_CLIENT_SECRET", "canary-of-a-secret")
        .variable("MCP_ENTRA_CLIENT_SECRET_FILE", "/dev/null");
    let (status, text) = run(twice).await;
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("MCP_ENTRA_CLIENT_SECRET and MCP_ENTRA_CLIENT_SECRET_FILE"), "{text}");
    assert!(!text.contains("canary"), "{text}");

    let (status, text) =
        run(right_to_serve().variable("MCP_ENTRA_CLIENT_SECRET_FILE", "/no/such/file")).await;
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("MCP_ENTRA_CLIENT_SECRET_FILE '/no/such/file'"), "{text}");

    // command lines are there for everybody to read
    let (status, text) = run(right_to_serve().arguments(&["--client-secret", "canary"])).await;
    assert_eq!(status, Some(2), "{text}");
}

#[tokio::test]
async fn a_secret_in_a_file_is_used_without_its_line_break() {
    let file = std::env::temp_dir().join(format!("mcp-entra-secret-{}", std::process::id()));
    std::fs::write(&file, "the secret\n").unwrap();
    let entra =
        EntraStandIn::builder().application(Application::example().with_secret("the secret"));
    let options =
        Options::default().variable("MCP_ENTRA_CLIENT_SECRET_FILE", file.to_string_lossy());
    let world = World::with(entra, options).await;
    world.ready().await;
    SignIn::new(&world, "https://claude.ai/api/mcp/auth_callback").tokens().await;
    let sent = world.asked(Endpoint::Token).pop().expect("a token request");
    assert_eq!(sent.parameter("client_secret").as_deref(), Some("the secret"));
    _ = std::fs::remove_file(file);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, text) = run(right_to_serve().arguments(&["--listen", &address])).await;
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("--listen (MCP_ENTRA_LISTEN)") && text.contains(&address), "{text}");
}

#[tokio::test]
async fn a_file_that_has_no_certificate_ends_it() {
    let options = right_to_serve()
        .variable("SSL_CERT_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .variable("SSL_CERT_DIR", "");
    let (status, text) = run(options).await;
    assert_eq!(status, Some(1), "{text}");
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("mcp-entra: SSL_CERT_FILE or SSL_CERT_DIR '"), "{text}");
    assert!(last.ends_with("name a PEM file that can be read"), "{text}");
}

#[tokio::test]
async fn port_0_takes_a_free_port_and_the_log_names_it() {
    for format in ["json", "text"] {
        let options = right()
            .arguments(&["--listen", "127.0.0.1:0", "--log-format", "json"])
            .variable("MCP_ENTRA_LOG_FORMAT", format);
        let gateway = Gateway::start(&options).await;
        assert!(!gateway.origin().ends_with(":0"), "{}", gateway.origin());
        let health = Web::new().get(&format!("{}/healthz", gateway.origin())).await;
        assert_eq!(health.status(), 200);
    }
}

#[tokio::test]
async fn a_flag_has_precedence_over_its_variable_and_every_list_may_be_a_variable() {
    let redirects = "https://one.example/cb\n  https://two.example/cb\thttp://127.0.0.1/three";
    let options = Options::default()
        .arguments(&["--scope", "access_as_user"])
        .variable("MCP_ENTRA_SCOPE", "never.this")
        .variable("MCP_ENTRA_REDIRECT_URIS", redirects);
    let world = World::with(EntraStandIn::builder(), options).await;
    world.ready().await;
    let challenge = world.get("/mcp").await;
    let challenge = header(challenge.headers(), "www-authenticate");
    assert!(challenge.ends_with(r#"scope="access_as_user""#), "{challenge}");
    for uri in ["https://one.example/cb", "https://two.example/cb", "http://127.0.0.1:5/three"] {
        let client = SignIn::new(&world, uri);
        let answer = world.web.get(client.authorize_url("s").as_str()).await;
        assert_eq!(answer.status(), 302, "{uri}");
    }
    let client = SignIn::new(&world, "https://three.example/cb");
    let answer = world.web.get(client.authorize_url("s").as_str()).await;
    assert_eq!(answer.status(), 400);
    assert!(!answer.headers().contains_key("location"));
}

#[tokio::test]
async fn the_help_names_every_option_and_its_variable() {
    let (status, text) = run(serve().arguments(&["--help"])).await;
    assert_eq!(status, Some(0), "{text}");
    for (flag, variable) in [
        ("listen", "LISTEN"),
        ("resource", "RESOURCE"),
        ("upstream", "UPSTREAM"),
        ("tenant", "TENANT"),
        ("client-id", "CLIENT_ID"),
        ("platform", "PLATFORM"),
        ("scope", "SCOPE"),
        ("app-id-uri", "APP_ID_URI"),
        ("authority", "AUTHORITY"),
        ("redirect-uri", "REDIRECT_URIS"),
        ("trust", "TRUST"),
        ("forward-token", "FORWARD_TOKEN"),
        ("operation-scope", "OPERATION_SCOPES"),
        ("scope-implies", "SCOPE_IMPLIES"),
        ("allowed-tenant", "ALLOWED_TENANTS"),
        ("max-connections", "MAX_CONNECTIONS"),
        ("max-header-length", "MAX_HEADER_LENGTH"),
        ("max-message-length", "MAX_MESSAGE_LENGTH"),
        ("header-timeout", "HEADER_TIMEOUT"),
        ("idle-timeout", "IDLE_TIMEOUT"),
        ("body-timeout", "BODY_TIMEOUT"),
        ("write-timeout", "WRITE_TIMEOUT"),
        ("entra-timeout", "ENTRA_TIMEOUT"),
        ("upstream-timeout", "UPSTREAM_TIMEOUT"),
        ("drain-timeout", "DRAIN_TIMEOUT"),
        ("rate-limit", "RATE_LIMITS"),
        ("trusted-proxies", "TRUSTED_PROXIES"),
        ("log-format", "LOG_FORMAT"),
        ("log", "LOG"),
    ] {
        let named = |line: &str| line.split_whitespace().any(|word| word == format!("--{flag}"));
        assert!(text.lines().any(named), "--{flag} in: {text}");
        assert!(text.contains(&format!("MCP_ENTRA_{variable}")), "{variable} in: {text}");
    }
}

#[tokio::test]
async fn the_help_names_the_variables_that_have_no_flag() {
    let (_, text) = run(serve().arguments(&["--help"])).await;
    for variable in ["MCP_ENTRA_CLIENT_SECRET", "MCP_ENTRA_CLIENT_SECRET_FILE"] {
        assert!(text.contains(variable), "{variable} in: {text}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_termination_waits_for_what_is_under_way_and_is_a_success() {
    let (answers, mut asked) = mpsc::channel::<mpsc::Sender<Bytes>>(1);
    let server = Server::start(move |_: Request<Incoming>| {
        let answers = answers.clone();
        async move {
            let (writer, body) = pipe();
            answers.send(writer).await.expect("the test is there");
            Ok(Response::new(body))
        }
    })
    .await;
    let mut world = World::new(&["--upstream", &server.url("/mcp")]).await;
    let (token, url) = (world.token(), world.url("/mcp"));
    let web = world.web.clone();
    let call = tokio::spawn(async move { web.get_as(&token, &url).await });
    let writer = within("a request comes through", asked.recv()).await.expect("a writer");

    world.gateway.terminate();
    world.gateway.log().says("shutting down").await;
    writer.send("answered ".into()).await.expect("somebody reads");
    writer.send("to the end".into()).await.expect("somebody reads");
    drop(writer);

    assert_eq!(call.await.unwrap().body(), "answered to the end");
    assert_eq!(world.gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn nothing_secret_is_ever_in_the_log() {
    for level in ["info", "debug", "trace"] {
        let secret = "canary-client-secret";
        let entra = EntraStandIn::builder().application(Application::example().with_secret(secret));
        let options = Options::default()
            .arguments(&["--log", level, "--forward-token"])
            .variable("MCP_ENTRA_CLIENT_SECRET", secret);
        let world = World::with(entra, options).await;
        world.ready().await;

        let mut secrets = vec![secret.to_owned(), VERIFIER.to_owned(), "canary-state".into()];
        for redirect_uri in ["https://claude.ai/api/mcp/auth_callback", REDIRECT_URI] {
            let client = SignIn::new(&world, redirect_uri);
            let code = client.code("canary-state").await;
            let tokens = Tokens::of(&client.redeem(&code).await);
            let refreshed = Tokens::of(&client.refresh(&tokens.refresh_token).await);
            // what goes wrong is told too
            world.entra.fault_next(Endpoint::Token, Fault::Reset);
            client.refresh("canary-refresh-token").await;
            client.refresh("canary-refresh-token").await;
            client.redeem("canary-code").await;
            for token in [&tokens.access_token, &refreshed.access_token] {
                world.web.get_as(token, &world.url("/mcp/echo?canary-query")).await;
            }
            world.web.get_as("canary.bearer.token", &world.url("/mcp")).await;
            let forged = format!("{}x", tokens.access_token);
            world.web.get_as(&forged, &world.url("/mcp")).await;
            secrets.extend([code, forged]);
            for Tokens { access_token, refresh_token } in [tokens, refreshed] {
                secrets.extend([refresh_token, access_token]);
            }
        }
        secrets.extend(
            ["canary-refresh-token", "canary-code", "canary.bearer", "canary-query"]
                .map(String::from),
        );

        let log = world.gateway.log().text();
        assert!(log.contains("/oauth/token"), "{level}: the log is there");
        for secret in secrets {
            // a part of one is as bad
            let part = &secret[..secret.len().min(60)];
            let line = log.lines().find(|line| line.contains(part));
            assert_eq!(line, None, "{level}: {part}");
            if let Some((_, signature)) = secret.rsplit_once('.').filter(|_| secret.len() > 100) {
                assert!(!log.contains(signature), "{level}: a signature");
            }
        }
    }
}
