//! Building blocks of the workspace's network services: time, ids, and limits on the resources that peers can use.
//!
//! Sockets are read with a budget. Queues and tables have a maximum size, in total and for each client. Log
//! lines that a peer can cause repeatedly are limited, and the rest are counted. This crate does not depend on the
//! services and the storage that are built on it.

// Tests read single packets directly.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod awaited;
pub mod background;
pub mod boxed;
pub mod buckets;
pub mod clock;
pub mod descriptors;
pub mod fair_queue;
pub mod first_time;
pub mod forwarded;
pub mod guessing;
pub mod ids;
pub mod limiter;
pub mod log_limiter;
pub mod mailbox;
pub mod making_room;
pub mod net;
pub mod public_address;
pub mod rate;
pub mod recently_used;
pub mod slots;
pub mod trace;
mod unfrozen;
