//! A TCP stream with deadlines that a slow or silent client cannot extend.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::limits::Limits;
use crate::unread_responses::UnreadResponses;

/// The progress of a connection, shared by the service and the stream below it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Whether a request is being handled. Then the client may only send the request's body.
    pub(crate) busy: AtomicBool,
    /// The number of requests whose head was complete.
    pub(crate) heads: AtomicU64,
    /// Whether a part of a response cannot be written until the client reads.
    pub(crate) unwritten: AtomicBool,
    /// Whether a response without a known length is being sent: a stream, which may last. Over HTTP/2, whether the
    /// client has not read all that was handed over.
    pub(crate) streaming: AtomicBool,
    /// Whether the connection is reset when it ends, instead of closed.
    pub(crate) resets: AtomicBool,
}

/// A stream that fails if the client sends its headers, or reads its responses, too slowly.
pub(crate) struct TimedStream {
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
pub(crate) const SCARCE_WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// A time limit that starts with the first wait, so that a connection that never waits needs no timer.
pub(crate) struct Deadline {
    span: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub(crate) fn new(span: Duration) -> Self {
        Self { span, sleep: None }
    }

    fn start(&mut self) {
        if self.sleep.is_none() {
            self.sleep = Some(Box::pin(tokio::time::sleep(self.span)));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.sleep = None;
    }

    fn passed(&mut self, context: &mut Context<'_>) -> bool {
        self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready())
    }

    /// The outcome of a read for which nothing has arrived: it fails if a part of a head has (`is_in_head`), and its
    /// time is over. A head that arrives in one piece never waits, so it costs no timer.
    pub(crate) fn limit_waiting(
        &mut self,
        is_in_head: bool,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if is_in_head {
            self.start();
            if self.passed(context) {
                return Poll::Ready(Err(timed_out()));
            }
        }
        Poll::Pending
    }
}

pub(crate) fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client was too slow")
}

impl Drop for TimedStream {
    fn drop(&mut self) {
        if self.progress.resets.load(Ordering::Relaxed) {
            // Where it cannot be set, the connection is closed instead.
            let _best_effort = self.stream.set_zero_linger();
        }
    }
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
        this.head.limit_waiting(this.in_head, context)
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
    pub(crate) fn new(
        stream: TcpStream,
        progress: Arc<Progress>,
        limits: &Limits,
        unread: Arc<UnreadResponses>,
    ) -> Self {
        Self {
            stream,
            progress,
            heads_seen: 0,
            in_head: false,
            head: Deadline::new(limits.header_deadline),
            write: Deadline::new(limits.idle_deadline.min(SCARCE_WRITE_DEADLINE)),
            write_blocked: Duration::ZERO,
            max_write_blocked: limits.idle_deadline,
            unread,
        }
    }

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
