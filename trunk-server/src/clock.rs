//! The one place that asks the system for the time.

#![expect(clippy::disallowed_methods, reason = "this is where the time is injected")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use didww_types::Timestamp;
use tokio::sync::watch;

/// Longest sleep at a stretch, so that a step of the system's clock is noticed.
const STRETCH: Duration = Duration::from_mins(1);

/// The server's time. Clones share it; a test freezes and advances it.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    state: Mutex<State>,
    /// Wakes sleepers when the time is frozen, advanced or let run again.
    changed: watch::Sender<()>,
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
        Self(Arc::new(Inner {
            started: Instant::now(),
            state: Mutex::default(),
            changed: watch::Sender::new(()),
        }))
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

    /// Waits until an instant has come, also when it comes because the time was advanced.
    pub async fn sleep_until(&self, at: Timestamp) {
        let mut changed = self.0.changed.subscribe();
        loop {
            // Marked as seen before the time is read: whoever changes it after that wakes this.
            changed.mark_unchanged();
            let state = self.state();
            let left = at.as_unix_millis().saturating_sub(millis(state));
            let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else { return };
            let stretch =
                if state.frozen.is_some() { STRETCH } else { STRETCH.min(Duration::from_millis(left)) };
            // Woken or not, the time is looked at again.
            let _woken = tokio::time::timeout(stretch, changed.changed()).await;
        }
    }

    fn state(&self) -> State {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Timestamp {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        self.0.changed.send_replace(());
        Timestamp::from_unix_millis(millis(*state))
    }
}

/// Real time since a moment, for what may only take so long. It can be neither frozen nor advanced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago it began.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
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
    use futures_util::FutureExt as _;

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

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_time_is_advanced_and_not_before() {
        let clock = Clock::system();
        let start = clock.freeze(None);
        let sleeper = clock.sleep_until(start.after(Duration::from_hours(48)));
        tokio::pin!(sleeper);
        assert_eq!(sleeper.as_mut().now_or_never(), None);
        clock.advance(Duration::from_hours(48) - Duration::from_millis(1));
        assert_eq!(sleeper.as_mut().now_or_never(), None);
        clock.advance(Duration::from_millis(1));
        sleeper.await;
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_a_frozen_time_runs_again() {
        let clock = Clock::system();
        let soon = clock.freeze(None).after(Duration::from_millis(3));
        let sleeper = clock.sleep_until(soon);
        tokio::pin!(sleeper);
        assert_eq!(sleeper.as_mut().now_or_never(), None);
        clock.resume();
        sleeper.await;
        assert!(clock.now() >= soon);
    }

    #[test]
    fn clones_share_the_time() {
        let clock = Clock::system();
        let other = clock.clone();
        clock.freeze(Some(Timestamp::from_unix_millis(5)));
        assert_eq!(other.now().as_unix_millis(), 5);
    }
}
