//! Rules for writes to DIDWW and VoIPBIN resources, for admission of calls and for look-ups of prices, as pure
//! functions.
//!
//! Nothing in this crate does HTTP, SQL or SIP, reads a clock or draws random numbers. A decision takes all
//! its inputs as arguments and returns data, so that every rule can be tested without a server and explained
//! without placing a call.

pub mod carrier;
pub mod domain;
pub mod inbound;
pub mod outbound;
pub mod prices;
