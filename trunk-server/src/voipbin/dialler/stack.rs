//! The SIP library's endpoint, with the registry's ear at it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption};
use rsipstack::transaction::transaction::TransactionEvent;
use rsipstack::transaction::{Endpoint, EndpointBuilder, TransactionReceiver};
use rsipstack::transport::{SipConnection, TransportLayer};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::registry::{Ear, Registry};
use super::{DiallerConfig, DiallerError};
use crate::sip::listen;

/// The methods that the dialler understands.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE";

/// How long a connection may be idle: a call may be up for long without a message.
const IDLE: Duration = Duration::from_hours(2);

pub(super) struct Stack {
    endpoint: Endpoint,
    token: CancellationToken,
    address: SocketAddr,
    /// Given up when the endpoint ends, and its port with it.
    udp: Mutex<Option<SipConnection>>,
}

impl Stack {
    pub(super) async fn start(
        config: &DiallerConfig,
        registry: Arc<Registry>,
    ) -> Result<(Self, TransactionReceiver), DiallerError> {
        let token = CancellationToken::new();
        let layer = TransportLayer::new(token.clone());
        layer.set_stream_idle_timeout(IDLE);
        let wanted = SocketAddr::new(config.listen, config.port);
        let failed = |why: String| DiallerError::Listen { address: wanted, why };
        let address = listen::both(&layer, wanted, &token).await.map_err(failed)?;
        let any = rsipstack::transport::SipAddr {
            r#type: Some(rsipstack::sip::Transport::Udp),
            addr: address.into(),
        };
        let (udp, _) = layer.lookup(&any, None).await.map_err(|error| failed(error.to_string()))?;
        let times = EndpointOption { t1: config.t1, t1x64: config.t1 * 64, ..EndpointOption::default() };
        let endpoint = EndpointBuilder::new()
            .with_user_agent(&config.user_agent)
            .with_transport_layer(layer)
            .with_cancel_token(token.clone())
            .with_transport_inspector(Box::new(Ear(registry)))
            .with_option(times)
            .build();
        let requests = endpoint.incoming_transactions().map_err(|error| failed(error.to_string()))?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.serve().await {
                tracing::error!(%error, "the dialler's SIP endpoint ended");
            }
        });
        Ok((Self { endpoint, token, address, udp: Mutex::new(Some(udp)) }, requests))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket that all UDP goes through; `None` when the endpoint has ended.
    pub(super) fn udp(&self) -> Option<SipConnection> {
        self.udp.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn endpoint(&self) -> &EndpointInnerRef {
        &self.endpoint.inner
    }

    /// Ends with the endpoint.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Does some work that ends with the endpoint.
    pub(super) fn spawn<F>(&self, work: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.token.clone();
        tokio::spawn(async move {
            let _ended = token.run_until_cancelled(work).await;
        })
    }

    /// Ends the endpoint and everything that waits for it. Its sockets are closed as soon as its tasks have seen it.
    pub(super) fn stop(&self) {
        self.token.cancel();
        self.endpoint.shutdown();
        let udp = self.udp.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(udp) = udp {
            self.endpoint().transport_layer.del_transport(udp.get_addr());
        }
        // Nobody runs their timers any more: they would wait for ever, and keep the endpoint.
        let transactions = self.endpoint().transactions.with_mut(std::mem::take);
        for (key, transaction) in transactions {
            // One that is over is as good.
            let _over = transaction.send(TransactionEvent::Terminate(key));
        }
    }
}
