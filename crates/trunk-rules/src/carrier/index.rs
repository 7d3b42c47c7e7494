//! An index of all trunks, which finds the trunk of a call among a million.
//!
//! A trunk is found by its digest username, by its Twilio account SID, or by source address and tech prefix.
//! Its channels are kept when the trunk is updated: an update ends no call in progress.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use didww_types::Id;
use didww_types::resources::VoiceOutTrunk;
use didww_types::values::Money;
use ipnetwork::IpNetwork;

use super::network::Address;
use super::policy::Policies;
use super::slot_table::SlotTable;
use super::source_table::{Found, SourceTable};
use super::{AccountDids, Authentication, Channels, TrunkTerms};

/// A trunk cannot be added because another one has its digest username.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the digest username of trunk {trunk} is that of trunk {owner}; usernames must be unique")]
pub struct IndexError {
    /// The trunk that was not inserted.
    pub trunk: Id<VoiceOutTrunk>,
    /// The trunk that has the username.
    pub owner: Id<VoiceOutTrunk>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) terms: Arc<TrunkTerms>,
    pub(super) channels: Channels,
}

/// All trunks of an edge, and the DIDs of their accounts. Trunks with equal policies share one.
#[derive(Debug, Default)]
pub struct TrunkIndex {
    slots: Vec<Option<Entry>>,
    free: Vec<usize>,
    by_id: SlotTable,
    by_username: SlotTable,
    by_sid: HashMap<Box<str>, BTreeMap<Id<VoiceOutTrunk>, usize>>,
    sources: SourceTable,
    policies: Policies,
    dids: HashMap<Arc<str>, AccountDids>,
    /// The empty set of every account without DIDs.
    no_dids: AccountDids,
}

/// Whether calls find two states of a trunk in the same way. The policies of both are shared.
fn is_found_alike(one: &TrunkTerms, other: &TrunkTerms) -> bool {
    let is_named_alike = match (&one.authentication, &other.authentication) {
        (
            Authentication::Credentials { username: one, .. },
            Authentication::Credentials { username: other, .. },
        )
        | (Authentication::Twilio(one), Authentication::Twilio(other)) => one == other,
        (Authentication::Address, Authentication::Address)
        | (Authentication::Nobody, Authentication::Nobody) => true,
        _ => false,
    };
    is_named_alike && Arc::ptr_eq(&one.policy, &other.policy)
}

impl TrunkIndex {
    /// Returns an index without trunks, in which no call finds one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of trunks in the index, blocked ones included.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether the index is empty.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Inserts or replaces a trunk. The next call uses the new terms.
    pub fn insert(&mut self, mut terms: TrunkTerms) -> Result<(), IndexError> {
        let existing_slot = self.slot_of(&terms.id);
        if let Authentication::Credentials { username, .. } = &terms.authentication
            && let Some(owner) = self.slot_of_username(username).filter(|slot| Some(*slot) != existing_slot)
        {
            let owner = self.entry(owner).map_or_else(|| terms.id.clone(), |entry| entry.terms.id.clone());
            return Err(IndexError { trunk: terms.id, owner });
        }
        self.policies.share(&mut terms.policy);
        let terms = Arc::new(terms);
        let slot = existing_slot.or_else(|| self.free.pop()).unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        let old = self.slots.get_mut(slot).and_then(Option::take);
        // The end of each call writes only the spending of its trunk.
        let keeps_its_places = old.as_ref().is_some_and(|old| is_found_alike(&old.terms, &terms));
        let channels = old.map_or_else(Channels::default, |old| {
            if keeps_its_places {
                self.policies.release(&old.terms.policy);
            } else {
                self.unlink(&old.terms, slot);
            }
            old.channels
        });
        if !keeps_its_places {
            self.link(&terms, slot);
        }
        if existing_slot.is_none() {
            self.by_id.insert(terms.id.as_str(), slot);
        }
        if let Some(entry) = self.slots.get_mut(slot) {
            *entry = Some(Entry { terms, channels });
        }
        Ok(())
    }

    /// Changes the [amount spent](TrunkTerms::spent) of a trunk, and nothing else of it. Returns false if there is no
    /// such trunk.
    pub fn set_spent(&mut self, id: &Id<VoiceOutTrunk>, spent: Money) -> bool {
        let Some(slot) = self.slot_of(id) else { return false };
        let Some(entry) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return false };
        // Calls in progress keep the terms that they were admitted by.
        Arc::make_mut(&mut entry.terms).spent = spent;
        true
    }

    /// Removes a trunk. Its calls in progress keep their channels until they end.
    pub fn remove(&mut self, id: &Id<VoiceOutTrunk>) -> Option<Arc<TrunkTerms>> {
        let slot = self.slot_of(id)?;
        let old = self.slots.get_mut(slot)?.take()?;
        self.by_id.remove(id.as_str(), slot);
        self.unlink(&old.terms, slot);
        self.free.push(slot);
        Some(old.terms)
    }

    /// The trunk with the given digest username.
    pub fn with_username(&self, username: &str) -> Option<&Arc<TrunkTerms>> {
        self.by_username(username.as_bytes()).map(|entry| &entry.terms)
    }

    /// The DIDs of an account, by which its trunks are prepared.
    pub fn dids(&self, account: &str) -> &AccountDids {
        self.dids.get(account).unwrap_or(&self.no_dids)
    }

    /// The DIDs of an account, to change them. They stay until the [account](Self::remove_account) is removed, because
    /// its trunks refer to them.
    pub fn dids_mut(&mut self, account: &Arc<str>) -> &mut AccountDids {
        self.dids.entry(Arc::clone(account)).or_default()
    }

    /// Removes all trunks and DIDs of an account. Calls in progress keep their channels until they end.
    pub fn remove_account(&mut self, account: &str) {
        let entries = self.slots.iter().flatten().filter(|entry| &*entry.terms.account == account);
        let ids: Vec<Id<VoiceOutTrunk>> = entries.map(|entry| entry.terms.id.clone()).collect();
        for id in &ids {
            self.remove(id);
        }
        self.dids.remove(account);
    }

    /// The trunk with the given id.
    pub fn get(&self, id: &Id<VoiceOutTrunk>) -> Option<&Arc<TrunkTerms>> {
        self.slot_of(id).and_then(|slot| self.entry(slot)).map(|entry| &entry.terms)
    }

    /// The channels of the trunk with the given id.
    pub fn channels(&self, id: &Id<VoiceOutTrunk>) -> Option<&Channels> {
        self.slot_of(id).and_then(|slot| self.entry(slot)).map(|entry| &entry.channels)
    }

    /// The allowed subnet, of any trunk, that shares most leading bits with an address. Logs of a refused
    /// address name it.
    pub fn nearest_network(&self, source: IpAddr) -> Option<IpNetwork> {
        self.sources.nearest(Address::of(source)).and_then(super::network::Subnet::network)
    }

    /// The narrowest allowed subnet, of any trunk, that contains an address and is narrow enough to identify
    /// its user: `/16` or narrower (IPv6: `/32`), or within private address space.
    pub fn naming(&self, source: IpAddr) -> Option<IpNetwork> {
        self.sources.narrowest_identifying(Address::of(source)).and_then(super::network::Subnet::network)
    }

    pub(super) fn by_username(&self, username: &[u8]) -> Option<&Entry> {
        let username = std::str::from_utf8(username).ok()?;
        self.slot_of_username(username).and_then(|slot| self.entry(slot))
    }

    pub(super) fn by_twilio_sid(&self, sid: &[u8]) -> Option<&Entry> {
        let sid = std::str::from_utf8(sid.trim_ascii()).ok()?;
        self.by_sid.get(sid)?.values().next().and_then(|slot| self.entry(*slot))
    }

    pub(super) fn find_source(&self, source: Address, dialled: &[u8]) -> Found {
        self.sources.find(source, dialled)
    }

    pub(super) fn entry(&self, slot: usize) -> Option<&Entry> {
        self.slots.get(slot)?.as_ref()
    }

    fn slot_of(&self, id: &Id<VoiceOutTrunk>) -> Option<usize> {
        self.by_id.find(id.as_str(), |slot| self.entry(slot).is_some_and(|entry| entry.terms.id == *id))
    }

    fn slot_of_username(&self, username: &str) -> Option<usize> {
        self.by_username.find(username, |slot| {
            match self.entry(slot).map(|entry| &entry.terms.authentication) {
                Some(Authentication::Credentials { username: known, .. }) => **known == *username,
                _ => false,
            }
        })
    }

    fn link(&mut self, terms: &TrunkTerms, slot: usize) {
        let open = match &terms.authentication {
            Authentication::Credentials { username, .. } => {
                self.by_username.insert(username, slot);
                None
            }
            Authentication::Twilio(sid) => {
                self.by_sid.entry(sid.clone()).or_default().insert(terms.id.clone(), slot);
                return;
            }
            Authentication::Address => Some(slot),
            Authentication::Nobody => return,
        };
        for network in terms.networks.iter() {
            self.sources.insert(network, terms.tech_prefix.as_bytes(), &terms.id, open);
        }
    }

    fn unlink(&mut self, terms: &TrunkTerms, slot: usize) {
        self.policies.release(&terms.policy);
        match &terms.authentication {
            Authentication::Credentials { username, .. } => self.by_username.remove(username, slot),
            Authentication::Twilio(sid) => {
                if let Some(trunks) = self.by_sid.get_mut(sid) {
                    trunks.remove(&terms.id);
                    if trunks.is_empty() {
                        self.by_sid.remove(sid);
                    }
                }
                return;
            }
            Authentication::Address => {}
            Authentication::Nobody => return,
        }
        for network in terms.networks.iter() {
            self.sources.remove(network, terms.tech_prefix.as_bytes(), &terms.id);
        }
    }

    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        let all_free = self.free.len() == self.slots.len();
        all_free
            && self.is_empty()
            && self.by_username.is_empty()
            && self.by_sid.is_empty()
            && self.sources.is_empty()
            && self.policies.is_empty()
    }
}

#[cfg(test)]
mod tests;
