//! Deletes, and the rotation of credentials.

use http::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, OLD};
use crate::support::world::*;

#[tokio::test]
async fn case_71_a_deleted_trunk_is_gone() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let id = world.created(&linking(credentials("A"), "dids", dids(&[&did]))).await.id();
    let answer = world.api.delete(&format!("{TRUNKS}/{id}")).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    for name in ["content-type", "etag", "location"] {
        assert!(answer.headers.get(name).is_none(), "{name}");
    }
    assert_eq!(answer.headers["cache-control"], "no-cache");
    refused(&world.api.get(&format!("{TRUNKS}/{id}")).await, &[not_found(&id)]);
    refused(&world.api.get(&format!("{TRUNKS}/{id}/dids")).await, &[not_found(&id)]);
    assert_eq!(world.api.get(TRUNKS).await.at("/meta/total_records"), 0);
    assert_eq!(world.api.get(&format!("{DIDS}/{did}")).await.status, 200, "its DIDs survive");
    world.trunk("A").await;
}

#[tokio::test]
async fn case_72_a_trunk_is_deleted_once() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    assert_eq!(world.api.delete(&format!("{TRUNKS}/{id}")).await.status, 204);
    refused(&world.api.delete(&format!("{TRUNKS}/{id}")).await, &[not_found(&id)]);
    refused(&world.api.delete(&format!("{TRUNKS}/{UNKNOWN}")).await, &[not_found(UNKNOWN)]);
}

#[tokio::test]
async fn a_query_does_not_keep_a_trunk_from_being_deleted() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let path = format!("{TRUNKS}/{id}?include=bogus&fields[bogus]=x");
    assert_eq!(world.api.delete(&path).await.status, 204, "no record is shown, so nothing is read of it");
}

#[tokio::test]
async fn case_73_a_rotation_gives_new_credentials_and_answers_with_the_trunks_id() {
    let world = World::start().await;
    let created = world.created(&credentials("A")).await;
    for version in TRUNK_VERSIONS {
        let api = world.api.at(Some(version));
        let path = format!("{TRUNKS}/{}", created.id());
        let before = world.api.get(&path).await.json();
        let answer = api.post(ROTATION, &rotation(&created.id())).await;
        assert_eq!(
            (answer.status, answer.text),
            (
                201,
                format!(
                    r#"{{"data":{{"id":"{}","type":"voice_out_trunk_regenerate_credentials"}},"meta":{{"api_version":"{version}"}}}}"#,
                    created.id()
                )
            )
        );
        assert!(answer.headers.get("location").is_none());
        let mut after = world.api.get(&path).await.json();
        for name in ["username", "password"] {
            let pointer = format!("/data/attributes/authentication_method/attributes/{name}");
            let length = if version >= "2026-04-16" { 16 } else { 10 };
            let new = after.pointer_mut(&pointer).unwrap();
            assert_eq!(new.as_str().map(str::len), Some(length), "{version}");
            assert_ne!(Some(&*new), before.pointer(&pointer));
            *new = before.pointer(&pointer).unwrap().clone();
        }
        assert_eq!(after, before, "nothing else changes");
    }
}

async fn refused_rotation(world: &World, body: &Value, expected: Expected) {
    let before = world.dump().await;
    refused(&world.api.post(ROTATION, body).await, &[expected]);
    assert_eq!(world.dump().await, before);
}

#[tokio::test]
async fn case_74_only_a_trunk_with_credentials_is_rotated() {
    let world = World::start().await;
    let twilio = world.created(&twilio("A")).await.id();
    let ip_only = world.trunk("B").await;
    world.make_ip_only(&ip_only, "203.0.113.1").await;
    for id in [twilio.as_str(), &ip_only, UNKNOWN, "1"] {
        refused_rotation(&world, &rotation(id), relationship("voice_out_trunk", "is invalid")).await;
    }
}

#[tokio::test]
async fn case_75_a_rotation_needs_its_trunk() {
    let world = World::start().await;
    let blank = || relationship("voice_out_trunk", "can't be blank");
    let kind = "voice_out_trunk_regenerate_credentials";
    refused_rotation(&world, &resource(kind, json!({})), blank()).await;
    refused_rotation(&world, &json!({ "data": { "type": kind } }), blank()).await;
    refused_rotation(&world, &linking(resource(kind, json!({})), "voice_out_trunk", json!(null)), blank())
        .await;
    refused_rotation(&world, &resource(kind, json!({ "username": "x" })), not_allowed("username")).await;
}

#[tokio::test]
async fn a_rotation_is_an_act_and_no_record() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    refused(&world.api.get(ROTATION).await, &[no_route()]);
    for method in [Method::GET, Method::PATCH, Method::PUT, Method::DELETE] {
        let answer = world.api.send(method, &format!("{ROTATION}/{id}"), "{}").await;
        refused(&answer, &[no_route()]);
    }
    let path = format!("{ROTATION}/{id}/relationships/voice_out_trunk");
    refused(&world.api.get(&path).await, &[no_route()]);
}

#[tokio::test]
async fn a_rotated_trunk_keeps_its_prefix_and_addresses_in_every_version() {
    let world = World::start().await;
    let mut body = credentials("A");
    body["data"]["attributes"]["authentication_method"]["attributes"]["tech_prefix"] = json!("12#");
    let id = world.created(&body).await.id();
    assert_eq!(world.api.at(Some(OLD)).post(ROTATION, &rotation(&id)).await.status, 201);
    let shown: Answer = world.api.get(&format!("{TRUNKS}/{id}")).await;
    let inner = shown.at("/data/attributes/authentication_method/attributes");
    assert_eq!(
        (&inner["tech_prefix"], &inner["allowed_sip_ips"]),
        (&json!("12#"), &json!(["192.168.1.1/32"]))
    );
}
