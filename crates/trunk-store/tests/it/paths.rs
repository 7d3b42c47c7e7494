//! Filters through relationships, by the id or an attribute of a record at the end of a path.

use didww_types::FilterTest;
use serde_json::json;
use trunk_store::{Accounts as _, Condition, IndexValue, ListQuery, Records as _, Scope, SqliteStore};
use uuid::Uuid;

use crate::support::records::{account, commit, everything, id, insert, key, linked};
use crate::support::regions::Regions;

const NORTH: u128 = 1;
const SOUTH: u128 = 2;
const CITY: u128 = 3;
const COAST: u128 = 4;
const HILLS: u128 = 5;
const FIRST: u128 = 6;
const SECOND: u128 = 7;
const THIRD: u128 = 8;
const FREE: u128 = 9;

/// Two countries, three groups in them, three lines in the groups, and one line without a group.
async fn filled() -> (Regions, SqliteStore, i64) {
    let (regions, store) = Regions::store();
    let number = store.create_account(account(100, "one"), key(101, "secret")).await.unwrap().number;
    let scope = |spec| Scope { account: number, spec };
    let named = |name: &str| json!({ "name": name }).as_object().unwrap().clone();
    let country = |name: &str, features: &[&str]| {
        json!({ "name": name, "features": features }).as_object().unwrap().clone()
    };
    let group = |of: u128, name: &str, country: u128| {
        linked(scope(regions.groups), id(of), named(name), vec![("country", vec![id(country)])])
    };
    let line = |of: u128, name: &str, group: u128| {
        linked(scope(regions.lines), id(of), named(name), vec![("group", vec![id(group)])])
    };
    let changes = vec![
        insert(scope(regions.countries), id(NORTH), country("North", &["voice", "fax"])),
        insert(scope(regions.countries), id(SOUTH), country("South", &["voice", "sms"])),
        group(CITY, "City", NORTH),
        group(COAST, "Coast", SOUTH),
        group(HILLS, "", SOUTH),
        line(FIRST, "First", CITY),
        line(SECOND, "Second", COAST),
        line(THIRD, "Third", HILLS),
        insert(scope(regions.lines), id(FREE), named("Free")),
    ];
    commit(&store, changes).await;
    (regions, store, number)
}

async fn lines(store: &SqliteStore, scope: Scope, test: FilterTest, values: &[IndexValue]) -> Vec<Uuid> {
    let conditions = vec![Condition { test, values: values.to_vec() }];
    let list = store.list(ListQuery { conditions, ..everything(scope) }).await.unwrap();
    assert_eq!(list.records.len() as u64, list.total);
    list.records.into_iter().map(|record| record.id).collect()
}

fn text(text: &str) -> IndexValue {
    IndexValue::Text(text.to_owned())
}

#[tokio::test]
async fn records_are_found_by_an_attribute_of_a_related_record_over_any_number_of_relationships() {
    let (regions, store, account) = filled().await;
    let scope = Scope { account, spec: regions.lines };
    let find =
        async |path, values: &[IndexValue]| lines(&store, scope, FilterTest::Related(path), values).await;
    assert_eq!(find("group.name", &[text("Coast")]).await, [id(SECOND)]);
    assert_eq!(find("group.name", &[text("Coast"), text("City")]).await, [id(FIRST), id(SECOND)]);
    assert!(find("group.name", &[text("coast")]).await.is_empty());
    assert_eq!(find("group.country.name", &[text("South")]).await, [id(SECOND), id(THIRD)]);
    let blank = find("group.name", &[IndexValue::Null]).await;
    assert_eq!(blank, [id(THIRD), id(FREE)], "an empty name, and no group");
}

#[tokio::test]
async fn a_related_list_has_every_one_of_its_items() {
    let (regions, store, account) = filled().await;
    let scope = Scope { account, spec: regions.lines };
    let find = async |feature: &str| {
        lines(&store, scope, FilterTest::Related("group.country.features"), &[text(feature)]).await
    };
    assert_eq!(find("fax").await, [id(FIRST)]);
    assert_eq!(find("sms").await, [id(SECOND), id(THIRD)]);
    assert_eq!(find("voice").await, [id(FIRST), id(SECOND), id(THIRD)]);
    let countries = Scope { account, spec: regions.countries };
    let found = lines(&store, countries, FilterTest::Equals("features"), &[text("sms")]).await;
    assert_eq!(found, [id(SOUTH)]);
    let several = [text("sms"), text("voice")];
    let found = lines(&store, countries, FilterTest::Equals("features"), &several).await;
    assert_eq!(found, [id(NORTH), id(SOUTH)], "a record that has both values is listed once");
    let south = store.find(countries, id(SOUTH)).await.unwrap().unwrap();
    let changed = json!({ "name": "South", "features": ["fax", "fax"] }).as_object().unwrap().clone();
    commit(&store, vec![crate::support::records::replace(countries, south, changed)]).await;
    assert!(find("sms").await.is_empty());
    assert_eq!(find("fax").await, [id(FIRST), id(SECOND), id(THIRD)], "the index follows the record");
}

#[tokio::test]
async fn records_are_found_by_the_id_at_the_end_of_a_path() {
    let (regions, store, account) = filled().await;
    let scope = Scope { account, spec: regions.lines };
    let find =
        async |path, values: &[IndexValue]| lines(&store, scope, FilterTest::Linked(path), values).await;
    let [north, south] = [NORTH, SOUTH].map(|number| text(&id(number).to_string()));
    assert_eq!(find("group.country", &[north]).await, [id(FIRST)]);
    assert_eq!(find("group.country", &[south, IndexValue::Null]).await, [id(SECOND), id(THIRD), id(FREE)]);
    assert_eq!(find("group", &[text(&id(CITY).to_string())]).await, [id(FIRST)]);
}

#[tokio::test]
async fn a_path_through_a_type_that_is_not_declared_matches_nothing_and_blank_matches_all() {
    let (regions, store, account) = filled().await;
    let scope = Scope { account, spec: regions.lines };
    for test in [FilterTest::Related("owner.name"), FilterTest::Linked("group.owner")] {
        assert!(lines(&store, scope, test, &[text("City")]).await.is_empty());
        assert_eq!(lines(&store, scope, test, &[IndexValue::Null]).await.len(), 4);
    }
}
