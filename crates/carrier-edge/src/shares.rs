//! How many requests are worked on at the same time, and whose they are.
//!
//! A request holds its place until its answer need not be repeated any more: up to 32 seconds, also inside a call.
//! 32,768 have one, of these 2,048 of one source (an IPv4 address, a /64 of IPv6) and half of all of those that one
//! allowed subnet names: a source that confirms nothing fills its own places, and a subnet that is forged leaves others
//! theirs. A call whose answer was confirmed has given its place back. The maps hold what has places and nothing else.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnetwork::IpNetwork;

use service_base::forwarded::origin;

/// The subnet that names a source; none where it only proved itself.
pub(crate) type Named = Option<IpNetwork>;

/// Most places.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub all: usize,
    pub of_network: usize,
    pub of_source: usize,
}

pub(crate) const MOST: Most = Most { all: 32_768, of_network: 16_384, of_source: 2_048 };

#[derive(Debug)]
pub(crate) struct Shares {
    most: Most,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of_networks: HashMap<Named, usize>,
    of_sources: HashMap<IpAddr, usize>,
}

/// A place; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    source: IpAddr,
    network: Named,
}

impl Shares {
    pub(crate) fn new(most: Most) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// Whether a source has places left.
    pub(crate) fn has_room(&self, source: IpAddr, network: Named) -> bool {
        self.lock().has_room(self.most, origin(source), network)
    }

    /// A place for a request, if its source has one left.
    pub(crate) fn take(self: &Arc<Self>, source: IpAddr, network: Named) -> Option<Share> {
        let source = origin(source);
        let mut taken = self.lock();
        if !taken.has_room(self.most, source, network) {
            return None;
        }
        taken.all += 1;
        *taken.of_networks.entry(network).or_default() += 1;
        *taken.of_sources.entry(source).or_default() += 1;
        Some(Share { shares: Arc::clone(self), source, network })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn has_room(&self, most: Most, source: IpAddr, network: Named) -> bool {
        let of_network = self.of_networks.get(&network).copied().unwrap_or_default();
        let of_source = self.of_sources.get(&source).copied().unwrap_or_default();
        self.all < most.all && of_network < most.of_network && of_source < most.of_source
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.lock();
        taken.all -= 1;
        less(&mut taken.of_networks, self.network);
        less(&mut taken.of_sources, self.source);
    }
}

fn less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_and_a_subnet_fill_their_own_places_and_give_them_back() {
        let shares = Shares::new(Most { all: 6, of_network: 4, of_source: 2 });
        let take = |source: &str, network: &str| {
            shares.take(source.parse().unwrap(), (!network.is_empty()).then(|| network.parse().unwrap()))
        };
        let mut held =
            vec![take("192.0.2.1", "192.0.2.0/24").unwrap(), take("192.0.2.1", "192.0.2.0/24").unwrap()];
        assert!(take("192.0.2.1", "192.0.2.0/24").is_none(), "the source has no more");
        held.extend([take("192.0.2.2", "192.0.2.0/24").unwrap(), take("192.0.2.3", "192.0.2.0/24").unwrap()]);
        assert!(take("192.0.2.4", "192.0.2.0/24").is_none(), "the subnet has no more");
        held.extend([take("198.51.100.1", "").unwrap(), take("198.51.100.2", "").unwrap()]);
        assert!(take("203.0.113.1", "203.0.113.0/24").is_none(), "there are no more");
        held.clear();
        assert!(take("203.0.113.1", "203.0.113.0/24").is_some());
        let taken = shares.lock();
        assert_eq!((taken.all, taken.of_networks.len(), taken.of_sources.len()), (0, 0, 0));
    }

    #[test]
    fn the_addresses_of_a_network_of_ipv6_share_their_places() {
        let shares = Shares::new(Most { all: 6, of_network: 4, of_source: 2 });
        let take = |source: &str| shares.take(source.parse().unwrap(), None);
        let held = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
        assert!(take("2001:db8::3").is_none() && !shares.has_room("2001:db8::3".parse().unwrap(), None));
        let other = take("2001:db8:0:1::1").unwrap();
        drop((held, other));
        assert!(shares.lock().of_sources.is_empty());
    }
}
