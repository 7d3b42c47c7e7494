//! The job that deletes the stored channels of trunks without calls.

use crate::Core;
use crate::cleanup::hourly;
use crate::jobs::JobSet;

/// The name of the job. It is stored.
const KIND: &str = "channels.forget";
const MAX_ROWS_PER_DELETION: u64 = 500;

/// The job, which runs every hour. Only a database that nodes share has something to delete.
pub fn jobs(core: &Core) -> JobSet {
    if !core.store.is_shared() {
        return JobSet::default();
    }
    hourly(&core.clock, KIND, |core| async move {
        let deleted = core.store.forget_channels(MAX_ROWS_PER_DELETION).await;
        deleted.map(|rows| rows > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_alone_has_no_job() {
        let core = crate::jobs::tests::core(trunk_store::SqliteStore::in_memory().unwrap());
        assert_eq!(format!("{:?}", jobs(&core)), format!("{:?}", JobSet::default()));
    }
}
