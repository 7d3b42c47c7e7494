//! Jobs: due times, leases, and the bound on the jobs of an account.
//!
//! All times are by the clocks of the nodes, as the trait documents: a lease ends by the clock of another node. The
//! number and the revision of a lease decide whether a run still counts.

use std::collections::HashSet;
use std::time::Duration;

use didww_types::Timestamp;
use tokio::sync::watch;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::PostgresStore;
use super::failure::Done;
use super::parameter::Parameter;
use super::transaction::Transaction;
use crate::job::{MAX_JOBS_PER_ACCOUNT, MAX_PAYLOAD_BYTES, MAX_SUBJECT_BYTES};
use crate::{Answer, IfScheduled, Job, JobLease, Jobs, LeasedJob, StoreError, TakeJobs};

/// Locks the jobs of accounts against further ones.
const LOCK_ACCOUNTS: &str = "INSERT INTO job_owner AS o (account) \
     SELECT DISTINCT account FROM unnest($1::bigint[]) AS w (account) WHERE account IS NOT NULL ORDER BY account \
     ON CONFLICT (account) DO UPDATE SET account = excluded.account";

/// Inserts jobs, or changes those that exist, unless an account would have more than its maximum. A job that an account
/// has already does not count again.
macro_rules! schedule {
    ($change:literal) => {
        concat!(
            "WITH wanted AS (\
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[]) \
                 AS w (account, number, kind, subject, due_at, payload)), \
             overfull AS (\
                 SELECT 1 FROM (\
                     SELECT w.account, count(*) AS further FROM wanted w WHERE w.account IS NOT NULL \
                     AND NOT EXISTS (SELECT 1 FROM job j \
                         WHERE j.kind = w.kind AND j.subject = w.subject AND j.account = w.account) \
                     GROUP BY w.account) AS f \
                 WHERE f.further + (SELECT count(*) FROM job j WHERE j.account = f.account) > $7), \
             scheduled AS (\
                 INSERT INTO job AS j (number, kind, subject, account, due_at, payload, attempts, revision) \
                 SELECT number, kind, subject, account, due_at, payload, 0, 0 FROM wanted \
                 WHERE NOT EXISTS (SELECT 1 FROM overfull) ORDER BY kind, subject \
                 ON CONFLICT (kind, subject) DO UPDATE SET ",
            $change,
            ") SELECT EXISTS (SELECT 1 FROM overfull)"
        )
    };
}

const REPLACE: &str = schedule!(
    "account = excluded.account, due_at = excluded.due_at, payload = excluded.payload, attempts = 0, \
     revision = j.revision + 1, holder = NULL, held_until = NULL"
);
const KEEP_EARLIER: &str = schedule!("due_at = excluded.due_at WHERE j.due_at > excluded.due_at");

/// As several [`Change::Schedule`](crate::Change::Schedule), one after the other.
pub(super) async fn schedule(transaction: &Transaction<'_>, jobs: &[(&Job, IfScheduled)]) -> Done<()> {
    let mut rest = jobs;
    while let Some((job, existing)) = rest.first() {
        check_sizes(job)?;
        // A statement changes a job once, and all of its jobs in the same way.
        let mut keys = HashSet::new();
        let together = rest.iter().take_while(|(job, each)| {
            each == existing && check_sizes(job).is_ok() && keys.insert((job.kind, job.subject.as_str()))
        });
        let (these, after) = rest.split_at(together.count());
        schedule_together(transaction, these, *existing).await?;
        rest = after;
    }
    Ok(())
}

fn check_sizes(job: &Job) -> Result<(), StoreError> {
    check_size("subject", job.subject.len(), MAX_SUBJECT_BYTES)?;
    check_size("payload", job.payload.len(), MAX_PAYLOAD_BYTES)
}

async fn schedule_together(
    transaction: &Transaction<'_>,
    jobs: &[(&Job, IfScheduled)],
    existing: IfScheduled,
) -> Done<()> {
    let accounts: Vec<Option<i64>> = jobs.iter().map(|(job, _)| job.account).collect();
    let numbers: Vec<i64> = jobs.iter().map(|_| transaction.node.number()).collect();
    let kinds: Vec<&str> = jobs.iter().map(|(job, _)| job.kind).collect();
    let subjects: Vec<&str> = jobs.iter().map(|(job, _)| job.subject.as_str()).collect();
    let due_at: Vec<i64> = jobs.iter().map(|(job, _)| job.due_at.as_unix_millis()).collect();
    let payloads: Vec<&str> = jobs.iter().map(|(job, _)| job.payload.as_str()).collect();
    let most = i64::try_from(MAX_JOBS_PER_ACCOUNT).unwrap_or(i64::MAX);
    let parameters: [Parameter<'_>; 7] = [
        (&accounts, Type::INT8_ARRAY),
        (&numbers, Type::INT8_ARRAY),
        (&kinds, Type::TEXT_ARRAY),
        (&subjects, Type::TEXT_ARRAY),
        (&due_at, Type::INT8_ARRAY),
        (&payloads, Type::TEXT_ARRAY),
        (&most, Type::INT8),
    ];
    let lock = async {
        if accounts.iter().all(Option::is_none) {
            return Ok(0);
        }
        transaction.execute_typed(LOCK_ACCOUNTS, &[(&accounts, Type::INT8_ARRAY)]).await
    };
    let upsert = match existing {
        IfScheduled::Replace => REPLACE,
        IfScheduled::KeepEarlier => KEEP_EARLIER,
    };
    let schedule = transaction.query_typed_one(upsert, &parameters);
    // Both are sent at once. The second is executed when the first has the locks, and sees all commits until then.
    let (_, is_overfull) = tokio::try_join!(biased; lock, schedule)?;
    if is_overfull.try_get(0)? {
        return Err(StoreError::Quota { kind: "jobs", most: MAX_JOBS_PER_ACCOUNT }.into());
    }
    Ok(())
}

fn check_size(what: &'static str, bytes: usize, most: usize) -> Result<(), StoreError> {
    if bytes > most { Err(StoreError::JobTooLarge { what, most }) } else { Ok(()) }
}

/// As [`Change::Cancel`](crate::Change::Cancel).
pub(super) async fn cancel(transaction: &Transaction<'_>, kind: &'static str, subject: &str) -> Done<()> {
    let delete = "DELETE FROM job WHERE kind = $1 AND subject = $2";
    transaction.execute_typed(delete, &[(&kind, Type::TEXT), (&subject, Type::TEXT)]).await?;
    Ok(())
}

/// As [`Change::Done`](crate::Change::Done).
pub(super) async fn complete(transaction: &Transaction<'_>, lease: JobLease) -> Done<()> {
    let delete = "DELETE FROM job WHERE number = $1 AND revision = $2";
    let deleted = transaction
        .execute_typed(delete, &[(&lease.number, Type::INT8), (&lease.revision, Type::INT8)])
        .await?;
    if deleted == 0 { Err(StoreError::Conflict.into()) } else { Ok(()) }
}

/// As [`Change::Reschedule`](crate::Change::Reschedule).
pub(super) async fn reschedule(
    transaction: &Transaction<'_>,
    lease: JobLease,
    due_at: Timestamp,
    attempts: u32,
    payload: Option<&str>,
) -> Done<()> {
    check_size("payload", payload.map_or(0, str::len), MAX_PAYLOAD_BYTES)?;
    let update = "UPDATE job SET due_at = $3, attempts = $4, payload = coalesce($5, payload), \
                  revision = revision + 1, holder = NULL, held_until = NULL WHERE number = $1 AND revision = $2";
    let changed = transaction
        .execute_typed(
            update,
            &[
                (&lease.number, Type::INT8),
                (&lease.revision, Type::INT8),
                (&due_at.as_unix_millis(), Type::INT8),
                (&i64::from(attempts), Type::INT8),
                (&payload, Type::TEXT),
            ],
        )
        .await?;
    if changed == 0 { Err(StoreError::Conflict.into()) } else { Ok(()) }
}

/// Deletes the jobs of one account or of all accounts. The jobs of the server itself stay: they end by themselves when
/// they find nothing to do.
pub(super) async fn reset(transaction: &Transaction<'_>, account: Option<i64>) -> Done<()> {
    let delete = "DELETE FROM job WHERE account IS NOT NULL AND ($1 IS NULL OR account = $1)";
    transaction.execute_typed(delete, &[(&account, Type::INT8)]).await?;
    Ok(())
}

async fn find(client: &Client, kind: &'static str, subject: &str) -> Done<Option<Job>> {
    let select = "SELECT number, revision, attempts, kind, subject, account, due_at, payload FROM job \
                  WHERE kind = $1 AND subject = $2";
    let row = client.query_typed_opt(select, &[(&kind, Type::TEXT), (&subject, Type::TEXT)]).await?;
    Ok(row.map(|row| leased(&row, kind)).transpose()?.map(|leased| leased.job))
}

/// Reads a job of a kind.
fn leased(row: &Row, kind: &'static str) -> Done<LeasedJob> {
    Ok(LeasedJob {
        lease: JobLease { number: row.try_get(0)?, revision: row.try_get(1)? },
        attempts: u32::try_from(row.try_get::<_, i64>(2)?).unwrap_or(u32::MAX),
        job: Job {
            kind,
            subject: row.try_get(4)?,
            account: row.try_get(5)?,
            due_at: Timestamp::from_unix_millis(row.try_get(6)?),
            payload: row.try_get(7)?,
        },
    })
}

/// Selects when a job of some kinds is due that no node holds, or the next lease of another node ends.
const NEXT: &str = "SELECT min(next.at) FROM unnest($1::text[]) AS k (kind) CROSS JOIN LATERAL (\
         (SELECT due_at AS at FROM job WHERE kind = k.kind AND holder IS NULL ORDER BY due_at LIMIT 1) UNION ALL \
         (SELECT held_until FROM job WHERE kind = k.kind AND holder IS NOT NULL AND holder <> $2 \
             ORDER BY held_until LIMIT 1)) AS next";

async fn next(client: &Client, node: i64, kinds: &[&'static str]) -> Done<Option<Timestamp>> {
    let row = client.query_typed_one(NEXT, &[(&kinds, Type::TEXT_ARRAY), (&node, Type::INT8)]).await?;
    Ok(row.try_get::<_, Option<i64>>(0)?.map(Timestamp::from_unix_millis))
}

/// Takes the jobs of each kind that are due or whose lease by another node has expired, the earliest first. Of two
/// nodes that found the same job, the second waits for the first, and finds that the job is held.
const TAKE: &str = "WITH found AS (\
         SELECT j.number FROM unnest($1::text[], $2::bigint[]) AS k (kind, most) CROSS JOIN LATERAL (\
             SELECT number FROM (\
                 (SELECT number, due_at FROM job WHERE kind = k.kind AND holder IS NULL AND due_at <= $3 \
                  ORDER BY due_at, number LIMIT k.most) UNION ALL \
                 (SELECT number, due_at FROM job WHERE kind = k.kind AND holder IS NOT NULL AND held_until <= $3 \
                  AND holder <> $4 ORDER BY held_until, number LIMIT k.most)) AS either \
             ORDER BY due_at, number LIMIT k.most) AS j), \
     free AS (\
         SELECT number FROM job WHERE number IN (SELECT number FROM found) \
         AND (holder IS NULL AND due_at <= $3 OR held_until <= $3 AND holder <> $4) ORDER BY number FOR UPDATE) \
     UPDATE job j SET holder = $4, held_until = $5, attempts = j.attempts + 1, revision = j.revision + 1 \
     FROM free WHERE j.number = free.number \
     RETURNING j.number, j.revision, j.attempts, j.kind, j.subject, j.account, j.due_at, j.payload";

async fn take(transaction: &Transaction<'_>, take: &TakeJobs) -> Done<Vec<LeasedJob>> {
    let (kinds, most): (Vec<&'static str>, Vec<i64>) =
        take.kinds.iter().map(|(kind, most)| (*kind, i64::try_from(*most).unwrap_or(i64::MAX))).unzip();
    let rows = transaction
        .query_typed(
            TAKE,
            &[
                (&kinds, Type::TEXT_ARRAY),
                (&most, Type::INT8_ARRAY),
                (&take.now.as_unix_millis(), Type::INT8),
                (&take.node, Type::INT8),
                (&take.until.as_unix_millis(), Type::INT8),
            ],
        )
        .await?;
    let mut taken = Vec::with_capacity(rows.len());
    for row in &rows {
        let name: &str = row.try_get(3)?;
        let kind = kinds.iter().find(|kind| **kind == name);
        let kind = kind.ok_or_else(|| StoreError::Corrupt(format!("a job of the kind {name}")))?;
        taken.push(leased(row, kind)?);
    }
    taken.sort_by_key(|leased| (leased.job.due_at, leased.lease.number));
    Ok(taken)
}

async fn release(transaction: &Transaction<'_>, node: i64, running: &[JobLease]) -> Done<u64> {
    let update = "UPDATE job SET holder = NULL, held_until = NULL, revision = revision + 1 WHERE holder = $1 \
                  AND NOT EXISTS (SELECT 1 FROM unnest($2::bigint[], $3::bigint[]) AS r (number, revision) \
                      WHERE r.number = job.number AND r.revision = job.revision)";
    let (numbers, revisions): (Vec<i64>, Vec<i64>) =
        running.iter().map(|lease| (lease.number, lease.revision)).unzip();
    let parameters: [Parameter<'_>; 3] =
        [(&node, Type::INT8), (&numbers, Type::INT8_ARRAY), (&revisions, Type::INT8_ARRAY)];
    transaction.execute_typed(update, &parameters).await
}

async fn set_back(transaction: &Transaction<'_>, now: Timestamp, by: Duration) -> Done<()> {
    let (now, by) = (now.as_unix_millis(), i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    for column in ["due_at", "held_until"] {
        let update = format!("UPDATE job SET {column} = greatest({column} - $2, $1) WHERE {column} > $1");
        transaction.execute_typed(&update, &[(&now, Type::INT8), (&by, Type::INT8)]).await?;
    }
    Ok(())
}

/// Deletes the rows of accounts that are gone, with their jobs. One that a schedule has locked is left alone.
const FORGET_OWNERS: &str = "WITH gone AS MATERIALIZED (\
         SELECT o.account FROM job_owner o WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.number = o.account) \
         AND NOT EXISTS (SELECT 1 FROM job j WHERE j.account = o.account) LIMIT $1 FOR UPDATE OF o SKIP LOCKED) \
     DELETE FROM job_owner o USING gone g WHERE o.account = g.account";

async fn forget_owners(transaction: &Transaction<'_>, most: u64) -> Done<u64> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    transaction.execute_typed(FORGET_OWNERS, &[(&most, Type::INT8)]).await
}

impl Jobs for PostgresStore {
    fn job(&self, kind: &'static str, subject: String) -> Answer<'_, Option<Job>> {
        Answer::later(
            self.node.read((kind, subject), |client, (kind, subject)| Box::pin(find(client, kind, subject))),
        )
    }

    fn next_job(&self, node: i64, kinds: Vec<&'static str>) -> Answer<'_, Option<Timestamp>> {
        Answer::later(
            self.node.read((node, kinds), |client, (node, kinds)| Box::pin(next(client, *node, kinds))),
        )
    }

    fn take_jobs(&self, jobs: TakeJobs) -> Answer<'_, Vec<LeasedJob>> {
        self.node.write(jobs, |transaction, jobs| Box::pin(take(transaction, jobs)))
    }

    fn release_jobs(&self, node: i64, running: Vec<JobLease>) -> Answer<'_, u64> {
        self.node.write((node, running), |transaction, (node, running)| {
            Box::pin(release(transaction, *node, running))
        })
    }

    fn set_back_jobs(&self, now: Timestamp, by: Duration) -> Answer<'_, ()> {
        self.node.write((now, by), |transaction, (now, by)| Box::pin(set_back(transaction, *now, *by)))
    }

    fn forget_job_owners(&self, most: u64) -> Answer<'_, u64> {
        self.node.write(most, |transaction, most| Box::pin(forget_owners(transaction, *most)))
    }

    fn jobs_scheduled(&self) -> watch::Receiver<()> {
        self.node.jobs_scheduled.subscribe()
    }
}
