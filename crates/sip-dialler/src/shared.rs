//! The state that all calls of a dialler share.

use std::sync::Arc;

use service_base::clock::Clock;
use service_base::net::Entered;
use sip_transport::Ports;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::DiallerConfig;
use crate::dialogs::Dialogs;
use crate::network::Network;
use crate::streams::Streams;

/// The state that all calls share.
pub(crate) struct Shared {
    pub(crate) config: DiallerConfig,
    pub(crate) clock: Clock,
    pub(crate) network: Arc<Network>,
    pub(crate) dialogs: Arc<Dialogs>,
    pub(crate) ports: Ports,
    /// Registers the SIP socket as one of this process.
    pub(crate) _entered: Entered,
    /// The number of calls that have not ended.
    pub(crate) active_calls: watch::Sender<usize>,
    /// The streams of media of all calls.
    pub(crate) streams: Arc<Streams>,
    /// Ends all calls when it is cancelled, as the dialler stops.
    pub(crate) stop: CancellationToken,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("address", &self.network.stack.address()).finish_non_exhaustive()
    }
}
