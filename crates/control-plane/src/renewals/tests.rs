//! Renewals of accounts that have much to renew, or cannot pay it.

use std::time::Duration;

use didww_types::ResourceSpec;
use didww_types::resources::{Balance, CapacityPool, Did, EmergencyCallingService, Order};
use serde_json::{Value, json};
use trunk_rules::domain::{IS_BILLED, MONTHLY_PRICE, PAYMENT_WAIT, month_after};
use trunk_store::{Record, TakeJobs};
use uuid::Uuid;

use super::earlier::{AFTER_START, FIND, PER_RUN, Search};
use super::run::MAX_READ;
use super::*;
use crate::fixture::{self, ACCOUNT, core, own};

const DAY: Duration = Duration::from_hours(24);

/// A record of the account. Its id is this number.
fn insert(
    core: &Core,
    spec: &'static ResourceSpec,
    id: u128,
    attributes: &Value,
    links: Vec<(&'static str, Vec<Uuid>)>,
    meta: Option<Value>,
) -> Change {
    fixture::insert(core, own(spec), Uuid::from_u128(id), attributes, links, meta)
}

/// A DID that was ordered, and ends at this time.
fn did(core: &Core, id: u128, price: &str, expires_at: Timestamp) -> Change {
    let attributes = json!({ "number": format!("{id:011}"), "expires_at": expires_at });
    insert(core, Did::SPEC, id, &attributes, Vec::new(), Some(json!({ MONTHLY_PRICE: price })))
}

/// A pool of this number of channels, whose period ended on a day.
fn pool(core: &Core, id: u128, renew_date: &str, channels: i64, is_billed: bool) -> Change {
    let attributes = json!({
        "name": "Standard", "renew_date": renew_date, "monthly_price": "1.0", "total_channels_count": channels,
    });
    let meta = is_billed.then(|| json!({ IS_BILLED: true }));
    insert(core, CapacityPool::SPEC, id, &attributes, Vec::new(), meta)
}

/// An active service whose period ended on a day. `order` is the order that it was paid with.
fn service(core: &Core, id: u128, renew_date: &str, order: Option<u128>) -> Change {
    let attributes = json!({ "status": "active", "renew_date": renew_date });
    let links = order.map(|order| (EmergencyCallingService::ORDER.as_str(), vec![Uuid::from_u128(order)]));
    let prices = json!({ "setup_price": "1.5", "monthly_price": "2.5" });
    insert(core, EmergencyCallingService::SPEC, id, &attributes, links.into_iter().collect(), Some(prices))
}

fn day(at: Timestamp) -> String {
    at.to_string()[..10].to_owned()
}

async fn find(core: &Core, spec: &'static ResourceSpec, id: u128) -> Option<Record> {
    core.store.find(own(spec), Uuid::from_u128(id)).await.unwrap()
}

async fn attribute(core: &Core, spec: &'static ResourceSpec, id: u128, name: &str) -> Value {
    let record = find(core, spec, id).await.unwrap();
    record.attributes().unwrap().get(name).cloned().unwrap_or_default()
}

/// Decides on the renewals of the account until the next ones are due at a later time. Returns that time.
async fn renewed(core: &Arc<Core>) -> Timestamp {
    let now = core.clock.now();
    core.commit(vec![run_now(ACCOUNT, now)]).await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let runner = tokio::spawn(service_core::jobs::run(Arc::clone(core), jobs(&core.clock), stopped));
    let settled = async {
        loop {
            let job = core.store.job(RENEW, ACCOUNT.to_string()).await.unwrap().unwrap();
            if job.due_at > now {
                return job.due_at;
            }
            tokio::task::yield_now().await;
        }
    };
    let due_at = tokio::time::timeout(Duration::from_mins(1), settled).await.expect("it never ended");
    stop.send_replace(true);
    runner.await.unwrap();
    due_at
}

#[tokio::test]
async fn a_run_that_began_before_staff_changed_a_period_does_not_count() {
    let core = core();
    let now = core.clock.now();
    let stored = async || core.store.job(RENEW, ACCOUNT.to_string()).await.unwrap();
    decide_now(&core, ACCOUNT).await.unwrap();
    assert_eq!(stored().await, None, "nothing was ordered");
    core.commit(vec![schedule(ACCOUNT, now)]).await.unwrap();
    let (node, until) = (core.store.node(), now.after(Duration::from_mins(1)));
    let take = TakeJobs { node, now, until, kinds: vec![(RENEW, 1)] };
    let run = core.store.take_jobs(take).await.unwrap().pop().unwrap();
    decide_now(&core, ACCOUNT).await.unwrap();
    let due_at = now.after(SHORTEST_PERIOD);
    let late = Change::Reschedule { lease: run.lease, due_at, attempts: 0, payload: None };
    assert_eq!(core.commit(vec![late]).await, Err(StoreError::Conflict));
    assert_eq!(stored().await.map(|job| job.due_at), Some(now));
}

#[tokio::test]
async fn renewals_wait_for_orders_that_are_due() {
    let core = core();
    let (now, id) = (core.clock.now(), 7_u128);
    let order = insert(&core, Order::SPEC, id, &json!({ "items": [] }), Vec::new(), None);
    core.commit(vec![order]).await.unwrap();
    let waits = async || has_due_order(&core, ACCOUNT, now).await.unwrap();
    assert!(!waits().await, "nothing carries it out");
    for (due_at, expected) in [(now, true), (now.after(Duration::from_secs(1)), false)] {
        let subject = Uuid::from_u128(id).to_string();
        let job = Job { account: Some(ACCOUNT), ..Job::new(CARRY_OUT, subject, due_at) };
        let existing = IfScheduled::Replace;
        core.commit(vec![Change::Schedule { job: Box::new(job), existing }]).await.unwrap();
        assert_eq!(waits().await, expected, "{due_at}");
    }
}

#[tokio::test]
async fn a_renewal_whose_order_is_not_carried_out_goes_behind_those_that_are_due() {
    let core = core();
    let (due_at, id) = (core.clock.now(), 7_u128);
    let order = insert(&core, Order::SPEC, id, &json!({ "items": [] }), Vec::new(), None);
    let subject = Uuid::from_u128(id).to_string();
    let job = Job { account: Some(ACCOUNT), ..Job::new(CARRY_OUT, subject, due_at) };
    let of_order = Change::Schedule { job: Box::new(job), existing: IfScheduled::Replace };
    core.commit(vec![order, of_order, schedule(ACCOUNT, due_at)]).await.unwrap();
    let now = core.clock.advance(Duration::from_hours(1));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    // Nothing carries out the order.
    let runner = tokio::spawn(service_core::jobs::run(Arc::clone(&core), jobs(&core.clock), stopped));
    let behind = async {
        while core.store.job(RENEW, ACCOUNT.to_string()).await.unwrap().unwrap().due_at < now {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), behind).await.expect("it kept its place");
    stop.send_replace(true);
    runner.await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_paid_is_read_once_and_keeps_nothing_behind_it_from_its_turn() {
    let core = core();
    let began = core.clock.now();
    let unpaid = u128::try_from(MAX_READ).unwrap() + 100;
    let mut changes: Vec<Change> = (1..=unpaid).map(|id| did(&core, id, "5.0", began)).collect();
    let after = began.after(Duration::from_secs(1));
    changes.extend([did(&core, unpaid + 1, "1.0", after), did(&core, unpaid + 2, "0.5", after)]);
    let money = json!({ "balance": "1.50" });
    changes.push(insert(&core, Balance::SPEC, 9_000, &money, Vec::new(), None));
    core.commit(changes).await.unwrap();
    let now = core.clock.advance(Duration::from_secs(2));

    assert_eq!(renewed(&core).await, now.after(DAY), "those that cannot be paid are tried a day later");
    for id in [unpaid + 1, unpaid + 2] {
        assert_eq!(attribute(&core, Did::SPEC, id, "expires_at").await, json!(month_after(after)));
    }
    for id in [1, unpaid] {
        assert_eq!(attribute(&core, Did::SPEC, id, "expires_at").await, json!(began));
    }
    assert_eq!(attribute(&core, Balance::SPEC, 9_000, "balance").await, "0.00");
}

#[tokio::test]
async fn more_than_a_run_changes_is_released_by_several_runs_of_one_pass() {
    let core = core();
    let began = core.clock.now();
    let changes: Vec<Change> = (1..=450).map(|id| did(&core, id, "5.0", began)).collect();
    core.commit(changes).await.unwrap();
    core.clock.advance(DAY * 7);
    let now = core.clock.now();
    assert_eq!(renewed(&core).await, now.after(SHORTEST_PERIOD));
    for id in [1, 200, 201, 450] {
        assert!(find(&core, Did::SPEC, id).await.is_none(), "{id}");
    }
}

#[tokio::test]
async fn a_service_whose_number_is_released_at_the_same_time_is_canceled_after_it() {
    let core = core();
    let began = core.clock.now();
    let [service, order, released, kept] = [1_u128, 2, 3, 4];
    let of_service = vec![(Did::EMERGENCY_CALLING_SERVICE.as_str(), vec![Uuid::from_u128(service)])];
    let number = |id: u128| json!({ "number": format!("{id:011}"), "emergency_enabled": true });
    let mut ends = number(released);
    ends["expires_at"] = json!(began);
    core.commit(vec![
        insert(&core, Order::SPEC, order, &json!({ "items": [] }), Vec::new(), None),
        self::service(&core, service, &day(began), Some(order)),
        insert(&core, Did::SPEC, released, &ends, of_service.clone(), Some(json!({ MONTHLY_PRICE: "5.0" }))),
        insert(&core, Did::SPEC, kept, &number(kept), of_service, None),
    ])
    .await
    .unwrap();
    core.clock.advance(DAY * 8);
    let now = core.clock.now();
    renewed(&core).await;

    assert!(find(&core, Did::SPEC, released).await.is_none());
    let spec = EmergencyCallingService::SPEC;
    assert_eq!(attribute(&core, spec, service, "status").await, "canceled");
    assert_eq!(attribute(&core, spec, service, "canceled_at").await, json!(now));
    assert_eq!(attribute(&core, spec, service, "renew_date").await, Value::Null);
    assert_eq!(attribute(&core, Did::SPEC, kept, "emergency_enabled").await, false);
    let (of_dids, through) = (own(Did::SPEC), Did::EMERGENCY_CALLING_SERVICE.as_str());
    let record = find(&core, Did::SPEC, kept).await.unwrap();
    assert!(core.store.members(of_dids, vec![record.number], through, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_pool_behind_more_of_those_of_staff_than_a_run_reads_is_renewed() {
    let core = core();
    let now = core.clock.now();
    let of_staff = u128::try_from(MAX_READ).unwrap() + 1;
    let mut changes: Vec<Change> = (1..=of_staff).map(|id| pool(&core, id, "2020-01-01", 1, false)).collect();
    // It has no channels, and costs nothing.
    let billed = of_staff + 1;
    changes.push(pool(&core, billed, &day(now), 0, true));
    core.commit(changes).await.unwrap();
    renewed(&core).await;
    let midnight: Timestamp = format!("{}T00:00:00Z", day(now)).parse().unwrap();
    let until = month_after(midnight);
    assert_eq!(attribute(&core, CapacityPool::SPEC, billed, "renew_date").await, day(until));
    for id in [1, of_staff] {
        assert_eq!(attribute(&core, CapacityPool::SPEC, id, "renew_date").await, "2020-01-01");
    }
}

#[tokio::test]
async fn a_pool_that_has_no_channels_to_lose_waits_for_money_unchanged() {
    let core = core();
    let (used, other) = (1_u128, 2_u128);
    let number = json!({ "number": "37061498222", "dedicated_channels_count": 3 });
    let of_pool = vec![(Did::CAPACITY_POOL.as_str(), vec![Uuid::from_u128(used)])];
    core.commit(vec![
        pool(&core, used, "2020-01-01", 3, true),
        pool(&core, other, "2020-01-01", 3, true),
        insert(&core, Did::SPEC, 3, &number, of_pool, None),
    ])
    .await
    .unwrap();
    let before = find(&core, CapacityPool::SPEC, used).await.unwrap();
    assert_eq!(renewed(&core).await, core.clock.now().after(PAYMENT_WAIT));
    assert_eq!(find(&core, CapacityPool::SPEC, used).await, Some(before));
    assert_eq!(attribute(&core, CapacityPool::SPEC, other, "total_channels_count").await, 0);
}

#[tokio::test]
async fn a_pool_loses_the_channels_of_a_number_that_is_released_at_the_same_time() {
    let core = core();
    let began = core.clock.now();
    let [shared, released, kept] = [1_u128, 2, 3];
    let of_pool = vec![(Did::CAPACITY_POOL.as_str(), vec![Uuid::from_u128(shared)])];
    let number = |id: u128| json!({ "number": format!("{id:011}"), "dedicated_channels_count": 2 });
    let mut ends = number(released);
    ends["expires_at"] = json!(began);
    core.commit(vec![
        pool(&core, shared, &day(began), 9, true),
        insert(&core, Did::SPEC, released, &ends, of_pool.clone(), Some(json!({ MONTHLY_PRICE: "5.0" }))),
        insert(&core, Did::SPEC, kept, &number(kept), of_pool, None),
    ])
    .await
    .unwrap();
    let now = core.clock.advance(DAY * 8);
    assert_eq!(renewed(&core).await, now.after(PAYMENT_WAIT));
    assert!(find(&core, Did::SPEC, released).await.is_none());
    for name in ["assigned_channels_count", "total_channels_count"] {
        assert_eq!(attribute(&core, CapacityPool::SPEC, shared, name).await, 2, "{name}");
    }
}

#[tokio::test]
async fn services_that_were_approved_before_services_were_renewed_are_found_once() {
    let core = core();
    let began = core.clock.now();
    let (of_staff, order) = (u128::from(PER_RUN), 8_000_u128);
    let ordered = of_staff + 1;
    let mut changes: Vec<Change> = (1..=of_staff).map(|id| service(&core, id, &day(began), None)).collect();
    changes.extend([
        insert(&core, Order::SPEC, order, &json!({ "items": [] }), Vec::new(), None),
        service(&core, ordered, &day(began), Some(order)),
        insert(&core, Balance::SPEC, 9_000, &json!({ "balance": "4.00" }), Vec::new(), None),
    ]);
    core.commit(changes).await.unwrap();
    let jobs_of_start = jobs(&core.clock);
    let now = core.clock.advance(AFTER_START);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let runner = tokio::spawn(service_core::jobs::run(Arc::clone(&core), jobs_of_start, stopped));
    let settled = async {
        loop {
            let search = core.store.job(FIND, String::new()).await.unwrap();
            let renewals = core.store.job(RENEW, ACCOUNT.to_string()).await.unwrap();
            if let (Some(search), Some(renewals)) = (search, renewals)
                && search.due_at > now
                && renewals.due_at > now
            {
                return search.payload;
            }
            tokio::task::yield_now().await;
        }
    };
    let payload = tokio::time::timeout(Duration::from_mins(1), settled).await.expect("it is never found");
    stop.send_replace(true);
    runner.await.unwrap();
    assert!(serde_json::from_str::<Search>(&payload).unwrap().has_ended, "{payload}");
    assert_eq!(attribute(&core, Balance::SPEC, 9_000, "balance").await, "1.50");
    let kept = attribute(&core, EmergencyCallingService::SPEC, of_staff, "renew_date").await;
    assert_eq!(kept, day(began), "that of staff is left alone");
    let renewed = attribute(&core, EmergencyCallingService::SPEC, ordered, "renew_date").await;
    assert_ne!(renewed, day(began));
}
