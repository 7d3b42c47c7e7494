//! For tests of programs against the server: injected faults, and a journal of requests.
//!
//! A [`Lab`] is called by the public HTTP listeners for each request ([`http_listener::Intercept`]), by the sender of
//! callbacks, and by the carrier edge for each call that it admits. Without a fault and a journal, a request costs it
//! one load of a number, or two. Both are set over the control API, or by the test that a server runs in; the
//! composition root supplies everything else that the lab knows of the server ([`Surroundings`]).
//!
//! Faults and the journal are in the memory of one process. They take part in no transaction, and other nodes of the
//! database do not have them.
//!
//! Bounds: [`MAX_FAULTS`] faults; entries of the journal by number and bytes ([`journal`]); a delay of a minute
//! ([`MAX_DELAY_MS`]).

// Tests measure times that they made themselves.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod body;
mod call_fault;
mod dice;
mod expected;
mod fault;
mod faults;
mod handle;
mod intercept;
pub mod journal;
mod mask;
mod pattern;
mod selection;
mod surroundings;
mod verify;

pub use call_fault::{CallFault, PacketLoss};
pub use expected::Expected;
pub use fault::{Effect, Fault, FaultError, MAX_DELAY_MS, Target};
pub use faults::{FaultState, Faults, MAX_FAULTS};
pub use handle::{CallbackFate, Lab};
pub use journal::{Journal, JournalBody, JournalEntry};
pub use selection::{Followed, Selection};
pub use surroundings::Surroundings;
pub use verify::{Expectations, Found, MAX_EXPECTED, NearMiss, Report};
