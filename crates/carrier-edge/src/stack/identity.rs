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
        let address = SocketAddr::new(named(self.advertise, called.ip()), called.port());
        SipAddr { r#type: Some(transport), addr: address.into() }
    }
}

/// The address that messages to a peer name: the advertised one, or the one that the peer called if that is of the
/// other family. A peer that called an IPv6 address cannot send media to an IPv4 address, and is not behind IPv4
/// address translation.
pub(super) fn named(advertise: Option<IpAddr>, called: IpAddr) -> IpAddr {
    advertise.filter(|address| address.is_ipv4() == called.is_ipv4()).unwrap_or(called)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_advertised_to_those_who_called_one_of_its_family() {
        let named = |advertise: Option<&str>, called: &str| {
            let advertise = advertise.map(|address| address.parse().unwrap());
            named(advertise, called.parse().unwrap()).to_string()
        };
        assert_eq!(named(Some("203.0.113.5"), "10.0.0.7"), "203.0.113.5");
        assert_eq!(named(Some("203.0.113.5"), "2001:db8::7"), "2001:db8::7");
        assert_eq!(named(Some("2001:db8::5"), "10.0.0.7"), "10.0.0.7");
        assert_eq!(named(None, "10.0.0.7"), "10.0.0.7");
    }
}
