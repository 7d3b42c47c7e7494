//! The crates of a build that took longest, from the report of `cargo build --timings`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Outcome;

/// The variable of the report's script that holds the units of the build as JSON.
const UNITS: &str = "UNIT_DATA = ";

/// One run of a compiler or of a build script.
#[derive(Debug, Deserialize)]
struct Unit {
    name: String,
    version: String,
    /// Seconds from its start to its end.
    duration: f64,
}

/// The crates that took longest, each with the seconds of all its units together; the longest first.
pub(super) fn heaviest(report: &str, count: usize) -> Outcome<Vec<(String, f64)>> {
    let (_, units) = report.split_once(UNITS).ok_or("cargo's report of times has no units")?;
    // More of the script follows the array.
    let mut units = serde_json::Deserializer::from_str(units).into_iter::<Vec<Unit>>();
    let units = units.next().ok_or("cargo's report of times ends before its units")??;
    let mut crates: BTreeMap<String, f64> = BTreeMap::new();
    for unit in units {
        *crates.entry(format!("{} {}", unit.name, unit.version)).or_default() += unit.duration;
    }
    let mut crates: Vec<(String, f64)> = crates.into_iter().collect();
    crates.sort_by(|one, other| other.1.total_cmp(&one.1));
    crates.truncate(count);
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<script>
DURATION = 9;
const UNIT_DATA = [
  {"i": 0, "name": "small", "version": "1.0.0", "mode": "todo", "features": [], "start": 0.0, "duration": 0.5},
  {"i": 1, "name": "sys", "version": "0.3.1", "mode": "todo", "target": " build-script", "start": 0.0, "duration": 1.0},
  {"i": 2, "name": "sys", "version": "0.3.1", "mode": "run-custom-build", "target": "", "start": 1.0, "duration": 7.25},
  {"i": 3, "name": "sys", "version": "0.2.0", "mode": "todo", "target": "", "start": 1.0, "duration": 2.0}
];
const CONCURRENCY_DATA = [];
</script>"#;

    #[test]
    fn the_units_of_a_crate_are_added_and_its_versions_are_not() {
        let two = [("sys 0.3.1".to_owned(), 8.25), ("sys 0.2.0".to_owned(), 2.0)];
        assert_eq!(heaviest(REPORT, 2).unwrap(), two);
        assert_eq!(heaviest(REPORT, 10).unwrap().len(), 3);
    }

    #[test]
    fn a_report_without_units_is_an_error() {
        assert!(heaviest("<script>DURATION = 9;</script>", 10).is_err());
        assert!(heaviest("const UNIT_DATA = ", 10).is_err());
        assert!(heaviest("const UNIT_DATA = {};", 10).is_err());
    }
}
