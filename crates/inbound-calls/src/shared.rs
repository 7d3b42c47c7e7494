//! The state that the tasks of all calls share.

use std::sync::Arc;

use service_core::Core;

use crate::config::InboundConfig;
use crate::live_calls::LiveCalls;

/// The state that all calls share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) core: Arc<Core>,
    pub(crate) config: InboundConfig,
    pub(crate) live: Arc<LiveCalls>,
}
