//! The rates of accounts in a world.

use std::num::NonZeroU32;

use didww_types::values::Money;
use serde::{Deserialize, Serialize};
use service_core::AttemptError;
use service_core::price_plans::{self, AccountRate};
use trunk_store::Change;
use uuid::Uuid;

use super::naming::invalid;
use crate::{Control, ControlError};

/// The price of an account's outbound calls to a range of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorldRate {
    /// The first digits of the numbers, 1 to 15.
    pub prefix: String,
    /// US dollars a minute, from 0 up.
    pub per_minute: Money,
    /// The first billing interval in seconds; 1 by default.
    #[serde(default = "one")]
    pub initial_interval: NonZeroU32,
    /// The length of each further billing interval in seconds; 1 by default.
    #[serde(default = "one")]
    pub next_interval: NonZeroU32,
}

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

impl From<&WorldRate> for AccountRate {
    fn from(rate: &WorldRate) -> Self {
        Self {
            prefix: rate.prefix.clone(),
            per_minute: rate.per_minute,
            initial_interval: rate.initial_interval,
            next_interval: rate.next_interval,
        }
    }
}

impl From<AccountRate> for WorldRate {
    fn from(rate: AccountRate) -> Self {
        let AccountRate { prefix, per_minute, initial_interval, next_interval } = rate;
        Self { prefix, per_minute, initial_interval, next_interval }
    }
}

/// Checks the rates of an account with this name; an empty list keeps those that it has.
pub(super) fn check(name: &str, rates: &[WorldRate]) -> Result<(), ControlError> {
    if rates.is_empty() {
        return Ok(());
    }
    let rates: Vec<AccountRate> = rates.iter().map(Into::into).collect();
    price_plans::check(&rates)
        .map_err(|message| invalid(format!("has the account `{name}`, whose `rates` {message}")))
}

impl Control {
    /// The changes that set the rates of accounts. Those that an account has already are left as they are.
    pub(super) async fn world_rates(
        &self,
        of_accounts: &[(Uuid, Vec<AccountRate>)],
    ) -> Result<Vec<Change>, AttemptError<ControlError>> {
        let mut changes = Vec::new();
        for (id, rates) in of_accounts {
            let account = self.account(*id).await?;
            let before = price_plans::stored(&*self.core.store, &account).await?;
            if before.as_ref().is_some_and(|(_, plan)| plan.rates.as_ref() == Some(rates)) {
                continue;
            }
            let now = self.core.clock.now();
            changes.push(price_plans::change(&account, before.as_ref(), Some(rates.clone()), now)?);
        }
        Ok(changes)
    }
}
