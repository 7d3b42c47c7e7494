//! The jobs of every server, regardless of features and settings.

use std::sync::Arc;

use control_plane::order_jobs;
use http_listener::{idempotency, shared_limiter};
use service_core::jobs::JobSet;
use service_core::{Core, audit_log, channels, expiry, exports, kept};

/// The jobs of every server. The audit is kept for `months` months.
pub(super) fn of_every_server(core: &Arc<Core>, months: u32) -> JobSet {
    idempotency::jobs(&core.clock)
        .and(shared_limiter::jobs(core))
        .and(channels::jobs(core))
        .and(expiry::jobs())
        .and(order_jobs(&core.clock))
        .and(kept::jobs(&core.clock))
        .and(exports::jobs(&core.clock))
        .and(audit_log::jobs(&core.clock, months))
}
