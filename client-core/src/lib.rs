//! What lies between a typed request and the wire, once for every SDK of the workspace.
//!
//! A [`Channel`] takes a request and gives a whole answer or a [`TransportError`]: within its limits of time,
//! bytes and requests a second, repeated where that does no harm, and traced. It decides nothing about
//! statuses and bodies, and knows no service. No header, query or body reaches an error, a log or a span.

mod address;
mod builder;
mod channel;
mod clock;
mod endless;
mod exchange;
mod failure;
mod jitter;
mod limiter;
mod not_sent;
mod retry;
mod retry_after;
mod service;
mod settings;
mod span;
mod tls;
mod transport;
mod unreadable;

pub use address::url_below;
pub use channel::{Answered, Body, Channel, Outgoing};
pub use clock::now;
pub use endless::Endless;
pub use exchange::Exchange;
pub use failure::{TransportError, TransportKind};
pub use not_sent::NotSent;
pub use retry::{Backoff, Repeatable, RetryPolicy};
pub use service::Service;
pub use settings::{Rate, Settings, SetupError};
pub use span::SpanFields;
pub use unreadable::Unreadable;

/// What the output of the macros names; not part of the public interface.
#[doc(hidden)]
pub mod macro_support {
    pub use reqwest;
    pub use tracing;
}
