//! A whole exchange: any request, any script of answers. It ends within eight steps, and whatever
//! leaves it, towards Entra, a browser or a client, is what may leave it.
//!
//! The input is text, so that seeds and dictionaries read as what they are:
//!
//! ```text
//! 0 1767225700 w          settings, the time, what the driver has: d and k, or w for both; o for
//!                         both, and newer keys are not to be had; b for a body that breaks off,
//!                         t for one that takes too long
//! POST /oauth/token       the request, as in HTTP
//! content-type: application/x-www-form-urlencoded
//!
//! grant_type=refresh_token&refresh_token=r
//! %%
//! 200                     each answer of Entra's, or reset, unreachable or timeout
//!
//! {"access_token":"a"}
//! ```
//!
//! `authorization: Claims {…}` becomes a bearer token with these claims and the key `pub-1`,
//! `authorization: Unknown {…}` one with a key that nobody knows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use mcp_entra_core::exchange::{BodyError, Document, Passing};
use mcp_entra_core::{Context, Reason, Step, UnixTime, UpstreamError};

use crate::oracle::{check_answer, check_upstream, knows_our_secret};
use crate::setting::{SETTINGS, Setting};

type Answer = Result<Response<Bytes>, UpstreamError>;

/// What no script can spell, since its headers are text.
const FORGED: &[u8] = b"forged\xff";

/// A script as above.
pub fn check(script: &[u8]) {
    if knows_our_secret(script) {
        return;
    }
    let mut sections = split(script, b"\n%%\n").into_iter();
    let Some((first, request)) = sections.next().and_then(|text| cut(text, b"\n")) else { return };
    let first = String::from_utf8_lossy(first);
    let mut words = first.split(' ');
    let number = |word: Option<&str>| word.and_then(|word| word.parse::<u64>().ok());
    let index = number(words.next()).unwrap_or_default();
    let now = UnixTime(number(words.next()).unwrap_or_default());
    let held = words.next().unwrap_or_default();
    let setting = &SETTINGS[usize::try_from(index).unwrap_or_default() % SETTINGS.len()];
    let Some(request) = read_request(request) else { return };
    let answers: Vec<Answer> = sections.map(read_answer).collect();

    let cx = Context { now, ..Context::default() };
    let full = Context {
        discovery: Some(setting.discovery.clone()),
        keys: Some(setting.keys.clone()),
        ..cx.clone()
    };
    let cx = match held {
        "w" => full.clone(),
        "d" => Context { discovery: full.discovery.clone(), ..cx },
        "k" => Context { keys: full.keys.clone(), ..cx },
        "o" => Context { keys_are_stale: true, ..full.clone() },
        _ => cx,
    };
    let body_error = match held {
        "b" => Some(BodyError::Incomplete),
        "t" => Some(BodyError::Timeout),
        _ => None,
    };
    check_limit(setting, &request);
    run(setting, request, body_error, &answers, cx, &full);
}

fn run(
    setting: &Setting,
    request: Request<Bytes>,
    body_error: Option<BodyError>,
    answers: &[Answer],
    mut cx: Context,
    full: &Context,
) {
    let settings = setting.settings();
    let (head, body) = request.into_parts();
    let mut answers = answers.iter();
    let (mut sent, mut reads) = (0, 0);
    let mut step = setting.facade.begin(&head, &cx);
    for _ in 0..8 {
        step = match step {
            Step::Respond(response) => {
                // where newer keys are not to be had, nobody is told that a key is not known
                let forged = response.extensions().get::<Reason>();
                let forged = forged.is_some_and(|Reason(why)| why.contains("unknown key"));
                assert!(!(forged && cx.keys_are_stale));
                return check_answer(&response, settings);
            }
            Step::Pass(passing) => return check_passing(&passing, head),
            Step::Load(load) => {
                match load.document() {
                    Document::Discovery => cx.discovery = full.discovery.clone(),
                    Document::Keys => cx.keys = full.keys.clone(),
                }
                load.resume(&cx)
            }
            Step::Read(read) => {
                reads += 1;
                assert_eq!(reads, 1);
                let too_long = (body.len() > read.limit()).then_some(BodyError::TooLong);
                read.resume(body_error.or(too_long).map_or(Ok(body.clone()), Err))
            }
            Step::Send(request, awaiting) => {
                sent += 1;
                assert!(sent <= 2);
                check_upstream(&request, settings);
                awaiting.resume(answers.next().cloned().unwrap_or(Err(UpstreamError::Timeout)))
            }
            // whoever forges a signature gets no further than this
            Step::Verify(verify) if verify.signature().starts_with('A') => verify.verified().1,
            Step::Verify(verify) => verify.refused(),
        };
    }
    panic!("it does not end: {step:?}");
}

/// What may be limited is answered, whatever asks for it.
fn check_limit(setting: &Setting, request: &Request<Bytes>) {
    let (head, ()) = request.clone().map(drop).into_parts();
    if let Some(endpoint) = setting.facade.sign_in_endpoint(&head) {
        let refusal = setting.facade.too_many_requests(endpoint, 1);
        assert_eq!(
            (refusal.status(), &refusal.headers()["retry-after"]),
            (StatusCode::TOO_MANY_REQUESTS, &HeaderValue::from_static("1"))
        );
        check_answer(&refusal, setting.settings());
    }
}

fn check_passing(passing: &Passing, mut head: http::request::Parts) {
    let easy_auth =
        passing.principal().is_some() && head.headers.contains_key("x-ms-client-principal");
    let forged = HeaderValue::from_bytes(FORGED).expect("a value may have any octet");
    head.headers.append("mcp-entra-object-id", forged.clone());
    head.headers.append("mcp_entra_roles", forged);
    passing.amend_request(&mut head);
    assert!(head.headers.values().all(|value| value != FORGED));
    let ours = head.headers.keys().filter(|name| name.as_str().starts_with("mcp-entra-")).count();
    assert_eq!(ours > 0, passing.principal().is_some());
    for name in head.headers.keys() {
        let name = name.as_str().replace('_', "-");
        let principal =
            name.starts_with("x-ms-client-principal") || name.starts_with("x-ms-token-");
        assert!(!principal || easy_auth || passing.principal().is_none(), "{name}");
    }
}

fn read_request(text: &[u8]) -> Option<Request<Bytes>> {
    let (line, headers, body) = read_message(text);
    let mut words = line.split(' ');
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(words.next()?.as_bytes()).ok()?;
    *request.uri_mut() = words.next()?.parse::<Uri>().ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

fn read_answer(text: &[u8]) -> Answer {
    let (line, headers, body) = read_message(text);
    let status = line.split(' ').next().unwrap_or_default();
    let Ok(status) = StatusCode::from_bytes(status.as_bytes()) else {
        return Err(match status {
            "reset" => UpstreamError::Incomplete,
            "unreachable" => UpstreamError::Unreachable,
            _ => UpstreamError::Timeout,
        });
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn read_message(text: &[u8]) -> (String, HeaderMap, Bytes) {
    let (head, body) = cut(text, b"\n\n").unwrap_or((text, b""));
    let head = String::from_utf8_lossy(head);
    let (line, fields) = head.split_once('\n').unwrap_or((&head, ""));
    let mut headers = HeaderMap::new();
    for (name, value) in fields.lines().filter_map(|line| line.split_once(": ")) {
        let value = match value.strip_prefix("Claims ") {
            Some(claims) => bearer("pub-1", claims),
            None => match value.strip_prefix("Unknown ") {
                Some(claims) => bearer("nobodys", claims),
                None => value.to_owned(),
            },
        };
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    (line.to_owned(), headers, Bytes::copy_from_slice(body))
}

fn bearer(kid: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#);
    format!("Bearer {}.{}.AAAA", part(&header), part(claims))
}

fn split<'a>(mut text: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let mut sections = Vec::new();
    while let Some((section, rest)) = cut(text, by) {
        sections.push(section);
        text = rest;
    }
    sections.push(text);
    sections
}

fn cut<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = text.windows(at.len()).position(|window| window == at)?;
    Some((&text[..start], &text[start + at.len()..]))
}
