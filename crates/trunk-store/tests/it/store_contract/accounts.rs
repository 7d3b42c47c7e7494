//! Accounts, their keys, and resets.

use serde_json::json;
use trunk_store::account::KeyDigest;
use trunk_store::{ListQuery, Store, StoreError};

use crate::support::records::{
    account, commit, did, dids, everything, id, insert, key, linked, trunk, trunks,
};

use super::equals;

pub(super) async fn accounts_and_their_keys_are_kept_apart(store: &impl Store) {
    let first = store.create_account(account(1, "first"), key(11, "key-1")).await.unwrap();
    let second = store.create_account(account(2, "second"), key(12, "key-2")).await.unwrap();
    let by_key = async |secret: &str| {
        store.account_by_key(KeyDigest::of(secret)).await.unwrap().map(|account| account.number)
    };
    assert_eq!(
        (by_key("key-1").await, by_key("key-2").await, by_key("key-3").await),
        (Some(first.number), Some(second.number), None)
    );
    assert_eq!(store.accounts().await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(store.account(id(2)).await.unwrap(), Some(second.clone()));
    assert_eq!(store.account(id(3)).await.unwrap(), None);

    let made = store.create_account(account(3, "second"), key(13, "key-3")).await;
    assert_eq!(made, Err(StoreError::Taken("name".to_owned())));
    let made = store.create_account(account(3, "third"), key(13, "key-1")).await;
    assert_eq!(made, Err(StoreError::Taken("api_key".to_owned())));
    assert_eq!(store.accounts().await.unwrap().len(), 2, "an account without its key is not made");

    let mut renamed = (*second).clone();
    renamed.name = "first".into();
    assert_eq!(store.save_account(renamed.clone()).await, Err(StoreError::Taken("name".to_owned())));
    renamed.name = "other".into();
    renamed.rate_limit = Some(5);
    renamed.record_quota = Some(7);
    assert_eq!(*store.save_account(renamed.clone()).await.unwrap(), renamed);
    assert_eq!(*store.account_by_key(KeyDigest::of("key-2")).await.unwrap().unwrap(), renamed);

    store.add_key(first.number, key(14, "key-4")).await.unwrap();
    let taken = store.add_key(second.number, key(15, "key-4")).await;
    assert_eq!(taken, Err(StoreError::Taken("api_key".to_owned())));
    assert_eq!(store.keys(first.number).await.unwrap(), [key(11, "key-1"), key(14, "key-4")]);
    assert_eq!(store.remove_key(second.number, id(14)).await, Ok(false), "another account's key");
    assert_eq!(store.remove_key(first.number, id(14)).await, Ok(true));
    assert_eq!(store.remove_key(first.number, id(14)).await, Ok(false));
    assert_eq!((by_key("key-1").await, by_key("key-4").await), (Some(first.number), None));
}

pub(super) async fn a_deleted_account_cannot_be_saved_again(store: &impl Store) {
    let gone = store.create_account(account(1, "gone"), key(11, "key-1")).await.unwrap();
    store.reset(Some(gone.number), true).await.unwrap();
    assert_eq!(store.save_account((*gone).clone()).await, Err(StoreError::Conflict));
    assert_eq!(store.add_key(gone.number, key(12, "key-2")).await, Err(StoreError::Conflict));
    assert!(store.accounts().await.unwrap().is_empty());
    let next = store.create_account(account(2, "next"), key(13, "key-1")).await.unwrap();
    assert_ne!(next.number, gone.number);
}

pub(super) async fn a_write_completes_although_its_caller_stopped_waiting(store: &impl Store) {
    drop(store.create_account(account(1, "a"), key(11, "key-1")));
    drop(store.create_account(account(2, "b"), key(12, "key-2")));
    let third = store.create_account(account(3, "c"), key(13, "key-3")).await.unwrap();
    drop(store.remove_key(third.number, id(13)));
    commit(store, vec![insert(trunks(1), id(1), trunk("after all of that", &json!({})))]).await;
    let known = async |secret: &str| store.account_by_key(KeyDigest::of(secret)).await.unwrap().is_some();
    assert!(known("key-1").await && known("key-2").await);
    assert!(!known("key-3").await, "a removed key is refused, even if the client disconnected meanwhile");
}

pub(super) async fn a_reset_deletes_only_the_account_that_it_names(store: &impl Store) {
    let one = store.create_account(account(1, "one"), key(11, "key-1")).await.unwrap();
    let two = store.create_account(account(2, "two"), key(12, "key-2")).await.unwrap();
    let fill = async |account: i64, from: u128| {
        commit(store, vec![insert(dids(account), id(from), did(&account.to_string(), &json!({})))]).await;
        let links = vec![("dids", vec![id(from)])];
        commit(store, vec![linked(trunks(account), id(from + 1), trunk("a", &json!({})), links)]).await;
    };
    let total = async |account: i64| {
        store.list(everything(trunks(account))).await.unwrap().total
            + store.list(everything(dids(account))).await.unwrap().total
    };
    fill(one.number, 100).await;
    fill(two.number, 200).await;
    store.reset(Some(one.number), false).await.unwrap();
    assert_eq!((total(one.number).await, total(two.number).await), (0, 2));
    assert_eq!(store.accounts().await.unwrap().len(), 2);
    fill(one.number, 100).await;
    let by_name = ListQuery { conditions: vec![equals("name", "a")], ..everything(trunks(one.number)) };
    assert_eq!(store.list(by_name).await.unwrap().total, 1, "no index keeps what was deleted");

    store.reset(Some(two.number), true).await.unwrap();
    assert_eq!((total(one.number).await, total(two.number).await), (2, 0));
    assert_eq!(store.accounts().await.unwrap(), std::slice::from_ref(&one));
    assert_eq!(store.account_by_key(KeyDigest::of("key-2")).await, Ok(None));
    assert_eq!(store.keys(two.number).await, Ok(vec![]));

    store.reset(None, false).await.unwrap();
    assert_eq!((total(one.number).await, store.accounts().await.unwrap().len()), (0, 1));
    store.reset(None, true).await.unwrap();
    assert!(store.accounts().await.unwrap().is_empty());
}
