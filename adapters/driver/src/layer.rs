//! The driver as a tower middleware: in front of a router, a service, or one route.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use crate::{Answer, Driver, PassedBody};

/// Puts a [`Driver`] in front of a service.
#[derive(Clone, Debug)]
pub struct Layer {
    driver: Driver,
    scope: Scope,
}

/// Which requests need a caller.
#[derive(Clone, Copy, Debug)]
enum Scope {
    /// Those that the core finds to be for the protected resource.
    ByPath,
    /// All.
    Every,
}

impl Layer {
    /// Answers the sign-in endpoints and authenticates what is for the protected resource;
    /// everything else passes untouched.
    pub fn new(driver: Driver) -> Self {
        Self { driver, scope: Scope::ByPath }
    }

    /// Authenticates every request, for routes that are the protected resource.
    pub fn protect(driver: Driver) -> Self {
        Self { driver, scope: Scope::Every }
    }
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
    S: tower_service::Service<Request<PassedBody<B>>, Response = Response<R>>
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
    type Future = Pin<Box<dyn Future<Output = Result<Answer<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // the service that was polled ready is the one to call
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let Layer { driver, scope } = self.layer.clone();
        Box::pin(async move {
            let outcome = match scope {
                Scope::ByPath => driver.drive(request).await,
                Scope::Every => driver.authenticate(request).await,
            };
            outcome.complete(move |request| inner.call(request)).await
        })
    }
}
