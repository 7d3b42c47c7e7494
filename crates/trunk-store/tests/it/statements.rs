//! A write whose n-th changed row fails, for every n: it leaves nothing, whatever it had written before.
//!
//! Triggers on all tables count the rows that a write inserts, changes or deletes, and fail the one whose turn it is. A
//! statement of a write changes at least one row, or has no effect.

use std::path::Path;

use didww_types::Timestamp;
use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::json;
use trunk_store::{
    Accounts as _, Change, Engine as _, EventForm, NewEvent, SqliteStore, Store, StoreError, Writes as _,
};

use crate::support::records::{
    account, commit, did, dids, found, id, insert, key, linked, members, replace, trunk, trunks,
};

/// Tables that are not part of a write: the count of commits, which also counts groups that were taken back, and the
/// countdown itself.
const APART: [&str; 2] = ["commits", "countdown"];

/// More rows than any write of these tests changes.
const FAR: i64 = 100_000;

/// The tables of a database, without those of the engine and [`APART`].
fn tables(file: &Connection) -> Vec<String> {
    let sql =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut select = file.prepare(sql).unwrap();
    let names: Vec<String> = select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    names.into_iter().filter(|name| !APART.contains(&name.as_str())).collect()
}

/// Every row of these tables, one a line.
fn dump(file: &Connection) -> Vec<String> {
    let mut lines = Vec::new();
    for table in tables(file) {
        let mut select = file.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<Sql> = (0..columns).map(|column| row.get(column).unwrap()).collect();
            lines.push(format!("{table} {values:?}"));
        }
    }
    lines.sort();
    lines
}

/// Adds the triggers to a database that no store has open.
fn arm(path: &Path) {
    let file = Connection::open(path).unwrap();
    file.execute_batch("CREATE TABLE countdown (turn INTEGER NOT NULL)").unwrap();
    file.execute("INSERT INTO countdown VALUES (?1)", [FAR]).unwrap();
    let tables = tables(&file);
    assert!(tables.len() > 10, "{tables:?}");
    for table in tables {
        for operation in ["INSERT", "UPDATE", "DELETE"] {
            let trigger = format!(
                "CREATE TRIGGER \"fail_{operation}_{table}\" BEFORE {operation} ON \"{table}\" BEGIN \
                     UPDATE countdown SET turn = turn - 1; \
                     SELECT RAISE(ABORT, 'this row fails on purpose') FROM countdown WHERE turn = 0; \
                 END"
            );
            file.execute_batch(&trigger).unwrap();
        }
    }
}

/// Tries a write again and again, of which the first row fails, then the second, and so on, until it succeeds. Returns
/// the number of rows that failed.
async fn fail_each_row<T: std::fmt::Debug>(
    store: &SqliteStore,
    file: &Connection,
    write: impl AsyncFn(&SqliteStore) -> Result<T, StoreError>,
) -> i64 {
    let accounts = store.accounts().await.unwrap();
    let before = dump(file);
    for row in 1..1_000 {
        file.execute("UPDATE countdown SET turn = ?1", [row]).unwrap();
        let outcome = write(store).await;
        file.execute("UPDATE countdown SET turn = ?1", [FAR]).unwrap();
        match outcome {
            Ok(_) => {
                assert_ne!(dump(file), before, "the write changes something");
                return row - 1;
            }
            Err(error) => {
                let text = format!("{error:?}");
                assert!(text.contains("on purpose"), "row {row}: {text}");
                assert!(dump(file) == before, "the write that failed at row {row} left something");
                assert_eq!(store.accounts().await.unwrap(), accounts, "row {row}");
            }
        }
    }
    panic!("a write has an end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_at_any_row_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.db");
    let store = SqliteStore::open(&path).unwrap();
    let owner = store.create_account(account(1, "somebody"), key(2, "key-1")).await.unwrap().number;
    commit(&store, vec![insert(dids(owner), id(1), did("1", &json!({})))]).await;
    let kept = linked(trunks(owner), id(2), trunk("kept", &json!({})), vec![("dids", vec![id(1)])]);
    commit(&store, vec![kept]).await;
    store.close().await.unwrap();
    drop(store);

    arm(&path);
    let store = SqliteStore::open(&path).unwrap();
    let file = Connection::open(&path).unwrap();
    file.execute_batch("PRAGMA synchronous = OFF").unwrap();
    let kept = found(&store, trunks(owner), id(2)).await;
    let event = NewEvent {
        form: EventForm::Trunk { account: owner },
        subject: id(2),
        url: "https://example.com/".to_owned(),
        body: "{}".to_owned(),
        created_at: Timestamp::from_unix_millis(0),
    };
    let attributes = trunk("renamed", &json!({ "external_reference_id": "x" }));
    let batch = vec![
        insert(dids(owner), id(10), did("2", &json!({}))),
        linked(trunks(owner), id(11), trunk("new", &json!({})), vec![("dids", vec![id(1), id(10)])]),
        replace(trunks(owner), kept, attributes),
        Change::Emit(Box::new(event)),
    ];
    let rows = fail_each_row(&store, &file, async |store| store.commit(batch.clone()).await).await;
    println!("a batch of changes: {rows} rows failed");
    assert!(rows > 20, "{rows}");

    let renamed = found(&store, trunks(owner), id(2)).await;
    let batch = vec![
        members(trunks(owner), renamed, "dids", true, vec![id(10)]),
        Change::Delete { scope: trunks(owner), id: id(11) },
        Change::Delete { scope: dids(owner), id: id(1) },
    ];
    let rows = fail_each_row(&store, &file, async |store| store.commit(batch.clone()).await).await;
    println!("links and deletions: {rows} rows failed");
    assert!(rows > 10, "{rows}");

    let rows = fail_each_row(&store, &file, async |store| {
        store.create_account(account(3, "second"), key(4, "key-2")).await
    })
    .await;
    println!("an account: {rows} rows failed");
    assert!(rows >= 2, "{rows}");
    check_engine(&store).await;
    store.close().await.unwrap();
}

/// The store works as before after all of these failures.
async fn check_engine(store: &impl Store) {
    let second = store.accounts().await.unwrap().last().unwrap().number;
    commit(store, vec![insert(trunks(second), id(20), trunk("kept", &json!({})))]).await;
    assert_eq!(found(store, trunks(second), id(20)).await.id, id(20));
}
