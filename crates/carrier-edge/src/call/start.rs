//! An admitted call before it runs, and the channels that it has.

use didww_types::Timestamp;
use service_core::channels::SharedChannel;
use trunk_rules::carrier::{Admitted, Channel};

use crate::calls::StopGuard;
use crate::merged_requests::Pending;
use crate::stack::Incoming;

/// The channels of a call: among those of its trunk that this node counts, and among those that all nodes share. A stop
/// waits for the call until it is registered, and for as long as it has them.
#[expect(dead_code, reason = "they are held, and given back when they are dropped")]
pub(crate) struct Channels<'a> {
    pub(crate) own: Channel,
    pub(crate) shared: Option<Box<SharedChannel>>,
    pub(crate) stop_guard: StopGuard<'a>,
}

/// An admitted call before it runs.
pub(crate) struct Start<'a> {
    pub(crate) request: Incoming,
    pub(crate) admitted: Box<Admitted>,
    pub(crate) channel: Channels<'a>,
    pub(crate) started: Timestamp,
    /// Its INVITE among the pending ones.
    pub(crate) pending: Pending<'a>,
}
