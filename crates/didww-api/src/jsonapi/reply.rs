//! The response to a request that succeeded.

use bytes::Bytes;
use http::StatusCode;

/// The response to a request that succeeded, or the replayed one to a request that is repeated, without its headers.
#[derive(Debug)]
pub(crate) struct Reply {
    /// A 2xx status; of a replayed response, any below 500.
    pub status: StatusCode,
    /// The JSON:API document; empty for 204.
    pub body: Bytes,
    /// True for the response to an earlier request with the same idempotency key.
    pub replayed: bool,
}

impl Reply {
    pub(super) fn document(status: StatusCode, body: String) -> Self {
        Self { status, body: Bytes::from(body), replayed: false }
    }

    pub(super) fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Bytes::new(), replayed: false }
    }
}
