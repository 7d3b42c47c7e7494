//! Delivers events over HTTP: the blocking and unblocking of trunks and the status of orders to their callback URLs,
//! and the progress of calls to customers' webhooks.
//!
//! The transaction that changes a trunk, an order or a call also stores the event (the rules of trunks, `service-core`
//! for types that declare [a status at which one is sent](field@didww_types::ResourceSpec::callback_on), and
//! [`Webhook::event`] make it), so there is no event without its change and no change without its event. One task of
//! the server, [`run`], sends the events that are due: signed, at least once, in order for each trunk and call,
//! repeated after failures up to the last attempt, and across restarts. A customer's events have a maximum age and a
//! maximum number; beyond these the oldest are dropped. The differences between the forms of events are in one table
//! (`policy`). For all of them, connections to addresses that are not on the public internet are refused (`egress`),
//! also after a redirect.
//!
//! The bounds on the work that receivers can cause: simultaneous attempts ([`Settings::parallel`], and for one owner
//! [`Settings::parallel_per_owner`]), each with a deadline for all of its steps; redirects (a number of the
//! policy); a response's body (4 KiB are read); a host's addresses (one look-up for each connection, and 8
//! addresses are tried). Events are read from the store 1,024 at a time.

// Tests read single packets directly.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod batch;
mod egress;
mod lease;
mod policy;
mod request;
mod resolve;
mod schedule;
mod send;
mod settings;
mod span;
mod webhook;
mod worker;

pub use resolve::{Lookup, Resolver, SystemResolver};
pub use settings::Settings;
pub use webhook::Webhook;
pub use worker::run;
