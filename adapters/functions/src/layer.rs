//! Both translations around a service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited};

use crate::request::{InvocationError, from_invocation};
use crate::response::to_result;
use crate::{OUTPUT, TRIGGER};

/// The most octets of an invocation, and of an answer that is made its result: both are held in
/// memory.
pub const LONGEST: usize = 32 * 1024 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The name of a function, which is that of its folder: a letter, then letters, digits, `_` and
/// `-`, 128 at most.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FunctionName(String);

/// Not the name of a function.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is not the name of a function: a letter, then letters, digits, '_' and '-', 128 at most"
)]
pub struct NameError;

impl FromStr for FunctionName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"_-".contains(&octet);
        let begins = name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
        if begins && name.len() <= 128 && name.bytes().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NameError)
        }
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Takes what is posted to a function's name for an invocation of it; everything else passes as it
/// is.
///
/// Only the Functions host may reach a service behind this, see the [crate]'s words on whom it
/// believes.
#[derive(Clone, Debug)]
pub struct Layer {
    path: String,
}

/// The body of a request: that of an invocation, or of a request which was none.
pub type RequestBody<B> = Either<Full<Bytes>, B>;

impl Layer {
    /// For the function of this name, with the bindings [`TRIGGER`] and [`OUTPUT`].
    #[must_use]
    pub fn new(function: &FunctionName) -> Self {
        Self { path: format!("/{function}") }
    }

    /// Answers a request by `behind`, by way of the envelope if it is an invocation.
    ///
    /// An event stream that answers a GET never ends, and the host waits for an end: the caller
    /// gets `405 Method Not Allowed` in its place, by which an MCP server says that it offers none.
    ///
    /// # Errors
    /// That of `behind`.
    pub async fn answer<B, R, E, F>(
        &self,
        request: Request<B>,
        behind: impl FnOnce(Request<RequestBody<B>>) -> F,
    ) -> Result<Response<Either<Full<Bytes>, R>>, E>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
        R: Body<Data = Bytes>,
        R::Error: Into<BoxError>,
        F: Future<Output = Result<Response<R>, E>>,
    {
        if request.method() != Method::POST || request.uri().path() != self.path {
            let response = behind(request.map(Either::Right)).await?;
            return Ok(response.map(Either::Right));
        }
        let (head, body) = request.into_parts();
        let refused = match read(body).await.map(|body| from_invocation(&body, TRIGGER)) {
            Ok(Ok(mut request)) => {
                *request.extensions_mut() = head.extensions;
                let is_get = request.method() == Method::GET;
                let response = behind(request.map(|body| Either::Left(Full::new(body)))).await?;
                return Ok(result(&whole(response, is_get).await));
            }
            Ok(Err(InvocationError::BodyLost)) => {
                plain(StatusCode::LENGTH_REQUIRED, "send the body with Content-Length\n")
            }
            Err(Unread::TooLong) => {
                plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long\n")
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "what was posted to the function's name is no invocation");
                let answer = plain(StatusCode::BAD_REQUEST, format!("{error}\n"));
                return Ok(answer.map(|body| Either::Left(Full::new(body))));
            }
            Err(Unread::Broken) => {
                let answer = plain(StatusCode::BAD_REQUEST, "the invocation broke off\n");
                return Ok(answer.map(|body| Either::Left(Full::new(body))));
            }
        };
        Ok(result(&refused))
    }
}

enum Unread {
    TooLong,
    Broken,
}

async fn read<B>(body: B) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    match Box::pin(Limited::new(body, LONGEST)).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooLong),
        Err(_) => Err(Unread::Broken),
    }
}

/// The whole answer, for the host waits for it in any case.
async fn whole<R>(response: Response<R>, is_get: bool) -> Response<Bytes>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let (head, body) = response.into_parts();
    if is_get && is_event_stream(&head.headers) {
        let text = "events are not streamed here; what a POST asks for is answered whole\n";
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, DELETE"));
        return response;
    }
    match read(body).await {
        Ok(body) => Response::from_parts(head, body),
        Err(Unread::TooLong) => plain(StatusCode::BAD_GATEWAY, "the answer is too long\n"),
        Err(Unread::Broken) => plain(StatusCode::BAD_GATEWAY, "the answer broke off\n"),
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream")
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The answer to the host: 200, whatever the answer in it.
fn result<R>(response: &Response<Bytes>) -> Response<Either<Full<Bytes>, R>> {
    let mut result = Response::new(Either::Left(Full::new(to_result(response, OUTPUT))));
    let kind = HeaderValue::from_static("application/json");
    result.headers_mut().insert(CONTENT_TYPE, kind);
    result
}

impl<S> tower_layer::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { layer: self.clone(), inner }
    }
}

/// A service behind a [`Layer`].
#[derive(Clone, Debug)]
pub struct Service<S> {
    layer: Layer,
    inner: S,
}

impl<S, B, R> tower_service::Service<Request<B>> for Service<S>
where
    S: tower_service::Service<Request<RequestBody<B>>, Response = Response<R>>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send,
    R::Error: Into<BoxError>,
{
    type Response = Response<Either<Full<Bytes>, R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // the service that was polled ready is the one to call
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let layer = self.layer.clone();
        Box::pin(async move { layer.answer(request, move |request| inner.call(request)).await })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::{Value, json};

    use super::*;

    async fn sent(
        request: Request<Full<Bytes>>,
        answer: Response<Full<Bytes>>,
    ) -> (Response<Bytes>, Option<Request<()>>) {
        let mut seen = None;
        let behind = |request: Request<RequestBody<Full<Bytes>>>| {
            seen = Some(request.map(|_| ()));
            async { Ok::<_, Infallible>(answer) }
        };
        let layer = Layer::new(&"mcp".parse().unwrap());
        let response = layer.answer(request, behind).await.unwrap();
        let (head, body) = response.into_parts();
        (Response::from_parts(head, body.collect().await.unwrap().to_bytes()), seen)
    }

    fn invocation(method: &str, headers: &Value) -> Request<Full<Bytes>> {
        let request = json!({ "Url": "https://h/mcp", "Method": method, "Headers": headers });
        let invocation = json!({ "Data": { "req": request } }).to_string();
        Request::post("/mcp").body(Full::from(invocation)).unwrap()
    }

    fn output(response: &Response<Bytes>) -> Value {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        let mut result: Value = serde_json::from_slice(response.body()).unwrap();
        result["Outputs"]["res"].take()
    }

    #[tokio::test]
    async fn a_redirect_goes_inside() {
        let redirect = Response::builder().status(302).header("location", "https://entra/");
        let (response, seen) =
            sent(invocation("GET", &json!({})), redirect.body(Full::default()).unwrap()).await;
        assert_eq!(output(&response)["statusCode"], "302");
        assert_eq!(output(&response)["headers"]["location"], "https://entra/");
        assert_eq!(seen.unwrap().method(), "GET");
    }

    #[tokio::test]
    async fn the_hosts_ping_and_everything_else_passes_as_it_is() {
        for (method, path) in [("GET", "/"), ("GET", "/mcp"), ("POST", "/mcp/"), ("POST", "/MCP")] {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("x", "y").body(Full::from("text")).unwrap();
            let (response, seen) = sent(request, Response::new(Full::from("answer"))).await;
            assert_eq!(response.body(), "answer", "{method} {path}");
            assert_eq!(seen.unwrap().headers()["x"], "y");
        }
    }

    #[tokio::test]
    async fn what_is_no_invocation_reaches_nobody() {
        for body in ["", r#"{"jsonrpc":"2.0","method":"ping","id":1}"#] {
            let request = Request::post("/mcp").body(Full::from(body)).unwrap();
            let (response, seen) = sent(request, Response::default()).await;
            assert_eq!(response.status(), 400);
            assert!(seen.is_none());
        }
    }

    #[tokio::test]
    async fn a_lost_body_asks_the_caller_for_its_length() {
        let lost = invocation("POST", &json!({ "Transfer-Encoding": ["chunked"] }));
        let (response, seen) = sent(lost, Response::default()).await;
        assert_eq!(output(&response)["statusCode"], "411");
        assert!(seen.is_none());
    }

    #[tokio::test]
    async fn too_much_is_refused_both_ways() {
        let long = || Full::from(vec![b' '; LONGEST + 1]);
        let request = Request::post("/mcp").body(long()).unwrap();
        let (response, seen) = sent(request, Response::default()).await;
        assert_eq!(output(&response)["statusCode"], "413");
        assert!(seen.is_none());
        let (response, _) = sent(invocation("GET", &json!({})), Response::new(long())).await;
        assert_eq!(output(&response)["statusCode"], "502");
    }

    #[tokio::test]
    async fn an_endless_stream_is_not_offered_and_the_answer_to_a_post_is_whole() {
        let events = || {
            let response = Response::builder().header("content-type", "text/event-stream");
            response.body(Full::from("data: 1\n\n")).unwrap()
        };
        let (response, _) = sent(invocation("GET", &json!({})), events()).await;
        assert_eq!(output(&response)["statusCode"], "405");
        assert_eq!(output(&response)["headers"]["allow"], "POST, DELETE");
        let (response, _) = sent(invocation("POST", &json!({})), events()).await;
        assert_eq!(output(&response)["body"], "data: 1\n\n");
    }

    #[test]
    fn a_function_has_a_name() {
        for name in ["mcp", "Mcp-Server_2"] {
            assert_eq!(name.parse::<FunctionName>().unwrap().to_string(), name);
        }
        for name in ["", "/mcp", "2mcp", "m c", "m.p", &"m".repeat(129)] {
            name.parse::<FunctionName>().unwrap_err();
        }
    }
}
