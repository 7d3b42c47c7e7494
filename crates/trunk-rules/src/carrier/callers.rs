//! The caller numbers that a trunk may present: those of the DIDs that it is linked to, or all of its account.

use didww_types::Timestamp;

use super::account_dids::{KnownDid, Link};
use super::{AccountDids, Digits};

/// Which DIDs of its account a trunk has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Callers {
    /// Those that it is linked to, in the order of [`Link`]s, each once.
    Own(Box<[Link]>),
    All,
}

/// The caller numbers of a trunk, as the DIDs of its account are now.
#[derive(Debug, Clone, Copy)]
pub struct CallerSet<'a> {
    dids: &'a AccountDids,
    callers: &'a Callers,
    /// Whether only DIDs with emergency service count.
    is_emergency: bool,
}

impl<'a> CallerSet<'a> {
    /// The numbers of the DIDs that calls may present.
    pub(super) const fn new(dids: &'a AccountDids, callers: &'a Callers) -> Self {
        Self { dids, callers, is_emergency: false }
    }

    /// The numbers of the DIDs that emergency calls may present.
    pub(super) const fn emergency(dids: &'a AccountDids, callers: &'a Callers) -> Self {
        Self { dids, callers, is_emergency: true }
    }

    /// Whether the set contains the number at the given time.
    pub fn contains(&self, number: Digits, now: Timestamp) -> bool {
        match self.callers {
            Callers::All => self.dids.with_number(number).any(|did| self.counts(did) && now < did.until),
            Callers::Own(links) => {
                let has = |link: &Link| {
                    self.linked(*link).is_some_and(|did| did.number == number && now < did.until)
                };
                if self.dids.is_renumbered() {
                    return links.iter().any(has);
                }
                let from = links.partition_point(|link| link.number < number);
                links.iter().skip(from).take_while(|link| link.number == number).any(has)
            }
        }
    }

    /// Returns the first unexpired number in text order.
    pub fn first(&self, now: Timestamp) -> Option<Digits> {
        let usable = |did: &&KnownDid| self.counts(did) && now < did.until;
        match self.callers {
            Callers::All => self.dids.in_order().find(usable).map(|did| did.number),
            Callers::Own(links) => {
                let mut numbers =
                    links.iter().filter_map(|link| self.linked(*link)).filter(usable).map(|did| did.number);
                if self.dids.is_renumbered() { numbers.min() } else { numbers.next() }
            }
        }
    }

    /// Returns an unexpired number, selected by a random number.
    pub fn any(&self, now: Timestamp, random: u64) -> Option<Digits> {
        let usable = |did: &&KnownDid| self.counts(did) && now < did.until;
        let found = match self.callers {
            Callers::All => {
                rotated(self.dids.eligible(), random).filter_map(|at| self.dids.did(*at)).find(usable)
            }
            Callers::Own(links) => rotated(links, random).filter_map(|link| self.linked(*link)).find(usable),
        };
        found.map(|did| did.number)
    }

    /// The count of numbers, expired ones included.
    pub fn count(&self) -> usize {
        match self.callers {
            Callers::All if self.is_emergency => self.dids.emergency_numbers(),
            Callers::All => self.dids.numbers(),
            Callers::Own(links) => {
                let linked = links.iter().filter_map(|link| self.linked(*link));
                let mut numbers: Vec<Digits> = linked.map(|did| did.number).collect();
                numbers.sort_unstable();
                numbers.dedup();
                numbers.len()
            }
        }
    }

    fn counts(&self, did: &KnownDid) -> bool {
        did.is_emergency || !self.is_emergency
    }

    fn linked(&self, link: Link) -> Option<&'a KnownDid> {
        self.dids.linked(link).filter(|did| self.counts(did))
    }
}

/// All items, rotated so that the first is selected by a random number.
fn rotated<T>(all: &[T], random: u64) -> impl Iterator<Item = &T> {
    let count = u64::try_from(all.len()).unwrap_or(u64::MAX).max(1);
    let start = usize::try_from(random % count).unwrap_or_default();
    let (before, after) = all.split_at_checked(start).unwrap_or((&[], all));
    after.iter().chain(before)
}

#[cfg(test)]
mod tests;
