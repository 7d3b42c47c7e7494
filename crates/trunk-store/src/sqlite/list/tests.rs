//! Compares pages with the whole list, on every way in which a page is found. The bounds are small in tests, so that a
//! few records reach every way.

mod shared;

use didww_types::resources::{CapacityPool, Did};
use didww_types::{FilterTest, Resource as _, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::*;
use crate::{Change, Condition, IndexValue, Order, Records as _, SqliteStore, StoreLimits, Writes as _};

fn dids(account: i64) -> Scope {
    Scope { account, spec: Did::SPEC }
}

fn defaults(spec: &'static didww_types::ResourceSpec) -> Map<String, Value> {
    let default = |attribute: &didww_types::AttributeSpec| {
        (attribute.name.to_owned(), attribute.default.map_or(Value::Null, didww_types::DefaultValue::to_json))
    };
    spec.attributes.iter().map(default).collect()
}

fn did(n: u8) -> Map<String, Value> {
    let mut attributes = defaults(Did::SPEC);
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
        // A number is unique among all accounts.
        attributes.insert("number".to_owned(), json!(format!("{account}-{n}")));
    }
    Change::Insert { scope: dids(account), id, created_at, attributes, links: Vec::new(), meta: None }
}

fn query(order: Vec<Order>, conditions: Vec<Condition>) -> ListQuery {
    ListQuery { scope: dids(1), linked_from: None, conditions, order, offset: 0, limit: 1_000 }
}

#[derive(Debug, Clone)]
enum Operation {
    Insert(u8),
    Delete(usize),
    Replace(usize, u8),
    Pages(Vec<Order>, Vec<Condition>, u64),
}

fn operations() -> impl Strategy<Value = Operation> {
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
        6 => any::<u8>().prop_map(Operation::Insert),
        1 => any::<usize>().prop_map(Operation::Delete),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(index, n)| Operation::Replace(index, n)),
        3 => (
            proptest::collection::vec(order, 0..4),
            proptest::collection::vec(condition, 0..3),
            1_u64..8
        )
            .prop_map(|(order, conditions, limit)| Operation::Pages(order, conditions, limit)),
    ]
}

/// The numbers of the matching records in the expected order: by their values, and then by their numbers.
fn expected(mut records: Vec<Record>, query: &ListQuery) -> Vec<i64> {
    let value = |record: &Record, attribute: &str| {
        if attribute == "created_at" {
            // The same computation as in `insert`.
            return IndexValue::Integer(i64::from((record.id.as_u128() & 0xff) as u8 % 7));
        }
        let kind = Did::SPEC.attribute(attribute).unwrap().kind;
        IndexValue::of(kind, &record.attributes().unwrap()[attribute])
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
    fn every_page_is_a_section_of_the_current_list(operations in proptest::collection::vec(operations(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = SqliteStore::in_memory().unwrap();
        let all = || runtime.block_on(store.list(query(Vec::new(), Vec::new()))).unwrap().records;
        for operation in operations {
            match operation {
                // The insert fails if the number is taken, which this test ignores.
                Operation::Insert(n) => {
                    drop(runtime.block_on(store.commit(vec![insert(1, n)])));
                    drop(runtime.block_on(store.commit(vec![insert(2, n)])));
                }
                Operation::Delete(index) => {
                    let records = all();
                    let Some(record) = records.get(index % records.len().max(1)) else { continue };
                    let change = Change::Delete { scope: dids(1), id: record.id };
                    runtime.block_on(store.commit(vec![change])).unwrap();
                }
                Operation::Replace(index, n) => {
                    let mut records = all();
                    if records.is_empty() { continue }
                    let before = records.swap_remove(index % records.len());
                    let mut attributes = did(n);
                    attributes.insert("number".to_owned(), before.attributes().unwrap()["number"].clone());
                    let change = Change::Replace { scope: dids(1), before, attributes, links: Vec::new(), meta: None };
                    runtime.block_on(store.commit(vec![change])).unwrap();
                }
                Operation::Pages(order, conditions, limit) => {
                    let query = query(order, conditions);
                    let expected = expected(all(), &query);
                    let mut offset = 0;
                    while offset <= expected.len() as u64 + limit {
                        let page = runtime.block_on(store.list(ListQuery { offset, limit, ..query.clone() })).unwrap();
                        let numbers: Vec<i64> = page.records.iter().map(|record| record.number).collect();
                        let index = |n: u64| usize::try_from(n).unwrap().min(expected.len());
                        prop_assert_eq!(&numbers[..], &expected[index(offset)..index(offset + limit)], "{:?} from {}", &query, offset);
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
    let length = crate::canonical::canonical_text(Did::SPEC, &one).len();
    let limits = StoreLimits { page_bytes: length * 5 / 2, ..StoreLimits::default() };
    let store = SqliteStore::in_memory_with(limits).unwrap();
    store.commit((0..3).map(|n| insert(1, n)).collect()).await.unwrap();
    let page = |limit| store.list(ListQuery { limit, ..query(Vec::new(), Vec::new()) });
    assert_eq!(page(2).await.unwrap().records.len(), 2);
    assert!(matches!(page(3).await, Err(StoreError::TooLarge(_))));
    let ids = store.list_ids(query(Vec::new(), Vec::new())).await.unwrap();
    assert_eq!(ids.len(), 3, "ids are not counted");
}

#[test]
fn an_account_that_keeps_too_many_lists_loses_its_own() {
    let cache = ListCache::default();
    let of = |account, n: i64| {
        let condition =
            Condition { test: FilterTest::Equals("blocked"), values: vec![IndexValue::Integer(n)] };
        ListQuery { scope: dids(account), ..query(Vec::new(), vec![condition]) }
    };
    let is_cached = |account, n| cache.get(&of(account, n), 1, 0).is_some();
    cache.insert(&of(1, 0), 1, 0, vec![1, 2, 3]);
    for n in 0..1_000 {
        cache.insert(&of(2, n), 1, 0, vec![n; 3]);
    }
    assert!(is_cached(1, 0) && is_cached(2, 999) && is_cached(2, 940) && !is_cached(2, 0));
    for account in 3..10 {
        for n in 0..64 {
            cache.insert(&of(account, n), 1, 0, vec![n; 3]);
        }
    }
    assert!(!is_cached(1, 0), "the least recently used list is evicted if there are too many in total");
    assert!(cache.get(&of(9, 3), 2, 0).is_none(), "after a change a list is invalid");
    cache.insert(&of(9, 4), 2, 0, vec![4]);
    assert!(cache.get(&of(9, 4), 1, 0).is_none());
    assert!(!is_cached(9, 3) && is_cached(8, 3), "and so are the other lists of the same records");
    cache.insert(&of(8, 0), 1, 0, vec![0; crate::list_cache::MAX_NUMBERS_PER_ACCOUNT]);
    assert!(is_cached(8, 0) && !is_cached(8, 3), "a long list evicts many short ones of its account");
}

#[test]
fn lists_use_covering_indexes() {
    use crate::sqlite::plan::plan;
    let mut connection = Connection::open_in_memory().unwrap();
    crate::sqlite::open::migrate(&mut connection).unwrap().commit().unwrap();
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

/// Returns the statement for DIDs that match these conditions.
fn statement(connection: &mut Connection, conditions: Vec<Condition>) -> String {
    crate::sqlite::open::migrate(connection).unwrap().commit().unwrap();
    let symbols = crate::sqlite::symbols::intern(connection, didww_types::REGISTRY).unwrap();
    super::matching::statement(&symbols, &query(Vec::new(), conditions)).0
}

fn in_pools(values: &[IndexValue]) -> Condition {
    Condition { test: FilterTest::Linked("capacity_pool"), values: values.to_vec() }
}

fn id_text(n: u128) -> IndexValue {
    IndexValue::Text(Uuid::from_u128(n).to_string())
}

#[test]
fn the_owners_of_linked_records_are_found_from_the_linked_records() {
    use crate::sqlite::plan::{assert_seeks, plan};
    let related = Condition {
        test: FilterTest::Related("capacity_pool.name"),
        values: vec![IndexValue::Text("Standard".to_owned())],
    };
    let blocked = Condition { test: FilterTest::Equals("blocked"), values: vec![IndexValue::Integer(0)] };
    for conditions in [
        vec![in_pools(&[id_text(1)])],
        vec![in_pools(&[id_text(1), id_text(2)])],
        vec![in_pools(&[id_text(1)]), blocked],
        vec![related],
    ] {
        let mut connection = Connection::open_in_memory().unwrap();
        let sql = statement(&mut connection, conditions);
        assert_seeks(&connection, &sql, "link_target");
        let steps = plan(&connection, &sql);
        let reads_all = steps.iter().any(|step| step.contains("record_list") || step.contains("CORRELATED"));
        assert!(!reads_all, "{sql}: {steps:?}");
    }
}

#[test]
fn records_with_many_ids_are_found_by_their_ids() {
    let named = Condition { test: FilterTest::Id, values: (1..=100).map(id_text).collect() };
    let mut connection = Connection::open_in_memory().unwrap();
    let sql = statement(&mut connection, vec![named]);
    crate::sqlite::plan::assert_seeks(&connection, &sql, "(id=?)");
}

#[test]
fn a_path_to_records_that_all_accounts_share_is_followed_from_the_accounts_own_records() {
    use crate::sqlite::plan::plan;
    let group = Condition { test: FilterTest::Linked("did_group"), values: vec![id_text(1)] };
    let features = Condition {
        test: FilterTest::Related("did_group.features"),
        values: vec![IndexValue::Text("voice_out".to_owned())],
    };
    for condition in [group, features] {
        let mut connection = Connection::open_in_memory().unwrap();
        let sql = statement(&mut connection, vec![condition]);
        let steps = plan(&connection, &sql);
        let reads = |index: &str| steps.iter().any(|step| step.contains(index));
        assert!(reads("record_list") && !reads("link_target"), "{sql}: {steps:?}");
    }
}

#[tokio::test]
async fn a_page_has_the_number_of_changes_if_it_depends_on_the_records_of_its_type_alone() {
    let store = SqliteStore::in_memory().unwrap();
    let changes = async || store.changes(dids(1)).await.unwrap();
    let of_page = async |conditions| store.list(query(Vec::new(), conditions)).await.unwrap().changes;
    assert_eq!((changes().await, of_page(Vec::new()).await), (Some(0), Some(0)));
    let mut seen = vec![Some(0)];
    let mut is_new = async || {
        let now = changes().await;
        let is_new = !seen.contains(&now);
        seen.push(now);
        is_new && of_page(Vec::new()).await == now
    };
    let mut records = store.commit(vec![insert(1, 1)]).await.unwrap();
    assert!(is_new().await, "an insertion");
    let before = records.remove(0);
    let id = before.id;
    let replace =
        Change::Replace { scope: dids(1), before, attributes: did(2), links: Vec::new(), meta: None };
    store.commit(vec![replace]).await.unwrap();
    assert!(is_new().await, "a change");
    store.commit(vec![insert(2, 3)]).await.unwrap();
    assert!(!is_new().await, "one of another account");
    store.commit(vec![Change::Delete { scope: dids(1), id }]).await.unwrap();
    assert!(is_new().await, "a deletion");
    store.reset(None, false).await.unwrap();
    assert!(is_new().await, "the deletion of everything");
    assert_eq!(of_page(vec![in_pools(&[id_text(1)])]).await, None, "it depends on records of other types");
    let blocked = Condition { test: FilterTest::Equals("blocked"), values: vec![IndexValue::Integer(1)] };
    assert_eq!(of_page(vec![blocked]).await, changes().await);
}

/// A store in which no long read runs.
fn without_long_reads() -> SqliteStore {
    let limits = StoreLimits { running: 0, waiting: 0, waiting_per_asker: 0, ..StoreLimits::default() };
    SqliteStore::in_memory_with(limits).unwrap()
}

#[tokio::test]
async fn a_first_page_of_small_records_waits_for_no_long_read() {
    let store = without_long_reads();
    store.commit((0..200).map(|n| insert(1, n)).collect()).await.unwrap();
    let by_number = || vec![Order { attribute: "number", descending: true }];
    let page = |offset, limit, order, conditions| {
        store.list(ListQuery { offset, limit, ..query(order, conditions) })
    };
    for (offset, limit) in [(0, 100), (50, 50), (99, 1)] {
        for order in [Vec::new(), by_number()] {
            let listing = page(offset, limit, order, Vec::new()).await.unwrap();
            assert_eq!((listing.records.len() as u64, listing.total), (limit, 200));
        }
    }
    let blocked = |flags: &[i64]| Condition {
        test: FilterTest::Equals("blocked"),
        values: flags.iter().map(|flag| IndexValue::Integer(*flag)).collect(),
    };
    let newest_first = || vec![Order { attribute: "created_at", descending: true }];
    for order in [Vec::new(), newest_first()] {
        for (offset, records) in [(0, 50), (50, 17), (100, 0)] {
            let listing = page(offset, 50, order.clone(), vec![blocked(&[1])]).await.unwrap();
            assert_eq!((listing.records.len(), listing.total), (records, 67), "a third of all");
            let in_order = |pair: &[Record]| (pair[0].number < pair[1].number) == order.is_empty();
            assert!(listing.records.windows(2).all(in_order));
        }
    }
    let two = [by_number(), vec![Order { attribute: "blocked", descending: false }]].concat();
    for (offset, limit, order, conditions) in [
        (0, 101, Vec::new(), Vec::new()),
        (51, 50, Vec::new(), Vec::new()),
        (u64::MAX, 1, Vec::new(), Vec::new()),
        (0, 1, two, Vec::new()),
        (0, 1, Vec::new(), vec![blocked(&[0])]),
        (0, 1, Vec::new(), vec![blocked(&[2; 17])]),
        (0, 1, by_number(), vec![blocked(&[1])]),
        (0, 1, Vec::new(), vec![blocked(&[1]), blocked(&[1])]),
    ] {
        let refused = page(offset, limit, order, conditions).await.unwrap_err();
        assert_eq!(refused, StoreError::Crowded, "{offset} {limit}");
    }
}

#[tokio::test]
async fn up_to_a_hundred_members_are_read_without_a_long_read() {
    let pools = Scope { account: 1, spec: CapacityPool::SPEC };
    let pool = |n: u128, name: &str| {
        let mut attributes = defaults(CapacityPool::SPEC);
        attributes.insert("name".to_owned(), json!(name));
        let created_at = Timestamp::from_unix_millis(0);
        let id = Uuid::from_u128(n);
        Change::Insert { scope: pools, id, created_at, attributes, links: Vec::new(), meta: None }
    };
    let with_pool = |n: u8, pool: u128| match insert(1, n) {
        Change::Insert { scope, id, created_at, attributes, meta, .. } => {
            let links = vec![("capacity_pool", vec![Uuid::from_u128(pool)])];
            Change::Insert { scope, id, created_at, attributes, links, meta }
        }
        other => other,
    };
    let store = without_long_reads();
    store.commit(vec![pool(1, "a"), pool(2, "b")]).await.unwrap();
    let records = store.commit((0..101).rev().map(|n| with_pool(n, 1)).collect()).await.unwrap();
    let numbers: Vec<i64> = records.iter().map(|record| record.number).collect();
    let members = |of: &[i64], most| store.members(dids(1), of.to_vec(), "capacity_pool", most);
    let found = members(&numbers[..100], usize::MAX).await.unwrap();
    let expected: Vec<_> =
        numbers[..100].iter().map(|n| (*n, "capacity_pools".to_owned(), Uuid::from_u128(1))).collect();
    assert_eq!(found, expected);
    assert!(members(&[], 1).await.unwrap().is_empty());
    for (of, most) in [(&numbers[..], usize::MAX), (&numbers[..2], 1)] {
        assert_eq!(members(of, most).await.unwrap_err(), StoreError::Crowded);
    }
}

#[tokio::test]
async fn a_first_page_of_large_records_is_a_long_read() {
    let large = |n| {
        let Change::Insert { scope, id, created_at, mut attributes, links, meta } = insert(1, n) else {
            unreachable!("an insert")
        };
        // Not declared, and so in no index.
        attributes.insert("note".to_owned(), json!("x".repeat(100 * 1024)));
        Change::Insert { scope, id, created_at, attributes, links, meta }
    };
    let store = without_long_reads();
    store.commit((0..3).map(large).collect()).await.unwrap();
    let first = |limit| ListQuery { limit, ..query(Vec::new(), Vec::new()) };
    assert_eq!(store.list(first(2)).await.unwrap().records.len(), 2);
    assert_eq!(store.list(first(3)).await.unwrap_err(), StoreError::Crowded);
    let ids = |numbers: [u8; 3]| numbers.map(|n| Uuid::from_u128(1 << 64 | u128::from(n))).to_vec();
    assert_eq!(store.find_all(dids(1), ids([0, 1, 1])).await.unwrap_err(), StoreError::Crowded);
    assert_eq!(store.find_all(dids(1), ids([0, 1, 9])).await.unwrap().len(), 2);
    let store = SqliteStore::in_memory().unwrap();
    store.commit((0..3).map(large).collect()).await.unwrap();
    assert_eq!(store.list(first(3)).await.unwrap().records.len(), 3);
}
