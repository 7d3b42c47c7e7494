//! The client-side rate limit.
//!
//! A service counts the requests of a key in each second. A plain token bucket would send up to twice its
//! rate in the second after a pause. This limiter is a sliding window: a request waits until the `rate`-th
//! request before it is one second old. So no period of one second contains more than `rate` requests, and a
//! burst of up to `rate` requests after a pause is still sent at once.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::clock;

const WINDOW: Duration = Duration::from_secs(1);

/// A rate limiter, shared by the clones of a client.
#[derive(Debug)]
pub(crate) struct Limiter {
    rate: usize,
    /// The send times, past or future, of the last `rate` requests, in ascending order.
    slots: Mutex<VecDeque<Instant>>,
}

impl Limiter {
    pub(crate) fn new(rate: NonZeroU32) -> Self {
        let rate = usize::try_from(rate.get()).unwrap_or(usize::MAX);
        Self { rate, slots: Mutex::default() }
    }

    /// Reserves the next free slot and waits for it. Slots are assigned in the order of the calls. A slot
    /// whose future is dropped stays reserved.
    pub(crate) async fn acquire(&self) {
        let now = clock::now();
        let at = self.reserve(now);
        // Awaiting even an elapsed timer yields to the scheduler.
        if at > now {
            sleep_until(at).await;
        }
    }

    fn reserve(&self, now: Instant) -> Instant {
        // A poisoned lock is safe to use: no panic can leave the queue partly updated.
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
    async fn a_burst_is_sent_at_once_and_no_second_holds_more_than_the_rate() {
        let limiter = Limiter::new(NonZeroU32::new(3).unwrap());
        let start = clock::now();
        let mut sent_at = Vec::new();
        for _ in 0..8 {
            limiter.acquire().await;
            sent_at.push(start.elapsed().as_millis());
        }
        assert_eq!(sent_at, [0, 0, 0, 1000, 1000, 1000, 2000, 2000]);
        tokio::time::advance(Duration::from_millis(500)).await;
        limiter.acquire().await;
        assert_eq!(start.elapsed().as_millis(), 2500, "a free slot is used at once");
    }

    #[tokio::test(start_paused = true)]
    async fn slots_are_assigned_in_the_order_of_the_calls() {
        let limiter = Limiter::new(NonZeroU32::MIN);
        let start = clock::now();
        let waits = futures_util::future::join_all((0..3).map(|_| async {
            limiter.acquire().await;
            start.elapsed().as_secs()
        }));
        assert_eq!(waits.await, [0, 1, 2]);
    }
}
