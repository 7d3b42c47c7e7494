//! The timer with which hyper ends an HTTP/1.1 connection on which no request arrives in time.
//!
//! Hyper requests a timer before each request, and drops it when the head has arrived. All timers of a connection share
//! one that is registered with the runtime, because registering and removing a timer takes a lock of the whole runtime.
//! If it expires too early, it is set to the later time: once in the time for which a connection may be idle.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;

type Shared = Mutex<Option<Pin<Box<tokio::time::Sleep>>>>;

/// Makes the timers of one connection, of which one is waited for at a time.
#[derive(Clone, Default)]
pub(crate) struct IdleTimer(Arc<Shared>);

/// A time that is waited for.
struct Deadline {
    at: Instant,
    timer: IdleTimer,
}

impl Timer for IdleTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline { at: deadline, timer: self.clone() })
    }

    fn now(&self) -> Instant {
        TokioTimer::new().now()
    }
}

impl Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let at = tokio::time::Instant::from_std(self.at);
        let mut shared = self.timer.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sleep = shared.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        ready!(sleep.as_mut().poll(context));
        // It was set for a request before.
        while sleep.deadline() < at {
            sleep.as_mut().reset(at);
            ready!(sleep.as_mut().poll(context));
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_timer_ends_at_its_own_time_whatever_the_one_before_waited_for() {
        let timer = IdleTimer::default();
        let waited = async |seconds| {
            let began = timer.now();
            timer.sleep(Duration::from_secs(seconds)).await;
            (timer.now() - began).as_secs()
        };
        assert_eq!(waited(10).await, 10);
        for (dropped, seconds) in [(10, 15), (60, 1), (5, 5)] {
            let mut before = timer.sleep(Duration::from_secs(dropped));
            assert!(before.as_mut().now_or_never().is_none());
            drop(before);
            assert_eq!(waited(seconds).await, seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_timers_of_many_requests_are_one_in_the_runtime() {
        let timer = IdleTimer::default();
        let registered_for = || timer.0.lock().unwrap().as_ref().map(|sleep| sleep.deadline());
        assert_eq!(registered_for(), None);
        let mut first = timer.sleep(Duration::from_mins(1));
        assert!(first.as_mut().now_or_never().is_none());
        drop(first);
        let registered = registered_for();
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(1)).await;
            let mut next = timer.sleep(Duration::from_mins(1));
            assert!(next.as_mut().now_or_never().is_none());
            assert_eq!(registered_for(), registered, "it is not set again");
        }
    }
}
