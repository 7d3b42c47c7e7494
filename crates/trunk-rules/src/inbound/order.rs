//! In which order the trunks of a group are tried.

/// The priority and the weight of a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// Trunks with a lower one are tried first.
    pub priority: u32,
    /// The share of the calls among trunks of one priority.
    pub weight: u32,
}

/// Returns the indices of the trunks in the order in which they are tried, by the algorithm of SRV records (RFC 2782):
/// lower priorities first, and among equal ones each next trunk is drawn by its weight. `draw` returns a random number
/// from 0 to its argument, inclusive.
pub fn order(ranks: &[Rank], mut draw: impl FnMut(u64) -> u64) -> Vec<usize> {
    let mut left: Vec<(usize, Rank)> = ranks.iter().copied().enumerate().collect();
    // Trunks of weight 0 are first among those of the same priority, so that only a draw of 0 selects them.
    left.sort_by_key(|(_, rank)| (rank.priority, rank.weight > 0));
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(priority) = left.first().map(|(_, rank)| rank.priority) {
        let equals = left.iter().take_while(|(_, rank)| rank.priority == priority);
        let total: u64 = equals.map(|(_, rank)| u64::from(rank.weight)).sum();
        let drawn = draw(total).min(total);
        let mut sum = 0;
        let chosen = left.iter().position(|(_, rank)| {
            sum += u64::from(rank.weight);
            sum >= drawn
        });
        ordered.push(left.remove(chosen.unwrap_or_default()).0);
    }
    ordered
}

/// Puts things in the [`order()`] of their ranks.
pub fn in_order<T>(things: Vec<T>, rank: impl Fn(&T) -> Rank, draw: impl FnMut(u64) -> u64) -> Vec<T> {
    let ranks: Vec<Rank> = things.iter().map(rank).collect();
    let mut things: Vec<Option<T>> = things.into_iter().map(Some).collect();
    let places = order(&ranks, draw);
    places.into_iter().filter_map(|place| things.get_mut(place).and_then(Option::take)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rank(priority: u32, weight: u32) -> Rank {
        Rank { priority, weight }
    }

    #[test]
    fn lower_priorities_come_first_whatever_is_drawn() {
        let ranks = [rank(2, 65_535), rank(1, 0), rank(3, 1)];
        for drawn in [0, u64::MAX] {
            assert_eq!(order(&ranks, |_| drawn), [1, 0, 2]);
        }
    }

    #[test]
    fn things_are_put_in_the_order_of_their_ranks() {
        let things = vec![("last", 3), ("first", 1), ("second", 2)];
        let ordered = in_order(things, |(_, priority)| rank(*priority, 0), |_| 0);
        assert_eq!(ordered, [("first", 1), ("second", 2), ("last", 3)]);
    }

    #[test]
    fn the_weight_is_the_share_of_first_attempts() {
        let ranks = [rank(1, 30), rank(1, 10), rank(1, 60)];
        let mut first = [0; 3];
        // Every number that can be drawn, once; 0 and 1 both select the first one.
        for drawn in 1..=100 {
            first[order(&ranks, |_| drawn)[0]] += 1;
        }
        assert_eq!(first, [30, 10, 60]);
    }

    #[test]
    fn a_trunk_of_weight_0_is_drawn_by_0_alone_and_is_tried_last_otherwise() {
        let ranks = [rank(1, 5), rank(1, 0)];
        assert_eq!(order(&ranks, |_| 0), [1, 0]);
        assert_eq!(order(&ranks, |most| most.min(1)), [0, 1]);
        assert_eq!(order(&[rank(1, 0), rank(1, 0)], |most| most), [0, 1]);
    }

    proptest! {
        #[test]
        fn each_trunk_is_tried_once_and_priorities_ascend(
            given in prop::collection::vec((0..4_u32, 0..=65_535_u32), 0..=10),
            seed in any::<u64>(),
        ) {
            let ranks: Vec<Rank> = given.iter().map(|(priority, weight)| rank(*priority, *weight)).collect();
            let mut state = seed;
            let ordered = order(&ranks, |most| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 16) % (most + 1)
            });
            let mut sorted = ordered.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..ranks.len()).collect::<Vec<_>>());
            prop_assert!(ordered.is_sorted_by_key(|index| ranks[*index].priority));
        }
    }
}
