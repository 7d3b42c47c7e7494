//! The SIP library's endpoint with its sockets.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use rsipstack::sip::SipMessage;
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption, TransportEventInspector};
use rsipstack::transaction::{Endpoint, EndpointBuilder, TransactionReceiver};
use rsipstack::transport::{SipConnection, TransportEvent};
use service_base::clock::Clock;
use sip_transport::streams::{ConnectionSlots, Listener, RefusedConnections};
use sip_transport::{AckRoutes, Intake, KeptAnswers, MessageFilter, Tap, listen, shut_down, transport_layer};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{DiallerConfig, DiallerError};

/// The name of this stack in stored messages.
pub(crate) const STACK: &str = "dialler";

/// The supported methods: the value of `Allow`.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE";

/// Receives every message first, and returns those that the library shall process.
pub(crate) type Inspect = Arc<dyn Fn(SipMessage) -> Option<SipMessage> + Send + Sync>;

/// An endpoint of the SIP library that runs, with its sockets.
pub(crate) struct Stack {
    endpoint: Endpoint,
    token: CancellationToken,
    address: SocketAddr,
    /// Dropped when the endpoint ends, so that its port is closed.
    udp: Mutex<Option<SipConnection>>,
    common: Intake,
}

impl Stack {
    /// Binds the sockets and starts the endpoint. Requests that begin a transaction arrive at the receiver.
    pub(crate) async fn start(
        config: &DiallerConfig,
        inspect: Inspect,
        filter: Arc<dyn MessageFilter>,
        clock: &Clock,
    ) -> Result<(Self, TransactionReceiver), DiallerError> {
        let token = CancellationToken::new();
        let layer = transport_layer(token.clone());
        let wanted = SocketAddr::new(config.listen, config.port);
        let failed = |why: String| DiallerError::Listen { address: wanted, why };
        let tap = Tap::new(config.messages.clone(), STACK);
        let (datagrams, tcp, address) = listen::sockets(wanted, &token, &tap).map_err(failed)?;
        let udp = datagrams.anywhere().await.map_err(|error| failed(error.to_string()))?;
        layer.add_transport(udp.clone());
        let times = EndpointOption { t1: config.t1, t1x64: config.t1 * 64, ..EndpointOption::default() };
        let endpoint = EndpointBuilder::new()
            .with_user_agent(&config.user_agent)
            .with_transport_layer(layer)
            .with_cancel_token(token.clone())
            .with_transport_inspector(Box::new(Inspector(Arc::clone(&inspect))))
            .with_option(times)
            .build();
        let requests = endpoint.incoming_transactions().map_err(|error| failed(error.to_string()))?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.serve().await {
                tracing::error!(%error, "the dialler's SIP endpoint ended");
            }
        });
        let common = Intake {
            endpoint: endpoint.inner.clone(),
            filter: Some(filter),
            transactions: None,
            acks: AckRoutes::default(),
            answers: KeptAnswers::default(),
            inspector: Some(inspect),
            limits: config.limits,
            tap,
        };
        tokio::spawn(datagrams.serve(common.clone()));
        let listener = Listener {
            socket: tcp,
            identity: None,
            places: ConnectionSlots::new(config.connections, clock.clone()),
            common: common.clone(),
            token: token.clone(),
            clock: clock.clone(),
            refused: Arc::new(RefusedConnections::new()),
            descriptors: config.descriptors.clone(),
        };
        tokio::spawn(listener.serve());
        Ok((Self { endpoint, token, address, udp: Mutex::new(Some(udp)), common }, requests))
    }

    /// The bound address and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The UDP socket; `None` after the endpoint has ended.
    pub(crate) fn udp(&self) -> Option<SipConnection> {
        self.udp.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The endpoint, the inspector and the limits for outgoing connections.
    pub(crate) fn common(&self) -> &Intake {
        &self.common
    }

    /// Assigns the messages of a call that are exchanged with an address to the carrier's host.
    pub(crate) fn assign_messages(&self, call_id: &str, address: IpAddr, host: &str) {
        self.common.tap.assign(call_id, address, host);
    }

    /// The library's endpoint, which transactions are created with.
    pub(crate) fn endpoint(&self) -> &EndpointInnerRef {
        &self.endpoint.inner
    }

    /// Is cancelled when the endpoint ends.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Spawns a task that is dropped when the endpoint ends.
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.token.clone();
        tokio::spawn(async move {
            let _ended = token.run_until_cancelled(work).await;
        })
    }

    /// Ends the endpoint, its transactions and its sockets.
    pub(crate) fn stop(&self) {
        self.token.cancel();
        let udp = self.udp.lock().unwrap_or_else(PoisonError::into_inner).take();
        shut_down(&self.endpoint, udp.as_ref().map(SipConnection::get_addr));
    }
}

/// Passes the messages of the library's own transports to an [`Inspect`].
struct Inspector(Inspect);

impl TransportEventInspector for Inspector {
    // The library declares its trait with `async_trait`; this is the expanded signature.
    fn handle<'inspector, 'future>(
        &'inspector self,
        event: TransportEvent,
    ) -> Pin<Box<dyn Future<Output = Option<TransportEvent>> + Send + 'future>>
    where
        'inspector: 'future,
        Self: 'future,
    {
        let rest = match event {
            TransportEvent::Incoming(message, connection, from) => {
                (self.0)(message).map(|message| TransportEvent::Incoming(message, connection, from))
            }
            other => Some(other),
        };
        Box::pin(std::future::ready(rest))
    }
}
