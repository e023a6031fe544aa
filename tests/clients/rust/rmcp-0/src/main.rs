//! A client on an early rmcp, as agents shipped it: `rmcp-0-client URL`.
//!
//! A tool's name comes in as a line, what it said goes out as a line of JSON. That rmcp does not
//! notice that a token has expired; the agents asked it for a new one by its `expires_in`, before a
//! call, and so does this.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use rmcp::model::CallToolRequestParam;
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, AuthorizationManager, OAuthState};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt as _};
use serde_json::json;
use url::Url;

const REDIRECT_URI: &str = "http://127.0.0.1:1456/oauth_callback";

type Anything<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Follows redirects, up to the callback.
async fn browse(url: &str) -> Anything<Url> {
    let browser = reqwest::Client::builder().redirect(Policy::none()).build()?;
    let mut url = Url::parse(url)?;
    for _ in 0..10 {
        let answer = browser.get(url.clone()).send().await?;
        let Some(location) = answer.headers().get(LOCATION) else {
            return Err(format!("no callback: {} {}", answer.status(), answer.text().await?).into());
        };
        url = url.join(location.to_str()?)?;
        if url.as_str().starts_with(REDIRECT_URI) {
            return Ok(url);
        }
    }
    Err("ten redirects and no end".into())
}

/// A parameter of the callback.
fn parameter(callback: &Url, name: &str) -> Anything<String> {
    let value =
        callback.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into());
    value.ok_or_else(|| format!("no {name} in the callback, but {:?}", callback.query()).into())
}

/// The client, once it has signed in.
struct Client {
    auth: AuthClient<reqwest::Client>,
    mcp: RunningService<RoleClient, ()>,
    expires: Instant,
}

impl Client {
    async fn sign_in(url: &str) -> Anything<Self> {
        let auth = AuthClient::new(reqwest::Client::default(), authorize(url).await?);
        let expires = expiry(&*auth.auth_manager.lock().await).await?;
        let config = StreamableHttpClientTransportConfig::with_uri(url);
        let transport = StreamableHttpClientTransport::with_client(auth.clone(), config);
        Ok(Self { auth, mcp: ().serve(transport).await?, expires })
    }

    async fn call(&mut self, tool: String) -> Anything<String> {
        if Instant::now() >= self.expires {
            let manager = self.auth.auth_manager.lock().await;
            manager.refresh_token().await?;
            self.expires = expiry(&manager).await?;
        }
        let request = CallToolRequestParam { name: tool.into(), arguments: None };
        let result = self.mcp.call_tool(request).await?;
        let text = result.content.first().and_then(|content| content.as_text());
        Ok(text.map_or_else(|| format!("{result:?}"), |text| text.text.clone()))
    }
}

/// Discovers, registers, has the user sign in.
async fn authorize(url: &str) -> Anything<AuthorizationManager> {
    let mut state = OAuthState::new(url, None).await?;
    state.start_authorization(&[], REDIRECT_URI, Some("A client on an early rmcp")).await?;
    let callback = browse(&state.get_authorization_url().await?).await?;
    state.handle_callback(&parameter(&callback, "code")?, &parameter(&callback, "state")?).await?;
    state.into_authorization_manager().ok_or_else(|| "it is not signed in".into())
}

/// When the access token that was just given ends.
async fn expiry(manager: &AuthorizationManager) -> Anything<Instant> {
    let (_, tokens) = manager.get_credentials().await?;
    let lifetime: Option<Duration> = tokens.and_then(|tokens| {
        let seconds = serde_json::to_value(tokens).ok()?.get("expires_in")?.as_u64()?;
        Some(Duration::from_secs(seconds))
    });
    Ok(Instant::now() + lifetime.ok_or("no expires_in")?)
}

fn main() -> Anything<()> {
    let url = std::env::args().nth(1).ok_or("usage: rmcp-0-client URL")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut client = runtime.block_on(Client::sign_in(&url));
    for line in io::stdin().lines() {
        let tool = line?;
        let said = match &mut client {
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
