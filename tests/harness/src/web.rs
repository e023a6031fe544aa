//! A plain HTTP client that follows nothing and hides nothing.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use url::Url;

use crate::within;

/// The body of a request that is sent while it is written, see [`crate::pipe`].
pub type Sent = UnsyncBoxBody<Bytes, Infallible>;

/// Where a test looks: the client that it looks with, and the origin.
pub trait Site {
    /// The client.
    fn web(&self) -> &Web;

    /// The origin, without a path.
    fn origin(&self) -> &str;

    /// A URL at the origin.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }
}

/// The client.
#[derive(Clone, Debug)]
pub struct Web(hyper_util::client::legacy::Client<HttpConnector, Sent>);

impl Default for Web {
    fn default() -> Self {
        Self::new()
    }
}

impl Web {
    /// A client with connections of its own.
    pub fn new() -> Self {
        Self(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    /// Sends, and reads the whole answer.
    pub async fn send(&self, request: Request<impl Into<Bytes>>) -> Response<Bytes> {
        let what = format!("{} {}", request.method(), request.uri());
        let whole = async {
            let body = request.map(|body| Full::new(body.into()).boxed_unsync());
            let (head, body) = self.open(body).await.into_parts();
            let body = body.collect().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            Response::from_parts(head, body.to_bytes())
        };
        within(&what, whole).await
    }

    /// Sends, and returns when the head of the answer is there.
    pub async fn open(&self, request: Request<Sent>) -> Response<Incoming> {
        let what = format!("{} {}", request.method(), request.uri());
        match within(&what, self.0.request(request)).await {
            Ok(response) => response,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }

    /// A GET.
    pub async fn get(&self, url: &str) -> Response<Bytes> {
        self.send(Request::get(url).body("").expect("a request")).await
    }

    /// A GET with a bearer token.
    pub async fn get_as(&self, token: &str, url: &str) -> Response<Bytes> {
        let request = Request::get(url).header(AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body("").expect("a request")).await
    }

    /// As [`Self::get_as`], where the server may go away.
    pub async fn try_get_as(&self, token: &str, url: &str) -> Option<Response<Bytes>> {
        let request = Request::get(url).header(AUTHORIZATION, format!("Bearer {token}"));
        let request = request.body(crate::empty()).expect("a request");
        let (head, body) = within(url, self.0.request(request)).await.ok()?.into_parts();
        let body = within(url, body.collect()).await.ok()?;
        Some(Response::from_parts(head, body.to_bytes()))
    }

    /// A POST of a form.
    pub async fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Response<Bytes> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request =
            Request::post(url).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body).expect("a request")).await
    }
}

/// The body, which has to be JSON.
pub fn json_body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_else(|error| {
        panic!("{} {error}: {:?}", response.status(), response.body());
    })
}

/// A header's value; empty where it is missing.
pub fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A parameter of a URL's query.
pub fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}
