//! The history of DIDs: its entries, their origins, and their retention.

use std::time::Duration;

use serde_json::{Value, json};
use trunk_server::control::{NewAccount, RecordMembers};

use crate::support::api::{Api, NEW, OLD, TOKENS};
use crate::support::world::*;

const HISTORY: &str = "/did_history";
const DAY: Duration = Duration::from_hours(24);

/// The entries, the newest first: action, method and `meta` of each.
async fn entries(api: &Api) -> Vec<Value> {
    let list = api.get(HISTORY).await;
    assert_eq!(list.status, 200, "{}", list.text);
    let entry = |record: &Value| {
        json!([record["attributes"]["action"], record["attributes"]["method"], record["meta"]])
    };
    list.at("/data").as_array().unwrap().iter().map(entry).collect()
}

async fn change(api: &Api, did: &str, attributes: Value) -> u16 {
    api.patch(&format!("{DIDS}/{did}"), &update("dids", did, attributes)).await.status
}

#[tokio::test]
async fn what_an_owner_and_staff_make_of_a_did_is_written_the_newest_first() {
    let world = World::start().await;
    let api = world.api.at(Some(NEW));
    let did = world.did("37061498222").await;
    assert_eq!(change(&api, &did, json!({ "terminated": true, "description": "a" })).await, 200);
    assert_eq!(change(&api, &did, json!({ "terminated": true, "capacity_limit": 7 })).await, 200);
    assert_eq!(change(&world.api.at(Some(OLD)), &did, json!({ "billing_cycles_count": 3 })).await, 200);
    assert_eq!(change(&api, &did, json!({ "terminated": false, "billing_cycles_count": null })).await, 200);
    let owner = Some(world.server.account());
    let members = RecordMembers::default().attribute("billing_cycles_count", 0);
    let id = Some(did.parse().unwrap());
    world.server.control().put_record(owner, "dids", id, members).await.unwrap();
    let count = "billing_cycles_count_changed";
    let expected = [
        json!([count, "staff", { "from": "empty", "to": "0" }]),
        json!([count, "api3", { "from": "3", "to": "empty" }]),
        json!(["restored", "api3", null]),
        json!([count, "api3", { "from": "empty", "to": "3" }]),
        json!(["canceled", "api3", null]),
        json!(["assigned", "staff", null]),
    ];
    assert_eq!(entries(&api).await, expected);
    for (filter, found) in [
        ("action=canceled", 1),
        ("method=api3", 4),
        ("did_number=37061498222", 6),
        ("did_number=37061498223", 0),
    ] {
        let (name, value) = filter.split_once('=').unwrap();
        let list = api.get(&format!("{HISTORY}?filter[{name}]={value}&sort=created_at")).await;
        assert_eq!(list.at("/meta/total_records"), found, "{filter}");
    }
    let wrong = api.get(&format!("{HISTORY}?filter[action]=sold")).await;
    refused(&wrong, &[error(400, "107", "Invalid filter value", "sold is not a valid value for action.")]);
}

#[tokio::test]
async fn a_change_that_is_refused_writes_nothing_and_no_other_account_reads_what_is_written() {
    let world = World::start().await;
    let api = world.api.at(Some(TOKENS));
    let did = world.did("37061498222").await;
    assert_eq!(change(&api, &did, json!({ "terminated": true, "capacity_limit": 0 })).await, 422);
    assert_eq!(entries(&api).await, [json!(["assigned", "staff", null])]);
    let id = api.get(HISTORY).await.at("/data/0/id").as_str().unwrap().to_owned();
    assert_eq!(api.get(&format!("{HISTORY}/{id}")).await.status, 200);
    let (_, key) = world.server.control().create_account(NewAccount::named("other")).await.unwrap();
    let other = world.api.with_key(Some(key.expose())).at(Some(NEW));
    assert!(entries(&other).await.is_empty());
    refused(&other.get(&format!("{HISTORY}/{id}")).await, &[not_found(&id)]);
    refused(&api.post(HISTORY, &resource("did_history", json!({}))).await, &[no_route()]);
}

#[tokio::test]
async fn an_entry_is_kept_for_90_days_and_earlier_days_are_no_filter() {
    let world = World::start().await;
    let api = world.api.at(Some(NEW));
    let clock = world.server.control().clock().clone();
    clock.freeze(Some("2026-11-29T12:00:00.000Z".parse().unwrap()));
    world.did("37061498222").await;
    let id = api.get(HISTORY).await.at("/data/0/id").as_str().unwrap().to_owned();
    for (filter, found) in [
        ("filter[created_at_gteq]=2026-08-31", 1),
        ("filter[created_at_gteq]=2026-11-29T12:00:00.001Z", 0),
        ("filter[created_at_gteq]=2026-11-29T12:00:00", 1),
        ("filter[created_at_gteq]=2026-11-29T12:00:00.001", 0),
        ("filter[created_at_lteq]=2026-11-29", 1),
        ("filter[created_at_lteq]=2026-08-31", 0),
    ] {
        let list = api.get(&format!("{HISTORY}?{filter}")).await;
        assert_eq!(list.at("/meta/total_records"), found, "{filter}: {}", list.text);
    }
    for name in ["created_at_gteq", "created_at_lteq"] {
        let wrong = |detail: &str| [error(400, "107", "Invalid filter value", detail)];
        let answer = api.get(&format!("{HISTORY}?filter[{name}]=2026-08-30")).await;
        refused(&answer, &wrong("Date must be within the last 90 days."));
        let answer = api.get(&format!("{HISTORY}?filter[{name}]=yesterday")).await;
        refused(&answer, &wrong(&format!("yesterday is not a valid value for {name}.")));
    }
    clock.advance((90 * DAY).checked_sub(Duration::from_millis(1)).unwrap());
    assert_eq!(api.get(&format!("{HISTORY}/{id}")).await.status, 200);
    clock.advance(Duration::from_millis(1));
    let gone = async {
        while api.get(&format!("{HISTORY}/{id}")).await.status != 404 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
}
