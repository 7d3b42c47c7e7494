//! The rows of a count, of which a transaction changes one.

use std::sync::atomic::{AtomicI64, Ordering};

/// Number of rows of a count.
pub(super) const SHARDS: i16 = 16;

/// The rows that the transactions of a node change, in turn, so that successive transactions do not wait for each
/// other.
#[derive(Debug, Default)]
pub(super) struct Shards(AtomicI64);

impl Shards {
    pub(super) fn next(&self) -> i16 {
        let turn = self.0.fetch_add(1, Ordering::Relaxed);
        i16::try_from(turn.rem_euclid(SHARDS.into())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_transactions_in_a_row_as_there_are_rows_change_each_of_them() {
        let shards = Shards::default();
        let turns: Vec<i16> = (0..2 * SHARDS).map(|_| shards.next()).collect();
        assert_eq!(turns, (0..SHARDS).chain(0..SHARDS).collect::<Vec<_>>());
    }
}
