//! One connection: HTTP/1.1 with deadlines that a slow or silent client cannot stretch.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Sleep;
use tower::ServiceExt as _;

use super::Door;
use super::seats::Seat;
use super::unread::{Backlog, Unread};
use service_base::forwarded::{Client, origin};

/// What a connection is served with.
pub(crate) struct Served {
    pub router: Router,
    pub seat: Arc<Seat>,
    pub unread: Arc<Unread>,
    pub peer: SocketAddr,
    pub door: Door,
}

/// Serves requests until the client goes, a deadline passes, or the server stops and nothing is in flight.
pub(crate) async fn serve_connection(
    stream: TcpStream,
    Served { router, seat, unread, peer, door }: Served,
    mut stop: watch::Receiver<bool>,
) {
    let limits = door.limits;
    // Answers are written whole; waiting to fill a packet only delays them.
    let _best_effort = stream.set_nodelay(true);
    let progress = Arc::new(Progress::default());
    let io = TokioIo::new(Timed {
        stream,
        progress: Arc::clone(&progress),
        heads: 0,
        in_head: false,
        head: Deadline::new(limits.header_deadline),
        write: Deadline::new(limits.idle_deadline.min(HURRIED)),
        waited: Duration::ZERO,
        longest: limits.idle_deadline,
        unread: Arc::clone(&unread),
    });
    let (seen, backlog) = (Arc::clone(&progress), Arc::<Backlog>::default());
    let service = tower::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let client = door.proxies.client(peer.ip(), request.headers());
        request.extensions_mut().insert(Client(client));
        let (router, progress, seat) = (router.clone(), Arc::clone(&seen), Arc::clone(&seat));
        let (unread, backlog, clock) = (Arc::clone(&unread), Arc::clone(&backlog), door.clock.clone());
        async move {
            progress.heads.fetch_add(1, Ordering::Relaxed);
            backlog.gone().await;
            if !seat.begin() {
                // It had to make room a moment ago, and is hung up on.
                return std::future::pending().await;
            }
            if let Some(refusal) = unread.refusal(origin(client)) {
                seat.end(clock.stopwatch());
                return Ok(refusal);
            }
            progress.busy.store(true, Ordering::Relaxed);
            let answer = router.oneshot(request).await;
            progress.busy.store(false, Ordering::Relaxed);
            seat.end(clock.stopwatch());
            answer.map(|answer| unread.count(answer, origin(client), &backlog))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Hyper counts the time between requests too; the time for a head alone is kept by `Timed`.
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
    // A head that is half sent would keep the connection open; nobody waits for an answer on it.
    if progress.busy.load(Ordering::Relaxed) || progress.unwritten.load(Ordering::Relaxed) {
        connection.as_mut().graceful_shutdown();
        if let Err(error) = connection.await {
            tracing::debug!(%peer, %error, "a connection ended while the server stopped");
        }
    }
}

/// What the service tells the stream below it.
#[derive(Default)]
struct Progress {
    /// Whether a request is being answered: then nothing is awaited from the client but its body.
    busy: AtomicBool,
    /// How many heads were complete.
    heads: AtomicU64,
    /// Whether some of an answer waits for the client to take it.
    unwritten: AtomicBool,
}

/// A stream that gives up on a client that sends its headers, or takes its answers, too slowly.
struct Timed {
    stream: TcpStream,
    progress: Arc<Progress>,
    /// How many heads were complete when last looked.
    heads: u64,
    /// Whether some of a head has come and the rest has not.
    in_head: bool,
    head: Deadline,
    /// A part of the time that an answer may stand unread: at its end it is looked whether there is more.
    write: Deadline,
    /// For how long nothing was taken.
    waited: Duration,
    longest: Duration,
    unread: Arc<Unread>,
}

/// How long an answer may stand unread when too much of the memory for answers is taken.
const HURRIED: Duration = Duration::from_secs(5);

/// A time span that begins when something is first waited for.
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

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let heads = this.progress.heads.load(Ordering::Relaxed);
        if heads != this.heads {
            this.heads = heads;
            this.in_head = false;
            this.head.clear();
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_ready() {
            let came = buffer.filled().len() > before;
            this.in_head |= came && !this.progress.busy.load(Ordering::Relaxed);
            return read;
        }
        // A head that comes in one piece never gets here, so it never costs a timer.
        if this.in_head {
            this.head.start();
            if this.head.passed(context) {
                return Poll::Ready(Err(timed_out()));
            }
        }
        Poll::Pending
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.watch(context, written)
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

impl Timed {
    fn watch(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.progress.unwritten.store(written.is_pending(), Ordering::Relaxed);
        if written.is_ready() {
            self.write.clear();
            self.waited = Duration::ZERO;
            return written;
        }
        self.write.start();
        while self.write.passed(context) {
            self.waited += self.write.span;
            if self.waited >= self.longest || self.unread.is_pressed() {
                return Poll::Ready(Err(timed_out()));
            }
            self.write.clear();
            self.write.start();
        }
        Poll::Pending
    }
}
