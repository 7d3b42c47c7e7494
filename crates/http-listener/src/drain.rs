//! Follows the body of a request: while its handler waits for it, and where its handler does not read it.
//!
//! While a body is awaited, its connection can be closed to make room for another one (`connection_table`). A handler
//! whose body arrives right then does not receive its end, and so does nothing of what was asked.
//!
//! The part of a body that a handler did not read is read and discarded. It is awaited meanwhile, too.
//! A connection with an unread body is closed after the response. A client that is still sending would then
//! lose the connection before it reads the response, and a client that has already sent its next request
//! would receive no response to it. So every body is followed here, whichever handler receives it, and no
//! handler has to.
//!
//! Bounds: 1 MiB and a second for each request, and nothing once the deadline of the body has passed. Beyond
//! them the connection is closed. It is also closed if the client waits for `100 Continue` before it sends a body that
//! no handler has read (RFC 9110 §10.1.1), because it must not be invited to send a refused body, and after a body that
//! breaks the rules of HTTP, because the beginning of the next request is unknown.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::Request;
use http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};

/// The maximum number of bytes that are discarded, which is the default limit on a request's body.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The longest time in which bytes are discarded.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A connection, on which it is noted while the body of one of its requests is awaited.
pub(crate) trait BodyWaits: Send + Sync {
    /// Notes that a body is awaited.
    fn begin_wait(&self);

    /// Notes that a body is awaited no longer. Returns false if the connection was closed to make room.
    fn end_wait(&self) -> bool;
}

/// Whether a body is awaited.
struct Wait {
    connection: Arc<dyn BodyWaits>,
    is_noted: bool,
}

impl Wait {
    fn begin(&mut self) {
        if !self.is_noted {
            self.is_noted = true;
            self.connection.begin_wait();
        }
    }

    fn end(&mut self) -> bool {
        !std::mem::take(&mut self.is_noted) || self.connection.end_wait()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let _is_open = self.end();
    }
}

/// Receives a body when its reader drops it.
type Slot<B> = Arc<Mutex<Option<Remainder<B>>>>;

/// The part of a body that its reader has not read.
struct Remainder<B> {
    body: B,
    /// True if the client waits for `100 Continue` before it sends the body.
    is_withheld: bool,
    /// True once reading failed. The data after it cannot be read either.
    is_broken: bool,
    wait: Wait,
}

/// The part of a request's body that a handler may leave unread. `None` for a request without a body.
pub(crate) struct UnreadBody<B>(Option<Slot<B>>);

/// A body that its reader returns to the listener by dropping it.
struct FollowedBody<B> {
    left: Option<Remainder<B>>,
    slot: Slot<B>,
}

impl<B> UnreadBody<B>
where
    B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + Unpin + 'static,
{
    /// Follows the body of a request on this connection.
    pub(crate) fn follow<C>(request: Request<B>, connection: &Arc<C>) -> (Request<Body>, Self)
    where
        C: BodyWaits + 'static,
    {
        // Most requests have no body, and an empty one of axum takes no memory.
        if request.body().is_end_stream() {
            return (request.map(|_| Body::empty()), Self(None));
        }
        let slot = Slot::default();
        let returned = Arc::clone(&slot);
        let is_withheld = request.headers().contains_key(EXPECT);
        let wait = Wait { connection: Arc::clone(connection) as Arc<dyn BodyWaits>, is_noted: false };
        let followed =
            |body| FollowedBody { left: Some(Remainder { body, is_withheld, is_broken: false, wait }), slot };
        (request.map(|body| Body::new(followed(body))), Self(Some(returned)))
    }

    /// Whether the request has no body.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Reads and discards the rest, up to 1 MiB and for up to a second. A body that the handler still holds
    /// is left alone, and so is one whose deadline has passed (`is_late`). Returns false if the client may have more to
    /// send, or if the body is broken: the connection cannot be used again.
    pub(crate) async fn drain(self, is_late: bool) -> bool {
        let returned = self.0.and_then(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner).take());
        let Some(Remainder { mut body, is_withheld, is_broken, mut wait }) = returned else { return true };
        if is_broken {
            return false;
        }
        if is_withheld || is_late {
            return body.is_end_stream();
        }
        let drain = async {
            let mut left = MAX_BYTES;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                let length = frame.data_ref().map_or(0, Bytes::len);
                let Some(rest) = left.checked_sub(length) else { return false };
                left = rest;
            }
            true
        };
        // A client could keep its connection in use with bodies that nothing reads, too.
        wait.begin();
        // In a box, because the future of every request has room for this one, and few leave a body.
        Box::pin(tokio::time::timeout(TIMEOUT, drain)).await.unwrap_or(false)
    }
}

impl<B: HttpBody + Unpin> HttpBody for FollowedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Some(left) = self.get_mut().left.as_mut() else { return Poll::Ready(None) };
        // Polling a body makes the server send `100 Continue`.
        left.is_withheld = false;
        let polled = Pin::new(&mut left.body).poll_frame(context);
        left.is_broken |= matches!(polled, Poll::Ready(Some(Err(_))));
        let is_over = match &polled {
            Poll::Pending => {
                left.wait.begin();
                false
            }
            // It is awaited until its end, so that a client cannot begin anew with each byte.
            Poll::Ready(Some(Ok(_))) => left.body.is_end_stream(),
            Poll::Ready(_) => true,
        };
        if is_over && !left.wait.end() {
            // The connection was chosen to make room, and its task is being aborted.
            return Poll::Pending;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.left.as_ref().is_none_or(|left| left.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.left.as_ref().map_or_else(|| SizeHint::with_exact(0), |left| left.body.size_hint())
    }
}

impl<B> Drop for FollowedBody<B> {
    fn drop(&mut self) {
        let mut left = self.left.take();
        if let Some(left) = &mut left {
            // A connection that was closed to make room sends no response.
            let _is_open = left.wait.end();
        }
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use futures_util::FutureExt as _;
    use http_body_util::Full;

    /// Counts the bodies that are awaited.
    #[derive(Default)]
    struct Connection {
        awaited: AtomicUsize,
        is_closed: AtomicBool,
    }

    impl BodyWaits for Connection {
        fn begin_wait(&self) {
            self.awaited.fetch_add(1, Ordering::Relaxed);
        }

        fn end_wait(&self) -> bool {
            self.awaited.fetch_sub(1, Ordering::Relaxed);
            !self.is_closed.load(Ordering::Relaxed)
        }
    }

    /// The parts of a body that have arrived; `None` is its end.
    #[derive(Clone, Default)]
    struct Arriving(Arc<Mutex<VecDeque<Option<&'static str>>>>);

    impl HttpBody for Arriving {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.lock().unwrap().pop_front() {
                Some(part) => Poll::Ready(part.map(|part| Ok(Frame::data(part.into())))),
                None => Poll::Pending,
            }
        }
    }

    #[tokio::test]
    async fn a_body_is_awaited_from_its_first_delay_to_its_end_which_a_closed_connection_keeps_back() {
        let connection = Arc::<Connection>::default();
        let awaited = || connection.awaited.load(Ordering::Relaxed);
        let arriving = Arriving::default();
        let arrives = |part| arriving.0.lock().unwrap().push_back(part);
        let follow = || UnreadBody::follow(Request::new(arriving.clone()), &connection).0.into_body();

        let mut body = follow();
        arrives(Some("at once"));
        assert!(body.frame().now_or_never().is_some());
        assert_eq!(awaited(), 0);
        for part in ["b", "y", "t", "e"] {
            assert!(body.frame().now_or_never().is_none());
            assert_eq!(awaited(), 1);
            arrives(Some(part));
            assert!(body.frame().now_or_never().is_some());
            assert_eq!(awaited(), 1, "a byte is no end");
        }
        arrives(None);
        assert!(matches!(body.frame().now_or_never(), Some(None)));
        assert_eq!(awaited(), 0);

        let mut body = follow();
        assert!(body.frame().now_or_never().is_none());
        drop(body);
        assert_eq!(awaited(), 0, "its handler does not wait for it");

        let (request, unread) = UnreadBody::follow(Request::new(arriving.clone()), &connection);
        drop(request);
        let mut drain = Box::pin(unread.drain(false));
        assert!((&mut drain).now_or_never().is_none());
        assert_eq!(awaited(), 1, "it is awaited where it is not read");
        arrives(None);
        assert!(drain.await);
        assert_eq!(awaited(), 0);

        let mut body = follow();
        assert!(body.frame().now_or_never().is_none());
        connection.is_closed.store(true, Ordering::Relaxed);
        arrives(None);
        assert!(body.frame().now_or_never().is_none(), "its handler does nothing any more");
    }

    fn follow<B>(request: Request<B>) -> (Request<Body>, UnreadBody<B>)
    where
        B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + Unpin + 'static,
    {
        UnreadBody::follow(request, &Arc::<Connection>::default())
    }

    #[tokio::test]
    async fn what_a_handler_leaves_unread_is_read_and_what_it_read_is_not_read_again() {
        let body = || Full::new(Bytes::from_static(b"some bytes"));
        let (request, unread) = follow(Request::new(body()));
        assert_eq!(request.body().size_hint().exact(), Some(10));
        drop(request);
        let slot = unread.0.clone().unwrap();
        assert!(slot.lock().unwrap().is_some());
        assert!(unread.drain(false).await);
        assert!(slot.lock().unwrap().is_none());

        let (request, unread) = follow(Request::new(body()));
        let read = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(read, "some bytes");
        assert!(unread.0.clone().unwrap().lock().unwrap().as_ref().unwrap().body.is_end_stream());
        assert!(unread.drain(false).await);

        let mut withheld = Request::new(body());
        withheld.headers_mut().insert(EXPECT, http::HeaderValue::from_static("100-continue"));
        let (request, unread) = follow(withheld);
        drop(request);
        let slot = unread.0.clone().unwrap();
        slot.lock().unwrap().as_mut().unwrap().body = Full::new(Bytes::from_static(b"not sent"));
        assert!(!unread.drain(false).await, "the client was not asked for it");

        let (request, unread) = follow(Request::new(body()));
        drop(request);
        assert!(!unread.drain(true).await, "the client has had its time");

        let (_, unread) = follow(Request::new(Full::new(Bytes::new())));
        assert!(unread.0.is_none(), "a request without a body costs nothing");
    }

    #[tokio::test]
    async fn nothing_is_read_after_a_broken_body() {
        use futures_util::stream;
        use http_body_util::StreamBody;
        let broken = || {
            let frames = [Ok(Frame::data(Bytes::from_static(b"so"))), Err(std::io::Error::other("broken"))];
            StreamBody::new(stream::iter(frames))
        };
        let (request, unread) = follow(Request::new(broken()));
        drop(request);
        assert!(!unread.drain(false).await, "it breaks while it is discarded");

        let (request, unread) = follow(Request::new(broken()));
        assert!(request.into_body().collect().await.is_err());
        assert!(!unread.drain(false).await, "it broke while it was read");
    }
}
