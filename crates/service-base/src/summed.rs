//! Log lines that a peer can cause: the first ones are written, the others counted, and their number is written once a
//! minute.
//!
//! A line for each packet of a flood fills the disk and hides what matters. It keeps 64 keys a minute and nothing of a
//! line itself; it refuses to write, for the line's own fields are its caller's.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;

/// Lines about one key that are usually written in a minute.
const OF_ONE_KEY: u8 = 3;
/// Lines that are usually written in a minute.
const IN_ALL: u32 = 20;
/// Keys that are told apart in a minute; the lines of others are only counted.
const KEYS: usize = 64;

const MINUTE: i64 = 60_000;

/// One kind of line.
#[derive(Debug)]
pub struct Summed {
    what: &'static str,
    in_all: u32,
    minute: Mutex<Minute>,
}

#[derive(Debug)]
struct Minute {
    began: i64,
    written: u32,
    more: u64,
    keys: Vec<(u64, u8)>,
}

impl Summed {
    /// `what` names the kind in the line that sums up.
    pub const fn new(what: &'static str) -> Self {
        Self::of(what, IN_ALL)
    }

    /// A kind of which one line a minute is written, whoever it is about.
    pub const fn once(what: &'static str) -> Self {
        Self::of(what, 1)
    }

    const fn of(what: &'static str, in_all: u32) -> Self {
        let minute = Minute { began: i64::MIN, written: 0, more: 0, keys: Vec::new() };
        Self { what, in_all, minute: Mutex::new(minute) }
    }

    /// Whether a line about a key is written now. When it is not, it is counted.
    pub fn admits(&self, key: impl Hash, now: Timestamp) -> bool {
        let (written, over) = self.count(&key, now);
        self.write(over);
        written
    }

    /// Writes the sum of a minute that is over. The next line does it too, if one comes.
    pub fn sum_up(&self, now: Timestamp) {
        let over = self.lock().turn(now);
        self.write(over);
    }

    fn count(&self, key: &impl Hash, now: Timestamp) -> (bool, u64) {
        let key = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let mut minute = self.lock();
        let over = minute.turn(now);
        if minute.began == i64::MIN {
            minute.began = now.as_unix_millis();
        }
        let written = minute.written < self.in_all && minute.take(key);
        if written {
            minute.written += 1;
        } else {
            minute.more = minute.more.saturating_add(1);
        }
        (written, over)
    }

    fn write(&self, more: u64) {
        if more > 0 {
            tracing::warn!(more, "{}: so many more in the last minute", self.what);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Minute> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    /// Begins anew when the minute is over, also when the clock went back behind its begin; returns how many lines it did
    /// not write.
    fn turn(&mut self, now: Timestamp) -> u64 {
        let now = now.as_unix_millis();
        if self.began == i64::MIN || (self.began..self.began.saturating_add(MINUTE)).contains(&now) {
            return 0;
        }
        self.began = i64::MIN;
        self.written = 0;
        self.keys.clear();
        std::mem::take(&mut self.more)
    }

    /// Whether the key has a line left.
    fn take(&mut self, key: u64) -> bool {
        if let Some((_, lines)) = self.keys.iter_mut().find(|(known, _)| *known == key) {
            *lines = lines.saturating_add(1);
            return *lines <= OF_ONE_KEY;
        }
        let has_room = self.keys.len() < KEYS;
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
    fn a_key_has_three_lines_a_minute_and_the_rest_is_one_number() {
        let summed = Summed::new("refused");
        let written = (0..1_000).filter(|_| summed.admits("a", at(0))).count();
        assert_eq!(written, 3);
        assert!(summed.admits("b", at(1)), "another key has lines of its own");
        assert_eq!(summed.count(&"a", at(59)), (false, 0));
        assert_eq!(summed.count(&"a", at(60)), (true, 998), "what was not written is counted");
        assert_eq!(summed.lock().turn(at(61)), 0);
    }

    #[test]
    fn ten_thousand_keys_write_twenty_lines_and_take_no_more_room() {
        let summed = Summed::new("refused");
        let written = (0..10_000).filter(|key| summed.admits(key, at(0))).count();
        assert_eq!(written, 20);
        assert!(summed.lock().keys.len() <= KEYS);
        assert_eq!(summed.lock().turn(at(60)), 9_980);
    }

    #[test]
    fn one_line_a_minute_is_one_line() {
        let summed = Summed::once("refused");
        assert_eq!((0..1_000).filter(|key| summed.admits(key, at(0))).count(), 1);
        assert!(summed.admits(0, at(60)));
    }

    #[test]
    fn a_clock_that_goes_back_begins_a_new_minute() {
        let summed = Summed::new("refused");
        assert_eq!((0..9).filter(|_| summed.admits("a", at(3_600))).count(), 3);
        assert!(summed.admits("a", at(0)));
    }
}
