//! The state of billing in memory. The code that acts on it and on the rest of the edge is in the files beside this
//! one.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use tokio::sync::Notify;

use super::failing_since::FailingSince;
use super::ledgers::Ledgers;
use super::row_queue::Rows;

/// The time for which a charge counts as spent.
pub(super) const SPENDING_WINDOW: Duration = Duration::from_hours(24);

/// The time from which the charges of ended calls count as spent.
pub(crate) fn spending_from(now: Timestamp) -> Timestamp {
    let window = i64::try_from(SPENDING_WINDOW.as_millis()).unwrap_or(0);
    Timestamp::from_unix_millis(now.as_unix_millis().saturating_sub(window))
}

/// Limit of records that wait for a store that takes no writes. Beyond it only emergency calls are admitted;
/// their records, which cost nothing, are not kept.
pub(super) const MAX_UNWRITTEN_RECORDS: usize = 65_536;

/// The spending of each trunk that has active calls or spent anything in the last 24 hours.
///
/// At most one task per trunk writes changes that its spending causes: calls that end together share one
/// write, and do not conflict with each other.
#[derive(Debug, Default)]
pub(crate) struct Billing {
    pub(super) ledgers: Mutex<Ledgers>,
    /// Notified when a write failed, or a trunk that must be blocked is found open.
    pub(super) write_failed: Notify,
    /// Notified when active calls must be metered now, ahead of the next tick.
    pub(super) meter_now: Notify,
    /// True while the metering task ticks; it sleeps while there are no active calls.
    pub(super) ticking: AtomicBool,
    pub(super) rows: Rows,
    /// The number of records of ended calls that failed to be written and are kept for another attempt.
    pub(super) unwritten: AtomicUsize,
    pub(super) store_failing: FailingSince,
}

impl Billing {
    /// The ledgers, with every write that was answered before this call.
    pub(super) fn lock(&self) -> MutexGuard<'_, Ledgers> {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.catch_up();
        ledgers
    }
}
