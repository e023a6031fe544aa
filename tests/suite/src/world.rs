//! Everything that the cases need for one subject, on loopback.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response};
use mcp_entra_harness::{McpServer, PATIENCE, POLL, Process, Site, Web, free_port};
use mcp_entra_stand_in::{EXAMPLE_CLIENT, EntraStandIn, User};

use crate::subjects::Subject;

/// A subject between a stand-in for Entra ID and an MCP server, which those that are one by
/// themselves have no use for.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) entra: EntraStandIn,
    _behind: McpServer,
    process: Mutex<Process>,
    origin: String,
    web: Web,
}

impl World {
    /// Starts the subject and waits until it serves.
    pub(crate) async fn start(subject: &Subject) -> Arc<Self> {
        let entra = EntraStandIn::builder().start().await.expect("the stand-in starts");
        let behind = McpServer::start().await;
        let port = free_port();
        let origin = format!("http://127.0.0.1:{port}");
        let mut command = (subject.command)(port);
        let said = [
            ("MCP_ENTRA_LISTEN", format!("127.0.0.1:{port}")),
            ("MCP_ENTRA_RESOURCE", format!("{origin}/mcp")),
            ("MCP_ENTRA_UPSTREAM", behind.url()),
            ("MCP_ENTRA_TENANT", entra.tenant()),
            ("MCP_ENTRA_CLIENT_ID", EXAMPLE_CLIENT.to_owned()),
            ("MCP_ENTRA_AUTHORITY", entra.authority()),
            ("MCP_ENTRA_OPERATION_SCOPES", "tools/call:delete_*=mcp.write".to_owned()),
        ];
        for (name, value) in said {
            // what the subject is told by other means it is not told by us
            if command.get_envs().all(|(known, _)| known != name) {
                command.env(name, value);
            }
        }
        let process = Mutex::new(Process::start_group(command));
        let world = Self { entra, _behind: behind, process, origin, web: Web::new() };
        world.serves().await;
        Arc::new(world)
    }

    async fn serves(&self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let address = self.origin.trim_start_matches("http://");
        while tokio::net::TcpStream::connect(address).await.is_err() {
            let status = self.process.lock().unwrap_or_else(PoisonError::into_inner).status();
            assert!(status.is_none(), "it ended: {}", self.log());
            assert!(tokio::time::Instant::now() < deadline, "it does not listen: {}", self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    /// What the subject has written so far.
    pub(crate) fn log(&self) -> String {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).log().text()
    }

    /// Ada's access token with the scope that every call needs.
    pub(crate) fn token(&self) -> String {
        mcp_entra_harness::access_token(&self.entra, &User::default(), "access_as_user")
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Bytes> {
        self.web.get(&self.url(path)).await
    }

    /// Sends without a token.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.web.send(request.body(body.into()).expect("a request")).await
    }

    /// Sends with Ada's token.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let token = format!("Bearer {}", self.token());
        let headers = [&[(AUTHORIZATION.as_str(), token.as_str())], headers].concat();
        self.send(method, path, &headers, body).await
    }
}

impl Site for World {
    fn web(&self) -> &Web {
        &self.web
    }

    fn origin(&self) -> &str {
        &self.origin
    }
}
