//! Numbers that ascend in the order of creation, made without the database.

use std::sync::atomic::{AtomicI64, Ordering};

use service_base::clock::Clock;
use service_base::ids::Ids;

/// Bits of a number that tell the processes apart which draw one in the same microsecond.
const PROCESS_BITS: u32 = 12;
/// 2020-01-01 in microseconds since 1970: the numbers last until the year 2091.
const EPOCH: i64 = 1_577_836_800_000_000;

/// Draws numbers. Each is greater than those before it, and has the bits of this process.
#[derive(Debug)]
pub(super) struct Numbers {
    last: AtomicI64,
    bits: i64,
    clock: Clock,
}

impl Numbers {
    pub(super) fn new(ids: &Ids) -> Self {
        let bits = i64::try_from(ids.word() >> (64 - PROCESS_BITS)).unwrap_or_default();
        Self { last: AtomicI64::new(0), bits, clock: Clock::system() }
    }

    pub(super) fn next(&self) -> i64 {
        let now = self.clock.now().as_unix_millis().saturating_mul(1_000).saturating_sub(EPOCH).max(1);
        let at_least = now << PROCESS_BITS | self.bits;
        let step = 1 << PROCESS_BITS;
        let next = |last: i64| at_least.max(last + step);
        let last = self.last.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last)));
        next(last.unwrap_or_default())
    }
}
