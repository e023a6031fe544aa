//! `enableProxyingHttpRequest`: a reverse proxy. Heads pass but for what concerns one connection,
//! `Host` stays, bodies stream both ways, redirects are not followed.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};

use crate::handler;
use crate::server::{Reply, text};

const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const INVOCATION: HeaderName = HeaderName::from_static("x-ms-invocation-id");
pub(crate) const INVOCATION_ID: HeaderValue =
    HeaderValue::from_static("00000000-0000-4000-8000-000000000005");

pub(crate) async fn pass(request: Request<Incoming>, port: u16) -> Reply {
    let (mut head, body) = request.into_parts();
    remove_hop_by_hop(&mut head.headers);
    head.headers.entry(INVOCATION).or_insert(INVOCATION_ID);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse::<Uri>().map_err(std::io::Error::other)?;
    match handler::send(port, Request::from_parts(head, body)).await {
        Ok(response) => {
            let (mut head, body) = response.into_parts();
            remove_hop_by_hop(&mut head.headers);
            Ok(Response::from_parts(head, body.boxed_unsync()))
        }
        Err(error) => {
            eprintln!("functions-host-stand-in: the handler did not answer: {error}");
            Ok(text(StatusCode::BAD_GATEWAY, ""))
        }
    }
}

pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
