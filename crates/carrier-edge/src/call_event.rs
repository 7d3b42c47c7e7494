//! The events that an active call receives through its mailbox.

use std::convert::Infallible;

use didww_types::Timestamp;
use tokio::sync::oneshot;
use trunk_rules::carrier::Cause;

use super::hung_up_by::HungUpBy;
use super::stack::Incoming;

/// An event for an active call.
pub(crate) enum CallEvent {
    /// The caller sent BYE. It is the last event of a call. The BYE is answered when this is dropped.
    HungUp(PendingBye),
    /// Another request in the call's dialog.
    Request(Box<Incoming>),
    /// The edge ends the call: the operator asked for it, or the server stops.
    End(HungUpBy),
    /// The edge ends the call with this cause.
    EndFor(Cause),
    /// The call must end at this time, up to which its trunk's threshold allowed it to be charged. `None`
    /// lifts the limit.
    PaidUntil(Option<Timestamp>),
}

/// A BYE whose answer waits until this is dropped. The call keeps it until its row or its record in the store states
/// that the call must be charged. So a call whose BYE was answered is charged even if the server is killed right after:
/// for its whole duration if its record was written, otherwise up to the last step (`cost_step`).
pub(crate) type PendingBye = oneshot::Sender<Infallible>;

/// Limit of queued events for one call. Further requests of a peer that floods its own call are answered
/// with 481.
pub(crate) const MAX_QUEUED_EVENTS: u32 = 16;
