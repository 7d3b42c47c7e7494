//! The one place that asks the system for the time.

#![expect(clippy::disallowed_methods, reason = "this is where the time is injected")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use didww_types::Timestamp;
use tokio::sync::watch;

/// Where the time can be set to, in milliseconds since 1970: the years 1970 to 8999. Before it there are no dates of
/// records, and close to the year 10000 every later moment would be the same one, so that whoever waits for it spins.
const SETTABLE: std::ops::Range<i64> = 0..221_845_392_000_000;

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

    /// Whether the time can be set to an instant: one of the years 1970 to 8999.
    pub fn can_be_set_to(at: Timestamp) -> bool {
        SETTABLE.contains(&at.as_unix_millis())
    }

    /// Stops the time, at an instant or where it is. Instead of an instant that it cannot be set to it takes the
    /// nearest.
    pub fn freeze(&self, at: Option<Timestamp>) -> Timestamp {
        let at = at.map(|at| settable(at.as_unix_millis()));
        self.change(|state| state.frozen = Some(at.unwrap_or_else(|| millis(*state))))
    }

    /// Lets the time run again, from where it is.
    pub fn resume(&self) -> Timestamp {
        self.change(|state| {
            if let Some(at) = state.frozen.take() {
                state.ahead = at - system_millis();
            }
        })
    }

    /// Moves the time forward, whether it runs or stands still; to the end of the year 8999 at most.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.change(|state| {
            let now = millis(*state);
            let then = settable(now.saturating_add(by));
            match &mut state.frozen {
                Some(at) => *at = then,
                None => state.ahead += then - now,
            }
        })
    }

    /// Whether the time stands still.
    pub fn is_frozen(&self) -> bool {
        self.state().frozen.is_some()
    }

    /// Whether the time is another than the system's: it was frozen or advanced.
    pub fn is_set(&self) -> bool {
        let state = self.state();
        state.frozen.is_some() || state.ahead != 0
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

    /// Waits until it is earlier than an instant that was now once: until the time was set back, or the system's clock
    /// stepped back, which is noticed within a minute.
    pub async fn set_back_before(&self, at: Timestamp) {
        let mut changed = self.0.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if self.now() < at {
                return;
            }
            let _woken = tokio::time::timeout(STRETCH, changed.changed()).await;
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

fn settable(at: i64) -> i64 {
    at.clamp(SETTABLE.start, SETTABLE.end - 1)
}

/// Real time since a moment, for what may only take so long. It can be neither frozen nor advanced.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago it began.
    pub fn elapsed(self) -> Duration {
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

    #[tokio::test]
    async fn the_time_stays_where_there_is_a_later_moment_to_wait_for() {
        let clock = Clock::system();
        let far: Timestamp = "9999-12-31T23:59:59.999Z".parse().unwrap();
        for at in [Some(far), None] {
            let now = clock.freeze(at);
            assert!(Clock::can_be_set_to(now) && !Clock::can_be_set_to(far), "{now}");
            let now = clock.advance(Duration::from_hours(24 * 366 * 10_000));
            assert!(now < far, "{now}");
            assert_eq!(clock.sleep_until(now.after(Duration::from_millis(1))).now_or_never(), None);
        }
        clock.resume();
        clock.advance(Duration::MAX);
        assert!(clock.now() < far);
        let past = clock.freeze(Some("0000-01-01T00:00:00.000Z".parse().unwrap()));
        assert_eq!(past.as_unix_millis(), 0);
    }

    #[tokio::test]
    async fn who_waits_for_the_time_to_be_set_back_wakes_then_and_not_before() {
        let clock = Clock::system();
        let now = clock.freeze(None);
        let waiting = clock.set_back_before(now);
        tokio::pin!(waiting);
        assert_eq!(waiting.as_mut().now_or_never(), None);
        clock.advance(Duration::from_hours(1));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        clock.freeze(Some(Timestamp::from_unix_millis(now.as_unix_millis() - 1)));
        waiting.await;
    }

    #[test]
    fn clones_share_the_time() {
        let clock = Clock::system();
        let other = clock.clone();
        clock.freeze(Some(Timestamp::from_unix_millis(5)));
        assert_eq!(other.now().as_unix_millis(), 5);
    }
}
