//! The limit on a trunk's spending in a rolling 24 hours, and when it blocks and re-opens the trunk.
//!
//! A price enters the sum when its call ends and leaves it exactly 24 hours later.
//! [`Spending`](super::Spending) adds the price of calls in progress. The window reads no clock: every method
//! takes the time.

use std::collections::BTreeMap;

use didww_types::Timestamp;
use didww_types::resources::VoiceOutTrunk;
use rust_decimal::Decimal;

const WINDOW_MILLIS: i64 = 24 * 3_600 * 1_000;

/// The amount spent on calls that ended in the last 24 hours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpendWindow {
    /// Prices by the time at which their calls ended, in Unix milliseconds.
    ended: BTreeMap<i64, Decimal>,
    sum: Decimal,
}

impl SpendWindow {
    /// Adds the price of a call that ended at `ended`. Calls may be added in any order.
    pub fn add(&mut self, ended: Timestamp, price: Decimal) {
        if price.is_zero() {
            return;
        }
        let entry = self.ended.entry(ended.as_unix_millis()).or_default();
        *entry = entry.saturating_add(price);
        self.sum = self.sum.saturating_add(price);
    }

    /// The end time of the oldest call that may still count.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.ended.keys().next().map(|ended| Timestamp::from_unix_millis(*ended))
    }

    /// The amount spent in the 24 hours before `now`, in US dollars. Older calls are forgotten.
    pub fn spent(&mut self, now: Timestamp) -> Decimal {
        let aged = now.as_unix_millis().saturating_sub(WINDOW_MILLIS);
        // This is asked several times for each call, and hardly ever finds a call that has aged.
        while let Some(oldest) = self.ended.first_entry() {
            if *oldest.key() > aged {
                break;
            }
            self.sum = self.sum.saturating_sub(oldest.remove());
        }
        if self.ended.is_empty() {
            self.sum = Decimal::ZERO;
        }
        self.sum
    }

    /// The time at which the sum falls below a limit if nothing is added. `None` if it is below already, or
    /// if the limit is zero and it never will be.
    pub fn reopens_at(&self, limit: Decimal) -> Option<Timestamp> {
        let mut sum = self.sum;
        if sum < limit {
            return None;
        }
        self.ended.iter().find_map(|(ended, price)| {
            sum = sum.saturating_sub(*price);
            (sum < limit).then(|| Timestamp::from_unix_millis(ended.saturating_add(WINDOW_MILLIS)))
        })
    }
}

/// Whether a trunk is blocked, and whether its spending is the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockState {
    /// Whether the trunk's `status` is `blocked`, so that every call is refused.
    pub blocked: bool,
    /// The trunk's `threshold_reached`: whether its spending is the reason of the block.
    pub threshold_reached: bool,
}

impl BlockState {
    /// The state of a trunk, which is blocked unless its status is `active`.
    pub fn of(trunk: &VoiceOutTrunk) -> Self {
        Self { blocked: !trunk.is_active(), threshold_reached: trunk.threshold_reached }
    }
}

/// An event that may block or re-open a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpendEvent {
    /// A call was charged: at its answer, while in progress, or at its end.
    Charged,
    /// Time passed, so that older calls left the window.
    Aged,
    /// The owner changed the threshold.
    LimitChanged,
    /// The owner set the status to `active`.
    Activated,
    /// The owner set the status to `blocked`.
    BlockedByHand,
}

/// The effect of an event on a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockChange {
    /// The state that the trunk has from now on, to be stored.
    pub state: BlockState,
    /// Whether the callback URL is notified.
    pub callback: bool,
}

/// Decides whether an event blocks or re-opens a trunk; returns `None` if nothing changes.
///
/// Setting the status to `active` re-opens a trunk that reached its threshold, until its next charged call. A
/// manual block is never lifted by ageing.
pub fn decide_block_change(
    state: BlockState,
    event: SpendEvent,
    limit: Option<Decimal>,
    spent: Decimal,
    callback_on_manual_block: bool,
) -> Option<BlockChange> {
    let reached = is_reached(limit, spent);
    let to = |blocked, threshold_reached, callback| {
        Some(BlockChange { state: BlockState { blocked, threshold_reached }, callback })
    };
    match (event, state.blocked, state.threshold_reached) {
        (SpendEvent::Charged | SpendEvent::LimitChanged, false, _) if reached => to(true, true, true),
        (SpendEvent::Aged | SpendEvent::LimitChanged, true, true) if !reached => to(false, false, true),
        (SpendEvent::Activated, true, true) => to(false, false, true),
        (SpendEvent::Activated, true, false) => to(false, false, callback_on_manual_block),
        (SpendEvent::BlockedByHand, false, _) => to(true, false, callback_on_manual_block),
        _ => None,
    }
}

/// A threshold of zero allows no spending. It is not reached while nothing is spent: otherwise a trunk would
/// be blocked when it is created.
pub(super) fn is_reached(limit: Option<Decimal>, spent: Decimal) -> bool {
    limit.is_some_and(|limit| if limit.is_zero() { spent > limit } else { spent >= limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPEN: BlockState = BlockState { blocked: false, threshold_reached: false };
    const BY_SPENDING: BlockState = BlockState { blocked: true, threshold_reached: true };
    const BY_HAND: BlockState = BlockState { blocked: true, threshold_reached: false };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn dollars(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn decide(
        state: BlockState,
        event: SpendEvent,
        limit: Option<&str>,
        spent: &str,
    ) -> Option<(BlockState, bool)> {
        decide_block_change(state, event, limit.map(dollars), dollars(spent), false)
            .map(|change| (change.state, change.callback))
    }

    #[test]
    fn a_price_leaves_the_sum_exactly_24_hours_after_its_call_ended() {
        let mut window = SpendWindow::default();
        window.add(at(1_000), dollars("0.1"));
        window.add(at(2_000), dollars("0.2"));
        assert_eq!(window.spent(at(1_000 + WINDOW_MILLIS - 1)), dollars("0.3"));
        assert_eq!(window.reopens_at(dollars("0.3")), Some(at(1_000 + WINDOW_MILLIS)));
        assert_eq!(window.reopens_at(dollars("0.2")), Some(at(2_000 + WINDOW_MILLIS)));
        assert_eq!(window.reopens_at(dollars("0.31")), None);
        assert_eq!(window.spent(at(1_000 + WINDOW_MILLIS)), dollars("0.2"));
        assert_eq!(window.spent(at(2_000 + WINDOW_MILLIS)), Decimal::ZERO);
    }

    #[test]
    fn spending_as_much_as_the_threshold_blocks_and_calls_back() {
        assert_eq!(decide(OPEN, SpendEvent::Charged, Some("10"), "9.99999999"), None);
        assert_eq!(decide(OPEN, SpendEvent::Charged, Some("10"), "10"), Some((BY_SPENDING, true)));
        assert_eq!(decide(OPEN, SpendEvent::Charged, None, "99999"), None);
    }

    #[test]
    fn a_trunk_re_opens_by_ageing_by_a_raised_limit_and_by_its_owner() {
        assert_eq!(decide(BY_SPENDING, SpendEvent::Aged, Some("10"), "10"), None);
        assert_eq!(decide(BY_SPENDING, SpendEvent::Aged, Some("10"), "9.9"), Some((OPEN, true)));
        assert_eq!(decide(BY_SPENDING, SpendEvent::LimitChanged, Some("11"), "10"), Some((OPEN, true)));
        assert_eq!(decide(BY_SPENDING, SpendEvent::LimitChanged, None, "10"), Some((OPEN, true)));
        assert_eq!(decide(BY_SPENDING, SpendEvent::Activated, Some("10"), "10"), Some((OPEN, true)));
    }

    #[test]
    fn a_trunk_that_its_owner_re_opened_blocks_again_with_its_next_charged_call() {
        assert_eq!(decide(OPEN, SpendEvent::Aged, Some("10"), "10"), None);
        assert_eq!(decide(OPEN, SpendEvent::Charged, Some("10"), "10.5"), Some((BY_SPENDING, true)));
    }

    #[test]
    fn a_limit_lowered_to_what_was_spent_blocks() {
        assert_eq!(decide(OPEN, SpendEvent::LimitChanged, Some("5"), "5"), Some((BY_SPENDING, true)));
    }

    #[test]
    fn a_block_by_hand_keeps_threshold_reached_false_and_is_not_lifted_by_time() {
        assert_eq!(decide(OPEN, SpendEvent::BlockedByHand, Some("10"), "0"), Some((BY_HAND, false)));
        for event in [SpendEvent::Aged, SpendEvent::LimitChanged, SpendEvent::Charged] {
            assert_eq!(decide(BY_HAND, event, Some("10"), "0"), None);
        }
        assert_eq!(decide(BY_HAND, SpendEvent::Activated, Some("10"), "0"), Some((OPEN, false)));
    }

    #[test]
    fn a_block_by_hand_is_called_back_only_where_that_is_set() {
        let change = decide_block_change(OPEN, SpendEvent::BlockedByHand, None, Decimal::ZERO, true);
        assert!(change.unwrap().callback);
    }

    #[test]
    fn a_threshold_of_zero_is_reached_by_the_first_charge_and_not_before() {
        assert_eq!(decide(OPEN, SpendEvent::LimitChanged, Some("0.0"), "0"), None);
        assert_eq!(decide(OPEN, SpendEvent::Charged, Some("0.0"), "0.01"), Some((BY_SPENDING, true)));
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_the_calls_of_the_last_24_hours(
            calls in proptest::collection::vec((0i64..3 * WINDOW_MILLIS, 0i64..1_000), 0..40),
            moments in proptest::collection::vec(0i64..4 * WINDOW_MILLIS, 1..6)
        ) {
            let mut window = SpendWindow::default();
            for (ended, price) in &calls {
                window.add(at(*ended), Decimal::new(*price, 4));
            }
            let mut moments = moments;
            moments.sort_unstable();
            for now in moments {
                let expected: Decimal = calls.iter().filter(|(ended, _)| ended + WINDOW_MILLIS > now).map(|(_, p)| Decimal::new(*p, 4)).sum();
                prop_assert_eq!(window.spent(at(now)), expected);
                let limit = Decimal::new(200, 4);
                if let Some(opens) = window.reopens_at(limit) {
                    prop_assert!(expected >= limit);
                    prop_assert!(window.clone().spent(opens) < limit);
                    prop_assert!(window.clone().spent(at(opens.as_unix_millis() - 1)) >= limit);
                }
            }
        }
    }
}
