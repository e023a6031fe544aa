//! A client on rmcp with its own authorization support: `rmcp_client URL`.
//!
//! A tool's name comes in as a line, what it said goes out as a line of JSON.

use std::error::Error;
use std::io;

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{ClientInitializeError, RunningService};
use rmcp::transport::auth::{
    AuthClient, AuthorizationCallback, AuthorizationRequest, OAuthState, WWWAuthenticateParams,
};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{AuthorizationManager, StreamableHttpClientTransport};
use rmcp::{RoleClient, ServiceError, ServiceExt as _};
use serde_json::json;
use url::Url;

const REDIRECT_URI: &str = "http://localhost:8787/callback";

type Anything<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Follows redirects, up to the callback.
async fn browse(url: &str) -> Anything<String> {
    let browser = reqwest::Client::builder().redirect(Policy::none()).build()?;
    let mut url = Url::parse(url)?;
    for _ in 0..10 {
        let answer = browser.get(url.clone()).send().await?;
        let Some(location) = answer.headers().get(LOCATION) else {
            return Err(format!("no callback: {} {}", answer.status(), answer.text().await?).into());
        };
        url = url.join(location.to_str()?)?;
        if url.as_str().starts_with(REDIRECT_URI) {
            return Ok(url.into());
        }
    }
    Err("ten redirects and no end".into())
}

/// The client, once it has signed in.
struct Client {
    url: Url,
    auth: AuthClient<reqwest::Client>,
    mcp: RunningService<RoleClient, ()>,
}

impl Client {
    async fn sign_in(url: &Url) -> Anything<Self> {
        let stranger = StreamableHttpClientTransport::from_uri(url.as_str());
        let refused = ().serve(stranger).await.err().ok_or("nobody asked it to sign in")?;
        let auth = AuthClient::new(reqwest::Client::default(), authorize(url, &refused).await?);
        let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
        let transport = StreamableHttpClientTransport::with_client(auth.clone(), config);
        Ok(Self { url: url.clone(), auth, mcp: ().serve(transport).await? })
    }

    /// Calls the tool, and once more where it needed a further scope.
    async fn call(&self, tool: String) -> Anything<String> {
        match self.try_call(tool.clone()).await {
            Err(error) => {
                let Some(challenge) = error.auth_challenge() else { return Err(error.into()) };
                self.step_up(challenge).await?;
                Ok(self.try_call(tool).await?)
            }
            said => Ok(said?),
        }
    }

    async fn try_call(&self, tool: String) -> Result<String, ServiceError> {
        let result = self.mcp.call_tool(CallToolRequestParams::new(tool)).await?;
        let text = result.content.first().and_then(|content| content.as_text());
        Ok(text.map_or_else(|| format!("{result:?}"), |text| text.text.clone()))
    }

    async fn step_up(&self, challenge: &str) -> Anything<()> {
        let scope = WWWAuthenticateParams::parse(challenge, &self.url).scope;
        let manager = self.auth.auth_manager.lock().await;
        let page = manager.request_scope_upgrade(&scope.unwrap_or_default()).await?;
        let callback = AuthorizationCallback::from_redirect_url(&browse(&page).await?)?;
        let AuthorizationCallback { code, csrf_token, issuer, .. } = callback;
        manager.exchange_code_for_token_with_issuer(&code, &csrf_token, issuer.as_deref()).await?;
        Ok(())
    }
}

/// Discovers, from the challenge that it was refused with; registers; has the user sign in.
async fn authorize(url: &Url, refused: &ClientInitializeError) -> Anything<AuthorizationManager> {
    let challenge = refused.auth_challenge().ok_or_else(|| refused.to_string())?;
    let mut state = OAuthState::new(url.as_str(), None).await?;
    let request = AuthorizationRequest::new(REDIRECT_URI)
        .with_client_name("A client on rmcp")
        .with_challenge(challenge);
    state.start_authorization(request).await?;
    let callback = browse(&state.get_authorization_url().await?).await?;
    state.handle_callback_url(&callback).await?;
    state.into_authorization_manager().ok_or_else(|| "it is not signed in".into())
}

fn main() -> Anything<()> {
    let url = std::env::args().nth(1).ok_or("usage: rmcp_client URL")?.parse()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let client = runtime.block_on(Client::sign_in(&url));
    for line in io::stdin().lines() {
        let tool = line?;
        let said = match &client {
            Ok(client) => runtime.block_on(client.call(tool.clone())).map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let said = match said {
            Ok(text) => json!({ "tool": tool, "text": text }),
            Err(error) => json!({ "tool": tool, "error": error }),
        };
        println!("{said}");
    }
    Ok(())
}
