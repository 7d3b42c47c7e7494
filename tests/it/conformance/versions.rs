//! Every verb of every resource in every version that has it, in that version's format.

use didww_types::ApiVersion;
use serde_json::{Value, json};

use crate::support::api::{Answer, Api};
use crate::support::engine;
use crate::support::world::*;

const FLAT: [&str; 18] = [
    "allowed_sip_ips",
    "allowed_rtp_ips",
    "allow_any_did_as_cli",
    "status",
    "on_cli_mismatch_action",
    "name",
    "capacity_limit",
    "username",
    "password",
    "created_at",
    "threshold_reached",
    "threshold_amount",
    "media_encryption_mode",
    "default_dst_action",
    "dst_prefixes",
    "force_symmetric_rtp",
    "rtp_ping",
    "callback_url",
];

const NESTED: [&str; 19] = [
    "allowed_rtp_ips",
    "allow_any_did_as_cli",
    "status",
    "on_cli_mismatch_action",
    "name",
    "capacity_limit",
    "created_at",
    "threshold_reached",
    "threshold_amount",
    "media_encryption_mode",
    "default_dst_action",
    "dst_prefixes",
    "force_symmetric_rtp",
    "rtp_ping",
    "callback_url",
    "external_reference_id",
    "authentication_method",
    "emergency_enable_all",
    "rtp_timeout",
];

const DID: [&str; 13] = [
    "blocked",
    "capacity_limit",
    "description",
    "terminated",
    "awaiting_registration",
    "created_at",
    "billing_cycles_count",
    "number",
    "expires_at",
    "channels_included_count",
    "pending_removal",
    "dedicated_channels_count",
    "emergency_enabled",
];

/// The member names of the first `"attributes"` object in a text, in order.
fn attribute_names(text: &str) -> Vec<String> {
    let start = text.find("\"attributes\":{").unwrap() + "\"attributes\":".len();
    let (mut depth, mut in_text, mut names, mut name) = (0, false, Vec::new(), String::new());
    for character in text[start..].chars() {
        match character {
            '"' => in_text = !in_text,
            '{' | '[' if !in_text => depth += 1,
            '}' | ']' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return names;
                }
            }
            ':' if !in_text && depth == 1 => names.push(std::mem::take(&mut name)),
            ',' if !in_text => name.clear(),
            _ if in_text && depth == 1 => name.push(character),
            _ => {}
        }
        if depth == 1 && !in_text && character != '"' && character != ':' {
            name.clear();
        }
    }
    names
}

fn check_trunk(answer: &Answer, version: &str) {
    let names = attribute_names(&answer.text);
    if version >= "2026-04-16" {
        assert_eq!(names, NESTED);
    } else {
        assert_eq!(names, FLAT);
    }
    assert_eq!(answer.at("/meta/api_version"), version);
    let one = if answer.at("/data").is_array() { "/data/0" } else { "/data" };
    assert_eq!(answer.at(&format!("{one}/meta")), json!({ "spent_amount": "0.0" }));
    let relationships = answer.at(&format!("{one}/relationships"));
    let expected: &[&str] = if version >= "2026-04-16" { &["dids", "emergency_dids"] } else { &["dids"] };
    assert_eq!(relationships.as_object().unwrap().keys().collect::<Vec<_>>(), expected);
}

async fn each() -> (World, Vec<(&'static str, Api)>) {
    let world = World::start().await;
    let apis = TRUNK_VERSIONS.into_iter().map(|version| (version, world.api.at(Some(version)))).collect();
    (world, apis)
}

fn body(version: &str) -> Value {
    if version >= "2026-04-16" { credentials(version) } else { flat(version) }
}

#[tokio::test]
async fn a_trunk_is_created_in_every_version() {
    let (_world, apis) = each().await;
    for (version, api) in apis {
        let created = api.post(TRUNKS, &body(version)).await;
        assert_eq!(created.status, 201, "{}", created.text);
        check_trunk(&created, version);
    }
}

#[tokio::test]
async fn a_trunk_is_read_and_listed_in_every_version_whichever_made_it() {
    let (world, apis) = each().await;
    for maker in TRUNK_VERSIONS {
        world.server.control().reset(Some(world.server.account())).await.unwrap();
        let id = world.api.at(Some(maker)).post(TRUNKS, &body(maker)).await.id();
        for (version, api) in &apis {
            let read = api.get(&format!("{TRUNKS}/{id}")).await;
            let listed = api.get(TRUNKS).await;
            assert_eq!((read.status, listed.status), (200, 200));
            check_trunk(&read, version);
            check_trunk(&listed, version);
            assert_eq!(listed.at("/data/0"), read.at("/data"));
            let attributes = read.at("/data/attributes");
            let secret = attributes.pointer("/authentication_method/attributes/username");
            assert!(attributes.get("username").or(secret).is_some_and(Value::is_string));
        }
    }
}

#[tokio::test]
async fn a_trunk_is_updated_in_every_version() {
    let (world, apis) = each().await;
    let id = world.trunk("A").await;
    for (version, api) in apis {
        let attributes = json!({ "name": version, "capacity_limit": 7, "dst_prefixes": ["370"] });
        let changed = api.patch(&format!("{TRUNKS}/{id}"), &patch(&id, attributes)).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        check_trunk(&changed, version);
        assert_eq!(changed.at("/data/attributes/name"), version);
    }
}

#[tokio::test]
async fn a_trunk_is_deleted_in_every_version() {
    let (_world, apis) = each().await;
    for (version, api) in apis {
        let id = api.post(TRUNKS, &body(version)).await.id();
        assert_eq!(api.delete(&format!("{TRUNKS}/{id}")).await.status, 204);
        refused(&api.get(&format!("{TRUNKS}/{id}")).await, &[not_found(&id)]);
    }
}

#[tokio::test]
async fn dids_are_listed_read_and_updated_in_every_version() {
    let world = World::of(engine::builder().version(ApiVersion::V2017_09_18)).await;
    let did = world.did("37061498222").await;
    for version in ApiVersion::ALL {
        let api = world.api.at(Some(version.as_str()));
        let names: Vec<&str> = DID
            .into_iter()
            .filter(|name| *name != "emergency_enabled" || version >= ApiVersion::V2026_04_16)
            .filter(|name| *name != "billing_cycles_count" || version >= ApiVersion::V2021_04_19)
            .filter(|name| *name != "pending_removal" || version < ApiVersion::V2021_04_19)
            .collect();
        let (listed, read) = (api.get(DIDS).await, api.get(&format!("{DIDS}/{did}")).await);
        let body = update("dids", &did, json!({ "description": version.as_str() }));
        let changed = api.patch(&format!("{DIDS}/{did}"), &body).await;
        for answer in [&listed, &read, &changed] {
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(attribute_names(&answer.text), names, "{version}");
            assert_eq!(answer.at("/meta/api_version"), version.as_str());
        }
        assert_eq!(changed.at("/data/attributes/description"), version.as_str());
        assert_eq!(listed.at("/meta/total_records"), 1);
    }
}
