//! Orders whose job was lost, those that are older than plans, and those of numbers and pools that are gone.

use didww_types::resources::{AvailableDid, Balance, CapacityPool, Did, DidGroup};
use trunk_rules::domain::{IS_BILLED, PLAN, month_after};

use super::*;
use crate::fixture::{ACCOUNT, core, insert, own, shared};

const GROUP: Uuid = Uuid::from_u128(1);
const NUMBER: Uuid = Uuid::from_u128(2);
const ORDER: Uuid = Uuid::from_u128(3);

fn items() -> Value {
    json!([{ "did_group": GROUP, "nanpa_prefix": null, "qty": 1, "held": 1, "channels": 2, "cycles": 7 }])
}

/// A pending order that holds a number, with this `meta`.
async fn pending_order(core: &Core, meta: Option<Value>) {
    let (group, number) = (json!({ "area_name": "Vilnius" }), json!({ "number": "37061498222" }));
    let of_group = vec![("did_group", vec![GROUP])];
    let changes = vec![
        insert(core, shared(DidGroup::SPEC), GROUP, &group, Vec::new(), None),
        insert(core, shared(AvailableDid::SPEC), NUMBER, &number, of_group, None),
        insert(core, own(Order::SPEC), ORDER, &json!({ "items": [] }), vec![(HELD, vec![NUMBER])], meta),
    ];
    core.store.commit(changes).await.unwrap();
}

/// Schedules the job of the order with this payload, and runs it. Returns the renewals left of the DID that it brings.
async fn run(core: &Arc<Core>, payload: &Value) -> Value {
    let now = core.clock.now();
    let job = Job {
        account: Some(ACCOUNT),
        payload: payload.to_string(),
        ..Job::new(CARRY_OUT, ORDER.to_string(), now)
    };
    let schedule = Change::Schedule { job: Box::new(job), existing: IfScheduled::Replace };
    core.store.commit(vec![schedule]).await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let runner = tokio::spawn(service_core::jobs::run(Arc::clone(core), order_jobs(&core.clock), stopped));
    let scope = own(Order::SPEC);
    let completed = async {
        loop {
            let order = core.store.find(scope, ORDER).await.unwrap().unwrap();
            if order.attributes().unwrap()["status"] == "completed" {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), completed).await.expect("it was never carried out");
    stop.send_replace(true);
    runner.await.unwrap();
    let dids = core.store.records_after(Did::SPEC, 0, 9).await.unwrap();
    assert_eq!(dids.len(), 1);
    dids[0].record.attributes().unwrap()["billing_cycles_count"].clone()
}

#[tokio::test]
async fn an_order_whose_job_was_lost_is_carried_out_from_its_record() {
    let core = core();
    pending_order(&core, Some(json!({ PLAN: items() }))).await;
    assert_eq!(run(&core, &Value::Null).await, 7);
}

#[tokio::test]
async fn an_order_that_is_older_than_plans_is_carried_out_from_its_job() {
    let core = core();
    pending_order(&core, None).await;
    assert_eq!(run(&core, &items()).await, 7);
}

/// Two items of different groups, of which the first one's number left the stock after it was bought.
#[tokio::test]
async fn each_item_has_the_numbers_that_it_bought_whatever_became_of_those_of_others() {
    let core = core();
    let [one, other, lost, bought, further] = [11, 12, 13, 14, 15].map(Uuid::from_u128);
    let group =
        |id| insert(&core, shared(DidGroup::SPEC), id, &json!({ "area_name": "Vilnius" }), Vec::new(), None);
    let number = |id, number: &str, group: Uuid| {
        let links = vec![("did_group", vec![group])];
        insert(&core, shared(AvailableDid::SPEC), id, &json!({ "number": number }), links, None)
    };
    let item = |group: Uuid, held: Uuid, channels: i64| json!({ "did_group": group, "nanpa_prefix": null, "qty": 1, "held": [held], "channels": channels, "cycles": 7 });
    let plan = json!({ PLAN: [item(one, lost, 1), item(other, bought, 2)] });
    let held = vec![(HELD, vec![lost, bought])];
    let changes = vec![
        group(one),
        group(other),
        number(lost, "37061498001", one),
        number(bought, "37061498002", other),
        number(further, "37061498003", one),
        insert(&core, own(Order::SPEC), ORDER, &json!({ "items": [] }), held, Some(plan)),
    ];
    core.store.commit(changes).await.unwrap();
    let scope = shared(AvailableDid::SPEC);
    core.store.commit(vec![Change::Delete { scope, id: lost }]).await.unwrap();

    let record = core.store.find(own(Order::SPEC), ORDER).await.unwrap().unwrap();
    let order = read(&record).unwrap();
    let items = plan_of(&record, "").unwrap();
    let scope = own(Order::SPEC);
    let Delivered::Ended(changes) = deliver(&core, scope, record, &order, &items).await.unwrap() else {
        panic!("it waits for numbers");
    };
    core.store.commit(changes).await.unwrap();
    let mut delivered: Vec<(Value, Value)> = Vec::new();
    for did in core.store.records_after(Did::SPEC, 0, 9).await.unwrap() {
        let attributes = did.record.attributes().unwrap();
        delivered.push((attributes["number"].clone(), attributes["channels_included_count"].clone()));
    }
    let expected = [(json!("37061498003"), json!(1)), (json!("37061498002"), json!(2))];
    assert_eq!(delivered, expected);
}

/// Decides on an order of 5 channels that cost 15.00 and pay `days`, or the whole period, for an account with 85.00.
/// Returns the status of the order and the balance afterwards.
async fn channels(core: &Core, pool: Uuid, days: Option<i64>) -> (Value, Value) {
    let (order, money) = (json!({ "amount": "15.0", "items": [] }), json!({ "balance": "85.00" }));
    let plan = json!({ PLAN: [{ "capacity_pool": pool, "qty": 5, "days": days }] });
    let changes = vec![
        insert(core, own(Order::SPEC), ORDER, &order, Vec::new(), Some(plan)),
        insert(core, own(Balance::SPEC), Uuid::from_u128(9), &money, Vec::new(), None),
    ];
    core.store.commit(changes).await.unwrap();
    let scope = own(Order::SPEC);
    let record = core.store.find(scope, ORDER).await.unwrap().unwrap();
    let (order, items) = (read(&record).unwrap(), plan_of(&record, "").unwrap());
    let Delivered::Ended(changes) = deliver(core, scope, record, &order, &items).await.unwrap() else {
        panic!("it waits");
    };
    core.store.commit(changes).await.unwrap();
    let order = core.store.find(scope, ORDER).await.unwrap().unwrap().attributes().unwrap();
    let money = balance(core, ACCOUNT).await.unwrap().unwrap().attributes().unwrap();
    (order["status"].clone(), money["balance"].clone())
}

/// Stores a charged pool with this number of channels, whose period ends this number of days after today.
async fn charged_pool(core: &Core, days: u64, channels: i64) -> Uuid {
    let (now, id) = (core.clock.now(), Uuid::from_u128(8));
    let ends = now.after(Duration::from_hours(24 * days)).to_string();
    let attributes =
        json!({ "name": "Standard", "renew_date": ends[..10], "total_channels_count": channels });
    let meta = json!({ IS_BILLED: true });
    let pool = insert(core, own(CapacityPool::SPEC), id, &attributes, Vec::new(), Some(meta));
    core.store.commit(vec![pool]).await.unwrap();
    id
}

#[tokio::test]
async fn an_order_of_channels_whose_pool_is_gone_is_canceled_and_paid_back() {
    let outcome = channels(&core(), Uuid::from_u128(8), None).await;
    assert_eq!(outcome, (json!("canceled"), json!("100.00")));
}

#[tokio::test]
async fn channels_are_added_for_the_days_that_are_paid_and_no_more() {
    for (left, expected) in [
        (0, ("completed", "85.00")),
        (9, ("completed", "85.00")),
        (10, ("completed", "85.00")),
        (11, ("canceled", "100.00")),
    ] {
        let core = core();
        let pool = charged_pool(&core, left, 7).await;
        let (status, balance) = channels(&core, pool, Some(10)).await;
        assert_eq!((status, balance), (json!(expected.0), json!(expected.1)), "{left} days are left");
        let scope = own(CapacityPool::SPEC);
        let pool = core.store.find(scope, pool).await.unwrap().unwrap().attributes().unwrap();
        let channels = if expected.0 == "completed" { 12 } else { 7 };
        assert_eq!(pool["total_channels_count"], channels, "{left} days are left");
    }
}

/// An order for such a pool pays a whole period if it was over, and the pool can be renewed before the order is carried
/// out.
#[tokio::test]
async fn a_whole_period_that_is_paid_is_not_shortened_by_the_renewal_of_a_pool_without_channels() {
    for (channels, days, begins) in [(0, None, true), (0, Some(29), false), (1, None, false)] {
        let core = core();
        let pool = charged_pool(&core, 22, channels).await;
        let outcome = self::channels(&core, pool, days).await;
        assert_eq!(outcome, (json!("completed"), json!("85.00")), "{channels} {days:?}");
        let scope = own(CapacityPool::SPEC);
        let pool = core.store.find(scope, pool).await.unwrap().unwrap().attributes().unwrap();
        let now = core.clock.now();
        let end = if begins { month_after(now) } else { now.after(Duration::from_hours(24 * 22)) };
        assert_eq!(pool["renew_date"], json!(end.to_string()[..10]), "{channels} {days:?}");
    }
}
