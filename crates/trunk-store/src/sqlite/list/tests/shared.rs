//! Lists of records that all accounts share: their filters read the records that match, however many others there are.

use didww_types::{FilterTest, find};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, StatementStatus, params, params_from_iter};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::id_text;
use crate::sqlite::list::matching::statement;
use crate::sqlite::plan::{assert_seeks, plan};
use crate::sqlite::symbols::Symbols;
use crate::{Condition, IndexValue, ListQuery, NO_ACCOUNT, Scope};

/// The numbers of the records of the first place. Each further place has the same records, whose numbers are greater by
/// a multiple of [`PLACE`].
const COUNTRY: i64 = 1;
const REGION: i64 = 2;
const PREFIX: i64 = 3;
const CITIES: [i64; 2] = [10, 11];
/// Four of each city, of which every second one has outbound calls.
const GROUPS: i64 = 20;
/// One of each group.
const NUMBERS: i64 = 40;
const PLACE: i64 = 100;

/// A database of places, each of which is a country.
struct Places {
    connection: Connection,
    symbols: Symbols,
}

impl Places {
    fn of(countries: i64) -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::sqlite::open::migrate(&mut connection).unwrap().commit().unwrap();
        let symbols = crate::sqlite::symbols::intern(&connection, didww_types::REGISTRY).unwrap();
        let places = Self { connection, symbols };
        places.connection.execute_batch("BEGIN").unwrap();
        for country in 0..countries {
            places.add_place(country * PLACE);
        }
        places.connection.execute_batch("COMMIT").unwrap();
        places
    }

    fn add_place(&self, first: i64) {
        let [country, region, prefix] = [COUNTRY, REGION, PREFIX].map(|number| first + number);
        self.add("countries", country, &[("name", format!("Country {country}"))], &[]);
        let within = [("country", country)];
        self.add("regions", region, &[("name", format!("Region {region}"))], &within);
        self.add("nanpa_prefixes", prefix, &[("npa+nxx", prefix.to_string())], &within);
        for (city, groups) in CITIES.into_iter().zip([0..4, 4..8]) {
            let city = first + city;
            let within = [("country", country), ("region", region)];
            self.add("cities", city, &[("name", format!("City {city}"))], &within);
            let within = [("country", country), ("city", city), ("nanpa_prefixes", prefix)];
            for nth in groups {
                let (group, number) = (first + GROUPS + nth, first + NUMBERS + nth);
                let mut values =
                    vec![("area_name", format!("Area {group}")), ("features", "voice_in".to_owned())];
                if nth % 2 == 0 {
                    values.push(("features", "voice_out".to_owned()));
                }
                self.add("did_groups", group, &values, &within);
                let digits = (1_000_000 + number).to_string();
                self.add("available_dids", number, &[("number", digits)], &[("did_group", group)]);
            }
        }
    }

    /// Adds a shared record with these index entries and links.
    fn add(
        &self,
        kind: &'static str,
        number: i64,
        values: &[(&'static str, String)],
        links: &[(&'static str, i64)],
    ) {
        let attributes: Map<String, Value> =
            values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let id = Uuid::from_u128(u128::try_from(number).unwrap());
        let insert = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            self.connection.prepare_cached(sql).unwrap().execute(values).unwrap();
        };
        let (of, attributes) = (self.symbols.kind(kind), Value::Object(attributes).to_string());
        insert(
            "INSERT INTO record (number, account, kind, id, created_at, attributes) \
             VALUES (?1, ?2, ?3, ?4, 0, ?5)",
            params![number, NO_ACCOUNT, of, id.as_bytes().as_slice(), attributes],
        );
        for &(name, ref value) in values {
            let field = self.symbols.member(kind, name);
            insert("INSERT INTO facet VALUES (?1, ?2, ?3, ?4)", params![NO_ACCOUNT, field, value, number]);
        }
        for &(relationship, target) in links {
            let relationship = self.symbols.member(kind, relationship);
            insert(
                "INSERT INTO link (owner, relationship, target) VALUES (?1, ?2, ?3)",
                params![number, relationship, target],
            );
        }
    }

    fn statement(&self, kind: &str, conditions: Vec<Condition>) -> (String, Vec<SqlValue>) {
        let scope = Scope { account: 7, spec: find(kind).unwrap() };
        let query =
            ListQuery { scope, linked_from: None, conditions, order: Vec::new(), offset: 0, limit: 50 };
        statement(&self.symbols, &query)
    }

    /// The numbers of the records that match, and the number of instructions in which the engine found them. Each entry
    /// of an index that it reads takes some.
    fn found(&self, kind: &str, conditions: Vec<Condition>) -> (Vec<i64>, i32) {
        let (text, parameters) = self.statement(kind, conditions);
        let mut select = self.connection.prepare(&text).unwrap();
        let rows = select.query_map(params_from_iter(parameters), |row| row.get(0)).unwrap();
        let mut numbers: Vec<i64> = rows.map(Result::unwrap).collect();
        numbers.sort_unstable();
        numbers.dedup();
        (numbers, select.get_status(StatementStatus::VmStep))
    }
}

fn leads_to(path: &'static str, number: i64) -> Condition {
    let values = vec![id_text(u128::try_from(number).unwrap())];
    Condition { test: FilterTest::Linked(path), values }
}

fn text(test: FilterTest, value: &str) -> Condition {
    Condition { test, values: vec![IndexValue::Text(value.to_owned())] }
}

fn calls_out() -> Condition {
    text(FilterTest::Equals("features"), "voice_out")
}

/// Filters of the first place, and the numbers of the records that they find.
fn filters() -> Vec<(&'static str, Vec<Condition>, Vec<i64>)> {
    let country = || leads_to("country", COUNTRY);
    let city = || leads_to("city", CITIES[0]);
    let numbers_of_country = || leads_to("did_group.country", COUNTRY);
    let is_free =
        Condition { test: FilterTest::Linked("available_dids<dids"), values: vec![IndexValue::Null] };
    let is_available = Condition {
        test: FilterTest::RelatedMeta("city<did_groups", "is_available"),
        values: vec![IndexValue::Integer(0)],
    };
    let one_group = Condition { test: FilterTest::Id, values: vec![id_text(22)] };
    let in_area = || text(FilterTest::Equals("area_name"), "Area 21");
    let prefix = text(FilterTest::Related("nanpa_prefixes.npa+nxx"), "3");
    let of_calls_out = text(FilterTest::Related("did_group.features"), "voice_out");
    let digits = text(FilterTest::Contains("number"), "00041");
    vec![
        ("cities", vec![country()], vec![10, 11]),
        ("cities", vec![leads_to("region", REGION)], vec![10, 11]),
        ("cities", vec![country(), text(FilterTest::Equals("name"), "City 11")], vec![11]),
        ("cities", vec![is_available, country()], vec![10, 11]),
        ("regions", vec![country()], vec![REGION]),
        ("nanpa_prefixes", vec![country()], vec![PREFIX]),
        ("did_groups", vec![country(), city()], vec![20, 21, 22, 23]),
        ("did_groups", vec![city(), calls_out()], vec![20, 22]),
        ("did_groups", vec![calls_out(), city()], vec![20, 22]),
        ("did_groups", vec![calls_out(), country()], vec![20, 22, 24, 26]),
        ("did_groups", vec![country(), in_area()], vec![21]),
        ("did_groups", vec![calls_out(), in_area()], Vec::new()),
        ("did_groups", vec![calls_out(), one_group], vec![22]),
        ("did_groups", vec![calls_out(), prefix], vec![20, 22, 24, 26]),
        ("did_groups", vec![leads_to("nanpa_prefixes", PREFIX), city()], vec![20, 21, 22, 23]),
        ("available_dids", vec![numbers_of_country()], (40..48).collect()),
        ("available_dids", vec![digits, numbers_of_country()], vec![41]),
        ("available_dids", vec![of_calls_out, leads_to("did_group.city", CITIES[1])], vec![44, 46]),
        ("available_dids", vec![is_free, leads_to("did_group", 20)], vec![40]),
    ]
}

#[test]
fn a_filter_of_shared_records_takes_no_longer_beside_many_that_do_not_match() {
    let (few, many) = (Places::of(2), Places::of(100));
    for (kind, conditions, expected) in filters() {
        let (found, steps) = few.found(kind, conditions.clone());
        assert_eq!(found, expected, "{kind} {conditions:?}");
        let (found, steps_among_many) = many.found(kind, conditions.clone());
        assert_eq!(found, expected, "{kind} {conditions:?}");
        let text = many.statement(kind, conditions).0;
        assert!(
            steps_among_many <= steps + steps / 5,
            "{steps} instructions, and {steps_among_many} among many:\n{text}"
        );
    }
}

#[test]
fn one_condition_selects_shared_records_and_the_others_test_those() {
    let places = Places::of(1);
    let statement = |conditions| places.statement("did_groups", conditions).0;
    let (country, city) = (|| leads_to("country", COUNTRY), || leads_to("city", CITIES[0]));
    let in_area = || text(FilterTest::Equals("area_name"), "Area 21");
    assert_eq!(
        statement(vec![country(), city(), calls_out()]),
        "SELECT r.number AS number FROM record r WHERE +r.account = ?1 AND +r.kind = ?2 \
         AND EXISTS (SELECT 1 FROM link k1 CROSS JOIN record f \
         WHERE k1.owner = r.number AND k1.relationship = ?4 AND f.number = k1.target AND f.id IN (?3)) \
         AND r.number IN (SELECT k0.owner FROM record f CROSS JOIN link k0 ON k0.target = f.number \
         AND k0.relationship = ?6 WHERE f.id IN (?5)) \
         AND EXISTS (SELECT 1 FROM facet f WHERE f.account = ?7 AND f.field = ?8 AND f.value = ?9 \
         AND f.record = r.number)"
    );
    assert_eq!(
        statement(vec![country(), in_area()]),
        "SELECT l.record AS number FROM facet l WHERE l.account = ?1 AND l.field = ?2 AND l.value = ?3 \
         AND EXISTS (SELECT 1 FROM link k1 CROSS JOIN record f \
         WHERE k1.owner = l.record AND k1.relationship = ?5 AND f.number = k1.target AND f.id IN (?4))"
    );
}

#[test]
fn shared_records_are_found_from_what_they_lead_to() {
    let places = Places::of(1);
    for (kind, conditions) in [
        ("cities", vec![leads_to("country", COUNTRY)]),
        ("did_groups", vec![leads_to("city", CITIES[0]), calls_out()]),
        ("available_dids", vec![leads_to("did_group.country", COUNTRY)]),
    ] {
        let (sql, _) = places.statement(kind, conditions);
        assert_seeks(&places.connection, &sql, "link_target");
        let steps = plan(&places.connection, &sql);
        assert!(!steps.iter().any(|step| step.contains("record_list")), "{sql}: {steps:?}");
    }
    let or_none = Condition { test: FilterTest::Linked("city"), values: vec![id_text(10), IndexValue::Null] };
    let (sql, _) = places.statement("did_groups", vec![or_none]);
    let steps = plan(&places.connection, &sql);
    assert!(steps.iter().any(|step| step.contains("record_list")), "{sql}: {steps:?}");
}
