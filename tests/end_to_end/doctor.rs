//! A newcomer's walk: a registration as `app-registration` prints it, a gateway, a sign-in; then one
//! setting after the other is broken, and each time `doctor` names that very setting.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{Request, StatusCode};
use hyper::body::Incoming;
use mcp_entra_stand_in::{Application, EXAMPLE_CLIENT, EntraStandIn, User};
use serde_json::{Value, json};

use crate::harness::{Gateway, McpServer, Options, Server, SignIn, World, command, text, within};

const SECRET: &str = "a-secret~of.the_app";
const CURSOR: &str = "http://localhost:8787/callback";

/// The stand-in with nobody signed in, as it is for the doctor, and a server behind.
struct Newcomer {
    entra: Arc<EntraStandIn>,
    behind: McpServer,
    registration: Value,
}

/// What the doctor said.
#[derive(Debug)]
struct Said {
    status: Option<i32>,
    report: Value,
}

impl Newcomer {
    /// Generates the registration and loads it.
    async fn new() -> Self {
        let mut registration = generated().await;
        // Graph shows a secret's end and never its value, which the stand-in has to know
        registration["passwordCredentials"] = json!([{"displayName": "mcp-entra", "endDateTime": "2999-01-01T00:00:00Z", "secretText": SECRET}]);
        let entra = EntraStandIn::builder().signed_out().application(load(&registration));
        let entra = Arc::new(entra.start().await.expect("the stand-in starts"));
        Self { entra, behind: McpServer::start().await, registration }
    }

    async fn gateway(&self, arguments: &[&str]) -> Gateway {
        let needed = World::options(&self.entra, &self.behind.url())
            .variable("MCP_ENTRA_CLIENT_SECRET", SECRET);
        Gateway::start(&Options::default().arguments(arguments).or(&needed)).await
    }

    /// Asks about a gateway with these arguments.
    async fn doctor(&self, gateway: &[&str], doctor: &[&str]) -> Said {
        let gateway = self.gateway(gateway).await;
        doctor_at(&format!("{}/mcp", gateway.origin()), doctor).await
    }

    /// Asks about a gateway that is right, with a registration that is not, which the doctor reads.
    async fn doctor_of_registration(&self, breaking: impl FnOnce(&mut Value)) -> Said {
        let mut broken = self.registration.clone();
        breaking(&mut broken);
        self.entra.set_application(load(&broken));
        let file = TemporaryFile::new(&shown(broken).to_string());
        let said = self.doctor(&[], &["--app-registration", &file.path()]).await;
        self.entra.set_application(load(&self.registration));
        said
    }
}

impl Said {
    fn worst(&self) -> &Value {
        &self.report["findings"][0]
    }

    fn ids(&self, severity: &str) -> Vec<&str> {
        let findings = self.report["findings"].as_array().expect("findings");
        let of = findings.iter().filter(|finding| finding["severity"] == severity);
        of.filter_map(|finding| finding["id"].as_str()).collect()
    }

    fn fate(&self, client: &str) -> &str {
        let clients = self.report["clients"].as_array().expect("clients");
        let client = clients.iter().find(|known| known["id"] == client).expect("a known client");
        client["fate"].as_str().expect("a fate")
    }

    /// The worst finding is this one, names this setting, and shows this value.
    #[track_caller]
    fn names(&self, id: &str, setting: &str, value: &str) {
        assert_eq!(self.status, Some(1), "{:#}", self.report);
        let worst = self.worst();
        assert_eq!(worst["id"], id, "{:#}", self.report);
        let named = worst["setting"].as_str().unwrap_or_default();
        assert!(named.split(", ").any(|name| name == setting), "{setting} in {worst:#}");
        let said = format!("{worst:#} {}", self.report["sentence"]);
        assert!(said.contains(value), "{value} in {worst:#}");
    }
}

async fn generated() -> Value {
    let options = Options::default().arguments(&[
        "app-registration",
        "--resource",
        "https://mcp.example.com/mcp",
        "--client-id",
        EXAMPLE_CLIENT,
        "--as",
        "json",
    ]);
    let (status, text) = run(options).await;
    assert_eq!(status, Some(0), "{text}");
    serde_json::from_str(&text).expect("JSON")
}

async fn doctor_at(resource: &str, arguments: &[&str]) -> Said {
    let options =
        Options::default().arguments(&["doctor", resource, "--json"]).arguments(arguments);
    let (status, text) = run(options).await;
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    Said { status, report }
}

/// Runs the binary to its end; its standard output.
async fn run(options: Options) -> (Option<i32>, String) {
    let output = tokio::task::spawn_blocking(move || command(&options).output());
    let output = within("it ends", output).await.expect("no panic").expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn load(registration: &Value) -> Application {
    serde_json::from_value(registration.clone()).expect("a registration")
}

/// As Graph shows it.
fn shown(mut registration: Value) -> Value {
    for secret in registration["passwordCredentials"].as_array_mut().into_iter().flatten() {
        secret["secretText"] = Value::Null;
    }
    registration
}

fn remove(registration: &mut Value, platform: &str, uri: &str) {
    let uris = registration[platform]["redirectUris"].as_array_mut().expect("redirect URIs");
    let before = uris.len();
    uris.retain(|known| known != uri);
    assert_eq!(uris.len(), before - 1, "{uri} was there");
}

struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(text: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcp-entra-doctor-{}-{number}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("a temporary file");
        Self(path)
    }

    fn path(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn the_generated_registration_signs_in_and_nothing_is_wrong() {
    let newcomer = Newcomer::new().await;
    let file = TemporaryFile::new(&shown(newcomer.registration.clone()).to_string());
    let gateway = newcomer.gateway(&[]).await;
    let said =
        doctor_at(&format!("{}/mcp", gateway.origin()), &["--app-registration", &file.path()])
            .await;
    assert_eq!(said.status, Some(0), "{:#}", said.report);
    assert_eq!(said.report["deployment"], "mcp-entra");
    assert_eq!(said.ids("fault"), [""; 0]);
    // the stand-in answers strictly where the facts leave a doubt
    assert!(
        said.ids("warning").iter().all(|id| *id == "loopback-port-matters"),
        "{:#}",
        said.report
    );
    for client in ["chatgpt", "claude", "claude-code", "cursor", "gemini-cli", "vscode"] {
        assert!(["passes", "partly"].contains(&said.fate(client)), "{client}: {:#}", said.report);
    }
    assert_eq!(said.fate("codex"), "unseen");
    let asked = newcomer.entra.requests();
    assert!(asked.iter().all(|request| request.parameter("code_verifier").is_none_or(|_| {
        request.parameter("code").as_deref() == Some("mcp-entra-doctor-has-no-code")
    })));

    newcomer.entra.set_signed_in(Some(User::default()));
    let world = World::around(
        newcomer.entra,
        Options::default().variable("MCP_ENTRA_CLIENT_SECRET", SECRET),
    )
    .await;
    world.ready().await;
    for redirect_uri in [CURSOR, "https://claude.ai/api/mcp/auth_callback"] {
        let tokens = SignIn::new(&world, redirect_uri).tokens().await;
        let answer = world.web.get_as(&tokens.access_token, &world.url("/mcp/echo")).await;
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn each_setting_of_the_gateway_is_named() {
    let newcomer = Newcomer::new().await;
    let other = "11111111-1111-4111-8111-111111111111";

    let said = newcomer.doctor(&["--client-id", other], &[]).await;
    said.names("client-unknown", "--client-id", other);

    let said = newcomer.doctor(&["--tenant", other], &[]).await;
    said.names("tenant-unknown", "--tenant", other);
    assert!(said.ids("fault").contains(&"authorization-server-metadata-missing"));

    let another_cloud = EntraStandIn::builder().tenant(other).start().await.expect("it starts");
    let said = newcomer.doctor(&["--authority", &another_cloud.authority()], &[]).await;
    said.names("tenant-unknown", "--authority", &another_cloud.authority());

    let said = newcomer.doctor(&["--authority", "http://127.0.0.1:9"], &[]).await;
    said.names("entra-unreachable", "--authority", "http://127.0.0.1:9");

    let said = newcomer.doctor(&["--app-id-uri", "api://another"], &[]).await;
    said.names("app-id-uri-unknown", "--app-id-uri", "api://another");

    let said = newcomer.doctor(&["--resource", "http://127.0.0.1:9/mcp"], &[]).await;
    said.names("resource-metadata-elsewhere", "--resource", "http://127.0.0.1:9/");

    let gateway = newcomer.gateway(&[]).await;
    let said = doctor_at(&format!("{}/sse", gateway.origin()), &[]).await;
    said.names("endpoint-not-found", "--resource", "/sse");

    let connector = "https://global.consent.azure-apim.net/redirect/contoso";
    let said = newcomer.doctor(&[], &["--redirect-uri", connector]).await;
    said.names("registration-refused", "--redirect-uri", connector);
    // the operator adds it to the gateway, and forgets the registration
    let arguments = ["--redirect-uri", connector];
    let said = newcomer.doctor(&arguments, &arguments).await;
    said.names("redirect-uri-not-registered", "redirectUris", connector);
}

#[tokio::test]
async fn each_setting_of_the_registration_is_named() {
    let newcomer = Newcomer::new().await;
    let gone = "cursor://anysphere.cursor-mcp/oauth/callback";

    let said = newcomer.doctor_of_registration(|it| remove(it, "publicClient", gone)).await;
    said.names("redirect-uri-not-registered", "redirectUris", gone);
    assert_eq!(said.fate("cursor"), "partly");

    let said = newcomer
        .doctor_of_registration(|it| {
            remove(it, "publicClient", gone);
            it["spa"] = json!({"redirectUris": [gone]});
        })
        .await;
    said.names("app-registration-differs", "spa.redirectUris", gone);

    let said = newcomer.doctor_of_registration(|it| it["passwordCredentials"] = json!([])).await;
    said.names("app-registration-differs", "passwordCredentials", "AADSTS7000218");

    let said = newcomer
        .doctor_of_registration(|it| {
            it["passwordCredentials"][0]["endDateTime"] = json!("2020-01-01T00:00:00Z");
        })
        .await;
    said.names("app-registration-differs", "passwordCredentials", "AADSTS7000222");

    let said =
        newcomer.doctor_of_registration(|it| it["api"]["oauth2PermissionScopes"] = json!([])).await;
    said.names("app-registration-differs", "api.oauth2PermissionScopes", "access_as_user");

    let said = newcomer
        .doctor_of_registration(|it| {
            it["api"]["oauth2PermissionScopes"][0]["isEnabled"] = json!(false);
        })
        .await;
    said.names("app-registration-differs", "api.oauth2PermissionScopes", "disabled");

    let said =
        newcomer.doctor_of_registration(|it| it["identifierUris"] = json!(["api://another"])).await;
    said.names("app-id-uri-unknown", "--app-id-uri", &format!("api://{EXAMPLE_CLIENT}"));
    assert!(said.ids("fault").contains(&"app-registration-differs"), "{:#}", said.report);

    let said = newcomer
        .doctor_of_registration(|it| it["api"]["requestedAccessTokenVersion"] = Value::Null)
        .await;
    said.names("app-registration-differs", "api.requestedAccessTokenVersion", "version 1");

    let said =
        newcomer.doctor_of_registration(|it| it["isFallbackPublicClient"] = json!(false)).await;
    said.names("app-registration-differs", "isFallbackPublicClient", "public client flows");
    let command = said.worst()["command"].as_str().unwrap_or_default();
    assert!(command.contains("--is-fallback-public-client true"), "{command}");
}

#[tokio::test]
async fn a_server_that_names_entra_itself_fails_and_it_is_said_for_whom() {
    let entra = EntraStandIn::builder().signed_out().start().await.expect("it starts");
    let issuer = format!("{}/{}/v2.0", entra.authority(), entra.tenant());
    let server = bare_entra(issuer.clone()).await;
    let resource = server.url("/mcp");

    let said = doctor_at(&resource, &["--client-id", EXAMPLE_CLIENT]).await;

    assert_eq!(said.status, Some(1));
    assert_eq!(said.report["deployment"], "entra");
    let faults = said.ids("fault");
    for id in [
        "authorization-server-is-entra",
        "s256-missing",
        "registration-missing",
        "mcp-origin-metadata-missing",
        "resource-forwarded",
    ] {
        assert!(faults.contains(&id), "{id} in {faults:?}");
    }
    let warnings = said.ids("warning");
    for id in [
        "rfc-8414-metadata-missing",
        "refresh-token-missing",
        "public-clients-missing",
        "preflight-refused",
    ] {
        assert!(warnings.contains(&id), "{id} in {warnings:?}");
    }
    for client in ["cursor", "claude", "chatgpt", "vscode", "gemini-cli", "mcp-remote"] {
        assert_eq!(said.fate(client), "fails", "{client}");
    }
    // our options are nobody else's
    let findings = said.report["findings"].as_array().expect("findings");
    assert!(findings.iter().all(|it| it["setting"].as_str().is_none_or(|s| !s.starts_with("--"))));
}

/// An MCP server as one is written by hand: a good challenge, and metadata that names Entra.
async fn bare_entra(issuer: String) -> Server {
    Server::start(move |request: Request<Incoming>| {
        let issuer = issuer.clone();
        async move {
            let host = request.headers()["host"].to_str().unwrap_or_default().to_owned();
            let path = "/.well-known/oauth-protected-resource";
            if request.uri().path().starts_with(path) {
                let document = json!({
                    "resource": format!("http://{host}/mcp"),
                    "authorization_servers": [issuer],
                    "scopes_supported": [format!("api://{EXAMPLE_CLIENT}/access_as_user")],
                });
                let mut answer = text(StatusCode::OK, document.to_string())?;
                answer
                    .headers_mut()
                    .insert("content-type", "application/json".parse().expect("a value"));
                return Ok(answer);
            }
            if request.uri().path() != "/mcp" {
                return text(StatusCode::NOT_FOUND, "");
            }
            let mut answer = text(StatusCode::UNAUTHORIZED, "")?;
            let challenge = format!(
                "Bearer resource_metadata=\"http://{host}{path}/mcp\", \
                 scope=\"api://{EXAMPLE_CLIENT}/access_as_user\""
            );
            answer.headers_mut().insert("www-authenticate", challenge.parse().expect("a value"));
            Ok(answer)
        }
    })
    .await
}

#[tokio::test]
async fn an_open_server_a_redirect_and_a_broken_challenge_are_told_apart() {
    for (path, id) in [
        ("/open", "anonymous-allowed"),
        ("/moved", "endpoint-redirects"),
        ("/forbidden", "status-not-401"),
        ("/nothing", "endpoint-not-found"),
        ("/basic", "challenge-missing"),
        ("/relative", "resource-metadata-relative"),
        ("/unreadable", "challenge-unparseable"),
    ] {
        let server = Server::start(|request: Request<Incoming>| async move {
            let (status, name, value) = match request.uri().path() {
                "/open" => (200, "x", "x"),
                "/moved" => (307, "location", "https://elsewhere.example/mcp"),
                "/forbidden" => (403, "x", "x"),
                "/basic" => (401, "www-authenticate", "Basic realm=\"x\""),
                "/relative" => (401, "www-authenticate", "Bearer resource_metadata=\"/x\""),
                "/unreadable" => (401, "www-authenticate", "Bearer resource_metadata=https://h/x"),
                _ => (404, "x", "x"),
            };
            let mut answer = text(StatusCode::from_u16(status).expect("a status"), "")?;
            answer.headers_mut().insert(name, value.parse().expect("a value"));
            Ok(answer)
        })
        .await;
        let said = doctor_at(&server.url(path), &["--client", "cursor"]).await;
        assert_eq!(said.status, Some(1), "{path}");
        assert!(said.ids("fault").contains(&id), "{path}: {:#}", said.report);
        // nobody was led elsewhere
        let hosts = said.report["hosts"].as_array().expect("hosts");
        assert_eq!(hosts.len(), 1, "{path}: {hosts:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_has_a_status_of_its_own() {
    let said = doctor_at("http://127.0.0.1:9/mcp", &[]).await;
    assert_eq!(said.status, Some(3));
    assert_eq!(said.report["reached"], false);
    assert_eq!(said.worst()["id"], "unreachable");
    assert!(said.report["sentence"].as_str().expect("a sentence").contains("refused"));
}

#[tokio::test]
async fn options_that_cannot_be_read_are_named() {
    for (arguments, named) in [
        (&["doctor", "not a URL"][..], "not a URL"),
        (&["doctor", "ftp://h/mcp"], "ftp://h/mcp"),
        (&["doctor", "https://h/mcp", "--client", "netscape"], "netscape"),
        (&["doctor", "https://h/mcp", "--app-registration", "/no/such/file"], "/no/such/file"),
        (&["doctor", "https://h/mcp", "--redirect-uri", "javascript:x"], "javascript:x"),
        (&["doctor", "https://user@h/mcp"], "user name"),
    ] {
        let options = Options::default().arguments(arguments);
        let output = tokio::task::spawn_blocking(move || command(&options).output());
        let output = within("it ends", output).await.expect("no panic").expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(named), "{named} in {said}");
    }
}

#[tokio::test]
async fn the_report_for_people_is_plain_fits_and_ends_in_the_sentence_that_matters() {
    let newcomer = Newcomer::new().await;
    let gateway = newcomer.gateway(&["--client-id", "11111111-1111-4111-8111-111111111111"]).await;
    let resource = format!("{}/mcp", gateway.origin());
    let (status, report) = run(Options::default().arguments(&["doctor", &resource])).await;
    assert_eq!(status, Some(1));
    assert!(!report.contains('\u{1b}'), "no colours in a pipe");
    for line in report.lines() {
        let words = line.split_whitespace().count();
        let copied = line.trim_start().starts_with("run ");
        assert!(line.chars().count() <= 80 || words <= 2 || copied, "{line}");
    }
    let last = report.trim_end().rsplit("\n\n").next().unwrap_or_default();
    assert!(last.contains("Entra does not know the application 11111111-"), "{last}");
    assert!(last.contains("--client-id"), "{last}");
}
