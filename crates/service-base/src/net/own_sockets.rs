//! The sockets of this process, to which it must not send media.
//!
//! Each socket that peers can reach is registered while it is open. The table grows only with this process's
//! sockets.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// The purpose of a socket of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Media of an inbound call. The dialler may send media there if it calls the edge of the same process.
    EdgeMedia,
    /// All other purposes: the APIs, SIP, and media of outbound calls.
    Other,
}

/// A table of the sockets of this process that peers can reach. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct OwnSockets(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_port: RwLock<HashMap<u16, Vec<(IpAddr, Use)>>>,
    /// The address that peers receive in SIP and SDP instead of one of this machine's, as behind a NAT.
    advertised: OnceLock<IpAddr>,
}

/// The registration of a socket. Dropping it removes the socket from the table.
// Each call has one, and a `SocketAddr` would take twelve bytes more.
#[derive(Debug)]
pub struct Entered {
    own: OwnSockets,
    ip: IpAddr,
    port: u16,
    purpose: Use,
}

impl OwnSockets {
    /// Registers a socket's local address, which may be unspecified (`0.0.0.0` or `::`).
    pub fn enter(&self, address: SocketAddr, purpose: Use) -> Entered {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let mut by_port = self.0.by_port.write().unwrap_or_else(PoisonError::into_inner);
        // Nearly every port has one socket, and a first push would take room for four.
        let at_port = by_port.entry(port).or_insert_with(|| Vec::with_capacity(1));
        at_port.push((ip, purpose));
        Entered { own: self.clone(), ip, port, purpose }
    }

    /// Sets the public address under which peers reach this machine. Only the first call has an effect.
    pub fn advertise(&self, address: IpAddr) {
        let _second = self.0.advertised.set(address.to_canonical());
    }

    /// Returns whether an address, regardless of the port, is one of this machine's or the advertised one.
    pub fn is_near(&self, address: IpAddr) -> bool {
        self.0.advertised.get() == Some(&address.to_canonical()) || is_own_address(address)
    }

    /// The purpose of this process's socket at an address; `None` if it has no socket there.
    pub fn at(&self, address: SocketAddr) -> Option<Use> {
        let ip = address.ip().to_canonical();
        let by_port = self.0.by_port.read().unwrap_or_else(PoisonError::into_inner);
        let at_port = by_port.get(&address.port())?;
        let exactly = at_port.iter().find(|(bound, _)| *bound == ip);
        let found = exactly.or_else(|| {
            let is_advertised = self.0.advertised.get() == Some(&ip);
            at_port.iter().find(|(bound, _)| is_advertised || (bound.is_unspecified() && is_own_address(ip)))
        });
        found.map(|(_, purpose)| *purpose)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut by_port = self.own.0.by_port.write().unwrap_or_else(PoisonError::into_inner);
        let Some(at_port) = by_port.get_mut(&self.port) else { return };
        let own = (self.ip, self.purpose);
        if let Some(index) = at_port.iter().position(|entry| *entry == own) {
            at_port.swap_remove(index);
        }
        if at_port.is_empty() {
            by_port.remove(&self.port);
        }
    }
}

/// Returns whether an address belongs to this machine. The system's routing table decides: packets to such an
/// address also have it as their source.
pub fn is_own_address(address: IpAddr) -> bool {
    let address = address.to_canonical();
    if address.is_loopback() {
        return true;
    }
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting a UDP socket sends nothing; it only selects the route.
    let source = UdpSocket::bind(SocketAddr::new(any, 0)).and_then(|socket| {
        socket.connect(SocketAddr::new(address, 9))?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn this_machines_own_addresses_are_recognised() {
        assert!(is_own_address(Ipv4Addr::LOCALHOST.into()));
        assert!(is_own_address(Ipv4Addr::new(127, 3, 2, 1).to_ipv6_mapped().into()));
        assert!(!is_own_address(Ipv4Addr::new(192, 0, 2, 1).into()));
    }

    #[test]
    fn a_socket_is_in_the_table_while_it_is_open() {
        let own = OwnSockets::default();
        let first = own.enter(at("127.0.0.1:4000"), Use::EdgeMedia);
        let second = own.enter(at("127.0.0.2:4000"), Use::EdgeMedia);
        assert_eq!(own.at(at("127.0.0.1:4000")), Some(Use::EdgeMedia));
        assert_eq!(own.at(at("[::ffff:127.0.0.1]:4000")), Some(Use::EdgeMedia));
        assert_eq!(own.at(at("127.0.0.3:4000")), None, "another may listen at that address");
        assert_eq!(own.at(at("127.0.0.1:4002")), None, "another may listen at that port");
        drop(first);
        assert_eq!(
            (own.at(at("127.0.0.1:4000")), own.at(at("127.0.0.2:4000"))),
            (None, Some(Use::EdgeMedia))
        );
        drop(second);
        assert!(own.0.by_port.read().unwrap().is_empty());
    }

    #[test]
    fn a_socket_at_an_unspecified_address_is_found_at_every_address_of_the_machine() {
        let own = OwnSockets::default();
        let _unspecified = own.enter(at("0.0.0.0:5060"), Use::Other);
        assert_eq!(own.at(at("127.9.9.9:5060")), Some(Use::Other));
        assert_eq!(own.at(at("192.0.2.1:5060")), None);
    }

    #[test]
    fn the_advertised_address_leads_to_this_processs_sockets() {
        let own = OwnSockets::default();
        own.advertise("192.0.2.1".parse().unwrap());
        let _inside = own.enter(at("127.0.0.1:4000"), Use::EdgeMedia);
        assert!(own.is_near("192.0.2.1".parse().unwrap()));
        assert_eq!(own.at(at("192.0.2.1:4000")), Some(Use::EdgeMedia));
        assert_eq!(own.at(at("192.0.2.1:4002")), None);
    }
}
