//! Finds the trunks that allow a pair of source address and tech prefix.
//!
//! A look-up finds the longest mask that contains the source address, and within it the longest tech prefix
//! that the dialled text begins with. It costs a few hash look-ups per mask length in use, regardless of the
//! number of trunks. Trunks that require a digest are only counted, because the digest names the trunk.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use didww_types::Id;
use didww_types::resources::VoiceOutTrunk;

use super::network::{Address, Subnet};

const MAX_PREFIX_LENGTH: usize = 8;

/// A tech prefix of up to eight characters, padded with zero bytes, which no prefix contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Prefix([u8; MAX_PREFIX_LENGTH]);

impl Prefix {
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_PREFIX_LENGTH];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(bytes))
    }

    fn length(self) -> usize {
        self.0.iter().position(|byte| *byte == 0).unwrap_or(MAX_PREFIX_LENGTH)
    }

    /// Whether a dialled text begins with the prefix.
    fn begins(self, dialled: &[u8]) -> bool {
        self.0.get(..self.length()).is_some_and(|prefix| dialled.starts_with(prefix))
    }
}

#[derive(Debug, Default)]
pub(super) struct SourceTable {
    nodes: HashMap<Subnet, Node>,
    /// The same subnets as in `nodes`, sorted, to find the one nearest to an address.
    ordered: BTreeSet<Subnet>,
    v4: BTreeMap<Reverse<u8>, usize>,
    v6: BTreeMap<Reverse<u8>, usize>,
}

/// The pairs of a subnet.
#[derive(Debug)]
enum Node {
    /// The only pair, which is all that a subnet of one trunk has.
    One(Prefix, Bucket),
    Many(Box<Pairs>),
}

#[derive(Debug, Default)]
struct Pairs {
    buckets: HashMap<Prefix, Bucket>,
    /// The number of pairs by length of the tech prefix.
    lengths: [u32; MAX_PREFIX_LENGTH + 1],
}

/// The trunks of a pair.
#[derive(Debug, Default)]
struct Bucket {
    trunks: usize,
    /// Those that admit calls by address alone; absent if there are none.
    open: Option<Box<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    slots: BTreeMap<Id<VoiceOutTrunk>, usize>,
}

impl Node {
    /// The pair with the longest prefix that a dialled text begins with.
    fn find(&self, dialled: &[u8]) -> Option<&Bucket> {
        match self {
            Self::One(prefix, bucket) => prefix.begins(dialled).then_some(bucket),
            Self::Many(pairs) => {
                let lengths = pairs.lengths.iter().enumerate().rev().filter(|(_, count)| **count > 0);
                lengths
                    .filter_map(|(length, _)| Prefix::of(dialled.get(..length)?))
                    .find_map(|prefix| pairs.buckets.get(&prefix))
            }
        }
    }

    /// The pair with a prefix, which is added if there is none.
    fn bucket(&mut self, prefix: Prefix) -> &mut Bucket {
        if matches!(self, Self::One(known, _) if *known != prefix) {
            let one = std::mem::replace(self, Self::Many(Box::default()));
            if let (Self::Many(pairs), Self::One(known, bucket)) = (&mut *self, one) {
                *pairs.bucket(known) = bucket;
            }
        }
        match self {
            Self::One(_, bucket) => bucket,
            Self::Many(pairs) => pairs.bucket(prefix),
        }
    }

    /// Removes a trunk from the pair with a prefix. Returns true if the subnet has no pair any more.
    fn remove(&mut self, prefix: Prefix, id: &Id<VoiceOutTrunk>) -> bool {
        match self {
            Self::One(known, bucket) => *known == prefix && bucket.remove(id),
            Self::Many(pairs) => {
                let Pairs { buckets, lengths } = &mut **pairs;
                if buckets.get_mut(&prefix).is_some_and(|bucket| bucket.remove(id)) {
                    buckets.remove(&prefix);
                    if let Some(count) = lengths.get_mut(prefix.length()) {
                        *count -= 1;
                    }
                }
                buckets.is_empty()
            }
        }
    }
}

impl Pairs {
    fn bucket(&mut self, prefix: Prefix) -> &mut Bucket {
        let Self { buckets, lengths } = self;
        buckets.entry(prefix).or_insert_with(|| {
            if let Some(count) = lengths.get_mut(prefix.length()) {
                *count += 1;
            }
            Bucket::default()
        })
    }
}

impl Bucket {
    /// Removes a trunk. Returns true if it was the last one.
    fn remove(&mut self, id: &Id<VoiceOutTrunk>) -> bool {
        if let Some(open) = &mut self.open {
            open.slots.remove(id);
            if open.slots.is_empty() {
                self.open = None;
            }
        }
        self.trunks = self.trunks.saturating_sub(1);
        self.trunks == 0
    }
}

/// The result of a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// No trunk allows the address.
    NoAddress,
    /// At least one trunk allows the address, but none of these the dialled text.
    NoPrefix,
    /// The best pair requires a digest.
    NeedsDigest,
    /// The best pair admits calls to the trunk in this slot by address alone.
    Open(usize),
}

impl SourceTable {
    /// Adds a pair for a trunk. `open` is the trunk's slot if it admits calls by address alone.
    pub(super) fn insert(
        &mut self,
        subnet: Subnet,
        prefix: &[u8],
        id: &Id<VoiceOutTrunk>,
        open: Option<usize>,
    ) {
        let Some(prefix) = Prefix::of(prefix) else { return };
        let node = self.nodes.entry(subnet).or_insert_with(|| {
            self.ordered.insert(subnet);
            let lengths = if subnet.is_v6() { &mut self.v6 } else { &mut self.v4 };
            *lengths.entry(Reverse(subnet.length())).or_default() += 1;
            Node::One(prefix, Bucket::default())
        });
        let bucket = node.bucket(prefix);
        bucket.trunks += 1;
        if let Some(slot) = open {
            bucket.open.get_or_insert_default().slots.insert(id.clone(), slot);
        }
    }

    /// Removes the entry that [`insert`](Self::insert) added for this subnet, prefix and trunk.
    pub(super) fn remove(&mut self, subnet: Subnet, prefix: &[u8], id: &Id<VoiceOutTrunk>) {
        let Some(prefix) = Prefix::of(prefix) else { return };
        let Some(node) = self.nodes.get_mut(&subnet) else { return };
        if !node.remove(prefix, id) {
            return;
        }
        self.nodes.remove(&subnet);
        self.ordered.remove(&subnet);
        let lengths = if subnet.is_v6() { &mut self.v6 } else { &mut self.v4 };
        if let Some(count) = lengths.get_mut(&Reverse(subnet.length())) {
            *count -= 1;
            if *count == 0 {
                lengths.remove(&Reverse(subnet.length()));
            }
        }
    }

    /// Finds the pair with the longest mask, and with the longest prefix within it.
    pub(super) fn find(&self, source: Address, dialled: &[u8]) -> Found {
        let mut found = Found::NoAddress;
        let lengths = if source.is_v6() { &self.v6 } else { &self.v4 };
        for Reverse(length) in lengths.keys() {
            let subnet = source.subnet(*length);
            let Some(node) = self.nodes.get(&subnet) else { continue };
            found = Found::NoPrefix;
            if let Some(bucket) = node.find(dialled) {
                let open = bucket.open.as_ref().and_then(|open| open.slots.values().next());
                return open.map_or(Found::NeedsDigest, |slot| Found::Open(*slot));
            }
        }
        found
    }

    /// The narrowest subnet that contains the address and identifies its user.
    pub(super) fn narrowest_identifying(&self, source: Address) -> Option<Subnet> {
        let lengths = if source.is_v6() { &self.v6 } else { &self.v4 };
        let subnets = lengths.keys().map(|Reverse(length)| source.subnet(*length));
        subnets.into_iter().find(|subnet| self.nodes.contains_key(subnet) && subnet.identifies_source())
    }

    /// The subnet that shares most leading bits with an address, for log messages.
    // In a sorted set the best subnet is adjacent to the address.
    pub(super) fn nearest(&self, source: Address) -> Option<Subnet> {
        let point = source.subnet(128);
        let below = self.ordered.range(..=point).next_back();
        let above = self.ordered.range(point..).next();
        [below, above]
            .into_iter()
            .flatten()
            .filter(|subnet| subnet.is_v6() == source.is_v6())
            .max_by_key(|subnet| (subnet.shared_bits(source), subnet.length()))
            .copied()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.ordered.is_empty() && self.v4.is_empty() && self.v6.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnetwork::IpNetwork;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn subnet(text: &str) -> Subnet {
        Subnet::of(text.parse().unwrap())
    }

    fn address(text: &str) -> Address {
        Address::of(text.parse().unwrap())
    }

    fn table(rows: &[(&str, &str, Option<usize>)]) -> SourceTable {
        let mut table = SourceTable::default();
        for (at, (network, prefix, open)) in rows.iter().enumerate() {
            table.insert(subnet(network), prefix.as_bytes(), &Id::from(at.to_string()), *open);
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
    fn an_address_without_a_matching_prefix_is_distinguished_from_one_that_no_trunk_allows() {
        let table = table(&[("203.0.113.0/24", "123#", None)]);
        assert_eq!(table.find(address("203.0.113.5"), b"44"), Found::NoPrefix);
        assert_eq!(table.find(address("203.0.114.5"), b"123#44"), Found::NoAddress);
        assert_eq!(table.find(address("2001:db8::1"), b"123#44"), Found::NoAddress);
        assert_eq!(table.find(address("203.0.113.5"), b"123#44"), Found::NeedsDigest);
    }

    #[test]
    fn a_source_is_identified_by_the_narrowest_subnet_that_is_not_too_wide() {
        let table = table(&[
            ("0.0.0.0/0", "", None),
            ("203.0.0.0/15", "", None),
            ("203.0.113.0/24", "1", Some(0)),
            ("203.0.113.7/32", "", None),
        ]);
        assert_eq!(table.narrowest_identifying(address("203.0.113.7")), Some(subnet("203.0.113.7/32")));
        assert_eq!(
            table.narrowest_identifying(address("::ffff:203.0.113.8")),
            Some(subnet("203.0.113.0/24"))
        );
        assert_eq!(table.narrowest_identifying(address("203.0.114.1")), None);
        assert_eq!(table.narrowest_identifying(address("2001:db8::1")), None);
    }

    #[test]
    fn the_nearest_subnet_is_the_one_that_shares_most_leading_bits() {
        let table =
            table(&[("203.0.113.0/28", "", None), ("203.0.112.0/32", "", None), ("2001:db8::/32", "", None)]);
        assert_eq!(table.nearest(address("203.0.113.17")), Some(subnet("203.0.113.0/28")));
        assert_eq!(table.nearest(address("203.0.112.9")), Some(subnet("203.0.112.0/32")));
        assert_eq!(table.nearest(address("2001:db9::1")), Some(subnet("2001:db8::/32")));
        assert_eq!(SourceTable::default().nearest(address("203.0.113.1")), None);
    }

    /// Pairs of a subnet and a prefix, each with the number of a trunk, and whether it is open.
    type Rows = BTreeMap<(Subnet, &'static str, usize), bool>;

    fn scanned(rows: &Rows, source: Address, dialled: &str) -> Found {
        let near: Vec<_> = rows.iter().filter(|((subnet, _, _), _)| subnet.contains(source)).collect();
        let rank = |subnet: &Subnet, prefix: &str| {
            dialled.starts_with(prefix).then_some((subnet.length(), prefix.len()))
        };
        let best = near.iter().filter_map(|((subnet, prefix, _), _)| rank(subnet, prefix)).max();
        match best {
            None if near.is_empty() => Found::NoAddress,
            None => Found::NoPrefix,
            Some(best) => near
                .iter()
                .find(|((subnet, prefix, _), open)| **open && rank(subnet, prefix) == Some(best))
                .map_or(Found::NeedsDigest, |((_, _, trunk), _)| Found::Open(*trunk)),
        }
    }

    const NETWORKS: [&str; 11] = [
        "0.0.0.0/0",
        "203.0.0.0/15",
        "203.0.113.0/24",
        "::ffff:203.0.113.0/120",
        "203.0.113.7/32",
        "10.0.0.0/8",
        "::/0",
        "::/64",
        "2001:db8::/32",
        "2001:db8:0:1::/64",
        "2001:db8::7/128",
    ];
    const ADDRESSES: [&str; 9] = [
        "203.0.113.7",
        "::ffff:203.0.113.7",
        "203.0.113.200",
        "203.1.0.1",
        "10.1.2.3",
        "0.0.0.0",
        "2001:db8::7",
        "2001:db8:0:1::1",
        "fd00::1",
    ];
    const PREFIXES: [&str; 6] = ["", "1", "12", "12#", "9", "12345678"];
    const DIALLED: [&str; 7] = ["", "1", "12", "12#4", "9", "1234567890", "442"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_finds_what_a_scan_finds_whatever_was_added_and_removed_before(
            steps in proptest::collection::vec((0..NETWORKS.len(), 0..PREFIXES.len(), 0usize..3, any::<bool>()), 0..30)
        ) {
            let (mut table, mut rows) = (SourceTable::default(), Rows::new());
            for (network, prefix, trunk, open) in steps {
                let (network, prefix, id) = (subnet(NETWORKS[network]), PREFIXES[prefix], Id::from(trunk.to_string()));
                if rows.remove(&(network, prefix, trunk)).is_some() {
                    table.remove(network, prefix.as_bytes(), &id);
                } else {
                    table.insert(network, prefix.as_bytes(), &id, open.then_some(trunk));
                    rows.insert((network, prefix, trunk), open);
                }
                prop_assert_eq!(table.is_empty(), rows.is_empty());
                for source in ADDRESSES.map(address) {
                    for dialled in DIALLED {
                        prop_assert_eq!(table.find(source, dialled.as_bytes()), scanned(&rows, source, dialled));
                    }
                    let subnets = || rows.keys().map(|(subnet, _, _)| *subnet);
                    let near = subnets().filter(|near| near.contains(source) && near.identifies_source());
                    prop_assert_eq!(table.narrowest_identifying(source), near.max_by_key(|near| near.length()));
                    let shared = |subnet: Subnet| subnet.shared_bits(source);
                    let most = subnets().filter(|subnet| subnet.is_v6() == source.is_v6()).map(shared).max();
                    prop_assert_eq!(table.nearest(source).map(shared), most);
                }
            }
            for ((network, prefix, trunk), _) in rows {
                table.remove(network, prefix.as_bytes(), &Id::from(trunk.to_string()));
            }
            prop_assert!(table.is_empty());
        }
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
                table.insert(Subnet::of(network(*low, *length)), prefix.as_bytes(), &ids[at], open.then_some(at));
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
            let most = rows.iter().map(|r| Subnet::of(network(r.0, r.1)).shared_bits(Address::of(from))).max();
            prop_assert_eq!(table.nearest(Address::of(from)).map(|b| b.shared_bits(Address::of(from))), most);
            for (at, (low, length, prefix, _)) in rows.iter().enumerate() {
                table.remove(Subnet::of(network(*low, *length)), prefix.as_bytes(), &ids[at]);
            }
            prop_assert!(table.is_empty());
        }
    }
}
