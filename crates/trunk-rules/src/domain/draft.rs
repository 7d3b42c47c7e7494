//! The draft of a write, which its rules change.

use didww_types::{Resource, Violation};

use super::outcome::{Event, Later, Links, RecordChange};
use super::{Refusal, WriteContext};

/// A create or an update, with the decisions of its type's rules so far.
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
    /// The `meta` of a new record, as JSON text. If answers of the type have no `meta`, it is internal data of the
    /// service.
    pub meta: Option<String>,
    /// The job about a new record.
    pub later: Option<Later>,
    /// The broken rules: at first those of the declaration.
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
