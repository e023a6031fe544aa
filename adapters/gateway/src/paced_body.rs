//! A body whose pauses have an end: of a client that sends, and sends on, and never ends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// The body, and how long it may pause. Its length and its end are what they were.
#[derive(Debug)]
pub(crate) struct PacedBody<B> {
    body: B,
    longest_pause: Duration,
    /// The pause that is going on.
    pause: Option<Pin<Box<Sleep>>>,
}

/// The body paused for too long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PauseError;

impl std::fmt::Display for PauseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the client paused for too long while it sent the body")
    }
}

impl std::error::Error for PauseError {}

impl PauseError {
    /// Whether it is what led to an error.
    pub(crate) fn caused(error: &(dyn std::error::Error + 'static)) -> bool {
        let mut causes = std::iter::successors(Some(error), |error| error.source());
        causes.any(|cause| cause.is::<Self>())
    }
}

impl<B> PacedBody<B> {
    pub(crate) fn new(body: B, longest_pause: Duration) -> Self {
        Self { body, longest_pause, pause: None }
    }
}

impl<B> Body for PacedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { body, longest_pause, pause } = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            *pause = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let pause = pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(*longest_pause)));
        ready!(pause.as_mut().poll(cx));
        Poll::Ready(Some(Err(PauseError.into())))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
