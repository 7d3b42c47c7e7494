//! Lists: filters, orders, pages.

use didww_types::FilterTest;
use serde_json::json;
use trunk_store::{Condition, IndexValue, ListQuery, Order, Scope, Store};
use uuid::Uuid;

use crate::support::records::{commit, did, dids, everything, id, insert, linked, trunk, trunks};

use super::{any, equals, value};

pub(super) async fn every_filter_finds_what_it_should(store: &impl Store) {
    commit(store, vec![insert(dids(1), id(90), did("90", &json!({})))]).await;
    let of = |n: u128, name: &str, reference: &str, status: &str| {
        let reference = if reference == "null" { json!(null) } else { json!(reference) };
        let attributes = trunk(name, &json!({ "external_reference_id": reference, "status": status }));
        let links = if n == 2 { vec![("default_did", vec![id(90)])] } else { Vec::new() };
        linked(trunks(1), id(n), attributes, links)
    };
    let all = vec![
        of(1, "Alpha", "null", "active"),
        of(2, "Beta", "ref", "blocked"),
        of(3, "alphabet", "", "active"),
        of(4, "100%_off", "REF", "blocked"),
    ];
    commit(store, all).await;
    commit(store, vec![insert(trunks(2), id(5), trunk("Alpha", &json!({})))]).await;

    let contains = |text: &str| Condition { test: FilterTest::Contains("name"), values: vec![value(text)] };
    let with_id = |values: &[u128]| Condition {
        test: FilterTest::Id,
        values: values.iter().map(|n| value(&id(*n).to_string())).collect(),
    };
    let default_did = |values: Vec<IndexValue>| Condition { test: FilterTest::Linked("default_did"), values };
    let null = || IndexValue::Null;
    let did = || value(&id(90).to_string());
    let cases = [
        ("equals", vec![equals("name", "Beta")], vec![2]),
        ("equals is exact", vec![equals("name", "beta")], vec![]),
        ("any of several", vec![any("name", &["Beta", "Alpha", "none"])], vec![1, 2]),
        ("a dotted path", vec![equals("authentication_method.type", "credentials_and_ip")], vec![1, 2, 3, 4]),
        ("no path like it", vec![equals("authentication_method.type", "ip_only")], vec![]),
        ("both conditions", vec![equals("status", "active"), contains("pha")], vec![1, 3]),
        (
            "conditions that exclude each other",
            vec![equals("name", "Beta"), equals("status", "active")],
            vec![],
        ),
        ("the same attribute twice", vec![equals("name", "Beta"), equals("name", "Alpha")], vec![]),
        ("contains", vec![contains("lpha")], vec![1, 3]),
        ("contains is no pattern", vec![contains("0%_o")], vec![4]),
        ("contains is no pattern at all", vec![contains("%")], vec![4]),
        (
            "contains nothing",
            vec![Condition { test: FilterTest::Contains("name"), values: vec![null()] }],
            vec![],
        ),
        (
            "blank in a text search",
            vec![Condition { test: FilterTest::Contains("external_reference_id"), values: vec![null()] }],
            vec![1, 3],
        ),
        (
            "blank in a text search beside another condition",
            vec![
                equals("name", "Alpha"),
                Condition { test: FilterTest::Contains("external_reference_id"), values: vec![null()] },
            ],
            vec![1],
        ),
        (
            "blank",
            vec![Condition { test: FilterTest::Equals("external_reference_id"), values: vec![null()] }],
            vec![1, 3],
        ),
        ("an id", vec![with_id(&[2])], vec![2]),
        ("ids, one of them another account's", vec![with_id(&[4, 5, 2])], vec![2, 4]),
        ("an id that is none", vec![Condition { test: FilterTest::Id, values: vec![value("x")] }], vec![]),
        ("linked", vec![default_did(vec![did()])], vec![2]),
        ("linked to nothing", vec![default_did(vec![null()])], vec![1, 3, 4]),
        ("linked or not", vec![default_did(vec![did(), null()])], vec![1, 2, 3, 4]),
        ("linked to another record", vec![default_did(vec![value(&id(3).to_string())])], vec![]),
        ("linked, and more", vec![default_did(vec![null()]), equals("status", "blocked")], vec![4]),
        ("no value of an attribute", vec![any("name", &[])], vec![]),
        (
            "no value of a text",
            vec![Condition { test: FilterTest::Contains("name"), values: vec![] }],
            vec![],
        ),
        ("no id", vec![with_id(&[])], vec![]),
        ("no link", vec![default_did(vec![])], vec![]),
    ];
    for (what, conditions, expected) in cases {
        let listing = store.list(ListQuery { conditions, ..everything(trunks(1)) }).await.unwrap();
        let ids: Vec<Uuid> = listing.records.iter().map(|record| record.id).collect();
        assert_eq!(ids, expected.iter().map(|n| id(*n)).collect::<Vec<_>>(), "{what}");
        assert_eq!(listing.total, expected.len() as u64, "{what}");
    }
}

pub(super) async fn lists_are_sorted_with_ties_by_creation_and_null_last(store: &impl Store) {
    let of = |n: u128, description: &str, number: &str, blocked: bool| {
        let description = if description == "null" { json!(null) } else { json!(description) };
        insert(dids(1), id(n), did(number, &json!({ "description": description, "blocked": blocked })))
    };
    let all = vec![
        of(1, "b", "5", false),
        of(2, "null", "4", true),
        of(3, "a", "3", false),
        of(4, "", "2", true),
        of(5, "b", "1", true),
    ];
    commit(store, all).await;
    let by = |attribute: &'static str, descending: bool| Order { attribute, descending };
    let cases = [
        (vec![], vec![1, 2, 3, 4, 5]),
        (vec![by("created_at", false)], vec![1, 2, 3, 4, 5]),
        (vec![by("created_at", true)], vec![5, 4, 3, 2, 1]),
        (vec![by("number", false)], vec![5, 4, 3, 2, 1]),
        (vec![by("number", true)], vec![1, 2, 3, 4, 5]),
        (vec![by("description", false)], vec![3, 1, 5, 2, 4]),
        (vec![by("description", true)], vec![4, 2, 5, 1, 3]),
        (vec![by("blocked", false)], vec![1, 3, 2, 4, 5]),
        (vec![by("blocked", true)], vec![5, 4, 2, 3, 1]),
        (vec![by("blocked", true), by("number", false)], vec![5, 4, 2, 3, 1]),
        (vec![by("blocked", false), by("description", false)], vec![3, 1, 5, 2, 4]),
        (vec![by("blocked", false), by("description", true)], vec![1, 3, 4, 2, 5]),
        (vec![by("blocked", false), by("created_at", true)], vec![3, 1, 5, 4, 2]),
    ];
    // With a condition that all records satisfy, another query plan leads to the same list.
    let all_of_them =
        Condition { test: FilterTest::Equals("terminated"), values: vec![IndexValue::Integer(0)] };
    let ids = (1..=5).map(|n| value(&id(n).to_string())).collect();
    let by_id = Condition { test: FilterTest::Id, values: ids };
    for (order, expected) in cases {
        for conditions in [vec![], vec![all_of_them.clone()], vec![by_id.clone()]] {
            let query = ListQuery { order: order.clone(), conditions, ..everything(dids(1)) };
            let listing = store.list(query.clone()).await.unwrap();
            let ids: Vec<Uuid> = listing.records.iter().map(|record| record.id).collect();
            assert_eq!(ids, expected.iter().map(|n| id(*n)).collect::<Vec<_>>(), "{query:?}");
        }
    }
}

pub(super) async fn filtered_lists_are_sorted_by_amounts_and_instants_and_not_by_their_texts(
    store: &impl Store,
) {
    let cases = [
        ("orders", "amount", ["100.0", "20.0", "3.5"], [3, 2, 1]),
        (
            "did_reservations",
            "expires_at",
            ["2026-04-08T06:57:33.304Z", "2026-04-08T06:57:33Z", "2026-04-08T06:57:34Z"],
            [2, 1, 3],
        ),
    ];
    for (first, (kind, attribute, values, expected)) in [10, 20].into_iter().zip(cases) {
        let scope = Scope { account: 1, spec: didww_types::find(kind).unwrap() };
        let inserts = (first + 1..).zip(values).map(|(n, value)| {
            let attributes = json!({ attribute: value }).as_object().unwrap().clone();
            insert(scope, id(n), attributes)
        });
        commit(store, inserts.collect()).await;
        let ids = (1..=3).map(|n| value(&id(first + n).to_string())).collect();
        let by_id = Condition { test: FilterTest::Id, values: ids };
        for conditions in [vec![], vec![by_id]] {
            let order = vec![Order { attribute, descending: false }];
            let query = ListQuery { order, conditions, ..everything(scope) };
            let listing = store.list(query.clone()).await.unwrap();
            let ids: Vec<Uuid> = listing.records.iter().map(|record| record.id).collect();
            assert_eq!(ids, expected.map(|n| id(first + n)), "{query:?}");
        }
    }
}

pub(super) async fn every_page_is_a_section_of_the_whole_list(store: &impl Store) {
    const ALL: u64 = 23;
    let inserts = (1..=u128::from(ALL)).map(|n| {
        let differences = json!({ "description": format!("{}", n % 4), "blocked": n % 3 == 0 });
        insert(dids(1), id(n), did(&format!("{:02}", n * 7 % 23), &differences))
    });
    commit(store, inserts.collect()).await;
    let orders: [&[(&'static str, bool)]; 6] = [
        &[],
        &[("number", true)],
        &[("description", false)],
        &[("description", true)],
        &[("blocked", false), ("number", true)],
        &[("created_at", true)],
    ];
    let blocked =
        |flag| Condition { test: FilterTest::Equals("blocked"), values: vec![IndexValue::Integer(flag)] };
    for order in orders {
        let order: Vec<Order> = order
            .iter()
            .map(|(attribute, descending)| Order { attribute, descending: *descending })
            .collect();
        for conditions in [vec![], vec![blocked(0)], vec![blocked(1)]] {
            let query = ListQuery { order: order.clone(), conditions, ..everything(dids(1)) };
            let whole = store.list(query.clone()).await.unwrap();
            for offset in [0, 1, 2, 5, 7, 8, 11, 12, 15, 16, 20, 22, 23, 24, 1_000, u64::MAX] {
                for limit in [0, 1, 3, 10, 1_000] {
                    let page = store.list(ListQuery { offset, limit, ..query.clone() }).await.unwrap();
                    let from = usize::try_from(offset.min(whole.total)).unwrap();
                    let to = usize::try_from(offset.saturating_add(limit).min(whole.total)).unwrap();
                    assert_eq!(page.records, whole.records[from..to], "{offset} {limit} {query:?}");
                    assert_eq!(page.total, whole.total);
                }
            }
        }
    }
}

pub(super) async fn no_list_of_before_a_reset_is_returned_after_it(store: &impl Store) {
    let query = || ListQuery {
        conditions: vec![Condition { test: FilterTest::Contains("name"), values: vec![value("a")] }],
        ..everything(trunks(1))
    };
    // As many changes as before, which would be the same number if it began again.
    for names in [["a", "ab"], ["b", "a"]] {
        store.reset(None, true).await.unwrap();
        for (n, name) in names.into_iter().enumerate() {
            commit(store, vec![insert(trunks(1), id(n as u128 + 1), trunk(name, &json!({})))]).await;
        }
        let with_a = names.iter().filter(|name| name.contains('a')).count();
        let listing = store.list(query()).await.unwrap();
        assert_eq!((listing.records.len(), listing.total), (with_a, with_a as u64));
    }
}

pub(super) async fn a_list_can_be_what_a_record_is_linked_to(store: &impl Store) {
    let inserts = (1..=4).map(|n| insert(dids(1), id(n), did(&(9 - n).to_string(), &json!({}))));
    commit(store, inserts.collect()).await;
    let links = vec![("dids", vec![id(4), id(2), id(1)]), ("default_did", vec![id(3)])];
    let owner = commit(store, vec![linked(trunks(1), id(9), trunk("a", &json!({})), links)]).await.remove(0);
    let from = |relationship| ListQuery {
        linked_from: Some(("voice_out_trunks", owner.number, relationship)),
        ..everything(dids(1))
    };
    let ids = async |query: ListQuery| {
        let listing = store.list(query).await.unwrap();
        let ids: Vec<Uuid> = listing.records.iter().map(|record| record.id).collect();
        (ids, listing.total)
    };
    assert_eq!(ids(from("dids")).await, (vec![id(1), id(2), id(4)], 3));
    assert_eq!(ids(from("default_did")).await, (vec![id(3)], 1));
    assert_eq!(ids(from("emergency_dids")).await, (vec![], 0));
    let order = vec![Order { attribute: "number", descending: false }];
    assert_eq!(ids(ListQuery { order, ..from("dids") }).await, (vec![id(4), id(2), id(1)], 3));
    let one = ListQuery { conditions: vec![equals("number", "7")], ..from("dids") };
    assert_eq!(ids(one).await, (vec![id(2)], 1));
    assert_eq!(ids(ListQuery { offset: 2, limit: 1, ..from("dids") }).await, (vec![id(4)], 3));
}

pub(super) async fn a_page_matches_its_total_during_concurrent_writes(store: &impl Store) {
    let write = async {
        for n in 0..400_u128 {
            commit(store, vec![insert(dids(1), id(1_000 + n), did(&n.to_string(), &json!({})))]).await;
            tokio::task::yield_now().await;
        }
    };
    let read = async {
        loop {
            let total = store.list(ListQuery { limit: 0, ..everything(dids(1)) }).await.unwrap().total;
            let offset = total / 2 + 1;
            let page = store.list(ListQuery { offset, ..everything(dids(1)) }).await.unwrap();
            assert_eq!(page.records.len() as u64, page.total.saturating_sub(offset));
            if let Some(first) = page.records.first() {
                assert_eq!(
                    first.id,
                    id(1_000 + u128::from(offset)),
                    "the record at {offset} of {}",
                    page.total
                );
            }
            if total == 400 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(write, read);
}
