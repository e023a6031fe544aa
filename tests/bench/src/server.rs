//! Hyper with nothing around it.

use std::convert::Infallible;
use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use crate::Failure;

pub(crate) type AnyBody = BoxBody<Bytes, Failure>;

/// Listens on a free port of loopback.
pub(crate) async fn listen() -> Result<TcpListener, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}

/// Says where, and serves for ever.
pub(crate) async fn serve<F, R>(
    listener: TcpListener,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) -> Result<(), Failure>
where
    F: Future<Output = Response<R>> + Send + 'static,
    R: Body<Data = Bytes, Error: Into<Failure>> + Send + 'static,
{
    println!("listening={}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, answer.clone()));
    }
}

pub(crate) async fn connection<F, R>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answer: impl Fn(Request<Incoming>) -> F + Send + 'static,
) where
    F: Future<Output = Response<R>> + Send + 'static,
    R: Body<Data = Bytes, Error: Into<Failure>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    // a peer that goes away is no failure of the bench
    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

pub(crate) fn full(body: impl Into<Bytes>) -> AnyBody {
    Full::new(body.into()).map_err(|never| match never {}).boxed()
}
