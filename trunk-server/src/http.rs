//! Everything before a rule is asked: the key, the version, the negotiation, the limits, the headers.
//!
//! The loops that clients feed, and their bounds: a body that is wanted (`Limits::body_bytes` within
//! `Limits::body_deadline`), and one that is not (1 MiB within a second, then the connection is given up).

mod api;
mod headers;
mod in_turn;
mod negotiate;
mod pass_over;
mod rate_limit;
mod request_id;
mod router;
mod state;

#[cfg(feature = "voipbin")]
pub(crate) use pass_over::pass_over;
pub(crate) use rate_limit::RateLimits;
pub(crate) use router::{api_router, health_router};

pub(crate) use headers::plain_json;
pub(crate) use state::Api;
