//! Limits the number of accepted connections, in total and for each peer address.
//!
//! A connection takes a slot before anything is read from it. Each listener has its own slots, so a full TCP
//! listener does not affect TLS. If all slots are taken, a new connection evicts the longest idle one among
//! the unproven connections, which are those without an accepted message. If there is none, the new
//! connection is refused.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use service_base::forwarded::origin;
use tokio_util::sync::CancellationToken;

/// The maximum numbers of connections, for TCP and TLS each; connections beyond them are closed at once.
/// Defaults: 1024 in total, 256 of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Maximum for all peers together.
    pub all: usize,
    /// Maximum for an IPv4 address or an IPv6 network of 64 bits.
    pub of_one_address: usize,
}

impl Default for Connections {
    fn default() -> Self {
        Self { all: 1024, of_one_address: 256 }
    }
}

/// The slots of one listener.
#[derive(Debug)]
pub struct ConnectionSlots {
    limits: Connections,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_address: HashMap<IpAddr, usize>,
    occupied: HashMap<u64, Occupant>,
    /// A counter that orders events: a lower number is earlier.
    last_event: u64,
}

#[derive(Debug)]
struct Occupant {
    address: IpAddr,
    token: CancellationToken,
    /// The last event of an unproven connection; `None` after its first accepted message.
    unproven: Option<u64>,
}

/// The slot of a connection; dropping it frees it.
#[derive(Debug)]
pub(super) struct Slot {
    places: Arc<ConnectionSlots>,
    number: u64,
}

impl ConnectionSlots {
    /// Creates the slots of a listener, all of them free.
    pub fn new(limits: Connections) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    pub(super) fn limits(&self) -> Connections {
        self.limits
    }

    /// Takes a slot for a connection of a peer; `None` if there is none. Cancelling `token` must end the
    /// connection.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr, token: &CancellationToken) -> Option<Slot> {
        let address = origin(address);
        let mut state = self.lock();
        let of_address = state.by_address.get(&address).copied().unwrap_or_default();
        if of_address >= self.limits.of_one_address {
            return None;
        }
        if state.occupied.len() >= self.limits.all {
            state.evict()?;
        }
        state.last_event += 1;
        let number = state.last_event;
        let occupant = Occupant { address, token: token.clone(), unproven: Some(number) };
        state.occupied.insert(number, occupant);
        *state.by_address.entry(address).or_default() += 1;
        Some(Slot { places: Arc::clone(self), number })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends the longest idle of the unproven connections; `None` if there is none.
    fn evict(&mut self) -> Option<()> {
        let idle = self.occupied.iter().filter_map(|(number, occupant)| Some((occupant.unproven?, *number)));
        let (_, longest) = idle.min()?;
        self.free(longest).map(|occupant| occupant.token.cancel())
    }

    fn free(&mut self, number: u64) -> Option<Occupant> {
        let occupant = self.occupied.remove(&number)?;
        if let Some(count) = self.by_address.get_mut(&occupant.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&occupant.address);
            }
        }
        Some(occupant)
    }
}

impl Slot {
    /// Records the first accepted message: the connection is not evicted from now on.
    pub(super) fn mark_proven(&self) {
        if let Some(occupant) = self.places.lock().occupied.get_mut(&self.number) {
            occupant.unproven = None;
        }
    }

    /// Records received bytes of an unproven connection.
    pub(super) fn touch(&self) {
        let mut state = self.places.lock();
        state.last_event += 1;
        let now = state.last_event;
        let occupant = state.occupied.get_mut(&self.number);
        if let Some(unproven) = occupant.and_then(|occupant| occupant.unproven.as_mut()) {
            *unproven = now;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // The slot of an evicted connection is free already.
        let _evicted = self.places.lock().free(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> [IpAddr; 3] {
        ["192.0.2.1", "2001:db8::1", "198.51.100.1"].map(|text| text.parse().unwrap())
    }

    fn proven(places: &Arc<ConnectionSlots>, address: IpAddr) -> Option<Slot> {
        let slot = places.take(address, &CancellationToken::new());
        slot.inspect(Slot::mark_proven)
    }

    #[test]
    fn slots_are_limited_in_total_and_for_each_address_and_can_be_reused() {
        let places = ConnectionSlots::new(Connections { all: 3, of_one_address: 2 });
        let [a, b, _] = addresses();
        let first = proven(&places, a).unwrap();
        let _second = proven(&places, a).unwrap();
        assert!(proven(&places, a).is_none());
        let _other = proven(&places, b).unwrap();
        assert!(proven(&places, b).is_none());
        drop(first);
        let _again = proven(&places, a).unwrap();
        assert!(proven(&places, b).is_none());
        assert_eq!(places.lock().by_address.len(), 2);
    }

    #[test]
    fn the_addresses_of_an_ipv6_network_share_their_slots() {
        let places = ConnectionSlots::new(Connections { all: 4, of_one_address: 1 });
        let one = proven(&places, "2001:db8::1".parse().unwrap()).unwrap();
        assert!(proven(&places, "2001:db8::2".parse().unwrap()).is_none());
        let other = proven(&places, "2001:db8:0:1::1".parse().unwrap()).unwrap();
        drop((one, other));
        assert!(places.lock().by_address.is_empty());
    }

    #[test]
    fn the_longest_idle_unproven_connection_is_evicted() {
        let places = ConnectionSlots::new(Connections { all: 3, of_one_address: 2 });
        let [a, b, c] = addresses();
        let tokens: Vec<_> = (0..5).map(|_| CancellationToken::new()).collect();
        let first = places.take(a, &tokens[0]).unwrap();
        let second = places.take(a, &tokens[1]).unwrap();
        let third = places.take(b, &tokens[2]).unwrap();
        third.mark_proven();
        first.touch();
        let fourth = places.take(c, &tokens[3]).unwrap();
        let ended: Vec<bool> = tokens.iter().map(CancellationToken::is_cancelled).collect();
        assert_eq!(ended, [false, true, false, false, false], "the second has been idle longest");
        assert!(places.take(c, &tokens[4]).is_some() && tokens[0].is_cancelled());
        fourth.mark_proven();
        drop((first, second));
        assert_eq!(places.lock().occupied.len(), 2, "an evicted connection is removed once");
    }
}
