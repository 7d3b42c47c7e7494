//! The job that deletes the stored channels of trunks without calls.

use std::sync::Arc;
use std::time::Duration;

use trunk_store::Job;

use crate::Core;
use crate::jobs::{JobError, JobKind, JobSet, Outcome};

/// The name of the job. It is stored.
const KIND: &str = "channels.forget";
const INTERVAL: Duration = Duration::from_hours(1);
const MAX_ROWS_PER_DELETION: u64 = 500;
/// Maximum number of deletions of a run. If rows are left, the job is due again at once.
const MAX_DELETIONS_PER_RUN: usize = 100;

/// The job, which runs every hour. Only a database that nodes share has something to delete.
pub fn jobs(core: &Core) -> JobSet {
    if !core.store.is_shared() {
        return JobSet::default();
    }
    let first = Job::new(KIND, "", core.clock.now().after(INTERVAL));
    JobSet::default().handle(JobKind::new(KIND, |core, _job| forget(core))).standing(first)
}

async fn forget(core: Arc<Core>) -> Result<Outcome, JobError> {
    let now = core.clock.now();
    for _ in 0..MAX_DELETIONS_PER_RUN {
        if core.store.forget_channels(MAX_ROWS_PER_DELETION).await? == 0 {
            return Ok(Outcome::again_at(now.after(INTERVAL)));
        }
    }
    Ok(Outcome::again_at(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_that_finds_nothing_is_repeated_an_hour_later_and_one_node_alone_has_no_job() {
        let core = crate::jobs::tests::core(trunk_store::SqliteStore::in_memory().unwrap());
        assert_eq!(format!("{:?}", jobs(&core)), format!("{:?}", JobSet::default()));
        let outcome = forget(Arc::clone(&core)).await.unwrap();
        assert_eq!(outcome.due_at(), Some(core.clock.now().after(INTERVAL)));
    }
}
