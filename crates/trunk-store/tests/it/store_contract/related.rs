//! Lists filtered by related records: along inverse relationships, and by the `meta` and the attributes of related
//! records.

use didww_types::{FilterTest, Timestamp, find};
use serde_json::{Map, Value, json};
use trunk_store::{Change, Condition, IndexValue, ListQuery, NO_ACCOUNT, Order, Scope, Store};
use uuid::Uuid;

use crate::support::records::{commit, everything, id};

use super::value;

fn scope(kind: &str) -> Scope {
    Scope { account: NO_ACCOUNT, spec: find(kind).unwrap() }
}

fn record(
    kind: &str,
    number: u128,
    attributes: Value,
    links: Vec<(&'static str, Vec<Uuid>)>,
    meta: Option<Value>,
) -> Change {
    let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
    let defaults = scope(kind)
        .spec
        .attributes
        .iter()
        .filter_map(|attribute| Some((attribute.name.to_owned(), attribute.default?.to_json())));
    let attributes: Map<String, Value> = defaults.chain(attributes).collect();
    let created_at = Timestamp::from_unix_millis(0);
    let meta = meta.map(|meta| meta.to_string());
    Change::Insert { scope: scope(kind), id: id(number), created_at, attributes, links, meta }
}

/// Two countries and one without groups; a region; a prefix; three groups, of which one has no country.
async fn catalogue(store: &impl Store) {
    let country = |number, name: &str, iso: &str| {
        record("countries", number, json!({ "name": name, "iso": iso }), Vec::new(), None)
    };
    commit(store, vec![country(1, "Ávila", "AV"), country(2, "Berg", "BE"), country(3, "Cove", "CO")]).await;
    let region = json!({ "name": "North", "iso": "AV-N" });
    commit(store, vec![record("regions", 11, region, vec![("country", vec![id(1)])], None)]).await;
    let prefix = json!({ "npa": "201", "nxx": "221" });
    commit(store, vec![record("nanpa_prefixes", 21, prefix, vec![("country", vec![id(1)])], None)]).await;
    let group = |number, area: &str, features: Value, links, available: bool| {
        let attributes = json!({ "area_name": area, "features": features });
        record("did_groups", number, attributes, links, Some(json!({ "is_available": available })))
    };
    let groups = vec![
        group(31, "One", json!(["voice_in"]), vec![("country", vec![id(2)])], true),
        group(
            32,
            "Two",
            json!(["sms_in"]),
            vec![("country", vec![id(1)]), ("nanpa_prefixes", vec![id(21)])],
            false,
        ),
        group(33, "Three", json!([]), Vec::new(), true),
    ];
    commit(store, groups).await;
}

async fn ids(store: &impl Store, query: ListQuery) -> Vec<u128> {
    let listing = store.list(query).await.unwrap();
    assert_eq!(listing.total, listing.records.len() as u64);
    listing.records.iter().map(|record| record.id.as_u128()).collect()
}

pub(super) async fn filters_follow_relationships_backwards_and_see_what_related_records_state(
    store: &impl Store,
) {
    catalogue(store).await;
    let of = async |kind: &str, test: FilterTest, values: Vec<IndexValue>| {
        let conditions = vec![Condition { test, values }];
        ids(store, ListQuery { conditions, ..everything(scope(kind)) }).await
    };
    let available = FilterTest::RelatedMeta("country<did_groups", "is_available");
    assert_eq!(of("countries", available, vec![IndexValue::Integer(1)]).await, [2]);
    assert_eq!(of("countries", available, vec![IndexValue::Integer(0)]).await, [1, 3]);
    assert_eq!(
        of("countries", available, vec![IndexValue::Integer(0), IndexValue::Integer(1)]).await,
        [1, 2, 3]
    );
    let stated = FilterTest::MetaStated("is_available");
    assert_eq!(of("did_groups", stated, vec![IndexValue::Integer(1)]).await, [31, 32, 33]);
    assert_eq!(of("countries", stated, vec![IndexValue::Integer(0)]).await, [1, 2, 3]);
    let unstated = json!({ "is_available": null });
    let unstated = record("did_groups", 35, json!({ "area_name": "Five" }), Vec::new(), Some(unstated));
    commit(store, vec![unstated]).await;
    assert_eq!(of("did_groups", stated, vec![IndexValue::Integer(0)]).await, [35]);
    let features = FilterTest::Related("nanpa_prefixes<did_groups.features");
    assert_eq!(of("nanpa_prefixes", features, vec![value("sms_in")]).await, [21]);
    assert_eq!(of("nanpa_prefixes", features, vec![value("voice_in")]).await, [0_u128; 0]);
    let other = json!({ "area_name": "Four", "features": ["voice_in", "t38"] });
    let other = record("did_groups", 34, other, vec![("nanpa_prefixes", vec![id(21)])], None);
    commit(store, vec![other]).await;
    let every = FilterTest::RelatedEvery("nanpa_prefixes<did_groups.features");
    assert_eq!(of("nanpa_prefixes", every, vec![value("t38"), value("voice_in")]).await, [21]);
    let of_two_groups = vec![value("sms_in"), value("voice_in")];
    assert_eq!(of("nanpa_prefixes", every, of_two_groups).await, [0_u128; 0]);
    let regions = FilterTest::Linked("regions");
    assert_eq!(of("countries", regions, vec![value(&id(11).to_string())]).await, [1]);
    assert_eq!(of("countries", regions, vec![IndexValue::Null]).await, [2, 3]);
    let prefix = FilterTest::Linked("nanpa_prefixes");
    assert_eq!(of("did_groups", prefix, vec![value(&id(21).to_string())]).await, [32, 34]);
}

pub(super) async fn texts_are_found_in_lower_case_and_one_behind_the_other(store: &impl Store) {
    catalogue(store).await;
    let of = async |kind: &str, conditions: Vec<Condition>| {
        ids(store, ListQuery { conditions, ..everything(scope(kind)) }).await
    };
    let test = |test, text: &str| Condition { test, values: vec![value(text)] };
    assert_eq!(of("countries", vec![test(FilterTest::Equals("name~"), "ávila")]).await, [1]);
    assert_eq!(of("countries", vec![test(FilterTest::Equals("name~"), "Ávila")]).await, [0_u128; 0]);
    let contains = || test(FilterTest::Contains("npa+nxx"), "1221");
    assert_eq!(of("nanpa_prefixes", vec![contains()]).await, [21]);
    // Beside an equality, the texts are read from the record.
    assert_eq!(of("nanpa_prefixes", vec![test(FilterTest::Equals("npa"), "201"), contains()]).await, [21]);
    let other = test(FilterTest::Contains("npa+nxx"), "222");
    assert_eq!(of("nanpa_prefixes", vec![test(FilterTest::Equals("npa"), "201"), other]).await, [0_u128; 0]);
    let related = |text| vec![test(FilterTest::Related("nanpa_prefixes.npa+nxx"), text)];
    assert_eq!(of("did_groups", related("201221")).await, [32]);
    assert_eq!(of("did_groups", related("201")).await, [0_u128; 0]);
}

pub(super) async fn lists_are_sorted_by_related_records_with_those_without_one_last(store: &impl Store) {
    catalogue(store).await;
    let by = |attribute, descending| Order { attribute, descending };
    let of = async |order: Vec<Order>, conditions: Vec<Condition>| {
        ids(store, ListQuery { order, conditions, ..everything(scope("did_groups")) }).await
    };
    // By their bytes, Berg is before Ávila.
    assert_eq!(of(vec![by("country.name", false)], vec![]).await, [31, 32, 33]);
    assert_eq!(of(vec![by("country.name", true)], vec![]).await, [33, 32, 31]);
    assert_eq!(of(vec![by("country.name", false), by("area_name", true)], vec![]).await, [31, 32, 33]);
    let all = || {
        let values = [31, 32, 33].map(|number| value(&id(number).to_string()));
        vec![Condition { test: FilterTest::Id, values: values.to_vec() }]
    };
    assert_eq!(of(vec![by("country.iso", false)], all()).await, [32, 31, 33]);
    assert_eq!(of(vec![by("is_metered", false), by("country.iso", true)], all()).await, [33, 31, 32]);
}

pub(super) async fn conditions_on_shared_records_hold_whichever_selects_them(store: &impl Store) {
    catalogue(store).await;
    let city = |number, name: &str, country: u128| {
        record("cities", number, json!({ "name": name }), vec![("country", vec![id(country)])], None)
    };
    commit(store, vec![city(41, "Port", 1), city(42, "Port", 2), city(43, "Hill", 2)]).await;
    let number = |number, text: &str, group: u128| {
        let group = vec![("did_group", vec![id(group)])];
        record("available_dids", number, json!({ "number": text }), group, None)
    };
    let numbers = vec![number(51, "4930111", 31), number(52, "4930112", 32), number(53, "4930122", 32)];
    commit(store, numbers).await;
    let linked = |path, numbers: &[u128]| Condition {
        test: FilterTest::Linked(path),
        values: numbers.iter().map(|number| value(&id(*number).to_string())).collect(),
    };
    let test = |test, text: &str| Condition { test, values: vec![value(text)] };
    let country = |number| linked("country", &[number]);
    let named = |name| test(FilterTest::Equals("name"), name);
    let feature = |name| test(FilterTest::Equals("features"), name);
    let of_country = |number| linked("did_group.country", &[number]);
    let digits = |text| test(FilterTest::Contains("number"), text);
    let of_feature = |name| test(FilterTest::Related("did_group.features"), name);
    let group_or_none = Condition {
        test: FilterTest::Linked("country"),
        values: vec![value(&id(1).to_string()), IndexValue::Null],
    };
    for (kind, conditions, expected) in [
        ("cities", vec![country(2)], vec![42, 43]),
        ("cities", vec![linked("country", &[1, 2])], vec![41, 42, 43]),
        ("cities", vec![country(2), named("Port")], vec![42]),
        ("cities", vec![country(3), named("Port")], vec![]),
        ("cities", vec![linked("country", &[])], vec![]),
        ("did_groups", vec![feature("sms_in"), country(1)], vec![32]),
        ("did_groups", vec![feature("sms_in"), country(2)], vec![]),
        ("did_groups", vec![country(1), linked("nanpa_prefixes", &[21])], vec![32]),
        ("did_groups", vec![test(FilterTest::Id, &id(32).to_string()), feature("sms_in")], vec![32]),
        ("did_groups", vec![test(FilterTest::Id, &id(31).to_string()), feature("sms_in")], vec![]),
        ("did_groups", vec![group_or_none], vec![32, 33]),
        ("available_dids", vec![of_country(1)], vec![52, 53]),
        ("available_dids", vec![digits("301"), of_country(1)], vec![52, 53]),
        ("available_dids", vec![digits("112"), of_country(1)], vec![52]),
        ("available_dids", vec![of_feature("voice_in")], vec![51]),
        ("available_dids", vec![of_feature("sms_in"), digits("122"), linked("did_group", &[32])], vec![53]),
    ] {
        let what = format!("{kind} {conditions:?}");
        let found = ids(store, ListQuery { conditions, ..everything(scope(kind)) }).await;
        assert_eq!(found, expected, "{what}");
    }
    let by_name = Order { attribute: "name", descending: true };
    let query =
        ListQuery { conditions: vec![country(2)], order: vec![by_name], ..everything(scope("cities")) };
    assert_eq!(ids(store, query).await, [42, 43]);
}

pub(super) async fn a_short_list_is_sorted_among_many_records(store: &impl Store) {
    catalogue(store).await;
    let group = |number: u128, area: &str, is_metered: bool, links| {
        let attributes = json!({ "area_name": area, "is_metered": is_metered });
        record("did_groups", number, attributes, links, None)
    };
    let others = (1_000..2_100).map(|number| group(number, &format!("Area {number}"), false, Vec::new()));
    commit(store, others.collect()).await;
    let of_country = || vec![("country", vec![id(2)])];
    let few = [("Hill", true), ("", false), ("Ávila", true), ("Hill", false), ("Zoo", false)];
    let few = (41..).zip(few).map(|(number, (area, metered))| group(number, area, metered, of_country()));
    commit(store, few.collect()).await;
    let by = |attribute, descending| Order { attribute, descending };
    for (order, expected) in [
        (vec![by("area_name", false)], vec![41, 44, 31, 45, 43, 42]),
        (vec![by("area_name", true)], vec![42, 43, 45, 31, 44, 41]),
        (vec![by("is_metered", true), by("area_name", false)], vec![41, 43, 44, 31, 45, 42]),
        (vec![by("area_name", false), by("created_at", true)], vec![44, 41, 31, 45, 43, 42]),
    ] {
        let country =
            Condition { test: FilterTest::Linked("country"), values: vec![value(&id(2).to_string())] };
        let text = format!("{order:?}");
        let query = ListQuery { conditions: vec![country], order, ..everything(scope("did_groups")) };
        assert_eq!(ids(store, query).await, expected, "{text}");
    }
}

pub(super) async fn members_of_the_other_side_are_members(store: &impl Store) {
    catalogue(store).await;
    let countries = store.list(everything(scope("countries"))).await.unwrap().records;
    let numbers: Vec<i64> = countries.iter().map(|country| country.number).collect();
    let members = store.members(scope("countries"), numbers.clone(), "regions", 10).await.unwrap();
    assert_eq!(members, [(numbers[0], "regions".to_owned(), id(11))]);
    let from = |number| ListQuery {
        linked_from: Some(("countries", number, "regions")),
        ..everything(scope("regions"))
    };
    assert_eq!(ids(store, from(numbers[0])).await, [11]);
    assert_eq!(ids(store, from(numbers[1])).await, [0_u128; 0]);
}

pub(super) async fn a_total_is_that_of_the_decimals_as_they_are_stored(store: &impl Store) {
    let scope = Scope { account: 1, ..scope("balances") };
    let attributes = json!({ "balance": "60.25", "credit": "10.5", "total_balance": "7.0" });
    let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
    let created_at = Timestamp::from_unix_millis(0);
    let insert = Change::Insert { scope, id: id(41), created_at, attributes, links: Vec::new(), meta: None };
    let stored = commit(store, vec![insert]).await.remove(0);
    assert_eq!(stored.attributes, r#"{"balance":"60.25","credit":"10.5","total_balance":"70.75"}"#);
}
