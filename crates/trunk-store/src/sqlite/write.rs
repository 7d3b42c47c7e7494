//! Applies the changes of a write, inside its transaction.

use std::collections::HashSet;

use didww_types::ResourceSpec;
use rusqlite::{Connection, params};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::failed;
use super::record_writer::{Quotas, RecordWriter, replaced};
use super::row::find;
use super::sums::Differences;
use super::symbols::Symbols;
use super::{calls, documents, idempotency, jobs, outbox, running};
use crate::content::Content;
use crate::{Change, Committed, NewDocument, Record, Scope, StoreError, StoredRecord, Write};

/// The effects of a write.
pub(super) struct Written {
    /// The numbers of the inserted records, in the order of the changes.
    pub(super) numbers: Vec<i64>,
    /// The effects for the change feed.
    pub(super) effects: Write,
    /// False if effects on records were left out.
    pub(super) is_complete: bool,
}

/// Returns the inserted and replaced records of changes that were applied, in their order. `numbers` are those of
/// [`Written`].
pub(super) fn records(changes: Vec<(Change, Content)>, numbers: &[i64]) -> Vec<Record> {
    let mut numbers = numbers.iter();
    let record = |(change, content): (Change, Content)| match change {
        Change::Insert { scope, id, meta, .. } => {
            let (number, kind) = (*numbers.next()?, scope.spec.name);
            Some(Record { number, id, kind, revision: 0, attributes: content.text, meta })
        }
        Change::Replace { before, meta, .. } => Some(Record {
            revision: before.revision + 1,
            attributes: content.text,
            meta: meta.or(before.meta),
            ..before
        }),
        _ => None,
    };
    changes.into_iter().filter_map(record).collect()
}

/// Applies all changes. It stops at the first one that fails, and the caller rolls the transaction back.
///
/// `followed` states whether the effects on records are collected for the change feed.
pub(super) fn apply(
    connection: &Connection,
    symbols: &Symbols,
    quotas: &Quotas,
    changes: &[(Change, Content)],
    followed: bool,
) -> Result<Written, StoreError> {
    let write = RecordWriter { connection, symbols };
    let mut numbers = Vec::new();
    let (mut effects, mut deleted) = (Vec::new(), Vec::new());
    // Of a record that was changed, the members are read.
    let push_changed =
        |effects: &mut Vec<Committed>, scope: Scope, record: Record| -> Result<(), StoreError> {
            let links = write.links(scope.spec, record.number)?;
            effects.push(Committed::Stored(StoredRecord { account: scope.owner(), record, links }));
            Ok(())
        };
    let mut sums = Differences::default();
    let mut summed = |scope: &Scope, number, attributes: &Map<String, Value>, sign| {
        sums.add(connection, symbols, scope.spec, number, attributes, sign)
    };
    for (change, content) in changes {
        match change {
            Change::Insert { scope, id, created_at, attributes, links, meta } => {
                write.check_quota(*scope, quotas)?;
                let created_at = created_at.as_unix_millis();
                let number = write.insert(*scope, *id, created_at, content, links, meta.as_deref())?;
                summed(scope, number, attributes, 1)?;
                if followed {
                    let (kind, attributes, meta) = (scope.spec.name, content.text.clone(), meta.clone());
                    let record = Record { number, id: *id, kind, revision: 0, attributes, meta };
                    let (account, links) = (scope.owner(), links_of_new(scope.spec, links));
                    effects.push(Committed::Stored(StoredRecord { account, record, links }));
                }
                numbers.push(number);
            }
            Change::Replace { scope, before, attributes, links, meta } => {
                if !symbols.parts(scope.spec.name).is_empty() {
                    summed(scope, before.number, &before.attributes()?, -1)?;
                }
                write.replace(*scope, before, content, links, meta.as_deref())?;
                summed(scope, before.number, attributes, 1)?;
                if followed {
                    push_changed(&mut effects, *scope, replaced(before, content, meta.as_deref()))?;
                }
            }
            Change::Members { scope, owner, relationship, add, members } => {
                write.increment_revision(owner)?;
                let is_part = !symbols.parts(scope.spec.name).is_empty();
                let attributes = if is_part { owner.attributes()? } else { Map::new() };
                summed(scope, owner.number, &attributes, -1)?;
                write.change_members(*scope, owner.number, relationship, *add, members)?;
                summed(scope, owner.number, &attributes, 1)?;
                if followed {
                    let revision = owner.revision + 1;
                    push_changed(&mut effects, *scope, Record { revision, ..owner.clone() })?;
                }
            }
            Change::Unchanged { record } => write.check_unchanged(record)?,
            Change::Unlinked { owners, relationship, target } => {
                write.check_unlinked(*owners, relationship, *target)?;
            }
            Change::Delete { scope, id } => {
                if !symbols.parts(scope.spec.name).is_empty()
                    && let Some(record) = find(connection, symbols, *scope, *id)?
                {
                    summed(scope, record.number, &record.attributes()?, -1)?;
                }
                write.delete(*scope, *id)?;
                if followed {
                    let (account, kind) = (scope.owner(), scope.spec.name);
                    deleted.push(Committed::Deleted { account, kind, id: *id });
                }
            }
            Change::Answered(call) => running::insert(connection, call)?,
            Change::Acknowledged(id) => running::acknowledge(connection, *id)?,
            Change::Step(at) => running::set_step(connection, *at)?,
            Change::Call(call) => {
                calls::insert(connection, call)?;
                running::delete(connection, call.id)?;
            }
            Change::HangUp(id) => effects.push(Committed::HangUp(*id)),
            Change::Emit(event) => outbox::insert(connection, event)?,
            Change::Put { revision, document } => {
                documents::put(connection, *revision, document)?;
                let NewDocument { kind, id, customer, .. } = **document;
                if revision.is_some() || kind.is_kept_by_all() {
                    effects.push(Committed::Document { kind, id, customer });
                }
            }
            Change::Forget { kind, id, revision } => documents::delete(connection, *kind, *id, *revision)?,
            Change::Schedule { job, existing } => jobs::schedule(connection, job, *existing)?,
            Change::Cancel { kind, subject } => jobs::cancel(connection, kind, subject)?,
            Change::Done(lease) => jobs::complete(connection, *lease)?,
            Change::Reschedule { lease, due_at, attempts, payload } => {
                jobs::reschedule(connection, *lease, *due_at, *attempts, payload.as_deref())?;
            }
        }
    }
    for (number, spec, sum, difference) in sums.changes() {
        let written = write.change_sum(number, spec, sum, difference)?;
        if let Some((scope, record)) = written.filter(|_| followed) {
            push_changed(&mut effects, scope, record)?;
        }
    }
    effects.extend(deleted);
    let is_complete = followed || !changes.iter().any(|(change, _)| change.is_of_record());
    Ok(Written { numbers, effects: effects.into(), is_complete })
}

/// The members of each relationship of a record that was created with these links, as [`RecordWriter::links`] reads
/// them.
fn links_of_new(
    spec: &'static ResourceSpec,
    linked: &[(&'static str, Vec<Uuid>)],
) -> Vec<(&'static str, Vec<Uuid>)> {
    let members = |name: &'static str| {
        let mut seen = HashSet::new();
        let named = linked.iter().filter(|(linked, _)| *linked == name).flat_map(|(_, members)| members);
        // A member that is named twice is linked once.
        named.copied().filter(|member| seen.insert(*member)).collect()
    };
    spec.relationships.iter().map(|declared| (declared.name, members(declared.name))).collect()
}

/// Deletes all records, calls and events, of one account or of all, and with `accounts` also the accounts and keys.
pub(super) fn reset(connection: &Connection, account: Option<i64>, accounts: bool) -> Result<(), StoreError> {
    let of_records = [
        "DELETE FROM link WHERE owner IN (SELECT number FROM record WHERE ?1 IS NULL OR account = ?1)",
        "DELETE FROM facet WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM unique_facet WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM claim WHERE record IN (SELECT number FROM record WHERE ?1 IS NULL OR account = ?1)",
        "DELETE FROM unclaimed WHERE record IN (SELECT number FROM record WHERE ?1 IS NULL OR account = ?1)",
        // The row stays, so that the number of changes never has the same value twice.
        "UPDATE record_count SET records = 0, changes = changes + 1 WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM record WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM outbox WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM backlog WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM delivery WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM call WHERE ?1 IS NULL OR account = ?1",
        "DELETE FROM running_call WHERE ?1 IS NULL OR account = ?1",
        // The jobs of the server itself stay: they end by themselves when they find nothing to do.
        "DELETE FROM job WHERE account IS NOT NULL AND (?1 IS NULL OR account = ?1)",
    ];
    let of_accounts = [
        // The number of a deleted account is not used again. The rows of all other accounts stay, as above.
        "DELETE FROM record_count WHERE account = ?1",
        "DELETE FROM account WHERE ?1 IS NULL OR number = ?1",
    ];
    for sql in of_records.into_iter().chain(of_accounts.into_iter().filter(|_| accounts)) {
        connection.execute(sql, params![account]).map_err(failed)?;
    }
    idempotency::reset(connection, account)?;
    if account.is_none() {
        documents::reset(connection, accounts)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use didww_types::resources::{Did, VoiceOutTrunk};
    use didww_types::{Resource as _, Timestamp};
    use serde_json::json;

    use super::super::open::declare;
    use super::*;
    use crate::content::with_content;
    use crate::directory::SharedDirectory;
    use crate::{ChangeFeed as _, Changes, Interest, Records as _, SqliteStore, Writes as _};

    fn insert(
        spec: &'static ResourceSpec,
        id: u128,
        attributes: &Value,
        links: Vec<(&'static str, Vec<Uuid>)>,
    ) -> Change {
        Change::Insert {
            scope: Scope { account: 1, spec },
            id: Uuid::from_u128(id),
            created_at: Timestamp::from_unix_millis(0),
            attributes: attributes.as_object().unwrap().clone(),
            links,
            meta: None,
        }
    }

    #[test]
    fn a_change_to_a_name_or_a_number_that_is_taken_fails_before_anything_is_changed() {
        let mut connection = Connection::open_in_memory().unwrap();
        let (symbols, _none_without_records) = declare(&mut connection, didww_types::REGISTRY).unwrap();
        let quotas = Quotas { directory: SharedDirectory::default(), default: None };
        let run = |change: Change| -> Result<Vec<Record>, StoreError> {
            let changes = vec![with_content(change, &symbols)?];
            let written = apply(&connection, &symbols, &quotas, &changes, false)?;
            Ok(records(changes, &written.numbers))
        };
        for (spec, attribute, id) in [(VoiceOutTrunk::SPEC, "name", 1), (Did::SPEC, "number", 3)] {
            run(insert(spec, id, &json!({ attribute: "1" }), Vec::new())).unwrap();
            let before = run(insert(spec, id + 1, &json!({ attribute: "2" }), Vec::new())).unwrap().remove(0);
            let changes = connection.total_changes();
            let replace = |value: &str| Change::Replace {
                scope: Scope { account: 1, spec },
                before: before.clone(),
                attributes: json!({ attribute: value }).as_object().unwrap().clone(),
                links: Vec::new(),
                meta: None,
            };
            assert_eq!(run(replace("1")), Err(StoreError::Taken(attribute.to_owned())));
            assert_eq!(connection.total_changes(), changes, "{attribute}");
            assert_eq!(run(replace("3")).unwrap()[0].revision, 1);
            assert_eq!(run(replace("1")), Err(StoreError::Conflict), "the revision is looked at first");
        }
    }

    #[test]
    fn attributes_are_freed_before_a_write_waits_unless_sums_depend_on_them() {
        let mut connection = Connection::open_in_memory().unwrap();
        let (symbols, _none_without_records) = declare(&mut connection, didww_types::REGISTRY).unwrap();
        let are_kept = |spec: &'static ResourceSpec| -> bool {
            let change = insert(spec, 1, &json!({ "name": "a" }), Vec::new());
            let (change, content) = with_content(change, &symbols).unwrap();
            assert!(content.text.contains("\"name\":\"a\""), "{}", content.text);
            matches!(change, Change::Insert { attributes, .. } if !attributes.is_empty())
        };
        assert!(!are_kept(VoiceOutTrunk::SPEC));
        let is_summed = |spec: &&'static ResourceSpec| !symbols.parts(spec.name).is_empty();
        let summed: Vec<_> = didww_types::REGISTRY.iter().copied().filter(is_summed).collect();
        assert!(!summed.is_empty() && summed.into_iter().all(are_kept));
    }

    #[tokio::test]
    async fn the_feed_has_the_members_of_a_new_record_as_a_read_finds_them() {
        let store = SqliteStore::in_memory().unwrap();
        let did = |id: u128| insert(Did::SPEC, id, &json!({ "number": id.to_string() }), Vec::new());
        store.commit(vec![did(1), did(2)]).await.unwrap();
        let mut follower = store.follow(Interest::Everything);
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let links = vec![("dids", vec![two, one, two]), ("default_did", vec![one])];
        store.commit(vec![insert(VoiceOutTrunk::SPEC, 3, &json!({ "name": "a" }), links)]).await.unwrap();
        let Changes::Since(writes) = follower.changes() else { panic!("the follower fell behind") };
        let stored: Vec<StoredRecord> = writes
            .iter()
            .flat_map(|write| write.iter())
            .filter_map(|effect| match effect {
                Committed::Stored(stored) if stored.record.kind == VoiceOutTrunk::SPEC.name => {
                    Some(stored.clone())
                }
                _ => None,
            })
            .collect();
        assert_eq!(stored, store.records_after(VoiceOutTrunk::SPEC, 0, 9).await.unwrap());
        let members = |name: &str| {
            let found = stored.iter().flat_map(|stored| &stored.links).find(|(of, _)| *of == name);
            found.map(|(_, members)| members.clone())
        };
        assert_eq!((members("dids"), members("default_did")), (Some(vec![two, one]), Some(vec![one])));
    }
}
