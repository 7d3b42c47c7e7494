//! Deletes call records that are older than `keep_months`; until then exports can contain them.

use service_core::jobs::JobSet;
use service_core::retention::retention;

use super::inner::Inner;

/// The name of the job.
const KIND: &str = "edge.delete_old_calls";
/// Limit of records that one commit deletes. It is small because the records of ending calls wait behind the
/// commit.
const MAX_DELETED_PER_COMMIT: u64 = 100;

/// The job that deletes old records.
pub(crate) fn jobs(inner: &Inner) -> JobSet {
    retention(&inner.core.clock, KIND, inner.config.keep_months, |core, before| async move {
        core.store.forget_calls(before, MAX_DELETED_PER_COMMIT).await
    })
}
