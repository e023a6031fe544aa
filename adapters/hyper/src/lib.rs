//! mcp-entra for [`hyper`]: a [`Service`] in front of yours, and a [`server`] to run it.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use http_body_util::Full;
//! use hyper::{Response, service::service_fn};
//! use mcp_entra_driver::core::{Facade, Options, Principal, Settings};
//! use mcp_entra_hyper::{Driver, Service, server};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::parse(&Options {
//!     resource: "https://mcp.example.com/mcp".into(),
//!     tenant: "contoso.com".into(),
//!     client_id: "99999999-8888-4777-8666-555555555555".into(),
//!     ..Options::default()
//! })?;
//! let driver = Driver::new(Facade::new(settings))?;
//! let mcp = service_fn(async |request: hyper::Request<_>| {
//!     let name = request.extensions().get::<Arc<Principal>>().and_then(|caller| caller.name.clone());
//!     let greeting = format!("Hello, {}", name.unwrap_or_default());
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::from(greeting)))
//! });
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! server::serve(listener, Service::new(driver, mcp), server::Limits::default(), std::future::pending()).await;
//! # Ok(()) }
//! ```

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, Response};
use http_body::Body;
use mcp_entra_driver::{Answer, Outcome, Started, answered, passed};
pub use mcp_entra_driver::{Driver, PassedBody};

mod head_timer;
pub mod server;

/// A [`Driver`] in front of a hyper service, which sees what passes only.
#[derive(Clone, Debug)]
pub struct Service<S> {
    driver: Driver,
    inner: S,
}

impl<S> Service<S> {
    /// Puts the driver in front of `inner`.
    pub fn new(driver: Driver, inner: S) -> Self {
        Self { driver, inner }
    }
}

/// The answer of a [`Service`]: there already, or to be waited for.
pub type Answering<R, E> =
    Either<Ready<Result<Answer<R>, E>>, Pin<Box<dyn Future<Output = Result<Answer<R>, E>> + Send>>>;

impl<S, B, R> hyper::service::Service<Request<B>> for Service<S>
where
    S: hyper::service::Service<Request<PassedBody<B>>, Response = Response<R>>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    R: Send,
{
    type Response = Answer<R>;
    type Error = S::Error;
    type Future = Answering<R, S::Error>;

    fn call(&self, request: Request<B>) -> Self::Future {
        match self.driver.start(request) {
            Started::Done(Outcome::Answered(response)) => {
                Either::Left(ready(Ok(answered(response))))
            }
            Started::Done(Outcome::Passed(request, passing)) => {
                let answering = self.inner.call(request);
                Either::Right(Box::pin(async move { Ok(passed(answering.await?, &passing)) }))
            }
            started @ Started::Waiting(_) => {
                let inner = self.inner.clone();
                Either::Right(Box::pin(async move {
                    started.outcome().await.complete(move |request| inner.call(request)).await
                }))
            }
        }
    }
}
