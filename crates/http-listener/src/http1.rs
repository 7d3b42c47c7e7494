//! Serves HTTP/1.1 on a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use http::HeaderValue;
use http::header::CONNECTION;
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use service_base::forwarded::{Client, origin};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::connection::{ConnectionContext, OverTls};
use crate::connection_table::ConnectionState;
use crate::context::ListenerContext;
use crate::drain::{BodyWaits, UnreadBody};
use crate::handler::Handler;
use crate::idle_timer::IdleTimer;
use crate::intercept::{Abort, Aborted};
use crate::request_counts::place_of;
use crate::span;
use crate::timed_stream::Progress;
use crate::unread_responses::{Backlog, UnreadResponses};

/// Serves requests until the client disconnects or a deadline passes. When the server stops, a request in
/// progress is finished first.
pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    progress: Arc<Progress>,
    ConnectionContext { handler, state, unread, peer, listener }: ConnectionContext,
    mut stop: watch::Receiver<bool>,
) {
    let limits = listener.limits;
    let shared = Arc::new(Shared {
        handler,
        state,
        unread,
        listener,
        progress: Arc::clone(&progress),
        backlog: Backlog::new(1),
    });
    // No service of tower: hyper would have to clone it for each request, with counters that all connections share.
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let shared = Arc::clone(&shared);
        let listener = &shared.listener;
        let client = listener.proxies.client(peer.ip(), request.headers());
        request.extensions_mut().insert(Client(client));
        if listener.tls.is_some() {
            request.extensions_mut().insert(OverTls);
        }
        let counts = listener.counts.as_ref();
        let counted = counts.map(|counts| (counts.route(request.uri().path()), place_of(request.method())));
        let span = span::begin(listener, &request);
        // Not in the future: hyper reads once more before it polls that, and the deadline of a head would be set for
        // the time after this one.
        shared.progress.heads.fetch_add(1, Ordering::Relaxed);
        shared.progress.busy.store(true, Ordering::Relaxed);
        async move {
            let Shared { handler, state, unread, listener, progress, backlog } = &*shared;
            let clock = &listener.clock;
            backlog.written().await;
            if !state.start_request() {
                // The connection was chosen to make room, and its task is being aborted.
                return std::future::pending().await;
            }
            let (request, unread_body) = UnreadBody::follow(request, &shared);
            let intercept = listener.intercept.as_ref().filter(|intercept| intercept.is_active());
            let began = clock.stopwatch();
            let response = if let Some(refusal) = unread.refusal(origin(client)) {
                // The request's body is followed from here on.
                drop(request);
                refusal
            } else if let Some(span) = &span {
                span::serve(span, intercept.cloned(), request, handler.clone()).await
            } else if let Some(intercept) = intercept {
                intercept.serve(request, handler).await
            } else {
                handler.serve(request).await
            };
            let mut ended = clock.stopwatch();
            let took = ended.saturating_sub(began);
            // A client that has had its whole time for the body is not waited for again.
            let is_late = took >= limits.body_deadline;
            if let (Some(counts), Some((route, method))) = (&listener.counts, counted) {
                counts.count(route, method, response.status(), took);
                if let Some(span) = span {
                    span::end(&span, response.status());
                }
            }
            let mut is_at_end = true;
            if !unread_body.is_none() {
                is_at_end = unread_body.drain(is_late).await;
                ended = clock.stopwatch();
            }
            progress.busy.store(false, Ordering::Relaxed);
            state.end_request(ended);
            if let Some(abort) = response.extensions().get::<Abort>() {
                progress.resets.store(*abort == Abort::Reset, Ordering::Relaxed);
                return Err(Aborted);
            }
            let mut response = follow_stream(unread.count(response, origin(client), backlog), progress);
            if !is_at_end {
                // A client with a pool of connections must not send its next request on this one.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(IdleTimer::default())
        // Hyper includes the time between requests. `TimedStream` enforces the deadline for the head alone.
        .header_read_timeout(limits.idle_deadline)
        .max_buf_size(limits.header_bytes.max(8192))
        .max_headers(limits.header_count)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        served = connection.as_mut() => {
            if let Err(error) = served {
                tracing::debug!(%peer, %error, "a connection ended");
            }
            return;
        }
        _ = stop.wait_for(|stop| *stop) => {}
    }
    // Without a response in progress the connection is dropped, because an incomplete head would keep it
    // open.
    let is_busy = progress.busy.load(Ordering::Relaxed) || progress.unwritten.load(Ordering::Relaxed);
    let is_streaming = progress.streaming.load(Ordering::Relaxed);
    if is_busy || is_streaming {
        connection.as_mut().graceful_shutdown();
        let longest = if is_busy { Duration::MAX } else { STREAM_END };
        match tokio::time::timeout(longest, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a connection ended while the server stopped"),
            Err(_) => tracing::debug!(%peer, "a stream was cut while the server stopped"),
        }
    }
}

/// The state that the requests of a connection share.
struct Shared {
    handler: Handler,
    state: Arc<ConnectionState>,
    unread: Arc<UnreadResponses>,
    listener: ListenerContext,
    progress: Arc<Progress>,
    backlog: Arc<Backlog>,
}

impl BodyWaits for Shared {
    fn begin_wait(&self) {
        self.state.await_body(self.listener.clock.stopwatch());
    }

    fn end_wait(&self) -> bool {
        self.state.resume()
    }
}

/// The time in which a stream that ends because the server stops has to be at its end.
const STREAM_END: Duration = Duration::from_secs(1);

/// Marks in the connection's progress that a response without a known length is being sent, until it ends.
fn follow_stream(response: Response, progress: &Arc<Progress>) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    let streaming = Streaming(Arc::clone(progress));
    progress.streaming.store(true, Ordering::Relaxed);
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held_until_the_end = &streaming;
            frame
        }))
    })
}

/// A stream that is being sent.
struct Streaming(Arc<Progress>);

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.streaming.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::sync::{Mutex, PoisonError};
    use std::task::{Context, Poll};

    use axum::Router;
    use futures_util::FutureExt as _;
    use tokio::io::ReadBuf;

    use super::*;

    /// A client that sends one request and then nothing. At each later read it notes the number of heads that count as
    /// complete, and whether a request is being handled.
    struct Client {
        to_send: &'static [u8],
        progress: Arc<Progress>,
        noted: Arc<Mutex<Vec<(u64, bool)>>>,
    }

    impl AsyncRead for Client {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let sent = std::mem::take(&mut self.to_send);
            if !sent.is_empty() {
                buffer.put_slice(sent);
                return Poll::Ready(Ok(()));
            }
            let (heads, busy) = (&self.progress.heads, &self.progress.busy);
            let now = (heads.load(Ordering::Relaxed), busy.load(Ordering::Relaxed));
            self.noted.lock().unwrap_or_else(PoisonError::into_inner).push(now);
            Poll::Pending
        }
    }

    impl AsyncWrite for Client {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_head_counts_as_complete_before_the_connection_is_read_again() {
        let (progress, noted) = (Arc::<Progress>::default(), Arc::<Mutex<Vec<(u64, bool)>>>::default());
        let client = Client {
            to_send: b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            progress: Arc::clone(&progress),
            noted: Arc::clone(&noted),
        };
        let context = ConnectionContext {
            handler: Router::new().fallback(async || "served").into(),
            state: Arc::default(),
            unread: UnreadResponses::new(1_000),
            peer: ([127, 0, 0, 1], 1).into(),
            listener: ListenerContext::plain(),
        };
        let (_stop, stopped) = watch::channel(false);
        assert_eq!(serve(client, Arc::clone(&progress), context, stopped).now_or_never(), None);
        let noted = noted.lock().unwrap();
        assert_eq!(noted.first(), Some(&(1, true)), "otherwise a deadline would be set for its head");
        assert_eq!(noted.last(), Some(&(1, false)), "it was answered");
    }
}
