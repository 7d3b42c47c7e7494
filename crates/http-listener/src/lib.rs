//! Serves HTTP on a listener, with deadlines and limits that apply before any handler runs.
//!
//! It also has the parts that every HTTP API of the server needs: health endpoints, request ids, reading and
//! draining bodies, responses for handlers that panic, preflights of web pages, rate limits, turns for requests, and
//! repetitions of requests with an idempotency key. It is independent of any API; each supplies a router and its own
//! errors.
//!
//! The work and the memory that a peer can cause are bounded:
//!
//! - connections, in total and of one address (`connection_table`): half-open ones are closed to make room
//!   for others, then those that wait for their client;
//! - the time for a TLS handshake (`handshake`), for the headers of a request and for writing its response
//!   (`timed_stream`);
//! - the streams and frames of one connection of HTTP/2 (`http2`);
//! - the bytes and the time of a body (`body`), and of the part of it that a handler leaves unread (`drain`);
//! - the bytes of responses that clients do not read (`unread_responses`);
//! - refused connections whose request is awaited (`refuse`): further ones are refused without waiting;
//! - requests with idempotency keys that run at once, and the responses that are kept (`idempotency`);
//! - requests that wait for a larger share of a limit that nodes share, and the requested shares (`shared_limiter`);
//! - failed accepts: each is followed by a delay of up to 200 ms.

// Tests read single packets directly.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod body;
mod connection;
mod connection_table;
mod context;
pub mod cors;
mod credential_headers;
mod drain;
mod exchange;
mod fair_limiter;
mod frames;
mod handler;
mod handshake;
mod health;
mod host;
mod http1;
mod http2;
pub mod idempotency;
mod idle_timer;
mod intercept;
mod json;
mod limits;
mod metered_stream;
mod rate_limit;
mod recovery;
mod refuse;
mod request_counts;
mod request_id;
mod serve;
pub mod shared_limiter;
mod span;
mod streams;
mod timed_stream;
mod unread_responses;

pub use axum::Router;
pub use axum::response::Response;
pub use body::{BodyError, BodyLimits, read_body};
pub use connection::OverTls;
pub use context::ListenerContext;
pub use credential_headers::missing_credential;
pub use exchange::{Exchange, Panicked};
pub use fair_limiter::{FairLimiter, Turn};
pub use handler::{Handler, Shortcut};
pub use handshake::PROTOCOLS;
pub use health::{HEALTH_PATHS, health_router};
pub use host::{host_of, named_authority, named_host};
pub use http2::{MAX_HELD_BYTES, MAX_STREAMS};
pub use intercept::{Abort, Intercept};
pub use json::{plain_json, plain_json_text};
pub use limits::Limits;
pub use rate_limit::{Budget, RateLimits};
pub use recovery::Recovery;
pub use request_counts::{DURATION_BOUNDS, RequestCounts, RouteCounts};
pub use request_id::{REQUEST_ID, RequestIds};
pub use serve::{MakeHandler, serve, serve_made};
pub use shared_limiter::SharedLimiter;
