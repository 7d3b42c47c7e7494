//! What comes for a call that is up.

use didww_types::Timestamp;
use trunk_rules::carrier::Cause;

use super::stack::{Acknowledgement, Incoming};

/// What comes for a call that is up.
pub(crate) enum Event {
    /// The caller hung up, and was told that this is well. Nothing comes after it.
    HungUp,
    /// Another request in its dialog.
    Request(Box<Incoming>),
    /// An ACK that must bring the answer to an offer of ours.
    Answer(Option<Acknowledgement>),
    /// It is ended from our side.
    End,
    /// It is ended from our side, for this cause.
    EndFor(Cause),
    /// Nothing pays for it any more after this moment; none takes that back.
    PaidUntil(Option<Timestamp>),
}

/// Events that wait for a call. A peer that floods its own call loses the rest.
pub(crate) const MOST: usize = 16;
