//! Text message trunks, their groups, routes of DIDs, credentials and verified senders. No message is sent.

use serde_json::{Value, json};
use trunk_server::control::RecordMembers;
use uuid::Uuid;

use crate::support::api::{Answer, Api, TOKENS};
use crate::support::world::*;

const SMS: &str = "/sms_trunks";
const GROUPS: &str = "/sms_trunk_groups";
const SENDERS: &str = "/sender_id_verifications";
const ROTATIONS: &str = "/sms_trunk_regenerate_credentials";

async fn start() -> (World, Api) {
    let world = World::start().await;
    let api = world.api.at(Some(TOKENS));
    (world, api)
}

fn trunk(name: &str, kind: &str, attributes: Value) -> Value {
    let configuration = json!({ "type": kind, "attributes": attributes });
    resource("sms_trunks", json!({ "name": name, "configuration": configuration }))
}

fn to_email(name: &str) -> Value {
    let attributes = json!({ "send_to": "sms@example.com", "subject": "Inbound", "message": "{SMS_TEXT}" });
    trunk(name, "sms_to_email", attributes)
}

fn http_in(attributes: Value) -> Value {
    with_configuration(
        json!({ "url": "https://example.com/sms", "http_method": "post" }),
        attributes,
        "http_in",
    )
}

fn smsc(attributes: Value) -> Value {
    let complete = json!({ "host": "smsc.example.com", "system_id": "didww", "password": "secret", "server_location": "nyc" });
    with_configuration(complete, attributes, "smpp_smsc")
}

fn with_configuration(mut complete: Value, further: Value, kind: &str) -> Value {
    complete.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    trunk("A", kind, complete)
}

fn http_out(name: &str) -> Value {
    trunk(name, "http_out", json!({ "allowed_ips": ["203.0.113.10"] }))
}

fn esme(name: &str) -> Value {
    trunk(name, "smpp_esme", json!({ "server_location": "nyc" }))
}

fn group(name: &str, trunks: &[&str]) -> Value {
    let members = trunks.iter().map(|id| identifier("sms_trunks", id)).collect();
    linking(resource("sms_trunk_groups", json!({ "name": name })), "sms_trunks", members)
}

async fn made(api: &Api, path: &str, body: &Value) -> String {
    let answer = api.post(path, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.id()
}

async fn change(api: &Api, path: &str, kind: &str, id: &str, attributes: Value) -> Answer {
    api.patch(&format!("{path}/{id}"), &update(kind, id, attributes)).await
}

async fn link(api: &Api, path: &str, kind: &str, id: &str, name: &str, to: Value) -> Answer {
    api.patch(&format!("{path}/{id}"), &linking(update(kind, id, json!({})), name, to)).await
}

async fn route(api: &Api, did: &str, name: &str, to: Value) -> Answer {
    link(api, DIDS, "dids", did, name, to).await
}

async fn routed_to(api: &Api, did: &str, name: &str) -> Value {
    api.get(&format!("{DIDS}/{did}/relationships/{name}")).await.at("/data")
}

async fn configuration(api: &Api, id: &str) -> Value {
    api.get(&format!("{SMS}/{id}")).await.at("/data/attributes/configuration/attributes")
}

fn inside(name: &str, message: &str) -> Expected {
    invalid(name, message, &format!("/data/attributes/configuration/attributes/{name}"))
}

#[tokio::test]
async fn each_of_the_five_kinds_says_what_it_carries_and_has_its_defaults() {
    let (_world, api) = start().await;
    for (body, allow_in, allow_out, priority, meta) in [
        (to_email("E"), true, false, json!(100), Value::Null),
        (
            http_in(json!({ "body_type": "json", "body": "{\"text\":\"{SMS_TEXT}\"}" })),
            true,
            false,
            json!(100),
            Value::Null,
        ),
        (
            http_out("O"),
            false,
            true,
            Value::Null,
            json!({ "host": "https://sms-out.invalid/outbound_messages" }),
        ),
        (esme("S"), true, true, json!(100), Value::Null),
        (smsc(json!({})), true, true, json!(100), Value::Null),
    ] {
        let name = body["data"]["attributes"]["configuration"]["type"].as_str().unwrap().to_owned();
        let answer = api.post(SMS, &with(body, json!({ "name": name }))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let shown = answer.at("/data/attributes");
        assert_eq!(
            (&shown["allow_in"], &shown["allow_out"]),
            (&json!(allow_in), &json!(allow_out)),
            "{name}"
        );
        assert_eq!((&shown["priority"], &shown["blocked"]), (&priority, &json!(false)), "{name}");
        assert_eq!((answer.at("/data/meta"), &shown["updated_at"]), (meta, &shown["created_at"]), "{name}");
        let read = api.get(&format!("{SMS}/{}", answer.id())).await;
        assert_eq!(read.at("/data"), answer.at("/data"), "{name}");
    }
    let list = api.get(&format!("{SMS}?filter[configuration.type]=http_out,smpp_esme")).await;
    assert_eq!(list.at("/meta/total_records"), 2, "{}", list.text);
    let detail = "bogus is not a valid value for configuration.type.";
    let unknown = api.get(&format!("{SMS}?filter[configuration.type]=http_out,bogus")).await;
    refused(&unknown, &[error(400, "107", "Invalid filter value", detail)]);
    let ports = json!({ "tx_port": 2775, "rx_port": 2776 });
    let smpp = api.get(&format!("{SMS}?filter[configuration.type]=smpp_smsc")).await;
    let smpp = smpp.at("/data/0/attributes/configuration/attributes");
    assert_eq!(json!({ "tx_port": smpp["tx_port"], "rx_port": smpp["rx_port"] }), ports);
}

#[tokio::test]
async fn each_rule_of_a_configuration_refuses_with_the_place() {
    let (_world, api) = start().await;
    let blank = "can't be blank";
    for (body, refusals) in [
        (
            trunk("A", "sms_to_email", json!({ "send_to": "a@b.c", "subject": " " })),
            vec![("subject", blank), ("message", blank)],
        ),
        (trunk("A", "http_in", json!({})), vec![("url", blank), ("http_method", blank)]),
        (http_in(json!({})), vec![("body_type", blank), ("body", blank)]),
        (http_in(json!({ "http_method": "put", "body_type": "raw" })), vec![("body", blank)]),
        (http_in(json!({ "http_method": "get", "body": "a" })), vec![("body", "must be blank")]),
        (http_in(json!({ "http_method": "delete" })), vec![("http_method", "is not included in the list")]),
        (http_in(json!({ "body_type": "json", "body": "no json" })), vec![("body", "is invalid")]),
        (http_in(json!({ "body_type": "raw", "body": { "a": "b" } })), vec![("body", "is invalid")]),
        (http_in(json!({ "body_type": "html_multipart", "body": "a" })), vec![("body", "is invalid")]),
        (http_in(json!({ "headers": { "a": [] } })), vec![("headers", "is invalid")]),
        (trunk("A", "http_out", json!({ "callback_url": "ftp://x" })), vec![("callback_url", "is invalid")]),
        (trunk("A", "smpp_esme", json!({})), vec![("server_location", blank)]),
        (
            trunk("A", "smpp_esme", json!({ "server_location": "fra", "system_type": "1234567890123" })),
            vec![("system_type", "is too long (maximum is 12 characters)")],
        ),
        (smsc(json!({ "host": null })), vec![("host", blank)]),
        (
            smsc(json!({ "password": "123456789" })),
            vec![("password", "is too long (maximum is 8 characters)")],
        ),
        (
            smsc(json!({ "system_id": "1234567890123456" })),
            vec![("system_id", "is too long (maximum is 15 characters)")],
        ),
    ] {
        let answer = api.post(SMS, &body).await;
        let expected: Vec<Expected> = refusals.iter().map(|(name, message)| inside(name, message)).collect();
        refused(&answer, &expected);
    }
    let kind = invalid("type", "is not included in the list", "/data/attributes/configuration/type");
    refused(&api.post(SMS, &trunk("A", "pigeon", json!({}))).await, &[kind]);
    for (kind, name) in [("http_out", "auth_name"), ("smpp_esme", "password"), ("sms_to_email", "bogus")] {
        refused(&api.post(SMS, &trunk("A", kind, json!({ name: "x" }))).await, &[not_allowed(name)]);
    }
    assert_eq!(api.get(SMS).await.at("/meta/total_records"), 0);
}

#[tokio::test]
async fn an_update_merges_a_configuration_and_its_type_stays() {
    let (_world, api) = start().await;
    let body = http_in(json!({ "body_type": "html_url_encoded", "body": { "text": "{SMS_TEXT}" } }));
    let id = made(&api, SMS, &body).await;
    let to_get =
        json!({ "type": "http_in", "attributes": { "http_method": "get", "body": null, "body_type": null } });
    let answer = change(&api, SMS, "sms_trunks", &id, json!({ "configuration": to_get })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let shown = configuration(&api, &id).await;
    assert_eq!((&shown["url"], &shown["body"]), (&json!("https://example.com/sms"), &Value::Null));
    let other = json!({ "type": "sms_to_email", "attributes": {} });
    let refusal = invalid("type", "is not allowed for update", "/data/attributes/configuration/type");
    refused(&change(&api, SMS, "sms_trunks", &id, json!({ "configuration": other })).await, &[refusal]);
}

#[tokio::test]
async fn a_trunk_that_receives_has_a_priority_and_names_are_unique_among_trunks_and_groups() {
    let (_world, api) = start().await;
    let email = made(&api, SMS, &with(to_email("E"), json!({ "priority": 7 }))).await;
    let cleared = change(&api, SMS, "sms_trunks", &email, json!({ "priority": null })).await;
    assert_eq!(cleared.at("/data/attributes/priority"), 100);
    refused(
        &api.post(SMS, &with(http_out("O"), json!({ "priority": 7 }))).await,
        &[attribute("priority", "must be blank")],
    );
    made(&api, SMS, &with(http_out("O"), json!({ "priority": null }))).await;
    refused(
        &api.post(SMS, &with(esme("X"), json!({ "priority": 32_768 }))).await,
        &[attribute("priority", "must be less than or equal to 32767")],
    );
    refused(&api.post(GROUPS, &group("E", &[])).await, &[attribute("name", "has already been taken")]);
}

#[tokio::test]
async fn the_sources_of_messages_are_all_dids_or_registered_ones_that_are_named() {
    let (world, api) = start().await;
    let did = world.did("37061498222").await;
    let id = made(&api, SMS, &linking(esme("S"), "outgoing_dids", dids(&[&did]))).await;
    let all = json!({ "allow_any_did_as_source": true });
    assert_eq!(change(&api, SMS, "sms_trunks", &id, all.clone()).await.status, 200);
    let path = format!("{SMS}/{id}/relationships/outgoing_dids");
    assert_eq!(api.get(&path).await.at("/data"), json!([]));
    let refusal = relationship("outgoing_dids", "must be blank");
    refused(&link(&api, SMS, "sms_trunks", &id, "outgoing_dids", dids(&[&did])).await, &[refusal]);
    let inbound = api.post(SMS, &with(to_email("E"), all)).await;
    refused(&inbound, &[attribute("allow_any_did_as_source", "must be blank")]);
    let waiting =
        RecordMembers::default().attribute("number", "37061498223").attribute("awaiting_registration", true);
    let owner = Some(world.server.account());
    let waiting = world.server.control().put_record(owner, "dids", None, waiting).await.unwrap().to_string();
    let answer = api.post(SMS, &linking(esme("T"), "outgoing_dids", dids(&[&waiting]))).await;
    refused(&answer, &[relationship(&format!("outgoing_dids/{waiting}"), "is invalid")]);
}

#[tokio::test]
async fn a_group_counts_its_trunks_and_takes_none_that_only_sends() {
    let (_world, api) = start().await;
    let (email, out) = (made(&api, SMS, &to_email("E")).await, made(&api, SMS, &http_out("O")).await);
    refused(&api.post(GROUPS, &group("G", &[&out])).await, &[relationship("sms_trunks/0", "is invalid")]);
    let twice = relationship("sms_trunks", "must not contain the same value twice");
    refused(&api.post(GROUPS, &group("G", &[&email, &email.to_uppercase()])).await, &[twice]);
    let id = made(&api, GROUPS, &group("G", &[&email])).await;
    let refusal = relationship("sms_trunk_group", "is invalid");
    let to = identifier("sms_trunk_groups", &id);
    refused(&link(&api, SMS, "sms_trunks", &out, "sms_trunk_group", to.clone()).await, &[refusal]);
    let count = async || api.get(&format!("{GROUPS}/{id}")).await.at("/data/meta");
    assert_eq!(count().await, json!({ "sms_trunks_count": 1 }));
    let second = made(&api, SMS, &linking(esme("S"), "sms_trunk_group", to)).await;
    assert_eq!(count().await, json!({ "sms_trunks_count": 2 }));
    let body = linking(update("sms_trunk_groups", &id, json!({})), "sms_trunks", json!([]));
    assert_eq!(api.patch(&format!("{GROUPS}/{id}"), &body).await.status, 200);
    assert_eq!(count().await, json!({ "sms_trunks_count": 0 }));
    assert_eq!(api.get(&format!("{SMS}/{second}")).await.status, 200);
}

#[tokio::test]
async fn n80_a_did_is_not_routed_to_a_text_message_trunk_and_a_group_at_once() {
    let world = World::start().await;
    let api = world.api.at(Some(TOKENS));
    let did = world.did("37061498222").await;
    let trunk = made(&api, SMS, &to_email("E")).await;
    let group = made(&api, GROUPS, &group("G", &[])).await;
    let body = linking(update("dids", &did, json!({})), "sms_trunk", identifier("sms_trunks", &trunk));
    let both = linking(body, "sms_trunk_group", identifier("sms_trunk_groups", &group));
    let answer = api.patch(&format!("{DIDS}/{did}"), &both).await;
    refused(&answer, &[relationship("sms_trunk_group", "must be blank")]);
    let out = made(&api, SMS, &http_out("O")).await;
    let answer = route(&api, &did, "sms_trunk", identifier("sms_trunks", &out)).await;
    refused(&answer, &[relationship("sms_trunk", "is invalid")]);
    assert_eq!(routed_to(&api, &did, "sms_trunk").await, Value::Null);
}

#[tokio::test]
async fn n81_null_clears_only_the_route_that_was_made_through_the_relationship() {
    let world = World::start().await;
    let api = world.api.at(Some(TOKENS));
    let did = world.did("37061498222").await;
    let trunk = made(&api, SMS, &to_email("E")).await;
    let group = made(&api, GROUPS, &group("G", &[])).await;
    let (to_trunk, to_group) = (identifier("sms_trunks", &trunk), identifier("sms_trunk_groups", &group));
    assert_eq!(route(&api, &did, "sms_trunk_group", to_group.clone()).await.status, 200);
    assert_eq!(route(&api, &did, "sms_trunk", Value::Null).await.status, 200);
    assert_eq!(routed_to(&api, &did, "sms_trunk_group").await, to_group);
    let found = api.get(&format!("{DIDS}?filter[sms_trunk_group.id]={group}")).await;
    assert_eq!(found.at("/meta/total_records"), 1);
    assert_eq!(route(&api, &did, "sms_trunk", to_trunk.clone()).await.status, 200);
    assert_eq!(routed_to(&api, &did, "sms_trunk_group").await, Value::Null);
    assert_eq!(route(&api, &did, "sms_trunk_group", Value::Null).await.status, 200);
    assert_eq!(routed_to(&api, &did, "sms_trunk").await, to_trunk);
    let incoming = api.get(&format!("{SMS}/{trunk}?include=incoming_dids")).await;
    assert_eq!(incoming.at("/included/0/id"), json!(did));
}

#[tokio::test]
async fn a_trunk_or_a_group_to_which_a_did_is_routed_stays_and_a_group_goes_with_its_trunks() {
    let (world, api) = start().await;
    let (routed, outgoing) = (world.did("37061498222").await, world.did("37061498223").await);
    let trunk = made(&api, SMS, &linking(esme("S"), "outgoing_dids", dids(&[&outgoing]))).await;
    let id = made(&api, GROUPS, &group("G", &[&trunk])).await;
    assert_eq!(route(&api, &routed, "sms_trunk", identifier("sms_trunks", &trunk)).await.status, 200);
    let stays = || Expected::record("The trunk cannot be removed while numbers are routed to it");
    refused(&api.delete(&format!("{SMS}/{trunk}")).await, &[stays()]);
    refused(&api.delete(&format!("{GROUPS}/{id}")).await, &[stays()]);
    assert_eq!(
        route(&api, &routed, "sms_trunk_group", identifier("sms_trunk_groups", &id)).await.status,
        200
    );
    let group_stays = Expected::record("The trunk group cannot be removed while numbers are routed to it");
    refused(&api.delete(&format!("{GROUPS}/{id}")).await, &[group_stays]);
    assert_eq!(route(&api, &routed, "sms_trunk_group", Value::Null).await.status, 200);
    assert_eq!(api.delete(&format!("{GROUPS}/{id}")).await.status, 204);
    refused(&api.get(&format!("{SMS}/{trunk}")).await, &[not_found(&trunk)]);
}

#[tokio::test]
async fn credentials_are_generated_and_replaced_by_the_service_alone() {
    let (_world, api) = start().await;
    let rotate = |id: &str| {
        json!({ "data": { "type": "sms_trunk_regenerate_credentials",
            "relationships": { "sms_trunk": { "data": identifier("sms_trunks", id) } } } })
    };
    for (body, name, password, lengths) in [
        (http_out("O"), "auth_name", "auth_password", (16, 16)),
        (esme("S"), "system_id", "password", (15, 8)),
    ] {
        let id = made(&api, SMS, &body).await;
        let before = configuration(&api, &id).await;
        let length = |name: &str| before[name].as_str().unwrap().len();
        assert_eq!((length(name), length(password)), lengths);
        assert_eq!(change(&api, SMS, "sms_trunks", &id, json!({ "blocked": true })).await.status, 200);
        assert_eq!(configuration(&api, &id).await, before);
        let answer = api.post(ROTATIONS, &rotate(&id)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(answer.at("/data"), json!({ "id": id, "type": "sms_trunk_regenerate_credentials" }));
        let after = configuration(&api, &id).await;
        for replaced in [name, password] {
            assert_ne!(after[replaced], before[replaced], "{replaced}");
        }
        let new_length = |name: &str| after[name].as_str().unwrap().len();
        assert_eq!((new_length(name), new_length(password)), lengths);
        assert_eq!(after["allowed_ips"], before["allowed_ips"]);
    }
    let email = made(&api, SMS, &to_email("E")).await;
    for id in [email.as_str(), UNKNOWN] {
        refused(&api.post(ROTATIONS, &rotate(id)).await, &[relationship("sms_trunk", "is invalid")]);
    }
}

/// A verification of these senders, as staff make one.
async fn verified(world: &World, name: &str, status: &str, senders: Value) -> String {
    let members = RecordMembers::default()
        .attribute("name", name)
        .attribute("status", status)
        .attribute("sender_type", "alphanumeric")
        .attribute("sender_ids", senders);
    let owner = Some(world.server.account());
    let id = world.server.control().put_record(owner, "sender_id_verifications", None, members).await;
    id.unwrap().to_string()
}

#[tokio::test]
async fn a_verification_of_staff_is_set_to_one_trunk_that_sends_and_has_none_of_its_senders() {
    let (world, api) = start().await;
    let kind = "sender_id_verifications";
    let one = verified(&world, "One", "active", json!(["SHOP", "STORE"])).await;
    let two = verified(&world, "Two", "active", json!(["STORE"])).await;
    let three = verified(&world, "Three", "active", json!(["BANK"])).await;
    let (esme, email) = (made(&api, SMS, &esme("S")).await, made(&api, SMS, &to_email("E")).await);
    let to = |id: &str| identifier("sms_trunks", id);
    assert_eq!(link(&api, SENDERS, kind, &one, "sms_trunk", to(&esme)).await.status, 200);
    assert_eq!(link(&api, SENDERS, kind, &one, "sms_trunk", to(&esme)).await.status, 200);
    let taken = link(&api, SENDERS, kind, &two, "sms_trunk", to(&esme)).await;
    refused(&taken, &[relationship("sms_trunk", "has already been taken")]);
    assert_eq!(link(&api, SENDERS, kind, &three, "sms_trunk", to(&esme)).await.status, 200);
    let receives = link(&api, SENDERS, kind, &two, "sms_trunk", to(&email)).await;
    refused(&receives, &[relationship("sms_trunk", "is invalid")]);
    let of_trunk = api.get(&format!("{SENDERS}?filter[sms_trunk.id]={esme}&sort=name")).await;
    assert_eq!((of_trunk.at("/data/0/id"), of_trunk.at("/data/1/id")), (json!(one), json!(three)));
    assert_eq!(api.delete(&format!("{SMS}/{esme}")).await.status, 204);
    let left = api.get(&format!("{SENDERS}/{one}/relationships/sms_trunk")).await;
    assert_eq!(left.at("/data"), Value::Null);
}

#[tokio::test]
async fn the_senders_of_a_closed_verification_are_free_for_another_one_on_its_trunk() {
    let (world, api) = start().await;
    let kind = "sender_id_verifications";
    let old = verified(&world, "Old", "active", json!(["SHOP"])).await;
    let new = verified(&world, "New", "active", json!(["SHOP"])).await;
    let trunk = identifier("sms_trunks", &made(&api, SMS, &esme("S")).await);
    assert_eq!(link(&api, SENDERS, kind, &old, "sms_trunk", trunk.clone()).await.status, 200);
    let taken = link(&api, SENDERS, kind, &new, "sms_trunk", trunk.clone()).await;
    refused(&taken, &[relationship("sms_trunk", "has already been taken")]);
    let closed = RecordMembers::default().attribute("status", "closed");
    let (owner, id): (_, Uuid) = (Some(world.server.account()), old.parse().unwrap());
    world.server.control().put_record(owner, kind, Some(id), closed).await.unwrap();
    assert_eq!(link(&api, SENDERS, kind, &new, "sms_trunk", trunk).await.status, 200);
}

#[tokio::test]
async fn a_closed_verification_cannot_be_changed_and_none_is_made_or_deleted_by_a_request() {
    let (world, api) = start().await;
    let kind = "sender_id_verifications";
    let open = verified(&world, "Open", "changes_required", json!(["SHOP"])).await;
    let closed = verified(&world, "Closed", "closed", json!(["BANK"])).await;
    let renamed = change(&api, SENDERS, kind, &open, json!({ "name": "Shop" })).await;
    assert_eq!(renamed.at("/data/attributes/name"), "Shop", "{}", renamed.text);
    refused(
        &change(&api, SENDERS, kind, &open, json!({ "status": "active" })).await,
        &[not_allowed("status")],
    );
    let refusal = Expected::record("The verification is closed and cannot be changed");
    refused(&change(&api, SENDERS, kind, &closed, json!({ "name": "B" })).await, &[refusal]);
    refused(&api.post(SENDERS, &resource(kind, json!({ "name": "N" }))).await, &[no_route()]);
    refused(&api.delete(&format!("{SENDERS}/{open}")).await, &[no_route()]);
}
