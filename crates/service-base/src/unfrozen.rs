//! The time of a clock that a tester can freeze, for limits that must not stand still with it.
//!
//! Limits count by the server's clock, so a tester reaches one without haste, and passes it by advancing the clock. But
//! a limit that stood still for as long as the clock would refuse every further client, even the one that would let
//! the clock run again. So real time in which the clock did not move is added, if it is a minute or more.

use std::time::Duration;

use crate::clock::Stopwatch;

/// The real time for which the clock may stand still before that time is added.
const PATIENCE: Duration = Duration::from_mins(1);

/// The time by which a limit counts.
#[derive(Debug)]
pub(crate) struct UnfrozenTime {
    /// What the clock showed at the last call, in microseconds, and a stopwatch from the first call at which it did.
    shown: Option<(i64, Stopwatch)>,
    /// Microseconds in which the clock stood still.
    added: i64,
}

impl UnfrozenTime {
    /// The time is the clock's until the clock stands still.
    pub(crate) const fn new() -> Self {
        Self { shown: None, added: 0 }
    }

    /// The time to count by while the clock shows `now`. Both are in microseconds since 1970.
    pub(crate) fn at(&mut self, now: i64) -> i64 {
        match self.shown {
            Some((shown, since)) if shown == now => {
                let stood_still = since.elapsed();
                if stood_still >= PATIENCE {
                    let micros = i64::try_from(stood_still.as_micros()).unwrap_or(i64::MAX);
                    self.added = self.added.saturating_add(micros);
                    self.shown = Some((now, Stopwatch::start()));
                }
            }
            _ => self.shown = Some((now, Stopwatch::start())),
        }
        now.saturating_add(self.added)
    }

    /// Pretends that the clock has shown the same for this time.
    #[cfg(test)]
    pub(crate) fn stand_still(&mut self, time: Duration) {
        if let Some((_, since)) = &mut self.shown {
            *since = Stopwatch::started_ago(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_minute_in_which_the_clock_stands_still_passes_and_less_does_not() {
        let mut time = UnfrozenTime::new();
        assert_eq!((time.at(5), time.at(5)), (5, 5));
        time.stand_still(Duration::from_secs(50));
        assert_eq!(time.at(5), 5);
        time.stand_still(Duration::from_mins(2));
        let later = time.at(5);
        assert!((120 * SECOND..130 * SECOND).contains(&later), "{later}");
        assert_eq!(time.at(5), later, "it is added once");
        assert_eq!(time.at(7), later + 2, "and kept when the clock moves");
        time.stand_still(Duration::from_secs(50));
        assert_eq!(time.at(8), later + 3, "a clock that moves does not stand still");
    }
}
