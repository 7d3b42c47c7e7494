//! Commits and resets: the changes of every part, in one transaction.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::failure::Done;
use super::record_writes::{self as write, New};
use super::run::WRITE_LIMIT;
use super::sums::Differences;
use super::transaction::{Announcement, Transaction};
use super::{PostgresStore, accounts, calls, documents, idempotency, jobs, outbox, records};
use crate::content::{self, Content};
use crate::{Answer, Change, KeyUse, NewDocument, Record, Writes};

/// Maximum number of records that are inserted together.
const MAX_RECORDS_PER_INSERT: usize = 1_000;
/// The time that each change adds to the limit of a commit: most commits have one to three changes, and an import has
/// thousands.
pub(super) const TIME_PER_CHANGE: Duration = Duration::from_millis(2);
/// The longest time of a statement of a reset, which deletes all records of an account.
const RESET_LIMIT: Duration = Duration::from_mins(1);

/// Applies all changes. Returns the inserted and replaced records. It stops at the first one that fails.
pub(super) async fn apply(
    transaction: &Transaction<'_>,
    changes: &[&(Change, Content)],
) -> Done<Vec<Record>> {
    let (mut made, mut deleted, mut sums) = (Vec::new(), Vec::new(), Differences::default());
    let overwritten: HashSet<Uuid> = changes.iter().filter_map(|(change, _)| overwritten(change)).collect();
    let mut rest = changes;
    while let Some(((change, content), after)) = rest.split_first() {
        let is_insert = |(change, _): &&&(Change, Content)| matches!(change, Change::Insert { .. });
        let inserts = rest.iter().take(MAX_RECORDS_PER_INSERT).take_while(is_insert).count();
        if inserts > 0 {
            let (these, after) = rest.split_at(inserts);
            let new: Vec<New<'_>> = these.iter().copied().filter_map(new).collect();
            // Boxed because the future is large.
            made.extend(Box::pin(write::insert_all(transaction, &new, &mut sums)).await?);
            rest = after;
            continue;
        }
        let schedules = rest.iter().map_while(|(change, _)| match change {
            Change::Schedule { job, existing } => Some((&**job, *existing)),
            _ => None,
        });
        let schedules: Vec<_> = schedules.collect();
        if !schedules.is_empty() {
            jobs::schedule(transaction, &schedules).await?;
            transaction.note_schedule();
            rest = rest.get(schedules.len()..).unwrap_or_default();
            continue;
        }
        // Each end of a call is followed by its event, which is inserted below.
        let is_replaced_or_event =
            |change: &&(Change, Content)| replaced(change).is_some() || matches!(change.0, Change::Emit(_));
        let these = rest.iter().copied().take_while(is_replaced_or_event).count();
        if these > 0 {
            let (these, after) = rest.split_at(these);
            let documents: Vec<_> = these.iter().copied().filter_map(replaced).collect();
            // Boxed because the future is large.
            Box::pin(documents::replace_all(transaction, &documents)).await?;
            rest = after;
            continue;
        }
        // An order has some conditions for each number that it takes.
        let unlinked = rest.iter().map_while(|(change, _)| match change {
            Change::Unlinked { owners, relationship, target } => Some((*owners, *relationship, *target)),
            _ => None,
        });
        let unlinked: Vec<_> = unlinked.collect();
        if !unlinked.is_empty() {
            write::check_unlinked(transaction, &unlinked).await?;
            rest = rest.get(unlinked.len()..).unwrap_or_default();
            continue;
        }
        rest = after;
        if let Change::Unchanged { record } = change {
            let is_changed =
                overwritten.contains(&record.id) || transaction.node.symbols.has_sums(record.kind);
            write::check_unchanged(transaction, record, is_changed).await?;
            continue;
        }
        apply_one(transaction, change, content, (&mut made, &mut deleted, &mut sums)).await?;
    }
    for (number, spec, sum, difference) in sums.changes() {
        write::change_sum(transaction, number, spec, sum, difference).await?;
    }
    // At the end, because their lanes are locked until the commit.
    let events = changes.iter().filter_map(|(change, _)| match change {
        Change::Emit(event) => Some(&**event),
        _ => None,
    });
    outbox::insert(transaction, &events.collect::<Vec<_>>()).await?;
    for deleted in deleted {
        transaction.announce(deleted);
    }
    Ok(made)
}

fn new((change, content): &(Change, Content)) -> Option<New<'_>> {
    let Change::Insert { scope, id, created_at, attributes, links, meta } = change else { return None };
    let (created_at, meta) = (created_at.as_unix_millis(), meta.as_deref());
    Some(New { scope: *scope, id: *id, created_at, attributes, links, meta, content })
}

/// The document that a change replaces without its keys, and the revision that it must have.
fn replaced((change, _): &(Change, Content)) -> Option<(i64, &NewDocument)> {
    match change {
        Change::Put { revision: Some(revision), document } if !document.keyed => {
            Some((*revision, &**document))
        }
        _ => None,
    }
}

/// The record that a change replaces or deletes.
fn overwritten(change: &Change) -> Option<Uuid> {
    match change {
        Change::Replace { before: record, .. } | Change::Members { owner: record, .. } => Some(record.id),
        Change::Delete { id, .. } => Some(*id),
        _ => None,
    }
}

/// Applies a change other than an insert of a record, a schedule, a condition and an event.
async fn apply_one(
    transaction: &Transaction<'_>,
    change: &Change,
    content: &Content,
    (made, deleted, sums): (&mut Vec<Record>, &mut Vec<Announcement>, &mut Differences),
) -> Done<()> {
    match change {
        Change::Insert { .. }
        | Change::Schedule { .. }
        | Change::Unchanged { .. }
        | Change::Unlinked { .. }
        | Change::Emit(_) => {}
        Change::Replace { scope, before, attributes, links, meta } => {
            let is_part = !transaction.node.symbols.parts(scope.spec.name).is_empty();
            if is_part {
                sums.add(transaction, scope.spec, before.number, &before.attributes()?, -1).await?;
            }
            let replaced = write::replace(transaction, *scope, before, content, links, meta.as_deref());
            // It is large.
            let record = Box::pin(replaced).await?;
            sums.add(transaction, scope.spec, record.number, attributes, 1).await?;
            made.push(record);
        }
        Change::Members { scope, owner, relationship, add, members } => {
            let is_part = !transaction.node.symbols.parts(scope.spec.name).is_empty();
            let attributes = if is_part { owner.attributes()? } else { serde_json::Map::new() };
            sums.add(transaction, scope.spec, owner.number, &attributes, -1).await?;
            write::change_members(transaction, *scope, owner, relationship, *add, members).await?;
            sums.add(transaction, scope.spec, owner.number, &attributes, 1).await?;
        }
        Change::Delete { scope, id } => deleted.push(write::delete(transaction, *scope, *id, sums).await?),
        Change::Answered(call) => calls::answered(transaction, call),
        Change::Acknowledged(id) => calls::acknowledged(transaction, *id).await?,
        Change::Step(at) => calls::step(transaction, *at),
        Change::Call(call) => calls::ended(transaction, call).await?,
        Change::HangUp(call) => transaction.announce(Announcement::HangUp { call: *call }),
        Change::Put { revision, document } => documents::put(transaction, *revision, document).await?,
        Change::Forget { kind, id, revision } => {
            documents::forget(transaction, *kind, *id, *revision).await?;
        }
        Change::Cancel { kind, subject } => jobs::cancel(transaction, kind, subject).await?,
        Change::Done(lease) => jobs::complete(transaction, *lease).await?,
        Change::Reschedule { lease, due_at, attempts, payload } => {
            jobs::reschedule(transaction, *lease, *due_at, *attempts, payload.as_deref()).await?;
        }
    }
    Ok(())
}

/// Deletes all records, calls and events, of one account or of all, and with `accounts` also the accounts and keys.
async fn reset(transaction: &Transaction<'_>, account: Option<i64>, accounts: bool) -> Done<()> {
    records::reset(transaction, account).await?;
    outbox::reset(transaction, account).await?;
    calls::reset(transaction, account).await?;
    jobs::reset(transaction, account).await?;
    idempotency::reset(transaction, account).await?;
    if accounts {
        accounts::delete(transaction, account).await?;
    }
    if account.is_none() {
        documents::reset(transaction, accounts).await?;
    }
    transaction.announce(Announcement::Reset { account, accounts });
    Ok(())
}

impl Writes for PostgresStore {
    fn commit(&self, changes: Vec<Change>) -> Answer<'_, Vec<Record>> {
        let symbols = Arc::clone(&self.node.symbols);
        let with_content = |change| content::with_content(change, &symbols);
        let changes: Vec<_> = match changes.into_iter().map(with_content).collect::<Result<_, _>>() {
            Ok(changes) => changes,
            Err(error) => return Answer::ready(Err(error)),
        };
        if let [(Change::Insert { scope, .. }, _)] = changes.as_slice()
            && KeyUse::current().is_none()
        {
            let account = scope.owner();
            return changes
                .into_iter()
                .next()
                .map_or_else(|| Answer::ready(Ok(Vec::new())), |insert| self.node.insert(account, insert));
        }
        let limit = WRITE_LIMIT + TIME_PER_CHANGE * u32::try_from(changes.len()).unwrap_or(u32::MAX);
        self.node.write_within(limit, changes, |transaction, changes| {
            Box::pin(async move { apply(transaction, &changes.iter().collect::<Vec<_>>()).await })
        })
    }

    fn reset_with(&self, changes: Vec<Change>, account: Option<i64>, accounts: bool) -> Answer<'_, ()> {
        let symbols = Arc::clone(&self.node.symbols);
        let with_content = |change| content::with_content(change, &symbols);
        let changes: Vec<_> = match changes.into_iter().map(with_content).collect::<Result<_, _>>() {
            Ok(changes) => changes,
            Err(error) => return Answer::ready(Err(error)),
        };
        let arguments = (changes, account, accounts);
        self.node.write_within(RESET_LIMIT, arguments, |transaction, (changes, account, accounts)| {
            Box::pin(async move {
                if !changes.is_empty() {
                    apply(transaction, &changes.iter().collect::<Vec<_>>()).await?;
                }
                reset(transaction, *account, *accounts).await
            })
        })
    }
}
