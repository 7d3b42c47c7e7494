//! Answers that are made and not read yet, and the memory that they may take.
//!
//! A client that asks for long lists and reads none of them would have the server keep them all. So the bytes of long
//! answers that are not with the system yet are counted, for all clients and for each: past the bound an answer is 503
//! instead, and who does not read is given less time. Short answers are not counted; there is one at a time on each
//! connection, for the next request is not begun before a long answer has gone.

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

/// Bytes from which an answer is long.
const LONG: usize = 16 << 10;

/// What of a listener's answers is not read yet.
#[derive(Debug)]
pub(crate) struct Unread {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    all: usize,
    of_one: HashMap<IpAddr, usize>,
}

/// What of one connection's answers is not read yet.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    bytes: AtomicUsize,
    less: Notify,
}

impl Backlog {
    /// Waits until the long answer before has gone.
    pub(crate) async fn gone(&self) {
        let less = self.less.notified();
        tokio::pin!(less);
        // Registered before it is looked, so that nothing is missed.
        less.as_mut().enable();
        if self.bytes.load(Ordering::Acquire) > 0 {
            less.await;
        }
    }
}

/// A part of an answer, counted for as long as it is somewhere in memory.
struct Counted {
    bytes: Bytes,
    unread: Arc<Unread>,
    backlog: Arc<Backlog>,
    client: IpAddr,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let length = self.bytes.len();
        self.unread.give_back(self.client, length);
        if self.backlog.bytes.fetch_sub(length, Ordering::AcqRel) == length {
            self.backlog.less.notify_waiters();
        }
    }
}

impl Unread {
    /// With room for so many bytes, of which one client may have half.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default() })
    }

    /// Whether there is so little room left that nobody may keep an answer waiting for long.
    pub(crate) fn is_pressed(&self) -> bool {
        self.lock().all > self.most / 2
    }

    /// What a client is answered that read so little of what it asked for that nothing more is made for it.
    pub(crate) fn refusal(&self, client: IpAddr) -> Option<Response> {
        let of_one = self.lock().of_one.get(&client).copied().unwrap_or_default();
        (of_one > self.most / 2 - self.most / 16).then(no_room)
    }

    /// The answer, counted if it is long; 503 when there is no room for it.
    pub(crate) fn count(
        self: &Arc<Self>,
        answer: Response,
        client: IpAddr,
        backlog: &Arc<Backlog>,
    ) -> Response {
        let length = answer.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let Some(length) = length.filter(|length| *length >= LONG) else { return answer };
        if !self.take(client, length) {
            return no_room();
        }
        backlog.bytes.fetch_add(length, Ordering::AcqRel);
        let (unread, backlog) = (Arc::clone(self), Arc::clone(backlog));
        let rest = Rest { left: length, unread, backlog, client };
        answer.map(|body| Body::new(body.map_frame(rest.counting())))
    }

    fn take(&self, client: IpAddr, length: usize) -> bool {
        let mut state = self.lock();
        let of_one = state.of_one.get(&client).copied().unwrap_or_default();
        // One answer that is longer than the bound is let through when nothing else waits.
        let fits = |taken: usize, most: usize| taken == 0 || taken.saturating_add(length) <= most;
        if !fits(state.all, self.most) || !fits(of_one, self.most / 2) {
            return false;
        }
        state.all += length;
        state.of_one.insert(client, of_one + length);
        true
    }

    fn give_back(&self, client: IpAddr, length: usize) {
        let mut state = self.lock();
        state.all = state.all.saturating_sub(length);
        if let Some(of_one) = state.of_one.get_mut(&client) {
            *of_one = of_one.saturating_sub(length);
            if *of_one == 0 {
                state.of_one.remove(&client);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of an answer was not taken from its body yet. It is given back with the body, if that is never read.
struct Rest {
    left: usize,
    unread: Arc<Unread>,
    backlog: Arc<Backlog>,
    client: IpAddr,
}

impl Rest {
    fn counting(mut self) -> impl FnMut(Frame<Bytes>) -> Frame<Bytes> + Send {
        move |frame| {
            frame.map_data(|bytes| {
                self.left = self.left.saturating_sub(bytes.len());
                let (unread, backlog) = (Arc::clone(&self.unread), Arc::clone(&self.backlog));
                Bytes::from_owner(Counted { bytes, unread, backlog, client: self.client })
            })
        }
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if self.left > 0 {
            self.unread.give_back(self.client, self.left);
            self.backlog.bytes.fetch_sub(self.left, Ordering::AcqRel);
            self.backlog.less.notify_waiters();
        }
    }
}

fn no_room() -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn answer(length: usize) -> Response {
        Response::new(Body::from(vec![b'x'; length]))
    }

    async fn read(answer: Response) -> Bytes {
        let mut body = answer.into_body();
        body.frame().await.unwrap().unwrap().into_data().unwrap()
    }

    #[tokio::test]
    async fn long_answers_are_counted_until_their_bytes_are_gone() {
        let (unread, backlog) = (Unread::new(400_000), Arc::<Backlog>::default());
        let count = |length, client| unread.count(answer(length), client, &backlog);
        let first = read(count(150_000, ONE)).await;
        assert_eq!(count(100_000, ONE).status(), 503, "one client has half of it");
        let second = count(200_000, TWO);
        assert!(unread.is_pressed());
        assert_eq!(
            (count(60_000, TWO).status(), count(40_000, ONE).status()),
            (StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK)
        );
        assert_eq!(count(1_000, ONE).status(), 200, "a short one is not counted");
        assert!(unread.refusal(TWO).is_some() && unread.refusal(ONE).is_none());
        assert_eq!(first.len(), 150_000);
        drop(first);
        assert_eq!(count(100_000, ONE).status(), 200);
        drop(second);
        assert_eq!(
            (unread.lock().all, backlog.bytes.load(Ordering::Relaxed)),
            (0, 0),
            "nothing read, nothing kept"
        );
        assert!(unread.lock().of_one.is_empty());
    }

    #[tokio::test]
    async fn the_next_request_waits_until_a_long_answer_has_gone() {
        use futures_util::FutureExt as _;
        let (unread, backlog) = (Unread::new(400_000), Arc::<Backlog>::default());
        assert_eq!(backlog.gone().now_or_never(), Some(()));
        let bytes = read(unread.count(answer(100_000), ONE, &backlog)).await;
        let waiting = backlog.gone();
        tokio::pin!(waiting);
        assert_eq!(waiting.as_mut().now_or_never(), None);
        drop(bytes);
        assert_eq!(waiting.now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn an_answer_longer_than_the_bound_goes_alone() {
        let (unread, backlog) = (Unread::new(100_000), Arc::<Backlog>::default());
        let long = unread.count(answer(300_000), ONE, &backlog);
        assert_eq!(long.status(), 200);
        assert_eq!(unread.count(answer(20_000), TWO, &backlog).status(), 503);
        drop(long);
        assert_eq!(unread.count(answer(20_000), TWO, &backlog).status(), 200);
    }
}
