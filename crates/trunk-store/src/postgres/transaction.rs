//! A transaction of a write, and what it collects for its end: what every node learns, and the numbers of records.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_postgres::Client;
use uuid::Uuid;

use super::Node;
use crate::{DocumentKind, Record};

/// The ids of the members of each relationship of a record.
pub(super) type Links = Vec<(&'static str, Vec<Uuid>)>;

/// What a transaction changed, for the other nodes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Announcement {
    /// A record was created or changed. The links are added when the transaction ends, for followers of this node.
    Record { account: i64, record: Box<Record>, links: Links },
    /// A record was deleted.
    RecordDeleted { account: i64, kind: &'static str, id: Uuid, number: i64 },
    /// A document was replaced, or is new and of a kind that every node keeps. Other new documents, and those that are
    /// forgotten, are not announced.
    Document { kind: DocumentKind, id: Uuid, customer: Uuid, revision: i64 },
    /// An account or one of its keys was created, changed or removed.
    Account { number: i64 },
    /// A call was answered, or its answer acknowledged.
    CallRunning { account: i64, trunk: Uuid, call: Uuid },
    /// The record of a call that was answered, or has a price, was written.
    CallEnded { account: i64, trunk: Uuid, call: Uuid },
    /// A call is to be ended by the node that runs it.
    HangUp { call: Uuid },
    /// The keys that sign tokens were rotated.
    TokenKeys,
    /// Records were deleted, as [`Committed::Reset`](crate::Committed::Reset) says.
    Reset { account: Option<i64>, accounts: bool },
}

/// A transaction that has begun. Its statements are those of a client.
pub(super) struct Transaction<'a> {
    client: &'a Client,
    /// The node that runs it.
    pub(super) node: &'a Node,
    /// Whether numbers of records are counted exactly, because one is near a quota.
    pub(super) is_exact: bool,
    ending: Mutex<Ending>,
    schedules: AtomicBool,
}

/// What is done when the transaction ends.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) announced: Vec<Announcement>,
    /// By how much the number of records changed, by account and type; zero if records only changed.
    pub(super) counted: BTreeMap<(i64, i64), i64>,
    /// The quotas that must not be near by then: account, type and quota.
    pub(super) guards: Vec<(i64, i64, i64)>,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(client: &'a Client, node: &'a Node, is_exact: bool) -> Self {
        Self { client, node, is_exact, ending: Mutex::default(), schedules: AtomicBool::new(false) }
    }

    /// Adds to what every node learns when the transaction is committed.
    pub(super) fn announce(&self, announcement: Announcement) {
        self.ending().announced.push(announcement);
    }

    /// Counts a change among the records of a type, and adds `by` to their number.
    pub(super) fn count(&self, account: i64, kind: i64, by: i64) {
        *self.ending().counted.entry((account, kind)).or_default() += by;
    }

    /// What this transaction has added to the number of records of a type.
    pub(super) fn counted(&self, account: i64, kind: i64) -> i64 {
        self.ending().counted.get(&(account, kind)).copied().unwrap_or_default()
    }

    /// Makes the end fail if the number of records of a type is near a quota by then.
    pub(super) fn guard(&self, account: i64, kind: i64, quota: i64) {
        self.ending().guards.push((account, kind, quota));
    }

    /// Notes that a job is scheduled, which is reported after the commit.
    pub(super) fn note_schedule(&self) {
        self.schedules.store(true, Ordering::Relaxed);
    }

    /// Whether a job is scheduled.
    pub(super) fn schedules(&self) -> bool {
        self.schedules.load(Ordering::Relaxed)
    }

    /// Takes what was collected for the end.
    pub(super) fn take_ending(&self) -> Ending {
        std::mem::take(&mut *self.ending())
    }

    fn ending(&self) -> MutexGuard<'_, Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Transaction<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}
