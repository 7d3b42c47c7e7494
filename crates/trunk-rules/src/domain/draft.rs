//! A write while its rules run.

use didww_types::{Resource, Violation};

use super::outcome::{Event, Later, Links, RecordChange};
use super::{Refusal, WriteContext};

/// A create or an update as the rules of its type have decided so far.
#[derive(Debug)]
pub struct Draft<R: Resource> {
    /// The stored record of an update; `None` for a create. Its relationships are not loaded.
    pub before: Option<R>,
    /// The attributes that the write sets: at first those of the request that are valid, in canonical form.
    pub changes: R::Partial,
    /// The ids of all members of each relationship that the write sets.
    pub links: Links,
    /// Records that are created before the one of the request, so that it can link to them: at most one.
    pub first: Vec<RecordChange>,
    /// Changes to other records in the same transaction.
    pub also: Vec<RecordChange>,
    /// The events that the write emits.
    pub events: Vec<Event>,
    /// The `meta` of a new record, as JSON text. Of a type whose answers have none, it is what the service keeps for itself.
    pub meta: Option<String>,
    /// What happens to a new record later.
    pub later: Option<Later>,
    /// The rules that are broken: at first those of the declaration.
    pub refusals: Vec<Refusal>,
}

impl<R: Resource> Draft<R> {
    /// Refuses relationships to records that the account does not have.
    pub fn require_linked_records(&mut self, context: &WriteContext<'_>) {
        require_linked_records(context, &mut self.refusals);
    }
}

pub(super) fn require_linked_records(context: &WriteContext<'_>, refusals: &mut Vec<Refusal>) {
    for (name, records) in context.links {
        if let Some(record) = records.iter().find(|record| record.attributes.is_none()) {
            let why = format!("the account has no record {}", record.id);
            refusals.push(Refusal::relationship(name, Violation::Invalid).because(why));
        }
    }
}
