//! The HTTP layer that the SDKs of this workspace share.
//!
//! A [`Channel`] sends a request and returns a complete response or a [`TransportError`]. It enforces a time
//! limit, a size limit and a rate limit, retries where that is safe, and records each request in a span. It does not
//! interpret statuses or bodies, and does not depend on a particular service. Headers, queries and bodies never reach
//! an error, a log or a span.

mod address;
mod builder;
mod channel;
mod clock;
mod endless;
mod exchange;
mod failure;
mod idempotency_key;
mod jitter;
mod limiter;
mod not_sent;
mod one_line;
mod renewal;
mod retry;
mod retry_after;
mod service;
mod settings;
mod span;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(not(feature = "rustls"))]
#[path = "no_tls.rs"]
mod tls;
mod transport;
mod unreadable;

pub use address::url_below;
pub use channel::{Answered, Body, Channel, Outgoing};
pub use clock::{Instant, now, sleep, within};
pub use endless::Endless;
pub use exchange::Exchange;
pub use failure::{TransportError, TransportKind};
pub use idempotency_key::{IdempotencyKey, InvalidKey};
pub use not_sent::NotSent;
pub use one_line::one_line;
pub use renewal::{Credential, Renewal};
pub use retry::{Backoff, Repeatable, RetryPolicy};
pub use service::Service;
pub use settings::{Rate, Settings, SetupError};
pub use span::SpanFields;
pub use unreadable::Unreadable;

/// Paths that the output of the macros refers to; not part of the public interface.
#[doc(hidden)]
pub mod macro_support {
    pub use reqwest;
    pub use tracing;
}
