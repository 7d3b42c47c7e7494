//! Serves one HTTP/1.1 connection, with deadlines that a slow or silent client cannot extend.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use http::HeaderValue;
use http::header::CONNECTION;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use service_base::forwarded::{Client, origin};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Sleep;
use tower::ServiceExt as _;

use crate::connection_table::ConnectionState;
use crate::context::ListenerContext;
use crate::drain::UnreadBody;
use crate::request_counts::place_of;
use crate::unread_responses::{Backlog, UnreadResponses};

/// A connection's peer and its share of the listener's state.
pub(crate) struct ConnectionContext {
    pub router: Router,
    pub state: Arc<ConnectionState>,
    pub unread: Arc<UnreadResponses>,
    pub peer: SocketAddr,
    pub listener: ListenerContext,
}

/// Serves requests until the client disconnects or a deadline passes. When the server stops, a request in
/// progress is finished first.
pub(crate) async fn serve_connection(
    stream: TcpStream,
    ConnectionContext { router, state, unread, peer, listener }: ConnectionContext,
    mut stop: watch::Receiver<bool>,
) {
    let limits = listener.limits;
    // Responses are written as a whole, so waiting to fill a packet would only delay them.
    let _best_effort = stream.set_nodelay(true);
    let progress = Arc::new(Progress::default());
    let io = TokioIo::new(TimedStream {
        stream,
        progress: Arc::clone(&progress),
        heads_seen: 0,
        in_head: false,
        head: Deadline::new(limits.header_deadline),
        write: Deadline::new(limits.idle_deadline.min(SCARCE_WRITE_DEADLINE)),
        write_blocked: Duration::ZERO,
        max_write_blocked: limits.idle_deadline,
        unread: Arc::clone(&unread),
    });
    let (progress_of_stream, backlog) = (Arc::clone(&progress), Arc::<Backlog>::default());
    let service = tower::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let client = listener.proxies.client(peer.ip(), request.headers());
        request.extensions_mut().insert(Client(client));
        let (router, progress, state) = (router.clone(), Arc::clone(&progress_of_stream), Arc::clone(&state));
        let (unread, backlog, clock) = (Arc::clone(&unread), Arc::clone(&backlog), listener.clock.clone());
        let counted = listener.counts.as_ref().map(|counts| {
            (Arc::clone(counts), counts.route(request.uri().path()), place_of(request.method()))
        });
        async move {
            progress.heads.fetch_add(1, Ordering::Relaxed);
            backlog.written().await;
            if !state.start_request() {
                // The connection was chosen to make room, and its task is being aborted.
                return std::future::pending().await;
            }
            progress.busy.store(true, Ordering::Relaxed);
            let (request, unread_body) = UnreadBody::follow(request);
            let began = clock.stopwatch();
            let response = match unread.refusal(origin(client)) {
                Some(refusal) => {
                    // The request's body is followed from here on.
                    drop(request);
                    Ok(refusal)
                }
                None => router.oneshot(request).await,
            };
            // A client that has had its whole time for the body is not waited for again.
            let took = clock.stopwatch().saturating_sub(began);
            let is_late = took >= limits.body_deadline;
            if let (Some((counts, route, method)), Ok(response)) = (counted, &response) {
                counts.count(route, method, response.status(), took);
            }
            let is_at_end = unread_body.drain(is_late).await;
            progress.busy.store(false, Ordering::Relaxed);
            state.end_request(clock.stopwatch());
            response.map(|response| {
                let mut response = unread.count(response, origin(client), &backlog);
                if !is_at_end {
                    // A client with a pool of connections must not send its next request on this one.
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Hyper includes the time between requests. `TimedStream` enforces the deadline for the head alone.
        .header_read_timeout(limits.idle_deadline)
        .max_buf_size(limits.header_bytes.max(8192))
        .max_headers(limits.header_count)
        .serve_connection(io, TowerToHyperService::new(service));
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
    if progress.busy.load(Ordering::Relaxed) || progress.unwritten.load(Ordering::Relaxed) {
        connection.as_mut().graceful_shutdown();
        if let Err(error) = connection.await {
            tracing::debug!(%peer, %error, "a connection ended while the server stopped");
        }
    }
}

/// What a connection is doing, shared by the service and the stream below it.
#[derive(Default)]
struct Progress {
    /// Whether a request is being handled. Then the client may only send the request's body.
    busy: AtomicBool,
    /// The number of requests whose head was complete.
    heads: AtomicU64,
    /// Whether a part of a response cannot be written until the client reads.
    unwritten: AtomicBool,
}

/// A stream that fails if the client sends its headers, or reads its responses, too slowly.
struct TimedStream {
    stream: TcpStream,
    progress: Arc<Progress>,
    /// The number of complete heads at the last read.
    heads_seen: u64,
    /// Whether a part of a head has arrived.
    in_head: bool,
    head: Deadline,
    /// A part of the longest time in which writing can be blocked. At its end the stream fails if memory is
    /// scarce, and else starts the next part.
    write: Deadline,
    /// How long writing has been blocked already.
    write_blocked: Duration,
    max_write_blocked: Duration,
    unread: Arc<UnreadResponses>,
}

/// The longest time in which writing can be blocked while the memory for responses is scarce.
const SCARCE_WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// A time limit that starts with the first wait, so that a connection that never waits needs no timer.
struct Deadline {
    span: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn new(span: Duration) -> Self {
        Self { span, sleep: None }
    }

    fn start(&mut self) {
        if self.sleep.is_none() {
            self.sleep = Some(Box::pin(tokio::time::sleep(self.span)));
        }
    }

    fn clear(&mut self) {
        self.sleep = None;
    }

    fn passed(&mut self, context: &mut Context<'_>) -> bool {
        self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready())
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client was too slow")
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let heads = this.progress.heads.load(Ordering::Relaxed);
        if heads != this.heads_seen {
            this.heads_seen = heads;
            this.in_head = false;
            this.head.clear();
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_ready() {
            let has_data = buffer.filled().len() > before;
            this.in_head |= has_data && !this.progress.busy.load(Ordering::Relaxed);
            return read;
        }
        // A head that arrives in one piece never reaches this point, so it costs no timer.
        if this.in_head {
            this.head.start();
            if this.head.passed(context) {
                return Poll::Ready(Err(timed_out()));
            }
        }
        Poll::Pending
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.limit_blocking(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.limit_blocking(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl TimedStream {
    /// Fails a write that has been blocked for too long.
    fn limit_blocking(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.progress.unwritten.store(written.is_pending(), Ordering::Relaxed);
        if written.is_ready() {
            self.write.clear();
            self.write_blocked = Duration::ZERO;
            return written;
        }
        self.write.start();
        while self.write.passed(context) {
            self.write_blocked += self.write.span;
            if self.write_blocked >= self.max_write_blocked || self.unread.is_scarce() {
                return Poll::Ready(Err(timed_out()));
            }
            self.write.clear();
            self.write.start();
        }
        Poll::Pending
    }
}
