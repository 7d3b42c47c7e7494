//! Which entries of the rings are listed.

use std::net::IpAddr;

use didww_types::Timestamp;
use trunk_rules::carrier::Check;

use super::{AttemptEvent, AttemptOutcome};

/// Number of entries in a listing if the query has no limit.
const DEFAULT_LIMIT: usize = 100;
/// Maximum number of entries in a listing.
const MAX_LIMIT: usize = 10_000;

/// Selects entries of the rings of recent attempts. A member that is `None` selects all.
#[derive(Debug, Clone, Default)]
pub struct AttemptQuery {
    /// The `Call-ID`, which must be equal to the whole text.
    pub call_id: Option<String>,
    /// The source address, regardless of the port.
    pub source: Option<IpAddr>,
    /// The check that failed, which only refusals have.
    pub check: Option<Check>,
    /// The number of the disconnect cause.
    pub cause: Option<u16>,
    /// The id of the trunk.
    pub trunk: Option<uuid::Uuid>,
    /// The number of the account that owns the attempt.
    pub account: Option<i64>,
    /// What happened to the attempt, such as a refusal.
    pub outcome: Option<AttemptOutcome>,
    /// The earliest time of an entry, inclusive.
    pub since: Option<Timestamp>,
    /// The latest time of an entry, exclusive.
    pub until: Option<Timestamp>,
    /// Maximum number of entries, at most 10,000. `None` is 100.
    pub limit: Option<usize>,
}

impl AttemptQuery {
    /// Whether an entry is selected, regardless of the limit.
    pub fn matches(&self, event: &AttemptEvent) -> bool {
        self.call_id.as_ref().is_none_or(|call_id| event.call_id == *call_id)
            && self.source.is_none_or(|source| event.source.ip() == source.to_canonical())
            && self.check.is_none_or(|check| event.check == Some(check.name()))
            && self.cause.is_none_or(|cause| event.cause == Some(cause))
            && self
                .trunk
                .is_none_or(|trunk| event.trunk_id.as_deref().is_some_and(|id| id.parse() == Ok(trunk)))
            && self.account.is_none_or(|account| event.account == Some(account))
            && self.outcome.is_none_or(|outcome| event.outcome == outcome)
            && self.since.is_none_or(|since| event.time >= since)
            && self.until.is_none_or(|until| event.time < until)
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT)
    }
}
