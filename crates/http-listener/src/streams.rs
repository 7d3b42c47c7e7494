//! What the streams of an HTTP/2 connection are doing: how many there are, what of their responses the client has not read,
//! and when it last read or requested something.
//!
//! A client can keep its connection alive with frames that cost it nothing, and let none of its responses through. So the
//! progress of responses is watched, and not the bytes on the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use service_base::clock::Clock;
use tokio::sync::Notify;

use crate::connection_table::ConnectionState;

/// The streams of one connection.
#[derive(Debug)]
pub(crate) struct Streams {
    clock: Clock,
    state: Arc<ConnectionState>,
    /// Number of requests whose response is not handed over yet.
    open: AtomicUsize,
    /// Bytes of responses that were handed over and that the client has not read.
    held: AtomicUsize,
    freed: Notify,
    /// When something was last requested or read, in milliseconds of the clock's stopwatch.
    progress_at: AtomicU64,
}

/// A stream that is open.
#[derive(Debug)]
pub(crate) struct OpenStream(Arc<Streams>);

/// A part of a response. It is held until its memory is freed.
struct HeldChunk {
    bytes: Bytes,
    streams: Arc<Streams>,
}

impl Streams {
    pub(crate) fn new(clock: Clock, state: Arc<ConnectionState>) -> Self {
        let streams = Self {
            clock,
            state,
            open: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            freed: Notify::new(),
            progress_at: AtomicU64::new(0),
        };
        streams.note_progress();
        streams
    }

    /// Counts a request. `None` if the connection was chosen to make room for another one.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<OpenStream> {
        let stream = OpenStream(Arc::clone(self));
        self.note_progress();
        let is_first = self.open.fetch_add(1, Ordering::AcqRel) == 0;
        if is_first && !self.state.start_request() {
            return None;
        }
        Some(stream)
    }

    /// Waits until at most this many bytes of responses are held.
    pub(crate) async fn room(&self, most: usize) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Registered before the count is read, so that no notification is missed.
            freed.as_mut().enable();
            if self.held.load(Ordering::Acquire) <= most {
                return;
            }
            freed.await;
        }
    }

    /// Whether there has been no request and nothing to read for this time.
    pub(crate) fn are_idle_for(&self, time: Duration) -> bool {
        !self.is_busy() && self.since_progress() >= time
    }

    /// Whether there are responses of which nothing was read for this time.
    pub(crate) fn are_stalled_for(&self, time: Duration) -> bool {
        self.is_busy() && self.since_progress() >= time
    }

    fn is_busy(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0 || self.held.load(Ordering::Acquire) > 0
    }

    fn since_progress(&self) -> Duration {
        let at = Duration::from_millis(self.progress_at.load(Ordering::Relaxed));
        self.clock.stopwatch().saturating_sub(at)
    }

    fn note_progress(&self) {
        let now = u64::try_from(self.clock.stopwatch().as_millis()).unwrap_or(u64::MAX);
        self.progress_at.store(now, Ordering::Relaxed);
    }
}

impl OpenStream {
    /// Returns the response, which keeps the stream open until its last part is handed over, and whose parts are held until
    /// the client has read them.
    pub(crate) fn hold(self, response: Response) -> Response {
        if response.body().is_end_stream() {
            return response;
        }
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                frame.map_data(|bytes| {
                    let streams = Arc::clone(&self.0);
                    streams.held.fetch_add(bytes.len(), Ordering::AcqRel);
                    Bytes::from_owner(HeldChunk { bytes, streams })
                })
            }))
        })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.note_progress();
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.state.end_request(self.0.clock.stopwatch());
        }
    }
}

impl AsRef<[u8]> for HeldChunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for HeldChunk {
    fn drop(&mut self) {
        self.streams.held.fetch_sub(self.bytes.len(), Ordering::AcqRel);
        self.streams.note_progress();
        self.streams.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn streams() -> Arc<Streams> {
        Arc::new(Streams::new(Clock::system(), Arc::default()))
    }

    #[tokio::test]
    async fn a_response_is_held_until_its_bytes_are_freed() {
        let streams = streams();
        let response = streams.begin().unwrap().hold(Response::new(Body::from("twelve bytes")));
        assert!(streams.are_stalled_for(Duration::ZERO), "nothing of it was read");
        let mut body = response.into_body();
        let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        assert_eq!(streams.open.load(Ordering::Relaxed), 0);
        assert_eq!(streams.room(11).now_or_never(), None);
        assert_eq!(streams.room(12).now_or_never(), Some(()));
        assert!(streams.are_stalled_for(Duration::ZERO) && !streams.are_idle_for(Duration::ZERO));
        drop(bytes);
        assert_eq!(streams.room(0).now_or_never(), Some(()));
        assert!(streams.are_idle_for(Duration::ZERO) && !streams.are_stalled_for(Duration::ZERO));
        assert!(!streams.are_idle_for(Duration::from_mins(1)), "it was used just now");
    }

    #[test]
    fn a_stream_without_a_body_ends_with_its_response_and_one_that_is_dropped_too() {
        let streams = streams();
        let response = streams.begin().unwrap().hold(Response::new(Body::empty()));
        assert!(streams.are_idle_for(Duration::ZERO));
        drop(response);
        drop(streams.begin());
        assert!(streams.are_idle_for(Duration::ZERO));
    }
}
