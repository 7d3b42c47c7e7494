//! Databases that a server with other declarations wrote: every record is in every list, whatever was declared since.

use std::path::Path;

use didww_types::{FilterTest, Resource as _, resources::Did};
use rusqlite::{Connection, params};
use serde_json::json;
use trunk_store::{
    Accounts as _, Change, Condition, Engine as _, IndexValue, ListQuery, OpenError, Order, Records as _,
    SqliteStore,
};

use crate::support::records::{account, commit, did, dids, everything, id, insert, key, trunk, trunks};

/// Number of DIDs: more than one batch of indexing.
const DIDS: u32 = 2_500;

/// Creates a database with an account and DIDs with numbers of which every text order is unlike the order of creation.
async fn database(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    let owner = store.create_account(account(1, "one"), key(2, "secret")).await.unwrap().number;
    let scope = dids(owner);
    let changes = (0..DIDS).map(|n| {
        let number = format!("{:05}", (n * 7_919) % 100_000);
        insert(scope, id(100 + u128::from(n)), did(&number, &json!({ "blocked": n % 3 == 0 })))
    });
    commit(&store, changes.collect()).await;
    store.close().await.unwrap();
}

/// Takes the index entries of an attribute away, as if it had never been declared.
fn undeclare(path: &Path, attribute: &str) {
    let connection = Connection::open(path).unwrap();
    let field: i64 = connection
        .query_row("SELECT number FROM symbol WHERE name = ?1", params![format!("dids/{attribute}")], |row| {
            row.get(0)
        })
        .unwrap();
    assert!(connection.execute("DELETE FROM facet WHERE field = ?1", params![field]).unwrap() > 0);
    assert_eq!(connection.execute("DELETE FROM indexed WHERE field = ?1", params![field]).unwrap(), 1);
}

fn sorted(query: ListQuery, attribute: &'static str) -> ListQuery {
    ListQuery { order: vec![Order { attribute, descending: false }], limit: 10_000, ..query }
}

async fn assert_complete(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    let owner = store.accounts().await.unwrap()[0].number;
    let list = store.list(sorted(everything(dids(owner)), "number")).await.unwrap();
    let numbers: Vec<String> = list
        .records
        .iter()
        .map(|record| record.attributes().unwrap()["number"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((numbers.len(), list.total), (DIDS as usize, u64::from(DIDS)));
    assert!(numbers.is_sorted());
    let blocked = Condition { test: FilterTest::Equals("blocked"), values: vec![IndexValue::Integer(1)] };
    let query = ListQuery { conditions: vec![blocked], limit: 10_000, ..everything(dids(owner)) };
    let list = store.list(query).await.unwrap();
    assert_eq!((list.records.len(), list.total), (DIDS.div_ceil(3) as usize, u64::from(DIDS.div_ceil(3))));
    store.close().await.unwrap();
}

#[tokio::test]
async fn records_that_are_older_than_a_sort_or_filter_mark_are_in_its_lists() {
    assert!(Did::SPEC.attribute("number").unwrap().sort);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trunks.db");
    database(&path).await;
    for attribute in ["number", "blocked"] {
        undeclare(&path, attribute);
    }
    assert_complete(&path).await;
}

#[tokio::test]
async fn indexing_that_was_cut_off_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trunks.db");
    database(&path).await;
    undeclare(&path, "number");
    // As a process leaves it that ended after the first batches. The entry of the last visited record is a mark, which
    // is greater than every number: building from the first record would add the record's number beside it.
    let connection = Connection::open(&path).unwrap();
    let (field, middle): (i64, i64) = connection
        .query_row(
            "SELECT s.number, (SELECT min(number) + 999 FROM record) FROM symbol s WHERE s.name = 'dids/number'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    connection
        .execute_batch(&format!(
            "INSERT INTO indexed (field, form, after) VALUES ({field}, 'plain', {middle});
             INSERT INTO facet (account, field, value, record)
                 SELECT account, {field}, attributes ->> 'number', number FROM record WHERE number < {middle};
             INSERT INTO facet (account, field, value, record)
                 SELECT account, {field}, 'mark', number FROM record WHERE number = {middle};"
        ))
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(&path).unwrap();
    store.close().await.unwrap();
    drop(store);
    let connection = Connection::open(&path).unwrap();
    let entries = |number: i64| -> Vec<String> {
        connection
            .prepare("SELECT value FROM facet WHERE field = ?1 AND record = ?2")
            .unwrap()
            .query_map(params![field, number], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    };
    assert_eq!(entries(middle), ["mark"], "building began before the noted record");
    let number = |record: i64| -> String {
        connection
            .query_row("SELECT attributes ->> 'number' FROM record WHERE number = ?1", [record], |row| {
                row.get(0)
            })
            .unwrap()
    };
    assert_eq!(entries(middle + 1), [number(middle + 1)], "building left out a record");
    connection
        .execute(
            "UPDATE facet SET value = ?3 WHERE field = ?1 AND record = ?2",
            params![field, middle, number(middle)],
        )
        .unwrap();
    drop(connection);
    assert_complete(&path).await;
}

#[tokio::test]
async fn an_index_of_another_form_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trunks.db");
    database(&path).await;
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "UPDATE indexed SET form = 'time' WHERE field = (SELECT number FROM symbol WHERE name = 'dids/number');
             UPDATE facet SET value = 'nonsense' || record
                 WHERE field = (SELECT number FROM symbol WHERE name = 'dids/number');",
        )
        .unwrap();
    drop(connection);
    assert_complete(&path).await;
}

/// Creates a database with three trunks, of which two have a name that became unique since.
async fn with_duplicates(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    let owner = store.create_account(account(1, "one"), key(2, "secret")).await.unwrap().number;
    let scope = trunks(owner);
    let of = |number: u128, name: &str| insert(scope, id(number), trunk(name, &json!({})));
    commit(&store, vec![of(10, "Main"), of(11, "Other"), of(12, "Third")]).await;
    store.close().await.unwrap();
    drop(store);
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "UPDATE record SET attributes = json_set(attributes, '$.name', 'Main') WHERE attributes ->> 'name' = 'Other';
             UPDATE indexed SET form = 'plain'
                 WHERE field = (SELECT number FROM symbol WHERE name = 'voice_out_trunks/name');",
        )
        .unwrap();
}

#[tokio::test]
async fn a_database_whose_records_break_a_new_unique_mark_is_refused_and_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trunks.db");
    with_duplicates(&path).await;
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(
        matches!(&error, OpenError::Duplicates { records: 1, values, .. } if values == &["Main"]),
        "{error}"
    );
    assert!(error.to_string().contains("voice_out_trunks/name"), "{error}");
}

#[tokio::test]
async fn a_start_that_is_cut_off_while_it_looks_for_duplicates_does_not_count_the_index_as_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trunks.db");
    with_duplicates(&path).await;
    let execute = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    // The first start ends where it would forget the index that has duplicates.
    execute("CREATE TRIGGER cut BEFORE DELETE ON indexed BEGIN SELECT RAISE(ABORT, 'cut off'); END;");
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(!matches!(error, OpenError::Duplicates { .. }), "{error}");
    execute("DROP TRIGGER cut;");
    for _ in 0..2 {
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Duplicates { records: 1, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_number_that_dids_shared_leads_to_the_one_that_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trunks.db");
    let store = SqliteStore::open(&path).unwrap();
    let one = store.create_account(account(1, "one"), key(2, "secret")).await.unwrap().number;
    let other = store.create_account(account(3, "other"), key(4, "other secret")).await.unwrap().number;
    let of_one = insert(dids(one), id(101), did("11", &json!({})));
    let of_other = insert(dids(other), id(102), did("12", &json!({})));
    commit(&store, vec![of_one, of_other]).await;
    store.close().await.unwrap();
    drop(store);
    // As the migration leaves a number that two DIDs have.
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "INSERT INTO unclaimed (field, value, record) SELECT field, '11', record FROM claim WHERE value = '12';
             DELETE FROM claim WHERE value = '12';",
        )
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(&path).unwrap();
    let claimant = async || {
        let found = store.claimant(Did::SPEC, "number", "11".to_owned()).await.unwrap();
        found.map(|(account, record)| (account, record.id))
    };
    assert_eq!(claimant().await, Some((one, id(101))));
    commit(&store, vec![Change::Delete { scope: dids(one), id: id(101) }]).await;
    assert_eq!(claimant().await, Some((other, id(102))));
    let claimed = store.claimed(Did::SPEC, "number", vec!["11".to_owned()]).await.unwrap();
    assert_eq!(claimed.len(), 1);
    store.close().await.unwrap();
}
