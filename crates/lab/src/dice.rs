//! Pseudo-random numbers that depend on the seed alone, so that a run of a test can be repeated.

use std::time::Duration;

/// A number for a seed and a position, spread evenly (`SplitMix64`; Steele, Lea and Flood, 2014).
fn number(seed: u64, position: u64) -> u64 {
    let mut mixed = seed.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Whether an event of this probability happens at a position.
pub(crate) fn happens(probability: f64, seed: u64, position: u64) -> bool {
    let drawn = u32::try_from(number(seed, position) >> 32).unwrap_or(u32::MAX);
    f64::from(drawn) / (f64::from(u32::MAX) + 1.0) < probability
}

/// A time between two bounds, in whole milliseconds, both included.
pub(crate) fn between(from: Duration, to: Duration, seed: u64, position: u64) -> Duration {
    let span = u64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(u64::MAX);
    from.saturating_add(Duration::from_millis(number(!seed, position) % span.saturating_add(1).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_and_a_probability_is_kept_over_many_positions() {
        let happened = |probability, seed| (0..10_000).filter(|at| happens(probability, seed, *at)).count();
        assert_eq!((happened(0.0, 1), happened(1.0, 1)), (0, 10_000));
        let quarter = happened(0.25, 1);
        assert!((2_300..2_700).contains(&quarter), "{quarter}");
        let drawn = |seed| (0..64).map(|at| happens(0.5, seed, at)).collect::<Vec<_>>();
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn a_time_is_within_its_bounds_and_reaches_both() {
        let (from, to) = (Duration::from_millis(10), Duration::from_millis(12));
        let times: Vec<Duration> = (0..100).map(|at| between(from, to, 3, at)).collect();
        assert!(times.iter().all(|time| (from..=to).contains(time)));
        assert!(times.contains(&from) && times.contains(&to));
        assert_eq!(between(from, from, 3, 0), from);
    }
}
