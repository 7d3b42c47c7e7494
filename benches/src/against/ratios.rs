//! The figures of one row of a comparison, and the table of all rows.

use crate::rounds::{median, quartile};

/// A row is worse if three quarters of its ratios are below this. Other load on the machine widens the range of the
/// ratios and does not shift it.
pub(super) const WORSE: f64 = 0.95;

/// The unit of a figure, which says which way it improves.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    /// Requests or calls a second; a higher figure is better.
    PerSecond,
    /// Less is better.
    Milliseconds,
    /// Less is better.
    Megabytes,
}

impl Unit {
    fn times_better(self, new: f64, old: f64) -> f64 {
        match self {
            Self::PerSecond => new / old,
            Self::Milliseconds | Self::Megabytes => old / new,
        }
    }

    fn text(self, figure: f64) -> String {
        match self {
            Self::PerSecond => format!("{figure:.0}/s"),
            Self::Milliseconds => format!("{figure:.1} ms"),
            Self::Megabytes => format!("{figure:.1} MB"),
        }
    }
}

/// Figures of a row: how many times as good the new build is as the old one, 1 for no difference.
#[derive(Debug)]
pub(super) struct Ratios {
    pub(super) name: &'static str,
    /// The median of each build, with its unit.
    medians: [String; 2],
    /// How many times as good the new build was in each round; ascending.
    rounds: Vec<f64>,
}

impl Ratios {
    /// From the figures of the new and of the old build in each round.
    pub(super) fn new(name: &'static str, unit: Unit, rounds: &[(f64, f64)]) -> Self {
        let new = median(rounds.iter().map(|round| round.0).collect());
        let old = median(rounds.iter().map(|round| round.1).collect());
        let mut times_better: Vec<f64> =
            rounds.iter().map(|(new, old)| unit.times_better(*new, *old)).collect();
        times_better.sort_by(f64::total_cmp);
        Self { name, medians: [new, old].map(|figure| unit.text(figure)), rounds: times_better }
    }

    /// The value below which `quarters` quarters of the rounds are.
    fn quartile(&self, quarters: usize) -> f64 {
        quartile(&self.rounds, quarters)
    }

    pub(super) fn is_worse(&self) -> bool {
        self.quartile(3) < WORSE
    }

    /// The row as a line of the Markdown table.
    pub(super) fn line(&self) -> String {
        let [low, middle, high] = [1, 2, 3].map(|quarters| self.quartile(quarters));
        let [new, old] = &self.medians;
        let range = if self.rounds.len() == 1 { "–".to_owned() } else { format!("{low:.2} to {high:.2}") };
        format!("| {} | {new} | {old} | **{middle:.2}** | {range} |", self.name)
    }
}

/// The rows below a head with the names of both builds.
pub(super) fn table([new, old]: [&str; 2], rows: &[Ratios]) -> String {
    let lines: String = rows.iter().map(|row| row.line() + "\n").collect();
    format!("| row | {new} | {old} | times as good, median | quartiles |\n|---|---|---|---|---|\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_worse_only_if_three_quarters_of_its_rounds_are() {
        let row = |ours: [f64; 5]| Ratios::new("GET", Unit::PerSecond, &ours.map(|rate| (rate, 100.0)));
        assert!(row([90.0, 91.0, 92.0, 94.0, 120.0]).is_worse());
        assert!(!row([50.0, 60.0, 70.0, 96.0, 97.0]).is_worse());
    }

    #[test]
    fn less_time_and_less_memory_are_better_and_fewer_requests_are_worse() {
        let ratio = |unit| Ratios::new("row", unit, &[(10.0, 20.0)]).quartile(2);
        assert!((ratio(Unit::Megabytes) - 2.0).abs() < f64::EPSILON);
        assert!((ratio(Unit::Milliseconds) - 2.0).abs() < f64::EPSILON);
        assert!((ratio(Unit::PerSecond) - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn a_line_has_the_medians_of_both_builds_and_the_range_of_their_ratios() {
        let rounds = [(100.0, 100.0), (300.0, 100.0), (200.0, 100.0)];
        let row = Ratios::new("GET", Unit::PerSecond, &rounds);
        assert_eq!(row.line(), "| GET | 200/s | 100/s | **2.00** | 2.00 to 3.00 |");
        let once = Ratios::new("memory", Unit::Megabytes, &[(10.0, 15.0)]);
        assert_eq!(once.line(), "| memory | 10.0 MB | 15.0 MB | **1.50** | – |");
    }
}
