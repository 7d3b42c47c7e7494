//! When events are due, in which order owners take turns, and which events are dropped.

use std::time::Duration;

use super::due::{DUE_OWNERS, FIRST_EVENTS, FOLLOWING_EVENTS, NEXT_DUE};
use super::queue::{DELETE_FINISHED, MARK_FIRST, UPDATE_BACKLOG};
use super::surplus::{DROP_OLDEST, OVERFULL_CUSTOMERS, WAITING_CUSTOMERS};
use super::*;
use crate::sqlite::plan::assert_seeks;
use crate::{Bounds, Change, Dropped, Due, PendingEvent, SqliteStore, Store as _, Surplus};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn emit(account: i64, subject: u128) -> Change {
    event(EventForm::Trunk { account }, subject)
}

fn webhook(customer: u128, subject: u128) -> Change {
    let customer = Uuid::from_u128(customer);
    let signature = Some("sha256=00".to_owned());
    event(EventForm::Webhook { customer, method: "PUT".to_owned(), signature }, subject)
}

fn event(form: EventForm, subject: u128) -> Change {
    Change::Emit(Box::new(NewEvent {
        form,
        subject: Uuid::from_u128(subject),
        url: "http://example.com/".to_owned(),
        body: "{}".to_owned(),
        created_at: at(1_000),
    }))
}

fn failed_until(number: i64, subject: u128, again_at: Option<Timestamp>) -> Attempted {
    let delivery = Delivery {
        owner: Owner::Account(1),
        subject: Uuid::from_u128(subject),
        url: String::new(),
        events: 1,
        attempt: 1,
        at: at(1_000),
        status: None,
        error: Some("no".to_owned()),
    };
    Attempted { numbers: vec![number], delivery, again_at }
}

async fn due(store: &SqliteStore, now: i64, limit: u64) -> Vec<i64> {
    due_of(store, Due { now: at(now), limit, of_owner: limit }).await
}

async fn due_of(store: &SqliteStore, due: Due) -> Vec<i64> {
    let due: Vec<PendingEvent> = store.due_events(due).await.unwrap();
    due.iter().map(|pending| pending.number).collect()
}

#[tokio::test]
async fn an_event_behind_a_waiting_one_of_its_subject_is_not_due() {
    let store = SqliteStore::in_memory().unwrap();
    store.commit(vec![emit(1, 7), emit(1, 7), emit(1, 8)]).await.unwrap();
    assert!(due(&store, 999, 9).await.is_empty());
    assert_eq!(due(&store, 1_000, 9).await, [1, 2, 3]);
    store.attempted(failed_until(1, 7, Some(at(5_000)))).await.unwrap();
    assert_eq!(due(&store, 4_999, 9).await, [3]);
    assert_eq!(store.next_due(at(4_999)).await.unwrap(), Some(at(5_000)));
    assert_eq!(due(&store, 5_000, 9).await, [1, 2, 3]);
    assert_eq!(store.next_due(at(5_000)).await.unwrap(), None);
    store.attempted(failed_until(1, 7, None)).await.unwrap();
    assert_eq!(due(&store, 5_000, 9).await, [2, 3]);
}

#[tokio::test]
async fn a_long_queue_hides_neither_another_subject_nor_another_account() {
    let store = SqliteStore::in_memory().unwrap();
    let mut changes: Vec<Change> = (0..150).map(|_| emit(1, 7)).collect();
    changes.extend([emit(1, 8), emit(2, 9)]);
    store.commit(changes).await.unwrap();
    assert_eq!(due(&store, 1_000, 2).await, [1, 152]);
    let seen = due(&store, 1_000, 1_000).await;
    assert_eq!(seen.len(), 102);
    assert!(seen.contains(&100) && !seen.contains(&101) && seen.contains(&151));
}

#[tokio::test]
async fn an_attempt_at_an_event_that_a_reset_deleted_does_not_change_its_successor() {
    let store = SqliteStore::in_memory().unwrap();
    store.commit(vec![emit(1, 7)]).await.unwrap();
    store.reset(Some(1), false).await.unwrap();
    assert!(due(&store, 1_000, 9).await.is_empty());
    store.commit(vec![emit(1, 8)]).await.unwrap();
    store.attempted(failed_until(1, 7, None)).await.unwrap();
    assert_eq!(due(&store, 1_000, 9).await, [1]);
}

#[tokio::test]
async fn a_webhook_is_stored_with_its_method_and_signature() {
    let store = SqliteStore::in_memory().unwrap();
    store.commit(vec![webhook(5, 7), emit(1, 8)]).await.unwrap();
    let due = store.due_events(Due { now: at(1_000), limit: 9, of_owner: 9 }).await.unwrap();
    let (customer, method) = (Uuid::from_u128(5), "PUT".to_owned());
    let stored = EventForm::Webhook { customer, method, signature: Some("sha256=00".to_owned()) };
    assert_eq!(
        due.iter().map(|due| &due.event.form).collect::<Vec<_>>(),
        [&stored, &EventForm::Trunk { account: 1 }]
    );
}

#[tokio::test]
async fn customers_take_turns_with_each_other_and_with_accounts() {
    let store = SqliteStore::in_memory().unwrap();
    let queue = (10..60).map(|subject| webhook(5, subject));
    store.commit(queue.chain([webhook(6, 7), emit(1, 8)]).collect()).await.unwrap();
    assert_eq!(due(&store, 1_000, 4).await, [1, 51, 52, 2]);
}

#[tokio::test]
async fn a_reset_of_an_account_leaves_customers_alone_and_one_of_everything_does_not() {
    let store = SqliteStore::in_memory().unwrap();
    store.commit(vec![emit(1, 7), webhook(5, 8)]).await.unwrap();
    store.attempted(failed_until(1, 7, Some(at(5_000)))).await.unwrap();
    let mut of_customer = failed_until(2, 8, Some(at(1_000)));
    of_customer.delivery.owner = Owner::Customer(Uuid::from_u128(5));
    store.attempted(of_customer).await.unwrap();
    let owners = async |owner| {
        let found = store.deliveries(owner, 9).await.unwrap();
        found.iter().map(|delivery| delivery.owner).collect::<Vec<_>>()
    };
    let (account, customer) = (Owner::Account(1), Owner::Customer(Uuid::from_u128(5)));
    assert_eq!(owners(None).await, [customer, account]);
    assert_eq!((owners(Some(account)).await, owners(Some(customer)).await), (vec![account], vec![customer]));
    assert!(owners(Some(Owner::Customer(Uuid::nil()))).await.is_empty());
    store.reset(Some(1), true).await.unwrap();
    assert_eq!((due(&store, 5_000, 9).await, owners(None).await), (vec![2], vec![customer]));
    store.reset(None, false).await.unwrap();
    assert!(due(&store, 5_000, 9).await.is_empty() && owners(None).await.is_empty());
}

#[tokio::test]
async fn of_a_customers_call_the_first_event_is_due_and_the_others_take_their_turns() {
    let store = SqliteStore::in_memory().unwrap();
    store.commit(vec![webhook(5, 7), webhook(5, 7), webhook(5, 8), webhook(5, 7)]).await.unwrap();
    let deliver = async |number: i64| {
        let mut delivered = failed_until(number, 7, None);
        delivered.delivery.owner = Owner::Customer(Uuid::from_u128(5));
        delivered.delivery.error = None;
        store.attempted(delivered).await.unwrap();
    };
    assert_eq!(due(&store, 1_000, 9).await, [1, 3]);
    deliver(1).await;
    assert_eq!(due(&store, 1_000, 9).await, [2, 3]);
    // An attempt that is recorded twice counts once.
    deliver(1).await;
    deliver(2).await;
    assert_eq!(due(&store, 1_000, 9).await, [3, 4]);
    deliver(4).await;
    assert_eq!(due(&store, 1_000, 9).await, [3]);
    store.commit(vec![webhook(5, 7)]).await.unwrap();
    assert_eq!(due(&store, 1_000, 9).await, [3, 5]);
    assert_eq!(store.backlog(None).await.unwrap(), Backlog { waiting: 2, dropped: 0 });
}

#[tokio::test]
async fn of_one_owner_no_more_subjects_are_due_than_are_asked_for() {
    let store = SqliteStore::in_memory().unwrap();
    let queue = |owner, from| (from..from + 9).map(move |subject| webhook(owner, subject));
    store.commit(queue(5, 10).chain(queue(6, 30)).collect()).await.unwrap();
    let of = |limit, of_owner| Due { now: at(1_000), limit, of_owner };
    assert_eq!(due_of(&store, of(99, 2)).await, [1, 10, 2, 11]);
    assert_eq!(due_of(&store, of(3, 2)).await, [1, 10, 2]);
    assert_eq!(due_of(&store, of(1, 2)).await, [1]);
}

fn bounds(most: u64, before: i64) -> Bounds {
    Bounds { most, before: at(before) }
}

fn dropped(customer: u128, events: u64, why: Surplus) -> Dropped {
    Dropped { customer: Uuid::from_u128(customer), events, why }
}

#[tokio::test]
async fn an_event_over_the_bound_drops_the_oldest_one_of_the_same_customer_only() {
    let store = SqliteStore::in_memory().unwrap();
    store.commit((0..9).map(|_| emit(1, 8)).collect()).await.unwrap();
    store.commit(vec![webhook(5, 7), webhook(6, 9), webhook(5, 7), webhook(5, 10)]).await.unwrap();
    assert!(!store.is_overfull(3).await.unwrap());
    assert_eq!(store.drop_surplus(bounds(3, 0), 99).await.unwrap(), []);
    store.commit(vec![webhook(5, 7)]).await.unwrap();
    assert!(store.is_overfull(3).await.unwrap());
    let gone = store.drop_surplus(bounds(3, 0), 99).await.unwrap();
    assert_eq!(gone, [dropped(5, 1, Surplus::TooMany)]);
    assert!(!store.is_overfull(3).await.unwrap());
    // The next event of the same call takes its place, and the events of accounts are unchanged.
    let of = Due { now: at(1_000), limit: 99, of_owner: 99 };
    assert_eq!(due_of(&store, of).await, [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13]);
    let backlog = async |owner| store.backlog(owner).await.unwrap();
    let customer = |number| Some(Owner::Customer(Uuid::from_u128(number)));
    assert_eq!(backlog(customer(5)).await, Backlog { waiting: 3, dropped: 1 });
    assert_eq!(backlog(customer(6)).await, Backlog { waiting: 1, dropped: 0 });
    assert_eq!(backlog(Some(Owner::Account(1))).await, Backlog { waiting: 9, dropped: 0 });
    assert_eq!(backlog(None).await, Backlog { waiting: 13, dropped: 1 });
    assert_eq!(backlog(customer(7)).await, Backlog::default());
    store.reset(Some(1), false).await.unwrap();
    assert_eq!(backlog(None).await, Backlog { waiting: 4, dropped: 1 });
    store.reset(None, false).await.unwrap();
    assert_eq!(backlog(None).await, Backlog::default());
}

#[tokio::test]
async fn events_that_waited_too_long_are_dropped_and_younger_ones_are_not() {
    let store = SqliteStore::in_memory().unwrap();
    let mut young = webhook(5, 7);
    if let Change::Emit(event) = &mut young {
        event.created_at = at(2_000);
    }
    store.commit(vec![webhook(5, 7), webhook(5, 7), young, webhook(6, 9), emit(1, 8)]).await.unwrap();
    assert_eq!(store.drop_surplus(bounds(u64::MAX, 1_000), 99).await.unwrap(), []);
    let gone = store.drop_surplus(bounds(u64::MAX, 1_001), 99).await.unwrap();
    assert_eq!(gone, [dropped(5, 2, Surplus::TooOld), dropped(6, 1, Surplus::TooOld)]);
    assert_eq!(due(&store, 2_000, 9).await, [3, 5]);
}

#[tokio::test]
async fn a_long_queue_is_dropped_a_little_at_a_time_and_by_a_hundredth_at_least() {
    let store = SqliteStore::in_memory().unwrap();
    store.commit((0..1_001).map(|call| webhook(5, call)).collect()).await.unwrap();
    for left in [997, 993] {
        let gone = store.drop_surplus(bounds(left, 0), 4).await.unwrap();
        assert_eq!(gone, [dropped(5, 4, Surplus::TooMany)]);
    }
    let gone = store.drop_surplus(bounds(992, 0), 99).await.unwrap();
    assert_eq!(gone, [dropped(5, 9, Surplus::TooMany)]);
    assert_eq!(store.backlog(None).await.unwrap(), Backlog { waiting: 984, dropped: 17 });
}

#[tokio::test]
async fn an_attempt_at_an_event_that_was_dropped_meanwhile_does_not_change_it() {
    let store = SqliteStore::in_memory().unwrap();
    store.commit(vec![webhook(5, 7), webhook(5, 7)]).await.unwrap();
    store.drop_surplus(bounds(1, 0), 9).await.unwrap();
    for again_at in [Some(at(9_000)), None] {
        let mut attempted = failed_until(1, 7, again_at);
        attempted.delivery.owner = Owner::Customer(Uuid::from_u128(5));
        store.attempted(attempted).await.unwrap();
        assert_eq!(due(&store, 1_000, 9).await, [2]);
        assert_eq!(store.backlog(None).await.unwrap(), Backlog { waiting: 1, dropped: 1 });
    }
}

#[test]
fn no_statement_of_the_outbox_scans_the_waiting_events() {
    let store = SqliteStore::in_memory().unwrap();
    store
        .connections
        .read(|connection| {
            for (sql, index) in [
                (DUE_OWNERS, "backlog_due"),
                (FIRST_EVENTS, "outbox_turn"),
                (FOLLOWING_EVENTS, "outbox_queue"),
                (NEXT_DUE, "outbox_due"),
                (INSERT, "outbox_queue"),
                (MARK_FIRST, "outbox_queue"),
                (RECORD_ATTEMPT, "PRIMARY KEY"),
                (UPDATE_BACKLOG, "outbox_turn"),
                (DELETE_FINISHED, "outbox_over"),
                (OVERFULL_CUSTOMERS, "backlog_longest"),
                (WAITING_CUSTOMERS, "backlog"),
                (DROP_OLDEST, "outbox_oldest"),
            ] {
                assert_seeks(connection, sql, index);
            }
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nothing_wait_longer() {
    let store = SqliteStore::in_memory().unwrap();
    store.commit(vec![emit(1, 7), emit(1, 7), emit(2, 8), webhook(5, 9)]).await.unwrap();
    store.attempted(failed_until(1, 7, Some(at(61_000)))).await.unwrap();
    // From 1,000 to 400: events that were due stay due, and an event that had 60 seconds to wait still has 60 seconds.
    store.set_back(at(400), Duration::from_millis(600)).await.unwrap();
    assert_eq!(due(&store, 400, 9).await, [3, 4]);
    assert_eq!(store.next_due(at(400)).await.unwrap(), Some(at(60_400)));
    assert_eq!(due(&store, 60_400, 9).await.len(), 4);
}
