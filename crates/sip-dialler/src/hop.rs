//! The next hop of a request: its address, and the socket or connection to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::Transport;
use rsipstack::transport::{SipAddr, SipConnection};
use sip_transport::streams::Lease;

/// Maximum duration of sending a datagram.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum time to resolve and connect to a next hop inside a call, since the peer waits meanwhile.
pub(crate) const NEXT_HOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A host cannot be reached; the field is the reason.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreachable(pub(crate) String);

/// A next hop, shared by the dialogs and ACKs of its calls.
pub(crate) type Hop = Arc<NextHop>;

/// The address that requests are sent to, and the socket or connection to it.
pub(crate) struct NextHop {
    pub(crate) connection: SipConnection,
    pub(crate) destination: SipAddr,
    /// The local address and port that the far end receives in `Via` and `Contact`.
    pub(crate) local: SocketAddr,
    pub(crate) transport: Transport,
    /// Keeps a TCP or TLS connection open; `None` for UDP.
    pub(crate) lease: Option<Lease>,
}

impl NextHop {
    /// The address and port of the far end, or of its proxy.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.destination.get_socketaddr().ok()
    }

    /// Whether the transport is reliable, so that requests are not retransmitted.
    pub(crate) fn is_reliable(&self) -> bool {
        self.transport != Transport::Udp
    }

    /// Whether the connection has not been closed. Always true for UDP.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_reliable() || !is_closed(&self.connection)
    }

    /// Whether the far end can respond over another connection once this one is closed: to the address in our `Via`
    /// (RFC 3261 §18.2.2), at which this side listens on TCP and not on TLS.
    pub(crate) fn can_be_answered_over_another(&self) -> bool {
        self.transport != Transport::Tls
    }

    /// Waits until the connection is closed; forever for UDP.
    pub(crate) async fn closed(&self) {
        match self.connection.cancel_token().filter(|_| self.is_reliable()) {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Sends a message once, without retransmission.
    pub(crate) async fn send(&self, message: &[u8]) -> Result<(), Unreachable> {
        if let Some(lease) = &self.lease {
            return lease.send(message).map_err(|why| Unreachable(why.to_string()));
        }
        let SipConnection::Udp(socket) = &self.connection else {
            return Err(Unreachable(format!("{} is not a connection to a carrier", self.connection)));
        };
        match tokio::time::timeout(SEND_TIMEOUT, socket.send_raw(message, &self.destination)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(Unreachable(why.to_string())),
            Err(_elapsed) => Err(Unreachable("sending a datagram took too long".to_owned())),
        }
    }

    /// The `Contact` value with which the far end sends its requests of the dialog to us.
    pub(crate) fn contact(&self, secure: bool) -> String {
        let local = self.local;
        match self.transport {
            _ if secure => format!("<sips:{local}>"),
            Transport::Tcp => format!("<sip:{local};transport=tcp>"),
            Transport::Tls => format!("<sip:{local};transport=tls>"),
            _ => format!("<sip:{local};transport=udp>"),
        }
    }
}

fn is_closed(connection: &SipConnection) -> bool {
    connection.cancel_token().is_some_and(|token| token.is_cancelled())
}
