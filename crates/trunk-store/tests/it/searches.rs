//! Filters that search in a text.

use didww_types::FilterTest;
use serde_json::json;
use trunk_store::{Accounts as _, Condition, IndexValue, ListQuery, Records as _, Scope};
use uuid::Uuid;

use crate::support::records::{account, commit, everything, id, insert, key};
use crate::support::regions::Regions;

#[tokio::test]
async fn an_attribute_that_nothing_but_a_search_indexes_is_searched() {
    let (regions, store) = Regions::store();
    let owner = store.create_account(account(100, "one"), key(101, "secret")).await.unwrap().number;
    let lines = Scope { account: owner, spec: regions.lines };
    let line = |of: u128, name: &str, note: Option<&str>| {
        let attributes = json!({ "name": name, "note": note });
        insert(lines, id(of), attributes.as_object().unwrap().clone())
    };
    let changes = vec![
        line(1, "First", Some("for the harbour office")),
        line(2, "Second", Some("Harbour")),
        line(3, "First", Some("for the harbour")),
        line(4, "First", Some("for the airport")),
        line(5, "First", None),
    ];
    commit(&store, changes).await;
    let note = |value: &str| Condition {
        test: FilterTest::Contains("note"),
        values: vec![IndexValue::Text(value.to_owned())],
    };
    let name =
        Condition { test: FilterTest::Equals("name"), values: vec![IndexValue::Text("First".to_owned())] };
    for (conditions, expected) in [
        (vec![note("the harbour")], vec![id(1), id(3)]),
        (vec![note("for the")], vec![id(1), id(3), id(4)]),
        (vec![note("station")], Vec::new()),
        // The other condition selects the candidates, and the text is searched in the records.
        (vec![note("for the harbour"), name], vec![id(1), id(3)]),
    ] {
        let list = store.list(ListQuery { conditions, ..everything(lines) }).await.unwrap();
        let found: Vec<Uuid> = list.records.iter().map(|record| record.id).collect();
        assert_eq!((found, list.total), (expected.clone(), expected.len() as u64));
    }
}
