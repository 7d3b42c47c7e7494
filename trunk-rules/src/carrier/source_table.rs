//! Which pairs of subnet and tech prefix are open, and to whom by address alone.
//!
//! A call asks one question: the longest mask that holds its source, and there the longest tech prefix that
//! it dialled. The answer costs a few hash look-ups per mask length in use, however many trunks there are:
//! trunks that need a digest are only counted, since the digest will name the one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use didww_types::Id;
use didww_types::resources::VoiceOutTrunk;

use super::network::{Address, Block};

const LONGEST: usize = 8;

/// A tech prefix: up to eight characters, padded with zero bytes, which no prefix holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Prefix([u8; LONGEST]);

impl Prefix {
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(bytes))
    }
}

#[derive(Debug, Default)]
pub(super) struct SourceTable {
    nodes: HashMap<Block, Node>,
    buckets: HashMap<(Block, Prefix), Bucket>,
    /// The same subnets as in `nodes`, for the nearest one to an address.
    ordered: BTreeSet<Block>,
    v4: BTreeMap<Reverse<u8>, usize>,
    v6: BTreeMap<Reverse<u8>, usize>,
}

/// How many pairs of this subnet have a prefix of each length.
#[derive(Debug, Default)]
struct Node {
    lengths: [u32; LONGEST + 1],
}

#[derive(Debug, Default)]
struct Bucket {
    trunks: usize,
    open: BTreeMap<Id<VoiceOutTrunk>, usize>,
}

/// What a source address and a dialled text lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// No trunk allows the address.
    NoAddress,
    /// Some trunk allows the address, none of these the dialled text.
    NoPrefix,
    /// The best pair needs a digest.
    NeedsDigest,
    /// The best pair is open to this trunk by address alone: the slot.
    Open(usize),
}

impl SourceTable {
    /// Opens a pair to a trunk: by address alone when a slot is given.
    pub(super) fn insert(
        &mut self,
        block: Block,
        prefix: &[u8],
        id: &Id<VoiceOutTrunk>,
        open: Option<usize>,
    ) {
        let Some(packed) = Prefix::of(prefix) else { return };
        let node = self.nodes.entry(block).or_insert_with(|| {
            self.ordered.insert(block);
            let lengths = if block.is_v6() { &mut self.v6 } else { &mut self.v4 };
            *lengths.entry(Reverse(block.length())).or_default() += 1;
            Node::default()
        });
        let bucket = self.buckets.entry((block, packed)).or_insert_with(|| {
            if let Some(count) = node.lengths.get_mut(prefix.len()) {
                *count += 1;
            }
            Bucket::default()
        });
        bucket.trunks += 1;
        if let Some(slot) = open {
            bucket.open.insert(id.clone(), slot);
        }
    }

    /// Takes back what [`insert`](Self::insert) did.
    pub(super) fn remove(&mut self, block: Block, prefix: &[u8], id: &Id<VoiceOutTrunk>) {
        let Some(packed) = Prefix::of(prefix) else { return };
        let Some(bucket) = self.buckets.get_mut(&(block, packed)) else { return };
        bucket.open.remove(id);
        bucket.trunks -= 1;
        if bucket.trunks > 0 {
            return;
        }
        self.buckets.remove(&(block, packed));
        let Some(node) = self.nodes.get_mut(&block) else { return };
        if let Some(count) = node.lengths.get_mut(prefix.len()) {
            *count -= 1;
        }
        if node.lengths.iter().any(|count| *count > 0) {
            return;
        }
        self.nodes.remove(&block);
        self.ordered.remove(&block);
        let lengths = if block.is_v6() { &mut self.v6 } else { &mut self.v4 };
        if let Some(count) = lengths.get_mut(&Reverse(block.length())) {
            *count -= 1;
            if *count == 0 {
                lengths.remove(&Reverse(block.length()));
            }
        }
    }

    /// The pair with the longest mask, and among those of one mask with the longest prefix.
    pub(super) fn find(&self, source: Address, dialled: &[u8]) -> Found {
        let mut found = Found::NoAddress;
        let lengths = if source.is_v6() { &self.v6 } else { &self.v4 };
        for Reverse(length) in lengths.keys() {
            let block = source.block(*length);
            let Some(node) = self.nodes.get(&block) else { continue };
            found = Found::NoPrefix;
            for (length, count) in node.lengths.iter().enumerate().rev() {
                let Some(start) = dialled.get(..length).filter(|_| *count > 0) else { continue };
                let bucket = Prefix::of(start).and_then(|prefix| self.buckets.get(&(block, prefix)));
                if let Some(bucket) = bucket {
                    return bucket.open.values().next().map_or(Found::NeedsDigest, |slot| Found::Open(*slot));
                }
            }
        }
        found
    }

    /// The narrowest subnet that names a source.
    pub(super) fn naming(&self, source: Address) -> Option<Block> {
        let lengths = if source.is_v6() { &self.v6 } else { &self.v4 };
        let blocks = lengths.keys().map(|Reverse(length)| source.block(*length));
        blocks.into_iter().find(|block| self.nodes.contains_key(block) && block.names_sources())
    }

    /// The subnet that shares most leading bits with an address, for saying what would have been right.
    // In an ordered set the best one is next to the address, on one side or the other.
    pub(super) fn nearest(&self, source: Address) -> Option<Block> {
        let point = source.block(128);
        let below = self.ordered.range(..=point).next_back();
        let above = self.ordered.range(point..).next();
        [below, above]
            .into_iter()
            .flatten()
            .filter(|block| block.is_v6() == source.is_v6())
            .max_by_key(|block| (block.shared_bits(source), block.length()))
            .copied()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
            && self.buckets.is_empty()
            && self.ordered.is_empty()
            && self.v4.is_empty()
            && self.v6.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnetwork::IpNetwork;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn block(text: &str) -> Block {
        Block::of(text.parse().unwrap())
    }

    fn address(text: &str) -> Address {
        Address::of(text.parse().unwrap())
    }

    fn table(rows: &[(&str, &str, Option<usize>)]) -> SourceTable {
        let mut table = SourceTable::default();
        for (at, (network, prefix, open)) in rows.iter().enumerate() {
            table.insert(block(network), prefix.as_bytes(), &Id::from(at.to_string()), *open);
        }
        table
    }

    #[test]
    fn the_longest_mask_wins_and_then_the_longest_prefix() {
        let table = table(&[
            ("0.0.0.0/0", "123#", Some(0)),
            ("203.0.113.0/24", "", Some(1)),
            ("203.0.113.0/24", "12", Some(2)),
            ("203.0.113.5/32", "9", Some(3)),
        ]);
        assert_eq!(table.find(address("203.0.113.5"), b"123#44"), Found::Open(2));
        assert_eq!(table.find(address("203.0.113.5"), b"944"), Found::Open(3));
        assert_eq!(table.find(address("203.0.113.6"), b"44"), Found::Open(1));
        assert_eq!(table.find(address("198.51.100.1"), b"123#44"), Found::Open(0));
    }

    #[test]
    fn an_address_without_a_fitting_prefix_is_told_from_an_address_that_nobody_allows() {
        let table = table(&[("203.0.113.0/24", "123#", None)]);
        assert_eq!(table.find(address("203.0.113.5"), b"44"), Found::NoPrefix);
        assert_eq!(table.find(address("203.0.114.5"), b"123#44"), Found::NoAddress);
        assert_eq!(table.find(address("2001:db8::1"), b"123#44"), Found::NoAddress);
        assert_eq!(table.find(address("203.0.113.5"), b"123#44"), Found::NeedsDigest);
    }

    #[test]
    fn a_source_is_named_by_the_narrowest_subnet_that_is_no_crowd() {
        let table = table(&[
            ("0.0.0.0/0", "", None),
            ("203.0.0.0/15", "", None),
            ("203.0.113.0/24", "1", Some(0)),
            ("203.0.113.7/32", "", None),
        ]);
        assert_eq!(table.naming(address("203.0.113.7")), Some(block("203.0.113.7/32")));
        assert_eq!(table.naming(address("::ffff:203.0.113.8")), Some(block("203.0.113.0/24")));
        assert_eq!(table.naming(address("203.0.114.1")), None);
        assert_eq!(table.naming(address("2001:db8::1")), None);
    }

    #[test]
    fn the_nearest_subnet_is_the_one_that_shares_most_leading_bits() {
        let table =
            table(&[("203.0.113.0/28", "", None), ("203.0.112.0/32", "", None), ("2001:db8::/32", "", None)]);
        assert_eq!(table.nearest(address("203.0.113.17")), Some(block("203.0.113.0/28")));
        assert_eq!(table.nearest(address("203.0.112.9")), Some(block("203.0.112.0/32")));
        assert_eq!(table.nearest(address("2001:db9::1")), Some(block("2001:db8::/32")));
        assert_eq!(SourceTable::default().nearest(address("203.0.113.1")), None);
    }

    proptest! {
        #[test]
        fn it_finds_what_a_scan_finds_and_forgets_what_is_removed(
            rows in proptest::collection::vec((0u32..16, 26u8..=32, "[12#]{0,3}", any::<bool>()), 1..12),
            source in 0u32..16, dialled in "[12#]{0,5}"
        ) {
            let network = |low: u32, length: u8| IpNetwork::new(IpAddr::from((0xCB00_7100 | low).to_be_bytes()), length).unwrap();
            let mut table = SourceTable::default();
            let ids: Vec<Id<VoiceOutTrunk>> = (0..rows.len()).map(|at| Id::from(format!("{at:02}"))).collect();
            for (at, (low, length, prefix, open)) in rows.iter().enumerate() {
                table.insert(Block::of(network(*low, *length)), prefix.as_bytes(), &ids[at], open.then_some(at));
            }
            let from = IpAddr::from((0xCB00_7100 | source).to_be_bytes());
            let near: Vec<_> = rows.iter().enumerate().filter(|(_, r)| network(r.0, r.1).contains(from)).collect();
            let best = near.iter().filter(|(_, r)| dialled.starts_with(r.2.as_str())).map(|(_, r)| (r.1, r.2.len())).max();
            let expected = match best {
                None if near.is_empty() => Found::NoAddress,
                None => Found::NoPrefix,
                Some(best) => near
                    .iter()
                    .find(|(_, r)| (r.1, r.2.len()) == best && r.3 && dialled.starts_with(r.2.as_str()))
                    .map_or(Found::NeedsDigest, |(at, _)| Found::Open(*at)),
            };
            prop_assert_eq!(table.find(Address::of(from), dialled.as_bytes()), expected);
            let most = rows.iter().map(|r| Block::of(network(r.0, r.1)).shared_bits(Address::of(from))).max();
            prop_assert_eq!(table.nearest(Address::of(from)).map(|b| b.shared_bits(Address::of(from))), most);
            for (at, (low, length, prefix, _)) in rows.iter().enumerate() {
                table.remove(Block::of(network(*low, *length)), prefix.as_bytes(), &ids[at]);
            }
            prop_assert!(table.is_empty());
        }
    }
}
