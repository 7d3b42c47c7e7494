//! The state that the tasks of all calls share.

use std::sync::Arc;

use service_core::Core;
use uuid::Uuid;

use crate::capacity_place::{CapacityPlace, NoPlace, NodeChannels};
use crate::config::InboundConfig;
use crate::live_calls::LiveCalls;

/// The state that all calls share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) core: Arc<Core>,
    pub(crate) config: InboundConfig,
    pub(crate) live: Arc<LiveCalls>,
    /// The channels of calls among those of all nodes; `None` if the database has one node, which counts its calls
    /// itself.
    pub(crate) channels: Option<NodeChannels>,
}

impl Shared {
    /// Takes a place in a capacity, as [`CapacityPlace::take`] does.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub(crate) async fn enter(&self, subject: Uuid, limit: Option<u64>) -> Result<CapacityPlace, NoPlace> {
        CapacityPlace::take(&self.live, self.channels.as_ref(), subject, limit).await
    }
}
