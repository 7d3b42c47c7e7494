//! Tells trunks' callback URLs that a trunk was blocked or unblocked, and customers' webhooks what became of calls.
//!
//! An event is written in the transaction of the change it tells of (`trunk_event` and [`Webhook::event`] make it),
//! so there is no event without its change and no change without its event. One task of the server sends what is
//! due: signed, at least once, in order for each trunk and call, again after failures until the last attempt, across
//! restarts. A customer's events do not wait for ever, nor in any number: what is too old or too much is dropped, from
//! the oldest on. What the two forms differ in stands in one table (`policy`). Whatever the form, it refuses to connect to
//! any address that is not of the public internet, also when a redirect leads there.
//!
//! The loops that receivers feed, and their bounds: attempts under way (`parallel`, of one owner `parallel_per_owner`),
//! each with a deadline over everything; redirects (the policy's number); an answer's body (4 kB are read); a host's
//! addresses (8 are tried; a look-up is one of an attempt). Events are read from the store 1,024 at a time.

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod batch;
mod event;
mod guard;
mod policy;
mod request;
mod resolve;
mod schedule;
mod send;
mod webhook;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

pub use event::trunk_event;
pub use resolve::{Lookup, Resolver, SystemResolver};
pub use webhook::Webhook;
pub use worker::run;

/// How callbacks are made. The defaults are what DIDWW documents, where it does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Whether 127.0.0.0/8 and `::1` may be called, on every port. Only for tests and development: whoever has
    /// an API key can reach every service of this machine then.
    pub allow_loopback: bool,
    /// Whether blocking and unblocking by hand is told too. DIDWW documents the threshold alone.
    pub on_manual_block: bool,
    /// Longest time for a trunk's callback, from the look-up of the host to the answer's status; documented as 60
    /// seconds.
    pub timeout: Duration,
    /// The same for a webhook, redirects included; known to be 30 seconds.
    pub webhook_timeout: Duration,
    /// What the documented waits between attempts are multiplied with.
    pub retry_clock_factor: Decimal,
    /// Most requests at once.
    pub parallel: usize,
    /// Most requests at once for one account or customer, so that its hanging receivers hold up nobody else.
    pub parallel_per_owner: usize,
    /// Most events of one customer that wait to be told; zero is no bound. Beyond it the oldest are dropped.
    pub webhooks_waiting: u64,
    /// Longest time for which a customer's event waits; zero is no bound. One that is older is dropped.
    pub webhook_age: Duration,
    /// Who knows hosts' addresses.
    pub resolver: Arc<dyn Resolver>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_loopback: false,
            on_manual_block: false,
            timeout: Duration::from_mins(1),
            webhook_timeout: Duration::from_secs(30),
            retry_clock_factor: Decimal::ONE,
            parallel: 64,
            parallel_per_owner: 16,
            webhooks_waiting: 100_000,
            webhook_age: Duration::from_hours(24),
            resolver: Arc::new(SystemResolver),
        }
    }
}
