//! Jobs in the embedded engine: due times, leases, and the bound on the jobs of an account.

use std::time::Duration;

use didww_types::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tokio::sync::watch;

use super::SqliteStore;
use super::error::failed;
use crate::job::{MAX_JOBS_PER_ACCOUNT, MAX_PAYLOAD_BYTES, MAX_SUBJECT_BYTES};
use crate::{Answer, IfScheduled, Job, JobLease, Jobs, LeasedJob, StoreError, TakeJobs};

macro_rules! columns {
    () => {
        "number, revision, attempts, subject, account, due_at, payload"
    };
}

/// Selects the jobs of a kind that are due and that no node holds.
const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM job WHERE kind = ?1 AND holder IS NULL AND due_at <= ?2 ORDER BY due_at, number LIMIT ?3"
);

/// Selects the jobs of a kind whose lease by another node has expired.
const EXPIRED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM job WHERE kind = ?1 AND holder IS NOT NULL AND held_until <= ?2 AND holder <> ?4 \
     ORDER BY held_until, number LIMIT ?3"
);

/// Selects when the next job of a kind is due that no node holds.
const NEXT_DUE: &str = "SELECT min(due_at) FROM job WHERE kind = ?1 AND holder IS NULL";

/// Selects when the next lease of another node ends.
const NEXT_EXPIRED: &str =
    "SELECT min(held_until) FROM job WHERE kind = ?1 AND holder IS NOT NULL AND holder <> ?2";

/// Selects the jobs that a node holds.
const HELD: &str = "SELECT number, revision FROM job WHERE holder = ?1";

impl Jobs for SqliteStore {
    fn job(&self, kind: &'static str, subject: String) -> Answer<'_, Option<Job>> {
        Answer::ready(self.connections.read(|connection| find(connection, kind, &subject)))
    }

    fn next_job(&self, node: i64, kinds: Vec<&'static str>) -> Answer<'_, Option<Timestamp>> {
        Answer::ready(self.connections.read(|connection| next(connection, node, &kinds)))
    }

    fn take_jobs(&self, take: TakeJobs) -> Answer<'_, Vec<LeasedJob>> {
        Answer::later(self.connections.write(move |connection| self::take(connection, &take)))
    }

    fn release_jobs(&self, node: i64, running: Vec<JobLease>) -> Answer<'_, u64> {
        // After an orderly stop there are none, and the start writes nothing.
        let held = self.connections.read(|connection| {
            connection.prepare_cached(HELD).and_then(|mut select| select.exists([node])).map_err(failed)
        });
        match held {
            Ok(true) => {
                Answer::later(self.connections.write(move |connection| release(connection, node, &running)))
            }
            Ok(false) => Answer::ready(Ok(0)),
            Err(error) => Answer::ready(Err(error)),
        }
    }

    fn set_back_jobs(&self, now: Timestamp, by: Duration) -> Answer<'_, ()> {
        Answer::later(self.connections.write(move |connection| set_back(connection, now, by)))
    }

    fn jobs_scheduled(&self) -> watch::Receiver<()> {
        self.jobs_scheduled.subscribe()
    }
}

/// Inserts a job, or changes the one that exists.
pub(super) fn schedule(connection: &Connection, job: &Job, existing: IfScheduled) -> Result<(), StoreError> {
    check_size("subject", job.subject.len(), MAX_SUBJECT_BYTES)?;
    check_size("payload", job.payload.len(), MAX_PAYLOAD_BYTES)?;
    if let Some(account) = job.account {
        check_quota(connection, job, account)?;
    }
    let sql = match existing {
        IfScheduled::Replace => {
            "INSERT INTO job (kind, subject, account, due_at, payload) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (kind, subject) DO UPDATE SET account = excluded.account, due_at = excluded.due_at, \
             payload = excluded.payload, attempts = 0, revision = revision + 1, holder = NULL, held_until = NULL"
        }
        IfScheduled::KeepEarlier => {
            "INSERT INTO job (kind, subject, account, due_at, payload) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (kind, subject) DO UPDATE SET due_at = excluded.due_at WHERE due_at > excluded.due_at"
        }
    };
    connection
        .prepare_cached(sql)
        .and_then(|mut upsert| {
            upsert.execute(params![
                job.kind,
                job.subject,
                job.account,
                job.due_at.as_unix_millis(),
                job.payload
            ])
        })
        .map(|_| ())
        .map_err(failed)
}

fn check_size(what: &'static str, bytes: usize, most: usize) -> Result<(), StoreError> {
    if bytes > most { Err(StoreError::JobTooLarge { what, most }) } else { Ok(()) }
}

/// Refuses a further job if the account has the maximum number of jobs. A job that exists may be scheduled again.
fn check_quota(connection: &Connection, job: &Job, account: i64) -> Result<(), StoreError> {
    let most = i64::try_from(MAX_JOBS_PER_ACCOUNT).unwrap_or(i64::MAX);
    let is_full = connection
        .prepare_cached(
            "SELECT 1 FROM job WHERE account = ?1 \
             AND NOT EXISTS (SELECT 1 FROM job WHERE kind = ?3 AND subject = ?4 AND account = ?1) LIMIT 1 OFFSET ?2",
        )
        .and_then(|mut select| select.exists(params![account, most - 1, job.kind, job.subject]))
        .map_err(failed)?;
    if is_full { Err(StoreError::Quota { kind: "jobs", most: MAX_JOBS_PER_ACCOUNT }) } else { Ok(()) }
}

/// Deletes a job, if it exists.
pub(super) fn cancel(connection: &Connection, kind: &str, subject: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM job WHERE kind = ?1 AND subject = ?2")
        .and_then(|mut delete| delete.execute(params![kind, subject]))
        .map(|_| ())
        .map_err(failed)
}

/// Deletes a job that is done.
pub(super) fn complete(connection: &Connection, lease: JobLease) -> Result<(), StoreError> {
    let deleted = connection
        .prepare_cached("DELETE FROM job WHERE number = ?1 AND revision = ?2")
        .and_then(|mut delete| delete.execute(params![lease.number, lease.revision]))
        .map_err(failed)?;
    if deleted == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

/// Ends a lease, and sets when the job is due again.
pub(super) fn reschedule(
    connection: &Connection,
    lease: JobLease,
    due_at: Timestamp,
    attempts: u32,
    payload: Option<&str>,
) -> Result<(), StoreError> {
    check_size("payload", payload.map_or(0, str::len), MAX_PAYLOAD_BYTES)?;
    let changed = connection
        .prepare_cached(
            "UPDATE job SET due_at = ?3, attempts = ?4, payload = coalesce(?5, payload), revision = revision + 1, \
             holder = NULL, held_until = NULL WHERE number = ?1 AND revision = ?2",
        )
        .and_then(|mut update| {
            let due_at = due_at.as_unix_millis();
            update.execute(params![lease.number, lease.revision, due_at, attempts, payload])
        })
        .map_err(failed)?;
    if changed == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

fn find(connection: &Connection, kind: &'static str, subject: &str) -> Result<Option<Job>, StoreError> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM job WHERE kind = ?1 AND subject = ?2"))
        .map_err(failed)?
        .query_row(params![kind, subject], |row| read(row, kind))
        .optional()
        .map(|found| found.map(|leased| leased.job))
        .map_err(failed)
}

fn next(connection: &Connection, node: i64, kinds: &[&'static str]) -> Result<Option<Timestamp>, StoreError> {
    let mut next: Option<i64> = None;
    for kind in kinds {
        let mut at_least = |at: Option<i64>| next = next.into_iter().chain(at).min();
        let mut due = connection.prepare_cached(NEXT_DUE).map_err(failed)?;
        at_least(due.query_row(params![kind], |row| row.get(0)).map_err(failed)?);
        let mut expired = connection.prepare_cached(NEXT_EXPIRED).map_err(failed)?;
        at_least(expired.query_row(params![kind, node], |row| row.get(0)).map_err(failed)?);
    }
    Ok(next.map(Timestamp::from_unix_millis))
}

fn take(connection: &Connection, take: &TakeJobs) -> Result<Vec<LeasedJob>, StoreError> {
    let mut taken = Vec::new();
    for (kind, most) in &take.kinds {
        let limit = i64::try_from(*most).unwrap_or(i64::MAX);
        let mut due = select(connection, DUE, kind, params![kind, take.now.as_unix_millis(), limit])?;
        let expired = params![kind, take.now.as_unix_millis(), limit, take.node];
        due.extend(select(connection, EXPIRED, kind, expired)?);
        due.sort_by_key(order);
        due.truncate(usize::try_from(*most).unwrap_or(usize::MAX));
        taken.extend(due);
    }
    taken.sort_by_key(order);
    for leased in &mut taken {
        leased.attempts = leased.attempts.saturating_add(1);
        leased.lease.revision += 1;
        connection
            .prepare_cached(
                "UPDATE job SET holder = ?2, held_until = ?3, attempts = ?4, revision = ?5 WHERE number = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![
                    leased.lease.number,
                    take.node,
                    take.until.as_unix_millis(),
                    leased.attempts,
                    leased.lease.revision
                ])
            })
            .map_err(failed)?;
    }
    Ok(taken)
}

/// The order in which jobs are returned.
fn order(leased: &LeasedJob) -> (Timestamp, i64) {
    (leased.job.due_at, leased.lease.number)
}

fn select(
    connection: &Connection,
    sql: &str,
    kind: &'static str,
    parameters: &[&dyn rusqlite::ToSql],
) -> Result<Vec<LeasedJob>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let rows = statement.query_map(parameters, |row| read(row, kind)).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn read(row: &Row<'_>, kind: &'static str) -> rusqlite::Result<LeasedJob> {
    Ok(LeasedJob {
        lease: JobLease { number: row.get(0)?, revision: row.get(1)? },
        attempts: row.get(2)?,
        job: Job {
            kind,
            subject: row.get(3)?,
            account: row.get(4)?,
            due_at: Timestamp::from_unix_millis(row.get(5)?),
            payload: row.get(6)?,
        },
    })
}

fn release(connection: &Connection, node: i64, running: &[JobLease]) -> Result<u64, StoreError> {
    let mut select = connection.prepare_cached(HELD).map_err(failed)?;
    let rows = select
        .query_map([node], |row| Ok(JobLease { number: row.get(0)?, revision: row.get(1)? }))
        .map_err(failed)?;
    let held = rows.collect::<Result<Vec<JobLease>, _>>().map_err(failed)?;
    let mut released = 0;
    for lease in held.iter().filter(|lease| !running.contains(lease)) {
        connection
            .prepare_cached(
                "UPDATE job SET holder = NULL, held_until = NULL, revision = revision + 1 WHERE number = ?1",
            )
            .and_then(|mut update| update.execute([lease.number]))
            .map_err(failed)?;
        released += 1;
    }
    Ok(released)
}

fn set_back(connection: &Connection, now: Timestamp, by: Duration) -> Result<(), StoreError> {
    let (now, by) = (now.as_unix_millis(), i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    for sql in [
        "UPDATE job SET due_at = max(due_at - ?2, ?1) WHERE due_at > ?1",
        "UPDATE job SET held_until = max(held_until - ?2, ?1) WHERE held_until > ?1",
    ] {
        connection.execute(sql, params![now, by]).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::plan::assert_seeks;

    #[test]
    fn due_jobs_are_found_by_an_index_however_many_wait() {
        let store = SqliteStore::in_memory().unwrap();
        store
            .connections
            .read(|connection| {
                for (sql, index) in [
                    (DUE, "job_due"),
                    (EXPIRED, "job_held"),
                    (NEXT_DUE, "job_due"),
                    (NEXT_EXPIRED, "job_held"),
                    (HELD, "job_holder"),
                ] {
                    assert_seeks(connection, sql, index);
                }
                Ok(())
            })
            .unwrap();
    }
}
