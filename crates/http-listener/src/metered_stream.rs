//! The decrypted stream of an HTTP/2 client, which fails if its frames exceed a limit or its headers take too long, and
//! reports when the client reads its responses.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use service_base::clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::frames::{FrameMeter, SentData};
use crate::handshake::TlsStream;
use crate::limits::Limits;
use crate::streams::Streams;
use crate::timed_stream::Deadline;

pub(crate) struct MeteredStream {
    stream: TlsStream,
    meter: FrameMeter,
    sent: SentData,
    /// The streams of the connection, to which the client's reading is reported.
    streams: Arc<Streams>,
    clock: Clock,
    /// The time for the headers of a request.
    head: Deadline,
}

impl MeteredStream {
    pub(crate) fn new(stream: TlsStream, limits: &Limits, clock: Clock, streams: Arc<Streams>) -> Self {
        let meter = FrameMeter::new(limits.header_bytes.saturating_mul(2));
        let head = Deadline::new(limits.header_deadline);
        Self { stream, meter, sent: SentData::default(), streams, clock, head }
    }

    /// Follows the bytes that were written of these slices.
    fn follow(&mut self, slices: &[io::IoSlice<'_>], written: &Poll<io::Result<usize>>) {
        let Poll::Ready(Ok(mut left)) = *written else { return };
        for slice in slices {
            let bytes = slice.get(..left.min(slice.len())).unwrap_or_default();
            left -= bytes.len();
            if self.sent.write(bytes) {
                self.streams.note_read();
            }
        }
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
        this.head.limit_waiting(this.meter.is_in_headers(), context)
    }
}

impl AsyncWrite for MeteredStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.follow(&[io::IoSlice::new(bytes)], &written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.follow(slices, &written);
        written
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
