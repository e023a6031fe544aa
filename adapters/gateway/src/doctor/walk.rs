//! The walk: what the strictest client would ask, in its order, and nothing judged.
//!
//! It stops at Microsoft's door: Entra's authorization endpoint is asked for each redirect URI, and
//! what it answers is not followed. No code is redeemed; the ones that are sent are none.

use std::collections::BTreeMap;

use http::header::{ACCEPT, CONTENT_TYPE, ORIGIN};
use http::request::Builder;
use mcp_entra_core::known_client::KnownClient;
use mcp_entra_core::redirect_uri::{RedirectKind, RedirectUri};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use super::challenge::Challenge;
use super::seen::{
    Asking, Authorized, Call, Endpoint, Endpoints, Form, Grant, Observations, Registered, Rung,
    is_entra, same_origin,
};
use super::web::Web;

/// A port that a client with a port of its own choice could take.
pub(crate) const SOME_PORT: u16 = 49321;
/// Cursor's, which has been the same since it registers `http://localhost`.
const CURSORS_PORT: u16 = 8787;
/// Hops between the authorization endpoint and Entra that are on the server itself.
const MOST_HOPS: usize = 4;
/// Where MCP Inspector's page is.
pub(crate) const BROWSER: &str = "http://localhost:6274";
/// RFC 7636 appendix B: nothing is redeemed, so nothing has to be secret.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const FORM: &str = "application/x-www-form-urlencoded";

/// What the walk is told.
#[derive(Debug)]
pub(crate) struct Itinerary {
    pub(crate) resource: Url,
    pub(crate) clients: Vec<&'static KnownClient>,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    /// What clients with a static registration are told.
    pub(crate) client_id: Option<String>,
    pub(crate) register: bool,
}

/// Walks.
pub(crate) async fn walk(web: &Web, itinerary: &Itinerary) -> Observations {
    let resource = &itinerary.resource;
    let mut seen = Observations {
        resource: resource.clone(),
        calls: calls(web, resource).await,
        protected_resource: Vec::new(),
        issuer: None,
        rungs: Vec::new(),
        endpoints: Endpoints::default(),
        registrations: Vec::new(),
        authorizations: Vec::new(),
        tokens: Vec::new(),
        preflights: Vec::new(),
        cross_origin: None,
        hosts: Vec::new(),
    };
    if seen.calls.iter().all(|call| call.answer.is_err()) {
        seen.hosts = web.hosts();
        return seen;
    }
    let challenge = Challenge::of(&seen.calls);
    seen.protected_resource = protected_resource(web, resource, challenge.as_ref()).await;
    seen.issuer = issuer(&seen);
    seen.rungs = authorization_server(web, resource, seen.issuer.as_deref()).await;
    seen.endpoints = endpoints(&seen);
    if itinerary.register {
        seen.registrations = registrations(web, &seen.endpoints, itinerary).await;
    }
    seen.authorizations = authorizations(web, &seen, itinerary, challenge.as_ref()).await;
    seen.tokens = tokens(web, &seen, itinerary).await;
    seen.preflights = preflights(web, &seen).await;
    seen.cross_origin = Some(initialize(web, resource, |head| head.header(ORIGIN, BROWSER)).await);
    seen.hosts = web.hosts();
    seen
}

async fn calls(web: &Web, resource: &Url) -> Vec<Call> {
    let post = initialize(web, resource, |head| head).await;
    let streams = |head: Builder| head.header(ACCEPT, "text/event-stream");
    let get = web.ask("GET", resource.as_str(), streams, "").await;
    let head = web.ask("HEAD", resource.as_str(), |head| head, "").await;
    vec![post, get, head]
}

/// The first message of every MCP client.
async fn initialize(web: &Web, resource: &Url, more: impl FnOnce(Builder) -> Builder) -> Call {
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "mcp-entra doctor", "version": env!("CARGO_PKG_VERSION")},
    }});
    let head = |head: Builder| {
        more(
            head.header(CONTENT_TYPE, "application/json")
                .header(ACCEPT, "application/json, text/event-stream"),
        )
    };
    web.ask("POST", resource.as_str(), head, body.to_string()).await
}

async fn protected_resource(
    web: &Web,
    resource: &Url,
    challenge: Option<&Challenge>,
) -> Vec<(Form, Call)> {
    const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
    let root = at(resource, WELL_KNOWN);
    let inserted = at(resource, &format!("{WELL_KNOWN}{}", resource.path().trim_end_matches('/')));
    let mut forms = Vec::new();
    let named = challenge.and_then(|challenge| challenge.resource_metadata.as_deref());
    if let Some(url) = named.and_then(|url| Url::parse(url).ok()) {
        forms.push((Form::Challenge, url.to_string()));
    }
    forms.push((Form::PathInserted, inserted));
    forms.push((Form::Root, root));
    let mut seen: Vec<(Form, Call)> = Vec::new();
    for (form, url) in forms {
        let known = seen.iter().find(|(_, call)| call.url == url).map(|(_, call)| call.clone());
        let call = match known {
            Some(call) => call,
            None => document(web, &url).await,
        };
        seen.push((form, call));
    }
    seen
}

fn issuer(seen: &Observations) -> Option<String> {
    match seen.protected_resource_document() {
        Some(document) => document["authorization_servers"][0].as_str().map(str::to_owned),
        // the revision 2025-03-26: the MCP server is its own
        None => Some(seen.resource.origin().ascii_serialization()),
    }
}

async fn authorization_server(
    web: &Web,
    resource: &Url,
    issuer: Option<&str>,
) -> Vec<(Rung, Call)> {
    let mut ladder = Vec::new();
    if let Some(issuer) = issuer.and_then(|issuer| Url::parse(issuer).ok()) {
        let path = issuer.path().trim_end_matches('/');
        let inserted = |name: &str| at(&issuer, &format!("/.well-known/{name}{path}"));
        ladder.push((Rung::OAuth, inserted("oauth-authorization-server")));
        ladder.push((Rung::OpenIdInserted, inserted("openid-configuration")));
        if !path.is_empty() {
            let appended = at(&issuer, &format!("{path}/.well-known/openid-configuration"));
            ladder.push((Rung::OpenIdAppended, appended));
        }
    }
    ladder.push((Rung::McpOrigin, at(resource, "/.well-known/oauth-authorization-server")));
    let mut seen: Vec<(Rung, Call)> = Vec::new();
    for (rung, url) in ladder {
        let known = seen.iter().find(|(_, call)| call.url == url).map(|(_, call)| call.clone());
        let call = match known {
            Some(call) => call,
            None => document(web, &url).await,
        };
        seen.push((rung, call));
    }
    seen
}

/// Those of the metadata; without one, those that clients guess at the MCP server's origin.
fn endpoints(seen: &Observations) -> Endpoints {
    let Some((_, document)) = seen.metadata() else {
        let guess = |path: &str| Some(at(&seen.resource, path));
        return Endpoints {
            guessed: true,
            authorization: guess("/authorize"),
            registration: guess("/register"),
            token: guess("/token"),
        };
    };
    let text = |name: &str| document[name].as_str().map(str::to_owned);
    Endpoints {
        guessed: false,
        authorization: text("authorization_endpoint"),
        registration: text("registration_endpoint"),
        token: text("token_endpoint"),
    }
}

async fn registrations(web: &Web, endpoints: &Endpoints, itinerary: &Itinerary) -> Vec<Registered> {
    let Some(url) = &endpoints.registration else { return Vec::new() };
    let mut asking: Vec<(Asking, Vec<String>)> = itinerary
        .clients
        .iter()
        .filter(|client| !client.redirect_uris.is_empty())
        .map(|client| (Asking::Known(client), redirect_uris_of(client)))
        .collect();
    let own: Vec<String> =
        itinerary.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect();
    asking.extend(own.into_iter().map(|uri| (Asking::Own, vec![uri])));
    let mut registrations = Vec::new();
    for (client, redirect_uris) in asking {
        let body = json!({
            "client_name": client.name(),
            "redirect_uris": redirect_uris,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        let head = |head: Builder| {
            head.header(CONTENT_TYPE, "application/json").header(ACCEPT, "application/json")
        };
        let call = web.ask("POST", url, head, body.to_string()).await;
        // a server that has had enough is left alone
        let enough = call.status() == Some(429) || call.answer.is_err();
        registrations.push(Registered { client, redirect_uris, call });
        if enough {
            break;
        }
    }
    registrations
}

/// With the ports that the client really takes.
fn redirect_uris_of(client: &KnownClient) -> Vec<String> {
    let with_port = |uri: &&'static str| {
        let parsed: Option<RedirectUri> = uri.parse().ok();
        let loopback = parsed.filter(|parsed| parsed.kind() == RedirectKind::Loopback);
        let Some(mut url) = loopback.map(|parsed| parsed.url().clone()) else {
            return (*uri).to_owned();
        };
        let ip = url.host_str() == Some("127.0.0.1");
        let port = match client.id {
            "cursor" => CURSORS_PORT,
            _ => client.default_port.filter(|_| ip).unwrap_or(SOME_PORT),
        };
        // http URLs take any port
        _ = url.set_port(Some(port));
        url.into()
    };
    client.redirect_uris.iter().map(with_port).collect()
}

async fn authorizations(
    web: &Web,
    seen: &Observations,
    itinerary: &Itinerary,
    challenge: Option<&Challenge>,
) -> Vec<Authorized> {
    let Some(endpoint) = &seen.endpoints.authorization else { return Vec::new() };
    let mut asked: BTreeMap<String, (String, Vec<Asking>)> = BTreeMap::new();
    let mut add = |uri: &String, id: String, client: Asking| {
        asked.entry(uri.clone()).or_insert_with(|| (id, Vec::new())).1.push(client);
    };
    if seen.registrations.is_empty() {
        let Some(id) = &itinerary.client_id else { return Vec::new() };
        for client in &itinerary.clients {
            for uri in redirect_uris_of(client) {
                add(&uri, id.clone(), Asking::Known(client));
            }
        }
        for uri in &itinerary.redirect_uris {
            add(&uri.as_str().to_owned(), id.clone(), Asking::Own);
        }
    }
    for registered in &seen.registrations {
        let id =
            registered.call.document().and_then(|it| it["client_id"].as_str().map(str::to_owned));
        let Some(id) = id.or_else(|| itinerary.client_id.clone()) else { continue };
        for uri in &registered.redirect_uris {
            add(uri, id.clone(), registered.client.clone());
        }
    }
    let wants = Wants::of(seen, challenge);
    let mut authorizations = Vec::new();
    for (redirect_uri, (client_id, clients)) in asked {
        let url = wants.url(endpoint, &client_id, &redirect_uri);
        let calls = to_entras_door(web, url, &redirect_uri).await;
        let without_port = match refused_port(&calls, &redirect_uri) {
            Some(portless) => Some(web.get(&portless).await),
            None => None,
        };
        authorizations.push(Authorized { redirect_uri, clients, calls, without_port });
    }
    authorizations
}

/// What every authorization request has in common.
struct Wants {
    scope: Option<String>,
    resource: Option<String>,
}

impl Wants {
    /// The challenge's scopes, else those of the metadata, as the specification orders them; and
    /// `resource` as the metadata writes it.
    fn of(seen: &Observations, challenge: Option<&Challenge>) -> Self {
        let metadata = seen.protected_resource_document();
        let listed = metadata.as_ref().and_then(|it| it["scopes_supported"].as_array());
        let listed =
            listed.map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
        let scope = challenge.and_then(|challenge| challenge.scope.clone()).or(listed);
        let resource = metadata.and_then(|it| it["resource"].as_str().map(str::to_owned));
        Self { scope: scope.filter(|scope| !scope.is_empty()), resource }
    }

    fn url(&self, endpoint: &str, client_id: &str, redirect_uri: &str) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "mcp-entra-doctor"),
        ]);
        query.extend_pairs(self.scope.as_deref().map(|scope| ("scope", scope)));
        query.extend_pairs(self.resource.as_deref().map(|resource| ("resource", resource)));
        let separator = if endpoint.contains('?') { '&' } else { '?' };
        format!("{endpoint}{separator}{}", query.finish())
    }
}

/// Follows the server itself, asks Entra once, and follows nobody else.
async fn to_entras_door(web: &Web, url: String, redirect_uri: &str) -> Vec<Call> {
    let mut calls = vec![web.get(&url).await];
    while let Some(next) = calls.last().and_then(|call| next_hop(call, redirect_uri)) {
        if calls.len() >= MOST_HOPS {
            break;
        }
        calls.push(web.get(&next).await);
    }
    calls
}

fn next_hop(call: &Call, redirect_uri: &str) -> Option<String> {
    let from = Url::parse(&call.url).ok()?;
    let to = from.join(call.location()?).ok()?;
    let to_client = redirect_uri
        .parse()
        .is_ok_and(|uri: Url| uri.path() == to.path() && same_origin(&uri, &to));
    let onward = !is_entra(&from) && !to_client && (is_entra(&to) || same_origin(&from, &to));
    onward.then(|| to.into())
}

/// Entra's door for the same redirect URI without its port, where it refused a port of 127.0.0.1.
fn refused_port(calls: &[Call], redirect_uri: &str) -> Option<String> {
    let last = calls.last()?;
    let door = Url::parse(&last.url).ok().filter(is_entra)?;
    let answer = last.answer.as_ref().ok()?;
    if !answer.text().contains("AADSTS50011") || !redirect_uri.starts_with("http://127.0.0.1:") {
        return None;
    }
    let mut portless = Url::parse(redirect_uri).ok()?;
    portless.set_port(None).ok()?;
    let pairs = door.query_pairs().map(|(name, value)| match &*name {
        "redirect_uri" => (name, portless.as_str().to_owned().into()),
        _ => (name, value),
    });
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    let mut url = door.clone();
    url.set_query(Some(&query));
    Some(url.into())
}

async fn tokens(web: &Web, seen: &Observations, itinerary: &Itinerary) -> Vec<(Grant, Call)> {
    let Some(url) = &seen.endpoints.token else { return Vec::new() };
    let registered = seen.registrations.iter().find_map(|registered| {
        let id = registered.call.document()?["client_id"].as_str()?.to_owned();
        Some((id, registered.redirect_uris.first()?.clone()))
    });
    let some = || Some((itinerary.client_id.clone()?, "http://localhost/callback".to_owned()));
    let Some((client_id, redirect_uri)) = registered.or_else(some) else { return Vec::new() };
    let mut calls = Vec::new();
    for grant in [Grant::Code, Grant::Refresh] {
        let mut form = Serializer::new(String::new());
        form.append_pair("client_id", &client_id);
        form.extend_pairs(match grant {
            Grant::Code => vec![
                ("grant_type", "authorization_code"),
                ("code", "mcp-entra-doctor-has-no-code"),
                ("redirect_uri", &redirect_uri),
                ("code_verifier", VERIFIER),
            ],
            Grant::Refresh => vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", "mcp-entra-doctor-has-no-refresh-token"),
            ],
        });
        let head = |head: Builder| {
            let head = head.header(CONTENT_TYPE, FORM).header(ACCEPT, "application/json");
            // Entra itself holds a browser's origin against it, and no browser client goes there
            if is_token_endpoint_of_entra(url) { head } else { head.header(ORIGIN, BROWSER) }
        };
        calls.push((grant, web.ask("POST", url, head, form.finish()).await));
    }
    calls
}

fn is_token_endpoint_of_entra(url: &str) -> bool {
    url.ends_with("/oauth2/v2.0/token") || url.ends_with("/oauth2/token")
}

async fn preflights(web: &Web, seen: &Observations) -> Vec<(Endpoint, Call)> {
    let metadata = |calls: Option<&Call>| calls.map(|call| call.url.clone());
    let protected = seen.protected_resource.iter().find(|(_, call)| call.document().is_some());
    let server = seen.rungs.iter().find(|(_, call)| call.document().is_some());
    let asked = [
        (Endpoint::Mcp, Some(seen.resource.to_string()), "POST"),
        (Endpoint::ProtectedResource, metadata(protected.map(|(_, call)| call)), "GET"),
        (Endpoint::AuthorizationServer, metadata(server.map(|(_, call)| call)), "GET"),
        (Endpoint::Registration, seen.endpoints.registration.clone(), "POST"),
        (Endpoint::Token, seen.endpoints.token.clone(), "POST"),
    ];
    let mut calls = Vec::new();
    for (endpoint, url, method) in asked {
        let Some(url) = url.filter(|_| {
            !seen.endpoints.guessed
                || matches!(endpoint, Endpoint::Mcp | Endpoint::ProtectedResource)
        }) else {
            continue;
        };
        let head = |head: Builder| {
            head.header(ORIGIN, BROWSER)
                .header("access-control-request-method", method)
                .header("access-control-request-headers", requested_headers(endpoint))
        };
        calls.push((endpoint, web.ask("OPTIONS", &url, head, "").await));
    }
    calls
}

/// What the browser clients send that a browser asks about first.
pub(crate) fn requested_headers(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Mcp => "authorization,content-type,mcp-protocol-version,mcp-session-id",
        Endpoint::ProtectedResource | Endpoint::AuthorizationServer => "mcp-protocol-version",
        Endpoint::Registration => "content-type",
        Endpoint::Token => "content-type,mcp-protocol-version",
    }
}

async fn document(web: &Web, url: &str) -> Call {
    let head = |head: Builder| {
        head.header(ACCEPT, "application/json")
            .header("mcp-protocol-version", "2025-11-25")
            .header(ORIGIN, BROWSER)
    };
    web.ask("GET", url, head, "").await
}

/// A path at the origin of a URL.
fn at(url: &Url, path: &str) -> String {
    format!("{}{path}", url.origin().ascii_serialization())
}
