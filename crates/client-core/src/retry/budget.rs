//! The retry budget, which keeps the retries of many clients from overloading a failing service.

use std::sync::atomic::{AtomicU32, Ordering};

/// The number of successful responses that pay for one retry.
const SUCCESSES_PER_RETRY: u32 = 10;

/// The retries that the clones of a client may still make, counted in successful responses.
#[derive(Debug)]
pub(crate) struct Budget {
    capacity: u32,
    credit: AtomicU32,
}

impl Budget {
    pub(crate) const fn new(retries: u32) -> Self {
        let capacity = retries.saturating_mul(SUCCESSES_PER_RETRY);
        Self { capacity, credit: AtomicU32::new(capacity) }
    }

    /// Pays for one retry. Returns false when the credit does not suffice.
    pub(crate) fn spend(&self) -> bool {
        let spend = |credit: u32| credit.checked_sub(SUCCESSES_PER_RETRY);
        self.credit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }

    /// Counts a successful response: [`SUCCESSES_PER_RETRY`] of them pay for one retry.
    pub(crate) fn earn(&self) {
        let earn = |credit: u32| (credit < self.capacity).then(|| credit + 1);
        // An error means that the budget is full; the success is not counted.
        let _ = self.credit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, earn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_successes_pay_for_one_retry_and_nothing_is_saved_beyond_the_budget() {
        let budget = Budget::new(2);
        budget.earn();
        assert_eq!([(); 3].map(|()| budget.spend()), [true, true, false]);
        (0..9).for_each(|_| budget.earn());
        assert!(!budget.spend());
        budget.earn();
        assert_eq!([(); 2].map(|()| budget.spend()), [true, false]);
        assert!(!Budget::new(0).spend());
    }
}
