//! The outbox: when events are due, in which order owners take turns, and which events are dropped.
//!
//! Events are distinguished by a label in their bodies: numbers are the engine's own.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use didww_types::Timestamp;
use futures_util::future::{join, join_all};
use trunk_store::{
    Attempted, Backlog, Bounds, Change, Delivery, Dropped, Due, EventForm, Events, NewEvent, Owner,
    PendingEvent, StatusMethod, Store, Surplus,
};
use uuid::Uuid;

use crate::support::records::{account as account_named, callback_secret, id, key};

const NODE: i64 = 1;
const OTHER_NODE: i64 = 2;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

/// Creates accounts 1 and 2, each with an enabled callback secret: without one, events of trunks are not stored.
async fn callbacks_are_signed(store: &impl Store) {
    for number in 1_u8..=2 {
        let name = format!("account {number}");
        let key = key(u128::from(number) + 90, &name);
        let created = store.create_account(account_named(number.into(), &name), key).await.unwrap();
        assert_eq!(created.number, i64::from(number));
        store.add_callback_secret(created.number, callback_secret(number.into(), "s", true)).await.unwrap();
    }
}

/// An event of an account's trunk.
fn emit(account: i64, trunk: u128, label: u32) -> Change {
    event(EventForm::Trunk { account }, trunk, label)
}

/// An event of a customer's call.
fn webhook(customer: u128, call: u128, label: u32) -> Change {
    let signature = Some("sha256=00".to_owned());
    event(EventForm::Webhook { customer: id(customer), method: "PUT".to_owned(), signature }, call, label)
}

fn event(form: EventForm, subject: u128, label: u32) -> Change {
    Change::Emit(Box::new(NewEvent {
        form,
        subject: id(subject),
        url: "http://example.com/".to_owned(),
        body: label.to_string(),
        created_at: at(1_000),
    }))
}

fn account(number: i64) -> Owner {
    Owner::Account(number)
}

fn customer(number: u128) -> Owner {
    Owner::Customer(id(number))
}

/// An attempt at an event that failed, and is repeated or given up.
fn failed(event: &PendingEvent, again_at: Option<i64>) -> Attempted {
    let delivery = Delivery {
        owner: event.event.form.owner(),
        subject: event.event.subject,
        url: String::new(),
        events: 1,
        attempt: 1,
        at: at(1_000),
        status: None,
        error: Some("no".to_owned()),
    };
    Attempted { numbers: vec![event.number], delivery, again_at: again_at.map(at) }
}

fn delivered(event: &PendingEvent) -> Attempted {
    let mut delivered = failed(event, None);
    delivered.delivery.error = None;
    delivered
}

/// The events that are due for a node, under a lease of 1,000 ms.
async fn due_as(store: &impl Events, node: i64, now: i64) -> Vec<PendingEvent> {
    let due = Due { node, now: at(now), until: at(now + 1_000), limit: 1_000, of_owner: 1_000 };
    store.due_events(due).await.unwrap()
}

async fn due_at(store: &impl Events, now: i64) -> Vec<PendingEvent> {
    due_as(store, NODE, now).await
}

fn labels(events: &[PendingEvent]) -> Vec<u32> {
    events.iter().map(|pending| pending.event.body.parse().unwrap()).collect()
}

async fn due(store: &impl Events, now: i64) -> Vec<u32> {
    labels(&due_at(store, now).await)
}

async fn due_of(store: &impl Events, limit: u64, of_owner: u64) -> Vec<u32> {
    let due = Due { node: NODE, now: at(1_000), until: at(2_000), limit, of_owner };
    labels(&store.due_events(due).await.unwrap())
}

/// The due event with a label.
async fn pending(store: &impl Events, now: i64, label: u32) -> PendingEvent {
    let wanted = label.to_string();
    due_at(store, now).await.into_iter().find(|pending| pending.event.body == wanted).unwrap()
}

pub(super) async fn an_event_behind_a_waiting_one_of_its_subject_is_not_due(store: &impl Store) {
    callbacks_are_signed(store).await;
    store.commit(vec![emit(1, 7, 1), emit(1, 7, 2), emit(1, 8, 3)]).await.unwrap();
    assert!(due(store, 999).await.is_empty());
    assert_eq!(due(store, 1_000).await, [1, 2, 3]);
    let first = pending(store, 1_000, 1).await;
    assert_eq!(first.attempts, 0);
    store.attempted(NODE, failed(&first, Some(5_000))).await.unwrap();
    assert_eq!(due(store, 4_999).await, [3]);
    assert_eq!(store.next_due(at(4_999)).await.unwrap(), Some(at(5_000)));
    assert_eq!(due(store, 5_000).await, [1, 2, 3]);
    assert_eq!(store.next_due(at(5_000)).await.unwrap(), None);
    assert_eq!(pending(store, 5_000, 1).await.attempts, 1);
    store.attempted(NODE, failed(&first, None)).await.unwrap();
    assert_eq!(due(store, 5_000).await, [2, 3]);
}

pub(super) async fn a_long_queue_hides_neither_another_subject_nor_another_account(store: &impl Store) {
    callbacks_are_signed(store).await;
    let mut changes: Vec<Change> = (1..=150).map(|label| emit(1, 7, label)).collect();
    changes.extend([emit(1, 8, 151), emit(2, 9, 152)]);
    store.commit(changes).await.unwrap();
    assert_eq!(due_of(store, 2, 2).await, [1, 152]);
    let seen = due(store, 1_000).await;
    assert_eq!(seen.len(), 102);
    assert!(seen.contains(&100) && !seen.contains(&101) && seen.contains(&151));
}

pub(super) async fn an_attempt_at_an_event_that_a_reset_deleted_does_not_change_its_successor(
    store: &impl Store,
) {
    callbacks_are_signed(store).await;
    store.commit(vec![emit(1, 7, 1)]).await.unwrap();
    let deleted = pending(store, 1_000, 1).await;
    store.reset(Some(1), false).await.unwrap();
    assert!(due(store, 1_000).await.is_empty());
    store.commit(vec![emit(1, 8, 2)]).await.unwrap();
    store.attempted(NODE, failed(&deleted, None)).await.unwrap();
    assert_eq!(due(store, 1_000).await, [2]);
}

pub(super) async fn a_webhook_is_stored_with_its_method_and_signature(store: &impl Store) {
    callbacks_are_signed(store).await;
    let status = |method, subject, label| event(EventForm::Status { account: 1, method }, subject, label);
    let changes =
        [webhook(5, 7, 1), emit(1, 8, 2), status(StatusMethod::Get, 9, 3), status(StatusMethod::Post, 10, 4)];
    store.commit(changes.to_vec()).await.unwrap();
    let mut stored: Vec<NewEvent> =
        due_at(store, 1_000).await.into_iter().map(|pending| pending.event).collect();
    stored.sort_by_key(|event| event.subject);
    let emitted = changes.map(|change| match change {
        Change::Emit(event) => *event,
        other => panic!("{other:?}"),
    });
    assert_eq!(stored, emitted);
}

pub(super) async fn customers_take_turns_with_each_other_and_with_accounts(store: &impl Store) {
    callbacks_are_signed(store).await;
    let queue = (1..=50).map(|label| webhook(5, u128::from(label) + 10, label));
    store.commit(queue.chain([webhook(6, 7, 51), emit(1, 8, 52)]).collect()).await.unwrap();
    assert_eq!(due_of(store, 4, 4).await, [1, 51, 52, 2]);
}

pub(super) async fn a_reset_of_an_account_leaves_customers_alone_and_one_of_everything_does_not(
    store: &impl Store,
) {
    callbacks_are_signed(store).await;
    store.commit(vec![emit(1, 7, 1), webhook(5, 8, 2)]).await.unwrap();
    store.attempted(NODE, failed(&pending(store, 1_000, 1).await, Some(5_000))).await.unwrap();
    store.attempted(NODE, failed(&pending(store, 1_000, 2).await, Some(1_000))).await.unwrap();
    let owners = async |owner| {
        let found = store.deliveries(owner, 9).await.unwrap();
        found.iter().map(|delivery| delivery.owner).collect::<Vec<_>>()
    };
    assert_eq!(owners(None).await, [customer(5), account(1)], "the newest attempt comes first");
    assert_eq!(owners(Some(account(1))).await, [account(1)]);
    assert_eq!(owners(Some(customer(5))).await, [customer(5)]);
    assert!(owners(Some(customer(0))).await.is_empty());
    store.reset(Some(1), true).await.unwrap();
    assert_eq!((due(store, 5_000).await, owners(None).await), (vec![2], vec![customer(5)]));
    store.reset(None, false).await.unwrap();
    assert!(due(store, 5_000).await.is_empty() && owners(None).await.is_empty());
}

pub(super) async fn of_a_customers_call_the_first_event_is_due_and_the_others_take_their_turns(
    store: &impl Store,
) {
    store.commit(vec![webhook(5, 7, 1), webhook(5, 7, 2), webhook(5, 8, 3), webhook(5, 7, 4)]).await.unwrap();
    assert_eq!(due(store, 1_000).await, [1, 3]);
    let first = pending(store, 1_000, 1).await;
    store.attempted(NODE, delivered(&first)).await.unwrap();
    assert_eq!(due(store, 1_000).await, [2, 3]);
    // An attempt that is recorded twice counts once.
    store.attempted(NODE, delivered(&first)).await.unwrap();
    store.attempted(NODE, delivered(&pending(store, 1_000, 2).await)).await.unwrap();
    assert_eq!(due(store, 1_000).await, [3, 4]);
    store.attempted(NODE, delivered(&pending(store, 1_000, 4).await)).await.unwrap();
    assert_eq!(due(store, 1_000).await, [3]);
    store.commit(vec![webhook(5, 7, 5)]).await.unwrap();
    assert_eq!(due(store, 1_000).await, [3, 5]);
    assert_eq!(store.backlog(None).await.unwrap(), Backlog { waiting: 2, dropped: 0 });
}

pub(super) async fn of_one_owner_no_more_subjects_are_due_than_are_asked_for(store: &impl Store) {
    let queue = |owner: u128, from: u32| {
        (from..from + 9).map(move |label| webhook(owner, owner * 100 + u128::from(label), label))
    };
    store.commit(queue(5, 1).chain(queue(6, 10)).collect()).await.unwrap();
    assert_eq!(due_of(store, 99, 2).await, [1, 10, 2, 11]);
    assert_eq!(due_of(store, 3, 2).await, [1, 10, 2]);
    assert_eq!(due_of(store, 1, 2).await, [1]);
}

fn bounds(most: u64, before: i64) -> Bounds {
    Bounds { most, before: at(before) }
}

fn dropped(customer: u128, events: u64, why: Surplus) -> Dropped {
    Dropped { customer: id(customer), events, why }
}

pub(super) async fn an_event_over_the_bound_drops_the_oldest_one_of_the_same_customer_only(
    store: &impl Store,
) {
    callbacks_are_signed(store).await;
    store.commit((1..=9).map(|label| emit(1, 8, label)).collect()).await.unwrap();
    let queue = vec![webhook(5, 7, 10), webhook(6, 9, 11), webhook(5, 7, 12), webhook(5, 10, 13)];
    store.commit(queue).await.unwrap();
    assert!(!store.is_overfull(3).await.unwrap());
    assert_eq!(store.drop_surplus(bounds(3, 0), 99).await.unwrap(), []);
    store.commit(vec![webhook(5, 7, 14)]).await.unwrap();
    assert!(store.is_overfull(3).await.unwrap());
    let gone = store.drop_surplus(bounds(3, 0), 99).await.unwrap();
    assert_eq!(gone, [dropped(5, 1, Surplus::TooMany)]);
    assert!(!store.is_overfull(3).await.unwrap());
    // The next event of the same call takes its place, and the events of accounts are unchanged.
    assert_eq!(due(store, 1_000).await, [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13]);
    let backlog = async |owner| store.backlog(owner).await.unwrap();
    assert_eq!(backlog(Some(customer(5))).await, Backlog { waiting: 3, dropped: 1 });
    assert_eq!(backlog(Some(customer(6))).await, Backlog { waiting: 1, dropped: 0 });
    assert_eq!(backlog(Some(account(1))).await, Backlog { waiting: 9, dropped: 0 });
    assert_eq!(backlog(None).await, Backlog { waiting: 13, dropped: 1 });
    assert_eq!(backlog(Some(customer(7))).await, Backlog::default());
    store.reset(Some(1), false).await.unwrap();
    assert_eq!(backlog(None).await, Backlog { waiting: 4, dropped: 1 });
    store.reset(None, false).await.unwrap();
    assert_eq!(backlog(None).await, Backlog::default());
}

pub(super) async fn events_that_waited_too_long_are_dropped_and_younger_ones_are_not(store: &impl Store) {
    callbacks_are_signed(store).await;
    let mut young = webhook(5, 7, 3);
    if let Change::Emit(event) = &mut young {
        event.created_at = at(2_000);
    }
    let old = [webhook(5, 7, 1), webhook(5, 7, 2)];
    store.commit(old.into_iter().chain([young, webhook(6, 9, 4), emit(1, 8, 5)]).collect()).await.unwrap();
    assert_eq!(store.drop_surplus(bounds(u64::MAX, 1_000), 99).await.unwrap(), []);
    let gone = store.drop_surplus(bounds(u64::MAX, 1_001), 99).await.unwrap();
    assert_eq!(gone, [dropped(5, 2, Surplus::TooOld), dropped(6, 1, Surplus::TooOld)]);
    assert_eq!(due(store, 2_000).await, [3, 5]);
}

pub(super) async fn a_long_queue_is_dropped_a_little_at_a_time_and_by_a_hundredth_at_least(
    store: &impl Store,
) {
    store.commit((0..1_001).map(|label| webhook(5, label.into(), label)).collect()).await.unwrap();
    for left in [997, 993] {
        let gone = store.drop_surplus(bounds(left, 0), 4).await.unwrap();
        assert_eq!(gone, [dropped(5, 4, Surplus::TooMany)]);
    }
    let gone = store.drop_surplus(bounds(992, 0), 99).await.unwrap();
    assert_eq!(gone, [dropped(5, 9, Surplus::TooMany)]);
    assert_eq!(store.backlog(None).await.unwrap(), Backlog { waiting: 984, dropped: 17 });
}

pub(super) async fn a_failed_attempt_that_is_recorded_again_counts_once(store: &impl Store) {
    callbacks_are_signed(store).await;
    store.commit(vec![emit(1, 7, 1), emit(1, 7, 2)]).await.unwrap();
    let numbers: Vec<i64> = due_at(store, 1_000).await.iter().map(|event| event.number).collect();
    for (attempt, now) in [(1, 1_000), (2, 5_000)] {
        let first = due_at(store, now).await.remove(0);
        let mut failed = failed(&first, Some(now + 4_000));
        (failed.numbers, failed.delivery.attempt) = (numbers.clone(), attempt);
        for _ in 0..2 {
            store.attempted(NODE, failed.clone()).await.unwrap();
        }
        let counted: Vec<u32> = due_at(store, now + 4_000).await.iter().map(|event| event.attempts).collect();
        assert_eq!(counted, [attempt; 2]);
    }
}

pub(super) async fn an_attempt_at_an_event_that_was_dropped_meanwhile_does_not_change_it(store: &impl Store) {
    store.commit(vec![webhook(5, 7, 1), webhook(5, 7, 2)]).await.unwrap();
    let first = pending(store, 1_000, 1).await;
    store.drop_surplus(bounds(1, 0), 9).await.unwrap();
    for again_at in [Some(9_000), None] {
        store.attempted(NODE, failed(&first, again_at)).await.unwrap();
        assert_eq!(due(store, 1_000).await, [2]);
        assert_eq!(store.backlog(None).await.unwrap(), Backlog { waiting: 1, dropped: 1 });
    }
}

pub(super) async fn a_clock_that_is_set_back_makes_nothing_wait_longer(store: &impl Store) {
    callbacks_are_signed(store).await;
    store.commit(vec![emit(1, 7, 1), emit(1, 7, 2), emit(2, 8, 3), webhook(5, 9, 4)]).await.unwrap();
    store.attempted(NODE, failed(&pending(store, 1_000, 1).await, Some(61_000))).await.unwrap();
    // From 1,000 to 400: events that were due stay due, and an event that had 60 seconds to wait still has 60 seconds.
    store.set_back(at(400), Duration::from_millis(600)).await.unwrap();
    assert_eq!(due(store, 400).await, [3, 4]);
    assert_eq!(store.next_due(at(400)).await.unwrap(), Some(at(60_400)));
    assert_eq!(due(store, 60_400).await.len(), 4);
}

pub(super) async fn an_event_of_an_account_without_an_enabled_secret_is_dropped(store: &impl Store) {
    callbacks_are_signed(store).await;
    store.enable_callback_secret(1, id(1), false).await.unwrap();
    store.commit(vec![emit(1, 7, 1), emit(2, 8, 2), webhook(5, 9, 3)]).await.unwrap();
    assert_eq!(due(store, 1_000).await, [2, 3]);
    store.enable_callback_secret(1, id(1), true).await.unwrap();
    assert_eq!(due(store, 1_000).await, [2, 3], "nothing is sent later");
    let backlog = async |owner| store.backlog(Some(owner)).await.unwrap();
    assert_eq!(backlog(account(1)).await, Backlog { waiting: 0, dropped: 1 });
    assert_eq!(backlog(account(2)).await, Backlog { waiting: 1, dropped: 0 });
    store.commit(vec![emit(1, 7, 4)]).await.unwrap();
    assert_eq!(due(store, 1_000).await, [2, 3, 4]);
}

pub(super) async fn a_subject_is_sent_by_one_node_until_its_lease_runs_out(store: &impl Store) {
    callbacks_are_signed(store).await;
    let events = vec![emit(1, 7, 1), emit(1, 7, 2), webhook(5, 8, 3), webhook(5, 8, 4), webhook(6, 9, 5)];
    store.commit(events).await.unwrap();
    let one = due_as(store, NODE, 1_000).await;
    assert_eq!(labels(&one), [1, 2, 3, 5]);
    let other = async |now| labels(&due_as(store, OTHER_NODE, now).await);
    assert_eq!(other(1_999).await, [0; 0], "the first node holds all of them");
    assert_eq!(labels(&due_as(store, NODE, 1_500).await), [1, 2, 3, 5], "and gets them again, until 2,500");
    store.attempted(NODE, delivered(&one[2])).await.unwrap();
    assert_eq!(
        other(2_400).await,
        [4],
        "an attempt ends the lease, and whoever asks first gets the next event"
    );
    assert_eq!(labels(&due_as(store, NODE, 2_400).await), [1, 2, 5]);
    // The first node does nothing any more.
    let taken = due_as(store, OTHER_NODE, 3_400).await;
    assert_eq!(labels(&taken), [1, 2, 4, 5], "each subject begins with what is not delivered");
    assert_eq!(due_as(store, NODE, 3_500).await, []);
}

pub(super) async fn an_attempt_of_a_node_that_lost_its_lease_changes_nothing(store: &impl Store) {
    store.commit(vec![webhook(5, 7, 1), webhook(5, 7, 2)]).await.unwrap();
    let [late] = due_as(store, NODE, 1_000).await.try_into().unwrap();
    let [taken] = due_as(store, OTHER_NODE, 2_000).await.try_into().unwrap();
    assert_eq!(taken, late);
    for attempted in [delivered(&late), failed(&late, Some(9_000)), failed(&late, None)] {
        store.attempted(NODE, attempted).await.unwrap();
        assert_eq!(due_as(store, OTHER_NODE, 2_000).await, std::slice::from_ref(&taken));
        assert_eq!(due_as(store, NODE, 2_000).await, []);
    }
    assert_eq!(store.deliveries(None, 9).await.unwrap().len(), 3, "they are in the history");
    store.attempted(OTHER_NODE, delivered(&taken)).await.unwrap();
    assert_eq!(labels(&due_as(store, NODE, 2_000).await), [2]);
    assert_eq!(store.backlog(None).await.unwrap(), Backlog { waiting: 1, dropped: 0 });
}

pub(super) async fn a_lease_ends_no_later_when_the_clock_was_set_back(store: &impl Store) {
    store.commit(vec![webhook(5, 7, 1)]).await.unwrap();
    assert_eq!(due_as(store, NODE, 9_000).await.len(), 1);
    // From 9,400 to 1,400: 600 ms of the lease were left.
    store.set_back(at(1_400), Duration::from_secs(8)).await.unwrap();
    assert_eq!(due_as(store, OTHER_NODE, 1_999).await, []);
    assert_eq!(due_as(store, OTHER_NODE, 2_000).await.len(), 1);
}

pub(super) async fn events_of_a_subject_that_are_written_at_once_are_all_sent(store: &impl Store) {
    // Events are written while those before them are delivered, so the queue of the call is empty again and again.
    let writes = join_all((1..=60).map(|label| store.commit(vec![webhook(5, 7, label)])));
    let deliveries = async {
        let mut sent = Vec::new();
        while sent.len() < 60 {
            for event in due_at(store, 1_000).await {
                sent.push(event.event.body.parse::<u32>().unwrap());
                store.attempted(NODE, delivered(&event)).await.unwrap();
            }
            tokio::task::yield_now().await;
        }
        sent
    };
    let (written, mut sent) = join(writes, deliveries).await;
    assert!(written.iter().all(Result::is_ok));
    sent.sort_unstable();
    assert_eq!(sent, (1..=60).collect::<Vec<_>>(), "each once");
    assert_eq!(store.backlog(None).await.unwrap(), Backlog::default());
}

/// Two nodes ask for events at the same time.
pub(super) async fn subjects_are_taken_by_one_of_two(one: &impl Store, other: &impl Store) {
    let queue = |owner: u128, from: u32| {
        (from..from + 20).map(move |label| webhook(owner, owner * 100 + u128::from(label), label))
    };
    one.commit(queue(5, 100).chain(queue(6, 200)).collect()).await.unwrap();
    let (own, others) = join(subjects_due(one, NODE), subjects_due(other, OTHER_NODE)).await;
    assert!(own.is_disjoint(&others), "{own:?} {others:?}");
    assert!(!own.is_empty() || !others.is_empty());
}

/// The subjects of the events that are due for a node that asks several times at once.
async fn subjects_due(store: &impl Events, node: i64) -> HashSet<Uuid> {
    let due = |of_owner| Due { node, now: at(1_000), until: at(2_000), limit: 10, of_owner };
    let answers = join_all((1..=5).map(|of_owner| store.due_events(due(of_owner)))).await;
    let events = answers.into_iter().flat_map(Result::unwrap);
    events.map(|pending| pending.event.subject).collect()
}

/// Two nodes write events of the same calls and send them, at the same time.
pub(super) async fn two_nodes_send_each_event_once_and_in_its_order(one: &impl Store, other: &impl Store) {
    const CALLS: u32 = 6;
    const EVENTS: u32 = 20;
    let write = |call: u32| async move {
        for label in 0..EVENTS {
            let event = vec![webhook((call % 2).into(), u128::from(call) + 10, call * 100 + label)];
            let written = if label % 2 == 0 { one.commit(event).await } else { other.commit(event).await };
            written.unwrap();
        }
    };
    let sent = Mutex::new(Vec::new());
    let is_sending = Mutex::new(HashSet::new());
    let is_over = || sent.lock().unwrap().len() >= usize::try_from(CALLS * EVENTS).unwrap();
    let nodes = join(
        send_until(&is_over, one, NODE, (&sent, &is_sending)),
        send_until(&is_over, other, OTHER_NODE, (&sent, &is_sending)),
    );
    join(join_all((0..CALLS).map(write)), nodes).await;
    let sent = sent.into_inner().unwrap();
    for call in 0..CALLS {
        let own: Vec<u32> = sent.iter().copied().filter(|label| label / 100 == call).collect();
        assert_eq!(own, (call * 100..call * 100 + EVENTS).collect::<Vec<_>>(), "each once, and in order");
    }
    assert_eq!(one.backlog(None).await.unwrap(), Backlog::default());
}

/// Sends events as a node until all are sent. No other node sends an event of the same call meanwhile.
async fn send_until(
    is_over: &impl Fn() -> bool,
    store: &impl Store,
    node: i64,
    (sent, is_sending): (&Mutex<Vec<u32>>, &Mutex<HashSet<Uuid>>),
) {
    while !is_over() {
        let due = Due { node, now: at(1_000), until: at(60_000), limit: 2, of_owner: 2 };
        for event in store.due_events(due).await.unwrap() {
            let subject = event.event.subject;
            assert!(is_sending.lock().unwrap().insert(subject), "another node sends an event of the call");
            tokio::task::yield_now().await;
            sent.lock().unwrap().push(event.event.body.parse().unwrap());
            is_sending.lock().unwrap().remove(&subject);
            store.attempted(node, delivered(&event)).await.unwrap();
        }
        tokio::task::yield_now().await;
    }
}
