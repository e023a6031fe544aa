//! `mcp-entra serve`: the sign-in in front of an MCP server.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, FutureExt as _, TryFutureExt as _};
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::{Either as EitherBody, Full};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use mcp_entra_core::{Facade, Principal, Settings};
use mcp_entra_driver::client::Connector;
use mcp_entra_driver::{Answer, Client, ClientError, Driver, PassedBody, answered};
use mcp_entra_functions::FunctionName;
use mcp_entra_hyper::{Answering, Service, server};
use tokio::net::TcpListener;
use url::Url;

use crate::child::Accepting;
use crate::limits::Limits;
use crate::proxy::{Proxy, ProxyBody, answer};
use crate::rate_limit::RateLimits;

/// How long a call waits for a server behind that has just been started.
const START: Duration = Duration::from_secs(20);

/// A gateway that is ready to serve.
#[derive(Debug)]
pub(crate) struct Gateway {
    driver: Driver,
    connector: Connector,
    proxy: Arc<Proxy>,
    accepting: Option<Accepting>,
    envelope: Option<mcp_entra_functions::Layer>,
    rates: RateLimits,
    limits: server::Limits,
}

/// The body of a request: as it comes, or out of an envelope.
pub(crate) type RequestBody = EitherBody<Full<Bytes>, Incoming>;
/// The body of an answer: as it is, or in an envelope.
type EnvelopeBody = EitherBody<Full<Bytes>, ProxyBody>;

impl Gateway {
    pub(crate) fn new(settings: Settings, upstream: &Url, limits: &Limits) -> Self {
        // the machine's certificates are read once for both ways
        let connector = Connector::lazy();
        let proxy = Proxy::new(upstream, settings.resource(), connector.clone(), limits);
        let client = Client::with_connector(connector.clone()).with_timeout(limits.entra_timeout);
        let driver = Driver::with_client(Facade::new(settings), client);
        Self {
            driver: driver.with_body_timeout(limits.body_timeout),
            connector,
            proxy: Arc::new(proxy),
            accepting: None,
            envelope: None,
            rates: RateLimits::new(&limits.rates, limits.trusted_proxies),
            limits: limits.server,
        }
    }

    /// Calls wait until the server behind listens.
    pub(crate) fn once(self, accepting: Accepting) -> Self {
        Self { accepting: Some(accepting), ..self }
    }

    /// Requests come in the envelope of this function, if one is named.
    pub(crate) fn in_envelopes_of(self, function: Option<&FunctionName>) -> Self {
        Self { envelope: function.map(mcp_entra_functions::Layer::new), ..self }
    }

    /// Serves until `shutdown` completes.
    ///
    /// # Errors
    /// Where `SSL_CERT_FILE` names something that is no certificate file.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ClientError> {
        let (driver, connector, limits) =
            (self.driver.clone(), self.connector.clone(), self.limits);
        let gateway = Arc::new(self);
        let service = move |address: SocketAddr| {
            let connection = Connection::new(gateway.clone(), address.ip());
            service_fn(move |request| connection.answer(request))
        };
        tokio::select! {
            () = server::serve_each(listener, service, limits, shutdown) => Ok(()),
            () = driver.documents().keep_fresh() => Ok(()),
            Err(error) = connector.ready() => Err(error),
        }
    }

    /// The platform's questions, which are answered wherever the MCP endpoint is.
    fn health(&self, path: &str) -> Option<Response<ProxyBody>> {
        match path {
            "/healthz" => Some(answer(StatusCode::OK, "alive\n")),
            "/readyz" if !self.is_accepting() => Some(later()),
            "/readyz" if self.driver.documents().is_ready() => {
                Some(answer(StatusCode::OK, "ready\n"))
            }
            "/readyz" => Some(answer(
                StatusCode::SERVICE_UNAVAILABLE,
                "Entra ID's discovery document and keys are not there yet\n",
            )),
            _ => None,
        }
    }

    /// Whether the server behind listens, as far as that is ours to know.
    fn is_accepting(&self) -> bool {
        self.accepting.as_ref().is_none_or(Accepting::is_true)
    }
}

/// A client's connection. What does not change from one request to the next is made once.
#[derive(Clone)]
struct Connection {
    gateway: Arc<Gateway>,
    peer: IpAddr,
    sign_in: Service<Behind>,
}

impl Connection {
    fn new(gateway: Arc<Gateway>, peer: IpAddr) -> Self {
        let behind = Behind {
            gateway: gateway.clone(),
            forwarded_for: HeaderValue::try_from(peer.to_string()).ok(),
        };
        Self { sign_in: Service::new(gateway.driver.clone(), behind), gateway, peer }
    }

    /// Answers a request that comes as it is or in an envelope.
    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Answer<EnvelopeBody>, Infallible>> + Send + use<> {
        let Some(envelope) = &self.gateway.envelope else {
            let answer = self.sign_in(request.map(EitherBody::Right));
            return answer.map_ok(|answer| answer.map(EitherBody::Right)).left_future();
        };
        let (envelope, connection) = (envelope.clone(), self.clone());
        let answer =
            async move { envelope.answer(request, |request| connection.sign_in(request)).await };
        answer.boxed().right_future()
    }

    /// Answers what is the gateway's own, and leaves the rest to the sign-in.
    fn sign_in(&self, request: Request<RequestBody>) -> Answering<ProxyBody, Infallible> {
        let at_once = |answer| Answering::Left(ready(Ok(answer)));
        if let Some(health) = self.gateway.health(request.uri().path()) {
            return at_once(health.map(EitherBody::Right));
        }
        let (head, body) = request.into_parts();
        let facade = self.gateway.driver.facade();
        if let Some(refusal) = self.gateway.rates.refusal(&head, self.peer, facade) {
            return at_once(answered(refusal));
        }
        self.sign_in.call(Request::from_parts(head, body))
    }
}

/// What is behind the sign-in: the way to the MCP server, for whoever has a name.
#[derive(Clone)]
struct Behind {
    gateway: Arc<Gateway>,
    forwarded_for: Option<HeaderValue>,
}

impl hyper::service::Service<Request<PassedBody<RequestBody>>> for Behind {
    type Response = Response<ProxyBody>;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Self::Response, Infallible>>,
        BoxFuture<'static, Result<Self::Response, Infallible>>,
    >;

    fn call(&self, request: Request<PassedBody<RequestBody>>) -> Self::Future {
        // the driver alone says who calls, and nobody passes without
        if request.extensions().get::<Arc<Principal>>().is_none() {
            return Either::Left(ready(Ok(match request.uri().path() {
                "/" => {
                    let page = self.gateway.driver.facade().front_page();
                    page.map(|page| EitherBody::Left(page.into()))
                }
                _ => answer(StatusCode::NOT_FOUND, "nothing is served at this path\n"),
            })));
        }
        let proxy = self.gateway.proxy.clone();
        if self.gateway.is_accepting() {
            let answer = proxy.forward(request, self.forwarded_for.as_ref());
            return Either::Right(answer.map(Ok).boxed());
        }
        let (accepting, forwarded_for) =
            (self.gateway.accepting.clone(), self.forwarded_for.clone());
        let waiting = async move {
            match accepting {
                Some(accepting) if !accepting.within(START).await => Ok(later()),
                _ => Ok(proxy.forward(request, forwarded_for.as_ref()).await),
            }
        };
        Either::Right(waiting.boxed())
    }
}

/// The server behind has been started, and does not listen yet.
fn later() -> Response<ProxyBody> {
    let mut response =
        answer(StatusCode::SERVICE_UNAVAILABLE, "the MCP server behind is not there yet\n");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}
