//! The streams of an HTTP/2 connection: their number, the bytes of their responses that the client has not read,
//! and when it last read or requested something.
//!
//! A client can keep its connection alive with frames that cost it nothing, among them requests that it resets, and let
//! none of its responses through. So only the bytes of responses that the client reads count as progress
//! (`metered_stream`). A long response that is read slowly makes progress.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use service_base::clock::Clock;
use tokio::sync::Notify;

use crate::connection_table::ConnectionState;
use crate::drain::BodyWaits;

/// The streams of one connection.
#[derive(Debug)]
pub(crate) struct Streams {
    clock: Clock,
    connection: Arc<ConnectionState>,
    state: Mutex<State>,
    freed: Notify,
}

/// All times are readings of the clock's stopwatch.
#[derive(Debug)]
struct State {
    /// Number of requests whose response is not handed over yet. The connection is idle without one, so both change
    /// under the lock.
    open: usize,
    /// Number of requests whose body is awaited, and since when there has been one all the time.
    awaited: usize,
    awaited_since: Duration,
    /// Bytes of responses that were handed over and that the client has not read.
    held: usize,
    /// When something was last requested, handed over or read.
    used_at: Duration,
    /// When the client last read, or began to have something to read. A request does not show that, and neither does a
    /// reset, which frees the held bytes.
    read_at: Duration,
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
    pub(crate) fn new(clock: Clock, connection: Arc<ConnectionState>) -> Self {
        let now = clock.stopwatch();
        let state = Mutex::new(State {
            open: 0,
            awaited: 0,
            awaited_since: now,
            held: 0,
            used_at: now,
            read_at: now,
        });
        Self { clock, connection, state, freed: Notify::new() }
    }

    /// Counts a request. `None` if the connection was chosen to make room for another one.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<OpenStream> {
        let mut state = self.lock();
        state.used_at = self.clock.stopwatch();
        // The connection is busy already if it has a request whose body is not awaited.
        if state.open <= state.awaited && !self.connection.start_request() {
            return None;
        }
        state.open += 1;
        Some(OpenStream(Arc::clone(self)))
    }

    /// Notes that the client reads responses.
    pub(crate) fn note_read(&self) {
        let now = self.clock.stopwatch();
        let mut state = self.lock();
        (state.used_at, state.read_at) = (now, now);
    }

    /// Waits until at most this many bytes of responses are held.
    pub(crate) async fn room(&self, most: usize) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Registered before the count is read, so that no notification is missed.
            freed.as_mut().enable();
            if self.lock().held <= most {
                return;
            }
            freed.await;
        }
    }

    /// Whether there has been no request and nothing to read for this time.
    pub(crate) fn are_idle_for(&self, time: Duration) -> bool {
        let state = self.lock();
        state.open == 0 && state.held == 0 && self.since(state.used_at) >= time
    }

    /// Whether there are responses of which nothing was read for this time.
    pub(crate) fn are_stalled_for(&self, time: Duration) -> bool {
        let state = self.lock();
        state.held > 0 && self.since(state.read_at) >= time
    }

    /// Notes on the connection if the bodies of all its requests are awaited.
    fn note_awaited(&self, state: &State) {
        if state.open > 0 && state.awaited >= state.open {
            self.connection.await_body(state.awaited_since);
        }
    }

    fn since(&self, at: Duration) -> Duration {
        self.clock.stopwatch().saturating_sub(at)
    }

    fn hold(&self, length: usize) {
        let now = self.clock.stopwatch();
        let mut state = self.lock();
        if state.held == 0 {
            state.read_at = now;
        }
        state.held += length;
        self.connection.progress.streaming.store(state.held > 0, Ordering::Relaxed);
    }

    fn release(&self, length: usize) {
        let now = self.clock.stopwatch();
        let mut state = self.lock();
        state.held = state.held.saturating_sub(length);
        state.used_at = now;
        self.connection.progress.streaming.store(state.held > 0, Ordering::Relaxed);
        drop(state);
        self.freed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyWaits for Streams {
    fn begin_wait(&self) {
        let mut state = self.lock();
        if state.awaited == 0 {
            state.awaited_since = self.clock.stopwatch();
        }
        state.awaited += 1;
        self.note_awaited(&state);
    }

    fn end_wait(&self) -> bool {
        let mut state = self.lock();
        state.awaited = state.awaited.saturating_sub(1);
        self.connection.resume()
    }
}

impl OpenStream {
    /// Returns the response, which keeps the stream open until its last part is handed over, and whose parts are held
    /// until the client has read them.
    pub(crate) fn hold(self, response: Response) -> Response {
        if response.body().is_end_stream() {
            return response;
        }
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                frame.map_data(|bytes| {
                    let streams = Arc::clone(&self.0);
                    streams.hold(bytes.len());
                    Bytes::from_owner(HeldChunk { bytes, streams })
                })
            }))
        })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let now = self.0.clock.stopwatch();
        let mut state = self.0.lock();
        state.used_at = now;
        state.open = state.open.saturating_sub(1);
        if state.open == 0 {
            self.0.connection.end_request(now);
        } else {
            self.0.note_awaited(&state);
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
        self.streams.release(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::connection_table::HALF_OPEN;

    fn streams() -> Arc<Streams> {
        Arc::new(Streams::new(Clock::system(), Arc::default()))
    }

    #[tokio::test]
    async fn a_response_is_held_until_its_bytes_are_freed() {
        let streams = streams();
        let response = streams.begin().unwrap().hold(Response::new(Body::from("twelve bytes")));
        assert!(!streams.are_idle_for(Duration::ZERO), "it is not handed over");
        let mut body = response.into_body();
        let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        assert_eq!(streams.lock().open, 0);
        assert_eq!(streams.room(11).now_or_never(), None);
        assert_eq!(streams.room(12).now_or_never(), Some(()));
        assert!(streams.are_stalled_for(Duration::ZERO) && !streams.are_idle_for(Duration::ZERO));
        assert!(streams.connection.progress.streaming.load(Ordering::Relaxed));
        drop(bytes);
        assert!(!streams.connection.progress.streaming.load(Ordering::Relaxed));
        assert_eq!(streams.room(0).now_or_never(), Some(()));
        assert!(streams.are_idle_for(Duration::ZERO) && !streams.are_stalled_for(Duration::ZERO));
        assert!(!streams.are_idle_for(Duration::from_mins(1)), "it was used just now");
    }

    #[tokio::test]
    async fn neither_a_request_nor_a_reset_is_a_sign_that_a_client_reads() {
        let streams = streams();
        let part = async || {
            let response = streams.begin().unwrap().hold(Response::new(Body::from("twelve bytes")));
            response.into_body().frame().await.unwrap().unwrap().into_data().unwrap()
        };
        let _unread = part().await;
        let began = streams.lock().read_at;
        // Time passes: the stopwatch has nanoseconds, and nothing else changes what is compared.
        while streams.clock.stopwatch() == began {}
        drop(streams.begin());
        drop(part().await);
        assert!(streams.lock().used_at > began);
        assert_eq!(streams.lock().read_at, began, "nothing is read");
        streams.note_read();
        assert!(streams.lock().read_at > began);
    }

    #[test]
    fn a_connection_is_idle_without_a_stream_and_begins_none_once_it_was_chosen_to_make_room() {
        let streams = streams();
        let first = streams.begin().unwrap();
        let second = streams.begin().unwrap();
        drop(first);
        assert_eq!(streams.connection.waiting(), None, "a request is in progress");
        drop(second);
        assert!(streams.connection.waiting().is_some_and(|waiting| !waiting.is_for_body));

        let streams = self::streams();
        assert!(streams.connection.evict_if(HALF_OPEN));
        assert!(streams.begin().is_none() && streams.begin().is_none(), "it stays chosen");
        assert_eq!(streams.lock().open, 0);
    }

    #[test]
    fn a_connection_waits_for_its_client_while_the_bodies_of_all_its_requests_are_awaited() {
        let streams = streams();
        let is_waiting = || streams.connection.waiting().is_some_and(|waiting| waiting.is_for_body);
        let first = streams.begin().unwrap();
        streams.begin_wait();
        assert!(is_waiting());
        let second = streams.begin().unwrap();
        assert!(!is_waiting(), "the second may have arrived completely");
        streams.begin_wait();
        assert!(is_waiting());
        assert!(streams.end_wait() && !is_waiting(), "a body has arrived");
        drop(first);
        assert!(is_waiting(), "the request that had arrived was answered");
        assert!(streams.end_wait() && !is_waiting());
        streams.begin_wait();
        drop(second);
        assert!(streams.connection.waiting().is_some() && !is_waiting(), "it waits for a request");
        let _third = streams.begin().unwrap();
        assert_eq!(streams.connection.waiting(), None);
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
