//! Pages against the whole, on every way that leads to one. The bounds are small here, so that few records have depth.

use didww_types::resources::Did;
use didww_types::{FilterTest, Resource as _, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::*;
use crate::{Change, Condition, IndexValue, Order, SqliteStore, Store as _, StoreLimits};

fn dids(account: i64) -> Scope {
    Scope { account, spec: Did::SPEC }
}

fn did(n: u8) -> Map<String, Value> {
    let default = |attribute: &didww_types::AttributeSpec| {
        (attribute.name.to_owned(), attribute.default.map_or(Value::Null, didww_types::DefaultValue::to_json))
    };
    let mut attributes: Map<String, Value> = Did::SPEC.attributes.iter().map(default).collect();
    attributes.insert("number".to_owned(), json!(format!("{:03}", u16::from(n) * 37 % 256)));
    attributes.insert(
        "description".to_owned(),
        [json!(null), json!(""), json!("a"), json!("É")][usize::from(n % 4)].clone(),
    );
    attributes.insert("blocked".to_owned(), json!(n.is_multiple_of(3)));
    attributes.insert("channels_included_count".to_owned(), json!(n % 5));
    attributes
}

fn insert(account: i64, n: u8) -> Change {
    let id = Uuid::from_u128(u128::try_from(account).unwrap() << 64 | u128::from(n));
    let created_at = Timestamp::from_unix_millis(i64::from(n % 7));
    let mut attributes = did(n);
    if account != 1 {
        // A number is one account's alone.
        attributes.insert("number".to_owned(), json!(format!("{account}-{n}")));
    }
    Change::Insert { scope: dids(account), id, created_at, attributes, links: Vec::new() }
}

fn query(order: Vec<Order>, conditions: Vec<Condition>) -> ListQuery {
    ListQuery { scope: dids(1), linked_from: None, conditions, order, offset: 0, limit: 1_000 }
}

#[derive(Debug, Clone)]
enum Act {
    Insert(u8),
    Delete(usize),
    Replace(usize, u8),
    Pages(Vec<Order>, Vec<Condition>, u64),
}

fn acts() -> impl Strategy<Value = Act> {
    let order = (
        select(vec!["number", "description", "blocked", "channels_included_count", "created_at"]),
        any::<bool>(),
    )
        .prop_map(|(attribute, descending)| Order { attribute, descending });
    let condition = select(vec![
        Condition { test: FilterTest::Equals("blocked"), values: vec![IndexValue::Integer(1)] },
        Condition { test: FilterTest::Equals("description"), values: vec![IndexValue::Null] },
        Condition { test: FilterTest::Contains("number"), values: vec![IndexValue::Text("1".to_owned())] },
    ]);
    prop_oneof![
        6 => any::<u8>().prop_map(Act::Insert),
        1 => any::<usize>().prop_map(Act::Delete),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(place, n)| Act::Replace(place, n)),
        3 => (
            proptest::collection::vec(order, 0..4),
            proptest::collection::vec(condition, 0..3),
            1_u64..8
        )
            .prop_map(|(order, conditions, limit)| Act::Pages(order, conditions, limit)),
    ]
}

/// What a list compares of a record: the value, and the number last.
fn expected(mut records: Vec<Record>, query: &ListQuery) -> Vec<i64> {
    let value = |record: &Record, attribute: &str| {
        if attribute == "created_at" {
            // As it was made by `insert`.
            return IndexValue::Integer(i64::from((record.id.as_u128() & 0xff) as u8 % 7));
        }
        IndexValue::of(&record.attributes().unwrap()[attribute])
    };
    records.retain(|record| {
        query.conditions.iter().all(|condition| match condition.test {
            FilterTest::Equals(path) => condition.values.contains(&value(record, path)),
            FilterTest::Contains(path) => {
                matches!(value(record, path), IndexValue::Text(text) if text.contains('1'))
            }
            _ => unreachable!(),
        })
    });
    let alone = query.order.len() == 1;
    records.sort_by(|a, b| {
        let criteria = query.order.iter().filter(|order| !(alone && order.attribute == "created_at"));
        let mut ordering = std::cmp::Ordering::Equal;
        for order in criteria {
            let compared = value(a, order.attribute).cmp(&value(b, order.attribute));
            ordering = ordering.then(if order.descending { compared.reverse() } else { compared });
        }
        let last = a.number.cmp(&b.number);
        ordering.then(if query.order.last().is_some_and(|order| order.descending) {
            last.reverse()
        } else {
            last
        })
    });
    records.iter().map(|record| record.number).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_page_is_a_piece_of_the_list_that_there_is_now(acts in proptest::collection::vec(acts(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = SqliteStore::in_memory().unwrap();
        let all = || runtime.block_on(store.list(query(Vec::new(), Vec::new()))).unwrap().records;
        for act in acts {
            match act {
                // A number that is taken is none of this test's matters.
                Act::Insert(n) => {
                    drop(runtime.block_on(store.commit(vec![insert(1, n)])));
                    drop(runtime.block_on(store.commit(vec![insert(2, n)])));
                }
                Act::Delete(place) => {
                    let records = all();
                    let Some(record) = records.get(place % records.len().max(1)) else { continue };
                    let change = Change::Delete { scope: dids(1), id: record.id };
                    runtime.block_on(store.commit(vec![change])).unwrap();
                }
                Act::Replace(place, n) => {
                    let mut records = all();
                    if records.is_empty() { continue }
                    let before = records.swap_remove(place % records.len());
                    let mut attributes = did(n);
                    attributes.insert("number".to_owned(), before.attributes().unwrap()["number"].clone());
                    let change = Change::Replace { scope: dids(1), before, attributes, links: Vec::new(), meta: None };
                    runtime.block_on(store.commit(vec![change])).unwrap();
                }
                Act::Pages(order, conditions, limit) => {
                    let query = query(order, conditions);
                    let expected = expected(all(), &query);
                    let mut offset = 0;
                    while offset <= expected.len() as u64 + limit {
                        let page = runtime.block_on(store.list(ListQuery { offset, limit, ..query.clone() })).unwrap();
                        let numbers: Vec<i64> = page.records.iter().map(|record| record.number).collect();
                        let place = |n: u64| usize::try_from(n).unwrap().min(expected.len());
                        prop_assert_eq!(&numbers[..], &expected[place(offset)..place(offset + limit)], "{:?} from {}", &query, offset);
                        prop_assert_eq!(page.total, expected.len() as u64);
                        offset += limit;
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_page_with_too_many_bytes_is_refused_and_a_smaller_one_is_not() {
    let one = did(0);
    let length = crate::canonical_text(Did::SPEC, &one).len();
    let limits = StoreLimits { bytes: length * 5 / 2, ..StoreLimits::default() };
    let store = SqliteStore::in_memory_with(limits).unwrap();
    store.commit((0..3).map(|n| insert(1, n)).collect()).await.unwrap();
    let page = |limit| store.list(ListQuery { limit, ..query(Vec::new(), Vec::new()) });
    assert_eq!(page(2).await.unwrap().records.len(), 2);
    assert!(matches!(page(3).await, Err(StoreError::TooLarge(_))));
    let ids = store.list_ids(query(Vec::new(), Vec::new())).await.unwrap();
    assert_eq!(ids.len(), 3, "ids alone take no room");
}

#[test]
fn an_account_that_keeps_too_many_lists_loses_its_own() {
    let arranged = Arranged::default();
    let of = |account, n: i64| {
        let condition =
            Condition { test: FilterTest::Equals("blocked"), values: vec![IndexValue::Integer(n)] };
        ListQuery { scope: dids(account), ..query(Vec::new(), vec![condition]) }
    };
    let there = |account, n| arranged.get(&of(account, n), 1).is_some();
    arranged.keep(&of(1, 0), 1, vec![1, 2, 3]);
    for n in 0..1_000 {
        arranged.keep(&of(2, n), 1, vec![n; 3]);
    }
    assert!(there(1, 0) && there(2, 999) && there(2, 940) && !there(2, 0));
    for account in 3..10 {
        for n in 0..64 {
            arranged.keep(&of(account, n), 1, vec![n; 3]);
        }
    }
    assert!(!there(1, 0), "what was asked for longest ago goes when there are too many of all");
    assert!(arranged.get(&of(9, 3), 2).is_none(), "after a change a list is none any more");
    arranged.keep(&of(9, 4), 2, vec![4]);
    assert!(arranged.get(&of(9, 4), 1).is_none());
    assert!(!there(9, 3) && there(8, 3), "nor are the others of the same records");
    arranged.keep(&of(8, 0), 1, vec![0; super::arranged::OF_ONE]);
    assert!(there(8, 0) && !there(8, 3), "a long list takes the place of many short ones of its account");
}

#[test]
fn a_list_goes_by_its_indexes() {
    use crate::sqlite::plan::plan;
    let mut connection = Connection::open_in_memory().unwrap();
    crate::sqlite::open::migrate(&mut connection).unwrap();
    for sql in [
        "SELECT number FROM record WHERE account = ?1 AND kind = ?2 ORDER BY number DESC LIMIT ?3 OFFSET ?4",
        "SELECT record FROM facet WHERE account = ?1 AND field = ?2 ORDER BY value DESC, record DESC LIMIT ?3 OFFSET ?4",
        "SELECT value, record FROM unique_facet WHERE account = ?1 AND field = ?2 ORDER BY value, record",
        "SELECT l.record FROM facet l WHERE l.account = ?1 AND l.field = ?2 AND l.value = ?3",
    ] {
        let steps = plan(&connection, sql);
        assert!(steps.len() == 1 && steps[0].starts_with("SEARCH"), "{sql}: {steps:?}");
        let covered = steps[0].contains("COVERING INDEX") || steps[0].contains("USING PRIMARY KEY");
        assert!(covered, "{sql}: {steps:?}");
    }
}
