//! The walk: every step that a client takes, and what it would have been without us.
//!
//! What "Entra ID alone" says is not written down here: the client's own request is put to the
//! stand-in, and its refusal is printed.

use bytes::Bytes;
use http::Response;
use http::header::WWW_AUTHENTICATE;
use mcp_entra_stand_in::{EXAMPLE_CLIENT, Endpoint, EntraStandIn};
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, CsrfToken, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, Scope,
    TokenResponse as _, TokenUrl,
};
use serde_json::{Value, json};
use url::Url;

use super::Failure;
use super::client::{Client, expect, location, parameter, tool_text};
use super::report::{Party, done, said, step};

const REDIRECT_URI: &str = "http://localhost:8787/callback";

type OAuthClient =
    BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Walks; fails at the first step that does.
pub(crate) async fn walk(entra: &EntraStandIn, resource: &str) -> Result<(), Failure> {
    let walk = Walk { entra, resource, client: Client::new()? };
    let metadata_url = walk.challenge().await?;
    let server = walk.protected_resource(&metadata_url).await?;
    let metadata = walk.authorization_server(&server).await?;
    let client_id = walk.register(&metadata).await?;
    let oauth = oauth_client(&client_id, &metadata)?;
    let (code, verifier) = walk.authorize(&oauth).await?;
    let tokens = walk.redeem(&oauth, code, verifier).await?;
    walk.greet(tokens.access_token().secret()).await?;
    let refreshed = walk.refresh(&oauth, tokens.refresh_token()).await?;
    walk.step_up(&oauth, refreshed.access_token().secret()).await
}

struct Walk<'a> {
    entra: &'a EntraStandIn,
    resource: &'a str,
    client: Client,
}

impl Walk<'_> {
    async fn challenge(&self) -> Result<String, Failure> {
        step(1, "The client connects and has no token");
        let response = self.client.initialize(self.resource, None).await?;
        expect(&response, http::StatusCode::UNAUTHORIZED)?;
        let challenge = header(&response, WWW_AUTHENTICATE.as_str());
        said(Party::Client, "POST /mcp  initialize");
        said(Party::McpEntra, &format!("401  WWW-Authenticate: {challenge}"));
        let url =
            challenge.split("resource_metadata=\"").nth(1).and_then(|rest| rest.split('"').next());
        done("the challenge names where to go on, and what to ask for");
        Ok(url.ok_or("the challenge has no resource_metadata")?.to_owned())
    }

    async fn protected_resource(&self, url: &str) -> Result<String, Failure> {
        step(2, "It reads the protected-resource metadata (RFC 9728)");
        let document = self.client.document(url).await?;
        said(Party::Client, &format!("GET {}", path(url)));
        said(
            Party::McpEntra,
            &members(&document, &["resource", "authorization_servers", "scopes_supported"]),
        );
        let server = text(&document, "authorization_servers/0")?;
        if text(&document, "resource")? != self.resource {
            return Err("the metadata is of another resource".into());
        }
        done("the authorization server is mcp-entra itself");
        Ok(server)
    }

    async fn authorization_server(&self, server: &str) -> Result<Value, Failure> {
        step(3, "It reads the authorization-server metadata (RFC 8414)");
        let url = format!("{server}/.well-known/oauth-authorization-server");
        let alone = format!("{}/{}/v2.0", self.entra.authority(), self.entra.tenant());
        let missing = self
            .client
            .get(&format!(
                "{}/.well-known/oauth-authorization-server/{}/v2.0",
                self.entra.authority(),
                self.entra.tenant()
            ))
            .await?;
        let openid =
            self.client.document(&format!("{alone}/.well-known/openid-configuration")).await?;
        let wanted =
            ["registration_endpoint", "code_challenge_methods_supported", "grant_types_supported"];
        let lacking: Vec<&str> =
            wanted.into_iter().filter(|name| openid.get(name).is_none()).collect();
        said(Party::Client, &format!("GET {}", path(&url)));
        said(
            Party::EntraAlone,
            &format!(
                "{}; its OpenID Connect document lacks {}",
                missing.status(),
                lacking.join(", ")
            ),
        );
        let document = self.client.document(&url).await?;
        said(
            Party::McpEntra,
            &members(
                &document,
                &[
                    "issuer",
                    "registration_endpoint",
                    "code_challenge_methods_supported",
                    "grant_types_supported",
                    "token_endpoint_auth_methods_supported",
                ],
            ),
        );
        if text(&document, "issuer")? != server {
            return Err("the issuer is not the authorization server".into());
        }
        done("the issuer is byte-equal to the authorization server of step 2");
        Ok(document)
    }

    async fn register(&self, metadata: &Value) -> Result<String, Failure> {
        step(4, "It registers (RFC 7591), as Cursor does with three redirect URIs");
        let redirect_uris = [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            REDIRECT_URI,
        ];
        let body = json!({
            "client_name": "Cursor", "redirect_uris": redirect_uris, "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        });
        let url = text(metadata, "registration_endpoint")?;
        let response = self.client.post(&url, "application/json", body.to_string()).await?;
        expect(&response, http::StatusCode::CREATED)?;
        let answer: Value = serde_json::from_slice(response.body())?;
        said(
            Party::Client,
            &format!("POST {}  {}", path(&url), members(&body, &["client_name", "redirect_uris"])),
        );
        said(Party::EntraAlone, "registers nobody on request");
        said(
            Party::McpEntra,
            &format!(
                "201  {}",
                members(&answer, &["client_id", "token_endpoint_auth_method", "grant_types"])
            ),
        );
        let client_id = text(&answer, "client_id")?;
        done("every client is the one app registration that the operator made");
        Ok(client_id)
    }

    async fn authorize(&self, oauth: &OAuthClient) -> Result<(String, PkceCodeVerifier), Failure> {
        step(5, "It sends the browser to sign in");
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = oauth
            .authorize_url(CsrfToken::new_random)
            .add_scope(Scope::new("access_as_user".into()))
            .add_extra_param("resource", self.resource)
            .add_extra_param("prompt", "consent")
            .set_pkce_challenge(challenge)
            .url();
        said(Party::Client, &sent(&url, &["scope", "resource", "prompt"]));
        said(Party::EntraAlone, &self.authorize_alone(&url).await?);
        let onward = location(&self.client.get(url.as_str()).await?)?;
        said(
            Party::McpEntra,
            &format!("302  to Entra ID with {}", sent(&onward, &["scope", "resource", "prompt"])),
        );
        let callback = location(&self.client.get(onward.as_str()).await?)?;
        let code = parameter(&callback, "code").ok_or_else(|| {
            format!("no code in {}", sent(&callback, &["error", "error_description"]))
        })?;
        said(Party::Entra, &format!("302  to {REDIRECT_URI} with a code"));
        if parameter(&callback, "state").as_ref() != Some(state.secret()) {
            return Err("the state did not come back".into());
        }
        done("the scope is qualified; resource and prompt=consent stay behind");
        Ok((code, verifier))
    }

    /// What Entra says to the client's own words, its client id put right so that they are heard.
    async fn authorize_alone(&self, url: &Url) -> Result<String, Failure> {
        let alone = format!(
            "{}/{}/oauth2/v2.0/authorize?{}",
            self.entra.authority(),
            self.entra.tenant(),
            url.query().unwrap_or_default()
        );
        let response = self.client.get(&alone).await?;
        let text = match location(&response) {
            Ok(callback) => parameter(&callback, "error_description").unwrap_or_default(),
            Err(_) => String::from_utf8_lossy(response.body()).into_owned(),
        };
        Ok(first_sentence(&text))
    }

    async fn redeem(
        &self,
        oauth: &OAuthClient,
        code: String,
        verifier: PkceCodeVerifier,
    ) -> Result<BasicTokenResponse, Failure> {
        step(6, "It redeems the code, and names no scope");
        said(Party::Client, &format!("grant_type=authorization_code  resource={}", self.resource));
        said(Party::EntraAlone, &self.redeem_alone(oauth).await?);
        self.entra.clear_requests();
        let tokens = oauth
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(verifier)
            .add_extra_param("resource", self.resource)
            .request_async(&|request| self.oauth_http(request))
            .await?;
        said(
            Party::McpEntra,
            &format!(
                "to Entra ID with {}",
                self.forwarded(&["scope", "resource", "client_secret"])
            ),
        );
        said(Party::Entra, describe(&tokens));
        if tokens.refresh_token().is_none() {
            return Err("there is no refresh token".into());
        }
        done("a token for this server, and a refresh token that nobody had to ask for");
        Ok(tokens)
    }

    /// A code of its own for the attempt, since Entra spends a code on a refusal too.
    async fn redeem_alone(&self, oauth: &OAuthClient) -> Result<String, Failure> {
        let (code, verifier) = self.another_code(oauth, "access_as_user").await?;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", EXAMPLE_CLIENT),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", verifier.secret()),
            ("resource", self.resource),
        ];
        self.token_alone(&form).await
    }

    async fn greet(&self, token: &str) -> Result<(), Failure> {
        step(7, "It calls the tool again, with the token");
        let response = self.client.call_tool(self.resource, token, "greet").await?;
        let greeting = tool_text(&response)?;
        said(Party::Client, "POST /mcp  tools/call greet  Authorization: Bearer …");
        said(
            Party::McpEntra,
            "checks signature, issuer, audience, time and scope; the token stays here",
        );
        said(Party::McpServer, &greeting);
        done("the server behind knows who calls, and never saw a token");
        Ok(())
    }

    async fn refresh(
        &self,
        oauth: &OAuthClient,
        token: Option<&RefreshToken>,
    ) -> Result<BasicTokenResponse, Failure> {
        step(8, "Later it refreshes, and names no scope");
        let token = token.ok_or("there is no refresh token")?;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", EXAMPLE_CLIENT),
            ("refresh_token", token.secret().as_str()),
        ];
        said(Party::Client, "grant_type=refresh_token");
        said(Party::EntraAlone, &self.token_alone(&form).await?);
        self.entra.clear_requests();
        let tokens = oauth
            .exchange_refresh_token(token)
            .request_async(&|request| self.oauth_http(request))
            .await?;
        said(Party::McpEntra, &format!("to Entra ID with {}", self.forwarded(&["scope"])));
        said(Party::Entra, describe(&tokens));
        let response =
            self.client.call_tool(self.resource, tokens.access_token().secret(), "greet").await?;
        said(Party::McpServer, &tool_text(&response)?);
        done("nobody had to sign in again");
        Ok(tokens)
    }

    async fn step_up(&self, oauth: &OAuthClient, token: &str) -> Result<(), Failure> {
        step(9, "It calls a tool that needs more, and steps up");
        let refused = self.client.call_tool(self.resource, token, "delete_note").await?;
        expect(&refused, http::StatusCode::FORBIDDEN)?;
        let challenge = header(&refused, WWW_AUTHENTICATE.as_str());
        said(Party::Client, "POST /mcp  tools/call delete_note");
        said(Party::McpEntra, &format!("403  WWW-Authenticate: {challenge}"));
        let scope = challenge
            .split("scope=\"")
            .last()
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_default();
        let (code, verifier) = self.another_code(oauth, scope).await?;
        let tokens = oauth
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(verifier)
            .request_async(&|request| self.oauth_http(request))
            .await?;
        said(Party::Entra, describe(&tokens));
        let response = self
            .client
            .call_tool(self.resource, tokens.access_token().secret(), "delete_note")
            .await?;
        said(Party::McpServer, &tool_text(&response)?);
        done("one challenge named every scope, so one sign-in was enough");
        Ok(())
    }

    async fn another_code(
        &self,
        oauth: &OAuthClient,
        scope: &str,
    ) -> Result<(String, PkceCodeVerifier), Failure> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let scopes = scope.split(' ').map(|scope| Scope::new(scope.into()));
        let (url, _) = oauth
            .authorize_url(CsrfToken::new_random)
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .url();
        let onward = location(&self.client.get(url.as_str()).await?)?;
        let callback = location(&self.client.get(onward.as_str()).await?)?;
        Ok((parameter(&callback, "code").ok_or("there is no code")?, verifier))
    }

    /// What Entra says to a form of the client's.
    async fn token_alone(&self, form: &[(&str, &str)]) -> Result<String, Failure> {
        let url = format!("{}/{}/oauth2/v2.0/token", self.entra.authority(), self.entra.tenant());
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let response = self.client.post(&url, "application/x-www-form-urlencoded", body).await?;
        let answer: Value = serde_json::from_slice(response.body())?;
        Ok(first_sentence(&text(&answer, "error_description")?))
    }

    /// What of the last token request reached Entra.
    fn forwarded(&self, names: &[&str]) -> String {
        let requests = self.entra.requests();
        let request = requests.iter().rfind(|request| request.endpoint == Some(Endpoint::Token));
        let pairs = request.map(|request| request.form_pairs()).unwrap_or_default();
        shown(&pairs, names)
    }

    async fn oauth_http(&self, request: HttpRequest) -> Result<HttpResponse, std::io::Error> {
        let response =
            self.client.send(request.map(Bytes::from)).await.map_err(std::io::Error::other)?;
        Ok(response.map(|body| body.to_vec()))
    }
}

fn oauth_client(client_id: &str, metadata: &Value) -> Result<OAuthClient, Failure> {
    Ok(BasicClient::new(ClientId::new(client_id.to_owned()))
        .set_auth_uri(AuthUrl::new(text(metadata, "authorization_endpoint")?)?)
        .set_token_uri(TokenUrl::new(text(metadata, "token_endpoint")?)?)
        .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.into())?))
}

fn describe(tokens: &BasicTokenResponse) -> &'static str {
    match tokens.refresh_token() {
        Some(_) => "200  an access token and a refresh token",
        None => "200  an access token and no refresh token",
    }
}

fn header<'r>(response: &'r Response<Bytes>, name: &str) -> &'r str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn text(document: &Value, pointer: &str) -> Result<String, Failure> {
    let value = document.pointer(&format!("/{pointer}")).and_then(Value::as_str);
    Ok(value.ok_or_else(|| format!("there is no {pointer} in {document}"))?.to_owned())
}

fn members(document: &Value, names: &[&str]) -> String {
    let members = names.iter().map(|name| format!("{name}: {}", document[name]));
    members.collect::<Vec<_>>().join("\n")
}

fn sent(url: &Url, names: &[&str]) -> String {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    shown(&pairs, names)
}

fn shown(pairs: &[(String, String)], names: &[&str]) -> String {
    let value = |name: &&str| match pairs.iter().find(|(known, _)| known == name) {
        Some((_, value)) => format!("{name}={value}"),
        None => format!("no {name}"),
    };
    names.iter().map(value).collect::<Vec<_>>().join("\n")
}

fn path(url: &str) -> String {
    url.parse::<Url>().map(|url| url.path().to_owned()).unwrap_or_default()
}

fn first_sentence(text: &str) -> String {
    text.split(" Trace ID").next().unwrap_or(text).trim().to_owned()
}
