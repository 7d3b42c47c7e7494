//! Runs reads and transactions on connections of the pool, and repeats those that may succeed when they are repeated.
//!
//! A read changes nothing, so it is repeated if its connection broke. A transaction is repeated if it lost against
//! another one, and if its connection broke before the commit was sent, so that nothing was changed. If the connection
//! breaks after that, it is unknown whether the transaction was committed.
//!
//! The server enforces the time limits. The client's own limits are longer, for a server that no longer answers; the
//! connection is closed then.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool_postgres::{HookError, Object, Pool, PoolError, TimeoutType};
use service_base::clock::{Clock, Stopwatch};
use service_base::log_limiter::LogLimiter;
use tokio::sync::OwnedRwLockReadGuard;
use tokio_postgres::Client;

use super::failure::{Done, Failure};
use super::open_error::reason;
use super::statements::{Reading, RepeatableStatements, Statements, Writing};
use super::transaction::{Announcement, Ending, Transaction};
use super::{Node, change_rows, idempotency, late, quotas, records};
use crate::idempotency::KeyUse;
use crate::{Answer, Asker, StoreError};

/// Maximum number of reads and writes that wait for a connection.
pub(super) const MAX_WAITING: usize = 4_096;
/// The longest time of a statement of a write, and between two of them. The server enforces it.
pub(super) const WRITE_LIMIT: Duration = Duration::from_secs(2);
/// The longest time of a read of fixed cost, with its repetitions.
const READ_LIMIT: Duration = Duration::from_secs(2);
/// The longest time of one attempt at a transaction, without its commit.
pub(super) const ATTEMPT_LIMIT: Duration = Duration::from_secs(3);
/// The longest time of a commit, which may wait for a standby. After it, the outcome counts as unknown.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);
/// The time in which a transaction is repeated.
const WRITE_BUDGET: Duration = Duration::from_secs(4);
/// Maximum number of attempts at a transaction that loses against others.
const MAX_ATTEMPTS: u32 = 20;
/// Maximum number of repetitions of a read or transaction because its connection broke. A restart of the server breaks
/// all connections of the pool, and each is only noticed when it is used.
const MAX_RECONNECTS: u32 = 3;

/// Limits the lines about connections that are not opened while the database can be reached, for example because it has
/// its maximum. Each request that needs one may have a line.
static NO_CONNECTION: LogLimiter = LogLimiter::new("further connections to the database could not be opened");

/// Limits the lines about writes that do not fit. The requests are answered, and not logged, one by one.
static FULL: LogLimiter = LogLimiter::once("writes were refused: the disk of the database is full");
/// Limits the lines about commits without an answer, for the same reason.
static UNKNOWN: LogLimiter = LogLimiter::new("commits had no answer");

/// The pool of connections that a read or write uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The common pool, whose connections requests and calls wait for.
    Common,
    /// The pool for heartbeats and takeovers: under overload other nodes would otherwise take this one for dead.
    Vital,
}

/// A connection of a pool. It is closed unless it is returned to the pool, because statements on it may still be
/// unanswered.
struct Connection(Option<Object>);

impl Connection {
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

impl Node {
    fn pool(&self, line: Line) -> &Pool {
        match line {
            Line::Common => &self.pool,
            Line::Vital => &self.vital_pool,
        }
    }

    /// Takes a connection of a pool, or opens one.
    async fn connection(&self, line: Line) -> Result<Object, StoreError> {
        let pool = self.pool(line);
        if pool.status().waiting >= MAX_WAITING {
            return Err(StoreError::Overloaded);
        }
        loop {
            if !self.freshness.is_certain().await {
                return Err(StoreError::Unavailable);
            }
            let object = pool.get().await.map_err(|error| self.no_connection(&error))?;
            if self.freshness.permits(Object::metrics(&object).created) {
                return Ok(object);
            }
            // The connection was opened before the database was lost.
            drop(Object::take(object));
        }
    }

    /// The error of a read or write for which there is no connection.
    fn no_connection(&self, error: &PoolError) -> StoreError {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => StoreError::Overloaded,
            PoolError::Closed => closed(),
            _ => {
                self.report_away(error);
                StoreError::Unavailable
            }
        }
    }

    /// Logs that no connection to the database can be opened.
    fn report_away(&self, error: &PoolError) {
        let why = match error {
            PoolError::Backend(cause) | PoolError::PostCreateHook(HookError::Backend(cause)) => reason(cause),
            other => other.to_string(),
        };
        if NO_CONNECTION.admits(&why, Clock::system().now()) {
            let (why, node) = (why.trim_end(), self.number);
            tracing::warn!(why, node, "a further connection to the database could not be opened");
        }
    }

    /// Runs a read of fixed cost.
    pub(super) async fn read<A, T, F>(&self, arguments: A, read: F) -> Result<T, StoreError>
    where
        A: Send + Sync,
        T: Send,
        F: for<'c> Fn(&'c Client, &'c A) -> Statements<'c, T> + Send + Sync,
    {
        self.read_on(Line::Common, arguments, read).await
    }

    /// As [`read`](Self::read), on these connections.
    pub(super) async fn read_on<A, T, F>(&self, line: Line, arguments: A, read: F) -> Result<T, StoreError>
    where
        A: Send + Sync,
        T: Send,
        F: for<'c> Fn(&'c Client, &'c A) -> Statements<'c, T> + Send + Sync,
    {
        let read = RepeatableStatements::new(arguments, read);
        self.read_within((line, READ_LIMIT), None, &read).await?;
        read.take()
    }

    /// Runs a read whose cost grows with the data, when it is the asker's turn. Its statements see one state of the
    /// database.
    pub(super) async fn long_read<A, T, F>(
        &self,
        asker: Asker,
        arguments: A,
        read: F,
    ) -> Result<T, StoreError>
    where
        A: Send + Sync,
        T: Send,
        F: for<'c> Fn(&'c Client, &'c A) -> Statements<'c, T> + Send + Sync,
    {
        let read = RepeatableStatements::new(arguments, read);
        let _turn = self.turns.wait(asker).await?;
        let limit = self.limits.time;
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {0}; \
             SET LOCAL idle_in_transaction_session_timeout = {0}",
            limit.as_millis().max(1)
        );
        // The last statement may end somewhat after its time limit.
        self.read_within((Line::Common, limit + limit / 2), Some(&begin), &read).await?;
        read.take()
    }

    async fn read_within(
        &self,
        (line, limit): (Line, Duration),
        begin: Option<&str>,
        read: &dyn Reading,
    ) -> Result<(), StoreError> {
        let attempts = self.attempt_reads(line, begin, read);
        tokio::time::timeout(limit, attempts).await.unwrap_or(Err(StoreError::TooLong))
    }

    /// Reads, in a transaction if there is a statement that begins it, until the connection does not break.
    async fn attempt_reads(
        &self,
        line: Line,
        begin: Option<&str>,
        read: &dyn Reading,
    ) -> Result<(), StoreError> {
        let mut reconnects = 0;
        loop {
            let connection = Connection(Some(self.connection(line).await?));
            let Some(client) = &connection.0 else { return Err(closed()) };
            let beginning = async {
                if let Some(begin) = begin {
                    client.batch_execute(begin).await?;
                }
                Ok::<(), Failure>(())
            };
            // If the transaction did not begin, the results are discarded, and nothing was changed.
            let outcome = async { tokio::try_join!(biased; beginning, read.run(client)) }.await.map(|_| ());
            let is_usable = match &outcome {
                Err(failure) if failure.is_broken() => false,
                _ if begin.is_none() => true,
                Ok(()) => client.batch_execute("COMMIT").await.is_ok(),
                Err(_) => client.batch_execute("ROLLBACK").await.is_ok(),
            };
            if is_usable {
                connection.give_back();
            }
            match outcome {
                Err(failure) if failure.is_broken() && reconnects < MAX_RECONNECTS => reconnects += 1,
                outcome => return outcome.map_err(|failure| failure.into_store_error(false)),
            }
        }
    }

    /// Runs a transaction, which is durable and known to this node when it is answered. It is completed even if the
    /// answer is dropped. A transaction of a request that uses an idempotency key also stores that.
    pub(super) fn write<A, T, F>(self: &Arc<Self>, arguments: A, write: F) -> Answer<'static, T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Transaction<'c>, &'c A) -> Statements<'c, T> + Send + Sync + 'static,
    {
        self.write_within(WRITE_LIMIT, arguments, write)
    }

    /// As [`write`](Self::write), with another time limit for each statement.
    pub(super) fn write_within<A, T, F>(
        self: &Arc<Self>,
        limit: Duration,
        arguments: A,
        write: F,
    ) -> Answer<'static, T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Transaction<'c>, &'c A) -> Statements<'c, T> + Send + Sync + 'static,
    {
        self.write_on((Line::Common, limit), arguments, write)
    }

    /// As [`write`](Self::write), on these connections, and with a time limit for each statement.
    pub(super) fn write_on<A, T, F>(
        self: &Arc<Self>,
        on: (Line, Duration),
        arguments: A,
        write: F,
    ) -> Answer<'static, T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Transaction<'c>, &'c A) -> Statements<'c, T> + Send + Sync + 'static,
    {
        // Closing the store waits for the writes that have begun.
        let Ok(open) = Arc::clone(&self.gate).try_read_owned() else { return Answer::ready(Err(closed())) };
        let written = Arc::new(RepeatableStatements::new(arguments, write));
        let (node, used) = (Arc::clone(self), KeyUse::current());
        let run = tokio::spawn(node.run_to_the_end(open, on, used, Arc::clone(&written) as Arc<dyn Writing>));
        Answer::later(async move {
            run.await.unwrap_or(Err(StoreError::Unknown))?;
            written.take()
        })
    }

    async fn run_to_the_end(
        self: Arc<Self>,
        open: OwnedRwLockReadGuard<()>,
        on: (Line, Duration),
        used: Option<KeyUse>,
        write: Arc<dyn Writing>,
    ) -> Result<(), StoreError> {
        let outcome = self.run(on, used.as_ref(), &*write).await;
        drop(open);
        outcome
    }

    /// Runs a transaction until it has an outcome that repeating it would not change.
    pub(super) async fn run(
        &self,
        (line, limit): (Line, Duration),
        used: Option<&KeyUse>,
        write: &dyn Writing,
    ) -> Result<(), StoreError> {
        let since = Stopwatch::start();
        let (mut attempts, mut reconnects, mut is_exact) = (0, 0, false);
        loop {
            let connection = Connection(Some(self.connection(line).await?));
            attempts += 1;
            match self.attempt(connection, limit, is_exact, used, write).await {
                Ok(()) => return Ok(()),
                Err(Failure::NearQuota) if !is_exact => is_exact = true,
                Err(failure)
                    if failure.is_lost_race()
                        && attempts < MAX_ATTEMPTS
                        && since.elapsed() < WRITE_BUDGET =>
                {
                    // The next attempts of transactions that lost against each other begin at different times.
                    let jitter = self.number() >> 12 & 7;
                    let pause = u64::from(attempts) + u64::try_from(jitter).unwrap_or_default();
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Err(failure) if failure.is_lost_race() => return Err(StoreError::Overloaded),
                Err(failure) if failure.is_broken() && reconnects < MAX_RECONNECTS => {
                    if failure.is_read_only() {
                        // Its connections work, also that of the poll: nothing else shows that it is not the primary.
                        self.freshness.doubt();
                    }
                    reconnects += 1;
                }
                Err(failure) => return Err(self.refused(failure)),
            }
        }
    }

    /// The error of a write that failed. A cause that only the operator can remove is logged.
    fn refused(&self, failure: Failure) -> StoreError {
        let error = failure.into_store_error(true);
        if error == StoreError::Full && FULL.admits((), Clock::system().now()) {
            tracing::error!(
                node = self.number,
                "the disk of the database is full: writes are refused until it has space again"
            );
        }
        error
    }

    /// Runs a transaction once. Every failure except [`StoreError::Unknown`] means that nothing was changed.
    async fn attempt(
        &self,
        connection: Connection,
        limit: Duration,
        is_exact: bool,
        used: Option<&KeyUse>,
        write: &dyn Writing,
    ) -> Done<()> {
        let Some(object) = &connection.0 else { return Err(closed().into()) };
        let client: &Client = object;
        let transaction = Transaction::new(client, self, limit, is_exact);
        let statements = async {
            write.run(&transaction).await?;
            // After the work, which fails more often.
            if let Some(used) = used {
                idempotency::claim(&transaction, used).await?;
            }
            // The statements that are sent with the commit must be part of the transaction.
            transaction.begun().await
        };
        let outcome = tokio::time::timeout(limit + limit / 2, statements).await;
        let (schedules, ending) = (transaction.schedules(), transaction.take_ending());
        drop(transaction);
        let finished = match outcome.unwrap_or(Err(Failure::Refused(StoreError::Overloaded))) {
            Ok(()) => self.finish(client, ending).await,
            Err(failure) => Err(failure),
        };
        let is_usable = match &finished {
            Ok(()) => true,
            Err(Failure::Refused(StoreError::Unknown)) => false,
            Err(failure) => !failure.is_broken() && is_answered(client.batch_execute("ROLLBACK")).await,
        };
        if is_usable {
            connection.give_back();
        }
        if schedules && finished.is_ok() {
            self.jobs_scheduled.send_replace(());
        }
        finished
    }

    /// Ends a transaction: runs the statements that wait to be sent, counts, announces the changes to the other nodes,
    /// commits, and adds the changes to the feed of this node. The statements are sent together with the commit, which
    /// fails if one of them does.
    async fn finish(&self, client: &Client, ending: Ending) -> Done<()> {
        let Ending { late, mut announced, counted, guards } = ending;
        let rows: Vec<i64> = announced.iter().map(|_| self.number()).collect();
        let shard = self.shards.next();
        let numbers: Vec<i64> = announced.iter().filter_map(record_number).collect();
        let with_links = self.feed.follows_records();
        // Before the commit, so that no poll adds the effects to the feed that this write adds itself.
        let marks = self.mark(&rows);
        let statements = async {
            tokio::try_join!(biased;
                late::run_all(client, &late),
                quotas::add(client, shard, &counted),
                quotas::check(client, &guards),
                async {
                    if with_links && !numbers.is_empty() { records::links(client, &numbers).await } else { Ok(HashMap::new()) }
                },
                async {
                    if announced.is_empty() { Ok(0) } else { change_rows::write_rows(client, self, &rows, &announced).await }
                },
                // A commit that waits for a standby must not be interrupted: it would be durable here and not there.
                async { Ok(client.batch_execute("SET LOCAL statement_timeout = 0; COMMIT").await?) },
            )
        };
        let (links, position) = match tokio::time::timeout(COMMIT_LIMIT, statements).await {
            Ok(Ok(((), (), (), links, position, ()))) => (links, position),
            Ok(Err(failure)) if !failure.is_broken() || failure.is_read_only() => return Err(failure),
            _ => {
                if UNKNOWN.admits((), Clock::system().now()) {
                    tracing::warn!(
                        node = self.number,
                        "a commit had no answer, so that it is not known whether it was done"
                    );
                }
                // Look-ups must not use a copy that may be outdated.
                self.known.doubt();
                self.freshness.doubt();
                return Err(StoreError::Unknown.into());
            }
        };
        self.commits.fetch_add(1, Ordering::Relaxed);
        marks.keep(position);
        if !announced.is_empty() {
            self.announced.notify_one();
        }
        self.update_known(client, &announced).await;
        for announcement in &mut announced {
            if let Announcement::Record { record, links: of, .. } = announcement {
                *of = records::by_relationship(&self.symbols, record.kind, links.get(&record.number));
            }
        }
        self.publish(announced, position, with_links);
        Ok(())
    }

    /// Updates this node's copies in memory with the changes that it has committed.
    async fn update_known(&self, client: &Client, announced: &[Announcement]) {
        for announcement in announced {
            let known = match announcement {
                Announcement::Account { number }
                | Announcement::Reset { account: Some(number), accounts: true } => {
                    self.known.load_account(client, *number).await
                }
                Announcement::TokenKeys | Announcement::Reset { account: None, accounts: true } => {
                    self.known.load(client).await
                }
                _ => continue,
            };
            if known.is_err() {
                // The next look-up reloads the directory.
                self.known.doubt();
            }
        }
    }
}

fn record_number(announcement: &Announcement) -> Option<i64> {
    match announcement {
        Announcement::Record { record, .. } => Some(record.number),
        _ => None,
    }
}

/// Whether a statement succeeds in a short time.
async fn is_answered(statement: impl Future<Output = Result<(), tokio_postgres::Error>>) -> bool {
    matches!(tokio::time::timeout(Duration::from_millis(500), statement).await, Ok(Ok(())))
}

/// The error of every read and write after the store is closed.
pub(super) fn closed() -> StoreError {
    StoreError::Failed("the store is closed".to_owned())
}
