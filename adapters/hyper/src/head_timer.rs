//! When waiting for a head is over: hyper has one time for it, we have two.
//!
//! A client that has begun a head, or has never sent one, gets little time. A connection that has
//! been used and is kept open gets more: proxies in front keep theirs for minutes, and one that we
//! close at the moment when they use it again is an error for somebody. hyper asks a timer of ours
//! to wait each time it begins to wait for a head, and polls it whenever octets have come.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection's timer, and its stream, which tells it what has come.
pub(crate) fn head_timer<S>(
    stream: S,
    header_timeout: Duration,
    idle_timeout: Duration,
) -> (Counted<S>, HeadTimer) {
    let waits = Arc::new(Waits {
        octets: AtomicU64::new(0),
        sleep: Mutex::new(Box::pin(tokio::time::sleep(header_timeout))),
        header_timeout,
        idle_timeout,
    });
    (Counted { stream, waits: waits.clone() }, HeadTimer(waits))
}

/// What one connection waits for.
#[derive(Debug)]
struct Waits {
    /// How many octets it has read.
    octets: AtomicU64,
    /// One for all its heads: a later end costs the runtime less than another sleep does.
    sleep: Mutex<Pin<Box<tokio::time::Sleep>>>,
    header_timeout: Duration,
    idle_timeout: Duration,
}

impl Waits {
    fn sleep_for(&self, patience: Duration) {
        let mut sleep = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        sleep.as_mut().reset(tokio::time::Instant::now() + patience);
    }
}

/// The timer of one connection.
#[derive(Clone, Debug)]
pub(crate) struct HeadTimer(Arc<Waits>);

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        let Self(waits) = self;
        let octets = waits.octets.load(Ordering::Relaxed);
        waits.sleep_for(if octets == 0 { waits.header_timeout } else { waits.idle_timeout });
        Box::pin(HeadSleep { waits: waits.clone(), begins_after: Some(octets) })
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(self.0.header_timeout)
    }
}

/// Waits for one head.
struct HeadSleep {
    waits: Arc<Waits>,
    /// With more octets than these the head has begun; `None` once it has.
    begins_after: Option<u64>,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let octets = self.waits.octets.load(Ordering::Relaxed);
        if self.begins_after.is_some_and(|octets_before| octets > octets_before) {
            self.begins_after = None;
            self.waits.sleep_for(self.waits.header_timeout);
        }
        let mut sleep = self.waits.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        sleep.as_mut().poll(cx)
    }
}

/// A stream that counts what it reads.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    waits: Arc<Waits>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let count = buffer.filled().len().saturating_sub(before);
        self.waits.octets.fetch_add(count as u64, Ordering::Relaxed);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
