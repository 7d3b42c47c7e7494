//! Calls that come in to DIDs: the server places them to the inbound trunks that the DIDs are routed to.
//!
//! The control API represents the telephone network: a request there simulates a caller who dials a DID. This crate
//! finds the DID and its trunks, lets `trunk-rules` decide, sends a real INVITE to one trunk after the other, follows
//! the call, and keeps a record of it with each attempt and its reason. It is independent of the carrier edge, and
//! handles neither SIP nor media itself: `sip-dialler` does, which sends silence.
//!
//! The hosts of trunks are chosen by customers, so that calls are sent to public addresses alone, unless the
//! configuration permits others. No call and no socket exists before the first call is placed.
//!
//! Bounds: live calls in all and of each account ([`InboundConfig`]); the trunks of a group (10), each of which is
//! tried once, at no more than four addresses; attempts in a record ([`MAX_ATTEMPTS`]); and the duration of a call.
//! These limits are counted on each node for itself, capacities on all nodes together. A call counts until it has
//! ended, not until its end is written.

mod call;
mod capacity_place;
mod config;
mod inbound_calls;
mod live_calls;
mod other_nodes;
mod record;
mod request;
mod route;
mod shared;
mod span;
mod stored;

pub use config::InboundConfig;
pub use inbound_calls::{InboundCalls, InboundError};
pub use record::{InboundAttempt, InboundCall, InboundStatus, MAX_ATTEMPTS};
pub use request::{InboundQuery, NewInboundCall};
pub use sip_dialler::{DiallerError, MessageLog};
