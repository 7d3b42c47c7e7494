//! Attributes that are sums over the records that refer to a record.

use didww_types::resources::{CapacityPool, Identity};
use didww_types::{FilterTest, Resource as _};
use rusqlite::Connection;
use serde_json::{Map, Value, json};
use trunk_store::{
    Accounts as _, Condition, Engine as _, IndexValue, ListQuery, Order, Records as _, Scope, SqliteStore,
    StoreError, Writes as _,
};
use uuid::Uuid;

use crate::support::records::{
    account, commit, did, dids, everything, found, id, insert, key, linked, members, replace,
};

fn pools(account: i64) -> Scope {
    Scope { account, spec: CapacityPool::SPEC }
}

fn pool(name: &str) -> Map<String, Value> {
    let default = |attribute: &didww_types::AttributeSpec| {
        (attribute.name.to_owned(), attribute.default.map_or(Value::Null, didww_types::DefaultValue::to_json))
    };
    let mut attributes: Map<String, Value> = CapacityPool::SPEC.attributes.iter().map(default).collect();
    attributes.insert("name".to_owned(), json!(name));
    attributes.insert("total_channels_count".to_owned(), json!(5));
    attributes
}

async fn assigned(store: &SqliteStore, scope: Scope, pool: Uuid) -> Value {
    found(store, scope, pool).await.attributes().unwrap()["assigned_channels_count"].clone()
}

/// Two pools, and two DIDs with 4 and 3 channels of the first one.
async fn filled(store: &SqliteStore) -> i64 {
    let owner = store.create_account(account(100, "one"), key(101, "secret")).await.unwrap().number;
    let channels = |count: i64| json!({ "dedicated_channels_count": count });
    let of = |number, count| {
        let attributes = did(&format!("3706149822{number}"), &channels(count));
        linked(dids(owner), id(number), attributes, vec![("capacity_pool", vec![id(1)])])
    };
    let made = vec![
        insert(pools(owner), id(1), pool("A")),
        insert(pools(owner), id(2), pool("B")),
        of(3, 4),
        of(4, 3),
    ];
    commit(store, made).await;
    owner
}

#[tokio::test]
async fn a_sum_follows_every_kind_of_write() {
    let store = SqliteStore::in_memory().unwrap();
    let owner = filled(&store).await;
    let (scope, numbers) = (pools(owner), dids(owner));
    assert_eq!(assigned(&store, scope, id(1)).await, 7);
    let first = found(&store, numbers, id(3)).await;
    let mut attributes = first.attributes().unwrap();
    attributes.insert("dedicated_channels_count".to_owned(), json!(10));
    commit(&store, vec![replace(numbers, first, attributes.clone())]).await;
    assert_eq!(assigned(&store, scope, id(1)).await, 13, "an amount changed");
    let first = found(&store, numbers, id(3)).await;
    let moved = trunk_store::Change::Replace {
        scope: numbers,
        before: first,
        attributes,
        links: vec![("capacity_pool", vec![id(2)])],
        meta: None,
    };
    commit(&store, vec![moved]).await;
    assert_eq!(
        (assigned(&store, scope, id(1)).await, assigned(&store, scope, id(2)).await),
        (json!(3), json!(10))
    );
    let second = found(&store, numbers, id(4)).await;
    commit(&store, vec![members(numbers, second, "capacity_pool", false, vec![id(1)])]).await;
    assert_eq!(assigned(&store, scope, id(1)).await, 0, "a link was removed");
    commit(&store, vec![trunk_store::Change::Delete { scope: numbers, id: id(3) }]).await;
    assert_eq!(assigned(&store, scope, id(2)).await, 0, "a record was deleted");
}

#[tokio::test]
async fn a_write_that_was_decided_on_an_older_sum_is_a_conflict() {
    let store = SqliteStore::in_memory().unwrap();
    let owner = filled(&store).await;
    let before = found(&store, pools(owner), id(1)).await;
    commit(&store, vec![trunk_store::Change::Delete { scope: dids(owner), id: id(3) }]).await;
    let lowered = replace(pools(owner), before, pool("A"));
    assert_eq!(store.commit(vec![lowered]).await.unwrap_err(), StoreError::Conflict);
}

#[tokio::test]
async fn lists_are_filtered_and_sorted_by_a_sum() {
    let store = SqliteStore::in_memory().unwrap();
    let owner = filled(&store).await;
    let by_sum = vec![Order { attribute: "assigned_channels_count", descending: true }];
    let list = store.list(ListQuery { order: by_sum, ..everything(pools(owner)) }).await.unwrap();
    assert_eq!(list.records.iter().map(|pool| pool.id).collect::<Vec<_>>(), [id(1), id(2)]);
    let free = FilterTest::Exceeds("total_channels_count", "assigned_channels_count");
    for (flag, expected) in [(1, id(2)), (0, id(1))] {
        let conditions = vec![Condition { test: free, values: vec![IndexValue::Integer(flag)] }];
        let list = store.list(ListQuery { conditions, ..everything(pools(owner)) }).await.unwrap();
        assert_eq!(list.records.iter().map(|pool| pool.id).collect::<Vec<_>>(), [expected]);
    }
}

#[tokio::test]
async fn a_sum_that_is_declared_anew_is_computed_when_the_database_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trunks.db");
    let store = SqliteStore::open(&path).unwrap();
    let owner = filled(&store).await;
    store.close().await.unwrap();
    drop(store);
    let connection = Connection::open(&path).unwrap();
    let forgotten = connection
        .execute_batch(
            "UPDATE record SET attributes = json_set(attributes, '$.assigned_channels_count', 0)
                 WHERE attributes ->> 'total_channels_count' = 5;
             DELETE FROM facet WHERE field = (SELECT number FROM symbol WHERE name = 'capacity_pools/assigned_channels_count');
             DELETE FROM indexed WHERE field = (SELECT number FROM symbol WHERE name = 'capacity_pools/assigned_channels_count');",
        );
    forgotten.unwrap();
    drop(connection);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(assigned(&store, pools(owner), id(1)).await, 7);
    let by_sum = vec![Order { attribute: "assigned_channels_count", descending: true }];
    let list = store.list(ListQuery { order: by_sum, ..everything(pools(owner)) }).await.unwrap();
    assert_eq!(list.records.iter().map(|pool| pool.id).collect::<Vec<_>>(), [id(1), id(2)]);
}

#[tokio::test]
async fn what_says_that_a_record_is_referred_to_follows_every_kind_of_write() {
    let store = SqliteStore::in_memory().unwrap();
    let owner = store.create_account(account(100, "one"), key(101, "secret")).await.unwrap().number;
    let (identities, numbers) = (Scope { account: owner, spec: Identity::SPEC }, dids(owner));
    let person = || {
        let default = |attribute: &didww_types::AttributeSpec| {
            let value = attribute.default.map_or(Value::Null, didww_types::DefaultValue::to_json);
            (attribute.name.to_owned(), value)
        };
        Identity::SPEC.attributes.iter().map(default).collect::<Map<String, Value>>()
    };
    let registered = |number: u128, digits: &str| {
        linked(numbers, id(number), did(digits, &json!({})), vec![("identity", vec![id(1)])])
    };
    let verified = async |identity: Uuid| {
        found(&store, identities, identity).await.attributes().unwrap()["verified"].clone()
    };
    commit(&store, vec![insert(identities, id(1), person()), insert(identities, id(2), person())]).await;
    assert_eq!(verified(id(1)).await, false);
    commit(&store, vec![registered(3, "37061498223"), registered(4, "37061498224")]).await;
    assert_eq!((verified(id(1)).await, verified(id(2)).await), (json!(true), json!(false)));
    let revision = found(&store, identities, id(1)).await.revision;
    commit(&store, vec![trunk_store::Change::Delete { scope: numbers, id: id(3) }]).await;
    assert_eq!(verified(id(1)).await, true, "another one refers to it");
    assert_eq!(found(&store, identities, id(1)).await.revision, revision, "nothing changed");
    let second = found(&store, numbers, id(4)).await;
    let moved = trunk_store::Change::Replace {
        scope: numbers,
        attributes: second.attributes().unwrap(),
        before: second,
        links: vec![("identity", vec![id(2)])],
        meta: None,
    };
    commit(&store, vec![moved]).await;
    assert_eq!((verified(id(1)).await, verified(id(2)).await), (json!(false), json!(true)));
    let by_it = vec![Order { attribute: "verified", descending: true }];
    let list = store.list(ListQuery { order: by_it, ..everything(identities) }).await.unwrap();
    assert_eq!(list.records.iter().map(|identity| identity.id).collect::<Vec<_>>(), [id(2), id(1)]);
    let second = found(&store, numbers, id(4)).await;
    commit(&store, vec![members(numbers, second, "identity", false, vec![id(2)])]).await;
    assert_eq!(verified(id(2)).await, false, "the link was removed");
}
