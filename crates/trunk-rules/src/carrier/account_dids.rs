//! The DIDs of an account, each of which can be changed alone.
//!
//! A change takes as long as a look-up in an ordered set, however many DIDs the account has and however many trunks are
//! linked to it: a trunk refers to a DID by the slot where it is kept, so a change of the DID prepares no trunk again.

use std::collections::BTreeSet;

use didww_types::resources::Did;
use didww_types::{Id, Timestamp};

use super::slot_table::SlotTable;
use super::{DidFacts, Digits};

/// The DIDs of an account, those that are not eligible included.
#[derive(Debug, Default)]
pub struct AccountDids {
    by_id: SlotTable,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The numbers of the eligible DIDs with their slots. Few share one: DIDs of an old database, or one that replaces
    /// another.
    by_number: BTreeSet<(Digits, u32)>,
    /// The same slots in no order: a random one is found without a step through the others.
    eligible: Vec<u32>,
    /// The count of the numbers of eligible DIDs, each counted once.
    numbers: usize,
    /// The count of those numbers of which an eligible DID has emergency service.
    emergency_numbers: usize,
    /// Whether the number of a DID was ever changed, so that links may be out of the order of the numbers.
    is_renumbered: bool,
    removed: u64,
}

#[derive(Debug, Default)]
struct Slot {
    /// The number of DIDs that had this slot before. A link to one of them must not lead to the present DID.
    generation: u32,
    did: Option<KnownDid>,
}

/// A DID as it is now.
#[derive(Debug)]
pub(super) struct KnownDid {
    id: Id<Did>,
    pub(super) number: Digits,
    /// When it expires.
    pub(super) until: Timestamp,
    /// Whether emergency calls may be made from it.
    pub(super) is_emergency: bool,
    /// Its place among the eligible DIDs; `None` if it is not eligible.
    place: Option<u32>,
}

/// The link of a trunk to a DID. Links are in the order of the numbers that the DIDs had when they were linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Link {
    pub(super) number: Digits,
    slot: u32,
    generation: u32,
}

impl AccountDids {
    /// Returns the given DIDs, as [`set`](Self::set) takes them.
    pub fn new(dids: impl IntoIterator<Item = DidFacts>) -> Self {
        let mut all = Self::default();
        for did in dids {
            all.set(&did);
        }
        all
    }

    /// Adds or changes a DID. The next call uses it. Returns true if it was not known: the terms of trunks that are
    /// linked to it must be prepared again. A DID whose number is invalid is not added, and one that is known is not
    /// eligible meanwhile.
    pub fn set(&mut self, facts: &DidFacts) -> bool {
        let number = super::normalise(facts.number.as_bytes()).ok();
        let until = facts.expires_at.unwrap_or(Timestamp::from_unix_millis(i64::MAX));
        let is_emergency = facts.emergency_enabled;
        let known = self.slot_of(&facts.id);
        let at = match (known, number) {
            (Some(at), _) => at,
            (None, Some(number)) => {
                self.add(KnownDid { id: facts.id.clone(), number, until, is_emergency, place: None })
            }
            (None, None) => return false,
        };
        self.unlist(at);
        if let Some(did) = self.did_mut(at) {
            did.until = until;
            did.is_emergency = is_emergency;
            if let Some(number) = number {
                let was = std::mem::replace(&mut did.number, number);
                self.is_renumbered |= was != number;
            }
        }
        if facts.eligible && number.is_some() {
            self.list(at);
        }
        known.is_none()
    }

    /// Removes a DID. Trunks that are linked to it keep no number of it, even if another DID has the same id or number
    /// later.
    pub fn remove(&mut self, id: &Id<Did>) {
        let Some(at) = self.slot_of(id) else { return };
        self.unlist(at);
        self.removed += 1;
        self.by_id.remove(id.as_str(), at as usize);
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.did = None;
            slot.generation = slot.generation.wrapping_add(1);
        }
        self.free.push(at);
    }

    /// How many DIDs were ever [removed](Self::remove). While it is the same, equal ids of known DIDs have equal links.
    pub const fn removed(&self) -> u64 {
        self.removed
    }

    /// Whether the DID was [set](Self::set), eligible or not.
    pub fn knows(&self, id: &Id<Did>) -> bool {
        self.slot_of(id).is_some()
    }

    /// The link to a DID; `None` if it is not known.
    pub(super) fn link(&self, id: &Id<Did>) -> Option<Link> {
        let at = self.slot_of(id)?;
        let slot = self.slots.get(at as usize)?;
        let number = slot.did.as_ref()?.number;
        Some(Link { number, slot: at, generation: slot.generation })
    }

    /// The links to DIDs in their order, each once. Those that are not known are left out.
    pub(super) fn links(&self, ids: &[Id<Did>]) -> Box<[Link]> {
        let mut links: Vec<Link> = ids.iter().filter_map(|id| self.link(id)).collect();
        links.sort_unstable();
        links.dedup();
        links.into()
    }

    /// The DID of a link, if it is eligible now.
    pub(super) fn linked(&self, link: Link) -> Option<&KnownDid> {
        let slot = self.slots.get(link.slot as usize).filter(|slot| slot.generation == link.generation)?;
        slot.did.as_ref().filter(|did| did.place.is_some())
    }

    /// The eligible DIDs with a number.
    pub(super) fn with_number(&self, number: Digits) -> impl Iterator<Item = &KnownDid> {
        self.by_number.range((number, 0)..=(number, u32::MAX)).filter_map(move |(_, at)| self.did(*at))
    }

    /// The eligible DIDs in the order of their numbers.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &KnownDid> {
        self.by_number.iter().filter_map(move |(_, at)| self.did(*at))
    }

    /// The slots of the eligible DIDs, in no order.
    pub(super) fn eligible(&self) -> &[u32] {
        &self.eligible
    }

    /// The DID in a slot.
    pub(super) fn did(&self, at: u32) -> Option<&KnownDid> {
        self.slots.get(at as usize)?.did.as_ref()
    }

    /// The count of the numbers of eligible DIDs, expired ones included.
    pub(super) const fn numbers(&self) -> usize {
        self.numbers
    }

    /// The count of the numbers of eligible DIDs with emergency service, expired ones included.
    pub(super) const fn emergency_numbers(&self) -> usize {
        self.emergency_numbers
    }

    /// Whether links may be out of the order of the numbers.
    pub(super) const fn is_renumbered(&self) -> bool {
        self.is_renumbered
    }

    fn slot_of(&self, id: &Id<Did>) -> Option<u32> {
        let has = |at: usize| {
            let did = self.slots.get(at).and_then(|slot| slot.did.as_ref());
            did.is_some_and(|did| did.id == *id)
        };
        self.by_id.find(id.as_str(), has).and_then(|at| u32::try_from(at).ok())
    }

    fn did_mut(&mut self, at: u32) -> Option<&mut KnownDid> {
        self.slots.get_mut(at as usize)?.did.as_mut()
    }

    /// Takes a free slot for a DID that has none.
    fn add(&mut self, did: KnownDid) -> u32 {
        let at = self.free.pop().unwrap_or_else(|| {
            // No memory holds as many DIDs.
            let at = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
            self.slots.push(Slot::default());
            at
        });
        self.by_id.insert(did.id.as_str(), at as usize);
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.did = Some(did);
        }
        at
    }

    /// Adds a known DID that is not eligible yet to the eligible ones.
    fn list(&mut self, at: u32) {
        let Some(did) = self.did(at) else { return };
        let (number, is_emergency) = (did.number, did.is_emergency);
        let (has_number, has_emergency) = self.has(number);
        self.numbers += usize::from(!has_number);
        self.emergency_numbers += usize::from(is_emergency && !has_emergency);
        self.by_number.insert((number, at));
        let place = u32::try_from(self.eligible.len()).unwrap_or(u32::MAX);
        self.eligible.push(at);
        if let Some(did) = self.did_mut(at) {
            did.place = Some(place);
        }
    }

    /// Removes a DID from the eligible ones, if it is one.
    fn unlist(&mut self, at: u32) {
        let Some(did) = self.did_mut(at) else { return };
        let Some(place) = did.place.take() else { return };
        let (number, is_emergency) = (did.number, did.is_emergency);
        self.by_number.remove(&(number, at));
        let (has_number, has_emergency) = self.has(number);
        self.numbers -= usize::from(!has_number);
        self.emergency_numbers -= usize::from(is_emergency && !has_emergency);
        self.eligible.swap_remove(place as usize);
        let moved = self.eligible.get(place as usize).copied();
        if let Some(did) = moved.and_then(|at| self.did_mut(at)) {
            did.place = Some(place);
        }
    }

    /// Whether an eligible DID has a number, and whether one of them has emergency service.
    fn has(&self, number: Digits) -> (bool, bool) {
        self.with_number(number)
            .fold((false, false), |(_, emergency), did| (true, emergency || did.is_emergency))
    }
}
