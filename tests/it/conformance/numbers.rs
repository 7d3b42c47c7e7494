//! DIDs: the attributes that their owner can change, and those that they cannot.

use http::Method;
use serde_json::{Value, json};

use crate::support::world::*;

async fn one() -> (World, String, String) {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let path = format!("{DIDS}/{did}");
    (world, did, path)
}

#[tokio::test]
async fn a_did_is_shown_in_the_recorded_order() {
    let world = World::start().await;
    world.server.control().clock().freeze(Some("2026-04-08T06:57:33.304Z".parse().unwrap()));
    let did = world.did("37061498222").await;
    let answer = world.api.get(&format!("{DIDS}/{did}")).await;
    let start = format!(
        r#"{{"data":{{"id":"{did}","type":"dids","attributes":{{"blocked":false,"capacity_limit":null,"description":null,"terminated":false,"awaiting_registration":false,"created_at":"2026-04-08T06:57:33.304Z","billing_cycles_count":null,"number":"37061498222","expires_at":"2026-05-08T06:57:33.304Z","channels_included_count":0,"dedicated_channels_count":0,"emergency_enabled":false}},"relationships":{{"did_group":"#
    );
    assert!(answer.text.starts_with(&start), "{}", answer.text);
    assert_eq!(answer.at("/data/meta"), Value::Null);
}

#[tokio::test]
async fn case_87_an_attribute_that_dids_have_not_is_refused() {
    let (world, did, path) = one().await;
    let body = update("dids", &did, json!({ "capacity_pools_id": UNKNOWN }));
    let answer = world.api.patch(&path, &body).await;
    assert_eq!(
        answer.text,
        r#"{"errors":[{"title":"Param not allowed","detail":"capacity_pools_id is not allowed.","code":"105","status":"400"}]}"#
    );
    for name in
        ["number", "blocked", "emergency_enabled", "expires_at", "created_at", "awaiting_registration"]
    {
        let answer = world.api.patch(&path, &update("dids", &did, json!({ name: true }))).await;
        refused(&answer, &[not_allowed(name)]);
    }
    for name in ["did_group", "order", "identity", "emergency_verification", "voice_out_trunks"] {
        let body = linking(update("dids", &did, json!({})), name, json!(null));
        refused(&world.api.patch(&path, &body).await, &[not_allowed(name)]);
    }
}

#[tokio::test]
async fn case_88_an_unknown_group_is_refused_at_the_place_of_its_column() {
    let (world, did, path) = one().await;
    let group = identifier("voice_in_trunk_groups", UNKNOWN);
    let body = linking(update("dids", &did, json!({})), "voice_in_trunk_group", group);
    let answer = world.api.patch(&path, &body).await;
    assert_eq!(
        answer.text,
        r#"{"errors":[{"title":"is invalid","detail":"voice_in_trunk_group - is invalid","code":"100","source":{"pointer":"/data/attributes/voice_in_trunk_group_id"},"status":"422"}]}"#
    );
    let body = linking(
        update("dids", &did, json!({})),
        "shared_capacity_group",
        identifier("shared_capacity_groups", UNKNOWN),
    );
    refused(&world.api.patch(&path, &body).await, &[relationship("shared_capacity_group", "is invalid")]);
}

#[tokio::test]
async fn case_89_null_clears_a_route() {
    let (world, did, path) = one().await;
    for name in ["voice_in_trunk", "voice_in_trunk_group", "emergency_calling_service", "capacity_pool"] {
        let body = linking(update("dids", &did, json!({})), name, json!(null));
        let answer = world.api.patch(&format!("{path}?include={name}"), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.at(&format!("/data/relationships/{name}/data")), Value::Null);
        assert!(answer.at(&format!("/data/relationships/{name}")).get("data").is_some());
    }
}

#[tokio::test]
async fn a_did_takes_what_its_owner_may_say() {
    let (world, did, path) = one().await;
    let before = world.api.get(&path).await.json();
    let sent = json!({ "capacity_limit": 7, "description": "Vilnius", "terminated": true, "billing_cycles_count": 999 });
    let answer = world.api.patch(&path, &update("dids", &did, sent.clone())).await;
    let mut expected = before.clone();
    expected["data"]["attributes"].as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
    assert_eq!((answer.status, answer.json()), (200, expected));
    let cleared = json!({ "capacity_limit": null, "description": null, "terminated": false, "billing_cycles_count": null });
    let answer = world.api.patch(&path, &update("dids", &did, cleared)).await;
    assert_eq!(answer.json(), before);
}

#[tokio::test]
async fn a_did_refuses_what_is_out_of_bounds() {
    let (world, did, path) = one().await;
    for (name, value, message) in [
        ("capacity_limit", json!(32768), "must be less than or equal to 32767"),
        ("capacity_limit", json!(-1), "must be greater than or equal to 0"),
        ("billing_cycles_count", json!(1000), "must be less than or equal to 999"),
        ("billing_cycles_count", json!("x"), "is not a number"),
        ("terminated", json!("perhaps"), "is not included in the list"),
        ("description", json!("x".repeat(256)), "is too long (maximum is 255 characters)"),
        ("dedicated_channels_count", json!(-1), "must be greater than or equal to 0"),
    ] {
        let answer = world.api.patch(&path, &update("dids", &did, json!({ name: value }))).await;
        refused(&answer, &[attribute(name, message)]);
    }
    let answer =
        world.api.patch(&path, &update("dids", &did, json!({ "dedicated_channels_count": 2 }))).await;
    refused(&answer, &[relationship("capacity_pool", "can't be blank")]);
}

#[tokio::test]
async fn a_did_is_neither_made_nor_deleted_by_its_owner() {
    let (world, did, path) = one().await;
    let body = resource("dids", json!({ "number": "37061498223" }));
    refused(&world.api.post(DIDS, &body).await, &[no_route()]);
    refused(&world.api.delete(&path).await, &[no_route()]);
    let put = world.api.send(Method::PUT, &path, &update("dids", &did, json!({})).to_string()).await;
    assert_eq!(put.status, 200);
}
