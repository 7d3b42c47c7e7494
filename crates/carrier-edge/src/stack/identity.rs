//! The name and address that the edge's messages state about the edge itself.

use std::net::{IpAddr, SocketAddr};

use rsipstack::sip::Transport;
use rsipstack::transport::SipAddr;

/// The name and the advertised address of the edge.
#[derive(Debug)]
pub(super) struct EdgeIdentity {
    /// The value of the `Server` header.
    pub(super) server_name: String,
    /// The address that messages name instead of the one that the peer sent its request to.
    pub(super) advertise: Option<IpAddr>,
}

impl EdgeIdentity {
    /// The `sent-by` of the `Via` in a request to a peer whose own request was sent to `called`.
    pub(super) fn sent_by(&self, transport: Transport, called: SocketAddr) -> SipAddr {
        let address = SocketAddr::new(self.advertise.unwrap_or(called.ip()), called.port());
        SipAddr { r#type: Some(transport), addr: address.into() }
    }
}
