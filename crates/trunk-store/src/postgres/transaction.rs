//! A transaction of a write, and the data that it collects for its end: announcements to all nodes, and numbers of
//! records.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_postgres::{Client, Error, Row};
use uuid::Uuid;

use super::Node;
use super::failure::Done;
use super::late::{self, Late};
use super::parameter::Parameter;
use crate::{DocumentKind, Record};

/// The ids of the members of each relationship of a record.
pub(super) type Links = Vec<(&'static str, Vec<Uuid>)>;

/// A change of a transaction that other nodes must receive.
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
    /// Records were deleted, as [`Committed::Reset`](crate::Committed::Reset) describes.
    Reset { account: Option<i64>, accounts: bool },
}

/// A transaction, which begins with its first statement.
///
/// A statement is sent once `BEGIN` has succeeded: otherwise it would be a transaction of its own. Only statements for
/// which that is [harmless](Self::harmless) are sent after a `BEGIN` without an answer yet.
///
/// Each statement sees what was committed before it, as the locks of the writes require. A role or a database can have
/// another level of isolation by default, so `BEGIN` names this one.
pub(super) struct Transaction<'a> {
    client: &'a Client,
    begin: String,
    begun: OnceCell<()>,
    late: Mutex<Vec<Late>>,
    /// The node that runs it.
    pub(super) node: &'a Node,
    /// Whether numbers of records are counted exactly, because one is near a quota.
    pub(super) is_exact: bool,
    ending: Mutex<Ending>,
    schedules: AtomicBool,
}

/// The data for the end of a transaction.
#[derive(Default)]
pub(super) struct Ending {
    pub(super) late: Vec<Late>,
    pub(super) announced: Vec<Announcement>,
    /// By how much the number of records changed, by account and type; zero if records only changed.
    pub(super) counted: BTreeMap<(i64, i64), i64>,
    /// The quotas that must not be near at the end: account, type and quota.
    pub(super) guards: Vec<(i64, i64, i64)>,
}

impl<'a> Transaction<'a> {
    /// A transaction whose statements, and the time between two of them, are limited by the server.
    pub(super) fn new(client: &'a Client, node: &'a Node, limit: Duration, is_exact: bool) -> Self {
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {0}; \
             SET LOCAL idle_in_transaction_session_timeout = {0}",
            limit.as_millis()
        );
        let (begun, late, ending) = (OnceCell::new(), Mutex::default(), Mutex::default());
        Self { client, begin: sql, begun, late, node, is_exact, ending, schedules: AtomicBool::new(false) }
    }

    /// Begins the transaction, unless it has begun.
    pub(super) async fn begun(&self) -> Done<()> {
        self.begun.get_or_try_init(|| self.client.batch_execute(&self.begin)).await?;
        Ok(())
    }

    /// The client, for functions that run statements on one. The transaction has begun.
    pub(super) async fn client(&self) -> Done<&'a Client> {
        self.run(async { Ok(()) }).await?;
        Ok(self.client)
    }

    /// Statements that are harmless as transactions of their own, because they change nothing that is ever read.
    pub(super) fn harmless(&self) -> Harmless<'_, 'a> {
        Harmless(self)
    }

    /// Adds a statement whose outcome is not awaited.
    pub(super) fn later(&self, statement: Late) {
        self.waiting().push(statement);
    }

    pub(super) async fn query_typed(&self, sql: &str, parameters: &[Parameter<'_>]) -> Done<Vec<Row>> {
        self.run(self.client.query_typed(sql, parameters)).await
    }

    pub(super) async fn query_typed_one(&self, sql: &str, parameters: &[Parameter<'_>]) -> Done<Row> {
        self.run(self.client.query_typed_one(sql, parameters)).await
    }

    pub(super) async fn query_typed_opt(&self, sql: &str, parameters: &[Parameter<'_>]) -> Done<Option<Row>> {
        self.run(self.client.query_typed_opt(sql, parameters)).await
    }

    pub(super) async fn execute_typed(&self, sql: &str, parameters: &[Parameter<'_>]) -> Done<u64> {
        self.run(self.client.execute_typed(sql, parameters)).await
    }

    /// Runs a statement after those that wait to be sent.
    async fn run<T>(&self, statement: impl Future<Output = Result<T, Error>>) -> Done<T> {
        self.begun().await?;
        let late = std::mem::take(&mut *self.waiting());
        let ((), done) =
            tokio::try_join!(biased; late::run_all(self.client, &late), async { Ok(statement.await?) })?;
        Ok(done)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Late>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an announcement to all nodes, which is made when the transaction is committed.
    pub(super) fn announce(&self, announcement: Announcement) {
        self.ending().announced.push(announcement);
    }

    /// Counts a change among the records of a type, and adds `by` to their number.
    pub(super) fn count(&self, account: i64, kind: i64, by: i64) {
        *self.ending().counted.entry((account, kind)).or_default() += by;
    }

    /// The change of the number of records of a type by this transaction.
    pub(super) fn counted(&self, account: i64, kind: i64) -> i64 {
        self.ending().counted.get(&(account, kind)).copied().unwrap_or_default()
    }

    /// Makes the end of the transaction fail if the number of records of a type is near a quota by then.
    pub(super) fn guard(&self, account: i64, kind: i64, quota: i64) {
        self.ending().guards.push((account, kind, quota));
    }

    /// Records that a job is scheduled, which is reported after the commit.
    pub(super) fn note_schedule(&self) {
        self.schedules.store(true, Ordering::Relaxed);
    }

    /// Whether a job is scheduled.
    pub(super) fn schedules(&self) -> bool {
        self.schedules.load(Ordering::Relaxed)
    }

    /// Takes the data for the end.
    pub(super) fn take_ending(&self) -> Ending {
        let late = std::mem::take(&mut *self.waiting());
        Ending { late, ..std::mem::take(&mut *self.ending()) }
    }

    fn ending(&self) -> MutexGuard<'_, Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Statements that may be sent before the transaction is known to have begun. If it has not, they return that error.
pub(super) struct Harmless<'t, 'a>(&'t Transaction<'a>);

impl Harmless<'_, '_> {
    pub(super) async fn query_typed(&self, sql: &str, parameters: &[Parameter<'_>]) -> Done<Vec<Row>> {
        self.run(self.0.client.query_typed(sql, parameters)).await
    }

    pub(super) async fn query_typed_opt(&self, sql: &str, parameters: &[Parameter<'_>]) -> Done<Option<Row>> {
        self.run(self.0.client.query_typed_opt(sql, parameters)).await
    }

    pub(super) async fn execute_typed(&self, sql: &str, parameters: &[Parameter<'_>]) -> Done<u64> {
        self.run(self.0.client.execute_typed(sql, parameters)).await
    }

    async fn run<T>(&self, statement: impl Future<Output = Result<T, Error>>) -> Done<T> {
        if !self.0.waiting().is_empty() {
            // Waiting statements are sent before this one, and need the transaction.
            return self.0.run(statement).await;
        }
        let ((), done) = tokio::try_join!(biased; self.0.begun(), async { Ok(statement.await?) })?;
        Ok(done)
    }
}
