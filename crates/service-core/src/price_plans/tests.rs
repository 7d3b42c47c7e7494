//! Plans that are stored, kept in memory and followed, in databases in memory and in files.

use didww_types::{ApiVersion, Features};
use trunk_store::account::{ApiKey, KeyDigest};
use trunk_store::{Accounts as _, Documents as _, Engine as _, SqliteStore, Writes as _};

use super::*;

const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_500);

fn rate(prefix: &str, per_minute: &str) -> AccountRate {
    AccountRate::new(prefix, per_minute.parse().unwrap())
}

/// Creates an account with this number, if the store has as many accounts.
async fn account(store: &SqliteStore, number: u128) -> Arc<Account> {
    let account = Account {
        number: 0,
        id: Uuid::from_u128(number),
        name: format!("account {number}"),
        version: ApiVersion::V2021_12_15,
        features: Features::NONE,
        rate_limit: None,
        record_quota: None,
        created_at: NOW,
    };
    let key = ApiKey {
        id: Uuid::from_u128(100 + number),
        digest: KeyDigest::of(&format!("key {number}")),
        created_at: NOW,
        addresses: None,
        environment: None,
    };
    store.create_account(account, key).await.unwrap()
}

/// Sets the rates of an account.
async fn set(store: &SqliteStore, account: &Account, rates: Option<Vec<AccountRate>>, now: Timestamp) {
    let before = stored(store, account).await.unwrap();
    let change = change(account, before.as_ref(), rates, now).unwrap();
    store.commit(vec![change]).await.unwrap();
}

/// The rate of an account's calls to a number, as text; `None` if it has no plan of its own.
fn own(plans: &PricePlans, account: &Account, number: &str) -> Option<String> {
    let plan = plans.of(account.number)?;
    let (_, rate) = plan.rates.as_ref()?.find(number.parse().unwrap())?;
    Some(rate.per_minute.to_string())
}

#[test]
fn the_rates_of_a_plan_are_some_and_each_has_its_own_digits_and_an_amount() {
    assert_eq!(check(&[rate("44", "0.01"), rate("447", "0")]), Ok(()));
    for (rates, found) in [
        (vec![], "and are 0"),
        (vec![rate("", "1")], "1 to 15 digits"),
        (vec![rate("+44", "1")], "1 to 15 digits"),
        (vec![rate("1234567890123456", "1")], "1 to 15 digits"),
        (vec![rate("44", "-0.01")], "from 0 up"),
        (vec![rate("44", "1"), rate("1", "1"), rate("44", "2")], "44 twice"),
    ] {
        let error = check(&rates).unwrap_err();
        assert!(error.contains(found), "{error}");
    }
    let many = |count: u32| (0..count).map(|number| rate(&number.to_string(), "1")).collect::<Vec<_>>();
    assert_eq!(check(&many(10_000)), Ok(()));
    assert!(check(&many(10_001)).unwrap_err().contains("are 10001"));
}

#[tokio::test]
async fn a_plan_belongs_to_its_account_until_it_is_removed() {
    let store = SqliteStore::in_memory().unwrap();
    let (first, second) = (account(&store, 1).await, account(&store, 2).await);
    let plans = PricePlans::default();
    plans.begin(&store).await.unwrap();
    assert!(plans.of(first.number).is_none());
    set(&store, &first, Some(vec![rate("44", "0.01"), rate("447", "0.02")]), NOW).await;
    plans.refresh(&store).await.unwrap();
    assert_eq!(own(&plans, &first, "447700900123").as_deref(), Some("0.02"));
    assert_eq!(own(&plans, &first, "442079460000").as_deref(), Some("0.01"));
    assert_eq!(own(&plans, &first, "12025550143"), None);
    assert!(plans.of(second.number).is_none());
    set(&store, &first, Some(vec![rate("1", "0.5")]), NOW).await;
    plans.refresh(&store).await.unwrap();
    assert_eq!(own(&plans, &first, "447700900123"), None, "the plan is replaced as a whole");
    assert_eq!(own(&plans, &first, "12025550143").as_deref(), Some("0.5"));
    set(&store, &first, None, NOW).await;
    plans.refresh(&store).await.unwrap();
    assert!(plans.of(first.number).unwrap().rates.is_none());
}

#[tokio::test]
async fn no_two_plans_of_an_account_have_the_same_second() {
    let store = SqliteStore::in_memory().unwrap();
    let owner = account(&store, 1).await;
    let mut seconds = vec![owner.created_at.as_unix_millis() / 1_000];
    for (rates, now) in [
        (Some(vec![rate("1", "1")]), NOW),
        (Some(vec![rate("1", "2")]), NOW),
        (None, NOW),
        (Some(vec![rate("1", "3")]), NOW.after(Duration::from_hours(1))),
        // The clock was set back.
        (None, NOW),
    ] {
        set(&store, &owner, rates, now).await;
        let (_, plan) = stored(&store, &owner).await.unwrap().unwrap();
        assert!(plan.changed_at >= now);
        seconds.push(plan.changed_at.as_unix_millis() / 1_000);
    }
    assert!(seconds.is_sorted_by(|earlier, later| earlier < later), "{seconds:?}");
}

#[tokio::test]
async fn plans_are_loaded_from_a_database_that_has_more_than_a_page_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plans.db");
    let count = u128::from(PER_PAGE) * 2 + 1;
    let store = SqliteStore::open(&path).unwrap();
    for number in 1..=count {
        let account = account(&store, number).await;
        set(&store, &account, Some(vec![rate("1", &format!("0.{number:03}"))]), NOW).await;
    }
    store.close().await.unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let plans = PricePlans::default();
    plans.begin(&store).await.unwrap();
    let accounts = store.accounts().await.unwrap();
    assert_eq!(accounts.len(), usize::try_from(count).unwrap());
    for account in accounts {
        let expected: Money = format!("0.{:03}", account.id.as_u128()).parse().unwrap();
        let found: Money = own(&plans, &account, "12025550143").unwrap().parse().unwrap();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_plan_ends_with_its_account_and_outlives_a_reset() {
    let store = SqliteStore::in_memory().unwrap();
    let (first, second) = (account(&store, 1).await, account(&store, 2).await);
    let plans = PricePlans::default();
    plans.begin(&store).await.unwrap();
    for account in [&first, &second] {
        set(&store, account, Some(vec![rate("1", "1")]), NOW).await;
    }
    store.reset(Some(first.number), false).await.unwrap();
    store.reset(None, false).await.unwrap();
    plans.refresh(&store).await.unwrap();
    assert!(plans.of(first.number).is_some() && plans.of(second.number).is_some());
    store.reset(Some(first.number), true).await.unwrap();
    forget(&store, first.id).await.unwrap();
    plans.refresh(&store).await.unwrap();
    assert!(plans.of(first.number).is_none() && plans.of(second.number).is_some());
    assert_eq!(store.document(KIND, first.id).await.unwrap(), None);
    store.reset(None, true).await.unwrap();
    plans.refresh(&store).await.unwrap();
    assert!(plans.of(second.number).is_none());
    assert_eq!(stored(&store, &second).await.unwrap(), None);
}

#[tokio::test]
async fn what_an_account_left_behind_is_no_plan_of_another_one_with_its_id() {
    let store = SqliteStore::in_memory().unwrap();
    let before = account(&store, 1).await;
    set(&store, &before, Some(vec![rate("1", "1")]), NOW).await;
    store.reset(Some(before.number), true).await.unwrap();
    let after = account(&store, 1).await;
    assert_ne!(after.number, before.number);
    let (_, plan) = stored(&store, &after).await.unwrap().unwrap();
    assert_eq!(plan.rates, None);
    let plans = PricePlans::default();
    plans.begin(&store).await.unwrap();
    assert!(plans.of(after.number).is_none());
    set(&store, &after, Some(vec![rate("1", "2")]), NOW).await;
    plans.refresh(&store).await.unwrap();
    assert_eq!(own(&plans, &after, "12025550143").as_deref(), Some("2"));
}

#[tokio::test]
async fn what_is_no_plan_is_not_charged_by() {
    let store = SqliteStore::in_memory().unwrap();
    let owner = account(&store, 1).await;
    let Change::Put { mut document, .. } = change(&owner, None, None, NOW).unwrap() else {
        panic!("a plan is a document")
    };
    for body in [
        "{}",
        r#"{"account":1,"rates":[{"prefix":"x","per_minute":"1"}],"changed_at":"2026-11-29T12:00:00.000Z"}"#,
    ] {
        body.clone_into(&mut document.body);
        let store = SqliteStore::in_memory().unwrap();
        store.commit(vec![Change::Put { revision: None, document: document.clone() }]).await.unwrap();
        let error = PricePlans::default().begin(&store).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    }
}

#[tokio::test]
async fn changes_are_applied_without_a_reader() {
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let owner = account(&store, 1).await;
    let plans = Arc::new(PricePlans::default());
    plans.begin(&*store).await.unwrap();
    let task = tokio::spawn({
        let (plans, store) = (Arc::clone(&plans), Arc::clone(&store));
        async move { plans.run(&*store).await }
    });
    set(&store, &owner, Some(vec![rate("1", "1")]), NOW).await;
    let applied = async {
        while plans.of(owner.number).is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), applied).await.unwrap();
    task.abort();
}
