//! Limits the requests in progress, for all sources, for each allowed subnet and for each source.
//!
//! A request holds a slot until its response needs no more repetition: up to 32 seconds, also inside a call.
//! A call releases its slot when its answer is acknowledged. There are 32,768 slots, of which one source (an
//! IPv4 address, or a /64 of IPv6) can hold 2,048, and the sources in one allowed subnet half of all. So a
//! source that acknowledges nothing uses up only its own slots, and forged addresses of one subnet leave
//! slots for others. There is no limit for an account, because a subnet can be allowed by trunks of several:
//! the sources in two allowed subnets can take all slots. The maps contain holders of slots only.
//!
//! An attacker can forge the address of a source, and never acknowledges the refusals. So a refusal or a challenge that
//! waits for its ACK holds a slot of another kind, of which there are as many; it is not repeated if there is none.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnetwork::IpNetwork;
use service_base::forwarded::origin;

/// The allowed subnet that identifies a source; `None` if the source is known only by a proof.
pub(crate) type IdentifyingSubnet = Option<IpNetwork>;

/// The numbers of slots that may be taken at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlotLimits {
    pub all: usize,
    pub of_subnet: usize,
    pub of_source: usize,
}

pub(crate) const SLOT_LIMITS: SlotLimits = SlotLimits { all: 32_768, of_subnet: 16_384, of_source: 2_048 };

#[derive(Debug)]
pub(crate) struct RequestSlots {
    limits: SlotLimits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_progress: Counts,
    refused: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    of_subnets: HashMap<IdentifyingSubnet, usize>,
    of_sources: HashMap<IpAddr, usize>,
}

/// Whether a request may take a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// A slot is free.
    Ample,
    /// A slot is free, but no slot for a refusal that waits for its ACK.
    BesideRefusals,
    /// No slot is free.
    None,
}

/// A slot, which is released when this is dropped.
#[derive(Debug)]
pub(crate) struct RequestSlot {
    slots: Arc<RequestSlots>,
    source: IpAddr,
    subnet: IdentifyingSubnet,
    is_of_refusal: bool,
}

impl RequestSlots {
    pub(crate) fn new(limits: SlotLimits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    /// Whether there is a free slot for a source.
    pub(crate) fn room(&self, source: IpAddr, subnet: IdentifyingSubnet) -> Room {
        let (source, taken) = (origin(source), self.lock());
        if !taken.in_progress.has_room(self.limits, source, subnet) {
            Room::None
        } else if taken.refused.has_room(self.limits, source, subnet) {
            Room::Ample
        } else {
            Room::BesideRefusals
        }
    }

    /// Takes a slot. `None` if there is none left for the source, its subnet, or at all.
    pub(crate) fn take(self: &Arc<Self>, source: IpAddr, subnet: IdentifyingSubnet) -> Option<RequestSlot> {
        let source = origin(source);
        let mut taken = self.lock();
        if !taken.in_progress.has_room(self.limits, source, subnet) {
            return None;
        }
        taken.in_progress.add(source, subnet);
        Some(RequestSlot { slots: Arc::clone(self), source, subnet, is_of_refusal: false })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn has_room(&self, limits: SlotLimits, source: IpAddr, subnet: IdentifyingSubnet) -> bool {
        // No holder has more than all have together, which are fewer than any limit most of the time.
        if self.all < limits.all.min(limits.of_subnet).min(limits.of_source) {
            return true;
        }
        let of_subnet = self.of_subnets.get(&subnet).copied().unwrap_or_default();
        let of_source = self.of_sources.get(&source).copied().unwrap_or_default();
        self.all < limits.all && of_subnet < limits.of_subnet && of_source < limits.of_source
    }

    fn add(&mut self, source: IpAddr, subnet: IdentifyingSubnet) {
        self.all += 1;
        *self.of_subnets.entry(subnet).or_default() += 1;
        *self.of_sources.entry(source).or_default() += 1;
    }

    fn remove(&mut self, source: IpAddr, subnet: IdentifyingSubnet) {
        self.all -= 1;
        decrement(&mut self.of_subnets, subnet);
        decrement(&mut self.of_sources, source);
    }
}

impl RequestSlot {
    /// Exchanges the slot for one of refusals that wait for their ACK. `None` if there is none left; the slot is
    /// released in both cases.
    pub(crate) fn of_refusal(mut self) -> Option<Self> {
        let slots = Arc::clone(&self.slots);
        let mut taken = slots.lock();
        let has_room = taken.refused.has_room(slots.limits, self.source, self.subnet);
        if has_room && !self.is_of_refusal {
            taken.in_progress.remove(self.source, self.subnet);
            taken.refused.add(self.source, self.subnet);
            self.is_of_refusal = true;
        }
        // Dropping the slot takes the lock.
        drop(taken);
        let is_of_refusal = self.is_of_refusal;
        is_of_refusal.then_some(self)
    }
}

impl Drop for RequestSlot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        let counts = if self.is_of_refusal { &mut taken.refused } else { &mut taken.in_progress };
        counts.remove(self.source, self.subnet);
    }
}

fn decrement<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
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
        let slots = RequestSlots::new(SlotLimits { all: 6, of_subnet: 4, of_source: 2 });
        let take = |source: &str, subnet: &str| {
            slots.take(source.parse().unwrap(), (!subnet.is_empty()).then(|| subnet.parse().unwrap()))
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
        let taken = slots.lock();
        let Counts { all, of_subnets, of_sources } = &taken.in_progress;
        assert_eq!((*all, of_subnets.len(), of_sources.len()), (0, 0, 0));
    }

    #[test]
    fn refusals_that_wait_take_no_place_of_other_requests_and_have_as_many() {
        let slots = RequestSlots::new(SlotLimits { all: 6, of_subnet: 4, of_source: 2 });
        let source = "192.0.2.1".parse().unwrap();
        let (take, room) = (|| slots.take(source, None), || slots.room(source, None));
        let [first, second] = [take(), take()].map(|slot| slot.unwrap().of_refusal().unwrap());
        assert_eq!(room(), Room::BesideRefusals);
        let [third, fourth] = [take(), take()].map(Option::unwrap);
        assert!(take().is_none() && room() == Room::None);
        assert!(third.of_refusal().is_none(), "two of the source wait already");
        assert_eq!(room(), Room::BesideRefusals, "its place is free again");
        drop(first);
        assert_eq!(room(), Room::Ample);
        assert!(second.of_refusal().is_some(), "it has such a place already");
        drop(fourth.of_refusal().unwrap());
        let taken = slots.lock();
        assert_eq!((taken.in_progress.all, taken.refused.all, taken.refused.of_sources.len()), (0, 0, 0));
    }

    #[test]
    fn the_addresses_of_a_network_of_ipv6_share_their_places() {
        let slots = RequestSlots::new(SlotLimits { all: 6, of_subnet: 4, of_source: 2 });
        let take = |source: &str| slots.take(source.parse().unwrap(), None);
        let held = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
        assert!(
            take("2001:db8::3").is_none() && slots.room("2001:db8::3".parse().unwrap(), None) == Room::None
        );
        let other = take("2001:db8:0:1::1").unwrap();
        drop((held, other));
        assert!(slots.lock().in_progress.of_sources.is_empty());
    }
}
