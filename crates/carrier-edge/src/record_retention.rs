//! Deletes call records that are older than `keep_months`; until then an export can ask for them.

use std::sync::Arc;

use service_core::retention::enforce_retention;

use super::Inner;

/// Limit of records that one commit deletes. It is small because the records of ending calls wait behind the
/// commit.
const MAX_DELETED_PER_COMMIT: u64 = 100;

/// Deletes old records for as long as the edge runs.
pub(crate) async fn run(inner: Arc<Inner>) {
    let core = &inner.core;
    let forget = |before| core.store.forget_calls(before, MAX_DELETED_PER_COMMIT);
    enforce_retention(&core.clock, inner.config.keep_months, "records of calls", forget).await;
}
