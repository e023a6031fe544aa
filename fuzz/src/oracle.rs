//! What may go to Entra, to a browser and to a client, by other parsers than ours.

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use mcp_entra_core::Settings;
use mcp_entra_core::redirect_uri::RedirectUri;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use crate::setting::{CLIENT, ORIGIN, SECRET};

/// What an authorization request may carry to Entra: neither `resource`, which it refuses, nor
/// anything of the client's own but what the translations know.
const TO_ENTRA: [&str; 13] = [
    "claims",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "domain_hint",
    "login_hint",
    "nonce",
    "prompt",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// What pages are made of.
const ELEMENTS: [&str; 18] = [
    "!doctype", "a", "body", "button", "code", "form", "h1", "h2", "head", "html", "input",
    "label", "main", "meta", "p", "pre", "style", "title",
];

/// JSON that was accepted, read by another parser; nothing where that one refuses what means
/// nothing here, such as a number out of range.
pub(crate) fn read(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_default()
}

/// Whether an input spells our secret, which the fuzzer learns from comparisons.
pub(crate) fn knows_our_secret(input: &[u8]) -> bool {
    let decoded =
        form_urlencoded::parse(input).any(|(n, v)| n.contains(SECRET) || v.contains(SECRET));
    decoded || contains(input, SECRET.as_bytes())
}

/// No `resource`, no `Origin`, nothing of the client's own, and our endpoint.
pub(crate) fn check_upstream(request: &Request<Bytes>, settings: &Settings) {
    assert_eq!(request.uri(), settings.authority().token_endpoint());
    assert_eq!(request.method(), "POST");
    let headers: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(headers, ["content-type", "accept"]);
    let pairs: Vec<_> = form_urlencoded::parse(request.body()).collect();
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_ref()).collect();
    for (name, value) in &pairs {
        match name.as_ref() {
            "client_id" => assert_eq!(value, CLIENT),
            "client_secret" => assert_eq!(value, SECRET),
            "scope" => check_scope(value, settings),
            "grant_type" | "code" | "code_verifier" | "redirect_uri" | "refresh_token" => {}
            other => panic!("Entra was sent {other}"),
        }
    }
    for wanted in ["client_id", "grant_type", "scope"] {
        assert!(names.contains(&wanted), "Entra was sent no {wanted}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), pairs.len(), "something was sent twice");
}

/// One API's scopes, all qualified, and `offline_access`.
pub(crate) fn check_scope(scope: &str, settings: &Settings) {
    let api = settings.api().app_id_uri().as_str();
    let mut ours = 0;
    for word in scope.split(' ') {
        match word {
            "openid" | "profile" | "email" | "offline_access" => continue,
            _ => ours += 1,
        }
        let rest = word.strip_prefix(api).or_else(|| word.strip_prefix(CLIENT));
        let name = rest.and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
        assert!(!name.is_empty(), "'{word}' is not a scope of ours");
    }
    assert!(ours > 0, "no scope of ours in '{scope}'");
    assert!(scope.split(' ').any(|word| word == "offline_access"));
}

/// Entra with a listed redirect URI, or a listed redirect URI with an error.
pub(crate) fn check_location(location: &str, settings: &Settings) {
    let listed = |uri: &str| {
        let uri: Result<RedirectUri, _> = uri.parse();
        uri.is_ok_and(|uri| settings.redirect_policy().allows(&uri))
    };
    let url = Url::parse(location).expect("a location is a URL");
    assert!(url.fragment().is_none());
    let pairs: Vec<_> = url.query_pairs().collect();
    let of = |name: &str| {
        let mut values = pairs.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_ref());
        assert!(values.next().is_none(), "{name} twice in {location}");
        value
    };
    let entra = settings.authority().authorization_endpoint();
    if location.strip_prefix(entra).is_some_and(|rest| rest.starts_with('?')) {
        assert_eq!(of("client_id"), Some(CLIENT));
        assert_eq!(of("response_type"), Some("code"));
        assert_eq!(of("code_challenge_method"), Some("S256"));
        assert!(listed(of("redirect_uri").expect("a redirect URI")));
        check_scope(of("scope").expect("a scope"), settings);
        for (name, _) in &pairs {
            assert!(TO_ENTRA.contains(&name.as_ref()), "Entra was sent {name}");
        }
        assert!(matches!(of("prompt"), None | Some("login" | "none" | "select_account")));
    } else {
        assert!(of("error").is_some());
        // the error was added to what is listed, and nothing else was changed
        let at = location.find("error=").expect("an error");
        assert!(listed(&location[..at - 1]), "{location}");
    }
}

/// Every answer of ours.
pub(crate) fn check_answer(response: &Response<Bytes>, settings: &Settings) {
    let shown = String::from_utf8_lossy(response.body());
    assert!(!shown.contains(SECRET), "our secret is in a body");
    assert!(response.headers().values().all(|v| !contains(v.as_bytes(), SECRET.as_bytes())));
    let mut challenges = response.headers().get_all("www-authenticate").iter();
    if let Some(challenge) = challenges.next() {
        check_challenge(challenge.to_str().expect("a challenge is text"));
    }
    assert!(challenges.next().is_none());
    if let Some(location) = response.headers().get("location") {
        assert_eq!(response.status(), 302);
        check_location(location.to_str().expect("a location is text"), settings);
    } else {
        assert!(!response.status().is_redirection());
    }
    match response.headers().get("content-type").and_then(|kind| kind.to_str().ok()) {
        Some("application/json") => {
            serde_json::from_slice::<&RawValue>(response.body()).expect("JSON is JSON");
        }
        Some("text/html; charset=utf-8") => check_page(response),
        kind => assert!(kind.is_none() && response.body().is_empty(), "{kind:?}"),
    }
}

/// No page has an element that runs, loads or frames, nor a link that runs, and a browser is told.
fn check_page(response: &Response<Bytes>) {
    let policy = response.headers()["content-security-policy"].to_str().expect("a policy is text");
    for directive in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.split("; ").any(|known| known == directive), "{policy}");
    }
    let html = std::str::from_utf8(response.body()).expect("a page is text");
    for tag in html.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or_default();
        assert!(ELEMENTS.contains(&name), "<{tag}>");
        for link in tag.split(" href=\"").skip(1) {
            assert!(link.starts_with("https://"), "<{tag}>");
        }
    }
}

pub(crate) fn check_challenge(value: &str) -> Vec<(String, String)> {
    let parsed = http_auth::parse_challenges(value).expect("a challenge parses");
    let [challenge] = parsed.as_slice() else { panic!("{} challenges", parsed.len()) };
    assert_eq!(challenge.scheme, "Bearer");
    let params: Vec<(String, String)> = challenge
        .params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_unescaped()))
        .collect();
    let metadata = &params.iter().find(|(name, _)| name == "resource_metadata").expect("a URL").1;
    assert!(metadata.starts_with(ORIGIN), "{metadata}");
    params
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
