//! The balances of accounts.

use std::collections::HashMap;
use std::sync::Arc;

use didww_types::Resource as _;
use didww_types::resources::Balance;
use service_core::Core;
use trunk_store::StoreError;
use trunk_store::account::Account;

use crate::catalogue::BALANCE;
use crate::scrape::Scrape;
use crate::server::in_time;
use crate::values::MAX_ACCOUNTS;

const AMOUNT: &str = Balance::SPEC.attribute_name("balance");

pub(crate) async fn read(core: &Core, scrape: &mut Scrape) {
    let Some(balances) = in_time(balances(core)).await else {
        scrape.miss();
        return;
    };
    for (account, amount) in balances {
        let id = account.id.to_string();
        scrape.add(&BALANCE, &[id.as_str(), account.name.as_str()], amount);
    }
}

/// The first accounts whose balance was set, with it.
async fn balances(core: &Core) -> Result<Vec<(Arc<Account>, f64)>, StoreError> {
    let stored = core.store.records_after(Balance::SPEC, 0, MAX_ACCOUNTS).await?;
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let accounts: HashMap<i64, Arc<Account>> =
        core.store.accounts().await?.into_iter().map(|account| (account.number, account)).collect();
    let mut found = Vec::with_capacity(stored.len());
    for balance in stored {
        // An account can have been deleted between the two reads.
        let Some(account) = accounts.get(&balance.account) else { continue };
        let attributes = balance.record.attributes()?;
        let amount: Option<f64> = attributes.get(AMOUNT).and_then(|amount| amount.as_str()?.parse().ok());
        found.push((Arc::clone(account), amount.unwrap_or_default()));
    }
    Ok(found)
}
