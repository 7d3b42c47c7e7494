//! Renews the DIDs, capacity pools and emergency calling services that an account has ordered, when their paid period
//! ends.
//!
//! Each account that has ordered something has one job. It is due when the first paid period of its DIDs, capacity
//! pools and emergency calling services ends, and at least once in the shortest period. A run charges the records whose
//! period is over, one after the other, in one transaction with the payment; a record that is overdue for several
//! periods is decided again at once. A run reads a bounded number of records. The next one continues behind those that
//! could not be paid, so that they do not hold up the others. Records that staff stored without an order are not
//! renewed.

mod earlier;
mod pass;
mod run;

use std::sync::Arc;

use didww_types::Timestamp;
use service_base::clock::Clock;
use service_core::jobs::{JobError, JobKind, JobSet, Outcome};
use service_core::{Core, Decided};
use trunk_rules::domain::{Purse, SHORTEST_PERIOD, WriteOutcome};
use trunk_store::{Change, IfScheduled, Job, LeasedJob, StoreError};

use crate::balances::{as_found, balance, corrupt};
use crate::stock;
use pass::Pass;
use run::Run;

/// The kind of the jobs. The subject is the number of the account.
const RENEW: &str = "accounts.renew";
/// Maximum number of accounts whose renewals are decided at once.
const AT_ONCE: usize = 4;

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

#[cfg(test)]
mod tests;
