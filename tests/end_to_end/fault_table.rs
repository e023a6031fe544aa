//! The tables of `docs/faults.md`: measured here, and compared with what is written there.
//! `FAULTS=write` writes them.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use mcp_entra_stand_in::{
    EXAMPLE_CLIENT, EXAMPLE_TENANT, Endpoint, EntraStandIn, Fault, SigningKey, User,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::harness::{
    Certificate, Gateway, McpServer, Options, Reply, Server, Tls, Web, Wire, World, header, pipe,
    status_of, text, within,
};

const BEGIN: &str = "<!-- faults: begin -->\n";
const END: &str = "<!-- faults: end -->\n";

type Row = Vec<String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_of_faults_are_true() {
    let (entra, clocks, behind, clients) =
        (entra().await, clocks().await, behind().await, clients().await);
    let mut measured = String::new();
    let mut section = |title: &str, heading: &[&str], rows: &[Row]| {
        _ = write!(measured, "\n## {title}\n\n{}", table(heading, rows));
    };
    section(
        "Entra ID",
        &[
            "Entra ID",
            "metadata, never fetched",
            "call, keys never fetched",
            "token request",
            "metadata, once fetched",
            "call, once fetched",
            "call by a key rolled since",
        ],
        &entra,
    );
    section("Clocks", &["the clock of the gateway", "call"], &clocks);
    section("The MCP server behind", &["it", "the client sees"], &behind);
    section("Clients", &["a client", "sees"], &clients);
    println!("{measured}");

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    let page = std::fs::read_to_string(&file).expect("docs/faults.md");
    let (before, rest) = page.split_once(BEGIN).expect("it has a beginning");
    let (written, after) = rest.split_once(END).expect("it has an end");
    let measured = format!("{measured}\n");
    if std::env::var("FAULTS").is_ok_and(|word| word == "write") {
        let page = format!("{before}{BEGIN}{measured}{END}{after}");
        std::fs::write(&file, page).expect("docs/faults.md");
    } else {
        assert_eq!(written, measured, "FAULTS=write writes what was measured");
    }
}

fn table(heading: &[&str], rows: &[Row]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heading: Row = heading.iter().map(|cell| (*cell).to_owned()).collect();
    let rule: Row = heading.iter().map(|_| "---".to_owned()).collect();
    let rows: String = rows.iter().map(|row| line(row)).collect();
    line(&heading) + &line(&rule) + &rows
}

/// A status, and when to come again.
fn cell(answer: &Response<Bytes>) -> String {
    match header(answer.headers(), "retry-after") {
        "" => answer.status().as_str().to_owned(),
        seconds => format!("{}, Retry-After {seconds}", answer.status().as_str()),
    }
}

fn none() -> String {
    "–".into()
}

/// Entra ID, a gateway, and a server behind.
struct Site {
    entra: Arc<EntraStandIn>,
    gateway: Gateway,
    web: Web,
    _behind: McpServer,
}

impl Site {
    async fn new(entra: Arc<EntraStandIn>, options: Options) -> Self {
        let behind = McpServer::start().await;
        let options = options.or(&World::options(&entra, &behind.url()));
        let gateway = Gateway::start(&options).await;
        Self { entra, gateway, web: Web::new(), _behind: behind }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway.origin())
    }

    async fn ready(&self) {
        let ready = async {
            while self.web.get(&self.url("/readyz")).await.status() != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within("it is ready", ready).await;
    }

    async fn metadata(&self) -> String {
        cell(&self.web.get(&self.url("/.well-known/oauth-authorization-server")).await)
    }

    async fn call(&self) -> String {
        let scope = format!("api://{EXAMPLE_CLIENT}/access_as_user");
        let token = self.entra.access_token_for(&User::default(), EXAMPLE_CLIENT, &scope);
        let token = token.expect("a token");
        cell(&self.web.get_as(&token, &self.url("/mcp/echo")).await)
    }

    async fn token_request(&self) -> String {
        let form = [("grant_type", "refresh_token"), ("refresh_token", "r")];
        cell(&self.web.post_form(&self.url("/oauth/token"), &form).await)
    }

    /// The three cells of one who starts with the fault.
    async fn at_first(&self) -> [String; 3] {
        let (metadata, call, token) =
            tokio::join!(self.metadata(), self.call(), self.token_request());
        [metadata, call, token]
    }

    /// The three cells of one who has been ready before; the keys are rolled.
    async fn afterwards(&self) -> [String; 3] {
        [self.metadata().await, self.known_call().await, self.call().await]
    }

    /// A call by the key from before it was rolled.
    async fn known_call(&self) -> String {
        let call = self.call().await;
        self.entra.roll_keys();
        call
    }
}

async fn stand_in() -> Arc<EntraStandIn> {
    Arc::new(EntraStandIn::builder().start().await.expect("the stand-in starts"))
}

/// One after the other: what is compared with a time must not be kept waiting by its neighbours.
async fn entra() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |what: &str, cells: Vec<String>| {
        rows.push([what.to_owned()].into_iter().chain(cells).collect());
    };
    let (broken, good) = (stand_in().await, stand_in().await);
    for (what, fault) in [
        ("does not answer", Fault::Slow(Duration::from_secs(60))),
        ("closes connections", Fault::Outage),
        ("breaks off in the middle", Fault::Reset),
        ("sends a body without end", Fault::Endless),
        ("answers 429, Retry-After 30", Fault::Status(429, Some(30))),
        ("answers 503, Retry-After 7", Fault::Status(503, Some(7))),
        ("answers 500", Fault::Status(500, None)),
        ("answers with HTML", Fault::Html),
        ("answers with nothing", Fault::Empty),
        ("redirects", Fault::Redirect("http://127.0.0.1:9/".into())),
    ] {
        add(what, faulty(&broken, &good, fault).await);
    }
    let (mut broken, mut good) =
        (Tls::start(Certificate::Right).await, Tls::start(Certificate::Right).await);
    for (what, certificate) in [
        ("has the certificate of nobody known", Certificate::OfNobody),
        ("has the certificate of another name", Certificate::OfAnother),
        ("has an expired certificate", Certificate::Expired),
    ] {
        add(what, with_certificate(&mut broken, &mut good, certificate).await);
    }
    add("cannot be connected to", elsewhere(refusing_authority().await).await);
    add("has no address", elsewhere("https://entra.invalid".into()).await);
    rows
}

async fn faulty(broken: &Arc<EntraStandIn>, good: &Arc<EntraStandIn>, fault: Fault) -> Vec<String> {
    let options = match fault {
        Fault::Slow(_) => Options::default().arguments(&["--entra-timeout", "2"]),
        _ => Options::default(),
    };
    set_everywhere(broken, Some(&fault));
    let first = Site::new(broken.clone(), options.clone()).await.at_first().await;
    let site = Site::new(good.clone(), options).await;
    site.ready().await;
    set_everywhere(good, Some(&fault));
    let afterwards = site.afterwards().await;
    set_everywhere(good, None);
    [first, afterwards].concat()
}

fn set_everywhere(entra: &EntraStandIn, fault: Option<&Fault>) {
    for endpoint in Endpoint::ALL {
        entra.set_fault(endpoint, fault.cloned());
    }
}

async fn with_certificate(
    broken: &mut Tls,
    good: &mut Tls,
    certificate: Certificate,
) -> Vec<String> {
    let options = |tls: &Tls| Options::default().variable("SSL_CERT_FILE", tls.certificates());
    broken.show(certificate);
    let first = Site::new(broken.entra.clone(), options(broken)).await.at_first().await;
    good.show(Certificate::Right);
    let site = Site::new(good.entra.clone(), options(good)).await;
    site.ready().await;
    good.show(certificate);
    [first, site.afterwards().await].concat()
}

async fn refusing_authority() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("some port is free");
    format!("http://{}", listener.local_addr().expect("it is bound"))
}

/// An Entra ID that is not there at all, and so was never there.
async fn elsewhere(authority: String) -> Vec<String> {
    let options = Options::default().variable("MCP_ENTRA_AUTHORITY", authority);
    let site = Site::new(stand_in().await, options).await;
    [site.at_first().await, [none(), none(), none()]].concat()
}

async fn clocks() -> Vec<Row> {
    let site = Site::new(stand_in().await, Options::default()).await;
    site.ready().await;
    let mut rows = Vec::new();
    for (what, by) in [
        ("is 4 minutes behind", 240),
        ("is 10 minutes behind", 600),
        ("is 4 minutes ahead, at the end of a token's life", -3600 - 240),
        ("is 10 minutes ahead, at the end of a token's life", -3600 - 600),
    ] {
        let issued = site.entra.now().saturating_add_signed(by);
        let claims = json!({
            "aud": EXAMPLE_CLIENT, "iss": site.entra.issuer(), "tid": EXAMPLE_TENANT,
            "oid": EXAMPLE_TENANT, "sub": "s", "ver": "2.0", "scp": "access_as_user",
            "nbf": issued, "exp": issued + 3600,
        });
        let token = site.entra.sign(&SigningKey::Current, &json!({}), &claims).expect("a token");
        let answer = site.web.get_as(&token, &site.url("/mcp/echo")).await;
        let challenge = header(answer.headers(), "www-authenticate");
        let why = challenge.split("error_description=\"").nth(1);
        let why = why.and_then(|rest| rest.split('"').next());
        let seen = why.map_or_else(|| cell(&answer), |why| format!("{}: {why}", cell(&answer)));
        rows.push(vec![what.to_owned(), seen]);
    }
    rows
}

async fn behind() -> Vec<Row> {
    let mut rows = Vec::new();
    for (what, reply) in [
        ("closes the connection", reply_closed as fn() -> Reply),
        ("answers 401 itself", reply_401),
        ("answers 500", reply_500),
        ("breaks off in the middle", reply_broken),
    ] {
        let server = Server::start(move |_: Request<Incoming>| async move { reply() }).await;
        rows.push(vec![what.to_owned(), seen_of(&server.url("/mcp"), &[]).await]);
    }
    let silent = Server::start(|_: Request<Incoming>| std::future::pending::<Reply>()).await;
    let seen = seen_of(&silent.url("/mcp"), &["--upstream-timeout", "1"]).await;
    rows.push(vec!["does not answer in `--upstream-timeout`".to_owned(), seen]);
    let down = refusing_authority().await;
    rows.push(vec!["is down".to_owned(), seen_of(&format!("{down}/mcp"), &[]).await]);
    rows
}

fn reply_closed() -> Reply {
    Err(std::io::ErrorKind::ConnectionReset.into())
}

fn reply_401() -> Reply {
    text(StatusCode::UNAUTHORIZED, "who?")
}

fn reply_500() -> Reply {
    text(StatusCode::INTERNAL_SERVER_ERROR, "no")
}

fn reply_broken() -> Reply {
    let (writer, body) = pipe();
    let mut response = Response::new(body);
    // more than there will be
    response.headers_mut().insert("content-length", 100.into());
    tokio::spawn(async move {
        _ = writer.send("the beginning".into()).await;
        // time for it to arrive
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(writer);
    });
    Ok(response)
}

async fn seen_of(upstream: &str, arguments: &[&str]) -> String {
    let world = World::new(&[&["--upstream", upstream][..], arguments].concat()).await;
    let mut wire = Wire::to(&world.gateway).await;
    let token = world.token();
    wire.send(format!(
        "GET /mcp HTTP/1.1\r\nhost: h\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    ))
    .await;
    let answer = wire.rest().await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let mut seen = status_of(head).to_string();
    if head.contains("content-length: 100\r\n") && body.len() < 100 {
        seen += ", and a body that breaks off";
    }
    if head.contains("resource_metadata=") {
        seen += ", with our challenge";
    }
    seen
}

async fn clients() -> Vec<Row> {
    let world = World::new(&[
        "--max-header-length=8192",
        "--header-timeout=2",
        "--body-timeout=1",
        "--rate-limit=token=1",
    ])
    .await;
    let head = "POST /oauth/token HTTP/1.1\r\nhost: h\r\nconnection: close\r\n";
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let register = "POST /oauth/register HTTP/1.1\r\nhost: h\r\nconnection: close\r\n";
    let long = "a".repeat(16 * 1024);
    let mut rows = Vec::new();
    for (what, raw) in [
        ("sends a head longer than `--max-header-length`", format!("{head}x: {long}\r\n\r\n")),
        ("does not finish a head in `--header-timeout`", head.to_owned()),
        (
            "does not finish a body in `--body-timeout`",
            format!("{register}content-length: 10\r\n\r\n{{"),
        ),
        (
            "sends a body longer than may be read",
            format!("{register}content-length: 99999\r\n\r\n{}", long.repeat(5)),
        ),
        ("sends two lengths", format!("{head}content-length: 1\r\ncontent-length: 2\r\n\r\n")),
        ("asks for a token as often as it may", format!("{head}{form}content-length: 0\r\n\r\n")),
        (
            "asks for a token more often than `--rate-limit`",
            format!("{head}{form}content-length: 0\r\n\r\n"),
        ),
    ] {
        rows.push(vec![what.to_owned(), raw_cell(&world, &raw).await]);
    }
    let world = World::new(&["--max-connections=2"]).await;
    // with the connection of the world's own client there are as many as may be
    let mut held = Wire::to(&world.gateway).await;
    held.send("GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(status_of(&held.some().await), 200);
    let seen = raw_cell(&world, &format!("{head}\r\n")).await;
    rows.push(vec!["is one more than `--max-connections`".to_owned(), seen]);
    rows
}

async fn raw_cell(world: &World, raw: &str) -> String {
    let mut wire = Wire::to(&world.gateway).await;
    wire.send(raw).await;
    let answer = wire.some().await;
    let retry_after = answer.lines().find_map(|line| line.strip_prefix("retry-after: "));
    match retry_after {
        // a limit's depends on the moment
        Some(_) if status_of(&answer) == 429 => "429, Retry-After in seconds".into(),
        Some(seconds) => format!("{}, Retry-After {seconds}", status_of(&answer)),
        None => status_of(&answer).to_string(),
    }
}
