//! The job that deletes the stored channels of trunks without calls, and what else the nodes of a database share and
//! nothing needs any more.

use std::sync::Arc;

use trunk_store::StoreError;

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
    hourly(&core.clock, KIND, forget_some)
}

/// Deletes some rows of each kind, and returns whether others may be left.
async fn forget_some(core: Arc<Core>) -> Result<bool, StoreError> {
    let store = &core.store;
    let channels = store.forget_channels(MAX_ROWS_PER_DELETION).await?;
    let queues = store.forget_queues(MAX_ROWS_PER_DELETION).await?;
    let owners = store.forget_job_owners(MAX_ROWS_PER_DELETION).await?;
    Ok(channels + queues + owners > 0)
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
