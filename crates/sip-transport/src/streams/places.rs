//! How many connections there are, by the address of their peer.
//!
//! Every connection takes a place before anything is read from it. A listener's places are its own: a full
//! TCP listener leaves TLS its places. When all are taken, a new connection gets the place of the one that
//! has been idle longest among those on which nothing came yet that was let in; when there is none of these,
//! it is refused.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use service_base::forwarded::origin;

/// How many connections are taken, over TCP and as many over TLS; what is beyond is closed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Of all peers together.
    pub all: usize,
    /// Of one address, or of one /64 of IPv6.
    pub of_one_address: usize,
}

impl Default for Connections {
    fn default() -> Self {
        Self { all: 1024, of_one_address: 256 }
    }
}

/// The places of one listener.
#[derive(Debug)]
pub struct Places {
    limits: Connections,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    by_address: HashMap<IpAddr, usize>,
    seats: HashMap<u64, Seat>,
    /// Grows with everything that happens, so that a lower number is longer ago.
    moment: u64,
}

#[derive(Debug)]
struct Seat {
    address: IpAddr,
    token: CancellationToken,
    /// When something came last; `None` once something was let in.
    unproven: Option<u64>,
}

/// A connection's place; dropping it frees it.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    pub fn new(limits: Connections) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    pub(super) fn limits(&self) -> Connections {
        self.limits
    }

    /// A place for a connection that ends with the token.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr, token: &CancellationToken) -> Option<Place> {
        let address = origin(address);
        let mut state = self.lock();
        let of_address = state.by_address.get(&address).copied().unwrap_or_default();
        if of_address >= self.limits.of_one_address {
            return None;
        }
        if state.seats.len() >= self.limits.all {
            state.make_room()?;
        }
        state.moment += 1;
        let number = state.moment;
        let seat = Seat { address, token: token.clone(), unproven: Some(number) };
        state.seats.insert(number, seat);
        *state.by_address.entry(address).or_default() += 1;
        Some(Place { places: Arc::clone(self), number })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn make_room(&mut self) -> Option<()> {
        let idle = self.seats.iter().filter_map(|(number, seat)| Some((seat.unproven?, *number)));
        let (_, longest) = idle.min()?;
        self.leave(longest).map(|seat| seat.token.cancel())
    }

    fn leave(&mut self, number: u64) -> Option<Seat> {
        let seat = self.seats.remove(&number)?;
        if let Some(count) = self.by_address.get_mut(&seat.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&seat.address);
            }
        }
        Some(seat)
    }
}

impl Place {
    /// Something came that was let in: the place is kept from now on.
    pub(super) fn prove(&self) {
        if let Some(seat) = self.places.lock().seats.get_mut(&self.number) {
            seat.unproven = None;
        }
    }

    /// Something came.
    pub(super) fn stir(&self) {
        let mut taken = self.places.lock();
        taken.moment += 1;
        let now = taken.moment;
        if let Some(unproven) = taken.seats.get_mut(&self.number).and_then(|seat| seat.unproven.as_mut()) {
            *unproven = now;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // One that had to make room has left already.
        let _left = self.places.lock().leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> [IpAddr; 3] {
        ["192.0.2.1", "2001:db8::1", "198.51.100.1"].map(|text| text.parse().unwrap())
    }

    fn proven(places: &Arc<Places>, address: IpAddr) -> Option<Place> {
        let place = places.take(address, &CancellationToken::new());
        place.inspect(Place::prove)
    }

    #[test]
    fn places_are_limited_for_all_and_for_each_address_and_come_back() {
        let places = Places::new(Connections { all: 3, of_one_address: 2 });
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
    fn the_addresses_of_a_network_of_ipv6_share_their_places() {
        let places = Places::new(Connections { all: 4, of_one_address: 1 });
        let one = proven(&places, "2001:db8::1".parse().unwrap()).unwrap();
        assert!(proven(&places, "2001:db8::2".parse().unwrap()).is_none());
        let other = proven(&places, "2001:db8:0:1::1".parse().unwrap()).unwrap();
        drop((one, other));
        assert!(places.lock().by_address.is_empty());
    }

    #[test]
    fn the_longest_idle_connection_that_proved_nothing_makes_room() {
        let places = Places::new(Connections { all: 3, of_one_address: 2 });
        let [a, b, c] = addresses();
        let tokens: Vec<_> = (0..5).map(|_| CancellationToken::new()).collect();
        let first = places.take(a, &tokens[0]).unwrap();
        let second = places.take(a, &tokens[1]).unwrap();
        let third = places.take(b, &tokens[2]).unwrap();
        third.prove();
        first.stir();
        let fourth = places.take(c, &tokens[3]).unwrap();
        let ended: Vec<bool> = tokens.iter().map(CancellationToken::is_cancelled).collect();
        assert_eq!(ended, [false, true, false, false, false], "the second has been idle longest");
        assert!(places.take(c, &tokens[4]).is_some() && tokens[0].is_cancelled());
        fourth.prove();
        drop((first, second));
        assert_eq!(places.lock().seats.len(), 2, "who had to leave leaves once");
    }
}
