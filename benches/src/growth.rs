//! How figures grow with trunks, with calls and with load: charts, and a part of the page with their slopes.

mod latency;
mod memory;
mod requests;

use std::fmt::Write as _;
use std::path::Path;

use crate::chart::{Chart, Series};
use crate::page::Part;
use crate::plan::Plan;
use crate::report::{Row, TABLE_HEAD, Target};
use crate::{Outcome, machine};

/// Numbers of trunks, in the full and in the short form.
const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const SIZES_QUICK: [u64; 2] = [1_000, 10_000];
/// The number of trunks from which memory and loading grow: below it what a start takes in any case counts for more.
const LARGE: f64 = 10_000.0;

/// Measures, and writes the charts to this folder. Returns the part of the page, and whether every target was reached.
pub(crate) fn run(plan: &Plan, folder: &Path) -> Outcome<(String, bool)> {
    let measured = machine::sentence(plan)?;
    let sizes: &[u64] = if plan.quick { &SIZES_QUICK } else { &SIZES };
    let large = if plan.quick { 0.0 } else { LARGE };
    // Before the requests, which create some more.
    let (memory, loading) = memory::of_trunks(plan, sizes)?;
    let requests = requests::of_trunks(plan, sizes)?;
    let calls = memory::of_calls(plan)?;
    let latencies = latency::of_load(plan)?;

    let mut rows: Vec<Row> = requests.iter().map(|series| row(series, 0.0, "µs")).collect();
    rows.extend([row(&memory, large, "MB"), row(&loading, large, "s"), row(&calls, 0.0, "MB")]);
    let charts = [
        ("requests", chart(("Time of a request", "trunks", "µs"), requests, Some(0.0))),
        ("memory", chart(("Memory of the edge's trunks", "trunks", "MB"), vec![memory], Some(large))),
        ("loading", chart(("Loading of the edge's trunks", "trunks", "s"), vec![loading], Some(large))),
        ("calls", chart(("Memory of simultaneous calls", "calls", "MB"), vec![calls], Some(0.0))),
        ("latency", chart(("Latency under load", "load as a share of the peak", "ms"), latencies, None)),
    ];

    let mut text = format!("{}\n\n{measured} {ABOUT}\n\n{TABLE_HEAD}", Part::Growth.heading());
    for row in &rows {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "{}", row.line());
    }
    std::fs::create_dir_all(folder)?;
    for (name, chart) in &charts {
        let file = folder.join(format!("{name}.svg"));
        std::fs::write(&file, chart.svg())?;
        let _infallible =
            write!(text, "\n### {0}\n\n![{0}]({1})\n\n{2}", chart.title, file.display(), table(chart));
    }
    text.push_str(FOOT);
    Ok((text, rows.iter().all(Row::is_reached)))
}

fn chart(
    (title, x, y): (&'static str, &'static str, &'static str),
    series: Vec<Series>,
    slopes_from: Option<f64>,
) -> Chart {
    Chart { title, x, y, series, slopes_from }
}

/// The slope of a series, with its values at the least and at the most.
fn row(series: &Series, from: f64, unit: &str) -> Row {
    let at = |point: Option<&(f64, f64)>| {
        point.map_or_else(|| "–".to_owned(), |(x, y)| format!("{} {unit} at {x}", significant(*y)))
    };
    let target = match series.name {
        requests::GET => Target::AtMost(0.05, 0.02),
        memory::MEMORY => Target::AtMost(1.05, 1.0),
        memory::LOADING => Target::AtMost(1.1, 1.0),
        _ => Target::Reported,
    };
    Row {
        name: series.name,
        ours: at(series.points.last()),
        reference: at(series.points.iter().find(|(x, _)| *x >= from)),
        figure: series.slope(from),
        spread: None,
        unit: "",
        target,
    }
}

/// The points of a chart whose series have the same places.
fn table(chart: &Chart) -> String {
    let names: Vec<&str> = chart.series.iter().map(|series| series.name).collect();
    let mut text = format!("| {}, in {} | {} |\n|---|", chart.x, chart.y, names.join(" | "));
    text.push_str(&"---|".repeat(names.len()));
    text.push('\n');
    let places = chart.series.first().map(|series| series.points.as_slice()).unwrap_or_default();
    for (index, (x, _)) in places.iter().enumerate() {
        let cells = chart.series.iter().map(|series| series.points.get(index));
        let cells = cells.map(|point| point.map_or_else(|| "–".to_owned(), |(_, y)| significant(*y)));
        let cells: Vec<String> = cells.collect();
        let _infallible = writeln!(text, "| {x} | {} |", cells.join(" | "));
    }
    text
}

/// A number with three digits at least, and no more behind its point.
fn significant(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

const ABOUT: &str = "The figure of a row is the slope on logarithmic axes: 0 if the value does not grow, 1 if it is \
proportional. Ours is the value at the most, the reference that at the least that counts.";

const FOOT: &str = "
### How growth is measured

- **Requests** are single ones over one connection: the median of many. A GET gets one of fifty trunks in turn, the list has
  fifty, the filter finds one trunk by its name, and the included records are the trunk's three DIDs. A POST waits for the disk.
  The decision is one call of the rules in the benchmark's own process.
- **Memory of trunks** and **loading** are those of a server with an edge, less those of the same server without a trunk. Below
  10,000 trunks they are hardly more than what two starts differ by, so the slope begins there.
- **Memory of calls** is resident memory of the process while so many are up, less what it was before.
- **Latency** counts from when a request was due, on 512 connections. The peak is what they reach if each waits for its answer.
  Above it requests queue, so that their latency is how long the load lasted as much as what the server does.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_place_and_a_column_for_each_series() {
        let series = |name, points: [(f64, f64); 2]| Series { name, points: points.to_vec() };
        let both = vec![series("one", [(1e3, 1.0), (1e4, 20.5)]), series("two", [(1e3, 0.5), (1e4, 300.4)])];
        let table = table(&chart(("title", "trunks", "µs"), both, None));
        let lines = [
            "| trunks, in µs | one | two |",
            "|---|---|---|",
            "| 1000 | 1.00 | 0.5000 |",
            "| 10000 | 20.5 | 300 |",
        ];
        assert_eq!(table.lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn a_get_that_grows_with_the_trunks_misses_its_target_and_one_that_does_not_reaches_it() {
        let series = |last| Series { name: requests::GET, points: vec![(1e3, 100.0), (1e6, last)] };
        assert!(row(&series(101.0), 0.0, "µs").is_reached());
        assert!(!row(&series(300.0), 0.0, "µs").is_reached());
    }
}
