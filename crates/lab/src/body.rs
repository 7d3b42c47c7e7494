//! Response bodies that are sent in pieces, or cut short.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::Sleep;

/// The pause before and after the bytes that are sent of a cut body. Without it, these bytes would still be in the
/// connection's buffer when the connection ends, and the client would receive nothing.
const FLUSH: Duration = Duration::from_millis(20);

/// The error that ends a body which a fault cut.
#[derive(Debug, thiserror::Error)]
#[error("a fault cut the body")]
struct Cut;

/// A body that is sent in pieces, with a pause before each.
struct Pieces {
    rest: Bytes,
    piece: usize,
    pause: Duration,
    /// Bytes that are announced and never sent.
    missing: u64,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Cut>>> {
        let this = &mut *self;
        if let Some(waiting) = this.waiting.as_mut() {
            if waiting.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.waiting = None;
        }
        if this.rest.is_empty() {
            return Poll::Ready((this.missing > 0).then_some(Err(Cut)));
        }
        let piece = this.rest.split_to(this.piece.min(this.rest.len()));
        if !this.rest.is_empty() || this.missing > 0 {
            this.waiting = Some(Box::pin(tokio::time::sleep(this.pause)));
        }
        Poll::Ready(Some(Ok(http_body::Frame::data(piece))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.missing.saturating_add(self.rest.len() as u64))
    }
}

/// Sends a body in pieces of this many bytes, each after a pause.
pub(crate) async fn slow(body: Body, bytes: usize, pause: Duration) -> Body {
    let rest = whole(body).await;
    let waiting = Some(Box::pin(tokio::time::sleep(pause)));
    Body::new(Pieces { rest, piece: bytes.max(1), pause, missing: 0, waiting })
}

/// Cuts a body after this many bytes. A shorter body is not changed.
pub(crate) async fn cut(body: Body, bytes: usize) -> Body {
    let mut rest = whole(body).await;
    let missing = rest.len().saturating_sub(bytes) as u64;
    rest.truncate(bytes);
    let waiting = Some(Box::pin(tokio::time::sleep(FLUSH)));
    Body::new(Pieces { rest, piece: usize::MAX, pause: FLUSH, missing, waiting })
}

/// The bytes of an answer, which its API made in memory.
async fn whole(body: Body) -> Bytes {
    body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_whole_and_comes_in_pieces() {
        let mut body = slow(Body::from("abcde"), 2, Duration::from_millis(10)).await;
        assert_eq!(body.size_hint().exact(), Some(5));
        let began = tokio::time::Instant::now();
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(pieces, ["ab", "cd", "e"]);
        assert!(began.elapsed() >= Duration::from_millis(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_body_announces_all_and_fails_after_some() {
        let mut body = cut(Body::from("abcde"), 2).await;
        assert_eq!(body.size_hint().exact(), Some(5));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
        assert!(body.frame().await.unwrap().is_err());
        for bytes in [5, 6] {
            let body = cut(Body::from("abcde"), bytes).await;
            assert_eq!(body.collect().await.unwrap().to_bytes(), "abcde");
        }
        let mut nothing = cut(Body::from("abcde"), 0).await;
        assert!(nothing.frame().await.unwrap().is_err());
    }
}
