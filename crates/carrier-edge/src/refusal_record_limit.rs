//! Limits the records of refused attempts, so that a caller that is refused again and again does not fill the
//! disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;

const MINUTE_MILLIS: i64 = 60_000;

/// Counts the refusals of each trunk in the current minute. It is bounded by the trunks.
#[derive(Debug, Default)]
pub(crate) struct RefusalRecordLimit(Mutex<Counts>);

/// The refusals of each trunk in a minute, which is counted from the Unix epoch.
#[derive(Debug, Default)]
struct Counts {
    minute: i64,
    by_trunk: HashMap<Box<str>, u32>,
}

/// Whether a refusal is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordDecision {
    /// It is recorded, being among the first of its trunk in this minute.
    Recorded,
    /// It is not recorded, the first of its trunk in this minute.
    FirstOmitted,
    /// It is not recorded, like others of its trunk before it in this minute.
    Omitted,
}

impl RefusalRecordLimit {
    /// Counts a refusal of a trunk. The first `limit` of each minute are recorded.
    pub(crate) fn count(&self, trunk: &str, limit: u32, now: Timestamp) -> RecordDecision {
        let minute = now.as_unix_millis().div_euclid(MINUTE_MILLIS);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.minute != minute {
            *counts = Counts { minute, by_trunk: HashMap::new() };
        }
        let count = match counts.by_trunk.get_mut(trunk) {
            Some(count) => count,
            None => counts.by_trunk.entry(trunk.into()).or_default(),
        };
        *count = count.saturating_add(1);
        match limit.checked_sub(*count) {
            Some(_) => RecordDecision::Recorded,
            None if *count == limit.saturating_add(1) => RecordDecision::FirstOmitted,
            None => RecordDecision::Omitted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trunk_has_its_limit_of_records_in_each_minute() {
        let limiter = RefusalRecordLimit::default();
        let count = |trunk, at| limiter.count(trunk, 2, Timestamp::from_unix_millis(at));
        assert_eq!([count("a", 0), count("a", 1)], [RecordDecision::Recorded; 2]);
        assert_eq!(
            [count("a", 59_999), count("a", 59_999)],
            [RecordDecision::FirstOmitted, RecordDecision::Omitted]
        );
        assert_eq!(count("b", 59_999), RecordDecision::Recorded);
        assert_eq!(count("a", 60_000), RecordDecision::Recorded);
        assert_eq!(limiter.count("c", 0, Timestamp::from_unix_millis(60_000)), RecordDecision::FirstOmitted);
    }
}
