//! A real MCP server that remembers what it was sent, and says so.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, SET_COOKIE};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use rmcp::handler::server::common::Extension;
use rmcp::model::{ProgressNotificationParam, RequestMetaObject, ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{Peer, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::{Reply, Server, pipe, text};

/// How many notifications the tool `count` sends.
const COUNT: usize = 3;

/// What it does with a request, for a process that serves by itself.
///
/// | path | answer |
/// |---|---|
/// | `/mcp` | MCP, with the tools `greet`, `delete_note` and `count` |
/// | `/mcp/events?gate=ADDRESS` | server-sent events: the last one once the gate has hung up |
/// | `/mcp/…` | JSON that says what was sent, and two cookies |
#[derive(Clone)]
pub struct Behind {
    mcp: StreamableHttpService<Tools, LocalSessionManager>,
    seen: Arc<Mutex<Vec<Parts>>>,
    gate: Arc<Semaphore>,
}

impl Default for Behind {
    fn default() -> Self {
        Self::new(true)
    }
}

impl Behind {
    /// Where the next request may go to another instance.
    pub fn without_sessions() -> Self {
        Self::new(false)
    }

    fn new(sessions: bool) -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let tools = Tools { gate: gate.clone() };
        let mcp = StreamableHttpService::new(
            move || Ok(tools.clone()),
            Arc::new(LocalSessionManager::default()),
            StreamableHttpServerConfig::default().with_legacy_session_mode(sessions),
        );
        Self { mcp, seen: Arc::default(), gate }
    }
}

impl std::fmt::Debug for Behind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behind").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Behind {
    /// Answers.
    ///
    /// # Errors
    /// Where the request's body breaks off.
    pub async fn answer<B>(&self, request: Request<B>) -> Reply
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + std::fmt::Display,
    {
        let (head, body) = request.into_parts();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
        match head.uri.path() {
            "/mcp/events" => Ok(events(head.uri.query().unwrap_or_default())),
            path if path.starts_with("/mcp/") => {
                let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
                echo(&head, &body)
            }
            _ => {
                let response = self.mcp.handle(Request::from_parts(head, body)).await;
                Ok(response.map(|body| body.boxed_unsync()))
            }
        }
    }
}

/// The second event waits until the gate, which a test holds, has closed the connection to it.
fn events(query: &str) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let gate = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "gate");
    let gate = gate.map_or_else(String::new, |(_, address)| address.into_owned());
    let (writer, body) = pipe();
    tokio::spawn(async move {
        // whoever does not read any more needs no further event
        _ = writer.send("data: first\n\n".into()).await;
        if let Ok(mut gate) = TcpStream::connect(gate).await {
            _ = gate.read_to_end(&mut Vec::new()).await;
            _ = writer.send("data: last\n\n".into()).await;
        }
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("no-cache"));
    response
}

fn echo(head: &Parts, body: &[u8]) -> Reply {
    let headers = head.headers.iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let said = json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "headers": headers,
        "body": String::from_utf8_lossy(body),
        "body_base64": STANDARD.encode(body),
    });
    let mut response = text(StatusCode::OK, said.to_string())?;
    for cookie in ["a=1; Path=/", "b=2; Path=/"] {
        response.headers_mut().append(SET_COOKIE, http::HeaderValue::from_static(cookie));
    }
    Ok(response)
}

/// A running MCP server of its own, for what is in front of one.
#[derive(Debug)]
pub struct McpServer {
    server: Server,
    behind: Behind,
}

impl McpServer {
    /// Serves on a free port.
    pub async fn start() -> Self {
        let behind = Behind::default();
        let answers = behind.clone();
        let server = Server::start(move |request| {
            let answers = answers.clone();
            async move { answers.answer(request).await }
        })
        .await;
        Self { server, behind }
    }

    /// The URL of its MCP endpoint.
    pub fn url(&self) -> String {
        self.server.url("/mcp")
    }

    /// The heads of the requests so far.
    pub fn seen(&self) -> Vec<Parts> {
        self.behind.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The headers of the last request.
    pub fn last_headers(&self) -> HeaderMap {
        self.seen().pop().expect("a request came through").headers
    }

    /// Lets the tool `count` go on after its first notification.
    pub fn open_gate(&self) {
        self.behind.gate.add_permits(COUNT);
    }
}

#[derive(Clone, Debug)]
struct Tools {
    gate: Arc<Semaphore>,
}

#[tool_router]
impl Tools {
    #[tool(description = "Greet the caller")]
    fn greet(&self, Extension(head): Extension<Parts>) -> String {
        format!("Hello, {}!", crate::header(&head.headers, "mcp-entra-name"))
    }

    #[tool(description = "Delete a note")]
    fn delete_note(&self, Extension(head): Extension<Parts>) -> String {
        format!("Deleted with {}", crate::header(&head.headers, "mcp-entra-scopes"))
    }

    #[tool(description = "Count slowly: after the first notification only once the gate is open")]
    async fn count(&self, meta: RequestMetaObject, client: Peer<RoleServer>) -> String {
        let token = meta.get_progress_token().expect("the client wants to know of progress");
        for number in 1..=COUNT {
            let progress = ProgressNotificationParam::new(token.clone(), number as f64);
            client.notify_progress(progress).await.expect("the client is there");
            self.gate.acquire().await.expect("the gate stays").forget();
        }
        "counted".into()
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}
