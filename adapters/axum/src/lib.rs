//! mcp-entra for [`axum`]: the sign-in endpoints as a [`Router`], authentication as a layer
//! on your own routes, and who calls as an extractor.
//!
//! ```no_run
//! use axum::{Router, routing::post};
//! use mcp_entra_axum::{Caller, Entra, Options};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let entra = Entra::new(&Options {
//!     resource: "https://mcp.example.com/mcp".into(),
//!     tenant: "contoso.com".into(),
//!     client_id: "99999999-8888-4777-8666-555555555555".into(),
//!     ..Options::default()
//! })?;
//! let mcp = Router::new()
//!     .route("/mcp", post(|caller: Caller| async move { format!("Hello, {:?}", caller.name) }))
//!     .route_layer(entra.protect());
//! let app = entra.router().merge(mcp);
//! # Ok(()) }
//! ```
//!
//! `examples/notes.rs` is an MCP server with it.

use std::convert::Infallible;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::StatusCode;
use http::request::Parts;
use mcp_entra_core::scope::{ScopeError, ScopeName};
use mcp_entra_core::{Facade, Settings, SettingsError};
pub use mcp_entra_core::{Options, Principal};
use mcp_entra_driver::{ClientError, Driver, Outcome};

/// The sign-in of one MCP server.
#[derive(Clone, Debug)]
pub struct Entra {
    driver: Driver,
}

impl Entra {
    /// Sets the sign-in up.
    ///
    /// # Errors
    /// Everything that is wrong with the options, or why there is no TLS client.
    pub fn new(options: &Options) -> Result<Self, EntraError> {
        let facade = Facade::new(Settings::parse(options)?);
        Ok(Self { driver: Driver::new(facade)? })
    }

    /// The endpoints, to merge into your router: metadata, registration, authorize, token.
    ///
    /// Within a tokio runtime it also begins to keep Entra's documents fresh, ahead of need.
    pub fn router(&self) -> Router {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let driver = self.driver.clone();
            runtime.spawn(async move { driver.documents().keep_fresh().await });
        }
        let driver = self.driver.clone();
        let endpoint = any(move |request: Request| {
            let driver = driver.clone();
            async move {
                match driver.drive(request).await {
                    Outcome::Answered(response) => response.map(Body::from),
                    Outcome::Passed(..) => StatusCode::NOT_FOUND.into_response(),
                }
            }
        });
        let paths = self.driver.facade().paths();
        paths.fold(Router::new(), |router, path| router.route(path, endpoint.clone()))
    }

    /// A layer for the routes that are the MCP server: every request needs a caller.
    ///
    /// As a [`Router::route_layer`] it leaves alone what is no route; as a [`Router::layer`] it asks
    /// for a caller there too, where 404 would be the answer.
    pub fn protect(&self) -> Protect {
        Protect { driver: self.driver.clone(), scopes: Arc::new([]) }
    }
}

/// Lets nobody through who has not signed in.
#[derive(Clone, Debug)]
pub struct Protect {
    driver: Driver,
    scopes: Arc<[ScopeName]>,
}

impl Protect {
    /// Asks for scopes beside those that every call needs.
    ///
    /// # Errors
    /// Where a name is not one that an API can expose.
    pub fn scopes<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let scopes: Result<_, _> = names.into_iter().map(str::parse).collect();
        Ok(Self { scopes: scopes?, ..self })
    }
}

impl<S> tower_layer::Layer<S> for Protect {
    type Service = Protected<S>;

    fn layer(&self, inner: S) -> Protected<S> {
        Protected { protect: self.clone(), inner }
    }
}

/// A service behind [`Protect`].
#[derive(Clone, Debug)]
pub struct Protected<S> {
    protect: Protect,
    inner: S,
}

impl<S> tower_service::Service<Request> for Protected<S>
where
    S: tower_service::Service<Request, Response = Response, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // the service that was polled ready is the one to call
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let Protect { driver, scopes } = self.protect.clone();
        Box::pin(async move {
            let (request, passing) = match driver.authenticate(request).await {
                Outcome::Answered(response) => return Ok(response.map(Body::from)),
                Outcome::Passed(request, passing) => (request, passing),
            };
            if let Some(response) = passing.lacks(&scopes) {
                return Ok(response.map(Body::from));
            }
            let (mut head, body) = inner.call(request.map(Body::new)).await?.into_parts();
            passing.amend_response(&mut head);
            Ok(Response::from_parts(head, body))
        })
    }
}

/// Who calls, for handlers behind [`Entra::protect`].
#[derive(Clone, Debug)]
pub struct Caller(pub Arc<Principal>);

impl Deref for Caller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = NotProtected;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, NotProtected> {
        head.extensions.get().cloned().map(Caller).ok_or(NotProtected)
    }
}

/// A handler asks who calls and its route is not behind [`Entra::protect`]: a fault of the
/// server, so it answers 500.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotProtected;

impl IntoResponse for NotProtected {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, "this route is not behind Entra::protect")
            .into_response()
    }
}

/// Why the sign-in cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntraError {
    /// There is no TLS client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Something is wrong with the options.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}
