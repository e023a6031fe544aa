//! The stand-in, a server behind and the gateway, together.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use mcp_entra_harness::{McpServer, PATIENCE, Site, Web};
use mcp_entra_stand_in::{
    EXAMPLE_CLIENT, Endpoint, EntraStandIn, EntraStandInBuilder, RecordedRequest, User,
};

use super::{Gateway, Options};

/// Everything that a test needs, on loopback.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) entra: Arc<EntraStandIn>,
    pub(crate) behind: McpServer,
    pub(crate) gateway: Gateway,
    pub(crate) web: Web,
}

impl World {
    /// A world with these arguments for `serve` beside the ones that every gateway needs; ready.
    pub(crate) async fn new(arguments: &[&str]) -> Self {
        let options = Options::default().arguments(arguments);
        let world = Self::with(EntraStandIn::builder(), options).await;
        world.ready().await;
        world
    }

    /// A world of another Entra ID; not waited for.
    pub(crate) async fn with(entra: EntraStandInBuilder, options: Options) -> Self {
        let entra = entra.start().await.expect("the stand-in starts");
        Self::around(Arc::new(entra), options).await
    }

    /// A world around an Entra ID that has started already; not waited for.
    pub(crate) async fn around(entra: Arc<EntraStandIn>, options: Options) -> Self {
        let behind = McpServer::start().await;
        let gateway = Gateway::start(&options.or(&Self::options(&entra, &behind.url()))).await;
        Self { entra, behind, gateway, web: Web::new() }
    }

    /// What every gateway needs to know of an Entra ID and a server behind.
    pub(crate) fn options(entra: &EntraStandIn, upstream: &str) -> Options {
        Options::default()
            .variable("MCP_ENTRA_TENANT", entra.tenant())
            .variable("MCP_ENTRA_CLIENT_ID", EXAMPLE_CLIENT)
            .variable("MCP_ENTRA_AUTHORITY", entra.authority())
            .variable("MCP_ENTRA_UPSTREAM", upstream)
    }

    /// Waits until the gateway holds Entra's documents.
    pub(crate) async fn ready(&self) {
        let ready = self.url("/readyz");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.web.get(&ready).await.status() != 200 {
            assert!(tokio::time::Instant::now() < deadline, "the gateway is not ready");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// A URL of the gateway.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway.origin())
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Bytes> {
        self.web.get(&self.url(path)).await
    }

    /// Ada's access token with the scope that every call needs.
    pub(crate) fn token(&self) -> String {
        self.token_of(&User::default())
    }

    pub(crate) fn token_of(&self, user: &User) -> String {
        mcp_entra_harness::access_token(&self.entra, user, "access_as_user")
    }

    /// What the stand-in was asked at an endpoint.
    pub(crate) fn asked(&self, endpoint: Endpoint) -> Vec<RecordedRequest> {
        mcp_entra_harness::asked(&self.entra, endpoint)
    }
}

impl Site for World {
    fn web(&self) -> &Web {
        &self.web
    }

    fn origin(&self) -> &str {
        self.gateway.origin()
    }
}
