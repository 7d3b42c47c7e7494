//! Limits the number of accepted connections, in total and for each peer address.
//!
//! A connection takes a slot before anything is read from it. Each listener has its own slots, so a full TCP
//! listener does not affect TLS. If all slots are taken, or all open files, a new connection evicts the longest idle
//! one among the unproven connections, which are those without an accepted message, except that one of an address with
//! fewer connections has a moment to prove itself. If there is none, it evicts a proven one of an address with more
//! connections that no call and no request needs, as `service_base::making_room` describes. If there is none either,
//! the new connection is refused.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service_base::clock::Clock;
use service_base::descriptors::Permit;
use service_base::forwarded::origin;
use service_base::making_room::{Candidate, RoomSearch};
use tokio_util::sync::CancellationToken;

use crate::arrival::Arrival;

/// An unproven connection is not evicted before it has been idle for this time if its address has fewer connections
/// than that of the new one.
const MIN_UNPROVEN_TIME: Duration = Duration::from_secs(2);

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
    /// Its stopwatch measures how long connections are idle or proven.
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_address: HashMap<IpAddr, usize>,
    occupied: HashMap<u64, Occupant>,
    /// A counter that orders events: a lower number is earlier.
    last_event: u64,
    /// The searches for a proven connection to evict.
    search: RoomSearch,
}

#[derive(Debug)]
struct Occupant {
    arrival: Arrival,
    /// The address that it counts for.
    address: IpAddr,
    token: CancellationToken,
    /// Accounts for the open file.
    permit: Permit,
    /// The last event of an unproven connection; `None` after its first accepted message.
    unproven: Option<u64>,
    /// When that event was, or when the connection was proven. Later messages do not count, because with them a peer
    /// could keep all its connections.
    since: Duration,
}

/// The slot of a connection; dropping it frees it.
#[derive(Debug)]
pub(super) struct Slot {
    places: Arc<ConnectionSlots>,
    number: u64,
}

impl ConnectionSlots {
    /// Creates the slots of a listener, all of them free.
    pub fn new(limits: Connections, clock: Clock) -> Arc<Self> {
        Arc::new(Self { limits, clock, state: Mutex::default() })
    }

    pub(super) fn limits(&self) -> Connections {
        self.limits
    }

    /// Takes a slot for a connection with this arrival, with a permit for its file if there is one; `None` if there is
    /// no slot. Cancelling `token` must end the connection. `is_needed` is whether a call or a request needs one.
    pub(super) fn take(
        self: &Arc<Self>,
        arrival: Arrival,
        token: &CancellationToken,
        permit: impl FnOnce() -> Option<Permit>,
        is_needed: impl Fn(&Arrival) -> bool,
    ) -> Option<Slot> {
        self.take_at(self.clock.stopwatch(), arrival, token, permit, is_needed)
    }

    fn take_at(
        self: &Arc<Self>,
        now: Duration,
        arrival: Arrival,
        token: &CancellationToken,
        permit: impl FnOnce() -> Option<Permit>,
        is_needed: impl Fn(&Arrival) -> bool,
    ) -> Option<Slot> {
        let address = origin(arrival.source.ip());
        let mut state = self.lock();
        let of_address = state.count_of(address);
        if of_address >= self.limits.of_one_address {
            return None;
        }
        let free = if state.occupied.len() < self.limits.all { permit() } else { None };
        let permit = free.or_else(|| state.evict(of_address, now, is_needed))?;
        state.last_event += 1;
        let number = state.last_event;
        let (token, unproven) = (token.clone(), Some(number));
        state.occupied.insert(number, Occupant { arrival, address, token, permit, unproven, since: now });
        *state.by_address.entry(address).or_default() += 1;
        Some(Slot { places: Arc::clone(self), number })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count_of(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).copied().unwrap_or_default()
    }

    /// Evicts a connection for one of an address with `of_newcomer` others, and returns its permit; `None` if there is
    /// none to evict.
    fn evict(
        &mut self,
        of_newcomer: usize,
        now: Duration,
        is_needed: impl Fn(&Arrival) -> bool,
    ) -> Option<Permit> {
        let unproven = self.idle_unproven(of_newcomer, now);
        let chosen = unproven.or_else(|| self.unneeded(of_newcomer, now, is_needed))?;
        let Occupant { token, permit, .. } = self.free(chosen)?;
        token.cancel();
        Some(permit)
    }

    /// The longest idle of the unproven connections that can be evicted for one of an address with `of_newcomer`
    /// others.
    fn idle_unproven(&self, of_newcomer: usize, now: Duration) -> Option<u64> {
        let idle = self.occupied.iter().filter_map(|(number, occupant)| {
            let event = occupant.unproven?;
            let had_time = now.saturating_sub(occupant.since) >= MIN_UNPROVEN_TIME;
            (had_time || self.count_of(occupant.address) >= of_newcomer).then_some((event, *number))
        });
        idle.min().map(|(_, number)| number)
    }

    /// A proven connection that nothing needs, and that can be evicted for one of an address with `of_newcomer` others.
    fn unneeded(
        &mut self,
        of_newcomer: usize,
        now: Duration,
        is_needed: impl Fn(&Arrival) -> bool,
    ) -> Option<u64> {
        let Self { occupied, by_address, search, .. } = self;
        let candidates = occupied.iter().filter_map(|(number, occupant)| {
            if occupant.unproven.is_some() || is_needed(&occupant.arrival) {
                return None;
            }
            let of_holder = by_address.get(&occupant.address).copied().unwrap_or_default();
            Some(Candidate { key: *number, since: occupant.since, is_missed: true, of_holder })
        });
        search.find(of_newcomer, now, candidates)
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
    /// Records an accepted message. After the first one the connection is proven.
    pub(super) fn mark_proven(&self) {
        let now = self.places.clock.stopwatch();
        if let Some(occupant) = self.places.lock().occupied.get_mut(&self.number)
            && occupant.unproven.take().is_some()
        {
            occupant.since = now;
        }
    }

    /// Records received bytes of an unproven connection.
    pub(super) fn touch(&self) {
        let now = self.places.clock.stopwatch();
        let mut state = self.places.lock();
        state.last_event += 1;
        let event = state.last_event;
        if let Some(occupant) = state.occupied.get_mut(&self.number)
            && occupant.unproven.is_some()
        {
            (occupant.unproven, occupant.since) = (Some(event), now);
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
    use std::net::SocketAddr;

    use rsipstack::sip::Transport;
    use service_base::descriptors::{Descriptors, Share};

    use super::*;

    fn places(all: usize, of_one_address: usize) -> Arc<ConnectionSlots> {
        ConnectionSlots::new(Connections { all, of_one_address }, Clock::system())
    }

    fn from(address: IpAddr, port: u16) -> Arrival {
        let source = SocketAddr::new(address, port);
        Arrival { source, local: "192.0.2.9:5060".parse().unwrap(), transport: Transport::Tcp }
    }

    fn permit() -> Option<Permit> {
        Descriptors::new(1_024).take(Share::Signalling)
    }

    fn take(places: &Arc<ConnectionSlots>, address: IpAddr, token: &CancellationToken) -> Option<Slot> {
        places.take(from(address, 5060), token, permit, |_| false)
    }

    fn addresses() -> [IpAddr; 3] {
        ["192.0.2.1", "2001:db8::1", "198.51.100.1"].map(|text| text.parse().unwrap())
    }

    fn proven(places: &Arc<ConnectionSlots>, address: IpAddr) -> Option<Slot> {
        let slot = take(places, address, &CancellationToken::new());
        slot.inspect(Slot::mark_proven)
    }

    #[test]
    fn slots_are_limited_in_total_and_for_each_address_and_can_be_reused() {
        let places = places(3, 2);
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
        let places = places(4, 1);
        let one = proven(&places, "2001:db8::1".parse().unwrap()).unwrap();
        assert!(proven(&places, "2001:db8::2".parse().unwrap()).is_none());
        let other = proven(&places, "2001:db8:0:1::1".parse().unwrap()).unwrap();
        drop((one, other));
        assert!(places.lock().by_address.is_empty());
    }

    #[test]
    fn the_longest_idle_unproven_connection_is_evicted() {
        let places = places(3, 2);
        let [a, b, c] = addresses();
        let tokens: Vec<_> = (0..5).map(|_| CancellationToken::new()).collect();
        let first = take(&places, a, &tokens[0]).unwrap();
        let second = take(&places, a, &tokens[1]).unwrap();
        let third = take(&places, b, &tokens[2]).unwrap();
        third.mark_proven();
        first.touch();
        let fourth = take(&places, c, &tokens[3]).unwrap();
        let ended: Vec<bool> = tokens.iter().map(CancellationToken::is_cancelled).collect();
        assert_eq!(ended, [false, true, false, false, false], "the second has been idle longest");
        assert!(take(&places, c, &tokens[4]).is_some() && tokens[0].is_cancelled());
        fourth.mark_proven();
        drop((first, second));
        assert_eq!(places.lock().occupied.len(), 2, "an evicted connection is removed once");
    }

    #[test]
    fn a_proven_connection_that_nothing_needs_makes_room_for_an_address_with_fewer() {
        let places = places(40, 20);
        let [a, b, c] = addresses();
        let tokens: Vec<_> = (0..40).map(|_| CancellationToken::new()).collect();
        let held: Vec<Slot> = std::iter::zip(0.., &tokens)
            .map(|(port, token)| {
                let address = if port < 20 { a } else { b };
                let slot = places.take(from(address, port), token, permit, |_| false).unwrap();
                slot.mark_proven();
                slot
            })
            .collect();
        // One of each address has a call.
        let is_needed = |arrival: &Arrival| matches!(arrival.source.port(), 0 | 20);
        let later = |millis| places.clock.stopwatch() + Duration::from_millis(millis);
        let newcomer = CancellationToken::new();
        let take_at = |now, address| places.take_at(now, from(address, 99), &newcomer, permit, is_needed);
        let ended = || -> Vec<usize> { (0..40).filter(|number| tokens[*number].is_cancelled()).collect() };

        assert!(take_at(later(0), c).is_none(), "they may be in use yet");
        let first = take_at(later(1_000), c).unwrap();
        assert_eq!(ended(), [1], "the oldest that nothing needs");
        first.mark_proven();
        let second = take_at(later(1_000), c).unwrap();
        second.mark_proven();
        assert_eq!(ended(), [1, 21], "of the address with most");
        assert!(take_at(later(1_000), a).is_none() && take_at(later(1_000), b).is_none());
        let all_needed = places.take_at(later(60_000), from(c, 99), &newcomer, permit, |_| true);
        assert!(all_needed.is_none());
        drop((held, first, second));
        let state = places.lock();
        assert!(state.occupied.is_empty() && state.by_address.is_empty());
    }

    #[test]
    fn an_address_with_many_connections_does_not_evict_a_new_one_of_another() {
        let places = places(3, 3);
        let [a, b, _] = addresses();
        let (token, new) = (CancellationToken::new(), CancellationToken::new());
        let _held = [proven(&places, a).unwrap(), proven(&places, a).unwrap()];
        let _new = take(&places, b, &new).unwrap();
        assert!(take(&places, a, &token).is_none() && !new.is_cancelled());
        let later = places.clock.stopwatch() + MIN_UNPROVEN_TIME;
        let second = places.take_at(later, from(a, 5060), &token, permit, |_| false);
        assert!(second.is_some() && new.is_cancelled());
    }

    #[test]
    fn a_connection_without_a_free_file_has_that_of_one_that_makes_room() {
        let places = places(3, 3);
        let [a, b, _] = addresses();
        let (token, new) = (CancellationToken::new(), CancellationToken::new());
        assert!(places.take(from(a, 1), &token, || None, |_| false).is_none());
        let _held = take(&places, a, &token).unwrap();
        let _other = places.take(from(b, 1), &new, || None, |_| false).unwrap();
        assert!(token.is_cancelled() && !new.is_cancelled());
        assert_eq!(places.lock().occupied.len(), 1);
    }
}
