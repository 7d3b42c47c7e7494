//! Accounts, their keys, and resets.

use std::sync::Arc;

use didww_types::values::IpNetworks;
use didww_types::{ApiVersion, Feature, Features, Timestamp};
use futures_util::future::join;
use serde_json::json;
use trunk_store::account::{Account, ApiKey, Environment, KeyDigest};
use trunk_store::{ListQuery, MAX_TOKEN_KEYS, Store, StoreError, TokenKey, TokenKeyRotation};

use crate::support::records::{
    account, commit, did, dids, everything, id, insert, key, linked, trunk, trunks,
};

use super::equals;
use crate::support::within;

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
    assert_eq!(store.account_numbered(second.number).await.unwrap(), Some(second.clone()));
    assert_eq!(store.account_numbered(i64::MAX).await.unwrap(), None);

    let made = store.create_account(account(3, "second"), key(13, "key-3")).await;
    assert_eq!(made, Err(StoreError::Taken("name".to_owned())));
    let made = store.create_account(account(3, "third"), key(13, "key-1")).await;
    assert_eq!(made, Err(StoreError::Taken("api_key".to_owned())));
    assert_eq!(store.accounts().await.unwrap().len(), 2, "an account without its key is not made");

    let mut renamed = (*second).clone();
    renamed.name = "first".into();
    let save = async |before: &Arc<Account>, after: &Account| {
        store.save_account(Arc::clone(before), after.clone()).await
    };
    assert_eq!(save(&second, &renamed).await, Err(StoreError::Taken("name".to_owned())));
    renamed.name = "other".into();
    renamed.rate_limit = Some(5);
    renamed.record_quota = Some(7);
    assert_eq!(*save(&second, &renamed).await.unwrap(), renamed);
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

pub(super) async fn a_key_is_found_by_its_id_with_the_limits_of_its_use(store: &impl Store) {
    let account = store.create_account(account(1, "first"), key(11, "key-1")).await.unwrap();
    let networks = |text: &str| Some(Arc::new(IpNetworks::parse([text]).unwrap()));
    let bound = ApiKey {
        addresses: networks("192.0.2.0/24"),
        environment: Some(Environment::Sandbox),
        ..key(12, "key-2")
    };
    store.add_key(account.number, bound.clone()).await.unwrap();
    let by_id = async |number| store.key_by_id(id(number)).await.unwrap();
    let known = by_id(12).await.unwrap();
    assert_eq!(Some(&known), store.key_by_digest(KeyDigest::of("key-2")).await.unwrap().as_ref());
    assert_eq!((known.id, &known.account, &known.addresses), (id(12), &account, &bound.addresses));
    assert!(known.is_of(Environment::Sandbox) && !known.is_of(Environment::Production));
    assert!(known.allows("::ffff:192.0.2.7".parse().unwrap()) && !known.allows("192.0.3.7".parse().unwrap()));
    let free = by_id(11).await.unwrap();
    assert!(free.is_of(Environment::Production) && free.allows("192.0.3.7".parse().unwrap()));
    assert_eq!(store.keys(account.number).await.unwrap(), [key(11, "key-1"), bound]);

    let moved = networks("2001:db8::1");
    assert_eq!(store.set_key_addresses(account.number, id(12), moved.clone()).await, Ok(true));
    assert_eq!(by_id(12).await.unwrap().addresses, moved);
    assert_eq!(store.keys(account.number).await.unwrap()[1].addresses, moved);
    assert_eq!(store.set_key_addresses(account.number, id(12), None).await, Ok(true));
    assert_eq!(by_id(12).await.unwrap().addresses, None);
    assert_eq!(store.set_key_addresses(account.number + 1, id(12), moved.clone()).await, Ok(false));
    assert_eq!(store.set_key_addresses(account.number, id(13), moved).await, Ok(false));

    store.remove_key(account.number, id(12)).await.unwrap();
    assert_eq!(by_id(12).await, None);
    store.reset(Some(account.number), true).await.unwrap();
    assert_eq!(by_id(11).await, None);
}

pub(super) async fn keys_of_tokens_rotate_once_for_all_who_ask_and_leave_when_they_are_over(
    store: &impl Store,
) {
    let at = |seconds: i64| Timestamp::from_unix_millis(seconds * 1_000);
    let key = |number: u8, seconds| TokenKey {
        id: id(number.into()),
        secret: [number; 32],
        created_at: at(seconds),
    };
    let rotate = async |number, seconds, unless_since, until| {
        let (unless_since, remove_succeeded_until) = (unless_since, until);
        let rotation = TokenKeyRotation { new: key(number, seconds), unless_since, remove_succeeded_until };
        let keys = store.rotate_token_keys(rotation).await.unwrap();
        assert_eq!(keys, store.token_keys().await.unwrap());
        keys.iter().map(|key| key.secret[0]).collect::<Vec<u8>>()
    };
    assert!(store.token_keys().await.unwrap().is_empty());
    let never = Some(at(-1));
    assert_eq!(rotate(1, 0, never, never).await, [1]);
    assert_eq!(rotate(2, 50, never, never).await, [1], "another node made one meanwhile");
    assert_eq!(rotate(2, 100, Some(at(0)), never).await, [1, 2]);
    assert_eq!(rotate(3, 200, Some(at(100)), Some(at(99))).await, [1, 2, 3]);
    assert_eq!(rotate(4, 300, Some(at(200)), Some(at(100))).await, [2, 3, 4], "2 succeeded 1 at 100");
    assert_eq!(*store.token_keys().await.unwrap(), [key(2, 100), key(3, 200), key(4, 300)]);
    for number in 5..20 {
        let kept = rotate(number, 300 + i64::from(number), None, never).await;
        assert!(kept.len() <= MAX_TOKEN_KEYS && kept.last() == Some(&number));
    }
    assert_eq!(rotate(20, 900, None, None).await, [20]);
    store.reset(None, true).await.unwrap();
    assert_eq!(store.token_keys().await.unwrap().len(), 1, "they belong to no account");
}

pub(super) async fn a_deleted_account_cannot_be_saved_again(store: &impl Store) {
    let gone = store.create_account(account(1, "gone"), key(11, "key-1")).await.unwrap();
    store.reset(Some(gone.number), true).await.unwrap();
    assert_eq!(store.save_account(Arc::clone(&gone), (*gone).clone()).await, Err(StoreError::Conflict));
    assert_eq!(store.add_key(gone.number, key(12, "key-2")).await, Err(StoreError::Conflict));
    assert!(store.accounts().await.unwrap().is_empty());
    let next = store.create_account(account(2, "next"), key(13, "key-1")).await.unwrap();
    assert_ne!(next.number, gone.number);
}

pub(super) async fn an_account_that_changed_since_it_was_read_is_not_saved(store: &impl Store) {
    no_change_of_an_account_undoes_another_one(store, store).await;
}

/// Two who change an account at the same time, of one node or of two.
pub(super) async fn no_change_of_an_account_undoes_another_one(one: &impl Store, other: &impl Store) {
    let before = one.create_account(account(1, "first"), key(11, "key-1")).await.unwrap();
    let was = || (*before).clone();
    let variants = [
        ("name", Account { name: "other".to_owned(), ..was() }),
        ("version", Account { version: ApiVersion::V2026_11_19, ..was() }),
        ("features", Account { features: Features::of([Feature::Emergency]), ..was() }),
        ("rate_limit", Account { rate_limit: Some(5), ..was() }),
        ("record_quota", Account { record_quota: Some(7), ..was() }),
    ];
    let late = Account { rate_limit: Some(99), ..(*before).clone() };
    for (member, account) in variants {
        let changed = one.save_account(Arc::clone(&before), account).await.unwrap();
        assert_ne!(changed, before, "{member}");
        let saved = other.save_account(Arc::clone(&before), late.clone()).await;
        assert_eq!(saved, Err(StoreError::Conflict), "{member}");
        assert_eq!(other.account(before.id).await.unwrap().as_ref(), Some(&changed), "{member}");
        let restored = other.save_account(changed, (*before).clone()).await.unwrap();
        assert_eq!(restored, before, "{member}");
    }

    let renamed = Account { name: "renamed".to_owned(), ..(*before).clone() };
    let (first, second) =
        join(one.save_account(Arc::clone(&before), late), other.save_account(Arc::clone(&before), renamed))
            .await;
    assert!(first.is_ok() != second.is_ok(), "one of both begins again: {first:?} and {second:?}");
    assert_eq!(first.and(second), Err(StoreError::Conflict));
}

pub(super) async fn a_write_completes_although_its_caller_stopped_waiting(store: &impl Store) {
    drop(store.create_account(account(1, "a"), key(11, "key-1")));
    drop(store.create_account(account(2, "b"), key(12, "key-2")));
    let third = store.create_account(account(3, "c"), key(13, "key-3")).await.unwrap();
    drop(store.remove_key(third.number, id(13)));
    commit(store, vec![insert(trunks(1), id(1), trunk("after all of that", &json!({})))]).await;
    let known = async |secret: &str| store.account_by_key(KeyDigest::of(secret)).await.unwrap().is_some();
    // Writes of several connections are not in the order in which they were asked for.
    within("the writes that nothing waits for", async {
        while !(known("key-1").await && known("key-2").await && !known("key-3").await) {
            tokio::task::yield_now().await;
        }
    })
    .await;
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
