//! Orders whose job was lost, and those that are older than plans.

use didww_types::resources::{AvailableDid, Did, DidGroup};
use serde_json::Map;
use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use service_core::Outbox;
use trunk_rules::domain::{PLAN, with_defaults};
use trunk_store::{NO_ACCOUNT, SqliteStore};

use super::*;

const GROUP: Uuid = Uuid::from_u128(1);
const NUMBER: Uuid = Uuid::from_u128(2);
const ORDER: Uuid = Uuid::from_u128(3);
const ACCOUNT: i64 = 1;

fn core() -> Arc<Core> {
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let (clock, outbox) = (Clock::system(), Outbox::new(false));
    clock.freeze(None);
    let descriptors = Descriptors::new(1_024);
    Arc::new(Core::new(store, clock, Ids::seeded(1), outbox, descriptors, GuessLimits::default()))
}

fn items() -> Value {
    json!([{ "did_group": GROUP, "nanpa_prefix": null, "qty": 1, "held": 1, "channels": 2, "cycles": 7 }])
}

/// A pending order that holds a number, with this `meta`.
async fn pending_order(core: &Core, meta: Option<Value>) {
    let now = core.clock.now();
    let insert = |account, spec: &'static didww_types::ResourceSpec, id, attributes: Value, links, meta| {
        let attributes: Map<String, Value> = attributes.as_object().unwrap().clone();
        let attributes = with_defaults(spec, now, attributes);
        let scope = Scope { account, spec };
        Change::Insert { scope, id, created_at: now, attributes, links, meta }
    };
    let group = json!({ "area_name": "Vilnius" });
    let changes = vec![
        insert(NO_ACCOUNT, DidGroup::SPEC, GROUP, group, Vec::new(), None),
        insert(
            NO_ACCOUNT,
            AvailableDid::SPEC,
            NUMBER,
            json!({ "number": "37061498222" }),
            vec![("did_group", vec![GROUP])],
            None,
        ),
        insert(
            ACCOUNT,
            Order::SPEC,
            ORDER,
            json!({ "items": [] }),
            vec![(HELD, vec![NUMBER])],
            meta.map(|meta| meta.to_string()),
        ),
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
    let runner = tokio::spawn(service_core::jobs::run(Arc::clone(core), order_jobs(), stopped));
    let scope = Scope { account: ACCOUNT, spec: Order::SPEC };
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
    let now = core.clock.now();
    let [one, other, lost, bought, further] = [11, 12, 13, 14, 15].map(Uuid::from_u128);
    let insert = |account, spec: &'static didww_types::ResourceSpec, id, attributes: Value, links, meta| {
        let attributes: Map<String, Value> = attributes.as_object().unwrap().clone();
        let attributes = with_defaults(spec, now, attributes);
        Change::Insert { scope: Scope { account, spec }, id, created_at: now, attributes, links, meta }
    };
    let number = |id, number: &str, group: Uuid| {
        let links = vec![("did_group", vec![group])];
        insert(NO_ACCOUNT, AvailableDid::SPEC, id, json!({ "number": number }), links, None)
    };
    let item = |group: Uuid, held: Uuid, channels: i64| json!({ "did_group": group, "nanpa_prefix": null, "qty": 1, "held": [held], "channels": channels, "cycles": 7 });
    let plan = json!({ PLAN: [item(one, lost, 1), item(other, bought, 2)] }).to_string();
    let area = || json!({ "area_name": "Vilnius" });
    let changes = vec![
        insert(NO_ACCOUNT, DidGroup::SPEC, one, area(), Vec::new(), None),
        insert(NO_ACCOUNT, DidGroup::SPEC, other, area(), Vec::new(), None),
        number(lost, "37061498001", one),
        number(bought, "37061498002", other),
        number(further, "37061498003", one),
        insert(
            ACCOUNT,
            Order::SPEC,
            ORDER,
            json!({ "items": [] }),
            vec![(HELD, vec![lost, bought])],
            Some(plan),
        ),
    ];
    core.store.commit(changes).await.unwrap();
    let scope = Scope { account: NO_ACCOUNT, spec: AvailableDid::SPEC };
    core.store.commit(vec![Change::Delete { scope, id: lost }]).await.unwrap();

    let record =
        core.store.find(Scope { account: ACCOUNT, spec: Order::SPEC }, ORDER).await.unwrap().unwrap();
    let order = read(&record).unwrap();
    let items = plan_of(&record, "").unwrap();
    let scope = Scope { account: ACCOUNT, spec: Order::SPEC };
    let Delivered::Ended(changes) = deliver(&core, scope, record, &order, &items).await.unwrap() else {
        panic!("it waits for numbers");
    };
    core.store.commit(changes).await.unwrap();
    let mut brought: Vec<(Value, Value)> = Vec::new();
    for did in core.store.records_after(Did::SPEC, 0, 9).await.unwrap() {
        let attributes = did.record.attributes().unwrap();
        brought.push((attributes["number"].clone(), attributes["channels_included_count"].clone()));
    }
    let expected = [(json!("37061498003"), json!(1)), (json!("37061498002"), json!(2))];
    assert_eq!(brought, expected);
}
