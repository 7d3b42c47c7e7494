//! The audit: which records of accounts were changed, by whom, and when.
//!
//! An entry is a document in the transaction of the changes that it names, because
//! [`Core::commit`](crate::Core::commit) adds it: a handler cannot forget it, and a crash cannot separate them. It has
//! the names of the members that changed, and never a value. The rates of an account's outbound calls have entries too.
//! There is no entry for records that belong to no account, for changes of `meta` alone, such as the spending of a
//! trunk, for sums that the store computes, and for resets of whole accounts.
//!
//! The actor is the one that [`with_actor`] sets for the task; without it, it is the operator of the server.
//!
//! Bounds: an entry for each write. The module `audit_log` finds entries, and deletes old ones.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;
use serde::{Deserialize, Serialize};
use service_base::ids::Ids;
use trunk_store::{Change, DocumentKind, NewDocument, Scope, StoreError};
use uuid::Uuid;

use crate::price_plans;

/// The index key of the accounts whose records an entry names.
pub(crate) const ACCOUNT: &str = "account";
/// The index key of the records that an entry names.
pub(crate) const RECORD: &str = "record";

/// The number of nodes whose entries never have the same time. Node numbers ascend, so those of live nodes are close to
/// each other.
const DISTINCT_NODES: i64 = 64;

tokio::task_local! {
    /// The actor of the writes of this task.
    static ACTOR: Actor;
}

/// The actor that changes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The operator of the server, over the control API or in the process.
    Staff,
    /// The owner, with the API key that has this id, or with a token of it.
    Key(Uuid),
    /// The carrier edge, which blocks trunks at their thresholds.
    Edge,
    /// A job of this kind.
    Job(&'static str),
}

/// Runs a future. The writes that begin in it are those of an actor. Tasks that the future spawns are not included.
pub async fn with_actor<F: Future>(actor: Actor, future: F) -> F::Output {
    ACTOR.scope(actor, future).await
}

/// Whether the writes of this task are those of a job.
pub(crate) fn is_job() -> bool {
    ACTOR.try_with(|actor| matches!(actor, Actor::Job(_))).unwrap_or(false)
}

/// The actor that changed records, in its stored form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedBy {
    /// The kind of actor: `staff`, `key`, `edge` or `job`.
    pub kind: String,
    /// The id of the key, or the kind of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl From<Actor> for AuditedBy {
    fn from(actor: Actor) -> Self {
        let (kind, id) = match actor {
            Actor::Staff => ("staff", None),
            Actor::Key(id) => ("key", Some(id.to_string())),
            Actor::Edge => ("edge", None),
            Actor::Job(kind) => ("job", Some(kind.to_owned())),
        };
        Self { kind: kind.to_owned(), id }
    }
}

/// The change of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedChange {
    /// The number of the account that owns the record.
    pub account: i64,
    /// The type of the record, such as `voice_out_trunks`; `accounts` for the rates of an account.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the record on the wire.
    pub id: Uuid,
    /// The kind of change: `created`, `updated` or `deleted`.
    pub action: String,
    /// The attributes that an update changed, and the relationships that it wrote; empty for other actions.
    pub members: Vec<String>,
}

/// The body of an entry's document.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) at: Timestamp,
    pub(crate) by: AuditedBy,
    pub(crate) changes: Vec<AuditedChange>,
}

/// The state of the audit of a server. It is off until [`enable`](Self::enable) is called.
#[derive(Debug, Default)]
pub struct Audit {
    is_on: AtomicBool,
    /// The time of the newest entry, in microseconds. No two entries have the same time, so that a page can begin at a
    /// time.
    newest: Mutex<i64>,
}

impl Audit {
    /// Adds entries to all writes from now on.
    pub fn enable(&self) {
        self.is_on.store(true, Ordering::Release);
    }

    /// Returns whether writes have entries.
    pub fn is_enabled(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// The entry of a node for changes; `None` if they change no record and no rates of an account.
    pub(crate) fn entry(
        &self,
        changes: &[Change],
        at: Timestamp,
        ids: &Ids,
        node: i64,
    ) -> Result<Option<Change>, StoreError> {
        let mut audited = Vec::new();
        for change in changes {
            audited.extend(audit(change)?);
        }
        if audited.is_empty() {
            return Ok(None);
        }
        let accounts: BTreeSet<i64> = audited.iter().map(|change| change.account).collect();
        let records: BTreeSet<Uuid> = audited.iter().map(|change| change.id).collect();
        let accounts = accounts.into_iter().map(|account| (ACCOUNT, account.to_string()));
        let records = records.into_iter().map(|record| (RECORD, record.to_string()));
        let keys = accounts.chain(records).collect();
        let actor = ACTOR.try_with(|actor| *actor).unwrap_or(Actor::Staff);
        let body = Body { at, by: actor.into(), changes: audited };
        let body = serde_json::to_string(&body).map_err(|error| StoreError::Failed(error.to_string()))?;
        let document = NewDocument {
            kind: DocumentKind::AuditEntry,
            id: ids.record(at),
            customer: Uuid::nil(),
            created_at: self.moment(at, node),
            deleted: false,
            live: false,
            body,
            keyed: true,
            keys,
            unique: Vec::new(),
        };
        Ok(Some(Change::Put { revision: None, document: Box::new(document) }))
    }

    /// A time for a new entry, not before `at` and later than that of every other entry of this process. Nodes whose
    /// numbers differ by less than [`DISTINCT_NODES`] have different times.
    pub(crate) fn moment(&self, at: Timestamp, node: i64) -> i64 {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = at.as_unix_micros().max(newest.saturating_add(1));
        *newest = earliest.saturating_add(node.wrapping_sub(earliest).rem_euclid(DISTINCT_NODES));
        *newest
    }
}

/// The audited form of the write of a document: the rates of an account's outbound calls are a member of the account,
/// and not a record. `None` if the document is not the price plan of an account.
fn of_price_plan(document: &NewDocument) -> Option<AuditedChange> {
    if document.kind != DocumentKind::PricePlan {
        return None;
    }
    let number = document.keys.iter().find(|(name, _)| *name == price_plans::ACCOUNT);
    let account = number.and_then(|(_, number)| number.parse::<i64>().ok())?;
    Some(AuditedChange {
        account,
        kind: "accounts".to_owned(),
        id: document.id,
        action: "updated".to_owned(),
        members: vec!["rates".to_owned()],
    })
}

/// The audited form of a change; `None` if it changes neither a record of an account nor the rates of one.
fn audit(change: &Change) -> Result<Option<AuditedChange>, StoreError> {
    let (scope, id, action, members) = match change {
        Change::Insert { scope, id, .. } => (scope, *id, "created", Vec::new()),
        Change::Replace { scope, before, attributes, links, .. } => {
            let mut members: Vec<String> =
                before.replaced_by(attributes)?.into_iter().map(|(name, _)| name).collect();
            members.extend(links.iter().map(|(name, _)| (*name).to_owned()));
            if members.is_empty() {
                return Ok(None);
            }
            (scope, before.id, "updated", members)
        }
        Change::Members { scope, owner, relationship, .. } => {
            (scope, owner.id, "updated", vec![(*relationship).to_owned()])
        }
        Change::Delete { scope, id } => (scope, *id, "deleted", Vec::new()),
        Change::Put { document, .. } => return Ok(of_price_plan(document)),
        _ => return Ok(None),
    };
    let Scope { account, spec } = *scope;
    let action = action.to_owned();
    // The history of DIDs is a log itself, and the changes that it lists have entries.
    Ok((!spec.global && spec.kept_days.is_none()).then(|| AuditedChange {
        account,
        kind: spec.name.to_owned(),
        id,
        action,
        members,
    }))
}
