//! DIDs: the attributes that their owner can change, and those that they cannot.

use std::collections::BTreeSet;

use didww_types::ApiVersion;
use http::Method;
use serde_json::{Value, json};

use crate::support::engine;
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
        ("capacity_limit", json!(0), "must be greater than or equal to 1"),
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

#[tokio::test]
async fn n82_an_address_verification_can_be_detached_and_not_attached() {
    let (world, did, path) = one().await;
    for version in ["2026-04-16", "2026-11-19"] {
        let api = world.api.at(Some(version));
        for name in ["address_verification", "emergency_calling_service"] {
            let body = |data| linking(update("dids", &did, json!({})), name, data);
            let attached = body(identifier(&format!("{name}s"), UNKNOWN));
            refused(&api.patch(&path, &attached).await, &[relationship(name, "is invalid")]);
            assert_eq!(api.patch(&path, &body(Value::Null)).await.status, 200);
        }
    }
}

/// A request and the answer that were recorded in 2018.
#[tokio::test]
async fn the_oldest_versions_have_other_names_for_routes_and_pending_removal() {
    let world = World::of(engine::builder().version(ApiVersion::V2017_09_18)).await;
    let did = world.did("37061498222").await;
    let path = format!("{DIDS}/{did}");
    let recorded: Value =
        serde_json::from_str(include_str!("../../../fixtures/2017-09-18/dids.update.response.json")).unwrap();
    let names =
        |object: &Value| -> BTreeSet<String> { object.as_object().unwrap().keys().cloned().collect() };
    let oldest = world.api.at(Some("2017-09-18")).get(&path).await.at("/data/relationships");
    assert_eq!(names(&oldest), names(&recorded["data"]["relationships"]));
    for version in ["2017-09-18", "2021-04-19"] {
        let api = world.api.at(Some(version));
        let shown = api.get(&path).await;
        for name in ["trunk", "trunk_group"] {
            let place = format!("/data/relationships/{name}/links/related");
            assert_eq!(shown.at(&place), format!("{}{path}/{name}", api.base()));
            assert!(recorded.pointer(&place).is_some());
            for include in [name.to_owned(), format!("{name},did_group")] {
                let included = api.get(&format!("{path}?include={include}&fields[dids]={name}")).await;
                assert_eq!(included.at(&format!("/data/relationships/{name}/data")), Value::Null);
                assert_eq!(included.at("/data/relationships").as_object().unwrap().len(), 1);
            }
            let linkage = api.get(&format!("{path}/relationships/{name}")).await;
            assert_eq!((linkage.status, linkage.at("/data")), (200, Value::Null));
            let cleared = linking(update("dids", &did, json!({})), name, Value::Null);
            assert_eq!(api.patch(&path, &cleared).await.status, 200);
            let set = identifier(&format!("{name}s"), UNKNOWN);
            let expected =
                || invalid(&format!("{name}_id"), "is invalid", &format!("/data/attributes/{name}_id"));
            refused(
                &api.patch(&path, &linking(update("dids", &did, json!({})), name, set)).await,
                &[expected()],
            );
            let newer = identifier(&format!("voice_in_{name}s"), UNKNOWN);
            let answer = api.patch(&path, &linking(update("dids", &did, json!({})), name, newer)).await;
            assert_eq!((answer.status, answer.at("/errors/0/code")), (400, json!("116")));
            let answer = api.get(&format!("{path}?include=voice_in_{name}")).await;
            assert_eq!((answer.status, answer.at("/errors/0/code")), (400, json!("112")));
        }
    }
    let names = |attributes: &Value| attributes.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let oldest = world.api.at(Some("2017-09-18"));
    assert_eq!(
        names(&oldest.get(&path).await.at("/data/attributes")),
        names(&recorded["data"]["attributes"])
    );
    for (pending, count) in [(true, json!(0)), (false, Value::Null)] {
        let body = update("dids", &did, json!({ "pending_removal": pending }));
        assert_eq!(oldest.patch(&path, &body).await.at("/data/attributes/pending_removal"), json!(pending));
        assert_eq!(world.api.get(&path).await.at("/data/attributes/billing_cycles_count"), count);
        for version in ["2017-09-18", "2021-04-19", "2021-12-15", "2022-05-10", "2026-04-16"] {
            let filter = format!("{DIDS}?filter[pending_removal]={pending}");
            let listed = world.api.at(Some(version)).get(&filter).await;
            assert_eq!(listed.at("/meta/total_records"), 1, "{version} {}", listed.text);
        }
    }
    for (version, name) in [("2017-09-18", "billing_cycles_count"), ("2021-04-19", "pending_removal")] {
        let body = update("dids", &did, json!({ name: Value::Null }));
        refused(&world.api.at(Some(version)).patch(&path, &body).await, &[not_allowed(name)]);
    }
    let ended = world.api.at(Some("2026-11-19")).get(&format!("{DIDS}?filter[pending_removal]=true")).await;
    refused(&ended, &[error(400, "102", "Filter not allowed", "pending_removal is not allowed.")]);
}
