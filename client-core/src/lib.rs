//! What lies between a typed request and the wire, once for every SDK of the workspace.
//!
//! A [`Channel`] takes a request and gives a whole answer or a [`TransportError`]: within its limits of time,
//! bytes and requests a second, repeated where that does no harm, and traced. It decides nothing about
//! statuses and bodies, and knows no service. No header, query or body reaches an error, a log or a span.

mod address;
mod channel;
mod clock;
mod exchange;
mod failure;
mod jitter;
mod limiter;
mod retry;
mod retry_after;
mod settings;
mod span;
mod tls;
mod transport;

pub use address::{base_url, url_below};
pub use channel::{Answered, Body, Channel, Outgoing};
pub use clock::now;
pub use exchange::Exchange;
pub use failure::{TransportError, TransportKind};
pub use retry::{Backoff, Repeatable, RetryPolicy};
pub use settings::{Settings, SetupError};
pub use span::SpanFields;

/// What the output of [`request_span!`] names; not part of the public interface.
#[doc(hidden)]
pub mod macro_support {
    pub use tracing;
}
