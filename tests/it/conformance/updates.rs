//! Updates of trunks: they change the attributes in the request and no others.

use http::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, OLD};
use crate::support::world::*;

async fn change(world: &World, id: &str, attributes: Value) -> Answer {
    let answer = world.api.patch(&format!("{TRUNKS}/{id}"), &patch(id, attributes)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

async fn refusal(world: &World, id: &str, body: &Value, expected: &[Expected]) {
    let before = world.dump().await;
    refused(&world.api.patch(&format!("{TRUNKS}/{id}"), body).await, expected);
    assert_eq!(world.dump().await, before, "a refused update changes nothing");
}

fn method(kind: &str, attributes: Value) -> Value {
    json!({ "authentication_method": { "type": kind, "attributes": attributes } })
}

fn to_credentials() -> Value {
    method("credentials_and_ip", json!({ "allowed_sip_ips": ["203.0.113.7"] }))
}

fn to_twilio() -> Value {
    method("twilio", json!({ "twilio_account_sid": SID }))
}

const INNER: &str = "/data/attributes/authentication_method/attributes";

#[tokio::test]
async fn case_34_nobody_makes_a_trunk_ip_only() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let pointer = "/data/attributes/authentication_method/type";
    let expected = || [invalid("type", "is not allowed for update", pointer)];
    let body = patch(&id, method("ip_only", json!({ "allowed_sip_ips": ["203.0.113.1"] })));
    refusal(&world, &id, &body, &expected()).await;
    world.make_ip_only(&id, "203.0.113.1").await;
    refusal(&world, &id, &body, &expected()).await;
}

#[tokio::test]
async fn case_63_one_attribute_changes_and_the_others_stay() {
    let world = World::start().await;
    let created = world.created(&with(credentials("A"), json!({ "capacity_limit": 5 }))).await;
    let changed = change(&world, &created.id(), json!({ "media_encryption_mode": "zrtp" })).await;
    let mut expected = created.json();
    expected["data"]["attributes"]["media_encryption_mode"] = json!("zrtp");
    assert_eq!(changed.json(), expected);
    let read = world.api.get(&format!("{TRUNKS}/{}", created.id())).await;
    assert_eq!(read.text, changed.text);
}

#[tokio::test]
async fn case_64_empty_attributes_and_an_empty_list_clear_the_emergency_dids() {
    let world = World::start().await;
    let did = world.emergency_did("37061498222").await;
    let id = world.created(&linking(credentials("A"), "emergency_dids", dids(&[&did]))).await.id();
    let body = linking(patch(&id, json!({})), "emergency_dids", json!([]));
    assert_eq!(world.api.patch(&format!("{TRUNKS}/{id}"), &body).await.status, 200);
    let linkage = world.api.get(&format!("{TRUNKS}/{id}/relationships/emergency_dids")).await;
    assert_eq!(linkage.at("/data"), json!([]));
}

#[tokio::test]
async fn an_update_without_attributes_works() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let created = world.created(&credentials("A")).await;
    let mut body = linking(patch(&created.id(), json!({})), "dids", dids(&[&did]));
    body["data"].as_object_mut().unwrap().remove("attributes");
    let path = format!("{TRUNKS}/{}", created.id());
    let answer = world.api.patch(&path, &body).await;
    assert_eq!((answer.status, answer.text), (200, created.text.clone()));
    let bare = json!({ "data": { "type": "voice_out_trunks", "id": created.id() } });
    let answer = world.api.patch(&path, &bare).await;
    assert_eq!((answer.status, answer.text), (200, created.text));
    assert_eq!(world.api.get(&format!("{path}/dids")).await.at("/meta/total_records"), 1);
}

#[tokio::test]
async fn case_65_an_update_names_its_id() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let expected = || [error(400, "109", "A key is required", "The resource object does not contain a key.")];
    let body = resource("voice_out_trunks", json!({ "name": "B" }));
    refusal(&world, &id, &body, &expected()).await;
    let null = json!({ "data": { "type": "dids", "id": null } });
    refusal(&world, &id, &null, &expected()).await;
}

#[tokio::test]
async fn case_66_an_update_names_the_id_of_its_path() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let of = |sent: &str| {
        [error(400, "110", "Key is not included in URL", &format!("The URL does not support the key {sent}"))]
    };
    refusal(&world, &id, &patch(UNKNOWN, json!({ "name": "B" })), &of(UNKNOWN)).await;
    let number = json!({ "data": { "type": "voice_out_trunks", "id": 7 } });
    refusal(&world, &id, &number, &of("7")).await;
}

#[tokio::test]
async fn case_67_a_trunk_that_comes_back_to_credentials_gets_new_ones() {
    let world = World::start().await;
    let created = world.created(&credentials("A")).await;
    let id = created.id();
    let secrets =
        |answer: &Answer| [answer.at(&format!("{INNER}/username")), answer.at(&format!("{INNER}/password"))];
    let first = secrets(&created);
    let kept = change(&world, &id, to_credentials()).await;
    assert_eq!(secrets(&kept), first, "who stays keeps them");
    let moved = change(&world, &id, to_twilio()).await;
    assert_eq!(moved.at("/data/attributes/authentication_method"), to_twilio()["authentication_method"]);
    let back = change(&world, &id, to_credentials()).await;
    let second = secrets(&back);
    assert!(second.iter().all(|secret| secret.as_str().is_some_and(|text| text.len() == 16)));
    assert!(second[0] != first[0] && second[1] != first[1]);
    assert_eq!(back.at(&format!("{INNER}/allowed_sip_ips")), json!(["203.0.113.7/32"]));
}

#[tokio::test]
async fn an_update_replaces_the_whole_method() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let prefixed = method("credentials_and_ip", json!({ "allowed_sip_ips": ["::1"], "tech_prefix": "99#" }));
    let answer = change(&world, &id, prefixed).await;
    assert_eq!(answer.at(&format!("{INNER}/tech_prefix")), "99#");
    assert_eq!(answer.at(&format!("{INNER}/allowed_sip_ips")), json!(["::1/128"]));
    let answer = change(&world, &id, to_credentials()).await;
    assert_eq!(answer.at(&format!("{INNER}/tech_prefix")), Value::Null);
}

#[tokio::test]
async fn credentials_that_are_sent_back_are_taken_and_ignored() {
    let world = World::start().await;
    let created = world.created(&credentials("A")).await;
    let mut method = created.at("/data/attributes/authentication_method");
    let same = change(&world, &created.id(), json!({ "authentication_method": method })).await;
    assert_eq!(same.text, created.text);
    method["attributes"]["username"] = json!("chosen");
    method["attributes"]["password"] = json!(null);
    let same = change(&world, &created.id(), json!({ "authentication_method": method })).await;
    assert_eq!(same.text, created.text);
}

#[tokio::test]
async fn a_flat_update_keeps_what_the_version_cannot_say() {
    let world = World::start().await;
    let attributes = json!({
        "rtp_timeout": 77, "external_reference_id": "ref", "emergency_enable_all": true,
        "authentication_method": {
            "type": "credentials_and_ip",
            "attributes": { "allowed_sip_ips": ["192.168.1.1"], "tech_prefix": "12#" },
        },
    });
    let created = world.created(&with(credentials("A"), attributes)).await;
    let path = format!("{TRUNKS}/{}", created.id());
    let body = patch(&created.id(), json!({ "allowed_sip_ips": ["10.1.2.3/8"], "name": "B" }));
    let flat = world.api.at(Some(OLD)).patch(&path, &body).await;
    assert_eq!(flat.at("/data/attributes/allowed_sip_ips"), json!(["10.0.0.0/8"]));
    let mut expected = created.json();
    expected["data"]["attributes"]["name"] = json!("B");
    *expected.pointer_mut(&format!("{INNER}/allowed_sip_ips")).unwrap() = json!(["10.0.0.0/8"]);
    assert_eq!(world.api.get(&path).await.json(), expected);
}

#[tokio::test]
async fn a_flat_update_of_addresses_makes_a_twilio_trunk_one_with_credentials() {
    let world = World::start().await;
    let id = world.created(&twilio("A")).await.id();
    let (path, old) = (format!("{TRUNKS}/{id}"), world.api.at(Some(OLD)));
    let shown = old.get(&path).await.at("/data/attributes");
    assert_eq!((&shown["allowed_sip_ips"], &shown["username"]), (&json!([]), &Value::Null));
    assert!(shown.as_object().unwrap().contains_key("password"));
    let named = old.patch(&path, &patch(&id, json!({ "name": "B" }))).await;
    assert_eq!(named.status, 200);
    let method = world.api.get(&path).await.at("/data/attributes/authentication_method");
    assert_eq!(method, to_twilio()["authentication_method"], "an update of something else keeps it");
    let moved = old.patch(&path, &patch(&id, json!({ "allowed_sip_ips": ["10.0.0.1"] }))).await;
    assert_eq!(moved.at("/data/attributes/username").as_str().map(str::len), Some(10));
}

#[tokio::test]
async fn case_68_an_ip_only_trunk_can_be_renamed() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    world.make_ip_only(&id, "203.0.113.1").await;
    let answer = change(&world, &id, json!({ "name": "B", "rtp_ping": true })).await;
    assert_eq!(answer.at("/data/attributes/name"), "B");
    let method = r#""authentication_method":{"type":"ip_only","attributes":{"allowed_sip_ips":["203.0.113.1/32"],"tech_prefix":null}}"#;
    assert!(answer.text.contains(method), "{}", answer.text);
}

#[tokio::test]
async fn the_addresses_of_an_ip_only_trunk_are_read_only_in_flat_versions() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    world.make_ip_only(&id, "203.0.113.1").await;
    let old = world.api.at(Some(OLD));
    let body = patch(&id, json!({ "allowed_sip_ips": ["0.0.0.0/0"] }));
    let answer = old.patch(&format!("{TRUNKS}/{id}"), &body).await;
    refused(&answer, &[attribute("allowed_sip_ips", "is not allowed for update")]);
    let shown = old.get(&format!("{TRUNKS}/{id}")).await.at("/data/attributes");
    assert_eq!((&shown["allowed_sip_ips"], &shown["username"]), (&json!(["203.0.113.1/32"]), &Value::Null));
}

#[tokio::test]
async fn an_ip_only_trunk_moves_to_the_other_methods() {
    let world = World::start().await;
    for (name, to) in [("A", to_twilio()), ("B", to_credentials())] {
        let id = world.trunk(name).await;
        world.make_ip_only(&id, "203.0.113.1").await;
        let answer = change(&world, &id, to.clone()).await;
        let kind = answer.at("/data/attributes/authentication_method/type");
        assert_eq!(kind, to["authentication_method"]["type"]);
    }
}

#[tokio::test]
async fn case_69_put_is_patch() {
    let world = World::start().await;
    let created = world.created(&with(credentials("A"), json!({ "capacity_limit": 5 }))).await;
    let path = format!("{TRUNKS}/{}", created.id());
    let body = patch(&created.id(), json!({ "name": "B" })).to_string();
    let put = world.api.send(Method::PUT, &path, &body).await;
    let mut expected = created.json();
    expected["data"]["attributes"]["name"] = json!("B");
    assert_eq!((put.status, put.json()), (200, expected));
    let nothing = world.api.send(Method::PUT, &path, "{}").await;
    assert_eq!((nothing.status, nothing.error().0), (400, "106".to_owned()));
}

#[tokio::test]
async fn reads_updates_and_deletions_that_are_repeated_have_the_effect_of_one() {
    let world = World::start().await;
    let created = world.created(&with(credentials("A"), json!({ "capacity_limit": 5 }))).await;
    let path = format!("{TRUNKS}/{}", created.id());
    let body = patch(&created.id(), json!({ "name": "B", "capacity_limit": 7 }));
    let first = world.api.patch(&path, &body).await;
    let all = world.api.get(TRUNKS).await;
    for _ in 0..3 {
        let again = world.api.patch(&path, &body).await;
        assert_eq!((again.status, again.json()), (200, first.json()));
        let put = world.api.send(Method::PUT, &path, &body.to_string()).await;
        assert_eq!((put.status, put.json()), (200, first.json()));
        for (path, read) in [(path.as_str(), &first), (TRUNKS, &all)] {
            let again = world.api.get(path).await;
            assert_eq!((again.status, again.json()), (200, read.json()));
        }
    }
    assert_eq!(world.api.delete(&path).await.status, 204);
    let without = world.api.get(TRUNKS).await;
    for _ in 0..3 {
        refused(&world.api.delete(&path).await, &[not_found(&created.id())]);
        assert_eq!(world.api.get(TRUNKS).await.json(), without.json());
    }
}

#[tokio::test]
async fn case_70_an_unknown_trunk_is_not_updated() {
    let world = World::start().await;
    for body in [patch(UNKNOWN, json!({ "name": "B" })), patch(UNKNOWN, json!({ "capacity_limit": -1 }))] {
        refused(&world.api.patch(&format!("{TRUNKS}/{UNKNOWN}"), &body).await, &[not_found(UNKNOWN)]);
    }
}

#[tokio::test]
async fn an_update_is_refused_as_a_create_is() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    world.trunk("B").await;
    for (attributes, expected) in [
        (json!({ "name": "B" }), attribute("name", "has already been taken")),
        (json!({ "name": null }), attribute("name", "can't be blank")),
        (json!({ "name": " " }), attribute("name", "can't be blank")),
        (json!({ "status": null }), attribute("status", "can't be blank")),
        (json!({ "dst_prefixes": null }), attribute("dst_prefixes", "can't be blank")),
        (json!({ "threshold_amount": null }), attribute("threshold_amount", "is not a number")),
        (json!({ "rtp_timeout": null }), attribute("rtp_timeout", "is not a number")),
        (json!({ "on_cli_mismatch_action": null }), attribute("on_cli_mismatch_action", "can't be blank")),
        (json!({ "authentication_method": null }), attribute("authentication_method", "can't be blank")),
        (json!({ "created_at": "2020-01-01T00:00:00.000Z" }), not_allowed("created_at")),
        (json!({ "threshold_reached": false }), not_allowed("threshold_reached")),
        (json!({ "bogus": 1, "name": "C" }), not_allowed("bogus")),
        (
            json!({ "rtp_timeout": 29, "name": "C" }),
            attribute("rtp_timeout", "must be greater than or equal to 30"),
        ),
    ] {
        refusal(&world, &id, &patch(&id, attributes), &[expected]).await;
    }
    assert_eq!(change(&world, &id, json!({ "name": "A" })).await.status, 200, "its own name is free for it");
}

#[tokio::test]
async fn what_may_be_null_is_taken_away_by_null() {
    let world = World::start().await;
    let full = json!({
        "capacity_limit": 5, "allowed_rtp_ips": ["10.0.0.1"], "callback_url": "https://example.com/x",
        "external_reference_id": "ref",
    });
    let id = world.created(&with(credentials("A"), full.clone())).await.id();
    for name in full.as_object().unwrap().keys() {
        let shown = change(&world, &id, json!({ name: null })).await.at(&format!("/data/attributes/{name}"));
        assert_eq!(shown, Value::Null, "{name}");
    }
    let old = world.api.at(Some(OLD));
    for (name, sent, cleared) in [
        ("threshold_amount", json!("7.0"), Value::Null),
        ("dst_prefixes", json!(["23"]), json!([])),
        ("capacity_limit", json!(0), Value::Null),
    ] {
        for (sent, shown) in [(&sent, &sent), (&Value::Null, &cleared)] {
            let answer = old.patch(&format!("{TRUNKS}/{id}"), &patch(&id, json!({ name: sent }))).await;
            assert_eq!(&answer.at(&format!("/data/attributes/{name}")), shown, "{name}");
        }
    }
}

#[tokio::test]
async fn a_switch_that_is_turned_on_unlinks_what_was_linked() {
    let world = World::start().await;
    let [one, two] = [world.emergency_did("37061498222").await, world.emergency_did("12025550143").await];
    for (name, switch, rel) in
        [("A", "allow_any_did_as_cli", "dids"), ("B", "emergency_enable_all", "emergency_dids")]
    {
        let id = world.created(&linking(credentials(name), rel, dids(&[&one]))).await.id();
        let linkage = async || world.api.get(&format!("{TRUNKS}/{id}/relationships/{rel}")).await.at("/data");
        assert_eq!(linkage().await, dids(&[&one]));
        let body = linking(patch(&id, json!({ switch: true })), rel, dids(&[&one]));
        refusal(&world, &id, &body, &[relationship(rel, "must be blank")]).await;
        change(&world, &id, json!({ switch: true })).await;
        assert_eq!(linkage().await, dids(&[&one, &two]), "the service keeps all eligible ones");
        let body = linking(patch(&id, json!({})), rel, dids(&[&one]));
        refusal(&world, &id, &body, &[relationship(rel, "must be blank")]).await;
        change(&world, &id, json!({ switch: false })).await;
        assert_eq!(linkage().await, json!([]), "those linked before do not come back");
        let body = linking(patch(&id, json!({ switch: false })), rel, dids(&[&two]));
        assert_eq!(world.api.patch(&format!("{TRUNKS}/{id}"), &body).await.status, 200);
        assert_eq!(linkage().await, dids(&[&two]));
    }
}

#[tokio::test]
async fn the_members_that_the_service_keeps_follow_the_dids() {
    let world = World::start().await;
    let [able, plain] = [world.emergency_did("37061498222").await, world.did("12025550143").await];
    let switches = json!({ "allow_any_did_as_cli": true, "emergency_enable_all": true });
    let id = world.created(&with(credentials("A"), switches)).await.id();
    let members =
        async |name: &str| world.api.get(&format!("{TRUNKS}/{id}/{name}?fields[dids]=number")).await;
    assert_eq!(members("dids").await.at("/meta/total_records"), 2);
    assert_eq!(members("emergency_dids").await.at("/meta/total_records"), 1);
    let body = update("dids", &plain, json!({ "terminated": true }));
    assert_eq!(world.api.patch(&format!("{DIDS}/{plain}"), &body).await.status, 200);
    assert_eq!(members("dids").await.at("/data/0/id"), able);
    assert_eq!(members("dids").await.at("/meta/total_records"), 1);
    let included = world.api.get(&format!("{TRUNKS}/{id}?include=dids,emergency_dids")).await;
    assert_eq!(included.at("/data/relationships/dids/data"), dids(&[&able]));
    assert_eq!(included.at("/included").as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_trunk_is_blocked_and_unblocked_by_hand() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    for status in ["blocked", "active"] {
        let answer = change(&world, &id, json!({ "status": status })).await;
        assert_eq!(answer.at("/data/attributes/status"), status);
        assert_eq!(answer.at("/data/attributes/threshold_reached"), false);
    }
}
