//! Files of reference data: groups of numbers with their places and prices, and numbers in stock.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Outcome;

/// Number of countries that groups are in.
const COUNTRIES: u64 = 10;
/// Number of cities in each country.
const CITIES: u64 = 10;
/// Number of prices, of which each group has two.
const PRICES: u64 = 20;

/// A kind of record. It is the first part of the ids of its records.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Country,
    City,
    Price,
    Group,
    Number,
}

/// The id of a record.
pub(crate) fn id(kind: Kind, number: u64) -> String {
    let kind = match kind {
        Kind::Country => 1,
        Kind::City => 2,
        Kind::Price => 3,
        Kind::Group => 4,
        Kind::Number => 5,
    };
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

/// Numbers of records of a file. Every country has the same number of cities, and every city the same number of groups,
/// where they can be divided so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    pub(crate) countries: u64,
    pub(crate) cities: u64,
    pub(crate) groups: u64,
}

/// Writes a file with this number of groups. In each country every second one has outbound calls.
pub(crate) fn groups(folder: &Path, count: u64) -> Outcome<PathBuf> {
    let path = folder.join(format!("groups-{count}.jsonl"));
    let places = Places { countries: COUNTRIES, cities: COUNTRIES * CITIES, groups: count };
    write(&path, places, COUNTRIES)?;
    Ok(path)
}

/// Writes a file with these places and groups. In each city every second group has outbound calls.
pub(crate) fn places(folder: &Path, places: Places) -> Outcome<PathBuf> {
    let path = folder.join(format!("places-{}-{}.jsonl", places.cities, places.groups));
    write(&path, places, places.cities)?;
    Ok(path)
}

/// The name of city `number`.
pub(crate) fn city(number: u64) -> String {
    format!("City {number}")
}

/// The name of the area of group `number`.
pub(crate) fn area(number: u64) -> String {
    format!("Area {number}")
}

/// Writes a file in which `in_a_row` groups have outbound calls, as many have none, and so on.
fn write(path: &Path, Places { countries, cities, groups }: Places, in_a_row: u64) -> Outcome<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for number in 0..countries {
        let letter = char::from(b'A' + u8::try_from(number % 26)?);
        let attributes = json!({
            "name": format!("Country {number}"), "prefix": (900 + number).to_string(), "iso": format!("X{letter}"),
        });
        line(&mut file, ("countries", &id(Kind::Country, number)), &attributes, &json!({}))?;
    }
    for number in 0..cities {
        let country = json!({ "country": id(Kind::Country, number % countries) });
        let attributes = json!({ "name": city(number) });
        line(&mut file, ("cities", &id(Kind::City, number)), &attributes, &country)?;
    }
    for number in 0..PRICES {
        price(&mut file, number)?;
    }
    for number in 0..groups {
        let calls_out = (number / in_a_row).is_multiple_of(2);
        let features = if calls_out { json!(["voice_in", "voice_out"]) } else { json!(["voice_in"]) };
        let relationships = json!({
            "country": id(Kind::Country, number % countries),
            "city": id(Kind::City, number % cities),
            "stock_keeping_units": [id(Kind::Price, number % PRICES), id(Kind::Price, (number + 1) % PRICES)],
        });
        group(&mut file, number, (&features, &relationships), 12)?;
    }
    Ok(file.flush()?)
}

/// Writes a file with one group, one price, and this number of numbers in stock.
pub(crate) fn numbers(folder: &Path, count: u64) -> Outcome<PathBuf> {
    let path = folder.join(format!("numbers-{count}.jsonl"));
    let mut file = BufWriter::new(std::fs::File::create(&path)?);
    price(&mut file, 0)?;
    let relationships = json!({ "stock_keeping_units": [id(Kind::Price, 0)] });
    group(&mut file, 0, (&json!(["voice_in", "voice_out"]), &relationships), count)?;
    for number in 0..count {
        let attributes = json!({ "number": format!("37061{number:07}") });
        let of_group = json!({ "did_group": id(Kind::Group, 0) });
        line(&mut file, ("available_dids", &id(Kind::Number, number)), &attributes, &of_group)?;
    }
    file.flush()?;
    Ok(path)
}

fn price(file: &mut impl std::io::Write, number: u64) -> Outcome<()> {
    let attributes =
        json!({ "setup_price": "0.10", "monthly_price": "0.10", "channels_included_count": number % 4 });
    line(file, ("stock_keeping_units", &id(Kind::Price, number)), &attributes, &json!({}))
}

fn group(
    file: &mut impl std::io::Write,
    number: u64,
    (features, relationships): (&Value, &Value),
    in_stock: u64,
) -> Outcome<()> {
    let record = json!({
        "type": "did_groups",
        "id": id(Kind::Group, number),
        "attributes": {
            "area_name": area(number), "prefix": (100 + number % 900).to_string(), "features": features,
            "is_metered": false, "allow_additional_channels": true, "service_restrictions": null,
            "number_type": "local", "is_demo": false,
        },
        "relationships": relationships,
        "meta": {
            "available_dids_enabled": true, "needs_registration": false, "is_available": true,
            "total_count": in_stock,
        },
    });
    Ok(writeln!(file, "{record}")?)
}

fn line(
    file: &mut impl std::io::Write,
    (kind, id): (&str, &str),
    attributes: &Value,
    relationships: &Value,
) -> Outcome<()> {
    let record = json!({ "type": kind, "id": id, "attributes": attributes, "relationships": relationships });
    Ok(writeln!(file, "{record}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_of_the_groups_is_in_a_country_and_has_outbound_calls() {
        let folder = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(groups(folder.path(), 1_000).unwrap()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let country = id(Kind::Country, 3);
        let found = lines.filter(|line| {
            line["type"] == "did_groups"
                && line["relationships"]["country"] == country
                && line["attributes"]["features"].as_array().unwrap().contains(&json!("voice_out"))
        });
        assert_eq!(found.count(), 50);
    }

    #[test]
    fn a_place_has_as_many_groups_and_cities_in_a_large_file_as_in_a_small_one() {
        let folder = tempfile::tempdir().unwrap();
        for factor in [1, 10] {
            let all = Places { countries: 2 * factor, cities: 100 * factor, groups: 1_000 * factor };
            let text = std::fs::read_to_string(places(folder.path(), all).unwrap()).unwrap();
            let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let count = |kind: &str, relationship: &str, place: &str, feature: Option<&str>| {
                let is_found = |line: &&Value| {
                    let features = line["attributes"]["features"].as_array();
                    line["type"] == kind
                        && line["relationships"][relationship] == place
                        && feature.is_none_or(|name| features.unwrap().contains(&json!(name)))
                };
                lines.iter().filter(is_found).count()
            };
            let (country, city) = (id(Kind::Country, 1), id(Kind::City, 7));
            assert_eq!(count("cities", "country", &country, None), 50);
            assert_eq!(count("did_groups", "country", &country, None), 500);
            assert_eq!(count("did_groups", "city", &city, None), 10);
            assert_eq!(count("did_groups", "city", &city, Some("voice_out")), 5);
        }
    }

    #[test]
    fn no_two_numbers_in_stock_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(numbers(folder.path(), 1_000).unwrap()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let numbers: std::collections::BTreeSet<String> =
            lines.filter_map(|line| Some(line["attributes"]["number"].as_str()?.to_owned())).collect();
        assert_eq!(numbers.len(), 1_000);
    }
}
