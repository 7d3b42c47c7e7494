//! The bounded collection of messages, by `Call-ID`, peer and owner.
//!
//! A record has the messages of one `Call-ID` that one stack exchanged with one address. It counts with its
//! messages and a fixed overhead for its administration, so that empty records are bounded too.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::message::Stored;

/// The memory in bytes that a stored message takes beside its bytes.
const MESSAGE_OVERHEAD: usize = 192;
/// The memory in bytes that a record takes beside its messages: its entries in four maps.
const RECORD_OVERHEAD: usize = 768;
/// Maximum number of records with one `Call-ID`.
const MAX_PARTIES: usize = 8;

/// The bounds of a message log. Each counts bytes, and one record for each 4 KiB of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLogLimits {
    /// The messages of all records that belong to an owner. Default: 32 MiB.
    pub all: usize,
    /// Those of one owner. Default: 8 MiB.
    pub owner: usize,
    /// The messages of all records without an owner. Default: 4 MiB.
    pub unowned: usize,
    /// Those of one address without an owner. Default: 512 KiB.
    pub address: usize,
    /// The messages of one record, which has at most 64. Default: 64 KiB.
    pub record: usize,
}

impl Default for MessageLogLimits {
    fn default() -> Self {
        Self::of(32 << 20)
    }
}

impl MessageLogLimits {
    /// The smallest number of bytes that [`of`](Self::of) takes: 4 MiB.
    pub const MIN_BYTES: usize = 4 << 20;

    /// Limits for this number of bytes of messages with an owner, of which one owner may have a quarter. An
    /// eighth as much is for messages without an owner, of which an eighth may come from one address.
    pub fn of(bytes: usize) -> Self {
        let bytes = bytes.max(Self::MIN_BYTES);
        // An address has room for more than one record.
        let record = (bytes / 128).min(64 << 10);
        Self { all: bytes, owner: bytes / 4, unowned: bytes / 8, address: bytes / 64, record }
    }
}

/// The number of records that are allowed for a number of bytes.
const fn records(bytes: usize) -> usize {
    bytes / 4_096
}

/// Owners are sorted by their bytes in steps of this size, so that few messages change the place of one.
const STEP_BYTES: usize = 4_096;

/// Whether records exceed a limit in bytes, or the number of records that it allows.
const fn is_full(bytes: usize, count: usize, max_bytes: usize) -> bool {
    bytes > max_bytes || count > records(max_bytes)
}

/// Maximum number of messages that are kept from the beginning of a record, and as many from its end.
const MAX_HALF: usize = 32;

/// The stack and the peer of a record.
pub(super) type Party = (&'static str, IpAddr);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Owner {
    Named(Arc<str>),
    /// The peer, until an owner is named.
    Address(IpAddr),
}

#[derive(Debug)]
struct Record {
    party: Party,
    owner: Owner,
    /// When it was last used: a number that grows with each use.
    used: u64,
    /// The use under which its group lists it: the last one, or an earlier one.
    listed: u64,
    first: Vec<Stored>,
    last: VecDeque<Stored>,
    /// The bytes of `first`, and of all messages.
    first_bytes: usize,
    bytes: usize,
    omitted: u64,
}

/// The records of an owner, by the uses under which they are listed. A record that is used again keeps its place until
/// it is the first one, because to drop records is rarer than to use them: what is listed there is never later than its
/// last use.
#[derive(Debug, Default)]
struct Group {
    bytes: usize,
    records: BTreeMap<u64, (Arc<str>, Party)>,
}

impl Group {
    fn steps(&self) -> usize {
        self.bytes / STEP_BYTES
    }
}

/// The records with named owners, or those without.
#[derive(Debug)]
struct Pool {
    max_bytes: usize,
    max_group_bytes: usize,
    groups: HashMap<Owner, Group>,
    /// The owners by the [`Group::steps`] of their records.
    sizes: BTreeSet<(usize, Owner)>,
    bytes: usize,
    records: usize,
}

impl Pool {
    fn new(max_bytes: usize, max_group_bytes: usize) -> Self {
        let (groups, sizes) = (HashMap::new(), BTreeSet::new());
        Self { max_bytes, max_group_bytes, groups, sizes, bytes: 0, records: 0 }
    }

    /// Adds a record that was used at `used`.
    fn insert(&mut self, owner: &Owner, used: u64, key: (Arc<str>, Party), bytes: usize) {
        let group = self.groups.entry(owner.clone()).or_default();
        let had = (!group.records.is_empty()).then(|| group.steps());
        group.records.insert(used, key);
        group.bytes += bytes;
        let has = group.steps();
        sort(&mut self.sizes, owner, had, Some(has));
        self.bytes += bytes;
        self.records += 1;
    }

    /// Removes a record that is listed under `listed`.
    fn remove(&mut self, owner: &Owner, listed: u64, bytes: usize) {
        let Some(group) = self.groups.get_mut(owner) else { return };
        if group.records.remove(&listed).is_none() {
            return;
        }
        let had = group.steps();
        group.bytes -= bytes;
        let has = (!group.records.is_empty()).then(|| group.steps());
        sort(&mut self.sizes, owner, Some(had), has);
        if has.is_none() {
            self.groups.remove(owner);
        }
        self.bytes -= bytes;
        self.records -= 1;
    }

    /// Counts the bytes that a record of the pool gained or lost. Returns true if a limit is exceeded now.
    fn resize(&mut self, owner: &Owner, before: usize, after: usize) -> bool {
        let Some(group) = self.groups.get_mut(owner) else { return false };
        let had = group.steps();
        group.bytes = group.bytes - before + after;
        self.bytes = self.bytes - before + after;
        let has = group.steps();
        let exceeds = is_full(group.bytes, group.records.len(), self.max_group_bytes)
            || is_full(self.bytes, self.records, self.max_bytes);
        sort(&mut self.sizes, owner, Some(had), Some(has));
        exceeds
    }

    /// Lists a record under its last use.
    fn relist(&mut self, owner: &Owner, listed: u64, used: u64) {
        let Some(group) = self.groups.get_mut(owner) else { return };
        if let Some(key) = group.records.remove(&listed) {
            group.records.insert(used, key);
        }
    }

    /// The first record of the group that exceeds a limit, if one does; `owner` is the one whose records changed.
    fn excess(&self, owner: &Owner) -> Option<Listed> {
        let own = self.groups.get_key_value(owner);
        let own = own.filter(|(_, group)| is_full(group.bytes, group.records.len(), self.max_group_bytes));
        let largest = || {
            let exceeds = is_full(self.bytes, self.records, self.max_bytes);
            let (_, owner) = self.sizes.last().filter(|_| exceeds)?;
            self.groups.get_key_value(owner)
        };
        let (owner, group) = own.or_else(largest)?;
        let (under, (call_id, party)) = group.records.first_key_value()?;
        Some(Listed { owner: owner.clone(), under: *under, call_id: Arc::clone(call_id), party: *party })
    }
}

/// Moves an owner from the place of the steps that it had to that of those that it has now; `None` is no place.
fn sort(sizes: &mut BTreeSet<(usize, Owner)>, owner: &Owner, had: Option<usize>, has: Option<usize>) {
    if had == has {
        return;
    }
    if let Some(had) = had {
        sizes.remove(&(had, owner.clone()));
    }
    if let Some(has) = has {
        sizes.insert((has, owner.clone()));
    }
}

/// A record in the list of its group.
#[derive(Debug)]
struct Listed {
    owner: Owner,
    under: u64,
    call_id: Arc<str>,
    party: Party,
}

/// The stored records, and how much of their limits they use.
#[derive(Debug)]
pub(super) struct Calls {
    by_call_id: HashMap<Arc<str>, Vec<Record>>,
    owned: Pool,
    unowned: Pool,
    max_record_bytes: usize,
    /// The number of uses so far.
    uses: u64,
}

impl Calls {
    pub(super) fn new(limits: MessageLogLimits) -> Self {
        Self {
            by_call_id: HashMap::new(),
            owned: Pool::new(limits.all, limits.owner),
            unowned: Pool::new(limits.unowned, limits.address),
            max_record_bytes: limits.record,
            uses: 0,
        }
    }

    /// Whether a record of this `Call-ID` and party is stored.
    pub(super) fn contains(&self, call_id: &str, party: Party) -> bool {
        self.by_call_id.get(call_id).is_some_and(|records| records.iter().any(|record| record.party == party))
    }

    /// The messages with a `Call-ID`, and the number of dropped ones.
    pub(super) fn of(&self, call_id: &str) -> Option<(Vec<Stored>, u64)> {
        messages_of(self.by_call_id.get(call_id)?.iter())
    }

    /// Those that a stack exchanged.
    pub(super) fn of_stack(&self, call_id: &str, stack: &str) -> Option<(Vec<Stored>, u64)> {
        messages_of(self.by_call_id.get(call_id)?.iter().filter(|record| record.party.0 == stack))
    }

    /// Every stored `Call-ID`, in no particular order.
    pub(super) fn call_ids(&self) -> Vec<Arc<str>> {
        self.by_call_id.keys().cloned().collect()
    }

    /// The bytes of all records, with their overhead.
    pub(super) fn occupied(&self) -> usize {
        self.owned.bytes + self.unowned.bytes
    }

    /// Adds a message to its record, which is created if necessary.
    pub(super) fn add(&mut self, call_id: &str, party: Party, message: Stored) {
        let max_bytes = self.max_record_bytes;
        let records = self.by_call_id.get_mut(call_id);
        let known = records.and_then(|records| records.iter_mut().find(|record| record.party == party));
        let Some(record) = known else {
            return self.create(call_id, party, |record| record.push(message, max_bytes));
        };
        let had = record.bytes;
        record.push(message, max_bytes);
        self.uses += 1;
        record.used = self.uses;
        let pool = match &record.owner {
            Owner::Named(_) => &mut self.owned,
            Owner::Address(_) => &mut self.unowned,
        };
        if pool.resize(&record.owner, had, record.bytes) {
            let owner = record.owner.clone();
            self.drop_excess(&owner);
        }
    }

    /// Assigns a record to an owner. It is created if necessary.
    pub(super) fn assign(&mut self, call_id: &str, party: Party, owner: &str) {
        let records = self.by_call_id.get_mut(call_id);
        let known = records.and_then(|records| records.iter_mut().find(|record| record.party == party));
        let named = || Owner::Named(owner.into());
        let Some(record) = known else { return self.create(call_id, party, |record| record.owner = named()) };
        self.uses += 1;
        record.used = self.uses;
        if matches!(&record.owner, Owner::Named(name) if **name == *owner) {
            return;
        }
        let (owner, used, bytes) = (named(), record.used, record.bytes);
        let before = std::mem::replace(&mut record.owner, owner.clone());
        let listed = std::mem::replace(&mut record.listed, used);
        self.pool(&before).remove(&before, listed, bytes);
        self.list(call_id, party, &owner, (used, bytes));
        self.drop_excess(&owner);
    }

    /// Creates a record, changes it, and drops records beyond the limits. Nothing happens if too many other addresses
    /// with owners use the `Call-ID`.
    fn create(&mut self, call_id: &str, party: Party, change: impl FnOnce(&mut Record)) {
        if !self.has_room(call_id, party) {
            return;
        }
        let mut record = Record::new(party, call_id);
        change(&mut record);
        self.uses += 1;
        (record.used, record.listed) = (self.uses, self.uses);
        let (owner, used, bytes) = (record.owner.clone(), record.used, record.bytes);
        // Nearly every `Call-ID` has one record, and a first push would take room for four.
        self.by_call_id.entry(call_id.into()).or_insert_with(|| Vec::with_capacity(1)).push(record);
        self.list(call_id, party, &owner, (used, bytes));
        self.drop_excess(&owner);
    }

    /// Enters a record, which is stored, into the pool of its owner.
    fn list(&mut self, call_id: &str, party: Party, owner: &Owner, (used, bytes): (u64, usize)) {
        // The log's own copy of the text, which the list shares.
        let Some((key, _)) = self.by_call_id.get_key_value(call_id) else { return };
        let key = (Arc::clone(key), party);
        self.pool(owner).insert(owner, used, key, bytes);
    }

    /// Drops records beyond the limits, after those of `owner` changed.
    fn drop_excess(&mut self, owner: &Owner) {
        while let Some(first) = self.pool(owner).excess(owner) {
            if !self.relist(&first) && !self.remove(&first.call_id, first.party) {
                break;
            }
        }
    }

    /// Lists a record under its last use. Returns false if it is listed there: then none of its group was not used for
    /// longer.
    fn relist(&mut self, first: &Listed) -> bool {
        let Some(records) = self.by_call_id.get_mut(&first.call_id) else { return false };
        let Some(record) = records.iter_mut().find(|record| record.party == first.party) else {
            return false;
        };
        if record.used == first.under {
            return false;
        }
        record.listed = record.used;
        let used = record.used;
        self.pool(&first.owner).relist(&first.owner, first.under, used);
        true
    }

    /// Whether the record exists or can be created. A record without an owner is removed for a new one.
    fn has_room(&mut self, call_id: &str, party: Party) -> bool {
        let Some(records) = self.by_call_id.get(call_id) else { return true };
        if records.len() < MAX_PARTIES || records.iter().any(|record| record.party == party) {
            return true;
        }
        let unowned = records.iter().filter(|record| matches!(record.owner, Owner::Address(_)));
        let oldest = unowned.min_by_key(|record| record.used).map(|record| record.party);
        oldest.is_some_and(|oldest| self.remove(call_id, oldest))
    }

    /// Removes a record. Returns whether it existed.
    fn remove(&mut self, call_id: &str, party: Party) -> bool {
        let Some(records) = self.by_call_id.get_mut(call_id) else { return false };
        let Some(at) = records.iter().position(|record| record.party == party) else { return false };
        let record = records.swap_remove(at);
        if records.is_empty() {
            self.by_call_id.remove(call_id);
        }
        self.pool(&record.owner).remove(&record.owner, record.listed, record.bytes);
        true
    }

    fn pool(&mut self, owner: &Owner) -> &mut Pool {
        match owner {
            Owner::Named(_) => &mut self.owned,
            Owner::Address(_) => &mut self.unowned,
        }
    }
}

/// The messages of records, and the number of dropped ones; `None` without a record.
fn messages_of<'a>(records: impl Iterator<Item = &'a Record>) -> Option<(Vec<Stored>, u64)> {
    let (mut messages, mut omitted, mut has_any) = (Vec::new(), 0, false);
    for record in records {
        messages.extend(record.first.iter().chain(&record.last).cloned());
        omitted += record.omitted;
        has_any = true;
    }
    has_any.then_some((messages, omitted))
}

impl Record {
    fn new(party: Party, call_id: &str) -> Self {
        Self {
            party,
            owner: Owner::Address(party.1),
            used: 0,
            listed: 0,
            first: Vec::new(),
            last: VecDeque::new(),
            first_bytes: 0,
            bytes: RECORD_OVERHEAD + call_id.len(),
            omitted: 0,
        }
    }

    /// Adds a message. The first half of the record's room is for its first messages, the other half for its
    /// last ones.
    fn push(&mut self, message: Stored, max_bytes: usize) {
        let cost = |message: &Stored| message.size() + MESSAGE_OVERHEAD;
        let (half, size) = (max_bytes / 2, cost(&message));
        self.bytes += size;
        if self.last.is_empty() && self.first.len() < MAX_HALF && self.first_bytes + size <= half {
            self.first_bytes += size;
            self.first.push(message);
            return;
        }
        self.last.push_back(message);
        let mut last_bytes: usize = self.last.iter().map(cost).sum();
        while self.last.len() > MAX_HALF || (self.last.len() > 1 && last_bytes > half) {
            let Some(dropped) = self.last.pop_front() else { break };
            last_bytes -= cost(&dropped);
            self.bytes -= cost(&dropped);
            self.omitted += 1;
        }
    }
}

#[cfg(test)]
impl Calls {
    /// Whether all sums are right, and no limit is exceeded but by one record.
    pub(super) fn is_consistent_within(&self, limits: MessageLogLimits) -> bool {
        let records = || self.by_call_id.values().flatten();
        let bytes = |record: &Record| {
            let messages = record.first.iter().chain(&record.last);
            let messages: usize = messages.map(|message| message.size() + MESSAGE_OVERHEAD).sum();
            messages + RECORD_OVERHEAD
        };
        let is_right = |record: &Record| {
            let sum = bytes(record);
            record.bytes >= sum && record.bytes < sum + 513 && record.listed <= record.used
        };
        let is_listed = |call_id: &Arc<str>, record: &Record| {
            let pool = match &record.owner {
                Owner::Named(_) => &self.owned,
                Owner::Address(_) => &self.unowned,
            };
            let listed = pool.groups.get(&record.owner).and_then(|group| group.records.get(&record.listed));
            listed.is_some_and(|(listed, party)| *listed == *call_id && *party == record.party)
        };
        let is_right_group = |pool: &Pool, owner: &Owner, group: &Group| {
            let own = records().filter(|record| record.owner == *owner);
            group.bytes == own.map(|record| record.bytes).sum::<usize>()
                && pool.sizes.contains(&(group.steps(), owner.clone()))
        };
        let pools =
            [(&self.owned, limits.all, limits.owner), (&self.unowned, limits.unowned, limits.address)];
        let is_bounded = |(pool, all, group): &(&Pool, usize, usize)| {
            let sums = pool.groups.values().map(|group| group.bytes).sum::<usize>() == pool.bytes
                && pool.groups.values().map(|group| group.records.len()).sum::<usize>() == pool.records
                && pool.groups.len() == pool.sizes.len();
            let groups = pool.groups.iter().all(|(owner, group)| is_right_group(pool, owner, group));
            sums && groups && pool.bytes <= *all && pool.groups.values().all(|own| own.bytes <= *group)
        };
        records().all(is_right)
            && self.by_call_id.iter().all(|(id, records)| records.iter().all(|record| is_listed(id, record)))
            && pools.iter().all(is_bounded)
            && records().count() == self.owned.records + self.unowned.records
            && self.by_call_id.values().all(|records| (1..=MAX_PARTIES).contains(&records.len()))
    }
}
