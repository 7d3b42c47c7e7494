//! The one place that asks the system for the time.

#![expect(clippy::disallowed_methods, reason = "this is where the time is injected")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use didww_types::Timestamp;

/// The server's time. Clones share it; a test freezes and advances it.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Milliseconds to add to the system's time.
    ahead: i64,
    /// The time that stands still, in milliseconds since 1970.
    frozen: Option<i64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        Self(Arc::new(Inner { started: Instant::now(), state: Mutex::default() }))
    }

    /// What the server takes for now.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(millis(self.state()))
    }

    /// Stops the time, at an instant or where it is.
    pub fn freeze(&self, at: Option<Timestamp>) -> Timestamp {
        self.change(|state| state.frozen = Some(at.map_or_else(|| millis(*state), Timestamp::as_unix_millis)))
    }

    /// Lets the time run again, from where it is.
    pub fn resume(&self) -> Timestamp {
        self.change(|state| {
            if let Some(at) = state.frozen.take() {
                state.ahead = at - system_millis();
            }
        })
    }

    /// Moves the time forward, whether it runs or stands still.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.change(|state| match &mut state.frozen {
            Some(at) => *at = at.saturating_add(by),
            None => state.ahead = state.ahead.saturating_add(by),
        })
    }

    /// Whether the time stands still.
    pub fn is_frozen(&self) -> bool {
        self.state().frozen.is_some()
    }

    /// Real time since the server started, for measuring how long something took. It cannot be frozen.
    pub fn stopwatch(&self) -> Duration {
        self.0.started.elapsed()
    }

    fn state(&self) -> State {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Timestamp {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        Timestamp::from_unix_millis(millis(*state))
    }
}

fn millis(state: State) -> i64 {
    state.frozen.unwrap_or_else(|| system_millis().saturating_add(state.ahead))
}

fn system_millis() -> i64 {
    Timestamp::from(SystemTime::now()).as_unix_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_when_it_is_told_to() {
        let clock = Clock::system();
        let at = clock.freeze(Some(Timestamp::from_unix_millis(1_000)));
        assert_eq!(at.as_unix_millis(), 1_000);
        assert_eq!(clock.advance(Duration::from_hours(24)).as_unix_millis(), 86_401_000);
        assert_eq!(clock.now(), clock.now());
        let resumed = clock.resume();
        assert!(clock.now() >= resumed && resumed.as_unix_millis() >= 86_401_000);
    }

    #[test]
    fn clones_share_the_time() {
        let clock = Clock::system();
        let other = clock.clone();
        clock.freeze(Some(Timestamp::from_unix_millis(5)));
        assert_eq!(other.now().as_unix_millis(), 5);
    }
}
