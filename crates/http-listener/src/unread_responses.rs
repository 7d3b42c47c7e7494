//! The limit on memory for responses that clients have not read yet.
//!
//! A client that requests long lists and does not read them would make the server keep them all. So the bytes
//! of long responses that the kernel has not taken yet are counted, for all clients and for each. Beyond the
//! limit a long response is 503, and clients that do not read are disconnected sooner. A short response is sent in any
//! case, because its request may have had an effect. Short ones are not counted on HTTP/1.1: a connection has one of
//! them at a time, because its next request does not start before a long response was written. Of the many that a
//! connection of HTTP/2 can have, those are not counted that are less than [`SHORT_BYTES`] together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use tokio::sync::Notify;

/// A response with fewer bytes is short.
const SHORT_BYTES: usize = 16 << 10;

/// The unread bytes of a listener's responses.
#[derive(Debug)]
pub(crate) struct UnreadResponses {
    max_bytes: usize,
    /// A copy of the total, which every request reads.
    total: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// The unread bytes of one connection's responses.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// Shorter responses are not counted, in bytes.
    min_counted: usize,
    bytes: AtomicUsize,
    written: Notify,
}

impl Backlog {
    /// The backlog of a connection that has at most this many responses at the same time.
    pub(crate) fn new(max_responses: usize) -> Arc<Self> {
        let min_counted = SHORT_BYTES / max_responses.max(1);
        Arc::new(Self { min_counted, bytes: AtomicUsize::new(0), written: Notify::new() })
    }

    /// Waits until the previous long response was written.
    pub(crate) async fn written(&self) {
        // Most requests follow a short response, and none of those waits.
        if self.bytes.load(Ordering::Acquire) == 0 {
            return;
        }
        let written = self.written.notified();
        tokio::pin!(written);
        // Registered before the count is read, so that no notification is missed.
        written.as_mut().enable();
        if self.bytes.load(Ordering::Acquire) > 0 {
            written.await;
        }
    }
}

/// A chunk of a response. It counts as unread until its memory is freed.
struct CountedChunk {
    bytes: Bytes,
    unread: Arc<UnreadResponses>,
    backlog: Arc<Backlog>,
    client: IpAddr,
}

impl AsRef<[u8]> for CountedChunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for CountedChunk {
    fn drop(&mut self) {
        let length = self.bytes.len();
        self.unread.release(self.client, length);
        if self.backlog.bytes.fetch_sub(length, Ordering::AcqRel) == length {
            self.backlog.written.notify_waiters();
        }
    }
}

impl UnreadResponses {
    /// Creates a counter for up to `max_bytes`, of which one client can have half.
    pub(crate) fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self { max_bytes, total: AtomicUsize::new(0), state: Mutex::default() })
    }

    /// Returns whether more than half of the memory is in use. Clients must then read their responses sooner.
    pub(crate) fn is_scarce(&self) -> bool {
        self.total.load(Ordering::Acquire) > self.max_bytes / 2
    }

    /// Returns the 503 response for a client whose unread responses take 7/8 of its half of the memory.
    /// `None` while the client is below.
    pub(crate) fn refusal(&self, client: IpAddr) -> Option<Response> {
        let most = self.max_bytes / 2 - self.max_bytes / 16;
        // No client has more than all have.
        if self.total.load(Ordering::Acquire) <= most {
            return None;
        }
        let unread = self.lock().by_client.get(&client).copied().unwrap_or_default();
        (unread > most).then(service_unavailable)
    }

    /// Returns the response, which counts as unread unless it is as short as the backlog allows; or 503 if it is long
    /// and there is no memory for it.
    pub(crate) fn count(
        self: &Arc<Self>,
        response: Response,
        client: IpAddr,
        backlog: &Arc<Backlog>,
    ) -> Response {
        let length = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let Some(length) = length.filter(|length| *length >= backlog.min_counted) else { return response };
        if !self.take(client, length) {
            return service_unavailable();
        }
        backlog.bytes.fetch_add(length, Ordering::AcqRel);
        let (unread, backlog) = (Arc::clone(self), Arc::clone(backlog));
        let rest = UnsentBody { left: length, unread, backlog, client };
        response.map(|body| Body::new(body.map_frame(rest.counting())))
    }

    fn take(&self, client: IpAddr, length: usize) -> bool {
        let mut state = self.lock();
        let of_client = state.by_client.get(&client).copied().unwrap_or_default();
        // A single response may exceed the limit if no other is unread.
        let fits = |taken: usize, max: usize| {
            length < SHORT_BYTES || taken == 0 || taken.saturating_add(length) <= max
        };
        if !fits(state.total, self.max_bytes) || !fits(of_client, self.max_bytes / 2) {
            return false;
        }
        state.total += length;
        self.total.store(state.total, Ordering::Release);
        state.by_client.insert(client, of_client + length);
        true
    }

    fn release(&self, client: IpAddr, length: usize) {
        let mut state = self.lock();
        state.total = state.total.saturating_sub(length);
        self.total.store(state.total, Ordering::Release);
        if let Some(of_client) = state.by_client.get_mut(&client) {
            *of_client = of_client.saturating_sub(length);
            if *of_client == 0 {
                state.by_client.remove(&client);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of a response that were not taken from its body yet. If the body is dropped before its end, they
/// are no longer counted.
struct UnsentBody {
    left: usize,
    unread: Arc<UnreadResponses>,
    backlog: Arc<Backlog>,
    client: IpAddr,
}

impl UnsentBody {
    fn counting(mut self) -> impl FnMut(Frame<Bytes>) -> Frame<Bytes> + Send {
        move |frame| {
            frame.map_data(|bytes| {
                self.left = self.left.saturating_sub(bytes.len());
                let (unread, backlog) = (Arc::clone(&self.unread), Arc::clone(&self.backlog));
                Bytes::from_owner(CountedChunk { bytes, unread, backlog, client: self.client })
            })
        }
    }
}

impl Drop for UnsentBody {
    fn drop(&mut self) {
        if self.left > 0 {
            self.unread.release(self.client, self.left);
            self.backlog.bytes.fetch_sub(self.left, Ordering::AcqRel);
            self.backlog.written.notify_waiters();
        }
    }
}

fn service_unavailable() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn response(length: usize) -> Response {
        Response::new(Body::from(vec![b'x'; length]))
    }

    async fn read(response: Response) -> Bytes {
        let mut body = response.into_body();
        body.frame().await.unwrap().unwrap().into_data().unwrap()
    }

    #[tokio::test]
    async fn long_responses_are_counted_until_their_bytes_are_freed() {
        let (unread, backlog) = (UnreadResponses::new(400_000), Backlog::new(1));
        let count = |length, client| unread.count(response(length), client, &backlog);
        let first = read(count(150_000, ONE)).await;
        assert_eq!(count(100_000, ONE).status(), 503, "one client can have half");
        let second = count(200_000, TWO);
        assert!(unread.is_scarce());
        assert_eq!(
            (count(60_000, TWO).status(), count(40_000, ONE).status()),
            (StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK)
        );
        assert_eq!(count(1_000, ONE).status(), 200, "a short response is not counted");
        assert!(unread.refusal(TWO).is_some() && unread.refusal(ONE).is_none());
        assert_eq!(first.len(), 150_000);
        drop(first);
        assert_eq!(count(100_000, ONE).status(), 200);
        drop(second);
        assert_eq!(
            (unread.lock().total, backlog.bytes.load(Ordering::Relaxed)),
            (0, 0),
            "an unread body is released"
        );
        assert!(unread.lock().by_client.is_empty());
    }

    #[test]
    fn of_many_short_responses_on_a_connection_few_bytes_are_not_counted_and_none_is_refused() {
        let (unread, backlog) = (UnreadResponses::new(40_000), Backlog::new(100));
        let responses =
            |length| -> Vec<_> { (0..100).map(|_| unread.count(response(length), ONE, &backlog)).collect() };
        let shortest = responses(162);
        assert_eq!((shortest.len(), unread.lock().total), (100, 0));
        let short = responses(SHORT_BYTES - 1);
        assert!(short.iter().all(|response| response.status() == 200), "each may be that of an effect");
        assert_eq!(unread.lock().total, 100 * (SHORT_BYTES - 1));
        assert!(unread.refusal(ONE).is_some(), "the next request is refused before it has an effect");
        assert_eq!(unread.count(response(SHORT_BYTES), ONE, &backlog).status(), 503);
        drop(short);
        assert_eq!(unread.lock().total, 0);
    }

    #[tokio::test]
    async fn the_next_request_waits_until_a_long_response_was_written() {
        use futures_util::FutureExt as _;
        let (unread, backlog) = (UnreadResponses::new(400_000), Backlog::new(1));
        assert_eq!(backlog.written().now_or_never(), Some(()));
        let bytes = read(unread.count(response(100_000), ONE, &backlog)).await;
        let waiting = backlog.written();
        tokio::pin!(waiting);
        assert_eq!(waiting.as_mut().now_or_never(), None);
        drop(bytes);
        assert_eq!(waiting.now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn a_response_longer_than_the_limit_is_sent_alone() {
        let (unread, backlog) = (UnreadResponses::new(100_000), Backlog::new(1));
        let long = unread.count(response(300_000), ONE, &backlog);
        assert_eq!(long.status(), 200);
        assert_eq!(unread.count(response(20_000), TWO, &backlog).status(), 503);
        drop(long);
        assert_eq!(unread.count(response(20_000), TWO, &backlog).status(), 200);
    }
}
