//! What keeps many patient clients from keeping a broken service down.

use std::sync::atomic::{AtomicU32, Ordering};

/// What one repetition costs, in successes.
const COST: u32 = 10;

/// The repetitions that the clones of a client may still spend.
#[derive(Debug)]
pub(crate) struct Budget {
    most: u32,
    left: AtomicU32,
}

impl Budget {
    pub(crate) const fn new(repetitions: u32) -> Self {
        let most = repetitions.saturating_mul(COST);
        Self { most, left: AtomicU32::new(most) }
    }

    /// Takes one repetition, if there is one.
    pub(crate) fn spend(&self) -> bool {
        let take = |left: u32| left.checked_sub(COST);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Counts a success.
    pub(crate) fn earn(&self) {
        let give = |left: u32| (left < self.most).then(|| left + 1);
        // Refused when nothing is missing, which is as it should be.
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_successes_pay_for_one_repetition_and_nothing_is_saved_beyond_the_budget() {
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
