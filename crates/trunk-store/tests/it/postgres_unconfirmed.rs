//! Commits that a PostgreSQL server shows before a standby has them. The standby is one that never comes: a commit
//! waits for it until its process is ended, which makes it visible.

use std::time::Duration;

use didww_types::Timestamp;
use serde_json::json;
use trunk_store::{
    Engine as _, IdempotencyKey, IdempotencyKeys as _, IdempotencyScope, KeptResponse, KeyUse, Nodes as _,
    PostgresOptions, PostgresStore, Records as _, StoreError, Writes as _, with_key_use,
};
use uuid::Uuid;

use crate::support::postgres::Server;
use crate::support::records::{commit, found, id, insert, replace, trunk, trunks};
use crate::support::within;

/// Far longer than a commit takes that waits for nothing.
const LONG: Duration = Duration::from_millis(500);

/// A server of its own, because all commits of it wait, and a store in it.
async fn store() -> (&'static Server, PostgresStore) {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    let store = PostgresStore::open(PostgresOptions::new(server.parameters("postgres"))).await.unwrap();
    (server, store)
}

fn key(number: u8) -> IdempotencyKey {
    IdempotencyKey { scope: IdempotencyScope::Account(1), digest: [number; 32] }
}

fn response(number: u8) -> (KeyUse, KeptResponse) {
    let used_at = Timestamp::from_unix_millis(5);
    let expired_at = Timestamp::from_unix_millis(0);
    let request = Uuid::from_u128(u128::from(number));
    let used = KeyUse { key: key(number), fingerprint: [7; 32], request, used_at, expired_at };
    (used, KeptResponse { status: 201, content_type: String::new(), body: vec![number] })
}

async fn keep(store: &PostgresStore, number: u8) -> Result<(), StoreError> {
    let (used, response) = response(number);
    store.keep_response(used, response).await
}

/// Selects from the processes that wait for a standby.
fn of_waiting(server: &Server, what: &str) -> String {
    let waiting = "application_name = 'trunk-server' AND wait_event = 'SyncRep'";
    server.execute("postgres", &format!("SELECT {what} FROM pg_stat_activity WHERE {waiting}"))
}

/// Makes commits wait for a standby, and waits until they do. It uses keys from 100 on.
async fn begin_waiting(server: &Server, store: &PostgresStore) {
    server.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'absent'");
    server.execute("postgres", "SELECT pg_reload_conf()");
    for number in 100..u8::MAX {
        let is_late = tokio::time::timeout(LONG, keep(store, number)).await.is_err();
        // A commit can also be late because the machine is busy.
        if is_late && of_waiting(server, "count(*)") != "0" {
            return;
        }
    }
    panic!("no commit waits");
}

/// Lets all commits go on, those that wait too.
fn end_waiting(server: &Server) {
    server.execute("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    server.execute("postgres", "SELECT pg_reload_conf()");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_is_answered_only_when_a_standby_has_what_it_rests_on() {
    let (server, store) = store().await;
    keep(&store, 1).await.unwrap();
    let (_, expected) = response(1);
    let (without_response, _) = response(3);
    let write = async { store.commit(vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await };
    with_key_use(Some(without_response), write).await.unwrap();
    let replayed = store.used_key(key(1)).await.unwrap().and_then(|used| used.response);
    assert_eq!(replayed.as_ref(), Some(&expected));
    begin_waiting(server, &store).await;
    for number in [1, 3] {
        let early = tokio::time::timeout(LONG, store.used_key(key(number))).await;
        assert!(early.is_err(), "a failover could lose it: {early:?}");
    }
    assert_eq!(store.used_key(key(2)).await, Ok(None), "a request whose key is unused is carried out");
    end_waiting(server);
    let replayed = within("the response", store.used_key(key(1))).await.unwrap();
    assert_eq!(replayed.and_then(|used| used.response), Some(expected));
    let refused = within("the use", store.used_key(key(3))).await.unwrap();
    assert_eq!(refused.map(|used| used.response), Some(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_that_changes_no_value_waits_for_a_standby_too() {
    let (server, store) = store().await;
    let made = commit(&store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await.remove(0);
    begin_waiting(server, &store).await;
    let same = store.commit(vec![replace(trunks(1), made.clone(), trunk("a", &json!({})))]);
    assert!(tokio::time::timeout(LONG, same).await.is_err(), "it was answered without a commit");
    end_waiting(server);
    let committed = async {
        while found(&store, trunks(1), id(1)).await.revision == made.revision {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("its commit", committed).await;
}

/// Waits until the record can be read.
async fn is_read(store: &PostgresStore) {
    let read = async {
        while !matches!(store.find(trunks(1), id(1)).await, Ok(Some(_))) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the read", read).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_at_which_a_commit_has_no_answer_in_time_is_not_read_until_one_has() {
    let (server, store) = store().await;
    begin_waiting(server, &store).await;
    assert_eq!(store.find(trunks(1), id(1)).await, Ok(None), "it may be the primary");
    let write = store.commit(vec![insert(trunks(1), id(1), trunk("a", &json!({})))]);
    assert_eq!(within("the end of the wait", write).await, Err(StoreError::Unknown));
    for _ in 0..100 {
        assert_eq!(store.find(trunks(1), id(1)).await, Err(StoreError::Unavailable));
    }
    end_waiting(server);
    is_read(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_goes_on_beside_the_next_one_is_left_for_that() {
    let old: &'static Server = Box::leak(Box::new(Server::start()));
    let next: &'static Server = Box::leak(Box::new(Server::start()));
    let migrated = PostgresStore::open(PostgresOptions::new(next.parameters("postgres"))).await.unwrap();
    migrated.close().await.unwrap();
    let hosts = format!("host={},{} ", old.folder().display(), next.folder().display());
    let parameters = old.parameters("postgres");
    let (_, others) = parameters.split_once(' ').unwrap();
    let store = PostgresStore::open(PostgresOptions::new(format!("{hosts}{others}"))).await.unwrap();
    store.heartbeat(Timestamp::from_unix_millis(1)).await.unwrap();
    let write = insert(trunks(1), id(1), trunk("a", &json!({})));
    store.commit(vec![write]).await.unwrap();
    assert!(store.find(trunks(1), id(1)).await.unwrap().is_some());
    begin_waiting(old, &store).await;
    // As after a failover: nothing that the old one shows is at the next one, which commits.
    old.execute(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'trunk-server'",
    );
    let left = async {
        while store.find(trunks(1), id(1)).await != Ok(None) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the next primary", left).await;
    for _ in 0..100 {
        assert_eq!(store.find(trunks(1), id(1)).await, Ok(None), "the old one is read no more");
    }
    // The heartbeat that waited at the old one becomes visible there.
    of_waiting(old, "pg_terminate_backend(pid)");
    let ended = async {
        while of_waiting(old, "count(*)") != "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the end of the wait", ended).await;
    // Several at once need further connections.
    let reads = (0..16).map(|_| async { store.find(trunks(1), id(1)).await });
    let reads = within("the reads", futures_util::future::join_all(reads)).await;
    assert!(reads.iter().all(|read| *read == Ok(None)), "{reads:?}");
    store.heartbeat(Timestamp::from_unix_millis(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_commit_with_an_unknown_outcome_wrote_is_read_only_when_a_standby_has_it() {
    let (server, store) = store().await;
    begin_waiting(server, &store).await;
    let write = store.commit(vec![insert(trunks(1), id(1), trunk("a", &json!({})))]);
    let ended = async {
        // It waits beside the commit that was found to wait.
        while of_waiting(server, "count(*)") != "2" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        of_waiting(server, "pg_terminate_backend(pid)");
        while server.execute("postgres", "SELECT count(*) FROM record") == "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (written, ()) = within("the end of the commit", async { tokio::join!(write, ended) }).await;
    assert_eq!(written, Err(StoreError::Unknown));
    assert_eq!(server.execute("postgres", "SELECT count(*) FROM record"), "1", "it is visible");
    for _ in 0..100 {
        assert_eq!(store.find(trunks(1), id(1)).await, Err(StoreError::Unavailable));
    }
    end_waiting(server);
    is_read(&store).await;
}
