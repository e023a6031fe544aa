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

use super::within;

/// The body of a request that is sent while it is written, see [`super::pipe`].
pub(crate) type Sent = UnsyncBoxBody<Bytes, Infallible>;

#[derive(Clone, Debug)]
pub(crate) struct Web(hyper_util::client::legacy::Client<HttpConnector, Sent>);

impl Web {
    pub(crate) fn new() -> Self {
        Self(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    /// Sends, and reads the whole answer.
    pub(crate) async fn send(&self, request: Request<impl Into<Bytes>>) -> Response<Bytes> {
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
    pub(crate) async fn open(&self, request: Request<Sent>) -> Response<Incoming> {
        let what = format!("{} {}", request.method(), request.uri());
        match within(&what, self.0.request(request)).await {
            Ok(response) => response,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }

    pub(crate) async fn get(&self, url: &str) -> Response<Bytes> {
        self.send(Request::get(url).body("").expect("a request")).await
    }

    /// A GET with a bearer token.
    pub(crate) async fn get_as(&self, token: &str, url: &str) -> Response<Bytes> {
        let request = Request::get(url).header(AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body("").expect("a request")).await
    }

    /// As [`Self::get_as`], where the server may go away.
    pub(crate) async fn try_get_as(&self, token: &str, url: &str) -> Option<Response<Bytes>> {
        let request = Request::get(url).header(AUTHORIZATION, format!("Bearer {token}"));
        let request = request.body(super::empty()).expect("a request");
        let (head, body) = within(url, self.0.request(request)).await.ok()?.into_parts();
        let body = within(url, body.collect()).await.ok()?;
        Some(Response::from_parts(head, body.to_bytes()))
    }

    pub(crate) async fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Response<Bytes> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request =
            Request::post(url).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body).expect("a request")).await
    }
}

pub(crate) fn json_body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_else(|error| {
        panic!("{} {error}: {:?}", response.status(), response.body());
    })
}

/// A header's value; empty where it is missing.
pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A parameter of a URL's query.
pub(crate) fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}
