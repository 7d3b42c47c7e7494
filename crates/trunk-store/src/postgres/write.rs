//! Commits and resets: the changes of every part, in one transaction.

use super::failure::Done;
use super::transaction::{Announcement, Transaction};
use super::{PostgresStore, calls, documents, idempotency, jobs, outbox, records};
use crate::{Answer, Change, Record, Writes};

/// Applies all changes. Returns the inserted and replaced records.
async fn apply(transaction: &Transaction<'_>, changes: &[Change]) -> Done<Vec<Record>> {
    for change in changes {
        match change {
            Change::Answered(call) => calls::answered(transaction, call).await?,
            Change::Acknowledged(id) => calls::acknowledged(transaction, *id).await?,
            Change::Step(at) => calls::step(transaction, *at).await?,
            Change::Call(call) => calls::ended(transaction, call).await?,
            Change::Emit(event) => outbox::insert(transaction, event).await?,
            Change::Put { revision, document } => documents::put(transaction, *revision, document).await?,
            Change::Forget { kind, id, revision } => {
                documents::forget(transaction, *kind, *id, *revision).await?;
            }
            Change::Schedule { job, existing } => jobs::schedule(transaction, job, *existing).await?,
            Change::Cancel { kind, subject } => jobs::cancel(transaction, kind, subject).await?,
            Change::Done(lease) => jobs::complete(transaction, *lease).await?,
            Change::Reschedule { lease, due_at, attempts, payload } => {
                jobs::reschedule(transaction, *lease, *due_at, *attempts, payload.as_deref()).await?;
            }
            _ => {}
        }
    }
    Ok(Vec::new())
}

/// Deletes all records, calls and events, of one account or of all, and with `accounts` also the accounts and keys.
async fn reset(transaction: &Transaction<'_>, account: Option<i64>, accounts: bool) -> Done<()> {
    records::reset(transaction, account).await?;
    outbox::reset(transaction, account).await?;
    calls::reset(transaction, account).await?;
    jobs::reset(transaction, account).await?;
    idempotency::reset(transaction, account).await?;
    if account.is_none() {
        documents::reset(transaction).await?;
    }
    transaction.announce(Announcement::Reset { account, accounts });
    Ok(())
}

impl Writes for PostgresStore {
    fn commit(&self, changes: Vec<Change>) -> Answer<'_, Vec<Record>> {
        self.node.write(changes, |transaction, changes| Box::pin(apply(transaction, changes)))
    }

    fn reset(&self, account: Option<i64>, accounts: bool) -> Answer<'_, ()> {
        self.node.write((account, accounts), |transaction, (account, accounts)| {
            Box::pin(reset(transaction, *account, *accounts))
        })
    }
}
