//! How far a call may go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::public_address::not_public;

/// How far a call may go, with everything that its far end names: contacts, routes and media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Wherever its host leads, by the host map too: the platform's own people named it.
    Anywhere,
    /// To the public internet, and not by the host map: a customer named the host.
    Public,
}

/// What an address is that is neither of the public internet nor somebody else's; none when it is both.
pub(super) fn near(address: IpAddr) -> Option<&'static str> {
    not_public(address).or_else(|| is_own(address).then_some("one of this machine"))
}

/// Whether an address is one of this machine's own: the way to such a one begins where it ends.
fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting a UDP socket sends nothing; it finds the way.
    let begins = UdpSocket::bind(SocketAddr::new(any, 0)).and_then(|socket| {
        socket.connect(SocketAddr::new(address, 9))?;
        socket.local_addr()
    });
    begins.is_ok_and(|begins| begins.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_own_addresses_are_known() {
        assert!(is_own(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_own(Ipv4Addr::new(192, 0, 2, 1).into()));
    }

    #[test]
    fn what_is_not_public_is_near() {
        assert_eq!(near(Ipv4Addr::new(10, 0, 0, 1).into()), Some("private"));
        assert_eq!(
            near(Ipv4Addr::new(192, 168, 0, 1).to_ipv6_mapped().into()),
            Some("an IPv4 address in IPv6 form")
        );
        assert_eq!(near(Ipv4Addr::new(8, 8, 8, 8).into()), None);
    }
}
