//! How many requests a client sends in a second.
//!
//! The service counts requests of a key in a second. A plain token bucket lets up to twice its rate through
//! in the second after a pause; here a request waits until the one `rate` before it is a second old, so that
//! no second ever holds more than `rate`, and a burst after a pause still goes at once.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::clock;

const WINDOW: Duration = Duration::from_secs(1);

/// The limiter that the clones of a client share.
#[derive(Debug)]
pub(crate) struct Limiter {
    rate: usize,
    /// When the last `rate` requests went or will go, in that order.
    slots: Mutex<VecDeque<Instant>>,
}

impl Limiter {
    pub(crate) fn new(rate: NonZeroU32) -> Self {
        let rate = usize::try_from(rate.get()).unwrap_or(usize::MAX);
        Self { rate, slots: Mutex::default() }
    }

    /// Waits for the caller's turn. Turns are given in the order of the calls; one that is not used is lost.
    pub(crate) async fn turn(&self) {
        let now = clock::now();
        let at = self.reserve(now);
        // Even an elapsed timer costs a trip through the scheduler.
        if at > now {
            sleep_until(at).await;
        }
    }

    fn reserve(&self, now: Instant) -> Instant {
        // A panic elsewhere leaves the queue as it was: it is never half written.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let at = if slots.len() < self.rate {
            now
        } else {
            slots.pop_front().map_or(now, |oldest| now.max(oldest + WINDOW))
        };
        slots.push_back(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_no_second_holds_more_than_the_rate() {
        let limiter = Limiter::new(NonZeroU32::new(3).unwrap());
        let start = clock::now();
        let mut turns = Vec::new();
        for _ in 0..8 {
            limiter.turn().await;
            turns.push(start.elapsed().as_millis());
        }
        assert_eq!(turns, [0, 0, 0, 1000, 1000, 1000, 2000, 2000]);
        tokio::time::advance(Duration::from_millis(500)).await;
        limiter.turn().await;
        assert_eq!(start.elapsed().as_millis(), 2500, "a free slot is used at once");
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_given_in_the_order_of_the_calls() {
        let limiter = Limiter::new(NonZeroU32::MIN);
        let start = clock::now();
        let waits = futures_util::future::join_all((0..3).map(|_| async {
            limiter.turn().await;
            start.elapsed().as_secs()
        }));
        assert_eq!(waits.await, [0, 1, 2]);
    }
}
