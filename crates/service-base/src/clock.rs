//! The service's clock, which tests can freeze, advance and set. Only this file reads the system's time.

#![expect(clippy::disallowed_methods, reason = "this is where the time is injected")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use didww_types::Timestamp;
use tokio::sync::Notify;

/// The times to which the clock can be set, in milliseconds since 1970: the years 1970 to 8999. Records have
/// no earlier dates. Timestamps end before the year 10000: close to it, a later time would equal the current
/// one, and a task that waits for it would spin.
const SETTABLE_MILLIS: std::ops::Range<i64> = 0..221_845_392_000_000;

/// The longest uninterrupted sleep. After it the time is read again, in case the system's clock was set.
const MAX_SLEEP: Duration = Duration::from_mins(1);

/// The service's time. Clones share one state, so freezing or advancing one affects all.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    /// The system's time when the clock was created, in milliseconds since 1970.
    started_at: i64,
    /// Whether the state was ever changed. Until then the time is the system's, and reading it takes no lock, which
    /// every request of all threads would take twice.
    is_changed: AtomicBool,
    state: Mutex<State>,
    /// Wakes sleepers when the time is frozen, advanced or resumed.
    changed: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Milliseconds that are added to the system's time.
    offset: i64,
    /// While the clock is frozen: its time, in milliseconds since 1970.
    frozen: Option<i64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// Creates a clock that runs with the system's time.
    pub fn system() -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            started_at: system_millis(),
            is_changed: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// The current time of this clock, with a resolution of one millisecond.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(millis(self.state()))
    }

    /// Returns whether the clock can be set to a time, which must be in the years 1970 to 8999.
    pub fn can_be_set_to(at: Timestamp) -> bool {
        SETTABLE_MILLIS.contains(&at.as_unix_millis())
    }

    /// Freezes the clock at `at`, or at its current time, and returns the frozen time. A time outside the
    /// years 1970 to 8999 is clamped to them.
    pub fn freeze(&self, at: Option<Timestamp>) -> Timestamp {
        let at = at.map(|at| clamp_to_settable(at.as_unix_millis()));
        self.change(|state| state.frozen = Some(at.unwrap_or_else(|| millis(*state))))
    }

    /// Lets a frozen clock run on from its current time, and returns that time.
    pub fn resume(&self) -> Timestamp {
        self.change(|state| {
            if let Some(at) = state.frozen.take() {
                state.offset = at - system_millis();
            }
        })
    }

    /// Advances the clock, frozen or running, and returns the new time. It stops at the end of the year 8999.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.change(|state| {
            let now = millis(*state);
            let then = clamp_to_settable(now.saturating_add(by));
            match &mut state.frozen {
                Some(at) => *at = then,
                None => state.offset += then - now,
            }
        })
    }

    /// Returns whether the clock is frozen.
    pub fn is_frozen(&self) -> bool {
        self.state().frozen.is_some()
    }

    /// Returns whether the clock is frozen or runs with an offset to the system's time.
    pub fn is_set(&self) -> bool {
        let state = self.state();
        state.frozen.is_some() || state.offset != 0
    }

    /// The monotonic time since this clock was created, for measuring durations. Freezing and advancing the
    /// clock do not affect it.
    pub fn stopwatch(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// The system's time when this clock was created, since 1970. Freezing and advancing the clock do not affect it.
    pub fn started(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.started_at).unwrap_or_default())
    }

    /// Waits until the clock reaches a time, by running or by being advanced.
    pub async fn sleep_until(&self, at: Timestamp) {
        loop {
            // Made before the time is read, so that every later change wakes this task. A receiver of a channel would
            // make this future larger by a third, and each active call has one.
            let changed = self.0.changed.notified();
            let state = self.state();
            let left = at.as_unix_millis().saturating_sub(millis(state));
            let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else { return };
            let sleep =
                if state.frozen.is_some() { MAX_SLEEP } else { MAX_SLEEP.min(Duration::from_millis(left)) };
            let _woken = tokio::time::timeout(sleep, changed).await;
        }
    }

    /// Waits until the clock reads earlier than `at`, a time that it has reached before: until it was set
    /// back. A step of the system's clock is noticed within a minute.
    pub async fn set_back_before(&self, at: Timestamp) {
        loop {
            let changed = self.0.changed.notified();
            if self.now() < at {
                return;
            }
            let _woken = tokio::time::timeout(MAX_SLEEP, changed).await;
        }
    }

    fn state(&self) -> State {
        if !self.0.is_changed.load(Ordering::SeqCst) {
            return State::default();
        }
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Timestamp {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.is_changed.store(true, Ordering::SeqCst);
        change(&mut state);
        self.0.changed.notify_waiters();
        Timestamp::from_unix_millis(millis(*state))
    }
}

fn clamp_to_settable(at: i64) -> i64 {
    at.clamp(SETTABLE_MILLIS.start, SETTABLE_MILLIS.end - 1)
}

/// A monotonic stopwatch, for time limits on work. The [`Clock`] does not affect it.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts a stopwatch, which no setting of the clock affects.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// A stopwatch that was started this long ago.
    #[cfg(test)]
    pub(crate) fn started_ago(time: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_sub(time).unwrap_or(now))
    }

    /// When it was started, to compare it with an `Instant` of a library.
    pub fn started(self) -> Instant {
        self.0
    }

    /// The real time since [`start`](Self::start).
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

fn millis(state: State) -> i64 {
    state.frozen.unwrap_or_else(|| system_millis().saturating_add(state.offset))
}

fn system_millis() -> i64 {
    Timestamp::from(SystemTime::now()).as_unix_millis()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_when_it_is_advanced() {
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

    /// A change between the look at the time and the first wait would be missed by a waiter that is registered late.
    #[tokio::test]
    async fn sleepers_on_other_threads_miss_no_change() {
        let clock = Clock::system();
        let start = clock.freeze(None);
        let sleepers: Vec<_> = (1..=20)
            .map(|step| {
                let clock = clock.clone();
                tokio::task::spawn_blocking(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                    runtime.unwrap().block_on(clock.sleep_until(start.after(Duration::from_secs(step))));
                })
            })
            .collect();
        for _ in 0..20 {
            std::thread::yield_now();
            clock.advance(Duration::from_secs(1));
        }
        let all = futures_util::future::join_all(sleepers);
        let woken = tokio::time::timeout(MAX_SLEEP / 2, all).await.expect("no change is missed");
        assert!(woken.iter().all(Result::is_ok));
    }

    /// Each active call has one.
    #[tokio::test]
    async fn the_future_of_a_sleeper_is_small() {
        let clock = Clock::system();
        let size = size_of_val(&clock.sleep_until(clock.now()));
        assert!(size <= 256, "{size}");
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
    async fn the_time_stays_so_early_that_a_task_can_wait_for_a_later_one() {
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
    async fn a_task_that_waits_for_the_clock_to_be_set_back_wakes_then_and_not_before() {
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
