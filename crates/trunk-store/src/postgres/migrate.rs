//! Brings the tables up to date: one node migrates, and the others wait.
//!
//! Migrations are forward only. The node that migrates holds a lease in the row of the schema's version, so that one
//! that dies blocks the others for [`LEASE`] at most. It holds it until the symbols and the index are in line with its
//! declarations too. A transaction that may take longer than the lease locks the row, which no other node takes then,
//! and extends the lease at its end.

use std::time::Duration;

use service_base::ids::Ids;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row};
use uuid::Uuid;

use super::open_error::PostgresOpenError;
use super::parameter::Parameter;

/// The migrations, one for each version of the schema: the version of the schema is the number of the last one. Each is
/// a list of files.
pub(super) const MIGRATIONS: &[&[&str]] = &[
    &[
        include_str!("schema/01_engine.sql"),
        include_str!("schema/02_records.sql"),
        include_str!("schema/03_accounts.sql"),
        include_str!("schema/04_documents.sql"),
        include_str!("schema/05_outbox.sql"),
        include_str!("schema/06_calls.sql"),
        include_str!("schema/07_jobs.sql"),
        include_str!("schema/08_idempotency.sql"),
        include_str!("schema/09_callback_secrets.sql"),
        include_str!("schema/10_token_keys.sql"),
        include_str!("schema/11_nodes.sql"),
        include_str!("schema/12_transfer.sql"),
    ],
    &[include_str!("schema/13_rate_shares.sql")],
];

/// The version of the schema, and the node that migrates it now.
const VERSION: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
CREATE TABLE IF NOT EXISTS schema_version (
    only_row    boolean     PRIMARY KEY CHECK (only_row),
    version     bigint      NOT NULL,
    migrator    uuid,
    lease_until timestamptz
);
INSERT INTO schema_version (only_row, version) VALUES (true, 0) ON CONFLICT DO NOTHING;
COMMIT";

/// Begins a transaction whose statements may take as long as they need, and each of which sees what was committed
/// before. A role can have a limit and another level of isolation, and a pooler can hand out a connection with the limit
/// that a running server has set.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; \
                                SET LOCAL idle_in_transaction_session_timeout = 0";

/// The time after which another node may migrate, unless the lease was extended.
const LEASE: &str = "30s";
/// Time between two checks whether another node still migrates.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// The longest time, in milliseconds, for which a change of the schema waits for a lock. All later statements on the
/// same table wait behind it, including those of running nodes.
const LOCK_LIMIT_MS: u32 = 1_000;
/// The time in which those statements are executed, before the change is tried again.
const LOCK_PAUSE: Duration = Duration::from_secs(1);
/// How often a change is tried that waits for a lock.
const LOCK_ATTEMPTS: u32 = 6;

/// The right to change the schema and the index.
pub(super) struct Lease {
    holder: Uuid,
}

impl Lease {
    /// Waits until no other node has the lease, and takes it.
    ///
    /// # Errors
    /// [`PostgresOpenError::Newer`] if a newer server has changed the schema.
    pub(super) async fn take(client: &Client, ids: &Ids) -> Result<Self, PostgresOpenError> {
        create(client).await?;
        let holder = Uuid::from_u64_pair(ids.word(), ids.word());
        let take = format!(
            "UPDATE schema_version SET migrator = $1, lease_until = now() + interval '{LEASE}' \
             WHERE only_row = (SELECT only_row FROM schema_version \
                 WHERE migrator IS NULL OR lease_until < now() FOR UPDATE SKIP LOCKED) RETURNING version"
        );
        let mut is_told = false;
        loop {
            if !alone(client, &take, &[(&holder, Type::UUID)]).await?.is_empty() {
                return Ok(Self { holder });
            }
            check(client).await?;
            if !is_told {
                tracing::info!("another node brings the database up to date; this one waits for it");
                is_told = true;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Extends the lease.
    ///
    /// # Errors
    /// If another node has the lease by now.
    async fn extend(&self, client: &Client) -> Result<(), PostgresOpenError> {
        let extended = alone(client, &extension(), &[(&self.holder, Type::UUID)]).await?;
        if extended.is_empty() { Err(lost()) } else { Ok(()) }
    }

    /// Begins a transaction that keeps the lease however long it takes. A node that dies in between is noticed by the
    /// time limit of an idle transaction.
    ///
    /// # Errors
    /// If another node has the lease by now.
    pub(super) async fn begin(&self, client: &Client) -> Result<(), PostgresOpenError> {
        let begin = format!("{BEGIN}; SET LOCAL idle_in_transaction_session_timeout = '{LEASE}'");
        client.batch_execute(&begin).await?;
        if self.lock(client).await? {
            return Ok(());
        }
        client.batch_execute("ROLLBACK").await?;
        Err(lost())
    }

    /// Commits a transaction that [`begin`](Self::begin) began, and extends the lease in it.
    pub(super) async fn commit(&self, client: &Client) -> Result<(), PostgresOpenError> {
        client.query_typed(&extension(), &[(&self.holder, Type::UUID)]).await?;
        client.batch_execute("COMMIT").await?;
        Ok(())
    }

    /// Locks the lease until the end of a transaction. Returns false if another node has it by now.
    async fn lock(&self, client: &Client) -> Result<bool, Error> {
        let lock = "SELECT 1 FROM schema_version WHERE only_row AND migrator = $1 FOR UPDATE";
        Ok(client.query_typed_opt(lock, &[(&self.holder, Type::UUID)]).await?.is_some())
    }

    /// Applies the migrations that are missing, each in a transaction.
    pub(super) async fn migrate(&self, client: &Client) -> Result<(), PostgresOpenError> {
        let version = check(client).await?;
        let applied = usize::try_from(version).unwrap_or_default();
        for (to, migration) in (1_i64..).zip(MIGRATIONS).skip(applied) {
            self.apply(client, to, migration).await?;
            tracing::info!(schema = to, "the database was brought up to date");
        }
        Ok(())
    }

    /// Applies a migration. If others hold the locks that it needs, it leaves their queue to those behind it, and tries
    /// again.
    async fn apply(&self, client: &Client, to: i64, migration: &[&str]) -> Result<(), PostgresOpenError> {
        for left in (0..LOCK_ATTEMPTS).rev() {
            self.extend(client).await?;
            match self.try_apply(client, to, migration).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    client.batch_execute("ROLLBACK").await?;
                    return Err(lost());
                }
                Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                    client.batch_execute("ROLLBACK").await?;
                    if left > 0 {
                        tracing::warn!(
                            schema = to,
                            attempts_left = left,
                            "another transaction keeps this server from bringing the database up to date; trying again"
                        );
                        tokio::time::sleep(LOCK_PAUSE).await;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(PostgresOpenError::Engine(format!(
            "it cannot be brought up to date to schema {to}, because another transaction keeps its tables locked; end that, \
             such as a long query or a dump (pg_stat_activity lists it), and start again"
        )))
    }

    /// Returns false if another node has the lease by now.
    async fn try_apply(&self, client: &Client, to: i64, migration: &[&str]) -> Result<bool, Error> {
        let begin = format!(
            "{BEGIN}; SET LOCAL idle_in_transaction_session_timeout = '{LEASE}'; \
             SET LOCAL lock_timeout = {LOCK_LIMIT_MS}"
        );
        client.batch_execute(&begin).await?;
        if !self.lock(client).await? {
            return Ok(false);
        }
        for part in migration {
            client.batch_execute(part).await?;
        }
        let note = format!(
            "UPDATE schema_version SET version = $1, lease_until = clock_timestamp() + interval '{LEASE}' \
             WHERE only_row AND migrator = $2 AND version = $1 - 1"
        );
        let noted = client.execute_typed(&note, &[(&to, Type::INT8), (&self.holder, Type::UUID)]).await?;
        if noted > 0 {
            client.batch_execute("COMMIT").await?;
        }
        Ok(noted > 0)
    }

    /// Ends the lease after the work that needed it, whose error is returned rather than that of the end, which it may
    /// have caused.
    pub(super) async fn end<T>(
        self,
        client: &Client,
        outcome: Result<T, PostgresOpenError>,
    ) -> Result<T, PostgresOpenError> {
        if outcome.is_err() {
            // A failed transaction would prevent the end of the lease. Outside of one this is only a warning.
            let _undone = client.batch_execute("ROLLBACK").await;
        }
        let end =
            "UPDATE schema_version SET migrator = NULL, lease_until = NULL WHERE only_row AND migrator = $1";
        let ended = alone(client, end, &[(&self.holder, Type::UUID)]).await;
        let done = outcome?;
        ended?;
        Ok(done)
    }
}

/// Extends the lease from the present time, and not from the beginning of the transaction.
fn extension() -> String {
    format!(
        "UPDATE schema_version SET lease_until = clock_timestamp() + interval '{LEASE}' \
         WHERE only_row AND migrator = $1 RETURNING version"
    )
}

/// Runs a statement in a transaction of its own, which does not have the database's default level of isolation: with
/// another one, a node whose statement meets another node's fails instead of waiting.
pub(super) async fn alone(
    client: &Client,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, Error> {
    client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    match client.query_typed(sql, parameters).await {
        Ok(rows) => client.batch_execute("COMMIT").await.map(|()| rows),
        Err(error) => {
            // The statement's error is more useful than that of a connection that broke.
            let _undone = client.batch_execute("ROLLBACK").await;
            Err(error)
        }
    }
}

fn lost() -> PostgresOpenError {
    PostgresOpenError::Engine(
        "another node brings it up to date, since this one was too slow; start again".to_owned(),
    )
}

/// Returns the version of the schema, unless it is newer than those that this server knows.
async fn check(client: &Client) -> Result<i64, PostgresOpenError> {
    let row = client.query_typed_one("SELECT version FROM schema_version WHERE only_row", &[]).await?;
    let schema: i64 = row.try_get(0)?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if schema > known { Err(PostgresOpenError::Newer { schema, known }) } else { Ok(schema) }
}

/// Creates the table with the version. Nodes that start at the same time can conflict in the server's catalogue.
async fn create(client: &Client) -> Result<(), PostgresOpenError> {
    for _ in 0..20 {
        match client.batch_execute(VERSION).await {
            Ok(()) => {
                check(client).await?;
                return Ok(());
            }
            Err(error)
                if [&SqlState::UNIQUE_VIOLATION, &SqlState::DUPLICATE_TABLE, &SqlState::DUPLICATE_OBJECT]
                    .map(Some)
                    .contains(&error.code()) =>
            {
                client.batch_execute("ROLLBACK").await?;
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(PostgresOpenError::Engine("the table schema_version cannot be created".to_owned()))
}
