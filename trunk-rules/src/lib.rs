//! What resources permit and what trunks let through, as pure functions.
//!
//! Nothing here knows HTTP, SQL, SIP, a clock or random numbers. A decision gets all that it depends on as
//! arguments and gives back data, so that every rule can be tested without a server and explained without
//! placing a call.

pub mod carrier;
pub mod domain;
pub mod outbound;
