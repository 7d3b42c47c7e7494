//! Both sides take turns, so that other load on the machine affects both.

use crate::Outcome;

/// The median figure of each side, and the median of the ratios of the rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared {
    pub(crate) ours: f64,
    pub(crate) reference: f64,
    /// Our figure divided by the reference's.
    pub(crate) ratio: f64,
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
    Ok(Compared { ours: median(first), reference: median(second), ratio: median(ratios) })
}

/// The median; of an even number of values the upper of the two in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
