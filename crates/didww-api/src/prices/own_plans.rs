//! The plans of outbound calls that single accounts have, as prices and files.
//!
//! They are made when the account first asks, because most never do. Bounds: the plans of `MAX_KEPT` accounts are kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use didww_types::prices::VoiceOutPrice;
use service_core::price_plans::AccountPlan;
use tokio::task::JoinError;
use trunk_rules::prices::voice_out_plan;

use super::plan::Plan;

/// The most accounts whose plans are kept. Before that of another one is added, all are removed.
const MAX_KEPT: usize = 16;

/// The plans that were requested last, by the number of the account.
#[derive(Debug, Default)]
pub(super) struct OwnPlans(Mutex<HashMap<i64, Made>>);

#[derive(Debug)]
struct Made {
    /// The stored plan that it was made from. Another one replaces it when the rates are changed.
    from: Arc<AccountPlan>,
    /// `None` if there are no rates.
    plan: Option<Arc<Plan<VoiceOutPrice>>>,
}

impl OwnPlans {
    /// Returns the plan of an account with these rates; `None` if there are none.
    ///
    /// # Errors
    /// If it could not be made.
    pub(super) async fn of(
        &self,
        account: i64,
        own: Arc<AccountPlan>,
    ) -> Result<Option<Arc<Plan<VoiceOutPrice>>>, JoinError> {
        if let Some(made) = self.lock().get(&account).filter(|made| Arc::ptr_eq(&made.from, &own)) {
            return Ok(made.plan.clone());
        }
        // Ten thousand prices receive ids, which takes longer than other requests should wait.
        let from = Arc::clone(&own);
        let plan = tokio::task::spawn_blocking(move || make(&from)).await?.map(Arc::new);
        let mut kept = self.lock();
        if kept.len() >= MAX_KEPT && !kept.contains_key(&account) {
            kept.clear();
        }
        kept.insert(account, Made { from: own, plan: plan.clone() });
        drop(kept);
        Ok(plan)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Made>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make(own: &AccountPlan) -> Option<Plan<VoiceOutPrice>> {
    Plan::of_voice_out(voice_out_plan(own.rates.as_ref()?), own.changed_at)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use didww_types::Timestamp;
    use didww_types::values::Money;
    use trunk_rules::carrier::{Rate, RateCard};

    use super::*;

    fn own(per_minute: &str) -> Arc<AccountPlan> {
        let per_minute = per_minute.parse::<Money>().unwrap().amount();
        let one = NonZeroU32::MIN;
        let rate = Rate { per_minute, initial_interval: one, next_interval: one };
        let rates = Some(RateCard::new([("44".parse().unwrap(), rate)]));
        Arc::new(AccountPlan { rates, changed_at: Timestamp::from_unix_millis(0) })
    }

    #[tokio::test]
    async fn a_plan_is_made_once_and_again_when_the_rates_are_others() {
        let plans = OwnPlans::default();
        let (first, second) = (own("0.01"), own("0.02"));
        let made = plans.of(1, Arc::clone(&first)).await.unwrap().unwrap();
        let again = plans.of(1, Arc::clone(&first)).await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&made, &again));
        let changed = plans.of(1, second).await.unwrap().unwrap();
        assert_eq!(changed.prices[0].rate, Some("0.02".parse().unwrap()));
        assert_eq!(
            (made.prices[0].rate, made.ids.clone()),
            (Some("0.01".parse().unwrap()), changed.ids.clone())
        );
        let none = AccountPlan { rates: None, changed_at: Timestamp::from_unix_millis(0) };
        assert!(plans.of(2, Arc::new(none)).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_plans_of_a_bounded_number_of_accounts_are_kept() {
        let plans = OwnPlans::default();
        for account in 0..100 {
            plans.of(account, own("0.01")).await.unwrap();
            assert!((1..=MAX_KEPT).contains(&plans.lock().len()));
        }
    }
}
