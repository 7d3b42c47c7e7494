//! Renews what an account has ordered, when its paid period is over.
//!
//! Each account that has ordered something has one job, which is due when the first of its DIDs or capacity pools is, and once
//! a period at least. A run charges what is over, a DID or pool after the other, in one transaction with the payment; what is
//! over for several periods is decided again at once. DIDs and pools that staff stored without an order are left as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use didww_types::resources::{CapacityPool, Did, QtyBasedPricing};
use didww_types::values::Money;
use didww_types::{Id, Resource as _, ResourceSpec, Timestamp};
use serde_json::{Value, json};
use service_core::jobs::{JobError, JobKind, JobSet, Outcome};
use service_core::{Core, Decided};
use trunk_rules::domain::{
    DidRenewal, IS_BILLED, MONTHLY_PRICE, PAID_PERIOD, PoolRenewal, Purse, WriteOutcome, renew_did,
    renew_pool,
};
use trunk_store::{Change, IfScheduled, Job, LeasedJob, ListQuery, Order, Record, Scope, StoreError};
use uuid::Uuid;

use crate::balances::{as_found, balance, corrupt};
use crate::{did_changes, stock};

/// The kind of the jobs. The subject is the number of the account.
const RENEW: &str = "accounts.renew";
/// The most accounts whose renewals are decided at once.
const AT_ONCE: usize = 4;
/// The most DIDs of a run, which is one transaction, and the most capacity pools of it.
const MOST_DIDS: usize = 200;
const MOST_POOLS: usize = 200;
/// The most records that are read at a time.
const PAGE: u64 = 500;

/// The jobs that renew DIDs and capacity pools.
pub(crate) fn jobs() -> JobSet {
    JobSet::default().handle(JobKind::new(RENEW, renew).at_once(AT_ONCE))
}

/// The change that schedules the renewals of an account, at this time at the latest.
pub(crate) fn schedule(account: i64, due_at: Timestamp) -> Change {
    Change::Schedule { job: Box::new(job(account, due_at)), existing: IfScheduled::KeepEarlier }
}

fn job(account: i64, due_at: Timestamp) -> Job {
    Job { account: Some(account), ..Job::new(RENEW, account.to_string(), due_at) }
}

/// The change that decides on the renewals of an account anew, now. A run in progress, which can have read what was there before,
/// does not count.
pub(crate) fn anew(account: i64, now: Timestamp) -> Change {
    Change::Schedule { job: Box::new(job(account, now)), existing: IfScheduled::Replace }
}

/// Decides on the renewals of an account anew, if it has any, because staff changed when they are due.
pub(crate) async fn decide_anew(core: &Core, account: i64) -> Result<(), StoreError> {
    if core.store.job(RENEW, account.to_string()).await?.is_some() {
        core.commit(vec![anew(account, core.clock.now())]).await?;
    }
    Ok(())
}

async fn renew(core: Arc<Core>, leased: LeasedJob) -> Result<Outcome, JobError> {
    let Some(account) = leased.job.account else { return Ok(Outcome::done()) };
    let now = core.clock.now();
    let balance = balance(&core, account).await?;
    let paid = balance.as_ref().map(as_found);
    let purse = Purse::of(paid.as_ref()).map_err(|error| corrupt(&error))?;
    // The job stays, also if nothing is left: an order that is carried out meanwhile only brings it forward.
    let next = now.after(PAID_PERIOD);
    let mut run =
        Run { core: &core, account, now, purse, next, changes: Vec::new(), released: BTreeMap::new() };
    run.dids().await?;
    run.pools().await?;
    let Run { purse, next, mut changes, released, .. } = run;
    changes.extend(stock::count(&core, released).await?);
    if let (Some(balance), Some(paid)) = (&balance, &paid) {
        // Whatever was decided was decided on what the account can spend.
        let payment = purse.payment(paid).map_err(|error| corrupt(&error))?;
        if payment.is_none() && !changes.is_empty() {
            // What was released must not have become payable meanwhile.
            changes.push(Change::Unchanged { record: balance.clone() });
        }
        let outcome = WriteOutcome { changes: payment.into_iter().collect(), events: Vec::new() };
        let decided = Decided { account, at: now, read: &[balance] };
        changes.extend(decided.changes(outcome, &core.ids)?);
    }
    Ok(Outcome::again_at(next).with(changes))
}

/// The renewals of an account while they are decided.
struct Run<'a> {
    core: &'a Core,
    account: i64,
    now: Timestamp,
    purse: Purse,
    /// When the next of them is due.
    next: Timestamp,
    changes: Vec<Change>,
    /// The numbers that are in stock again, by their DID group.
    released: BTreeMap<Uuid, i64>,
}

impl Run<'_> {
    fn scope(&self, spec: &'static ResourceSpec) -> Scope {
        Scope { account: self.account, spec }
    }

    /// Decides on the DIDs that are over, those first that are it for the longest.
    async fn dids(&mut self) -> Result<(), StoreError> {
        let scope = self.scope(Did::SPEC);
        let (mut decided, mut offset) = (0, 0);
        loop {
            let page = self.page(scope, "expires_at", offset).await?;
            if page.is_empty() {
                return Ok(());
            }
            offset += PAGE;
            for record in page {
                let Some(price) = price(&record)? else { continue };
                let id = Id::new(record.id.to_string());
                let did = Did::from_texts(id, &record.attributes, None).map_err(|error| corrupt(&error))?;
                let Some(expired_at) = did.expires_at else { return Ok(()) };
                if expired_at > self.now || decided == MOST_DIDS {
                    self.next = self.next.min(expired_at);
                    return Ok(());
                }
                // Those that cannot be paid change nothing, and must not keep others from their turn.
                decided += usize::from(self.did(record, &did, price, expired_at).await?);
            }
        }
    }

    /// Decides on a DID that is over. Returns whether it changes.
    async fn did(
        &mut self,
        record: Record,
        did: &Did,
        price: Money,
        expired_at: Timestamp,
    ) -> Result<bool, StoreError> {
        match renew_did(did, price, expired_at, self.now, &mut self.purse) {
            DidRenewal::Renewed(until, cycles) => {
                self.next = self.next.min(until);
                self.changes.extend(did_changes::renewed(self.core, self.account, record, until, cycles)?);
            }
            DidRenewal::Unpaid(again_at) => {
                self.next = self.next.min(again_at);
                return Ok(false);
            }
            DidRenewal::Ended => {
                let (scope, relationship) = (self.scope(Did::SPEC), Did::DID_GROUP.as_str());
                let group = self.core.store.members(scope, vec![record.number], relationship, 1).await?;
                if let Some((_, _, group)) = group.first() {
                    *self.released.entry(*group).or_default() += 1;
                }
                self.changes.extend(did_changes::released(self.core, self.account, record)?);
            }
        }
        Ok(true)
    }

    /// Decides on the capacity pools that are over, those first that are it for the longest. Pools of staff, which have no date or
    /// are not charged, can be many.
    async fn pools(&mut self) -> Result<(), StoreError> {
        let scope = self.scope(CapacityPool::SPEC);
        let (mut decided, mut offset) = (0, 0);
        loop {
            let page = self.page(scope, "renew_date", offset).await?;
            if page.is_empty() {
                return Ok(());
            }
            offset += PAGE;
            for record in page {
                if record.meta()?.get(IS_BILLED) != Some(&Value::Bool(true)) {
                    continue;
                }
                let id = Id::new(record.id.to_string());
                let pool = CapacityPool::from_texts(id, &record.attributes, None)
                    .map_err(|error| corrupt(&error))?;
                let day = pool.renew_date.as_ref().map(|day| format!("{day}T00:00:00Z").parse::<Timestamp>());
                let Some(Ok(expired_at)) = day else { continue };
                if expired_at > self.now || decided == MOST_POOLS {
                    self.next = self.next.min(expired_at);
                    return Ok(());
                }
                decided += usize::from(self.pool(record, &pool, expired_at).await?);
            }
        }
    }

    /// Decides on a pool that is over. Returns whether it changes.
    async fn pool(
        &mut self,
        record: Record,
        pool: &CapacityPool,
        expired_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let breaks = self.breaks(&record).await?;
        let mut attributes = record.attributes()?;
        match renew_pool(pool, &breaks, expired_at, self.now, &mut self.purse) {
            PoolRenewal::Renewed(until) => {
                let day = until.to_string().get(..10).map(str::to_owned);
                attributes.insert("renew_date".to_owned(), json!(day));
                self.next = self.next.min(until);
            }
            PoolRenewal::Unpaid(again_at) => {
                self.next = self.next.min(again_at);
                return Ok(false);
            }
            PoolRenewal::Reduced(channels, again_at) => {
                self.next = self.next.min(again_at);
                if channels == pool.total_channels_count {
                    return Ok(false);
                }
                attributes.insert("total_channels_count".to_owned(), json!(channels));
            }
        }
        let (scope, links) = (self.scope(CapacityPool::SPEC), Vec::new());
        self.changes.push(Change::Replace { scope, before: record, attributes, links, meta: None });
        Ok(true)
    }

    /// The prices of larger quantities of a pool.
    async fn breaks(&self, pool: &Record) -> Result<Vec<QtyBasedPricing>, StoreError> {
        let relationship = CapacityPool::QTY_BASED_PRICINGS.as_str();
        let scope = self.scope(CapacityPool::SPEC);
        let members = self.core.store.members(scope, vec![pool.number], relationship, usize::MAX).await?;
        let ids = members.into_iter().map(|(_, _, id)| id).collect();
        let records = self.core.store.find_all(self.scope(QtyBasedPricing::SPEC), ids).await?;
        let read = |record: Record| {
            let id = Id::new(record.id.to_string());
            QtyBasedPricing::from_texts(id, &record.attributes, None).map_err(|error| corrupt(&error))
        };
        records.into_iter().map(read).collect()
    }

    /// A page of records in the order of an attribute.
    async fn page(
        &self,
        scope: Scope,
        attribute: &'static str,
        offset: u64,
    ) -> Result<Vec<Record>, StoreError> {
        let order = vec![Order { attribute, descending: false }];
        let query =
            ListQuery { scope, linked_from: None, conditions: Vec::new(), order, offset, limit: PAGE };
        Ok(self.core.store.list(query).await?.records)
    }
}

/// The price of a DID; `None` if no order brought it.
fn price(record: &Record) -> Result<Option<Money>, StoreError> {
    let meta = record.meta()?;
    Ok(meta.get(MONTHLY_PRICE).and_then(Value::as_str).and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use service_base::clock::Clock;
    use service_base::descriptors::Descriptors;
    use service_base::guessing::GuessLimits;
    use service_base::ids::Ids;
    use service_core::Outbox;
    use trunk_rules::domain::{PAYMENT_WAIT, with_defaults};
    use trunk_store::{SqliteStore, TakeJobs};

    use super::*;

    const ACCOUNT: i64 = 1;

    /// A server whose clock stands.
    fn core() -> Core {
        let store = Arc::new(SqliteStore::in_memory().unwrap());
        let (clock, guesses) = (Clock::system(), GuessLimits::default());
        clock.freeze(None);
        Core::new(store, clock, Ids::seeded(1), Outbox::new(false), Descriptors::new(1_024), guesses)
    }

    /// Stores a pool whose period is over, with this number of channels, all in use.
    async fn store_pool(core: &Core, channels: i64, is_billed: bool) -> Uuid {
        let (id, created_at) = (core.ids.record(core.clock.now()), core.clock.now());
        let scope = Scope { account: ACCOUNT, spec: CapacityPool::SPEC };
        let sent = json!({ "name": "Standard", "renew_date": "2020-01-01", "monthly_price": "1.0",
            "total_channels_count": channels, "assigned_channels_count": channels });
        let attributes = with_defaults(scope.spec, created_at, sent.as_object().unwrap().clone());
        let meta = is_billed.then(|| json!({ IS_BILLED: true }).to_string());
        let insert = Change::Insert { scope, id, created_at, attributes, links: Vec::new(), meta };
        core.commit(vec![insert]).await.unwrap();
        id
    }

    /// The pools that a run changes, without money, and the time of the next run.
    async fn changed_pools(core: &Core) -> (Vec<Uuid>, Timestamp) {
        let (now, purse) = (core.clock.now(), Purse::of(None).unwrap());
        let next = now.after(PAID_PERIOD);
        let (changes, released) = (Vec::new(), BTreeMap::new());
        let mut run = Run { core, account: ACCOUNT, now, purse, next, changes, released };
        run.pools().await.unwrap();
        let changed = run.changes.iter().filter_map(|change| match change {
            Change::Replace { before, .. } => Some(before.id),
            _ => None,
        });
        (changed.collect(), run.next)
    }

    #[tokio::test]
    async fn a_pool_behind_a_page_of_those_of_staff_is_renewed() {
        let core = core();
        for _ in 0..=PAGE {
            store_pool(&core, 1, false).await;
        }
        // It costs nothing.
        let billed = store_pool(&core, 0, true).await;
        assert_eq!(changed_pools(&core).await.0, [billed]);
    }

    #[tokio::test]
    async fn a_pool_that_cannot_lose_channels_waits_for_money_unchanged() {
        let core = core();
        store_pool(&core, 1, true).await;
        let (changed, next) = changed_pools(&core).await;
        assert_eq!((changed, next), (Vec::new(), core.clock.now().after(PAYMENT_WAIT)));
    }

    #[tokio::test]
    async fn a_run_that_began_before_staff_changed_a_period_does_not_count() {
        let core = core();
        let now = core.clock.now();
        let stored = async || core.store.job(RENEW, ACCOUNT.to_string()).await.unwrap();
        decide_anew(&core, ACCOUNT).await.unwrap();
        assert_eq!(stored().await, None, "nothing was ordered");
        core.commit(vec![schedule(ACCOUNT, now)]).await.unwrap();
        let (node, until) = (core.store.node(), now.after(Duration::from_mins(1)));
        let take = TakeJobs { node, now, until, kinds: vec![(RENEW, 1)] };
        let run = core.store.take_jobs(take).await.unwrap().pop().unwrap();
        decide_anew(&core, ACCOUNT).await.unwrap();
        let due_at = now.after(PAID_PERIOD);
        let late = Change::Reschedule { lease: run.lease, due_at, attempts: 0, payload: None };
        assert_eq!(core.commit(vec![late]).await, Err(StoreError::Conflict));
        assert_eq!(stored().await.map(|job| job.due_at), Some(now));
    }
}
