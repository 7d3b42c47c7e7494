//! The secrets that sign callbacks.

use didww_types::Secret;
use futures_util::future::join_all;
use trunk_store::{MAX_CALLBACK_SECRETS, Store, StoreError};
use uuid::Uuid;

use crate::support::records::{account, callback_secret, id, key};

async fn created(store: &impl Store, number: u128, name: &str) -> i64 {
    store.create_account(account(number, name), key(number + 10, name)).await.unwrap().number
}

/// The ids of the secrets of an account, and of those that are enabled.
async fn ids(store: &impl Store, account: i64) -> (Vec<Uuid>, Vec<Uuid>) {
    let secrets = store.callback_secrets(account).await.unwrap();
    let enabled = secrets.iter().filter(|secret| secret.is_enabled).map(|secret| secret.id).collect();
    (secrets.iter().map(|secret| secret.id).collect(), enabled)
}

async fn enabled(store: &impl Store, account: i64) -> Option<String> {
    let secret = store.enabled_callback_secret(account).await.unwrap();
    secret.map(|secret| secret.expose().to_owned())
}

pub(super) async fn an_account_has_at_most_one_enabled_secret(store: &impl Store) {
    let (one, two) = (created(store, 1, "one").await, created(store, 2, "two").await);
    store.add_callback_secret(two, callback_secret(20, "other", true)).await.unwrap();
    assert_eq!(enabled(store, one).await, None);
    store.add_callback_secret(one, callback_secret(1, "first", true)).await.unwrap();
    store.add_callback_secret(one, callback_secret(2, "second", false)).await.unwrap();
    assert_eq!(enabled(store, one).await.as_deref(), Some("first"));
    assert_eq!(store.enable_callback_secret(one, id(2), true).await, Ok(true));
    assert_eq!(ids(store, one).await, (vec![id(1), id(2)], vec![id(2)]));
    store.add_callback_secret(one, callback_secret(3, "third", true)).await.unwrap();
    assert_eq!(ids(store, one).await, (vec![id(1), id(2), id(3)], vec![id(3)]));
    assert_eq!(store.enable_callback_secret(one, id(3), false).await, Ok(true));
    assert_eq!((enabled(store, one).await, enabled(store, two).await.as_deref()), (None, Some("other")));
}

pub(super) async fn a_secret_is_replaced_and_removed_in_its_own_account_only(store: &impl Store) {
    let (one, two) = (created(store, 1, "one").await, created(store, 2, "two").await);
    store.add_callback_secret(one, callback_secret(1, "first", true)).await.unwrap();
    let replaced = async |account, number| {
        store.replace_callback_secret(account, id(number), Secret::new("rotated")).await.unwrap()
    };
    assert_eq!((replaced(two, 1).await, replaced(one, 2).await), (false, false));
    assert_eq!(store.enable_callback_secret(two, id(1), false).await, Ok(false));
    assert_eq!(store.remove_callback_secret(two, id(1)).await, Ok(false));
    assert_eq!(enabled(store, one).await.as_deref(), Some("first"));
    assert!(replaced(one, 1).await);
    assert_eq!(enabled(store, one).await.as_deref(), Some("rotated"));
    assert_eq!(store.remove_callback_secret(one, id(1)).await, Ok(true));
    assert_eq!(store.remove_callback_secret(one, id(1)).await, Ok(false));
    assert_eq!(enabled(store, one).await, None);
}

pub(super) async fn the_secrets_of_an_account_are_bounded_and_deleted_with_it(store: &impl Store) {
    let one = created(store, 1, "one").await;
    for number in 1..=u128::from(MAX_CALLBACK_SECRETS) {
        store.add_callback_secret(one, callback_secret(number, "s", true)).await.unwrap();
    }
    let refused = store.add_callback_secret(one, callback_secret(99, "s", true)).await;
    assert_eq!(refused, Err(StoreError::Quota { kind: "callback_secrets", most: MAX_CALLBACK_SECRETS }));
    assert_eq!(ids(store, one).await.1, [id(u128::from(MAX_CALLBACK_SECRETS))], "nothing changed");
    store.reset(Some(one), false).await.unwrap();
    assert!(enabled(store, one).await.is_some(), "a reset deletes records alone");
    store.reset(Some(one), true).await.unwrap();
    assert!(store.callback_secrets(one).await.unwrap().is_empty());
    let refused = store.add_callback_secret(one, callback_secret(1, "s", true)).await;
    assert_eq!(refused, Err(StoreError::Conflict));
}

pub(super) async fn a_secret_that_is_ensured_is_enabled_and_stored_once(store: &impl Store) {
    let one = created(store, 1, "one").await;
    let ensure =
        async |number, text| store.ensure_callback_secret(one, callback_secret(number, text, false)).await;
    assert_eq!(ensure(1, "first").await, Ok(()));
    assert_eq!(ids(store, one).await, (vec![id(1)], vec![id(1)]));
    assert_eq!(ensure(2, "second").await, Ok(()));
    assert_eq!(ids(store, one).await, (vec![id(1), id(2)], vec![id(2)]));
    assert_eq!(ensure(3, "first").await, Ok(()), "it has that one");
    assert_eq!(ids(store, one).await, (vec![id(1), id(2)], vec![id(1)]));
    assert_eq!(ensure(4, "first").await, Ok(()), "and it is enabled");
    assert_eq!(ids(store, one).await, (vec![id(1), id(2)], vec![id(1)]));
    for number in 3..=u128::from(MAX_CALLBACK_SECRETS) {
        store.add_callback_secret(one, callback_secret(number, "other", false)).await.unwrap();
    }
    let full = StoreError::Quota { kind: "callback_secrets", most: MAX_CALLBACK_SECRETS };
    assert_eq!((ensure(99, "third").await, ensure(99, "second").await), (Err(full), Ok(())));
    assert_eq!(ids(store, one).await.1, [id(2)]);
    let unknown = store.ensure_callback_secret(one + 1, callback_secret(99, "third", true)).await;
    assert_eq!(unknown, Err(StoreError::Conflict));
}

/// Nodes that start at once ensure the secret that all of them are configured with.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn nodes_that_ensure_a_secret_at_once_store_one(nodes: [&impl Store; 3]) {
    for round in 0..10_u128 {
        let owner = created(nodes[0], 100 + 20 * round, &format!("account {round}")).await;
        let ensured = nodes.into_iter().zip(1_u128..).map(|(node, number)| {
            node.ensure_callback_secret(owner, callback_secret(1_000 + 10 * round + number, "same", true))
        });
        let outcomes = join_all(ensured).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let (all, enabled) = ids(nodes[1], owner).await;
        assert_eq!((all.len(), enabled), (1, all.clone()), "round {round}");
    }
}

pub(super) async fn of_secrets_that_are_enabled_at_once_one_is(store: &impl Store) {
    let one = created(store, 1, "one").await;
    let most = MAX_CALLBACK_SECRETS;
    let adds = (0..most + 5)
        .map(|number| store.add_callback_secret(one, callback_secret(u128::from(number), "s", true)));
    let outcomes = join_all(adds).await;
    let full = Err(StoreError::Quota { kind: "callback_secrets", most });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == full).count(), 5, "{outcomes:?}");
    let (all, enabled) = ids(store, one).await;
    assert_eq!((all.len() as u64, enabled.len()), (most, 1));
    let switches = all.iter().map(|id| store.enable_callback_secret(one, *id, true));
    assert!(join_all(switches).await.iter().all(|outcome| *outcome == Ok(true)));
    assert_eq!(ids(store, one).await.1.len(), 1);
}
