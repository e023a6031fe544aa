//! A real MCP server that remembers what it was sent.

use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rmcp::handler::server::common::Extension;
use rmcp::model::{ProgressNotificationParam, RequestMetaObject, ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{Peer, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{Server, text};

/// How many notifications the tool `count` sends.
const COUNT: usize = 3;

/// A running MCP server. Under `/mcp` is MCP, under `/mcp/echo` an answer that says what was sent.
#[derive(Debug)]
pub(crate) struct McpServer {
    server: Server,
    seen: Seen,
    gate: Arc<Semaphore>,
}

/// The heads of the requests so far.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<Parts>>>);

impl McpServer {
    pub(crate) async fn start() -> Self {
        let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
        let tools = Tools { gate: gate.clone() };
        let mcp = StreamableHttpService::new(
            move || Ok(tools.clone()),
            Arc::new(LocalSessionManager::default()),
            StreamableHttpServerConfig::default(),
        );
        let recorder = seen.clone();
        let server = Server::start(move |request: Request<Incoming>| {
            let (mcp, recorder) = (mcp.clone(), recorder.clone());
            async move {
                let (head, body) = request.into_parts();
                recorder.0.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
                if head.uri.path().starts_with("/mcp/") {
                    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
                    return text(StatusCode::OK, echo(&head, &body));
                }
                let response = mcp.handle(Request::from_parts(head, body)).await;
                Ok(response.map(|body| body.boxed_unsync()))
            }
        })
        .await;
        Self { server, seen, gate }
    }

    /// The URL of its MCP endpoint.
    pub(crate) fn url(&self) -> String {
        self.server.url("/mcp")
    }

    /// The heads of the requests so far.
    pub(crate) fn seen(&self) -> Vec<Parts> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The headers of the last request.
    pub(crate) fn last_headers(&self) -> HeaderMap {
        self.seen().pop().expect("a request came through").headers
    }

    /// Lets the tool `count` go on after its first notification.
    pub(crate) fn open_gate(&self) {
        self.gate.add_permits(COUNT);
    }
}

fn echo(head: &Parts, body: &[u8]) -> String {
    json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "body": String::from_utf8_lossy(body),
    })
    .to_string()
}

#[derive(Clone, Debug)]
struct Tools {
    gate: Arc<Semaphore>,
}

#[tool_router]
impl Tools {
    #[tool(description = "Greet the caller")]
    fn greet(&self, Extension(head): Extension<Parts>) -> String {
        format!("Hello, {}!", super::header(&head.headers, "mcp-entra-name"))
    }

    #[tool(description = "Delete a note")]
    fn delete_note(&self, Extension(head): Extension<Parts>) -> String {
        format!("Deleted with {}", super::header(&head.headers, "mcp-entra-scopes"))
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
