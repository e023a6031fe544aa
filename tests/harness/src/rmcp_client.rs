//! The real rmcp client with its own authorization support, from its first request on.

use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::RunningService;
use rmcp::transport::auth::{AuthClient, AuthorizationCallback, AuthorizationRequest, OAuthState};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{AuthorizationManager, StreamableHttpClientTransport};
use rmcp::{RoleClient, ServiceError, ServiceExt as _};

use crate::{Site, browse, within};

/// Where its users come back to.
pub const REDIRECT_URI: &str = "http://localhost:8787/callback";

/// The client, once it has signed in.
pub struct Client {
    /// Its tokens.
    pub auth: AuthClient<reqwest::Client>,
    mcp: RunningService<RoleClient, ()>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("mcp", &self.mcp).finish_non_exhaustive()
    }
}

impl Client {
    /// Discovers, registers, signs in, connects to `/mcp`.
    pub async fn sign_in(site: &impl Site) -> Self {
        let manager = Self::authorize(site).await;
        Self::connect(&site.url("/mcp"), manager).await
    }

    /// Discovers, registers, signs in.
    pub async fn authorize(site: &impl Site) -> AuthorizationManager {
        let mut state = OAuthState::new(site.url("/mcp"), None).await.expect("a URL");
        let request = AuthorizationRequest::new(REDIRECT_URI).with_client_name("rmcp");
        state.start_authorization(request).await.expect("it discovers and registers");
        let authorize = state.get_authorization_url().await.expect("it knows where to go");
        let callback = browse(site.web(), &authorize, REDIRECT_URI).await;
        state.handle_callback_url(callback.as_str()).await.expect("it gets its tokens");
        state.into_authorization_manager().expect("it is signed in")
    }

    /// Connects with the tokens that it has.
    pub async fn connect(url: &str, manager: AuthorizationManager) -> Self {
        let auth = AuthClient::new(reqwest::Client::default(), manager);
        let config = StreamableHttpClientTransportConfig::with_uri(url);
        let transport = StreamableHttpClientTransport::with_client(auth.clone(), config);
        let mcp = within("the client connects", ().serve(transport)).await.expect("it connects");
        Self { auth, mcp }
    }

    /// Calls a tool; what it said.
    ///
    /// # Errors
    /// Those of rmcp, with the challenge of a refusal.
    pub async fn call(&self, tool: &'static str) -> Result<String, ServiceError> {
        let call = self.mcp.call_tool(CallToolRequestParams::new(tool));
        within(tool, call).await.map(|result| said(&result))
    }

    /// Signs in once more, for the scopes that a refusal names; returns those scopes.
    pub async fn step_up(&self, site: &impl Site, refusal: &ServiceError) -> String {
        let challenge = refusal.auth_challenge().expect("a challenge").to_owned();
        assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
        let scope = challenge.split("scope=\"").nth(1).and_then(|rest| rest.split('"').next());
        let scope = scope.expect("the challenge names the scopes");

        let manager = self.auth.auth_manager.lock().await;
        let authorize = manager.request_scope_upgrade(scope).await.expect("it may ask for more");
        let callback = browse(site.web(), &authorize, REDIRECT_URI).await;
        let callback = AuthorizationCallback::from_redirect_url(callback.as_str());
        let AuthorizationCallback { code, csrf_token, .. } = callback.expect("a callback");
        manager.exchange_code_for_token(&code, &csrf_token).await.expect("it gets its tokens");
        scope.to_owned()
    }
}

fn said(result: &CallToolResult) -> String {
    let text = result.content.first().and_then(|content| content.as_text());
    text.map_or_else(|| format!("{result:?}"), |text| text.text.clone())
}
