//! The endings that several phases of a call share.

use trunk_rules::carrier::{Cause, reason_phrase};

use crate::ending_sentence::HUNG_UP;
use crate::hung_up_by::HungUpBy;
use crate::record::Ending;

pub(super) const CANCELLED: Ending = Ending::new(487, 487, "Request terminated (Cancel)", HungUpBy::Caller);

/// The ordinary ending of an answered call.
pub(super) const fn hung_up(by: HungUpBy) -> Ending {
    Ending::new(200, 200, HUNG_UP, by)
}

/// The ending with the number, code and text of a cause: a time limit, or a decision of the edge.
pub(super) const fn ending(cause: Cause) -> Ending {
    let by = match cause {
        Cause::RtpTimeout | Cause::NoAck | Cause::SessionTimeout | Cause::RingingTimeout => HungUpBy::Timer,
        _ => HungUpBy::Server,
    };
    Ending::new(cause.id(), cause.code(), cause.text(), by)
}

/// The ending of a call that the simulated far end refuses with this code.
pub(super) fn refused_by_far_end(code: u16) -> Ending {
    let known =
        [Cause::Forbidden, Cause::BusyHere, Cause::Decline].into_iter().find(|cause| cause.code() == code);
    Ending::new(known.map_or(code, Cause::id), code, reason_phrase(code), HungUpBy::FarEnd)
}
