//! Limits log lines that a peer can cause: the first of a minute are written, and the others are counted.
//!
//! One line for each packet of a flood would fill the disk and hide important lines. The caller writes its
//! own line when [`LogLimiter::admits`] permits it; this module only writes the number of suppressed lines, once
//! a minute. It keeps 64 keys a minute, and no part of any line. A minute of real time ends a minute also while the
//! clock is frozen (`unfrozen`).

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;

use crate::unfrozen::UnfrozenTime;

/// How many lines of one kind are written in a minute.
#[derive(Debug, Clone, Copy)]
struct LineLimits {
    /// The maximum number of all lines.
    lines: u32,
    /// The maximum number of lines about one key.
    lines_per_key: u8,
    /// The maximum number of keys that have lines. Lines about further keys are only counted.
    keys: usize,
}

/// The limits of lines about unexpected events, for [`LogLimiter::new`].
const LIMITS: LineLimits = LineLimits { lines: 20, lines_per_key: 3, keys: 64 };
/// The limits of lines about ordinary traffic, for [`LogLimiter::routine`].
const ROUTINE_LIMITS: LineLimits = LineLimits { lines: 600, lines_per_key: 120, keys: 128 };

const MINUTE_MICROS: i64 = 60_000_000;

/// The limit on one kind of log line.
#[derive(Debug)]
pub struct LogLimiter {
    what: &'static str,
    limits: LineLimits,
    minute: Mutex<Minute>,
}

#[derive(Debug)]
struct Minute {
    time: UnfrozenTime,
    /// When its first line was admitted or suppressed, in microseconds since 1970; `i64::MIN` before that.
    began: i64,
    written: u32,
    suppressed: u64,
    /// The hash of each key, and its number of lines.
    keys: Vec<(u64, u8)>,
}

impl LogLimiter {
    /// Admits 20 lines a minute, 3 of them about one key. `what` names the kind of line in the summary, such
    /// as "connections were refused".
    pub const fn new(what: &'static str) -> Self {
        Self::with_limits(what, LIMITS)
    }

    /// Admits 600 lines a minute, 120 of them about one key: for the ordinary events of known peers. `what` names the
    /// kind of line in the summary.
    pub const fn routine(what: &'static str) -> Self {
        Self::with_limits(what, ROUTINE_LIMITS)
    }

    /// Admits one line a minute, whatever its key. `what` names the kind of line in the summary.
    pub const fn once(what: &'static str) -> Self {
        Self::with_limits(what, LineLimits { lines: 1, ..LIMITS })
    }

    const fn with_limits(what: &'static str, limits: LineLimits) -> Self {
        let time = UnfrozenTime::new();
        let minute = Minute { time, began: i64::MIN, written: 0, suppressed: 0, keys: Vec::new() };
        Self { what, limits, minute: Mutex::new(minute) }
    }

    /// Returns whether the caller may write a line about a key now. If not, the line is counted as
    /// suppressed.
    pub fn admits(&self, key: impl Hash, now: Timestamp) -> bool {
        let (admitted, suppressed) = self.count(&key, now);
        self.write_summary(suppressed);
        admitted
    }

    /// Writes the summary of a minute that has ended, if it suppressed any lines. [`admits`](Self::admits)
    /// does so as well, but only when it is called.
    pub fn write_due_summary(&self, now: Timestamp) {
        let suppressed = self.lock().end_if_over(now);
        self.write_summary(suppressed);
    }

    fn count(&self, key: &impl Hash, now: Timestamp) -> (bool, u64) {
        let key = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let mut minute = self.lock();
        let now = minute.time.at(now.as_unix_micros());
        let suppressed = minute.end_if_over_at(now);
        if minute.began == i64::MIN {
            minute.began = now;
        }
        let admitted = minute.written < self.limits.lines && minute.take(key, self.limits);
        if admitted {
            minute.written += 1;
        } else {
            minute.suppressed = minute.suppressed.saturating_add(1);
        }
        (admitted, suppressed)
    }

    fn write_summary(&self, suppressed: u64) {
        if suppressed > 0 {
            tracing::warn!(suppressed, "{}: further lines in the last minute were not logged", self.what);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Minute> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    /// Starts a new minute if this one has ended, or if the clock stepped back before its start. Returns the
    /// number of lines that the ended minute suppressed.
    fn end_if_over(&mut self, now: Timestamp) -> u64 {
        let now = self.time.at(now.as_unix_micros());
        self.end_if_over_at(now)
    }

    fn end_if_over_at(&mut self, now: i64) -> u64 {
        if self.began == i64::MIN || (self.began..self.began.saturating_add(MINUTE_MICROS)).contains(&now) {
            return 0;
        }
        self.began = i64::MIN;
        self.written = 0;
        self.keys.clear();
        std::mem::take(&mut self.suppressed)
    }

    /// Takes a line of a key, and returns whether it had one left.
    fn take(&mut self, key: u64, limits: LineLimits) -> bool {
        if let Some((_, lines)) = self.keys.iter_mut().find(|(hash, _)| *hash == key) {
            *lines = lines.saturating_add(1);
            return *lines <= limits.lines_per_key;
        }
        let has_room = self.keys.len() < limits.keys;
        if has_room {
            self.keys.push((key, 1));
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1_000)
    }

    #[test]
    fn a_key_has_three_lines_a_minute_and_the_rest_is_counted() {
        let summed = LogLimiter::new("refused");
        let written = (0..1_000).filter(|_| summed.admits("a", at(0))).count();
        assert_eq!(written, 3);
        assert!(summed.admits("b", at(1)), "another key has lines of its own");
        assert_eq!(summed.count(&"a", at(59)), (false, 0));
        assert_eq!(summed.count(&"a", at(60)), (true, 998), "what was not written is counted");
        assert_eq!(summed.lock().end_if_over(at(61)), 0);
    }

    #[test]
    fn ten_thousand_keys_have_twenty_lines_and_bounded_memory() {
        let summed = LogLimiter::new("refused");
        let written = (0..10_000).filter(|key| summed.admits(key, at(0))).count();
        assert_eq!(written, 20);
        assert!(summed.lock().keys.len() <= LIMITS.keys);
        assert_eq!(summed.lock().end_if_over(at(60)), 9_980);
    }

    #[test]
    fn ordinary_events_have_more_lines_of_each_key_and_a_bound_too() {
        let summed = LogLimiter::routine("admitted");
        assert_eq!((0..1_000).filter(|_| summed.admits("a", at(0))).count(), 120);
        assert_eq!((0..10_000).filter(|key| summed.admits(key % 200, at(0))).count(), 480);
        assert!(summed.lock().keys.len() <= ROUTINE_LIMITS.keys);
    }

    #[test]
    fn one_line_a_minute_is_admitted_for_all_keys() {
        let summed = LogLimiter::once("refused");
        assert_eq!((0..1_000).filter(|key| summed.admits(key, at(0))).count(), 1);
        assert!(summed.admits(0, at(60)));
    }

    #[test]
    fn a_clock_that_steps_back_starts_a_new_minute() {
        let summed = LogLimiter::new("refused");
        assert_eq!((0..9).filter(|_| summed.admits("a", at(3_600))).count(), 3);
        assert!(summed.admits("a", at(0)));
    }

    #[test]
    fn a_minute_ends_while_a_tester_has_frozen_the_clock() {
        let summed = LogLimiter::new("refused");
        assert_eq!((0..9).filter(|_| summed.admits("a", at(0))).count(), 3);
        summed.lock().time.stand_still(std::time::Duration::from_mins(1));
        assert_eq!(summed.count(&"a", at(0)), (true, 6));
    }
}
