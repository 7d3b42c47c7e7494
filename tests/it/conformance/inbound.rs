//! Inbound trunks and their groups: configurations, memberships, routes of DIDs, and deletions.

use http::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, Api, NEW, OLD, TOKENS};
use crate::support::world::*;

pub(super) const IN_TRUNKS: &str = "/voice_in_trunks";
pub(super) const GROUPS: &str = "/voice_in_trunk_groups";

/// The versions with the corrected rules.
const CORRECTED: [&str; 2] = [NEW, TOKENS];

/// A trunk of a host.
pub(super) fn sip(name: &str) -> Value {
    configured(name, "sip_configurations", json!({ "host": "sip.example.com" }))
}

fn configured(name: &str, kind: &str, attributes: Value) -> Value {
    let configuration = json!({ "type": kind, "attributes": attributes });
    resource("voice_in_trunks", json!({ "name": name, "configuration": configuration }))
}

pub(super) fn group(name: &str) -> Value {
    resource("voice_in_trunk_groups", json!({ "name": name }))
}

pub(super) fn with_trunks(body: Value, ids: &[&str]) -> Value {
    linking(body, "voice_in_trunks", ids.iter().map(|id| identifier("voice_in_trunks", id)).collect())
}

pub(super) async fn made(api: &Api, path: &str, body: &Value) -> String {
    let answer = api.post(path, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.id()
}

/// Updates members of a configuration.
async fn configure(api: &Api, id: &str, attributes: Value) -> Answer {
    let configuration = json!({ "type": "sip_configurations", "attributes": attributes });
    let body = update("voice_in_trunks", id, json!({ "configuration": configuration }));
    api.patch(&format!("{IN_TRUNKS}/{id}"), &body).await
}

async fn read(api: &Api, id: &str) -> Value {
    api.get(&format!("{IN_TRUNKS}/{id}")).await.at("/data/attributes/configuration/attributes")
}

async fn route(api: &Api, did: &str, relationship: &str, to: Value) -> Answer {
    api.patch(&format!("{DIDS}/{did}"), &linking(update("dids", did, json!({})), relationship, to)).await
}

fn inside(name: &str, message: &str) -> Expected {
    invalid(name, message, &format!("/data/attributes/configuration/attributes/{name}"))
}

/// A refusal of the whole record.
fn whole(message: &str) -> Expected {
    Expected::record(message)
}

async fn count(api: &Api, group: &str) -> Value {
    api.get(&format!("{GROUPS}/{group}")).await.at("/data/meta")
}

#[tokio::test]
async fn case_90_a_trunk_without_a_configuration_lacks_a_parameter() {
    let world = World::start().await;
    let expected =
        || error(400, "106", "Missing Parameter", "The required parameter, configuration, is missing.");
    for version in [OLD, NEW, TOKENS] {
        let api = world.api.at(Some(version));
        let body = resource("voice_in_trunks", json!({ "name": "A" }));
        refused(&api.post(IN_TRUNKS, &body).await, &[expected()]);
        let null = resource("voice_in_trunks", json!({ "name": "A", "configuration": null }));
        refused(&api.post(IN_TRUNKS, &null).await, &[attribute("configuration", "can't be blank")]);
    }
}

#[tokio::test]
async fn n84_and_n85_the_place_of_a_trunk_is_an_attribute_at_2026_11_19_and_a_relationship_before() {
    let world = World::start().await;
    let (newest, older) = (world.api.at(Some(TOKENS)), world.api.at(Some(NEW)));
    let answer = newest.post(IN_TRUNKS, &with(sip("A"), json!({ "pop": "FRA" }))).await;
    assert_eq!((answer.status, answer.at("/data/attributes/pop")), (201, json!("FRA")), "{}", answer.text);
    assert_eq!(answer.at("/data/relationships/pop"), Value::Null);
    let id = answer.id();
    let unknown = newest.post(IN_TRUNKS, &with(sip("B"), json!({ "pop": "LON" }))).await;
    refused(&unknown, &[attribute("pop", "is not included in the list")]);

    let pops = older.get("/pops").await.at("/data");
    let frankfurt =
        pops.as_array().unwrap().iter().find(|pop| pop["attributes"]["name"] == "DE, FRA").unwrap();
    let frankfurt = identifier("pops", frankfurt["id"].as_str().unwrap());
    let linkage = older.get(&format!("{IN_TRUNKS}/{id}/relationships/pop")).await;
    assert_eq!(linkage.at("/data"), frankfurt);
    let included = older.get(&format!("{IN_TRUNKS}/{id}?include=pop")).await;
    assert_eq!(included.at("/included/0/attributes/name"), "DE, FRA");

    let linked = linking(sip("B"), "pop", frankfurt.clone());
    refused(&newest.post(IN_TRUNKS, &linked).await, &[not_allowed("pop")]);
    let made_here = made(&older, IN_TRUNKS, &linked).await;
    let shown = newest.get(&format!("{IN_TRUNKS}/{made_here}")).await;
    assert_eq!(shown.at("/data/attributes/pop"), "FRA");
    let body = linking(update("voice_in_trunks", &id, json!({})), "pop", identifier("pops", UNKNOWN));
    refused(&older.patch(&format!("{IN_TRUNKS}/{id}"), &body).await, &[relationship("pop", "is invalid")]);
    let cleared = older.patch(&format!("{IN_TRUNKS}/{id}/relationships/pop"), &json!({ "data": null })).await;
    assert_eq!(cleared.status, 204);
    assert_eq!(newest.get(&format!("{IN_TRUNKS}/{id}")).await.at("/data/attributes/pop"), Value::Null);
}

#[tokio::test]
async fn n87_an_update_of_a_configuration_keeps_its_other_members_and_its_type() {
    let world = World::start().await;
    for (name, version) in ["A", "B"].into_iter().zip(CORRECTED) {
        let api = world.api.at(Some(version));
        let id = made(&api, IN_TRUNKS, &sip(name)).await;
        let before = read(&api, &id).await;
        assert_eq!(before["codec_ids"], json!([9, 10, 8, 7, 6]));
        assert_eq!(before.as_object().unwrap().len(), 39);
        let answer = configure(&api, &id, json!({ "port": "5062", "max_transfers": 3 })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let mut expected = before;
        (expected["port"], expected["max_transfers"]) = (json!(5062), json!(3));
        assert_eq!(read(&api, &id).await, expected);
        let other = json!({ "type": "pstn_configurations", "attributes": { "dst": "12125550101" } });
        let body = update("voice_in_trunks", &id, json!({ "configuration": other }));
        let refusal = invalid("type", "is not allowed for update", "/data/attributes/configuration/type");
        refused(&api.patch(&format!("{IN_TRUNKS}/{id}"), &body).await, &[refusal]);
    }
}

#[tokio::test]
async fn each_rule_of_a_sip_configuration_refuses_with_the_place() {
    let world = World::start().await;
    let id = made(&world.api, IN_TRUNKS, &sip("A")).await;
    let blank = "can't be blank";
    for (sent, name, message) in [
        (json!({ "host": null }), "host", blank),
        (json!({ "host": "" }), "host", blank),
        (json!({ "host": "a b" }), "host", "is invalid"),
        (json!({ "username": "a@b" }), "username", "is invalid"),
        (json!({ "port": 0 }), "port", "must be greater than or equal to 1"),
        (json!({ "port": 65_536 }), "port", "must be less than or equal to 65535"),
        (json!({ "transport_protocol_id": 4 }), "transport_protocol_id", "is not included in the list"),
        (json!({ "sst_refresh_method_id": 0 }), "sst_refresh_method_id", "is not included in the list"),
        (json!({ "rx_dtmf_format_id": 4 }), "rx_dtmf_format_id", "is not included in the list"),
        (json!({ "tx_dtmf_format_id": 3 }), "tx_dtmf_format_id", "is not included in the list"),
        (json!({ "rx_dtmf_format_id": null }), "rx_dtmf_format_id", blank),
        (json!({ "tx_dtmf_format_id": null }), "tx_dtmf_format_id", blank),
        (json!({ "sip_timer_b": null }), "sip_timer_b", blank),
        (json!({ "codec_ids": [] }), "codec_ids", blank),
        (json!({ "codec_ids": null }), "codec_ids", blank),
        (json!({ "codec_ids": [9, 9] }), "codec_ids", "must not contain the same value twice"),
        (json!({ "codec_ids": [11] }), "codec_ids", "is invalid"),
        (json!({ "auth_user": "u" }), "auth_user", "must be blank"),
        (json!({ "auth_password": "p" }), "auth_password", "must be blank"),
        (json!({ "auth_enabled": true, "auth_user": "u" }), "auth_password", blank),
        (json!({ "sst_enabled": true, "sst_min_timer": null }), "sst_min_timer", blank),
        (json!({ "sst_max_timer": 500 }), "sst_max_timer", "must be greater than or equal to 600"),
        (
            json!({ "sst_session_expires": 599 }),
            "sst_session_expires",
            "must be greater than or equal to 600",
        ),
        (json!({ "sst_session_expires": 901 }), "sst_session_expires", "must be less than or equal to 900"),
        (json!({ "sip_timer_b": 999 }), "sip_timer_b", "must be greater than or equal to 1000"),
        (
            json!({ "dns_srv_failover_timer": 8_001 }),
            "dns_srv_failover_timer",
            "must be less than or equal to 8000",
        ),
        (json!({ "rtp_timeout": 4 }), "rtp_timeout", "must be greater than or equal to 5"),
        (json!({ "rtp_timeout": null }), "rtp_timeout", "is not a number"),
        (json!({ "allowed_rtp_ips": ["x"] }), "allowed_rtp_ips", "is invalid"),
        (
            json!({ "allowed_rtp_ips": (0..11).map(|n| format!("203.0.113.{n}")).collect::<Vec<_>>() }),
            "allowed_rtp_ips",
            "is too long (maximum is 10 items)",
        ),
        (json!({ "max_transfers": 9 }), "max_transfers", "must be less than or equal to 8"),
        (json!({ "max_30x_redirects": 9 }), "max_30x_redirects", "must be less than or equal to 8"),
        (json!({ "rerouting_disconnect_code_ids": [61] }), "rerouting_disconnect_code_ids", "is invalid"),
        (json!({ "use_did_in_ruri": true }), "use_did_in_ruri", "must be blank"),
        (json!({ "enabled_sip_registration": true }), "host", "must be blank"),
        (json!({ "stir_shaken_mode": "x" }), "stir_shaken_mode", "is not included in the list"),
    ] {
        for version in CORRECTED {
            let answer = configure(&world.api.at(Some(version)), &id, sent.clone()).await;
            assert_eq!(answer.status, 422, "{sent}: {}", answer.text);
            refused(&answer, &[inside(name, message)]);
        }
    }
    let dst = |sent: Value| configured("B", "pstn_configurations", json!({ "dst": sent }));
    for (sent, message) in [
        (json!("+12125550101"), "is invalid"),
        (json!("1234567890123456"), "is too long (maximum is 15 characters)"),
    ] {
        refused(&world.api.post(IN_TRUNKS, &dst(sent)).await, &[inside("dst", message)]);
    }
    let none = configured("B", "pstn_configurations", json!({}));
    refused(&world.api.post(IN_TRUNKS, &none).await, &[inside("dst", blank)]);
}

#[tokio::test]
async fn a_member_that_a_configuration_does_not_take_is_not_allowed() {
    let world = World::start().await;
    let id = made(&world.api, IN_TRUNKS, &sip("A")).await;
    for name in ["incoming_auth_username", "incoming_auth_password", "bogus"] {
        refused(&configure(&world.api, &id, json!({ name: "x" })).await, &[not_allowed(name)]);
    }
    let older = world.api.at(Some(OLD));
    refused(&configure(&older, &id, json!({ "cnam_lookup": true })).await, &[not_allowed("cnam_lookup")]);
    assert_eq!(configure(&older, &id, json!({ "sip_timer_b": null })).await.status, 200);
    let other = configure(&world.api, &id, json!({ "max_transfers": 1 })).await;
    assert_eq!(other.status, 200, "null that is stored stays: {}", other.text);
    for kind in ["iax2_configurations", "bogus_configurations"] {
        let refusal = invalid("type", "is not included in the list", "/data/attributes/configuration/type");
        refused(&world.api.post(IN_TRUNKS, &configured("B", kind, json!({}))).await, &[refusal]);
    }
}

#[tokio::test]
async fn a_device_registers_with_generated_credentials_while_the_trunk_lets_it() {
    let world = World::start().await;
    let id = made(&world.api, IN_TRUNKS, &sip("A")).await;
    let on = json!({ "enabled_sip_registration": true, "use_did_in_ruri": true, "host": null, "port": null });
    assert_eq!(configure(&world.api, &id, on).await.status, 200);
    let first = read(&world.api, &id).await;
    let secret = |configuration: &Value, name: &str| configuration[name].as_str().unwrap().to_owned();
    for name in ["incoming_auth_username", "incoming_auth_password"] {
        assert_eq!(secret(&first, name).len(), 16);
    }
    assert_eq!(configure(&world.api, &id, json!({ "cnam_lookup": true })).await.status, 200);
    assert_eq!(
        secret(&read(&world.api, &id).await, "incoming_auth_password"),
        secret(&first, "incoming_auth_password")
    );
    let off = json!({ "enabled_sip_registration": false });
    let refusals = [inside("host", "can't be blank"), inside("use_did_in_ruri", "must be blank")];
    refused(&configure(&world.api, &id, off).await, &refusals);
    let off = json!({ "enabled_sip_registration": false, "use_did_in_ruri": false, "host": "203.0.113.7" });
    assert_eq!(configure(&world.api, &id, off).await.status, 200);
    assert_eq!(read(&world.api, &id).await["incoming_auth_username"], Value::Null);
}

#[tokio::test]
async fn an_older_version_neither_shows_nor_clears_what_it_lacks() {
    let world = World::start().await;
    let id = made(&world.api, IN_TRUNKS, &sip("A")).await;
    assert_eq!(configure(&world.api, &id, json!({ "cnam_lookup": true })).await.status, 200);
    let older = world.api.at(Some(OLD));
    let shown = read(&older, &id).await;
    assert_eq!((shown.get("cnam_lookup"), &shown["stir_shaken_mode"]), (None, &json!("disabled")));
    assert_eq!(configure(&older, &id, json!({ "port": 5062 })).await.status, 200);
    assert_eq!(read(&world.api, &id).await["cnam_lookup"], true);
    let iax = configured("B", "iax2_configurations", json!({ "dst": "1", "host": "iax.example.com" }));
    let iax = made(&older, IN_TRUNKS, &iax).await;
    let kept = world.api.get(&format!("{IN_TRUNKS}/{iax}")).await;
    assert_eq!(kept.at("/data/attributes/configuration/type"), "iax2_configurations");
    for (kind, found) in [("iax2_configurations", 1), ("sip_configurations", 1), ("bogus", 0)] {
        let list = world.api.get(&format!("{IN_TRUNKS}?filter[configuration.type]={kind}")).await;
        assert_eq!(list.at("/meta/total_records"), found, "{kind}: {}", list.text);
    }
}

#[tokio::test]
async fn the_limits_of_a_trunk_are_the_documented_ones() {
    let world = World::start().await;
    let blank = world.api.post(IN_TRUNKS, &with(sip("A"), json!({ "cli_format": "" }))).await;
    assert_eq!(blank.at("/data/attributes/cli_format"), "e164", "{}", blank.text);
    for (sent, name, message) in [
        (json!({ "priority": 65_536 }), "priority", "must be less than or equal to 65535"),
        (json!({ "weight": -1 }), "weight", "must be greater than or equal to 0"),
        (json!({ "capacity_limit": 0 }), "capacity_limit", "must be greater than or equal to 1"),
        (json!({ "ringing_timeout": 33 }), "ringing_timeout", "must be less than or equal to 32"),
        (json!({ "cli_prefix": "12345678" }), "cli_prefix", "is too long (maximum is 7 characters)"),
        (json!({ "cli_prefix": "1*" }), "cli_prefix", "is invalid"),
        (json!({ "cli_format": "x" }), "cli_format", "is not included in the list"),
    ] {
        refused(&world.api.post(IN_TRUNKS, &with(sip("B"), sent)).await, &[attribute(name, message)]);
    }
}

#[tokio::test]
async fn a_name_belongs_to_one_trunk_or_one_group_of_the_account() {
    let world = World::start().await;
    let trunk = made(&world.api, IN_TRUNKS, &sip("A")).await;
    let taken = || attribute("name", "has already been taken");
    refused(&world.api.post(IN_TRUNKS, &sip("A")).await, &[taken()]);
    refused(&world.api.post(GROUPS, &group("A")).await, &[taken()]);
    let id = made(&world.api, GROUPS, &group("B")).await;
    refused(&world.api.post(IN_TRUNKS, &sip("B")).await, &[taken()]);
    let rename = |name: &str| update("voice_in_trunk_groups", &id, json!({ "name": name }));
    refused(&world.api.patch(&format!("{GROUPS}/{id}"), &rename("A")).await, &[taken()]);
    assert_eq!(world.api.delete(&format!("{IN_TRUNKS}/{trunk}")).await.status, 204);
    assert_eq!(world.api.patch(&format!("{GROUPS}/{id}"), &rename("A")).await.status, 200);
    made(&world.api, IN_TRUNKS, &sip("B")).await;
    let names =
        async |path: &str| world.api.get(&format!("{path}?sort=name")).await.at("/meta/total_records");
    assert_eq!((names(IN_TRUNKS).await, names(GROUPS).await), (json!(1), json!(1)));
}

#[tokio::test]
async fn a_group_is_written_from_either_side_and_counts_its_trunks() {
    let world = World::start().await;
    let mut trunks = Vec::new();
    for name in ["A", "B", "C"] {
        trunks.push(made(&world.api, IN_TRUNKS, &sip(name)).await);
    }
    let [a, b, c] = [trunks[0].as_str(), trunks[1].as_str(), trunks[2].as_str()];
    let linkage =
        |ids: &[&str]| -> Value { ids.iter().map(|id| identifier("voice_in_trunks", id)).collect() };
    let body = with_trunks(group("G"), &[a, b]);
    let answer = world.api.post(&format!("{GROUPS}?include=voice_in_trunks"), &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.at("/data/relationships/voice_in_trunks/data"), linkage(&[a, b]));
    assert_eq!(answer.at("/data/meta"), json!({ "trunks_count": 2 }));
    let one = answer.id();
    let path = format!("{GROUPS}/{one}/relationships/voice_in_trunks");
    let members = async || world.api.get(&path).await.at("/data");
    for (method, sent, then) in [
        (Method::POST, vec![c, a], vec![a, b, c]),
        (Method::DELETE, vec![b, UNKNOWN], vec![a, c]),
        (Method::PATCH, vec![b], vec![b]),
        (Method::PATCH, vec![], vec![]),
    ] {
        let body = json!({ "data": linkage(&sent) }).to_string();
        let answer = world.api.send(method.clone(), &path, &body).await;
        assert_eq!(answer.status, 204, "{method}: {}", answer.text);
        assert_eq!(members().await, linkage(&then), "{method}");
        assert_eq!(count(&world.api, &one).await, json!({ "trunks_count": then.len() }));
    }
    // From the other side, and then to another group.
    let join = linking(
        update("voice_in_trunks", a, json!({})),
        "voice_in_trunk_group",
        identifier("voice_in_trunk_groups", &one),
    );
    assert_eq!(world.api.patch(&format!("{IN_TRUNKS}/{a}"), &join).await.status, 200);
    assert_eq!(members().await, linkage(&[a]));
    let two = made(&world.api, GROUPS, &with_trunks(group("H"), &[a, c])).await;
    assert_eq!((members().await, count(&world.api, &two).await), (json!([]), json!({ "trunks_count": 2 })));
    let listed = world.api.get(&format!("{GROUPS}?sort=name")).await;
    let counts = (listed.at("/data/0/meta/trunks_count"), listed.at("/data/1/meta/trunks_count"));
    assert_eq!(counts, (json!(0), json!(2)));

    let unknown = with_trunks(group("I"), &[UNKNOWN]);
    let refusal = invalid("trunk_ids", "are invalid", "/data/attributes/trunk_ids");
    refused(&world.api.post(GROUPS, &unknown).await, &[refusal]);
    assert_eq!(world.api.get(GROUPS).await.at("/meta/total_records"), 2);
}

#[tokio::test]
async fn a_group_has_at_most_ten_trunks_from_whichever_side() {
    let world = World::start().await;
    let mut trunks = Vec::new();
    for number in 0..11 {
        trunks.push(made(&world.api, IN_TRUNKS, &sip(&format!("T{number}"))).await);
    }
    let all: Vec<&str> = trunks.iter().map(String::as_str).collect();
    let too_many = || relationship("voice_in_trunks", "is too long (maximum is 10 items)");
    refused(&world.api.post(GROUPS, &with_trunks(group("G"), &all)).await, &[too_many()]);
    // One that is named twice counts once, also in other letters.
    let capitals = all[1].to_uppercase();
    let twice: Vec<&str> = all[..10].iter().copied().chain([all[0], capitals.as_str()]).collect();
    let id = made(&world.api, GROUPS, &with_trunks(group("G"), &twice)).await;
    let more = json!({ "data": [identifier("voice_in_trunks", all[10])] }).to_string();
    let path = format!("{GROUPS}/{id}/relationships/voice_in_trunks");
    refused(&world.api.send(Method::POST, &path, &more).await, &[too_many()]);
    let join = linking(
        update("voice_in_trunks", all[10], json!({})),
        "voice_in_trunk_group",
        identifier("voice_in_trunk_groups", &id),
    );
    let answer = world.api.patch(&format!("{IN_TRUNKS}/{}", all[10]), &join).await;
    refused(&answer, &[relationship("voice_in_trunk_group", "is invalid")]);
    assert_eq!(count(&world.api, &id).await, json!({ "trunks_count": 10 }));
    // An update writes each trunk once.
    let capitals = all[10].to_uppercase();
    let other = with_trunks(update("voice_in_trunk_groups", &id, json!({})), &[all[10], capitals.as_str()]);
    assert_eq!(world.api.patch(&format!("{GROUPS}/{id}"), &other).await.status, 200);
    assert_eq!(count(&world.api, &id).await, json!({ "trunks_count": 1 }));
    let named = json!({ "data": [identifier("voice_in_trunks", &all[0].to_uppercase())] }).to_string();
    for (method, number) in [(Method::POST, 2), (Method::DELETE, 1)] {
        assert_eq!(world.api.send(method, &path, &named).await.status, 204);
        assert_eq!(count(&world.api, &id).await, json!({ "trunks_count": number }));
    }
}

#[tokio::test]
async fn n88_a_trunk_that_is_routed_to_or_in_a_group_is_not_deleted() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    for (name, version) in ["A", "B"].into_iter().zip(CORRECTED) {
        let api = world.api.at(Some(version));
        let trunk = made(&api, IN_TRUNKS, &sip(name)).await;
        let to = identifier("voice_in_trunks", &trunk);
        assert_eq!(route(&api, &did, "voice_in_trunk", to).await.status, 200);
        let path = format!("{IN_TRUNKS}/{trunk}");
        let routed = whole("The trunk cannot be removed while numbers are routed to it");
        refused(&api.delete(&path).await, &[routed]);
        assert_eq!(route(&api, &did, "voice_in_trunk", Value::Null).await.status, 200);
        let group = made(&api, GROUPS, &with_trunks(group(&format!("G{name}")), &[&trunk])).await;
        let in_group = whole("The trunk cannot be removed while it is in a trunk group");
        refused(&api.delete(&path).await, &[in_group]);
        let body = with_trunks(update("voice_in_trunk_groups", &group, json!({})), &[]);
        assert_eq!(api.patch(&format!("{GROUPS}/{group}"), &body).await.status, 200);
        assert_eq!(api.delete(&path).await.status, 204);
    }
}

#[tokio::test]
async fn n89_a_group_is_deleted_with_its_trunks_unless_numbers_are_routed_to_either() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    for (name, version) in ["A", "B"].into_iter().zip(CORRECTED) {
        let api = world.api.at(Some(version));
        let trunk = made(&api, IN_TRUNKS, &sip(name)).await;
        let group = made(&api, GROUPS, &with_trunks(group(&format!("G{name}")), &[&trunk])).await;
        let path = format!("{GROUPS}/{group}");
        let routed =
            || whole("The trunk group cannot be removed while numbers are routed to it or to its trunks");
        for (relationship, to) in [
            ("voice_in_trunk_group", identifier("voice_in_trunk_groups", &group)),
            ("voice_in_trunk", identifier("voice_in_trunks", &trunk)),
        ] {
            assert_eq!(route(&api, &did, relationship, to).await.status, 200);
            refused(&api.delete(&path).await, &[routed()]);
        }
        assert_eq!(route(&api, &did, "voice_in_trunk", Value::Null).await.status, 200);
        assert_eq!(api.delete(&path).await.status, 204);
        for path in [path, format!("{IN_TRUNKS}/{trunk}")] {
            assert_eq!(api.get(&path).await.status, 404);
        }
    }
}

#[tokio::test]
async fn before_2026_04_16_a_deletion_leaves_trunks_ungrouped_and_numbers_unrouted() {
    let world = World::start().await;
    let api = world.api.at(Some(OLD));
    let did = world.did("37061498222").await;
    let trunk = made(&api, IN_TRUNKS, &sip("A")).await;
    let id = made(&api, GROUPS, &with_trunks(group("G"), &[&trunk])).await;
    assert_eq!(
        route(&api, &did, "voice_in_trunk_group", identifier("voice_in_trunk_groups", &id)).await.status,
        200
    );
    assert_eq!(api.delete(&format!("{GROUPS}/{id}")).await.status, 204);
    let left = api.get(&format!("{IN_TRUNKS}/{trunk}?include=voice_in_trunk_group")).await;
    assert_eq!((left.status, left.at("/data/relationships/voice_in_trunk_group/data")), (200, Value::Null));
    assert_eq!(route(&api, &did, "voice_in_trunk", identifier("voice_in_trunks", &trunk)).await.status, 200);
    assert_eq!(api.delete(&format!("{IN_TRUNKS}/{trunk}")).await.status, 204);
    let unrouted = api.get(&format!("{DIDS}/{did}?include=voice_in_trunk")).await;
    assert_eq!(unrouted.at("/data/relationships/voice_in_trunk/data"), Value::Null);
}

#[tokio::test]
async fn a_number_is_routed_to_a_trunk_or_to_a_group_and_found_by_its_route() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let trunk = made(&world.api, IN_TRUNKS, &sip("A")).await;
    let id = made(&world.api, GROUPS, &with_trunks(group("G"), &[&trunk])).await;
    let (to_trunk, to_group) =
        (identifier("voice_in_trunks", &trunk), identifier("voice_in_trunk_groups", &id));
    assert_eq!(route(&world.api, &did, "voice_in_trunk", to_trunk.clone()).await.status, 200);
    let path = format!("{DIDS}/{did}?include=voice_in_trunk.voice_in_trunk_group,voice_in_trunk_group");
    let answer = world.api.get(&path).await;
    assert_eq!(answer.at("/data/relationships/voice_in_trunk/data"), to_trunk);
    assert_eq!(answer.at("/included").as_array().map(Vec::len), Some(2), "{}", answer.text);
    assert_eq!(route(&world.api, &did, "voice_in_trunk_group", to_group.clone()).await.status, 200);
    let answer = world.api.get(&path).await;
    assert_eq!(answer.at("/data/relationships/voice_in_trunk/data"), Value::Null);
    assert_eq!(answer.at("/data/relationships/voice_in_trunk_group/data"), to_group);
    for (filter, found) in [
        (format!("voice_in_trunk_group.id]={id}"), 1),
        (format!("trunk_group.id]={id}"), 1),
        (format!("voice_in_trunk.id]={trunk}"), 0),
    ] {
        let list = world.api.get(&format!("{DIDS}?filter[{filter}")).await;
        assert_eq!(list.at("/meta/total_records"), found, "{filter}: {}", list.text);
    }
    let both = linking(
        linking(update("dids", &did, json!({})), "voice_in_trunk", to_trunk),
        "voice_in_trunk_group",
        to_group,
    );
    let refusal =
        invalid("voice_in_trunk_group", "must be blank", "/data/attributes/voice_in_trunk_group_id");
    refused(&world.api.patch(&format!("{DIDS}/{did}"), &both).await, &[refusal]);
}
