//! Renews the DIDs, capacity pools and emergency calling services that an account has ordered, when their paid period
//! ends.
//!
//! Each account that has ordered something has one job. It is due when the first paid period of its DIDs, capacity
//! pools and emergency calling services ends, and at least once in the shortest period. A run charges the records whose
//! period is over, one after the other, in one transaction with the payment; a record that is overdue for several
//! periods is decided again at once. A run reads a bounded number of records. The next one continues behind those that
//! could not be paid, so that they do not hold up the others. Records that staff stored without an order are not
//! renewed.
//!
//! A run waits for the orders of the account that are due. Otherwise a clock that is advanced by a month would let a
//! pool be renewed before it has the channels that were ordered a month ago.

mod earlier;
mod pass;
mod run;

use std::sync::Arc;
use std::time::Duration;

use didww_types::resources::{Order, OrderStatus};
use didww_types::{FilterTest, Resource as _, Timestamp};
use service_base::clock::Clock;
use service_core::jobs::{JobError, JobKind, JobSet, Outcome};
use service_core::{Core, Decided};
use trunk_rules::domain::{CARRY_OUT, Purse, SHORTEST_PERIOD, WriteOutcome};
use trunk_store::{Change, Condition, IfScheduled, IndexValue, Job, LeasedJob, ListQuery, Scope, StoreError};

use crate::balances::{as_found, balance, corrupt};
use crate::stock;
use pass::Pass;
use run::Run;

/// The kind of the jobs. The subject is the number of the account.
const RENEW: &str = "accounts.renew";
/// Maximum number of accounts whose renewals are decided at once.
const AT_ONCE: usize = 4;
/// The time until a run that waits for orders looks at them again, which doubles with each look.
const ORDER_WAIT: Duration = Duration::from_millis(100);
/// The longest of these times. After it the job takes its place behind the accounts that are due already: a server that
/// stops waits longer for a run than all of these times together.
const MAX_ORDER_WAIT: Duration = Duration::from_millis(800);
/// Maximum number of pending orders that a run looks at, the newest ones. Older ones wait for numbers.
const MAX_PENDING: u64 = 100;
/// The index of the status of orders, without regard to case.
const STATUS: &str = "status~";

/// The jobs that renew ordered DIDs, pools and services.
pub(crate) fn jobs(clock: &Clock) -> JobSet {
    JobSet::default().handle(JobKind::new(RENEW, renew).at_once(AT_ONCE)).and(earlier::jobs(clock))
}

/// The change that schedules the renewals of an account, at this time at the latest.
pub(crate) fn schedule(account: i64, due_at: Timestamp) -> Change {
    Change::Schedule { job: Box::new(job(account, due_at)), existing: IfScheduled::KeepEarlier }
}

fn job(account: i64, due_at: Timestamp) -> Job {
    Job { account: Some(account), ..Job::new(RENEW, account.to_string(), due_at) }
}

/// The change that schedules the renewals of an account for now. A run in progress, which may have read older records,
/// is superseded.
pub(crate) fn run_now(account: i64, now: Timestamp) -> Change {
    Change::Schedule { job: Box::new(job(account, now)), existing: IfScheduled::Replace }
}

/// Schedules the renewals of an account for now, if it has any, because staff changed when they are due.
pub(crate) async fn decide_now(core: &Core, account: i64) -> Result<(), StoreError> {
    if core.store.job(RENEW, account.to_string()).await?.is_some() {
        core.commit(vec![run_now(account, core.clock.now())]).await?;
    }
    Ok(())
}

async fn renew(core: Arc<Core>, leased: LeasedJob) -> Result<Outcome, JobError> {
    let Some(account) = leased.job.account else { return Ok(Outcome::done()) };
    let mut wait = ORDER_WAIT;
    while has_due_order(&core, account, core.clock.now()).await? {
        if wait > MAX_ORDER_WAIT {
            return Ok(Outcome::again_at(core.clock.now()));
        }
        tokio::time::sleep(wait).await;
        wait = wait.saturating_mul(2);
    }
    let now = core.clock.now();
    let balance = balance(&core, account).await?;
    let paid = balance.as_ref().map(as_found);
    let purse = Purse::of(paid.as_ref()).map_err(|error| corrupt(&error))?;
    let mut run = Run::new(&core, account, now, Pass::of(&leased.job.payload), purse);
    let has_ended = run.decide().await?;
    let Run { pass, purse, mut changes, released, .. } = run;
    changes.extend(stock::count(&core, released).await?);
    if let (Some(balance), Some(paid)) = (&balance, &paid) {
        // All decisions depend on the funds of the account.
        let payment = purse.payment(paid).map_err(|error| corrupt(&error))?;
        if payment.is_none() && !changes.is_empty() {
            // A released DID must not have become payable meanwhile.
            changes.push(Change::Unchanged { record: balance.clone() });
        }
        let outcome = WriteOutcome { changes: payment.into_iter().collect(), events: Vec::new() };
        let decided = Decided { account, at: now, read: &[balance] };
        changes.extend(decided.changes(outcome, &core.ids)?);
    }
    // The job stays even if there is nothing to renew: an order that is carried out meanwhile only brings it forward.
    let (due_at, going_on) =
        if has_ended { (pass.next(now.after(SHORTEST_PERIOD)), Pass::default()) } else { (now, pass) };
    Ok(Outcome::again_with(due_at, going_on.payload()?).with(changes))
}

/// Whether an order of the account is to be carried out at this time, and is not yet.
async fn has_due_order(core: &Core, account: i64, now: Timestamp) -> Result<bool, StoreError> {
    let scope = Scope { account, spec: Order::SPEC };
    let values = vec![IndexValue::Text(OrderStatus::Pending.as_str().to_owned())];
    let conditions = vec![Condition { test: FilterTest::Equals(STATUS), values }];
    let order = vec![trunk_store::Order { attribute: "created_at", descending: true }];
    let query = ListQuery { scope, linked_from: None, conditions, order, offset: 0, limit: MAX_PENDING };
    for pending in core.store.list(query).await?.records {
        // The job of an order that waits for numbers, or whose last run failed, is due later.
        let job = core.store.job(CARRY_OUT, pending.id.to_string()).await?;
        if job.is_some_and(|job| job.due_at <= now) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
