//! Changes: the parts of a write.

use std::sync::Arc;

use didww_types::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::call::{RunningCall, StoredCall};
use crate::document::{DocumentKind, NewDocument};
use crate::job::{IfScheduled, Job, JobLease};
use crate::outbox::NewEvent;
use crate::record::{Record, Scope};

/// One change of a write.
#[derive(Debug, Clone)]
pub enum Change {
    /// Creates a record, and links it to the members of its relationships.
    Insert {
        /// The account and the type.
        scope: Scope,
        /// The id of the new record on the wire.
        id: Uuid,
        /// When the record is created, on the server's clock.
        created_at: Timestamp,
        /// The attributes in canonical form. An absent one is null.
        attributes: Map<String, Value>,
        /// The ids of the members of each relationship.
        links: Vec<(&'static str, Vec<Uuid>)>,
        /// The `meta` object as JSON. `None` stores the one of a new record.
        meta: Option<String>,
    },
    /// Replaces the attributes of a record, and the members of the named relationships, if the record's revision is
    /// still the one that was read.
    Replace {
        /// The account and the type.
        scope: Scope,
        /// The record as it was read.
        before: Record,
        /// The new attributes in canonical form.
        attributes: Map<String, Value>,
        /// The ids of the members of each named relationship. A relationship that is not named keeps its members.
        links: Vec<(&'static str, Vec<Uuid>)>,
        /// The new `meta` object as JSON. `None` keeps the old one.
        meta: Option<String>,
    },
    /// Adds or removes members of a record's relationship, if the record's revision is still the one that was read.
    Members {
        /// The account and the type.
        scope: Scope,
        /// The record as it was read.
        owner: Record,
        /// The name of the relationship, as declared.
        relationship: &'static str,
        /// True to add the members, false to remove them.
        add: bool,
        /// The members' ids. To add a member twice, or to remove one that is not linked, has no effect.
        members: Vec<Uuid>,
    },
    /// Changes nothing, and conflicts unless a record's revision is still the one that was read: for decisions that
    /// depend on the record.
    Unchanged {
        /// The record as it was read.
        record: Record,
    },
    /// Changes nothing, and conflicts if a record has the target as a member of the relationship: for decisions that
    /// depend on this.
    Unlinked {
        /// The account, and the type of the records. If the target is one that all accounts share, those of every
        /// account count.
        owners: Scope,
        /// The name of the relationship, as declared.
        relationship: &'static str,
        /// The id of the target.
        target: Uuid,
    },
    /// Deletes a record, and its links in both directions.
    Delete {
        /// The account and the type.
        scope: Scope,
        /// The id of the record that is deleted.
        id: Uuid,
    },
    /// A call was answered. If it is stored already, only its `acknowledged` flag may be raised; if its call record is
    /// stored already, nothing changes.
    Answered(Arc<RunningCall>),
    /// The caller acknowledged the answer of the call with this id.
    Acknowledged(Uuid),
    /// All running calls are known to have been up until this time.
    Step(Timestamp),
    /// A call ended or was refused. Its record replaces the row that [`Answered`](Self::Answered) wrote. A second
    /// record with the same id is ignored.
    Call(Arc<StoredCall>),
    /// Asks the node that runs the call with this id to end it, by the change feed. Nothing is stored.
    HangUp(Uuid),
    /// Queues an event for delivery.
    Emit(Box<NewEvent>),
    /// Writes a document of the communication platform: creates it if `revision` is `None`, else replaces it if its
    /// revision is still the one that was read.
    Put {
        /// The revision that was read.
        revision: Option<i64>,
        /// The document to store.
        document: Box<NewDocument>,
    },
    /// Deletes a document and its index keys if its revision still matches. Otherwise nothing changes.
    Forget {
        /// The kind of the document that is deleted.
        kind: DocumentKind,
        /// The id of the document that is deleted.
        id: Uuid,
        /// The revision that was read.
        revision: i64,
    },
    /// Schedules a job. If the account has its maximum of jobs, the write fails with
    /// [`StoreError::Quota`](crate::StoreError::Quota).
    Schedule {
        /// The job, with the time at which it is due.
        job: Box<Job>,
        /// What happens if the kind has a job for the subject.
        existing: IfScheduled,
    },
    /// Deletes a job, if it exists. A run that is in progress cannot complete.
    Cancel {
        /// The kind of the job, which selects its handler.
        kind: &'static str,
        /// The subject of the job; with the kind, it identifies the job.
        subject: String,
    },
    /// A job is done, and is deleted. If the lease was lost, the write fails with
    /// [`StoreError::Conflict`](crate::StoreError::Conflict): the changes beside this one were decided by a run that no
    /// longer counts.
    Done(JobLease),
    /// A job is to run again. It fails as [`Done`](Self::Done) does.
    Reschedule {
        /// The lease of the run that ends.
        lease: JobLease,
        /// When the job is due.
        due_at: Timestamp,
        /// The number of runs to count: 0 after one that succeeded.
        attempts: u32,
        /// The new payload. `None` keeps the old one.
        payload: Option<String>,
    },
}

impl Change {
    /// Whether a record is created, changed or deleted.
    pub(crate) fn is_of_record(&self) -> bool {
        matches!(
            self,
            Self::Insert { .. } | Self::Replace { .. } | Self::Members { .. } | Self::Delete { .. }
        )
    }
}
