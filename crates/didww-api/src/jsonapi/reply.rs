//! The response to a request that succeeded.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

/// The media type of responses that the service does not mark as JSON:API documents.
pub(crate) const JSON: &str = "application/json";

/// The response to a request that succeeded, or the replayed one to a request that is repeated, without its headers.
#[derive(Debug)]
pub(crate) struct Reply {
    /// A 2xx status; of a replayed response, any below 500.
    pub status: StatusCode,
    /// The JSON:API document; empty for 204.
    pub body: Bytes,
    /// The media type of the body; `None` is that of the API.
    pub content_type: Option<&'static str>,
    /// True for the response to an earlier request with the same idempotency key.
    pub replayed: bool,
    /// The entity tag of the body, if it is known already.
    pub tag: Option<HeaderValue>,
}

impl Reply {
    pub(super) fn document(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), content_type: None, replayed: false, tag: None }
    }

    /// 200 without a body of its own.
    pub(crate) fn empty() -> Self {
        Self { status: StatusCode::OK, body: Bytes::new(), content_type: None, replayed: false, tag: None }
    }

    pub(super) fn no_content() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: Bytes::new(),
            content_type: None,
            replayed: false,
            tag: None,
        }
    }
}
