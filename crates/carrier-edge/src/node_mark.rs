//! The mark of a node in the nonces of its challenges.
//!
//! Nodes share the key of nonces, so each accepts a digest over another node's challenge. With `strict_nc`, only the
//! node that made a nonce knows its counts; at other nodes it counts as expired, and the caller receives another nonce.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use trunk_rules::carrier::NonceKey;

/// The bits of a salt that contain the mark. The bits above are derived from the source, those below are random.
const BITS: std::ops::Range<u32> = 20..32;

/// The mark of a node; without one, every nonce of the key is its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NodeMark(Option<u64>);

impl NodeMark {
    /// The mark of the node with this number. Two nodes have the same mark with a probability of 1 in 4096, and never
    /// if their numbers are below 4096.
    pub(crate) fn of(node: i64) -> Self {
        let most = (1 << BITS.len()) - 1;
        let number = u64::try_from(node).ok().filter(|number| *number <= most);
        Self(Some(number.unwrap_or_else(|| {
            let mut hasher = DefaultHasher::new();
            node.hash(&mut hasher);
            hasher.finish() & most
        })))
    }

    /// Puts the mark into the random bits of a salt.
    pub(crate) fn mark(self, random: u64) -> u64 {
        self.0.map_or(random, |mark| (random & !Self::mask()) | (mark << BITS.start))
    }

    /// Whether this node made a nonce of the shared key.
    pub(crate) fn made(self, nonce: &[u8]) -> bool {
        let is_own =
            |mark| NonceKey::salt_of(nonce).is_some_and(|salt| (salt & Self::mask()) >> BITS.start == mark);
        self.0.is_none_or(is_own)
    }

    const fn mask() -> u64 {
        ((1 << BITS.end) - 1) & !((1 << BITS.start) - 1)
    }
}

#[cfg(test)]
mod tests {
    use didww_types::Timestamp;

    use super::*;

    #[test]
    fn a_node_knows_its_own_nonces_and_changes_no_other_bits() {
        let key = NonceKey::new(&[7; 32]);
        let nonce = |mark: NodeMark| key.issue(Timestamp::from_unix_millis(1), mark.mark(u64::MAX));
        let marks = [0, 1, 4_095, 4_096, -1, i64::MAX].map(NodeMark::of);
        for (at, mark) in marks.iter().enumerate() {
            for (other, marked) in marks.iter().enumerate() {
                assert_eq!(mark.made(nonce(*marked).as_bytes()), at == other, "{at} {other}");
            }
            assert_eq!(mark.mark(u64::MAX) | NodeMark::mask(), u64::MAX);
            assert_eq!(mark.mark(0) & !NodeMark::mask(), 0);
            assert!(NodeMark::default().made(nonce(*mark).as_bytes()));
        }
        assert_eq!(NodeMark::default().mark(5), 5);
    }
}
