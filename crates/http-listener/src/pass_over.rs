//! What becomes of a body that no answer depends on.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;

/// Most bytes that are let go by before the connection is given up instead: what a request usually may bring.
const MOST: usize = 1 << 20;
/// Longest time that this may take.
const LONGEST: Duration = Duration::from_secs(1);

/// Lets a body go by. A connection with an unread body is closed after the answer: a client that is still sending is
/// cut off before it reads the answer, and one that sends its next request meanwhile is told nothing.
pub async fn pass_over(mut body: Body) {
    // So it is with almost every request that is asked for without one.
    if body.is_end_stream() {
        return;
    }
    let passing = async {
        let mut left = MOST;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(length) else { return };
            left = rest;
        }
    };
    let _given_up = tokio::time::timeout(LONGEST, passing).await;
}
