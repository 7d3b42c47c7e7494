//! Commits that a PostgreSQL server shows before a standby has them. The standby is one that never comes: a commit waits for it
//! until its process is ended, which makes it visible.

use std::time::Duration;

use didww_types::Timestamp;
use serde_json::json;
use trunk_store::{
    IdempotencyKey, IdempotencyKeys as _, IdempotencyScope, KeptResponse, KeyUse, PostgresOptions,
    PostgresStore, Records as _, StoreError, Writes as _,
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
    server.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
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
async fn a_response_is_replayed_only_when_a_standby_has_what_it_rests_on() {
    let (server, store) = store().await;
    keep(&store, 1).await.unwrap();
    let (_, expected) = response(1);
    let replayed = store.used_key(key(1)).await.unwrap().and_then(|used| used.response);
    assert_eq!(replayed.as_ref(), Some(&expected));
    begin_waiting(server, &store).await;
    let early = tokio::time::timeout(LONG, store.used_key(key(1))).await;
    assert!(early.is_err(), "a failover could lose it: {early:?}");
    assert_eq!(store.used_key(key(2)).await, Ok(None), "a request whose key is unused is carried out");
    end_waiting(server);
    let replayed = within("the response", store.used_key(key(1))).await.unwrap();
    assert_eq!(replayed.and_then(|used| used.response), Some(expected));
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
    let found = async {
        loop {
            match store.find(trunks(1), id(1)).await {
                Ok(found) => return found,
                Err(error) => assert_eq!(error, StoreError::Unavailable),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(within("the read", found).await.is_some());
}
