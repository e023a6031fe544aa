//! Faults that a test can order: outages, odd answers, bodies that stall, overflow or break off.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Interval, interval};

use crate::answer::Answer;
use crate::refusal::page;

/// A part of Entra that can be disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Discovery documents.
    Discovery,
    /// Key sets.
    Keys,
    /// The authorize endpoint.
    Authorize,
    /// The token endpoint.
    Token,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Discovery, Self::Keys, Self::Authorize, Self::Token];
}

/// How an endpoint misbehaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed without an answer.
    Outage,
    /// This status with an HTML body, and `Retry-After` in seconds if given.
    Status(u16, Option<u64>),
    /// 200 with a page instead of JSON.
    Html,
    /// 200 without a body.
    Empty,
    /// 200 with a body that never ends.
    Endless,
    /// 200 with 10 MiB of valid JSON.
    Huge,
    /// A redirect to this URL.
    Redirect(String),
    /// The regular answer after a byte order mark.
    Bom,
    /// The regular answer, this much later.
    Slow(Duration),
    /// The regular answer, a byte at a time with this pause.
    Drip(Duration),
    /// The first half of the regular answer, then the connection is closed.
    Reset,
    /// Another tenant's discovery document, a stranger's keys; elsewhere the regular answer.
    OtherTenant,
}

impl Fault {
    /// The answer that needs no request, if this is such a fault.
    pub(crate) fn canned(&self) -> Option<Answer> {
        let html = |status, title: &str| {
            Answer::new(status, "text/html", page(title, &format!("<h1>{title}</h1>")))
        };
        Some(match self {
            Self::Status(status, retry_after) => {
                let answer = html(*status, "Our services aren't available right now");
                match retry_after {
                    Some(seconds) => answer.header("retry-after", seconds.to_string()),
                    None => answer,
                }
            }
            Self::Html => html(200, "Sign in to your account"),
            Self::Empty => Answer::empty(200),
            Self::Endless => Answer::new(200, "application/json; charset=utf-8", ""),
            Self::Huge => {
                let padding = "a".repeat(10 << 20);
                Answer::new(
                    200,
                    "application/json; charset=utf-8",
                    format!("{{\"padding\":\"{padding}\"}}"),
                )
            }
            Self::Redirect(location) => html(302, "Object moved").header("location", location),
            _ => return None,
        })
    }
}

/// A response's body.
#[derive(Debug)]
pub(crate) enum FaultyBody {
    Whole(Option<Bytes>),
    Endless,
    /// Announces more than it gives.
    Half {
        rest: Option<Bytes>,
        announced: u64,
    },
    Drip {
        rest: Bytes,
        pause: Interval,
    },
}

impl FaultyBody {
    pub(crate) fn new(body: Vec<u8>, fault: Option<&Fault>) -> Self {
        let mut body = Bytes::from(body);
        match fault {
            Some(Fault::Endless) => Self::Endless,
            Some(Fault::Reset) => {
                let announced = body.len() as u64;
                body.truncate(body.len() / 2);
                Self::Half { rest: Some(body), announced }
            }
            Some(Fault::Drip(pause)) => {
                Self::Drip { rest: body, pause: interval((*pause).max(Duration::from_millis(1))) }
            }
            _ => Self::Whole(Some(body)),
        }
    }
}

impl Body for FaultyBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        match &mut *self {
            Self::Whole(body) => match body.take().filter(|body| !body.is_empty()) {
                Some(body) => frame(body),
                None => Poll::Ready(None),
            },
            Self::Endless => frame(Bytes::from_static(&[b' '; 16 << 10])),
            Self::Half { rest, .. } => match rest.take() {
                Some(body) => frame(body),
                None => Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into()))),
            },
            Self::Drip { rest, .. } if rest.is_empty() => Poll::Ready(None),
            Self::Drip { rest, pause } => match pause.poll_tick(context) {
                Poll::Ready(_) => frame(rest.split_to(1)),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            Self::Endless => SizeHint::default(),
            Self::Half { announced, .. } => SizeHint::with_exact(*announced),
            Self::Drip { rest, .. } => SizeHint::with_exact(rest.len() as u64),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.as_ref().is_none_or(Bytes::is_empty),
            _ => false,
        }
    }
}
