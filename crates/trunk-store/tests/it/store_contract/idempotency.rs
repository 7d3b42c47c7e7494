//! Idempotency keys: their use in the transaction of a write, the responses, and the bounds on both.

use didww_types::Timestamp;
use futures_util::future::join_all;
use serde_json::json;
use trunk_store::{
    Change, IdempotencyKey, IdempotencyScope, KeptResponse, KeyUse, MAX_BYTES_PER_SCOPE, MAX_KEYS_PER_SCOPE,
    Record, Store, StoreError, UsedKey, with_key_use,
};
use uuid::Uuid;

use crate::support::records::{everything, id, insert, trunk, trunks};

const SCOPE: IdempotencyScope = IdempotencyScope::Account(1);
const DAY: i64 = 86_400_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn key(scope: IdempotencyScope, number: u64) -> IdempotencyKey {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&number.to_be_bytes());
    IdempotencyKey { scope, digest }
}

/// The use of a key by a request, at a time.
fn used(key: IdempotencyKey, request: u128, millis: i64) -> KeyUse {
    KeyUse {
        key,
        fingerprint: [7; 32],
        request: Uuid::from_u128(request),
        used_at: at(millis),
        expired_at: at(millis - DAY),
    }
}

fn response(body: &str) -> KeptResponse {
    KeptResponse { status: 201, content_type: "text/plain".to_owned(), body: body.as_bytes().to_vec() }
}

fn record(number: u128) -> Vec<Change> {
    vec![insert(trunks(1), id(number), trunk(&number.to_string(), &json!({})))]
}

/// Stores changes for a request that uses a key. The write must begin inside of the key's scope.
async fn commit(store: &impl Store, used: KeyUse, changes: Vec<Change>) -> Result<Vec<Record>, StoreError> {
    with_key_use(Some(used), async { store.commit(changes).await }).await
}

async fn records(store: &impl Store) -> u64 {
    store.list(everything(trunks(1))).await.unwrap().total
}

async fn find(store: &impl Store, number: u64) -> Option<UsedKey> {
    store.used_key(key(SCOPE, number)).await.unwrap()
}

pub async fn a_key_is_used_by_the_first_write_of_its_request_and_the_response_follows(store: &impl Store) {
    assert_eq!(find(store, 1).await, None);
    let first = used(key(SCOPE, 1), 1, 5);
    commit(store, first, record(1)).await.unwrap();
    commit(store, first, record(2)).await.unwrap();
    let expected = UsedKey { fingerprint: [7; 32], request: first.request, used_at: at(5), response: None };
    assert_eq!(find(store, 1).await, Some(expected.clone()));
    store.keep_response(first, response("made")).await.unwrap();
    store.keep_response(first, response("again")).await.unwrap();
    assert_eq!(find(store, 1).await, Some(UsedKey { response: Some(response("made")), ..expected }));
}

pub async fn a_write_with_a_key_that_another_request_used_changes_nothing(store: &impl Store) {
    commit(store, used(key(SCOPE, 1), 1, 5), record(1)).await.unwrap();
    let late = used(key(SCOPE, 1), 2, 6);
    let refused = commit(store, late, record(2)).await;
    assert_eq!(refused, Err(StoreError::Conflict));
    assert_eq!(store.keep_response(late, response("late")).await, Err(StoreError::Conflict));
    let failed = commit(store, used(key(SCOPE, 3), 3, 7), record(1)).await;
    assert!(failed.is_err(), "the id is taken");
    assert_eq!(find(store, 3).await, None, "a write that failed has not used its key");
    // All of them are one group of the writer, of which one wins.
    let writes = (10..60).map(|n| commit(store, used(key(SCOPE, 4), n, 8), record(n)));
    let outcomes = join_all(writes).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(records(store).await, 2);
}

pub async fn a_request_that_wrote_nothing_can_keep_its_response(store: &impl Store) {
    store.keep_response(used(key(SCOPE, 1), 1, 5), response("refused")).await.unwrap();
    assert_eq!(find(store, 1).await.unwrap().response, Some(response("refused")));
}

pub async fn a_key_belongs_to_its_scope(store: &impl Store) {
    let scopes = [
        SCOPE,
        IdempotencyScope::Account(11),
        IdempotencyScope::Customer(Uuid::from_u128(1)),
        IdempotencyScope::Control,
    ];
    for (request, scope) in (1..).zip(scopes) {
        let used = used(key(scope, 1), request, 5);
        store.keep_response(used, response(&request.to_string())).await.unwrap();
    }
    for (request, scope) in (1..).zip(scopes) {
        let found = store.used_key(key(scope, 1)).await.unwrap().unwrap();
        assert_eq!(found.response, Some(response(&u128::to_string(&request))));
    }
}

pub async fn a_key_that_expired_can_be_used_again(store: &impl Store) {
    store.keep_response(used(key(SCOPE, 1), 1, 5), response("old")).await.unwrap();
    let early = used(key(SCOPE, 1), 2, DAY + 4);
    assert_eq!(store.keep_response(early, response("early")).await, Err(StoreError::Conflict));
    let later = used(key(SCOPE, 1), 3, DAY + 5);
    commit(store, later, record(1)).await.unwrap();
    let found = find(store, 1).await.unwrap();
    assert_eq!((found.request, found.response), (later.request, None));
}

pub async fn the_oldest_keys_with_a_response_are_forgotten_first(store: &impl Store) {
    // The oldest key has no response: its request was carried out, and a repetition must not be.
    commit(store, used(key(SCOPE, 0), 1, 5), record(1)).await.unwrap();
    let keep = |n| store.keep_response(used(key(SCOPE, n), u128::from(n) + 1, 5), response(&n.to_string()));
    // Before the others, which are written at the same time, and then in any order.
    keep(1).await.unwrap();
    for from in (2..MAX_KEYS_PER_SCOPE).step_by(200) {
        let numbers = from..(from + 200).min(MAX_KEYS_PER_SCOPE);
        for kept in join_all(numbers.map(keep)).await {
            kept.unwrap();
        }
    }
    assert!(find(store, 1).await.is_some(), "so many are kept");
    let next = MAX_KEYS_PER_SCOPE;
    store.keep_response(used(key(SCOPE, next), 0, 6), response("next")).await.unwrap();
    let present = [0, 1, 2, next].map(|n| find(store, n));
    let present: Vec<bool> = join_all(present).await.iter().map(Option::is_some).collect();
    assert_eq!(present, [true, false, true, true]);
}

pub async fn the_bytes_of_the_responses_of_a_scope_are_bounded(store: &impl Store) {
    let quarter = "x".repeat(usize::try_from(MAX_BYTES_PER_SCOPE).unwrap() / 4);
    for n in 0..6 {
        store.keep_response(used(key(SCOPE, n), u128::from(n) + 1, 5), response(&quarter)).await.unwrap();
    }
    let present: Vec<bool> =
        join_all((0..6).map(|n| find(store, n))).await.iter().map(Option::is_some).collect();
    assert_eq!(present, [false, false, true, true, true, true]);
}

pub async fn old_keys_are_deleted_a_few_at_a_time(store: &impl Store) {
    for n in 0..5 {
        let at = i64::try_from(n).unwrap();
        store.keep_response(used(key(SCOPE, n), u128::from(n) + 1, at), response("x")).await.unwrap();
    }
    assert_eq!(store.forget_keys(at(3), 3).await.unwrap(), 3);
    assert_eq!(store.forget_keys(at(3), 3).await.unwrap(), 1);
    assert_eq!(store.forget_keys(at(3), 3).await.unwrap(), 0);
    assert!(find(store, 3).await.is_none() && find(store, 4).await.is_some());
}

pub async fn a_reset_deletes_the_keys_of_its_account_and_never_those_of_the_control_api(store: &impl Store) {
    let scopes = [SCOPE, IdempotencyScope::Account(11), IdempotencyScope::Control];
    let keep = async || {
        for (request, scope) in (1..).zip(scopes) {
            store.keep_response(used(key(scope, 1), request, 5), response("x")).await.unwrap();
        }
    };
    let present = async || {
        let found = scopes.map(|scope| store.used_key(key(scope, 1)));
        join_all(found).await.into_iter().map(|key| key.unwrap().is_some()).collect::<Vec<_>>()
    };
    keep().await;
    store.reset(Some(1), false).await.unwrap();
    assert_eq!(present().await, [false, true, true]);
    keep().await;
    store.reset(None, false).await.unwrap();
    assert_eq!(present().await, [false, false, true]);
    keep().await;
    assert_eq!(present().await, [true, true, true], "they can be used again");
}
