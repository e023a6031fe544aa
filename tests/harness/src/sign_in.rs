//! The steps of a sign-in, each by hand.

use bytes::Bytes;
use http::Response;
use serde_json::Value;
use url::Url;

use crate::{Site, Web, header, json_body, query};

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A client with one redirect URI.
#[derive(Debug)]
pub struct SignIn<'w> {
    web: &'w Web,
    origin: String,
    redirect_uri: &'w str,
}

/// What a client gets.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// For the server.
    pub access_token: String,
    /// For more of them.
    pub refresh_token: String,
}

impl Tokens {
    /// Those of an answer, which has to have them.
    pub fn of(response: &Response<Bytes>) -> Self {
        let body = json_body(response);
        assert_eq!(response.status(), 200, "{body}");
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Self { access_token: text("access_token"), refresh_token: text("refresh_token") }
    }
}

impl<'w> SignIn<'w> {
    /// A client of a site.
    pub fn new(site: &'w impl Site, redirect_uri: &'w str) -> Self {
        Self::at(site.web(), site.url(""), redirect_uri)
    }

    /// A client of what is reached by another origin than its own.
    pub fn at(web: &'w Web, origin: String, redirect_uri: &'w str) -> Self {
        Self { web, origin, redirect_uri }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The URL for the user's browser.
    pub fn authorize_url(&self, state: &str) -> Url {
        let mut url: Url = self.url("/oauth/authorize").parse().expect("a URL");
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", "whatever the client thinks it is"),
            ("redirect_uri", self.redirect_uri),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", state),
            ("resource", &self.url("/mcp")),
        ]);
        url
    }

    /// The user signs in; what comes back is the code.
    pub async fn code(&self, state: &str) -> String {
        let url = self.authorize_url(state);
        let callback = browse(self.web, url.as_str(), self.redirect_uri).await;
        assert_eq!(query(&callback, "state").as_deref(), Some(state), "{callback}");
        query(&callback, "code").unwrap_or_else(|| panic!("no code in {callback}"))
    }

    /// Asks for the tokens of a code.
    pub async fn redeem(&self, code: &str) -> Response<Bytes> {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri),
            ("code_verifier", VERIFIER),
        ])
        .await
    }

    /// Asks for new tokens.
    pub async fn refresh(&self, refresh_token: &str) -> Response<Bytes> {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    async fn token(&self, form: &[(&str, &str)]) -> Response<Bytes> {
        self.web.post_form(&self.url("/oauth/token"), form).await
    }

    /// The whole way.
    pub async fn tokens(&self) -> Tokens {
        Tokens::of(&self.redeem(&self.code("a state").await).await)
    }
}

/// Follows redirects as a browser does, to the one that goes to the client.
pub async fn browse(web: &Web, url: &str, redirect_uri: &str) -> Url {
    let mut url = url.to_owned();
    for _ in 0..5 {
        let response = web.get(&url).await;
        let page = String::from_utf8_lossy(response.body());
        assert!(response.status().is_redirection(), "{url}: {} {page}", response.status());
        url = header(response.headers(), "location").to_owned();
        if url.starts_with(redirect_uri) {
            return url.parse().expect("a URL");
        }
    }
    panic!("too many redirects, the last one to {url}");
}

/// `error` of an OAuth answer.
pub fn error_of(response: &Response<Bytes>) -> String {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    body["error"].as_str().unwrap_or_default().to_owned()
}
