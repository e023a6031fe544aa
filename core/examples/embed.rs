//! The core without an adapter: a server on `std`, Entra ID asked by `ureq`, signatures checked by
//! `aws-lc-rs`. Each of the three may be another; what a driver has to do is [`Embedded::drive`].
//!
//! ```sh
//! MCP_ENTRA_RESOURCE=http://127.0.0.1:8080/mcp MCP_ENTRA_TENANT=contoso.com \
//! MCP_ENTRA_CLIENT_ID=99999999-8888-4777-8666-555555555555 MCP_ENTRA_LISTEN=127.0.0.1:8080 \
//!     cargo run -p mcp-entra-core --example embed
//! ```

use std::error::Error;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use mcp_entra_core::discovery::MAX_DISCOVERY_LENGTH;
use mcp_entra_core::exchange::{BodyError, Document, Verify};
use mcp_entra_core::key_set::MAX_KEY_SET_LENGTH;
use mcp_entra_core::{
    Context, Discovery, Facade, KeySet, Options, Principal, Settings, Step, UnixTime, UpstreamError,
};
use serde_json::{Value, json};

type Anything<T> = Result<T, Box<dyn Error>>;

fn main() -> Anything<()> {
    let settings = Settings::parse(&Options {
        resource: std::env::var("MCP_ENTRA_RESOURCE")?,
        tenant: std::env::var("MCP_ENTRA_TENANT")?,
        client_id: std::env::var("MCP_ENTRA_CLIENT_ID")?,
        authority: std::env::var("MCP_ENTRA_AUTHORITY").unwrap_or_default(),
        ..Options::default()
    })?;
    let listener = TcpListener::bind(std::env::var("MCP_ENTRA_LISTEN")?)?;
    // with ureq's own default features it speaks TLS, which Entra ID wants
    let client = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(8)))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build();
    let embedded = Embedded {
        facade: Facade::new(settings),
        client: client.into(),
        documents: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for stream in listener.incoming().flatten() {
            scope.spawn(|| {
                if let Err(error) = embedded.serve(stream) {
                    eprintln!("a connection ended early: {error}");
                }
            });
        }
    });
    Ok(())
}

/// What the core asks the world for goes through here.
struct Embedded {
    facade: Facade,
    client: ureq::Agent,
    documents: Mutex<Documents>,
}

/// Entra's documents. A server that runs for days fetches them again every hour, and believes keys
/// for a day.
#[derive(Default)]
struct Documents {
    discovery: Option<Arc<Discovery>>,
    keys: Option<(Arc<KeySet>, Instant)>,
}

impl Embedded {
    /// The run loop: each step is done as it says, and carried on with what came of it.
    fn drive(&self, mut head: Parts, body: &mut Body) -> Response<Bytes> {
        let mut step = self.facade.begin(&head, &self.context());
        loop {
            step = match step {
                Step::Respond(response) => return response,
                Step::Pass(passing) => {
                    passing.amend_request(&mut head);
                    let (mut head, body) = mcp_server(&head, body).into_parts();
                    passing.amend_response(&mut head);
                    return Response::from_parts(head, body);
                }
                Step::Read(read) => {
                    let octets = body.read(read.limit());
                    read.resume(octets)
                }
                Step::Load(load) => {
                    self.load(load.document());
                    load.resume(&self.context())
                }
                Step::Verify(verify) if is_signed(&verify) => verify.verified().1,
                Step::Verify(verify) => verify.refused(),
                Step::Send(request, awaiting) => {
                    let answer = self.send(request, awaiting.limit());
                    awaiting.resume(answer)
                }
            };
        }
    }

    fn documents(&self) -> std::sync::MutexGuard<'_, Documents> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, and what is held just now.
    fn context(&self) -> Context {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let documents = self.documents();
        Context {
            now: UnixTime(now.as_secs()),
            discovery: documents.discovery.clone(),
            keys: documents.keys.as_ref().map(|(keys, _)| keys.clone()),
            ..Context::default()
        }
    }

    /// Brings a document up to date. Where that fails, what is held stays in use.
    fn load(&self, document: Document) {
        let mut documents = self.documents();
        match (document, &documents.discovery, &documents.keys) {
            // unknown keys cause one fetch in five minutes, so that forged tokens cost nothing
            (Document::Keys, _, Some((_, fetched))) if fetched.elapsed().as_secs() < 300 => {}
            (Document::Keys, Some(discovery), _) => {
                let request = Request::get(discovery.jwks_uri()).body(Bytes::new()).ok();
                let answer = request.and_then(|get| self.send(get, MAX_KEY_SET_LENGTH).ok());
                let keys = answer.and_then(|answer| KeySet::parse(answer.body()).ok());
                if let Some(keys) = keys {
                    documents.keys = Some((Arc::new(keys), Instant::now()));
                }
            }
            (Document::Discovery, None, _) => {
                let answer = self.send(self.facade.discovery_request(), MAX_DISCOVERY_LENGTH).ok();
                let discovery = answer.and_then(|a| self.facade.read_discovery(a.body()).ok());
                documents.discovery = discovery.map(Arc::new);
            }
            _ => {}
        }
    }

    fn send(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, UpstreamError> {
        let failed = |error| match error {
            ureq::Error::Timeout(_) => UpstreamError::Timeout,
            ureq::Error::BodyExceedsLimit(_) => UpstreamError::TooLong,
            _ => UpstreamError::Unreachable,
        };
        let answer = self.client.run(request.map(|body| body.to_vec())).map_err(failed)?;
        let (head, mut body) = answer.into_parts();
        let body = body.with_config().limit(limit as u64).read_to_vec().map_err(failed)?;
        Ok(Response::from_parts(head, body.into()))
    }

    /// One request of a connection, which ends then.
    fn serve(&self, stream: TcpStream) -> Anything<()> {
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut answers = stream.try_clone()?;
        let (head, mut body) = receive(BufReader::new(stream))?;
        let (head, body) = self.drive(head, &mut body).into_parts();
        write!(answers, "HTTP/1.1 {}\r\nconnection: close\r\n", head.status)?;
        for (name, value) in &head.headers {
            write!(answers, "{name}: ")?;
            answers.write_all(value.as_bytes())?;
            write!(answers, "\r\n")?;
        }
        write!(answers, "content-length: {}\r\n\r\n", body.len())?;
        answers.write_all(&body)?;
        Ok(())
    }
}

/// RSASSA-PKCS1-v1_5 with SHA-256, over what the token says.
fn is_signed(verify: &Verify) -> bool {
    let octets = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let key = verify.key();
    let key = RsaPublicKeyComponents { n: octets(key.modulus()), e: octets(key.exponent()) };
    let message = verify.signing_input().as_bytes();
    key.verify(&RSA_PKCS1_2048_8192_SHA256, message, &octets(verify.signature())).is_ok()
}

/// A body, read when somebody wants it.
struct Body {
    rest: BufReader<TcpStream>,
    length: usize,
    octets: Option<Bytes>,
}

impl Body {
    fn read(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        if let Some(octets) = &self.octets {
            return Ok(octets.clone());
        }
        if self.length > limit {
            return Err(BodyError::TooLong);
        }
        let mut octets = vec![0; self.length];
        self.rest.read_exact(&mut octets).map_err(|_| BodyError::Incomplete)?;
        Ok(self.octets.insert(octets.into()).clone())
    }
}

/// The head of a request.
fn receive(mut stream: BufReader<TcpStream>) -> Anything<(Parts, Body)> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        text.extend(octet);
        if text.len() > 64 * 1024 {
            return Err(io::Error::other("the head of a request is too long").into());
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(&text)?;
    let mut request = Request::builder()
        .method(parsed.method.unwrap_or_default())
        .uri(parsed.path.unwrap_or_default());
    for header in parsed.headers.iter() {
        request = request.header(header.name, header.value);
    }
    let (head, ()) = request.body(())?.into_parts();
    let length = head.headers.get("content-length").map(|length| length.to_str().map(str::parse));
    let length = length.transpose()?.transpose()?.unwrap_or_default();
    Ok((head, Body { rest: stream, length, octets: None }))
}

/// What is protected: an MCP server with one tool, which greets whoever has signed in.
fn mcp_server(head: &Parts, body: &mut Body) -> Response<Bytes> {
    let empty = |status: StatusCode| {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        response
    };
    // without a caller the path is neither ours nor the MCP server's
    let Some(caller) = head.extensions.get::<Arc<Principal>>() else {
        return empty(StatusCode::NOT_FOUND);
    };
    if head.method != "POST" {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let message: Value = match body.read(1 << 20).map(|body| serde_json::from_slice(&body)) {
        Ok(Ok(message)) => message,
        _ => return empty(StatusCode::BAD_REQUEST),
    };
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "embedded", "version": "1" },
        }),
        Some("tools/list") => json!({
            "tools": [{ "name": "greet", "inputSchema": { "type": "object" } }],
        }),
        Some("tools/call") => {
            let text = format!("Hello, {}!", caller.name.as_deref().unwrap_or("you"));
            json!({ "content": [{ "type": "text", "text": text }] })
        }
        _ if message["id"].is_null() => return empty(StatusCode::ACCEPTED),
        _ => json!({}),
    };
    let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
    let mut response = Response::new(Bytes::from(answer.to_string()));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
