//! Reads and discards the rest of a request's body.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;

/// The maximum number of bytes that are discarded, which is the default limit on a request's body. Beyond it
/// the connection is closed.
const MAX_BYTES: usize = 1 << 20;
/// The longest time in which bytes are discarded.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Reads and discards a body that the response does not depend on, up to 1 MiB and for up to a second.
///
/// A connection with an unread body is closed after the response. A client that is still sending would then
/// lose the connection before it reads the response, and a client that has already sent its next request
/// would receive no response to it.
pub async fn drain_body(mut body: Body) {
    // Most requests without a body end here.
    if body.is_end_stream() {
        return;
    }
    let drain = async {
        let mut left = MAX_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(length) else { return };
            left = rest;
        }
    };
    let _timed_out = tokio::time::timeout(TIMEOUT, drain).await;
}
