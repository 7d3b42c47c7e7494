//! Types whose records belong to no account.

use std::sync::Arc;

use serde_json::json;
use trunk_store::account::Account;
use trunk_store::{Accounts as _, NO_ACCOUNT, Records as _, Scope, SqliteStore, StoreError, Writes as _};

use crate::support::records::{account, commit, everything, found, id, insert, key, linked, replace};
use crate::support::regions::Regions;

async fn two_accounts() -> (Regions, SqliteStore, [i64; 2]) {
    let (regions, store) = Regions::store();
    let one = store.create_account(account(100, "one"), key(101, "secret")).await.unwrap().number;
    let two = store.create_account(account(200, "two"), key(201, "other")).await.unwrap().number;
    (regions, store, [one, two])
}

fn named(name: &str) -> serde_json::Map<String, serde_json::Value> {
    json!({ "name": name }).as_object().unwrap().clone()
}

#[tokio::test]
async fn a_record_of_a_global_type_is_kept_once_and_every_account_reads_it() {
    let (regions, store, accounts) = two_accounts().await;
    let scope = |account| Scope { account, spec: regions.countries };
    commit(&store, vec![insert(scope(accounts[0]), id(1), named("North"))]).await;
    for account in accounts.into_iter().chain([NO_ACCOUNT]) {
        assert_eq!(found(&store, scope(account), id(1)).await.id, id(1));
        assert_eq!(store.list(everything(scope(account))).await.unwrap().total, 1);
    }
    let north = found(&store, scope(accounts[1]), id(1)).await;
    commit(&store, vec![replace(scope(NO_ACCOUNT), north, named("Northland"))]).await;
    assert_eq!(found(&store, scope(accounts[0]), id(1)).await.attributes().unwrap()["name"], "Northland");
    assert_eq!(store.list(everything(scope(accounts[0]))).await.unwrap().records[0].revision, 1);
}

#[tokio::test]
async fn a_record_can_link_to_a_global_one_and_still_not_to_anothers() {
    let (regions, store, [one, two]) = two_accounts().await;
    let groups = |account| Scope { account, spec: regions.groups };
    let lines = Scope { account: two, spec: regions.lines };
    commit(&store, vec![insert(Scope { account: NO_ACCOUNT, spec: regions.countries }, id(1), named("N"))])
        .await;
    let country = || vec![("country", vec![id(1)])];
    commit(&store, vec![linked(groups(one), id(2), named("A"), country())]).await;
    commit(&store, vec![linked(groups(two), id(3), named("B"), country())]).await;
    for (account, own, others) in [(one, 2, 3), (two, 3, 2)] {
        let group = found(&store, groups(account), id(own)).await;
        let members = store.members(groups(account), vec![group.number], "country", 9).await.unwrap();
        assert_eq!(members, [(group.number, "countries".to_owned(), id(1))]);
        assert_eq!(store.find(groups(account), id(others)).await.unwrap(), None);
    }
    let foreign = linked(lines, id(4), named("C"), vec![("group", vec![id(2)])]);
    assert_eq!(store.commit(vec![foreign]).await.unwrap_err(), StoreError::Conflict);
}

#[tokio::test]
async fn a_reset_of_one_account_leaves_global_records_and_one_of_all_does_not() {
    let (regions, store, [one, two]) = two_accounts().await;
    let countries = Scope { account: two, spec: regions.countries };
    commit(&store, vec![insert(countries, id(1), named("North"))]).await;
    store.reset(Some(one), true).await.unwrap();
    assert_eq!(found(&store, countries, id(1)).await.id, id(1));
    store.reset(None, false).await.unwrap();
    assert_eq!(store.find(countries, id(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_quota_of_records_does_not_count_global_ones() {
    let (regions, store, [one, _]) = two_accounts().await;
    let unlimited = Arc::clone(&store.accounts().await.unwrap()[0]);
    let limited = Account { record_quota: Some(1), ..(*unlimited).clone() };
    store.save_account(unlimited, limited).await.unwrap();
    let insert = |spec, of| insert(Scope { account: one, spec }, id(of), named("N"));
    commit(&store, vec![insert(regions.countries, 1), insert(regions.countries, 2)]).await;
    commit(&store, vec![insert(regions.lines, 3)]).await;
    let error = store.commit(vec![insert(regions.lines, 4)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Quota { .. }), "{error}");
}
