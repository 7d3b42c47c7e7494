//! The writer of a database in a file: its queue, and overload.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures_util::FutureExt as _;
use rusqlite::Connection;
use serde_json::json;
use trunk_store::{Engine as _, Records as _, SqliteStore, StoreError, Writes as _};

use crate::support::records::{commit, everything, found, id, insert, replace, trunk, trunks};
use crate::support::within;

/// Maximum number of writes that wait, plus the maximum that the writer takes at once.
const QUEUE_CAPACITY: usize = 4096 + 256;

/// Opens another connection that holds the database's write lock, so that the store's writer waits.
fn hold(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_completes_all_accepted_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.db");
    let store = SqliteStore::open(&path).unwrap();
    let held = hold(&path);
    let write =
        |n: usize| store.commit(vec![insert(trunks(1), id(n as u128), trunk(&n.to_string(), &json!({})))]);

    let mut waiting = Vec::new();
    let refused = loop {
        assert!(waiting.len() <= QUEUE_CAPACITY, "the queue has no end");
        let mut write = write(waiting.len());
        match (&mut write).now_or_never() {
            Some(outcome) => break outcome,
            None => waiting.push(write),
        }
    };
    assert_eq!(refused, Err(StoreError::Overloaded));
    assert!(waiting.len() >= 4096, "only {} waited", waiting.len());
    assert_eq!(store.list(everything(trunks(1))).await.unwrap().total, 0, "reads continue");

    drop(held);
    let taken = waiting.len() as u64;
    for write in waiting {
        within("a write that waited", write).await.unwrap();
    }
    assert_eq!(store.list(everything(trunks(1))).await.unwrap().total, taken);
    within("a write after the crowd", write(QUEUE_CAPACITY + 1)).await.unwrap();
}

#[tokio::test]
async fn closing_completes_waiting_writes_and_releases_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("close.db");
    let store = SqliteStore::open(&path).unwrap();
    let held = hold(&path);
    let writes: Vec<_> = (0..500)
        .map(|n| store.commit(vec![insert(trunks(1), id(n), trunk(&n.to_string(), &json!({})))]))
        .collect();
    let close = store.close();
    drop(held);
    within("closing", close).await.unwrap();
    for write in writes {
        write.await.unwrap();
    }
    let after = store.commit(vec![insert(trunks(1), id(999), trunk("late", &json!({})))]).await;
    assert_eq!(after, Err(StoreError::Failed("the store is closed".to_owned())));
    assert_eq!(store.check().await, Err(StoreError::Failed("the store is closed".to_owned())));

    for ending in ["-wal", "-shm"] {
        let log = folder.path().join(format!("close.db{ending}"));
        assert!(!log.exists(), "{} is left", log.display());
    }
    let again = SqliteStore::open(&path).unwrap();
    assert_eq!(again.list(everything(trunks(1))).await.unwrap().total, 500);
}

#[tokio::test]
async fn dropping_completes_waiting_writes_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drop.db");
    for round in 1..=5_u64 {
        let store = SqliteStore::open(&path).unwrap();
        for n in 0..50 {
            let n = u128::from(round) * 1_000 + n;
            drop(store.commit(vec![insert(trunks(1), id(n), trunk(&n.to_string(), &json!({})))]));
        }
        drop(store);
        let again = SqliteStore::open(&path).unwrap();
        assert_eq!(again.list(everything(trunks(1))).await.unwrap().total, 50 * round);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_finds_an_older_state_than_another_one_or_the_writer_has_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("states.db")).unwrap());
    let mut record = commit(&*store, vec![insert(trunks(1), id(1), trunk("T", &json!({})))]).await.remove(0);
    let (seen, is_over) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let before = store.changes(trunks(1)).await.unwrap().unwrap();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, seen, is_over) = (Arc::clone(&store), Arc::clone(&seen), Arc::clone(&is_over));
            tokio::spawn(async move {
                while !is_over.load(Ordering::SeqCst) {
                    let least = seen.load(Ordering::SeqCst);
                    let revision = found(&*store, trunks(1), id(1)).await.revision;
                    assert!(revision >= least, "{revision} was read after {least}");
                    // Each write changes the revision and the number of changes by one.
                    let changed = store.changes(trunks(1)).await.unwrap().unwrap() - before;
                    assert!(changed >= revision, "{changed} changes were read after revision {revision}");
                    seen.fetch_max(changed, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for revision in 1..=100 {
        let attributes = trunk("T", &json!({ "external_reference_id": revision.to_string() }));
        record = store.commit(vec![replace(trunks(1), record, attributes)]).await.unwrap().remove(0);
        seen.fetch_max(revision, Ordering::SeqCst);
        let read = found(&*store, trunks(1), id(1)).await;
        assert_eq!((read.revision, &read), (revision, &record), "the writer reads what it wrote");
    }
    is_over.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    within("closing", store.close()).await.unwrap();
    assert!(store.find(trunks(1), id(1)).await.is_err(), "nothing is read from a closed store");
}
