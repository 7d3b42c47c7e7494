//! Turns the outcome of a decision into the changes of one store transaction.
//!
//! The rules name records by their ids and know no store. Here each of their changes receives the record as it was
//! read, so that the transaction fails with a conflict if the record was changed since.

use std::collections::{BTreeMap, HashMap};

use didww_types::{ResourceSpec, Timestamp, find};
use service_base::ids::Ids;
use trunk_rules::domain::{CREATED, CREATED_FIRST, Event, Later, RecordChange, WriteOutcome};
use trunk_store::{Change, EventForm, IfScheduled, Job, NewEvent, Record, Scope, StoreError};
use uuid::Uuid;

use crate::expiry;

/// The inputs of a decision.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// The number of the account.
    pub account: i64,
    /// The time of the decision.
    pub at: Timestamp,
    /// The records that were read for it.
    pub read: &'a [&'a Record],
}

impl Decided<'_> {
    /// Returns the changes that make an outcome of the decision durable, in its order, with its events after them.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the attributes of a record to update are not a JSON object, and
    /// [`StoreError::Failed`] if the outcome names a record that was not read.
    pub fn changes(&self, outcome: WriteOutcome, ids: &Ids) -> Result<Vec<Change>, StoreError> {
        let WriteOutcome { changes: mut decided, events } = outcome;
        // One more for the entry of the audit.
        let mut changes = Vec::with_capacity(decided.len() + events.len() + 1);
        let mut created = Vec::new();
        let read = Read::new(self.read);
        // Deletions come first, because a record that is deleted may hold a number that a new record takes.
        decided.sort_by_key(|change| !matches!(change, RecordChange::Delete { .. }));
        for change in decided {
            self.push(&mut changes, change, &read, ids, &mut created)?;
        }
        for event in events {
            changes.push(Change::Emit(Box::new(self.event(event, &read)?)));
        }
        Ok(changes)
    }

    /// Adds a change. `created` are the ids of the records that the outcome creates, once they are chosen.
    fn push(
        &self,
        changes: &mut Vec<Change>,
        change: RecordChange,
        read: &Read<'_>,
        ids: &Ids,
        created: &mut Vec<Uuid>,
    ) -> Result<(), StoreError> {
        match change {
            RecordChange::Create { spec, attributes, links, meta, later } => {
                let (id, links) = (ids.record(self.at), uuids(links, created));
                created.push(id);
                self.take(changes, spec, &links);
                changes.extend(expiry::schedule(self.account, spec, id, &attributes));
                changes.extend(later.map(|later| self.schedule(later, id)));
                let (scope, created_at) = (self.scope(spec), self.at);
                changes.push(Change::Insert { scope, id, created_at, attributes, links, meta });
            }
            RecordChange::Update { spec, id, attributes: new, links, meta } => {
                let before = read.record(&id)?.clone();
                let mut attributes = before.attributes()?;
                attributes.extend(new);
                changes.push(Change::Replace {
                    scope: self.scope(spec),
                    before,
                    attributes,
                    links: uuids(links, created),
                    meta,
                });
            }
            RecordChange::Note { spec, attributes, meta } => {
                let (scope, id, created_at) = (self.scope(spec), ids.record(self.at), self.at);
                changes.push(Change::Insert { scope, id, created_at, attributes, links: Vec::new(), meta });
            }
            RecordChange::Members { spec, id, relationship, add, members } => changes.push(Change::Members {
                scope: self.scope(spec),
                owner: read.record(&id)?.clone(),
                relationship,
                add,
                members: parsed(&members),
            }),
            RecordChange::Unchanged { id, .. } => {
                changes.push(Change::Unchanged { record: read.record(&id)?.clone() });
            }
            RecordChange::Unlinked { spec, relationship, id } => {
                let target = read.record(&id)?.id;
                changes.push(Change::Unlinked { owners: self.scope(spec), relationship, target });
            }
            RecordChange::Delete { spec, id } => {
                let record = read.record(&id)?;
                changes.push(Change::Unchanged { record: record.clone() });
                changes.push(Change::Delete { scope: self.scope(spec), id: record.id });
                changes.extend(expiry::cancel(spec, record.id));
            }
        }
        Ok(())
    }

    fn schedule(&self, Later { kind, due_at, payload }: Later, id: Uuid) -> Change {
        let job = Job { account: Some(self.account), payload, ..Job::new(kind, id.to_string(), due_at) };
        Change::Schedule { job: Box::new(job), existing: IfScheduled::Replace }
    }

    /// Adds the conditions that the records to which a new record links are still in stock.
    fn take(&self, changes: &mut Vec<Change>, spec: &ResourceSpec, links: &[(&'static str, Vec<Uuid>)]) {
        for (relationship, members) in links {
            let target = spec.relationship(relationship).and_then(|declared| find(declared.target));
            let paths = target.map_or(&[][..], |target| target.taken_by);
            for (relationship, owners) in paths.iter().filter_map(|path| path.split_once('<')) {
                let Some(owners) = find(owners).map(|owners| self.scope(owners)) else { continue };
                let unlinked = |target: &Uuid| Change::Unlinked { owners, relationship, target: *target };
                changes.extend(members.iter().map(unlinked));
            }
        }
    }

    fn scope(&self, spec: &'static ResourceSpec) -> Scope {
        Scope { account: self.account, spec }
    }

    fn event(&self, event: Event, read: &Read<'_>) -> Result<NewEvent, StoreError> {
        let Event { subject, url, body } = event;
        let subject = read.record(&subject)?.id;
        let form = EventForm::Trunk { account: self.account };
        Ok(NewEvent { form, subject, url, body, created_at: self.at })
    }
}

/// Maximum number of records that are searched one by one.
const MAX_SEARCHED: usize = 32;

/// The records that were read, searchable by their ids.
struct Read<'a> {
    records: &'a [&'a Record],
    /// Each by its id, if there are more than [`MAX_SEARCHED`]: a decision can change thousands.
    by_id: HashMap<Uuid, &'a Record>,
}

impl<'a> Read<'a> {
    fn new(records: &'a [&'a Record]) -> Self {
        let mut by_id = HashMap::new();
        if records.len() > MAX_SEARCHED {
            for record in records.iter().copied() {
                by_id.entry(record.id).or_insert(record);
            }
        }
        Self { records, by_id }
    }

    /// The first of the records with an id.
    fn record(&self, id: &str) -> Result<&'a Record, StoreError> {
        let unread = || StoreError::Failed(format!("a decision changes the record {id}, which was not read"));
        let id = Uuid::try_parse(id).map_err(|_| unread())?;
        let found = if self.by_id.is_empty() {
            self.records.iter().copied().find(|record| record.id == id)
        } else {
            self.by_id.get(&id).copied()
        };
        found.ok_or_else(unread)
    }
}

fn uuids(links: BTreeMap<&'static str, Vec<String>>, created: &[Uuid]) -> Vec<(&'static str, Vec<Uuid>)> {
    let ids = |ids: Vec<String>| match (created.first(), created.last()) {
        (Some(first), _) if ids == [CREATED_FIRST] => vec![*first],
        (_, Some(last)) if ids == [CREATED] => vec![*last],
        _ => parsed(&ids),
    };
    links.into_iter().map(|(name, named)| (name, ids(named))).collect()
}

/// Ids are hyphenated UUIDs. Any other text names no record.
fn parsed(ids: &[String]) -> Vec<Uuid> {
    ids.iter().filter(|id| id.len() == 36).filter_map(|id| Uuid::try_parse(id).ok()).collect()
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::VoiceOutTrunk;
    use serde_json::json;

    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn trunk() -> Record {
        let attributes = r#"{"name":"T","from_a_later_release":[1],"capacity_limit":5}"#.to_owned();
        let kind = VoiceOutTrunk::SPEC.name;
        Record { number: 1, id: ID, kind, revision: 3, attributes, meta: None }
    }

    fn changes(outcome: WriteOutcome) -> Result<Vec<Change>, StoreError> {
        let at = Timestamp::from_unix_millis(0);
        Decided { account: 9, at, read: &[&trunk()] }.changes(outcome, &Ids::seeded(1))
    }

    #[test]
    fn an_update_keeps_the_attributes_that_it_does_not_name() {
        let update = RecordChange::Update {
            spec: VoiceOutTrunk::SPEC,
            id: ID.to_string(),
            attributes: json!({ "name": "U" }).as_object().unwrap().clone(),
            links: BTreeMap::from([("dids", vec![ID.to_string()])]),
            meta: None,
        };
        let event = Event { subject: ID.to_string(), url: "http://a.test".to_owned(), body: "{}".to_owned() };
        let changes = changes(WriteOutcome { changes: vec![update], events: vec![event] }).unwrap();
        let [Change::Replace { before, attributes, links, .. }, Change::Emit(event)] = changes.as_slice()
        else {
            panic!("{changes:?}")
        };
        assert_eq!(before, &trunk());
        let expected = json!({ "name": "U", "from_a_later_release": [1], "capacity_limit": 5 });
        assert_eq!(Some(attributes), expected.as_object());
        assert_eq!(links, &[("dids", vec![ID])]);
        assert_eq!((event.subject, event.form.clone()), (ID, EventForm::Trunk { account: 9 }));
    }

    #[test]
    fn an_update_that_changes_no_value_is_a_change_because_its_answer_rests_on_a_commit() {
        for attributes in [json!({}), json!({ "name": "T" })] {
            let (spec, id) = (VoiceOutTrunk::SPEC, ID.to_string());
            let attributes = attributes.as_object().unwrap().clone();
            let update = RecordChange::update(spec, &id, attributes, BTreeMap::new());
            let changes = changes(WriteOutcome { changes: vec![update], events: Vec::new() }).unwrap();
            assert!(matches!(changes.as_slice(), [Change::Replace { .. }]), "{changes:?}");
        }
    }

    #[test]
    fn what_is_created_is_linked_to_by_the_changes_behind_it() {
        let create = |links| RecordChange::Create {
            spec: VoiceOutTrunk::SPEC,
            attributes: serde_json::Map::new(),
            links,
            meta: None,
            later: None,
        };
        let named = |name: &str| vec![name.to_owned()];
        let links = BTreeMap::from([("dids", named(CREATED)), ("emergency_dids", named(CREATED_FIRST))]);
        let update =
            RecordChange::update(VoiceOutTrunk::SPEC, &ID.to_string(), serde_json::Map::new(), links);
        let second = create(BTreeMap::from([("dids", named(CREATED_FIRST))]));
        let outcome =
            WriteOutcome { changes: vec![create(BTreeMap::new()), second, update], events: Vec::new() };
        let changes = changes(outcome).unwrap();
        let [
            Change::Insert { id: first, .. },
            Change::Insert { id: second, links, .. },
            Change::Replace { links: updated, .. },
        ] = changes.as_slice()
        else {
            panic!("{changes:?}")
        };
        assert_eq!(links, &[("dids", vec![*first])]);
        assert_eq!(updated, &[("dids", vec![*second]), ("emergency_dids", vec![*first])]);
    }

    #[test]
    fn a_record_is_found_among_few_and_among_many_and_the_first_one_counts() {
        let of = |id: usize| Uuid::from_u128(id.try_into().unwrap());
        for count in [1, MAX_SEARCHED, MAX_SEARCHED + 1, 4 * MAX_SEARCHED] {
            let mut records: Vec<Record> = (0..count).map(|id| Record { id: of(id), ..trunk() }).collect();
            records.push(Record { revision: 9, ..records[0].clone() });
            let all: Vec<&Record> = records.iter().collect();
            let read = Read::new(&all);
            for record in &records[..count] {
                assert_eq!(read.record(&record.id.to_string()).unwrap(), record, "{count}");
            }
            assert!(read.record(&of(count).to_string()).is_err());
            assert!(read.record("no id").is_err());
        }
    }

    #[test]
    fn a_record_is_deleted_only_if_it_is_still_as_it_was_read() {
        let delete = RecordChange::Delete { spec: VoiceOutTrunk::SPEC, id: ID.to_string() };
        let changes = changes(WriteOutcome { changes: vec![delete], events: Vec::new() }).unwrap();
        assert!(matches!(
            changes.as_slice(),
            [Change::Unchanged { record }, Change::Delete { id, .. }] if record.revision == 3 && *id == ID
        ));
    }

    #[test]
    fn a_record_that_was_not_read_cannot_be_changed() {
        let delete = RecordChange::Delete { spec: VoiceOutTrunk::SPEC, id: Uuid::nil().to_string() };
        let outcome = WriteOutcome { changes: vec![delete], events: Vec::new() };
        assert!(matches!(changes(outcome), Err(StoreError::Failed(_))));
    }
}
