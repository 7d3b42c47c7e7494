//! Numbers that ascend in the order of creation, made without the database. Two nodes whose numbers differ by a
//! multiple of 4,096 may draw the same one in the same millisecond; the second of them is refused by a primary key, and
//! drawn again.

use std::sync::atomic::{AtomicI64, Ordering};

use service_base::clock::Clock;

/// Number of bits that distinguish the numbers of nodes that draw one at the same time.
const NODE_BITS: u32 = 12;
/// 2020-01-01 in microseconds since 1970: the numbers last until the year 2091.
const EPOCH: i64 = 1_577_836_800_000_000;

/// Draws numbers. Each is greater than those before it, and has the bits of this node.
#[derive(Debug)]
pub(super) struct Numbers {
    last: AtomicI64,
    bits: i64,
    clock: Clock,
}

impl Numbers {
    /// Numbers of the node with this number: no other running one has it.
    pub(super) fn new(node: i64) -> Self {
        let bits = node & ((1 << NODE_BITS) - 1);
        Self { last: AtomicI64::new(0), bits, clock: Clock::system() }
    }

    pub(super) fn next(&self) -> i64 {
        let now = self.clock.now().as_unix_micros().saturating_sub(EPOCH).max(1);
        let at_least = now << NODE_BITS | self.bits;
        let step = 1 << NODE_BITS;
        let next = |last: i64| at_least.max(last + step);
        let last = self.last.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last)));
        next(last.unwrap_or_default())
    }
}
