//! The one door: from the head of a request to the first [`Step`].

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use crate::access_token::TokenError;
use crate::authorization_server::{
    self, AUTHORIZATION_ENDPOINT, REGISTRATION_ENDPOINT, TOKEN_ENDPOINT,
};
use crate::authorize::{Authorization, authorize};
use crate::challenge::{Challenge, ChallengeError};
use crate::discovery::{Discovery, DiscoveryError};
use crate::error_page;
use crate::exchange::{Authenticating, BodyPurpose, Context, Load, Passing, ReadBody, Step};
use crate::explanation::{self, EXPLANATION_PAGE};
use crate::front_page::{front_page, wants_page};
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::operation::{OperationRule, Operations};
use crate::platform::Trust;
use crate::principal::{CLIENT_PRINCIPAL, Caller, Principal, is_identity_header, is_token_header};
use crate::protected_resource::ProtectedResourceMetadata;
use crate::response::{self, Reason};
use crate::scope::ScopeName;
use crate::settings::Settings;

const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";
const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";

/// Decides what to answer. Immutable, shared between all requests, cheap to clone.
#[derive(Clone, Debug)]
pub struct Facade(Arc<Shared>);

/// What does not depend on the request, rendered once.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    protected_resource: Bytes,
    resource_metadata: String,
    required: String,
    challenge: HeaderValue,
    challenge_headers: HeaderMap,
    front_page: Bytes,
    routes: Vec<(String, Route)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Route {
    AuthorizationServer,
    Authorize,
    Explanation,
    ProtectedResource,
    Register,
    Token,
}

/// An endpoint that anybody may call and that costs something: what a host may want to limit.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SignInEndpoint {
    /// Where browsers begin; each request leads one to Entra.
    Authorize,
    /// Where clients register.
    Register,
    /// Where codes and refresh tokens are exchanged; each request goes to Entra.
    Token,
}

impl Facade {
    /// A facade for one protected resource.
    pub fn new(settings: Settings) -> Self {
        let resource = settings.resource();
        let required = settings.api().required();
        let metadata = ProtectedResourceMetadata::new(resource, required);
        // strings and lists of strings always serialize
        let protected_resource = serde_json::to_vec(&metadata).unwrap_or_default().into();
        let resource_metadata = resource.join(&format!("{PROTECTED_RESOURCE}{}", resource.path()));
        let required = required.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ");
        let challenge =
            Challenge { resource_metadata: &resource_metadata, scope: &required, error: None }
                .to_header_value();
        let mut challenge_headers =
            response::empty(StatusCode::UNAUTHORIZED).into_parts().0.headers;
        challenge_headers.insert(WWW_AUTHENTICATE, challenge.clone());
        let routes = routes(resource.path());
        Self(Arc::new(Shared {
            protected_resource,
            resource_metadata,
            required,
            challenge,
            challenge_headers,
            front_page: front_page(&settings).into(),
            routes,
            settings,
        }))
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Begins an exchange: answers what is ours, authenticates what is for the protected resource,
    /// and passes everything else. Never fails, never panics.
    ///
    /// The path counts as it is written. In front of a router that normalises paths, where `//mcp`
    /// is `/mcp`, use [`Self::authenticate`] behind it.
    pub fn begin(&self, head: &Parts, cx: &Context) -> Step {
        let path = head.uri.path();
        let Some(route) = self.route(path) else {
            return match self.is_resource(path) {
                true => self.authenticate(head, cx),
                false => Step::Pass(Passing::new(self.clone(), None)),
            };
        };
        let read = |purpose| Step::Read(ReadBody::new(self.clone(), purpose));
        match (route, head.method.as_str()) {
            (_, "OPTIONS") => Step::Respond(response::preflight()),
            (Route::ProtectedResource, "GET" | "HEAD") => {
                Step::Respond(response::document(self.0.protected_resource.clone()))
            }
            (Route::AuthorizationServer, "GET" | "HEAD") => match &cx.discovery {
                Some(discovery) => Step::Respond(self.metadata(discovery)),
                None => Step::Load(Load::for_metadata(self.clone())),
            },
            (Route::Authorize, "GET" | "HEAD") => {
                Step::Respond(self.authorize(head.uri.query().unwrap_or_default()))
            }
            (Route::Explanation, "GET" | "HEAD") => Step::Respond(explanation::page(
                head.uri.query().unwrap_or_default(),
                self.settings(),
            )),
            (Route::Register, "POST") => read(BodyPurpose::Registration(cx.now)),
            (Route::Token, "POST") => {
                read(BodyPurpose::Token(head.headers.get(CONTENT_TYPE).cloned()))
            }
            (Route::Register | Route::Token, _) => {
                Step::Respond(response::method_not_allowed("POST, OPTIONS"))
            }
            _ => Step::Respond(response::method_not_allowed("GET, HEAD, OPTIONS")),
        }
    }

    /// Begins an exchange for a request that is for the protected resource wherever its path is,
    /// as behind a router that has stripped a prefix.
    pub fn authenticate(&self, head: &Parts, cx: &Context) -> Step {
        if head.method == Method::OPTIONS {
            return Step::Respond(response::preflight());
        }
        if has_dot_segment(head.uri.path()) {
            return self.malformed("the path has dot segments or encoded separators");
        }
        let has_token = |query: &str| query.split('&').any(is_access_token);
        if head.uri.query().is_some_and(has_token) {
            return self.malformed(
                "a token in the query string is not accepted; use the Authorization header",
            );
        }
        let reads_body =
            head.method == Method::POST && !self.settings().operation_rules().is_empty();
        match self.settings().trust() {
            Trust::EasyAuth => self.easy_auth(&head.headers, reads_body),
            Trust::Token => self.bearer(&head.headers, cx, reads_body),
        }
    }

    /// The bearer token of a request, by which a driver looks up what it remembers. `None` where
    /// there is none, where there are two, or where tokens are not what is trusted.
    pub fn bearer_token<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        match (self.settings().trust(), one(headers, &AUTHORIZATION)) {
            (Trust::Token, Ok(Some(value))) => ascii(value)?.get(bearer(value)?..),
            _ => None,
        }
    }

    /// The sign-in endpoint that a request is for, for hosts that limit how often one may ask. None
    /// for everything else, and for the question that a browser asks beforehand.
    pub fn sign_in_endpoint(&self, head: &Parts) -> Option<SignInEndpoint> {
        if head.method == Method::OPTIONS {
            return None;
        }
        match self.route(head.uri.path())? {
            Route::Authorize => Some(SignInEndpoint::Authorize),
            Route::Register => Some(SignInEndpoint::Register),
            Route::Token => Some(SignInEndpoint::Token),
            Route::AuthorizationServer | Route::Explanation | Route::ProtectedResource => None,
        }
    }

    /// The answer for one who asks too often: 429 (RFC 6585 section 4), a page where a person looks
    /// and an OAuth error where a program does. `wait` is in seconds.
    pub fn too_many_requests(&self, endpoint: SignInEndpoint, wait: u64) -> Response<Bytes> {
        let text = "too many requests from this address; try again later";
        let mut response = match endpoint {
            SignInEndpoint::Authorize => {
                let page = error_page::too_many_requests(wait);
                let mut page = response::page(StatusCode::TOO_MANY_REQUESTS, page);
                page.extensions_mut().insert(Reason(text.into()));
                page
            }
            SignInEndpoint::Register | SignInEndpoint::Token => {
                OAuthError::new(ErrorCode::TemporarilyUnavailable, text).into_response()
            }
        };
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response::retry_after(response, wait)
    }

    /// A page for a person who opens an address near the protected resource in a browser, for
    /// whoever has nothing else to show there.
    pub fn front_page(&self) -> Response<Bytes> {
        response::page(StatusCode::OK, self.0.front_page.clone())
    }

    /// Every path that is ours, for routers that want to know beforehand.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.routes.iter().map(|(path, _)| path.as_str())
    }

    /// The request for Entra's discovery document.
    pub fn discovery_request(&self) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.settings().authority().discovery_endpoint().clone();
        request
    }

    /// Reads Entra's discovery document and renders our metadata from it.
    ///
    /// # Errors
    /// Where it is not the document of our authority.
    pub fn read_discovery(&self, document: &[u8]) -> Result<Discovery, DiscoveryError> {
        let discovery = Discovery::parse(document, self.settings().authority())?;
        let metadata = authorization_server::metadata(&discovery, self.settings());
        Ok(discovery.with_metadata(metadata))
    }

    /// Our metadata, rendered already unless the document was read without us.
    pub(crate) fn metadata(&self, discovery: &Discovery) -> Response<Bytes> {
        response::document(match discovery.metadata() {
            rendered if !rendered.is_empty() => rendered,
            _ => authorization_server::metadata(discovery, self.settings()),
        })
    }

    fn route(&self, path: &str) -> Option<Route> {
        self.0.routes.iter().find(|(known, _)| known == path).map(|(_, route)| *route)
    }

    /// The resource's path and everything below it.
    fn is_resource(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.settings().resource().path());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn authorize(&self, query: &str) -> Response<Bytes> {
        let (location, reason) = match authorize(query, self.settings()) {
            Authorization::Entra { location } => (location, None),
            Authorization::Client { location, error } => (location, Some(error.to_string())),
            Authorization::Page(error) => {
                let mut page =
                    response::page(StatusCode::BAD_REQUEST, error.to_html(self.settings()));
                page.extensions_mut().insert(Reason(error.to_string()));
                return page;
            }
        };
        let mut redirect = match HeaderValue::try_from(location) {
            Ok(location) => response::redirect(location),
            Err(_) => response::empty(StatusCode::BAD_REQUEST),
        };
        if let Some(reason) = reason {
            redirect.extensions_mut().insert(Reason(reason));
        }
        redirect
    }

    fn bearer(&self, headers: &HeaderMap, cx: &Context, reads_body: bool) -> Step {
        let authorization = match one(headers, &AUTHORIZATION) {
            Ok(authorization) => authorization,
            Err(Twice) => return self.malformed("the request has two Authorization headers"),
        };
        let is_ascii = |value: &&HeaderValue| ascii(value).is_some();
        let Some((authorization, token)) =
            authorization.filter(is_ascii).and_then(|value| Some((value, bearer(value)?)))
        else {
            return Step::Respond(self.challenge(headers));
        };
        if let Some(known) = &cx.remembered {
            let key_is_there =
                cx.keys.as_ref().is_some_and(|keys| keys.find(known.kid()).is_some());
            if key_is_there {
                return match known.check_time(cx.now, self.settings().clock_skew()) {
                    Ok(()) => self.authorized(known.caller().clone(), reads_body),
                    Err(error) => Step::Respond(self.refuse_token(error)),
                };
            }
        }
        match Authenticating::new(authorization, token, reads_body) {
            Ok(authenticating) => authenticating.resume(self.clone(), cx, None),
            Err(error) => Step::Respond(self.refuse_token(error)),
        }
    }

    fn easy_auth(&self, headers: &HeaderMap, reads_body: bool) -> Step {
        match one(headers, &HeaderName::from_static(CLIENT_PRINCIPAL)) {
            Err(Twice) => self.malformed("the request has two X-MS-CLIENT-PRINCIPAL headers"),
            Ok(None) => Step::Respond(self.challenge(headers)),
            Ok(Some(value)) => match Principal::from_easy_auth(value.as_bytes()) {
                Err(error) => Step::Respond(self.refuse(
                    ChallengeError::InvalidToken,
                    &error.to_string(),
                    &self.0.required,
                )),
                Ok(principal) => {
                    let tenant = principal.tenant_id;
                    if !self.settings().accepts_tenant(&tenant, None) {
                        return Step::Respond(self.refuse_token(TokenError::Tenant { tenant }));
                    }
                    self.authorized(Caller::new(principal), reads_body)
                }
            },
        }
    }

    /// Holds what the caller may do against what every call needs.
    pub(crate) fn authorized(&self, caller: Caller, reads_body: bool) -> Step {
        let settings = self.settings();
        let principal = &*caller.principal;
        if principal.app_only {
            let has_role = principal.roles.iter().any(|role| settings.app_roles().contains(role));
            if !has_role {
                let text =
                    "an application without a user needs an app role that this server accepts";
                return Step::Respond(self.refuse(
                    ChallengeError::InsufficientScope,
                    text,
                    &self.0.required,
                ));
            }
        } else if let Some(missing) =
            settings.api().required().iter().find(|scope| !settings.holds(&principal.scopes, scope))
        {
            let text = format!("the token lacks the scope {missing}");
            return Step::Respond(self.refuse(
                ChallengeError::InsufficientScope,
                &text,
                &self.0.required,
            ));
        }
        let passing = Passing::new(self.clone(), Some(caller));
        if reads_body {
            return Step::Read(ReadBody::new(self.clone(), BodyPurpose::Operation(passing)));
        }
        Step::Pass(passing)
    }

    /// Holds what the caller may do against what its operations need.
    pub(crate) fn allowed(&self, passing: Passing, operations: &Operations) -> Step {
        let rules = self.settings().operation_rules().iter();
        let applying = rules.filter(|rule| operations.iter().any(|o| rule.applies_to(o)));
        let needed: Vec<&ScopeName> = applying.flat_map(OperationRule::scopes).collect();
        match self.lacks(&passing, &needed) {
            None => Step::Pass(passing),
            Some(response) => Step::Respond(response),
        }
    }

    /// A caller that lacks a scope gets one challenge that names them all.
    pub(crate) fn lacks(
        &self,
        passing: &Passing,
        needed: &[&ScopeName],
    ) -> Option<Response<Bytes>> {
        let settings = self.settings();
        let granted = passing.principal().is_some_and(|principal| {
            // an application's roles stand where a user's scopes do
            let held = if principal.app_only { &principal.roles } else { &principal.scopes };
            needed.iter().all(|scope| settings.holds(held, scope))
        });
        if granted {
            return None;
        }
        let mut scopes: Vec<&str> =
            settings.api().required().iter().map(ScopeName::as_str).collect();
        for scope in needed {
            if !scopes.contains(&scope.as_str()) {
                scopes.push(scope.as_str());
            }
        }
        let text = "this operation needs more than the token grants";
        Some(self.refuse(ChallengeError::InsufficientScope, text, &scopes.join(" ")))
    }

    pub(crate) fn refuse_token(&self, error: TokenError) -> Response<Bytes> {
        self.refuse(ChallengeError::InvalidToken, &error.to_string(), &self.0.required)
    }

    fn malformed(&self, text: &str) -> Step {
        Step::Respond(self.refuse(ChallengeError::InvalidRequest, text, &self.0.required))
    }

    /// The same for everybody, and readable for a person who came with a browser.
    fn challenge(&self, headers: &HeaderMap) -> Response<Bytes> {
        let status = StatusCode::UNAUTHORIZED;
        if !wants_page(headers) {
            return response::ready(status, &self.0.challenge_headers, Bytes::new());
        }
        let mut page = response::page(status, self.0.front_page.clone());
        response::allow_any_origin(page.headers_mut());
        page.headers_mut().insert(WWW_AUTHENTICATE, self.0.challenge.clone());
        page
    }

    fn refuse(&self, error: ChallengeError, text: &str, scope: &str) -> Response<Bytes> {
        let status = match error {
            ChallengeError::InsufficientScope => StatusCode::FORBIDDEN,
            ChallengeError::InvalidRequest => StatusCode::BAD_REQUEST,
            ChallengeError::InvalidToken => StatusCode::UNAUTHORIZED,
        };
        let resource_metadata = &self.0.resource_metadata;
        let challenge = Challenge { resource_metadata, scope, error: Some((error, text)) };
        let mut response = response::empty(status);
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge.to_header_value());
        response.extensions_mut().insert(Reason(format!("{}: {text}", error.as_str())));
        response
    }

    pub(crate) fn amend_request(&self, head: &mut Parts, caller: Option<&Caller>) {
        let settings = self.settings();
        let easy_auth = settings.trust() == Trust::EasyAuth;
        let is_removed = |name: &str| {
            // nothing in front of us removes what is spelled with underscores
            let believed = easy_auth
                && !name.starts_with("mcp")
                && !name.contains('_')
                && (!is_token_header(name) || settings.forwards_token());
            is_identity_header(name) && !believed
        };
        let removed: Vec<HeaderName> =
            head.headers.keys().filter(|name| is_removed(name.as_str())).cloned().collect();
        for name in removed {
            head.headers.remove(name);
        }
        let Some(caller) = caller else { return };
        if !settings.forwards_token() {
            head.headers.remove(AUTHORIZATION);
        }
        head.headers.reserve(caller.headers.len());
        for (name, value) in caller.headers.iter() {
            head.headers.insert(name.clone(), value.clone());
        }
        head.extensions.insert(caller.principal.clone());
    }

    pub(crate) fn amend_response(&self, head: &mut http::response::Parts) {
        if !head.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            response::allow_any_origin(&mut head.headers);
        }
        if head.status == StatusCode::UNAUTHORIZED {
            head.headers.insert(WWW_AUTHENTICATE, self.0.challenge.clone());
        }
    }
}

/// Every path that is ours. Clients build the well-known ones in three ways: at the root, with
/// the resource's path inserted behind (RFC 8414 section 3.1), and appended to it (OpenID Connect
/// Discovery); clients without metadata guess the bare ones.
fn routes(resource_path: &str) -> Vec<(String, Route)> {
    let mut routes = Vec::new();
    for (document, route) in [
        (PROTECTED_RESOURCE, Route::ProtectedResource),
        (AUTHORIZATION_SERVER, Route::AuthorizationServer),
        (OPENID_CONFIGURATION, Route::AuthorizationServer),
    ] {
        routes.push((document.into(), route));
        if !resource_path.is_empty() {
            routes.push((format!("{document}{resource_path}"), route));
            routes.push((format!("{resource_path}{document}"), route));
        }
    }
    for (endpoint, route) in [
        (AUTHORIZATION_ENDPOINT, Route::Authorize),
        (REGISTRATION_ENDPOINT, Route::Register),
        (TOKEN_ENDPOINT, Route::Token),
    ] {
        routes.push((endpoint.into(), route));
        routes.push((endpoint.trim_start_matches("/oauth").into(), route));
    }
    routes.push((EXPLANATION_PAGE.into(), Route::Explanation));
    routes.retain(|(path, _)| path != resource_path);
    routes
}

struct Twice;

/// The value of a header that may be there once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Twice> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Twice),
    }
}

/// What [`HeaderValue::to_str`] gives, many octets at a time: of control characters a value has none
/// but tabs.
pub(crate) fn ascii(value: &HeaderValue) -> Option<&str> {
    str::from_utf8(value.as_bytes()).ok().filter(|text| text.is_ascii())
}

/// Where the token begins: `credentials = "Bearer" 1*SP b64token`, RFC 6750 section 2.1; the scheme
/// has no case.
fn bearer(authorization: &HeaderValue) -> Option<usize> {
    let (scheme, rest) = authorization.as_bytes().split_at_checked("Bearer ".len())?;
    let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(scheme.len() + spaces)
}

/// Whether a pair of a query string is RFC 6750's `access_token`, however it is encoded.
fn is_access_token(pair: &str) -> bool {
    form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(name, _)| name == "access_token")
}

/// Paths that the server behind might read as another one than we do.
fn has_dot_segment(path: &str) -> bool {
    let encoded = path
        .as_bytes()
        .windows(3)
        .any(|w| matches!(w, [b'%', b'2', b'e' | b'E' | b'f' | b'F'] | [b'%', b'5', b'c' | b'C']));
    encoded || path.contains('\\') || path.split('/').any(|segment| matches!(segment, "." | ".."))
}
