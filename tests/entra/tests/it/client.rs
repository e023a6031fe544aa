//! A client that follows nothing and hides nothing.

use std::collections::HashMap;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use mcp_entra_stand_in::{EXAMPLE_CLIENT, EXAMPLE_TENANT, EntraStandIn};
use serde_json::Value;
use tokio::net::TcpStream;

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const API: &str = "api://99999999-8888-4777-8666-555555555555";
pub(crate) const NATIVE: &str = "http://localhost:3118/callback";
pub(crate) const WEB: &str = "https://claude.ai/api/mcp/auth_callback";

pub(crate) type Pairs<'a> = &'a [(&'a str, &'a str)];

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.headers.get("location")?.to_str().ok()
    }

    /// The parameters of the redirect.
    pub(crate) fn redirected(&self) -> HashMap<String, String> {
        let (_, query) = self
            .location()
            .and_then(|location| location.split_once(['?', '#']))
            .expect("a redirect");
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// The AADSTS code, wherever it is.
    pub(crate) fn code(&self) -> Option<u32> {
        let everything = match self.location() {
            Some(_) => self.redirected().remove("error_description")?,
            None => self.text(),
        };
        let (_, after) = everything.split_once("AADSTS")?;
        after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

pub(crate) async fn send(
    entra: &EntraStandIn,
    method: &str,
    path: &str,
    headers: Pairs<'_>,
    body: &str,
) -> io::Result<Reply> {
    let stream = TcpStream::connect(entra.address()).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    let mut request =
        Request::builder().method(method).uri(path).header("host", entra.address().to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request =
        request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
    let (parts, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
}

pub(crate) async fn get(entra: &EntraStandIn, path: &str) -> Reply {
    send(entra, "GET", path, &[], "").await.expect("an answer")
}

pub(crate) fn encode(pairs: Pairs<'_>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// `base` with `changes` over it: an empty value removes.
fn merge<'a>(base: &[(&'a str, &'a str)], changes: Pairs<'a>) -> Vec<(&'a str, &'a str)> {
    let kept = base.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    kept.chain(changes.iter().filter(|(_, value)| !value.is_empty())).copied().collect()
}

/// A good authorization with changes.
pub(crate) async fn authorize(entra: &EntraStandIn, tenant: &str, changes: Pairs<'_>) -> Reply {
    let scope = format!("{API}/access_as_user openid profile offline_access");
    let base = [
        ("client_id", EXAMPLE_CLIENT),
        ("response_type", "code"),
        ("redirect_uri", NATIVE),
        ("scope", &scope),
        ("state", "s t&"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    get(entra, &format!("/{tenant}/oauth2/v2.0/authorize?{}", encode(&merge(&base, changes)))).await
}

pub(crate) async fn post_token(
    entra: &EntraStandIn,
    tenant: &str,
    headers: Pairs<'_>,
    form: Pairs<'_>,
) -> Reply {
    let headers: Vec<_> = [("content-type", "application/x-www-form-urlencoded")]
        .iter()
        .chain(headers)
        .copied()
        .collect();
    send(entra, "POST", &format!("/{tenant}/oauth2/v2.0/token"), &headers, &encode(form))
        .await
        .expect("an answer")
}

/// A good authorization with changes, and its code.
pub(crate) async fn code(entra: &EntraStandIn, changes: Pairs<'_>) -> String {
    let reply = authorize(entra, EXAMPLE_TENANT, changes).await;
    let mut parameters = reply.redirected();
    parameters.remove("code").unwrap_or_else(|| panic!("no code: {parameters:?}"))
}

/// A good redemption with changes.
pub(crate) async fn redeem(
    entra: &EntraStandIn,
    code: &str,
    headers: Pairs<'_>,
    changes: Pairs<'_>,
) -> Reply {
    let scope = format!("{API}/access_as_user openid profile offline_access");
    let base = [
        ("client_id", EXAMPLE_CLIENT),
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", NATIVE),
        ("code_verifier", VERIFIER),
        ("scope", &scope),
    ];
    post_token(entra, EXAMPLE_TENANT, headers, &merge(&base, changes)).await
}

/// A good refresh with changes.
pub(crate) async fn refresh(
    entra: &EntraStandIn,
    token: &str,
    headers: Pairs<'_>,
    changes: Pairs<'_>,
) -> Reply {
    let scope = format!("{EXAMPLE_CLIENT}/access_as_user openid profile offline_access");
    let base = [
        ("client_id", EXAMPLE_CLIENT),
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("scope", &scope),
    ];
    post_token(entra, EXAMPLE_TENANT, headers, &merge(&base, changes)).await
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &Value) -> Value {
    use base64::Engine as _;
    let payload = token.as_str().and_then(|token| token.split('.').nth(1)).expect("a JWT");
    let payload =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&payload).expect("claims")
}
