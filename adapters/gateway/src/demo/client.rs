//! The client's half of the demo: plain HTTP without redirects, and MCP's JSON-RPC over it.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::Failure;

const LIMIT: usize = 1024 * 1024;
const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// A client that follows nothing and hides nothing.
#[derive(Clone, Debug)]
pub(crate) struct Client(mcp_entra_driver::Client);

impl Client {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self(mcp_entra_driver::Client::new()?))
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let uri = request.uri().to_string();
        let uri = uri.split('?').next().unwrap_or_default().to_owned();
        Ok(self.0.send(request, LIMIT).await.map_err(|error| format!("{uri}: {error}"))?)
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Response<Bytes>, Failure> {
        self.send(Request::get(url).body(Bytes::new())?).await
    }

    /// A document that has to be there.
    pub(crate) async fn document(&self, url: &str) -> Result<Value, Failure> {
        let response = self.get(url).await?;
        expect(&response, StatusCode::OK)?;
        Ok(serde_json::from_slice(response.body())?)
    }

    pub(crate) async fn post(
        &self,
        url: &str,
        content_type: &str,
        body: String,
    ) -> Result<Response<Bytes>, Failure> {
        self.send(Request::post(url).header(CONTENT_TYPE, content_type).body(Bytes::from(body))?)
            .await
    }

    /// Opens an MCP session; the answer has its id, or says why there is none.
    pub(crate) async fn initialize(
        &self,
        url: &str,
        token: Option<&str>,
    ) -> Result<Response<Bytes>, Failure> {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "mcp-entra demo", "version": env!("CARGO_PKG_VERSION")},
        });
        let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        self.message(url, token, None, &message).await
    }

    /// Calls a tool in a session of its own.
    pub(crate) async fn call_tool(
        &self,
        url: &str,
        token: &str,
        tool: &str,
    ) -> Result<Response<Bytes>, Failure> {
        let opened = self.initialize(url, Some(token)).await?;
        expect(&opened, StatusCode::OK)?;
        let session = opened.headers().get(SESSION_ID);
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        expect(&self.message(url, Some(token), session, &ready).await?, StatusCode::ACCEPTED)?;
        let params = json!({"name": tool, "arguments": {}});
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        self.message(url, Some(token), session, &call).await
    }

    async fn message(
        &self,
        url: &str,
        token: Option<&str>,
        session: Option<&HeaderValue>,
        message: &Value,
    ) -> Result<Response<Bytes>, Failure> {
        let mut request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(session) = session {
            request = request.header(SESSION_ID, session);
        }
        self.send(request.body(Bytes::from(message.to_string()))?).await
    }
}

/// What a tool answered, from the body of a call.
pub(crate) fn tool_text(response: &Response<Bytes>) -> Result<String, Failure> {
    expect(response, StatusCode::OK)?;
    let body = str::from_utf8(response.body())?;
    let messages = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let message = messages.map(str::trim).rfind(|data| !data.is_empty()).unwrap_or(body);
    let message: Value = serde_json::from_str(message)?;
    let text = message["result"]["content"][0]["text"].as_str();
    Ok(text.ok_or_else(|| format!("the tool answered {message}"))?.to_owned())
}

/// Where a redirect leads.
pub(crate) fn location(response: &Response<Bytes>) -> Result<Url, Failure> {
    expect(response, StatusCode::FOUND)?;
    let location = response.headers().get(LOCATION).ok_or("a redirect without a Location")?;
    Ok(location.to_str()?.parse()?)
}

pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

pub(crate) fn expect(response: &Response<Bytes>, status: StatusCode) -> Result<(), Failure> {
    if response.status() == status {
        return Ok(());
    }
    let body = String::from_utf8_lossy(response.body());
    Err(format!("the answer is {} and not {status}: {body}", response.status()).into())
}
