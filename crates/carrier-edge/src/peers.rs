//! The peers whose connections are needed: by active calls that are signalled over them, and by requests in progress,
//! whose answers go there.
//!
//! A full table of connections asks about all of them, so the needs of each peer are counted. There are at most as many
//! as calls and requests in progress.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of needs for the connection from each address and port.
#[derive(Debug, Default)]
pub(crate) struct Peers(Mutex<HashMap<SocketAddr, usize>>);

/// The need for the connection of a peer, until this is dropped.
#[derive(Debug)]
pub(crate) struct Need {
    peers: Arc<Peers>,
    peer: SocketAddr,
}

impl Peers {
    /// Counts a need for the connection of a peer; `None` over UDP, which has no connections.
    pub(crate) fn need(self: &Arc<Self>, peer: SocketAddr, transport: &str) -> Option<Need> {
        if transport == "udp" {
            return None;
        }
        *self.lock().entry(peer).or_default() += 1;
        Some(Need { peers: Arc::clone(self), peer })
    }

    /// Whether the connection of a peer is needed.
    pub(crate) fn has(&self, peer: SocketAddr) -> bool {
        self.lock().contains_key(&peer)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Need {
    fn drop(&mut self) {
        if let Entry::Occupied(mut needs) = self.peers.lock().entry(self.peer) {
            *needs.get_mut() -= 1;
            if *needs.get() == 0 {
                needs.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_needed_until_its_last_need_is_dropped_and_over_udp_never() {
        let peers = Arc::<Peers>::default();
        let [a, b] = ["192.0.2.1:5060", "192.0.2.1:5061"].map(|peer| peer.parse().unwrap());
        let needs = [peers.need(a, "tcp"), peers.need(a, "tls")].map(Option::unwrap);
        assert!(peers.need(b, "udp").is_none());
        assert!(peers.has(a) && !peers.has(b));
        let [first, second] = needs;
        drop(first);
        assert!(peers.has(a));
        drop(second);
        assert!(peers.lock().is_empty());
    }
}
