//! What every service of this kind is built from: time, ids, and what peers may take.
//!
//! Sockets are read with a budget, queues and tables have bounds by who fills them, and what a peer can repeat is
//! counted and summed up in the log. Nothing here knows what is served, or where anything is stored.

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod buckets;
pub mod clock;
pub mod descriptors;
pub mod ending;
pub mod forwarded;
pub mod guessing;
pub mod ids;
pub mod limiter;
pub mod mailbox;
pub mod net;
pub mod places;
pub mod public_address;
pub mod summed;
pub mod turns;
