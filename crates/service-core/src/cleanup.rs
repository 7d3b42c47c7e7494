//! Jobs that delete obsolete rows every hour, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use service_base::clock::Clock;
use trunk_store::{Job, StoreError};

use crate::Core;
use crate::jobs::{JobError, JobKind, JobSet, Outcome};

/// The time from a run that found no more rows to the next one.
const INTERVAL: Duration = Duration::from_hours(1);
/// Maximum number of deletions of a run. If rows are left, the job is due again at once.
pub(crate) const MAX_DELETIONS_PER_RUN: usize = 100;

/// The job `kind`, whose name is stored. `delete_some` deletes some of the obsolete rows, and returns whether others
/// may be left.
pub fn hourly<F>(
    clock: &Clock,
    kind: &'static str,
    delete_some: impl Fn(Arc<Core>) -> F + Clone + Send + Sync + 'static,
) -> JobSet
where
    F: Future<Output = Result<bool, StoreError>> + Send + 'static,
{
    let handler = move |core, _job| run(core, delete_some.clone());
    let first = Job::new(kind, "", clock.now().after(INTERVAL));
    JobSet::default().handle(JobKind::new(kind, handler)).standing(first)
}

pub(crate) async fn run<F>(core: Arc<Core>, delete_some: impl Fn(Arc<Core>) -> F) -> Result<Outcome, JobError>
where
    F: Future<Output = Result<bool, StoreError>>,
{
    let now = core.clock.now();
    for _ in 0..MAX_DELETIONS_PER_RUN {
        if !delete_some(Arc::clone(&core)).await? {
            return Ok(Outcome::again_at(now.after(INTERVAL)));
        }
    }
    Ok(Outcome::again_at(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_that_finds_nothing_is_repeated_an_hour_later() {
        let core = crate::jobs::tests::core(trunk_store::SqliteStore::in_memory().unwrap());
        let outcome = run(Arc::clone(&core), |_core| std::future::ready(Ok(false))).await.unwrap();
        assert_eq!(outcome.due_at(), Some(core.clock.now().after(INTERVAL)));
    }
}
