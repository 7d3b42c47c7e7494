//! Limits the records of refused attempts, so that a caller that is refused again and again does not fill the
//! disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;

const MINUTE_MILLIS: i64 = 60_000;

/// Counts the refusals of each trunk in the current minute. It is bounded by the trunks.
#[derive(Debug, Default)]
pub(crate) struct RefusalRecordLimit(Mutex<Recorded>);

#[derive(Debug, Default)]
struct Recorded {
    minute: i64,
    of_trunks: HashMap<Box<str>, u32>,
}

/// Whether a refusal is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordDecision {
    Recorded,
    /// It is not recorded, the first of its trunk in this minute.
    FirstOmitted,
    /// It is not recorded, like others of its trunk before it in this minute.
    Omitted,
}

impl RefusalRecordLimit {
    /// Counts a refusal of a trunk. The first `most` of each minute are recorded.
    pub(crate) fn count(&self, trunk: &str, limit: u32, now: Timestamp) -> RecordDecision {
        let minute = now.as_unix_millis().div_euclid(MINUTE_MILLIS);
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded.minute != minute {
            *recorded = Recorded { minute, of_trunks: HashMap::new() };
        }
        let count = match recorded.of_trunks.get_mut(trunk) {
            Some(count) => count,
            None => recorded.of_trunks.entry(trunk.into()).or_default(),
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
    fn each_trunk_has_so_many_each_minute() {
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
