//! Filters of groups of numbers and of cities, among many of them against few.

use serde_json::Value;

use crate::Outcome;
use crate::controlled::Controlled;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::{compare, median};
use crate::stock::{self, Kind, Places, id};
use crate::stopwatch::Stopwatch;

pub(super) const GROUPS_OF_CITY: &str = "DID groups by country and city, 10,000 / 1,000";
pub(super) const GROUPS_WITH_FEATURE: &str = "DID groups by city and feature, 10,000 / 1,000";
pub(super) const GROUPS_OF_AREA: &str = "DID groups by area name, 10,000 / 1,000";
pub(super) const CITIES_OF_COUNTRY: &str = "cities by country, 100,000 / 1,000";
pub(super) const CITIES_OF_NAME: &str = "cities by name, 100,000 / 1,000";

/// The small and the large database of the rows about groups.
const GROUPS: [Places; 2] = [
    Places { countries: 2, cities: 100, groups: 1_000 },
    Places { countries: 20, cities: 1_000, groups: 10_000 },
];
/// The small and the large database of the rows about cities.
const CITIES: [Places; 2] = [
    Places { countries: 20, cities: 1_000, groups: 0 },
    Places { countries: 2_000, cities: 100_000, groups: 0 },
];
/// Maximum number of requests in a turn. Each is about another place, except those about the countries of the small
/// database.
const REQUESTS_PER_TURN: u64 = 100;
/// A turn ends with the request that exceeds this, in seconds: a filter that reads all records takes long.
const LONGEST_TURN: f64 = 0.2;

/// The requests of a row.
struct Filter {
    /// The path and the query of a request by its number.
    path: fn(Places, u64) -> String,
    /// Number of records that each finds, in the small database as in the large one.
    found: u64,
}

pub(super) fn groups_of_city(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let path = |places: Places, request: u64| {
        let city = spread(request, places.cities);
        let country = id(Kind::Country, city % places.countries);
        format!("/did_groups?filter[country.id]={country}&filter[city.id]={}", id(Kind::City, city))
    };
    beside(plan, name, GROUPS, &Filter { path, found: 10 })
}

pub(super) fn groups_with_feature(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let path = |places: Places, request: u64| {
        let city = id(Kind::City, spread(request, places.cities));
        format!("/did_groups?filter[city.id]={city}&filter[features]=voice_out")
    };
    beside(plan, name, GROUPS, &Filter { path, found: 5 })
}

pub(super) fn groups_of_area(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let path = |places: Places, request: u64| {
        format!("/did_groups?filter[area_name]={}", stock::area(spread(request, places.groups)))
    };
    beside(plan, name, GROUPS, &Filter { path, found: 1 })
}

pub(super) fn cities_of_country(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let path = |places: Places, request: u64| {
        format!("/cities?filter[country.id]={}", id(Kind::Country, spread(request, places.countries)))
    };
    beside(plan, name, CITIES, &Filter { path, found: 50 })
}

pub(super) fn cities_of_name(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let path = |places: Places, request: u64| {
        format!("/cities?filter[name]={}", stock::city(spread(request, places.cities)))
    };
    beside(plan, name, CITIES, &Filter { path, found: 1 })
}

/// The number of the record that a request is about: spread over all of them, and not repeated before each had its turn.
fn spread(request: u64, records: u64) -> u64 {
    request * 7_919 % records
}

fn beside(plan: &Plan, name: &'static str, [small, large]: [Places; 2], filter: &Filter) -> Outcome<Row> {
    let (with_small, with_large) = (filled(plan, small)?, filled(plan, large)?);
    let (ours, theirs) = (|| turn(&with_large, large, filter), || turn(&with_small, small, filter));
    ours()?;
    theirs()?;
    let compared = compare(plan.rounds * 2, ours, theirs)?;
    Ok(Row::times(name, &compared, 0, Target::AtMost(1.2, 1.1)))
}

/// A server with these places, which an earlier start read from a file of reference data. It stays filled for the next
/// row.
fn filled(plan: &Plan, places: Places) -> Outcome<Controlled> {
    let database = plan.work.join(format!("places-{}-{}.db", places.cities, places.groups));
    if !database.exists() {
        let file = stock::places(&plan.work, places)?.display().to_string();
        drop(Controlled::start(&database, "off", &["--reference-data", &file])?);
    }
    Controlled::start(&database, "off", &[])
}

/// The median time of a request, in seconds.
fn turn(server: &Controlled, places: Places, filter: &Filter) -> Outcome<f64> {
    let (mut times, mut sum) = (Vec::new(), 0.0);
    for request in 0..REQUESTS_PER_TURN {
        let path = (filter.path)(places, request);
        let watch = Stopwatch::start();
        let answer = server.get(&path)?;
        let seconds = watch.seconds();
        check(&path, &answer, filter.found)?;
        times.push(seconds);
        sum += seconds;
        if sum > LONGEST_TURN {
            break;
        }
    }
    Ok(median(times))
}

/// An answer with another number of records is an error.
fn check(path: &str, answer: &[u8], expected: u64) -> Outcome<()> {
    let answer: Value = serde_json::from_slice(answer)?;
    let records = answer.get("data").and_then(Value::as_array).map_or(0, Vec::len);
    let total = answer.pointer("/meta/total_records").and_then(Value::as_u64);
    if records as u64 == expected && total == Some(expected) {
        return Ok(());
    }
    Err(format!("{path} found {records} records instead of {expected}, and states {total:?}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_asks_for_no_place_twice_while_there_are_others() {
        for records in [100, 1_000, 10_000, 100_000] {
            let asked: std::collections::BTreeSet<u64> =
                (0..REQUESTS_PER_TURN).map(|request| spread(request, records)).collect();
            assert_eq!(asked.len(), 100, "of {records}");
        }
    }

    #[test]
    fn an_answer_with_another_number_of_records_is_an_error() {
        let answer = br#"{"data":[{}],"meta":{"total_records":1}}"#;
        assert!(check("/cities", answer, 1).is_ok());
        assert!(check("/cities", answer, 2).is_err());
        assert!(check("/cities", br#"{"data":[{}],"meta":{"total_records":2}}"#, 1).is_err());
    }
}
