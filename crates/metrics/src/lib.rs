//! Metrics of a running server for the operator's Prometheus, served by a separate listener.
//!
//! The metrics are declared in one list ([`CATALOGUE`]), and nothing else is reported. Metrics that DIDWW's own
//! exporter has have the same names. Nothing is measured here: each scrape reads the counters of the other crates, and
//! writes them as `OpenMetrics` text. No value is a secret.
//!
//! Bounds:
//!
//! - Values of labels come from declarations of this program: routes, methods, checks, kinds of jobs. Only trunks and
//!   accounts are customers': [`MAX_TRUNKS`] trunks have series of their own, and the sum of the others is `other`; of
//!   the accounts whose balance was set, the first [`MAX_ACCOUNTS`] have one.
//! - One scrape is made at a time, and others wait for their turn.
//! - A query to the database is cancelled after [`STORE_TIMEOUT`].

mod balances;
mod catalogue;
#[cfg(feature = "sip")]
mod edge;
mod http;
mod process;
mod router;
mod scrape;
mod server;
mod values;

use std::sync::Arc;

use http_listener::RequestCounts;
use service_core::Core;
use tokio::sync::Mutex;

pub use catalogue::{CATALOGUE, Kind, Metric};
pub use router::{CONTENT_TYPE, metrics_router};
pub use values::{MAX_ACCOUNTS, MAX_TRUNKS, STORE_TIMEOUT};

use scrape::Scrape;
#[cfg(any(feature = "sip", feature = "voipbin"))]
use values::number;

/// The server that the metrics describe.
#[derive(Debug)]
pub struct Metrics {
    core: Arc<Core>,
    /// The version of the program.
    version: &'static str,
    /// The requests of each listener.
    requests: Vec<Arc<RequestCounts>>,
    #[cfg(feature = "sip")]
    edge: Option<carrier_edge::Handle>,
    #[cfg(feature = "sip")]
    inbound: Arc<inbound_calls::InboundCalls>,
    #[cfg(feature = "voipbin")]
    platform: Arc<voipbin_platform::Platform>,
    /// Held during a scrape, so that only one is made at a time.
    turn: Mutex<()>,
}

impl Metrics {
    /// Reports of a server of this version, with the requests of these listeners. `edge` is `None` if the server does
    /// not listen for SIP.
    pub fn new(
        core: Arc<Core>,
        version: &'static str,
        requests: Vec<Arc<RequestCounts>>,
        #[cfg(feature = "sip")] edge: Option<carrier_edge::Handle>,
        #[cfg(feature = "sip")] inbound: Arc<inbound_calls::InboundCalls>,
        #[cfg(feature = "voipbin")] platform: Arc<voipbin_platform::Platform>,
    ) -> Self {
        Self {
            core,
            version,
            requests,
            #[cfg(feature = "sip")]
            edge,
            #[cfg(feature = "sip")]
            inbound,
            #[cfg(feature = "voipbin")]
            platform,
            turn: Mutex::new(()),
        }
    }

    /// Returns the metrics as `OpenMetrics` text.
    pub async fn text(&self) -> String {
        let _turn = self.turn.lock().await;
        let mut scrape = Scrape::default();
        server::read(&self.core, self.version, &mut scrape).await;
        balances::read(&self.core, &mut scrape).await;
        process::read(&mut scrape);
        for counts in &self.requests {
            http::read(counts, &mut scrape);
        }
        #[cfg(feature = "sip")]
        if let Some(edge) = self.edge.as_ref().and_then(carrier_edge::Handle::running) {
            edge::read(&edge, &mut scrape);
        }
        #[cfg(feature = "sip")]
        scrape.set(&catalogue::INBOUND_CALLS_ACTIVE, number(self.inbound.live()));
        #[cfg(feature = "voipbin")]
        scrape.set(&catalogue::OUTBOUND_CALLS_ACTIVE, number(self.platform.active_calls.number()));
        scrape.into_text()
    }
}
