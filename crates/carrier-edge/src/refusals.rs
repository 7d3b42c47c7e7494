//! How many refused attempts leave a record: a caller that is refused again and again must not fill the disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;

const MINUTE: i64 = 60_000;

/// What was recorded in the current minute.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Recorded>);

#[derive(Debug, Default)]
struct Recorded {
    minute: i64,
    of_trunks: HashMap<Box<str>, u32>,
}

/// Whether a refusal is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Recorded,
    /// It is the first of its trunk in this minute that is not.
    Full,
    /// There were others before.
    StillFull,
}

impl Refusals {
    /// Counts a refusal of a trunk; so many of each minute are recorded.
    pub(crate) fn count(&self, trunk: &str, most: u32, now: Timestamp) -> Room {
        let minute = now.as_unix_millis().div_euclid(MINUTE);
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded.minute != minute {
            *recorded = Recorded { minute, of_trunks: HashMap::new() };
        }
        let count = match recorded.of_trunks.get_mut(trunk) {
            Some(count) => count,
            None => recorded.of_trunks.entry(trunk.into()).or_default(),
        };
        *count = count.saturating_add(1);
        match most.checked_sub(*count) {
            Some(_) => Room::Recorded,
            None if *count == most.saturating_add(1) => Room::Full,
            None => Room::StillFull,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trunk_has_so_many_each_minute() {
        let refusals = Refusals::default();
        let count = |trunk, at| refusals.count(trunk, 2, Timestamp::from_unix_millis(at));
        assert_eq!([count("a", 0), count("a", 1)], [Room::Recorded; 2]);
        assert_eq!([count("a", 59_999), count("a", 59_999)], [Room::Full, Room::StillFull]);
        assert_eq!(count("b", 59_999), Room::Recorded);
        assert_eq!(count("a", 60_000), Room::Recorded);
        assert_eq!(refusals.count("c", 0, Timestamp::from_unix_millis(60_000)), Room::Full);
    }
}
