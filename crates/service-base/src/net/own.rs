//! Which addresses are this process's own: nothing of ours is ever sent to them as media.
//!
//! What is listened on is entered here as long as it is open. The map grows with the sockets of this process alone.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// What a socket of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Media of a call that came in: what our own dialler may send to when it calls our own edge.
    EdgeMedia,
    /// Everything else: the APIs, SIP, media of calls that go out.
    Other,
}

/// The sockets of this process that peers can send to. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct OwnSockets(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_port: RwLock<HashMap<u16, Vec<(IpAddr, Use)>>>,
    /// What peers are told instead of an address of this machine.
    advertised: OnceLock<IpAddr>,
}

/// A socket's entry; dropping it takes it out.
#[derive(Debug)]
pub struct Entered {
    own: OwnSockets,
    address: SocketAddr,
    purpose: Use,
}

impl OwnSockets {
    /// Enters a socket.
    pub fn enter(&self, address: SocketAddr, purpose: Use) -> Entered {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let mut by_port = self.0.by_port.write().unwrap_or_else(PoisonError::into_inner);
        by_port.entry(address.port()).or_default().push((address.ip(), purpose));
        Entered { own: self.clone(), address, purpose }
    }

    /// Notes an address that leads here by way of others. There is one; a second is not taken.
    pub fn advertise(&self, address: IpAddr) {
        let _second = self.0.advertised.set(address.to_canonical());
    }

    /// Whether an address can be one of ours at all, whatever the port.
    pub fn is_near(&self, address: IpAddr) -> bool {
        self.0.advertised.get() == Some(&address.to_canonical()) || is_own_address(address)
    }

    /// What stands at an address of ours; none when it is somebody else's.
    pub fn at(&self, address: SocketAddr) -> Option<Use> {
        let ip = address.ip().to_canonical();
        let by_port = self.0.by_port.read().unwrap_or_else(PoisonError::into_inner);
        let at_port = by_port.get(&address.port())?;
        let exactly = at_port.iter().find(|(bound, _)| *bound == ip);
        let found = exactly.or_else(|| {
            let anywhere = self.0.advertised.get() == Some(&ip);
            at_port.iter().find(|(bound, _)| anywhere || (bound.is_unspecified() && is_own_address(ip)))
        });
        found.map(|(_, purpose)| *purpose)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut by_port = self.own.0.by_port.write().unwrap_or_else(PoisonError::into_inner);
        let Some(at_port) = by_port.get_mut(&self.address.port()) else { return };
        let own = (self.address.ip(), self.purpose);
        if let Some(place) = at_port.iter().position(|entry| *entry == own) {
            at_port.swap_remove(place);
        }
        if at_port.is_empty() {
            by_port.remove(&self.address.port());
        }
    }
}

/// Whether an address is one of this machine's: the way to such a one begins where it ends.
pub fn is_own_address(address: IpAddr) -> bool {
    let address = address.to_canonical();
    if address.is_loopback() {
        return true;
    }
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

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn this_machines_own_addresses_are_known() {
        assert!(is_own_address(Ipv4Addr::LOCALHOST.into()));
        assert!(is_own_address(Ipv4Addr::new(127, 3, 2, 1).to_ipv6_mapped().into()));
        assert!(!is_own_address(Ipv4Addr::new(192, 0, 2, 1).into()));
    }

    #[test]
    fn a_socket_is_our_own_as_long_as_it_is_open() {
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
    fn a_socket_that_listens_everywhere_is_our_own_at_every_address_of_the_machine() {
        let own = OwnSockets::default();
        let _everywhere = own.enter(at("0.0.0.0:5060"), Use::Other);
        assert_eq!(own.at(at("127.9.9.9:5060")), Some(Use::Other));
        assert_eq!(own.at(at("192.0.2.1:5060")), None);
    }

    #[test]
    fn the_address_that_peers_are_told_leads_to_our_own_sockets() {
        let own = OwnSockets::default();
        own.advertise("192.0.2.1".parse().unwrap());
        let _inside = own.enter(at("127.0.0.1:4000"), Use::EdgeMedia);
        assert!(own.is_near("192.0.2.1".parse().unwrap()));
        assert_eq!(own.at(at("192.0.2.1:4000")), Some(Use::EdgeMedia));
        assert_eq!(own.at(at("192.0.2.1:4002")), None);
    }
}
