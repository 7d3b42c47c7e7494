//! The SIP library's endpoint, with the registry's ear at it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption};
use rsipstack::transaction::{Endpoint, EndpointBuilder, TransactionReceiver};
use rsipstack::transport::{SipConnection, TransportLayer};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::registry::{Ear, Registry};
use super::{DiallerConfig, DiallerError};
use service_base::clock::Clock;
use sip_transport::streams::{Listener, Places, Refused};
use sip_transport::{Common, listen, shut_down};

/// The methods that the dialler understands.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE";

pub(crate) struct Stack {
    endpoint: Endpoint,
    token: CancellationToken,
    address: SocketAddr,
    /// Given up when the endpoint ends, and its port with it.
    udp: Mutex<Option<SipConnection>>,
    common: Common,
}

impl Stack {
    pub(crate) async fn start(
        config: &DiallerConfig,
        registry: Arc<Registry>,
        clock: &Clock,
    ) -> Result<(Self, TransactionReceiver), DiallerError> {
        let token = CancellationToken::new();
        let layer = TransportLayer::new(token.clone());
        let wanted = SocketAddr::new(config.listen, config.port);
        let failed = |why: String| DiallerError::Listen { address: wanted, why };
        let (udp, tcp, address) = listen::sockets(wanted, &token).map_err(failed)?;
        let datagrams = udp;
        let udp = datagrams.anywhere().await.map_err(|error| failed(error.to_string()))?;
        layer.add_transport(udp.clone());
        let times = EndpointOption { t1: config.t1, t1x64: config.t1 * 64, ..EndpointOption::default() };
        let endpoint = EndpointBuilder::new()
            .with_user_agent(&config.user_agent)
            .with_transport_layer(layer)
            .with_cancel_token(token.clone())
            .with_transport_inspector(Box::new(Ear(Arc::clone(&registry))))
            .with_option(times)
            .build();
        let requests = endpoint.incoming_transactions().map_err(|error| failed(error.to_string()))?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.serve().await {
                tracing::error!(%error, "the dialler's SIP endpoint ended");
            }
        });
        let ear = Ear(registry);
        let common = Common {
            endpoint: endpoint.inner.clone(),
            door: None,
            ear: Some(Arc::new(move |message| ear.hear(message))),
            limits: config.limits,
        };
        let (places, own) = (Places::new(config.connections), common.clone());
        tokio::spawn(datagrams.serve(common.clone()));
        let (refused, token_of) = (Arc::new(Refused::new()), token.clone());
        let listener = Listener {
            socket: tcp,
            acceptor: None,
            places,
            common: own,
            token: token_of,
            clock: clock.clone(),
            refused,
            descriptors: config.descriptors.clone(),
        };
        tokio::spawn(listener.serve());
        Ok((Self { endpoint, token, address, udp: Mutex::new(Some(udp)), common }, requests))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket that all UDP goes through; `None` when the endpoint has ended.
    pub(crate) fn udp(&self) -> Option<SipConnection> {
        self.udp.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What connections are made with.
    pub(crate) fn common(&self) -> &Common {
        &self.common
    }

    pub(crate) fn endpoint(&self) -> &EndpointInnerRef {
        &self.endpoint.inner
    }

    /// Ends with the endpoint.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Does some work that ends with the endpoint.
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.token.clone();
        tokio::spawn(async move {
            let _ended = token.run_until_cancelled(work).await;
        })
    }

    /// Ends the endpoint and everything that waits for it.
    pub(crate) fn stop(&self) {
        self.token.cancel();
        let udp = self.udp.lock().unwrap_or_else(PoisonError::into_inner).take();
        shut_down(&self.endpoint, udp.as_ref().map(SipConnection::get_addr));
    }
}
