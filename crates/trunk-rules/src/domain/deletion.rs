//! The inputs of a decision on a deletion.

use didww_types::{ApiVersion, Features, ResourceSpec, Timestamp};

use super::{Found, RecordChange, RecordText, WriteOutcome};

/// A deletion, with everything that the decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct DeleteContext<'a> {
    /// The type of the record.
    pub spec: &'static ResourceSpec,
    /// The record to delete, as stored.
    pub record: RecordText<'a>,
    /// The API version of the request.
    pub version: ApiVersion,
    /// The features of the account.
    pub features: Features,
    /// The time of the deletion.
    pub now: Timestamp,
    /// For each entry of [`Rules::DELETE_READS`](super::Rules::DELETE_READS), in its order, the ids of the records that
    /// were found: all members of a relationship, and of others at most [`MAX_RELATED_RECORDS`].
    pub related: &'a [Vec<String>],
    /// The records that were read for [`Rules::DELETE_NEEDS`](super::Rules::DELETE_NEEDS).
    pub found: &'a [Found],
}

/// Maximum number of related records that a decision on a deletion receives.
pub const MAX_RELATED_RECORDS: u64 = 100;

/// Maximum number of records that are deleted together with a record. A record with more is kept until some of them are
/// deleted.
pub const MAX_DEPENDENTS: u64 = 1000;

/// Records that are deleted with the member of their relationship, unless a rule of their own type forbids
/// that: then none is deleted. Every write that adds such a record also changes the revision of the member, so that
/// none is added while the member is deleted.
#[derive(Debug, Clone, Copy)]
pub struct Dependents {
    /// The type of the records.
    pub spec: &'static ResourceSpec,
    /// The name of their relationship that contains the deleted record.
    pub relationship: &'static str,
}

/// Records whose existence decides whether another one can be deleted.
#[derive(Debug, Clone, Copy)]
pub enum RelatedRecords {
    /// The members of a relationship of the record, at most [`MAX_DEPENDENTS`]: a record with more is kept.
    Members(&'static str),
    /// The records of a type that have the record as a member of a relationship. If there were none when the deletion
    /// was decided, it is decided again when there is one by the time it is stored.
    Owners(&'static ResourceSpec, &'static str),
    /// The records of a type from which a path of relationships leads to the record. The rule itself states the
    /// conditions of its decision: it can name links that must not exist with [`RecordChange::Unlinked`].
    ByPath(&'static ResourceSpec, &'static str),
}

impl DeleteContext<'_> {
    /// The outcome that deletes the record and changes nothing else.
    pub fn delete(&self) -> WriteOutcome {
        let change = RecordChange::Delete { spec: self.spec, id: self.record.id.to_owned() };
        WriteOutcome { changes: vec![change], events: Vec::new() }
    }
}
