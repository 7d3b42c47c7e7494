//! Both sides take turns, so that other load on the machine affects both.

use crate::Outcome;

/// The median figure of each side, and the median of the ratios of the rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared {
    pub(crate) ours: f64,
    pub(crate) reference: f64,
    /// Our figure divided by the reference's.
    pub(crate) ratio: f64,
    /// The lower and the upper quartile of the ratios of the rounds.
    pub(crate) spread: (f64, f64),
}

/// Measures ours and the reference alternately; each function returns one figure a turn. The order alternates
/// with every round.
pub(crate) fn compare(
    rounds: usize,
    mut ours: impl FnMut() -> Outcome<f64>,
    mut theirs: impl FnMut() -> Outcome<f64>,
) -> Outcome<Compared> {
    let (mut first, mut second, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let (a, b) = if round % 2 == 0 {
            let a = ours()?;
            (a, theirs()?)
        } else {
            let b = theirs()?;
            (ours()?, b)
        };
        first.push(a);
        second.push(b);
        ratios.push(a / b);
    }
    let spread = spread(&ratios);
    Ok(Compared { ours: median(first), reference: median(second), ratio: median(ratios), spread })
}

/// The median; of an even number of values the upper of the two in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The lower and the upper quartile.
pub(crate) fn spread(figures: &[f64]) -> (f64, f64) {
    let mut ascending = figures.to_vec();
    ascending.sort_by(f64::total_cmp);
    (quartile(&ascending, 1), quartile(&ascending, 3))
}

/// The value below which `quarters` quarters of the figures are, which ascend.
pub(crate) fn quartile(ascending: &[f64], quarters: usize) -> f64 {
    let last = ascending.len().saturating_sub(1);
    ascending.get((last * quarters).div_ceil(4)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_and_not_that_of_the_medians() {
        let (mut ours, mut theirs) = ([4.0, 1.0, 9.0].into_iter(), [4.0, 2.0, 3.0].into_iter());
        let next = |figures: &mut std::array::IntoIter<f64, 3>| Ok(figures.next().unwrap());
        let compared = compare(3, || next(&mut ours), || next(&mut theirs)).unwrap();
        assert_eq!((compared.ours, compared.reference, compared.ratio), (4.0, 3.0, 1.0));
    }

    #[test]
    fn the_spread_leaves_out_the_lowest_and_the_highest_of_five() {
        assert_eq!(spread(&[5.0, 1.0, 4.0, 2.0, 3.0]), (2.0, 4.0));
        assert_eq!(spread(&[7.0]), (7.0, 7.0));
    }
}
