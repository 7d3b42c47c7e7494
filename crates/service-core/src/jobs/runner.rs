//! Runs the jobs that are due.
//!
//! The runner is woken by the jobs that its own process schedules. If there can be other nodes, it looks for their
//! jobs, and for those that a dead node left, every [`LOOK_INTERVAL`].

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use futures_util::FutureExt as _;
use service_base::boxed::Boxed;
use service_base::clock::Stopwatch;
use service_base::trace;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use trunk_store::{Change, IfScheduled, Job, JobLease, LeasedJob, StoreError, TakeJobs};

use super::{JobKind, JobSet, Outcome, RUN_LIMIT};
use crate::Core;
use crate::audit::{Actor, with_actor};

/// The time for which a job is leased: longer than any run, so that a lease need not be renewed.
const LEASE: Duration = RUN_LIMIT.saturating_mul(2);
/// Time between two looks for jobs that other nodes scheduled or left.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// The delay after the first failed run of a job. It doubles with each further one.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest delay after a failed run.
const MAX_RETRY_DELAY: Duration = Duration::from_hours(1);
/// Maximum number of successive runs of a job that conflict with other writes and are repeated at once. Further ones
/// are delayed like failures, whose number is then counted from 1.
const MAX_CONFLICTS: u32 = 8;
/// The longest delay before a failed read or write of the runner itself is repeated.
const MAX_STORE_RETRY_DELAY: Duration = Duration::from_mins(1);
/// The time that runs have to end when the server stops. Runs that do not end are repeated after the next start.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the jobs of these kinds that are due, until `stop` is true.
pub fn run(core: Arc<Core>, jobs: JobSet, stop: watch::Receiver<bool>) -> Boxed<'static, ()> {
    Box::pin(run_until(core, jobs, stop))
}

async fn run_until(core: Arc<Core>, jobs: JobSet, mut stop: watch::Receiver<bool>) {
    if jobs.kinds.is_empty() {
        return;
    }
    let mut scheduled = core.store.jobs_scheduled();
    let mut runner = Runner {
        now: core.clock.now(),
        core: Arc::clone(&core),
        jobs,
        is_prepared: false,
        failures: 0,
        runs: JoinSet::new(),
        running: HashMap::new(),
        lost: None,
    };
    loop {
        scheduled.mark_unchanged();
        let next = runner.round().await;
        let wait = runner.wait(next);
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = wait => {}
            Some(ended) = runner.runs.join_next_with_id() => {
                runner.ended(ended);
            }
            Ok(()) = scheduled.changed() => {}
            // While the store fails, a change of the clock that could not be applied waits for the next round too.
            () = core.clock.set_back_before(runner.now), if runner.failures == 0 => {}
        }
    }
    runner.finish().await;
}

struct Runner {
    core: Arc<Core>,
    jobs: JobSet,
    /// True once the leases of an earlier process were ended and the standing jobs scheduled.
    is_prepared: bool,
    /// Number of successive rounds that failed.
    failures: u32,
    runs: JoinSet<()>,
    /// The kind and the lease of each run in progress.
    running: HashMap<Id, (&'static str, JobLease)>,
    /// Since when this node may hold jobs that it does not run, because it did not learn that it took them.
    lost: Option<Stopwatch>,
    /// The clock's time in the last round.
    now: Timestamp,
}

impl Runner {
    /// Starts the jobs that are due, if their kinds have room for further runs. Returns when the next one of a kind
    /// with room is due.
    async fn round(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.follow_clock().await?;
        self.prepare().await?;
        self.release_lost().await?;
        loop {
            let kinds = self.room();
            let names = kinds.iter().map(|(name, _)| *name).collect();
            let next = self.core.store.next_job(self.core.store.node(), names).await?;
            let now = self.core.clock.now();
            if next.is_none_or(|next| next > now) {
                return Ok(next);
            }
            let take = TakeJobs { node: self.core.store.node(), now, until: now.after(LEASE), kinds };
            let taken = self.core.store.take_jobs(take).await;
            if taken == Err(StoreError::Unknown) {
                self.lost = Some(Stopwatch::start());
            }
            for leased in taken? {
                self.start(leased);
            }
        }
    }

    /// Ends the leases of jobs that this node holds and does not run. The write that took them may still be committed
    /// for a while: it waits for a standby. Until the leases would be over, other nodes leave them to this one.
    async fn release_lost(&mut self) -> Result<(), StoreError> {
        let Some(since) = self.lost else { return Ok(()) };
        let running = self.running.values().map(|(_, lease)| *lease).collect();
        let released = self.core.store.release_jobs(self.core.store.node(), running).await?;
        if released > 0 {
            tracing::warn!(
                released,
                "jobs were taken although the database did not confirm it; they run now"
            );
        }
        if released > 0 || since.elapsed() >= LEASE {
            self.lost = None;
        }
        Ok(())
    }

    /// If the clock was set back, moves the due times back by the same amount, so that no job waits longer.
    async fn follow_clock(&mut self) -> Result<(), StoreError> {
        let now = self.core.clock.now();
        let back = self.now.as_unix_millis().saturating_sub(now.as_unix_millis());
        if let Ok(back @ 1..) = u64::try_from(back) {
            self.core.store.set_back_jobs(now, Duration::from_millis(back)).await?;
        }
        self.now = now;
        Ok(())
    }

    /// Ends the leases that this node held when it was killed, and schedules the standing jobs that are not stored yet.
    async fn prepare(&mut self) -> Result<(), StoreError> {
        if self.is_prepared {
            return Ok(());
        }
        let store = &self.core.store;
        let interrupted = store.release_jobs(store.node(), Vec::new()).await?;
        if interrupted > 0 {
            tracing::info!(interrupted, "jobs were running when the server was killed; they run again");
        }
        let mut missing: Vec<Change> = Vec::new();
        for job in &self.jobs.standing {
            let stored = store.job(job.kind, job.subject.clone()).await?;
            if stored.is_none_or(|stored| stored.due_at > job.due_at) {
                missing.push(Change::Schedule {
                    job: Box::new(job.clone()),
                    existing: IfScheduled::KeepEarlier,
                });
            }
        }
        if !missing.is_empty() {
            store.commit(missing).await?;
        }
        self.is_prepared = true;
        Ok(())
    }

    /// The kinds with room for another run, and for how many.
    fn room(&self) -> Vec<(&'static str, u64)> {
        let free = |kind: &Arc<JobKind>| {
            let running = self.running.values().filter(|(name, _)| *name == kind.name).count();
            let free = kind.at_once.saturating_sub(running);
            (kind.name, u64::try_from(free).unwrap_or(u64::MAX))
        };
        self.jobs.kinds.iter().map(free).filter(|(_, free)| *free > 0).collect()
    }

    fn start(&mut self, leased: LeasedJob) {
        let Some(kind) = self.jobs.kinds.iter().find(|kind| kind.name == leased.job.kind) else { return };
        let (span, lease) = (span_of(&leased), leased.lease);
        let run = run_once(Arc::clone(&self.core), Arc::clone(kind), leased).instrument(span);
        self.running.insert(self.runs.spawn(run).id(), (kind.name, lease));
    }

    /// Notes the end of a run. One that panicked outside of its handler has left its job as it was.
    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                self.lost = Some(Stopwatch::start());
                error.id()
            }
        };
        self.running.remove(&id);
    }

    /// Waits until the next job is due, or until it is time to look for jobs of other nodes; after a failure of the
    /// store, only for a short time.
    fn wait(&mut self, next: Result<Option<Timestamp>, StoreError>) -> impl Future<Output = ()> + use<> {
        let clock = self.core.clock.clone();
        let failed = next.as_ref().err().map(|error| {
            self.failures = self.failures.saturating_add(1);
            let delay = doubling_delay(self.failures, MAX_STORE_RETRY_DELAY);
            tracing::error!(%error, seconds = delay.as_secs(), "jobs that are due could not be read; it is tried again");
            delay
        });
        if failed.is_none() {
            self.failures = 0;
        }
        let look = if self.core.store.is_shared() { LOOK_INTERVAL } else { Duration::MAX };
        async move {
            match (failed, next) {
                (Some(delay), _) => tokio::time::sleep(delay).await,
                (None, Ok(Some(at))) => tokio::select! {
                    () = clock.sleep_until(at) => {}
                    () = tokio::time::sleep(look) => {}
                },
                (None, _) => tokio::time::sleep(look).await,
            }
        }
    }

    /// Waits a short time for runs in progress, interrupts the others, and leaves them to the next start or to another
    /// node.
    async fn finish(mut self) {
        let all = async { while self.runs.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, all).await.is_ok() {
            return;
        }
        let left = self.runs.len();
        self.runs.shutdown().await;
        tracing::info!(left, "jobs were interrupted; they run again after the next start");
        if let Err(error) = self.core.store.release_jobs(self.core.store.node(), Vec::new()).await {
            tracing::warn!(%error, "the leases of interrupted jobs could not be ended; they expire");
        }
    }
}

/// The span of a run, which is disabled without an exporter of traces.
fn span_of(leased: &LeasedJob) -> Span {
    if !trace::is_installed() {
        return Span::none();
    }
    let name = format!("job {}", leased.job.kind);
    tracing::info_span!(
        target: trace::TARGET,
        "job",
        "otel.name" = name.as_str(),
        "otel.kind" = "internal",
        "otel.status_code" = Empty,
        "job.kind" = leased.job.kind,
        "job.subject" = leased.job.subject.as_str(),
        "job.attempts" = i64::from(leased.attempts),
    )
}

/// Runs a job, and commits its outcome, or the time of its next run after a failure.
async fn run_once(core: Arc<Core>, kind: Arc<JobKind>, leased: LeasedJob) {
    // The handler is called inside the caught future, so that a panic before its first await is caught too.
    let actor = Actor::Job(kind.name);
    let handled = with_actor(actor, async { (kind.handler)(Arc::clone(&core), leased.clone()).await });
    let limited = tokio::time::timeout(RUN_LIMIT, AssertUnwindSafe(handled).catch_unwind()).await;
    let mut failures = leased.attempts;
    let failure = match limited {
        Ok(Ok(Ok(outcome))) => match with_actor(actor, commit(&core, outcome, &leased)).await {
            Ok(()) => return core.counts.count_job(kind.name, true),
            // Either the lease was lost, or data was changed since the handler read it.
            Err(StoreError::Conflict) if leased.attempts <= MAX_CONFLICTS => {
                return reschedule(&core, &leased, core.clock.now()).await;
            }
            Err(error) => {
                if error == StoreError::Conflict {
                    failures = failures.saturating_sub(MAX_CONFLICTS);
                }
                error.to_string()
            }
        },
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(_panic)) => "its handler panicked".to_owned(),
        Err(_elapsed) => format!("it ran longer than {} seconds", RUN_LIMIT.as_secs()),
    };
    core.counts.count_job(kind.name, false);
    trace::record_failure();
    let due_at = core.clock.now().after(doubling_delay(failures, MAX_RETRY_DELAY));
    let LeasedJob { job: Job { kind, subject, .. }, attempts, .. } = &leased;
    tracing::warn!(kind, subject, attempts, %failure, %due_at, "a job failed and is tried again");
    reschedule(&core, &leased, due_at).await;
}

async fn commit(core: &Core, outcome: Outcome, leased: &LeasedJob) -> Result<(), StoreError> {
    core.commit(outcome.into_changes(leased)).await.map(|_| ())
}

/// Stores when a job is tried again, and repeats this until it succeeds. Until then the job does not run, and the run
/// counts against the maximum of its kind.
async fn reschedule(core: &Core, leased: &LeasedJob, due_at: Timestamp) {
    let retry = Change::Reschedule { lease: leased.lease, due_at, attempts: leased.attempts, payload: None };
    for failures in 1.. {
        let Err(error) = core.store.commit(vec![retry.clone()]).await else { return };
        let (kind, subject) = (leased.job.kind, &leased.job.subject);
        if error == StoreError::Conflict {
            tracing::debug!(kind, subject, "a job was scheduled again or cancelled while it ran");
            return;
        }
        let delay = doubling_delay(failures, MAX_STORE_RETRY_DELAY);
        tracing::error!(%error, kind, subject, "the next time of a job could not be stored; it is tried again");
        tokio::time::sleep(delay).await;
    }
}

/// The delay after failure number `failures`, counted from 1.
fn doubling_delay(failures: u32, most: Duration) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_RETRY_DELAY.saturating_mul(factor).min(most)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use trunk_store::SqliteStore;

    use super::super::tests::core;
    use super::*;

    /// The kind of the test's jobs.
    const KIND: &str = "test";

    #[tokio::test]
    async fn a_job_that_was_taken_without_an_answer_runs_and_one_that_runs_is_not_begun_again() {
        let core = core(SqliteStore::in_memory().unwrap());
        let (runs, mut seen) = mpsc::unbounded_channel();
        let kind = JobKind::new(KIND, move |_, leased: LeasedJob| {
            runs.send(leased.job.subject).unwrap();
            std::future::pending()
        });
        let mut runner = Runner {
            now: core.clock.now(),
            core: Arc::clone(&core),
            jobs: JobSet::default().handle(kind.at_once(9)),
            is_prepared: true,
            failures: 0,
            runs: JoinSet::new(),
            running: HashMap::new(),
            lost: None,
        };
        let schedule = async |subject: &str| {
            let job = Box::new(Job::new(KIND, subject, core.clock.now()));
            core.store.commit(vec![Change::Schedule { job, existing: IfScheduled::Replace }]).await.unwrap();
        };
        schedule("runs").await;
        runner.round().await.unwrap();
        assert_eq!(seen.recv().await.unwrap(), "runs");
        schedule("lost").await;
        let now = core.clock.now();
        let take = TakeJobs { node: core.store.node(), now, until: now.after(LEASE), kinds: vec![(KIND, 9)] };
        assert_eq!(core.store.take_jobs(take).await.unwrap().len(), 1);
        runner.round().await.unwrap();
        assert_eq!(runner.running.len(), 1, "it is not known that there is another one");
        runner.lost = Some(Stopwatch::start());
        runner.round().await.unwrap();
        assert_eq!(seen.recv().await.unwrap(), "lost");
        assert!(seen.try_recv().is_err() && runner.running.len() == 2 && runner.lost.is_none());
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let delays = [1, 2, 3, 12, 13, 33, u32::MAX]
            .map(|failures| doubling_delay(failures, MAX_RETRY_DELAY).as_secs());
        assert_eq!(delays, [1, 2, 4, 2_048, 3_600, 3_600, 3_600]);
    }
}
