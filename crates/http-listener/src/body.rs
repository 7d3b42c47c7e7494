//! Reads the body of a request, within the limits of its length and its time.

use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::drain;
use crate::limits::Limits;

/// The limits on the body of a request.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// The maximum number of bytes.
    pub max_bytes: usize,
    /// The longest time from the end of the headers to the end of the body.
    pub deadline: Duration,
}

impl Limits {
    /// The limits on the body of a request to the public API.
    pub fn body(&self) -> BodyLimits {
        BodyLimits { max_bytes: self.body_bytes, deadline: self.body_deadline }
    }
}

/// Why a body was not read. The rest of the body is discarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyError {
    /// It has more bytes than the limit.
    TooLong,
    /// It did not arrive within the deadline.
    TooSlow,
    /// It ended early, or breaks the rules of HTTP. The text states the cause.
    Broken(String),
}

/// Reads a whole body.
///
/// # Errors
/// If it is longer or slower than the limits, or incomplete.
pub async fn read_body(body: Body, limits: BodyLimits) -> Result<Bytes, BodyError> {
    // A stated length that is too long to be read and discarded is refused at once: the connection is closed in any
    // case.
    let stated = body.size_hint().lower();
    if stated > limits.max_bytes.saturating_add(drain::MAX_BYTES) as u64 {
        return Err(BodyError::TooLong);
    }
    let whole = whole(Limited::new(body, limits.max_bytes));
    match tokio::time::timeout(limits.deadline, whole).await {
        Ok(Ok(whole)) => Ok(whole),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLong),
        Ok(Err(error)) => Err(BodyError::Broken(error.to_string())),
        Err(_) => Err(BodyError::TooSlow),
    }
}

/// Reads a body to its end. Only one part of it is kept as it arrived, because a part takes more memory than its bytes,
/// and a client can send each byte as a part.
async fn whole(mut body: Limited<Body>) -> Result<Bytes, BoxError> {
    let (mut first, mut joined) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame?.into_data() else { continue };
        if first.is_empty() && joined.is_empty() {
            first = part;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&part);
        }
    }
    Ok(if joined.is_empty() { first } else { Bytes::from(joined) })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use futures_util::stream;
    use hyper::body::{Frame, SizeHint};

    use super::*;

    /// A body that states its length and of which nothing arrives.
    struct Stated(u64);

    impl HttpBody for Stated {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }

    /// A part of a body that counts how many parts are in memory.
    struct Counted(Arc<AtomicUsize>);

    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            b"x"
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    const LIMITS: BodyLimits = BodyLimits { max_bytes: 4, deadline: Duration::from_millis(5) };

    #[tokio::test]
    async fn a_body_within_its_limits_is_read_and_every_other_has_its_error() {
        assert_eq!(read_body(Body::from("four"), LIMITS).await, Ok(Bytes::from_static(b"four")));
        assert_eq!(read_body(Body::from("fives"), LIMITS).await, Err(BodyError::TooLong));
        let endless = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(read_body(endless, LIMITS).await, Err(BodyError::TooSlow));
        let cut_off = stream::iter([Ok(Bytes::from_static(b"fo")), Err(io::Error::other("cut off"))]);
        let error = read_body(Body::from_stream(cut_off), LIMITS).await.unwrap_err();
        assert!(matches!(&error, BodyError::Broken(cause) if cause.contains("cut off")), "{error:?}");
    }

    #[tokio::test]
    async fn a_body_of_many_parts_is_joined_and_its_parts_are_not_kept() {
        let (in_memory, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let highest = Arc::clone(&most);
        let parts = (0..1_000).map(move |_| {
            highest.fetch_max(in_memory.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from_owner(Counted(Arc::clone(&in_memory))))
        });
        let limits = BodyLimits { max_bytes: 1_000, deadline: Duration::from_mins(1) };
        let read = read_body(Body::from_stream(stream::iter(parts)), limits).await.unwrap();
        assert_eq!(read, "x".repeat(1_000));
        assert!(most.load(Ordering::Relaxed) <= 2, "{most:?}");
    }

    #[tokio::test]
    async fn a_stated_length_is_refused_before_anything_arrives_where_the_rest_could_not_be_discarded() {
        let longest_discarded = (LIMITS.max_bytes + drain::MAX_BYTES) as u64;
        let read = async |length| read_body(Body::new(Stated(length)), LIMITS).await;
        assert_eq!(read(longest_discarded).await, Err(BodyError::TooSlow), "it is waited for");
        assert_eq!(read(longest_discarded + 1).await, Err(BodyError::TooLong));
    }
}
