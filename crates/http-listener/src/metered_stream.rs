//! The decrypted stream of an HTTP/2 client, which fails if its frames exceed a limit or its headers take too long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use service_base::clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::frames::FrameMeter;
use crate::handshake::TlsStream;
use crate::limits::Limits;
use crate::timed_stream::{Deadline, timed_out};

pub(crate) struct MeteredStream {
    stream: TlsStream,
    meter: FrameMeter,
    clock: Clock,
    /// The time for the headers of a request.
    head: Deadline,
}

impl MeteredStream {
    pub(crate) fn new(stream: TlsStream, limits: &Limits, clock: Clock) -> Self {
        let meter = FrameMeter::new(limits.header_bytes.saturating_mul(2));
        Self { stream, meter, clock, head: Deadline::new(limits.header_deadline) }
    }
}

impl AsyncRead for MeteredStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_ready() {
            let bytes = buffer.filled().get(before..).unwrap_or_default();
            let now = i64::try_from(this.clock.stopwatch().as_millis()).unwrap_or(i64::MAX);
            if let Err(excess) = this.meter.read(bytes, now) {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, excess)));
            }
            if !this.meter.is_in_headers() {
                this.head.clear();
            }
            return read;
        }
        // Headers that arrive in one piece never reach this point, so they cost no timer.
        if this.meter.is_in_headers() {
            this.head.start();
            if this.head.passed(context) {
                return Poll::Ready(Err(timed_out()));
            }
        }
        Poll::Pending
    }
}

impl AsyncWrite for MeteredStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
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
