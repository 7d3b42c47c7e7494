//! Rules of calls that come in to DIDs.
//!
//! [`admits`] decides whether a DID takes a call, [`order()`] in which order the trunks of its group are tried,
//! [`destination()`] determines the address of a trunk's call, [`caller_number`] the form of the caller's number there,
//! [`caller_country`] its country, [`next`] whether another trunk follows an attempt, and [`Ending`] the end in the
//! record. Nothing here does SIP, has a store or draws random numbers.

mod admission;
mod caller;
mod destination;
mod ending;
mod order;
mod rerouting;

pub use admission::{Limited, Refused, admits};
pub use caller::{caller_country, caller_number};
pub use destination::{Destination, Unreachable, destination};
pub use ending::{Ending, Initiator};
pub use order::{Rank, in_order, order};
pub use rerouting::{AttemptEnd, Next, next};
