//! Records of calls are kept for the current month and some before it, as long as an export can ask for them.

use std::sync::Arc;

use super::Inner;
use service_core::retention::enforce_retention;

/// Records that one write forgets: few, for calls that end wait behind it.
const TOGETHER: u64 = 100;

/// Forgets for as long as the server runs.
pub(crate) async fn run(inner: Arc<Inner>) {
    let core = &inner.core;
    let forget = |before| core.store.forget_calls(before, TOGETHER);
    enforce_retention(&core.clock, inner.config.keep_months, "records of calls", forget).await;
}
