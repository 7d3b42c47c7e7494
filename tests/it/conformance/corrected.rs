//! The rules that DIDWW's document of 2026-04-16 states since it was corrected, at that version and the newest one, and
//! the filters that take one value since 2026-11-19. A test begins with the numbers of its cases in
//! `docs/conformance.md`.

use didww_types::{ApiVersion, Feature};
use serde_json::{Value, json};
use trunk_server::control::{NewAccount, RecordMembers};

use crate::support::api::{Answer, Api, OLD};
use crate::support::engine;
use crate::support::world::*;

const NEWEST: &str = "2026-11-19";

/// The versions with the corrected rules.
const CORRECTED: [&str; 2] = ["2026-04-16", NEWEST];

/// A server whose account has the features that replace and randomise caller numbers.
async fn with_features() -> World {
    World::of(engine::builder().feature(Feature::ReplaceCli).feature(Feature::RandomizeCli)).await
}

async fn each() -> (World, [Api; 2]) {
    let world = with_features().await;
    let apis = CORRECTED.map(|version| world.api.at(Some(version)));
    (world, apis)
}

async fn created(api: &Api, body: &Value) -> Answer {
    let answer = api.post(TRUNKS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer
}

fn method(body: Value, kind: &str, attributes: Value) -> Value {
    with(body, json!({ "authentication_method": { "type": kind, "attributes": attributes } }))
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.at("/data");
    data.as_array()
        .unwrap()
        .iter()
        .map(|one| one["attributes"]["name"].as_str().unwrap().to_owned())
        .collect()
}

fn wrong_value(value: &str, filter: &str) -> Expected {
    error(400, "107", "Invalid filter value", &format!("{value} is not a valid value for {filter}."))
}

#[tokio::test]
async fn n38_the_mismatch_action_is_required() {
    let (_world, apis) = each().await;
    for api in apis {
        let body = without(credentials("A"), "on_cli_mismatch_action");
        refused(&api.post(TRUNKS, &body).await, &[attribute("on_cli_mismatch_action", "can't be blank")]);
    }
}

#[tokio::test]
async fn n41_n42_n44_and_n45_media_addresses_are_some_and_not_all_and_each_once() {
    let (world, apis) = each().await;
    let many: Vec<String> = (0..61).map(|last| format!("10.0.0.{last}")).collect();
    let cases = [
        (json!([]), "can't be blank"),
        (json!(["0.0.0.0/0"]), "is invalid"),
        (json!(["10.0.0.1", "::/0"]), "is invalid"),
        (json!(["1.2.3.4/0"]), "is invalid"),
        (json!(many), "is too long (maximum is 60 items)"),
        (json!(["10.0.0.1", "10.0.0.1/32"]), "must not contain the same value twice"),
    ];
    for (sent, message) in &cases {
        for api in &apis {
            let body = with(credentials("A"), json!({ "allowed_rtp_ips": sent }));
            refused(&api.post(TRUNKS, &body).await, &[attribute("allowed_rtp_ips", message)]);
        }
    }
    let old = world.api.at(Some(OLD));
    for (place, (sent, _)) in cases.iter().filter(|(sent, _)| sent.as_array().unwrap().len() < 61).enumerate()
    {
        let body = with(flat(&place.to_string()), json!({ "allowed_rtp_ips": sent }));
        assert_eq!(
            created(&old, &body).await.at("/data/attributes/allowed_rtp_ips").as_array().unwrap().len(),
            sent.as_array().unwrap().len()
        );
    }
}

#[tokio::test]
async fn n43_media_addresses_are_not_required() {
    let (_world, apis) = each().await;
    for (api, version) in apis.iter().zip(CORRECTED) {
        created(api, &credentials(version)).await;
        let body = with(credentials(&format!("{version} null")), json!({ "allowed_rtp_ips": null }));
        assert_eq!(created(api, &body).await.at("/data/attributes/allowed_rtp_ips"), Value::Null);
    }
}

#[tokio::test]
async fn n44_n45_and_n46_signalling_addresses_are_some_and_each_once_and_may_be_all() {
    let (_world, apis) = each().await;
    let pointer = "/data/attributes/authentication_method";
    let inner = format!("{pointer}/attributes/allowed_sip_ips");
    let many: Vec<String> = (0..61).map(|last| format!("10.0.0.{last}")).collect();
    for (api, version) in apis.iter().zip(CORRECTED) {
        for (sent, expected) in [
            (json!([]), invalid("authentication_method", "is invalid", pointer)),
            (json!(many), invalid("allowed_sip_ips", "is too long (maximum is 60 items)", &inner)),
            (
                json!(["::1", "::1/128"]),
                invalid("allowed_sip_ips", "must not contain the same value twice", &inner),
            ),
        ] {
            let body = method(credentials("A"), "credentials_and_ip", json!({ "allowed_sip_ips": sent }));
            refused(&api.post(TRUNKS, &body).await, &[expected]);
        }
        let open = json!({ "allowed_sip_ips": ["0.0.0.0/0"] });
        created(api, &method(credentials(version), "credentials_and_ip", open)).await;
    }
}

#[tokio::test]
async fn n47_and_n49_prefixes_are_digits_and_are_stored_once() {
    let (world, apis) = each().await;
    for (api, version) in apis.iter().zip(CORRECTED) {
        let body = with(credentials(version), json!({ "dst_prefixes": ["370", "44", "370"] }));
        assert_eq!(created(api, &body).await.at("/data/attributes/dst_prefixes"), json!(["370", "44"]));
        let body = with(credentials("A"), json!({ "dst_prefixes": ["+370"] }));
        refused(&api.post(TRUNKS, &body).await, &[attribute("dst_prefixes", "is invalid")]);
    }
    let body = with(flat("old"), json!({ "dst_prefixes": ["370", "370"] }));
    let answer = created(&world.api.at(Some(OLD)), &body).await;
    assert_eq!(answer.at("/data/attributes/dst_prefixes"), json!(["370"]));
}

#[tokio::test]
async fn n48_members_that_are_not_nullable_refuse_null() {
    let (_world, apis) = each().await;
    for api in apis {
        for (name, message) in [
            ("dst_prefixes", "can't be blank"),
            ("threshold_amount", "is not a number"),
            ("status", "can't be blank"),
            ("media_encryption_mode", "can't be blank"),
            ("default_dst_action", "can't be blank"),
            ("rtp_timeout", "is not a number"),
        ] {
            let body = with(credentials("A"), json!({ name: null }));
            refused(&api.post(TRUNKS, &body).await, &[attribute(name, message)]);
        }
    }
}

#[tokio::test]
async fn n50_and_n51_a_callback_url_needs_no_scheme_and_has_no_other_than_http() {
    let (world, apis) = each().await;
    let long = format!("https://example.com/{}", "x".repeat(2_000));
    for (api, version) in apis.iter().zip(CORRECTED) {
        for (place, url) in ["example.com/cb", "example.com:8080", long.as_str()].into_iter().enumerate() {
            let body = with(credentials(&format!("{version} {place}")), json!({ "callback_url": url }));
            assert_eq!(created(api, &body).await.at("/data/attributes/callback_url"), url);
        }
        for url in ["ftp://x", "http:/x", ""] {
            let body = with(credentials("A"), json!({ "callback_url": url }));
            refused(&api.post(TRUNKS, &body).await, &[attribute("callback_url", "is invalid")]);
        }
    }
    let old = world.api.at(Some(OLD));
    let body = with(flat("old"), json!({ "callback_url": "example.com/cb" }));
    refused(&old.post(TRUNKS, &body).await, &[attribute("callback_url", "is invalid")]);
    created(&old, &with(flat("old"), json!({ "callback_url": long }))).await;
}

#[tokio::test]
async fn n52_and_n53_a_default_did_comes_with_replace_cli_and_with_nothing_else() {
    let (world, apis) = each().await;
    let did = world.did("37061498222").await;
    let one = || identifier("dids", &did);
    let needed = || [relationship("default_did", "can't be blank")];
    let needless = || [relationship("default_did", "must be blank")];
    let replaces = json!({ "on_cli_mismatch_action": "replace_cli" });
    for (api, version) in apis.iter().zip(CORRECTED) {
        refused(&api.post(TRUNKS, &with(credentials("A"), replaces.clone())).await, &needed());
        refused(&api.post(TRUNKS, &linking(credentials("A"), "default_did", one())).await, &needless());
        let id = created(api, &replacing(version, &did)).await.id();
        let path = format!("{TRUNKS}/{id}");
        let none = linking(patch(&id, json!({})), "default_did", Value::Null);
        refused(&api.patch(&path, &none).await, &needed());
        assert_eq!(api.patch(&path, &patch(&id, json!({ "capacity_limit": 3 }))).await.status, 200);
        // The stored one counts.
        assert_eq!(api.patch(&path, &patch(&id, replaces.clone())).await.status, 200);
        let other = json!({ "on_cli_mismatch_action": "randomize_cli" });
        refused(
            &api.patch(&path, &linking(patch(&id, other.clone()), "default_did", one())).await,
            &needless(),
        );
        let cleared = linking(patch(&id, other), "default_did", Value::Null);
        assert_eq!(api.patch(&path, &cleared).await.status, 200);
        refused(&api.patch(&path, &patch(&id, replaces.clone())).await, &needed());
        let both = linking(patch(&id, replaces.clone()), "default_did", one());
        assert_eq!(api.patch(&path, &both).await.status, 200);
    }
    // An older version has neither rule, and its trunk can be changed otherwise at a newer one.
    let old = world.api.at(Some(OLD));
    let id = created(&old, &with(flat("old"), replaces)).await.id();
    created(&old, &linking(flat("older"), "default_did", one())).await;
    for api in apis {
        let answer = api.patch(&format!("{TRUNKS}/{id}"), &patch(&id, json!({ "rtp_ping": true }))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[tokio::test]
async fn n54_a_did_that_awaits_its_registration_is_no_caller_number() {
    let world = World::start().await;
    let members =
        RecordMembers::default().attribute("number", "37061498222").attribute("awaiting_registration", true);
    let owner = Some(world.server.account());
    let did = world.server.control().put_record(owner, "dids", None, members).await.unwrap().to_string();
    let body = |name| linking(credentials(name), "dids", dids(&[&did]));
    let newest = world.api.at(Some(NEWEST));
    refused(&newest.post(TRUNKS, &body("A")).await, &[relationship(&format!("dids/{did}"), "is invalid")]);
    created(&world.api.at(Some("2026-04-16")), &body("B")).await;
}

#[tokio::test]
async fn n55_dids_that_the_service_manages_are_not_sent() {
    let (world, apis) = each().await;
    let did = world.emergency_did("37061498222").await;
    for api in apis {
        for (switch, name) in [("allow_any_did_as_cli", "dids"), ("emergency_enable_all", "emergency_dids")] {
            let body = linking(with(credentials("A"), json!({ switch: true })), name, dids(&[&did]));
            refused(&api.post(TRUNKS, &body).await, &[relationship(name, "must be blank")]);
        }
    }
}

#[tokio::test]
async fn n56_and_n57_a_tech_prefix_has_one_to_eight_digits_and_belongs_to_credentials() {
    let (_world, apis) = each().await;
    let pointer = "/data/attributes/authentication_method";
    for api in apis {
        for (prefix, message) in [
            ("12a", "is invalid"),
            ("", "is invalid"),
            ("123456789", "is too long (maximum is 8 characters)"),
        ] {
            let attributes = json!({ "allowed_sip_ips": ["10.0.0.1"], "tech_prefix": prefix });
            let body = method(credentials("A"), "credentials_and_ip", attributes);
            let expected = invalid("tech_prefix", message, &format!("{pointer}/attributes/tech_prefix"));
            refused(&api.post(TRUNKS, &body).await, &[expected]);
        }
        let attributes = json!({ "twilio_account_sid": SID, "tech_prefix": "12" });
        let body = method(credentials("A"), "twilio", attributes);
        refused(&api.post(TRUNKS, &body).await, &[invalid("authentication_method", "is invalid", pointer)]);
    }
}

#[tokio::test]
async fn n58_a_sid_has_its_form_and_belongs_to_one_trunk_of_all_accounts() {
    let (world, apis) = each().await;
    let mut other = NewAccount::default();
    other.version = ApiVersion::V2026_04_16;
    let (_, key) = world.server.control().create_account(other).await.unwrap();
    let other = world.api.with_key(Some(key.expose()));
    let pointer = "/data/attributes/authentication_method/attributes/twilio_account_sid";
    let with_sid =
        |name: &str, sid: &str| method(credentials(name), "twilio", json!({ "twilio_account_sid": sid }));
    for api in &apis {
        for sid in [&SID[..33], &SID.replace('2', "g"), &SID.replace("AC", "2C")] {
            let expected = invalid("twilio_account_sid", "is invalid", pointer);
            refused(&api.post(TRUNKS, &with_sid("A", sid)).await, &[expected]);
        }
    }
    let first = created(&other, &with_sid("first", SID)).await.id();
    let taken = || [invalid("twilio_account_sid", "has already been taken", pointer)];
    for api in &apis {
        refused(&api.post(TRUNKS, &with_sid("A", SID)).await, &taken());
    }
    let id = created(&apis[1], &credentials("A")).await.id();
    let path = format!("{TRUNKS}/{id}");
    let change = |sid: &str| {
        let to = json!({ "type": "twilio", "attributes": { "twilio_account_sid": sid } });
        patch(&id, json!({ "authentication_method": to }))
    };
    refused(&apis[1].patch(&path, &change(SID)).await, &taken());
    let mine = "AC33333333333333333333333333333333";
    assert_eq!(apis[1].patch(&path, &change(mine)).await.status, 200);
    assert_eq!(apis[1].patch(&path, &change(mine)).await.status, 200, "its own SID is free for it");
    refused(&other.post(TRUNKS, &with_sid("B", mine)).await, &taken());
    // Each end of a trunk's use of a SID sets it free.
    assert_eq!(other.delete(&format!("{TRUNKS}/{first}")).await.status, 204);
    assert_eq!(apis[1].patch(&path, &change(SID)).await.status, 200);
    let second = created(&other, &with_sid("second", mine)).await.id();
    let method = json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["::1"] } });
    let away = patch(&second, json!({ "authentication_method": method }));
    assert_eq!(other.patch(&format!("{TRUNKS}/{second}"), &away).await.status, 200);
    created(&apis[0], &with_sid("third", mine)).await;
}

#[tokio::test]
async fn n59_and_n60_an_update_replaces_the_whole_method_and_never_with_ip_only() {
    let (_world, apis) = each().await;
    for (api, version) in apis.iter().zip(CORRECTED) {
        let attributes = json!({ "allowed_sip_ips": ["10.0.0.1"], "tech_prefix": "12#" });
        let id = created(api, &method(credentials(version), "credentials_and_ip", attributes)).await.id();
        let path = format!("{TRUNKS}/{id}");
        let to = |kind: &str| json!({ "type": kind, "attributes": { "allowed_sip_ips": ["10.0.0.2"] } });
        let body = patch(&id, json!({ "authentication_method": to("credentials_and_ip") }));
        let inner = api.patch(&path, &body).await.at("/data/attributes/authentication_method/attributes");
        assert_eq!(
            (&inner["tech_prefix"], &inner["allowed_sip_ips"]),
            (&Value::Null, &json!(["10.0.0.2/32"]))
        );
        let pointer = "/data/attributes/authentication_method/type";
        let body = patch(&id, json!({ "authentication_method": to("ip_only") }));
        refused(&api.patch(&path, &body).await, &[invalid("type", "is not allowed for update", pointer)]);
        let body = with(credentials("A"), json!({ "authentication_method": to("ip_only") }));
        refused(&api.post(TRUNKS, &body).await, &[invalid("type", "is not allowed for creation", pointer)]);
    }
}

#[tokio::test]
async fn n61_and_n62_a_comma_is_part_of_the_value_where_a_filter_takes_one() {
    let (world, [before, newest]) = each().await;
    for name in ["A", "B", "A,B", "\"A\""] {
        world.trunk(name).await;
    }
    created(&newest, &twilio("twilio")).await;
    let ip_only = world.trunk("ip only").await;
    world.make_ip_only(&ip_only, "10.0.0.1").await;
    let filtered = async |api: &Api, query: &str| names(&api.get(&format!("{TRUNKS}?filter{query}")).await);
    assert_eq!(filtered(&before, "[name]=A,B").await, ["A", "B"]);
    assert_eq!(filtered(&newest, "[name]=A,B").await, ["A,B"]);
    assert_eq!(filtered(&newest, "[name]=%22A%22").await, ["\"A\""], "quotes too");
    assert_eq!(filtered(&newest, "[name_contains]=A,").await, ["A,B"]);
    let found = filtered(&before, "[name_contains]=A,").await;
    assert_eq!(found, ["A", "A,B", "\"A\""], "the second value is blank, as no name is");
    for api in [&before, &newest] {
        let mut found = filtered(api, "[authentication_method.type]=twilio,ip_only").await;
        found.sort();
        assert_eq!(found, ["ip only", "twilio"]);
    }
    let two = "reject_call,send_original_cli";
    assert_eq!(filtered(&before, &format!("[on_cli_mismatch_action]={two}")).await.len(), 6);
    let answer = newest.get(&format!("{TRUNKS}?filter[on_cli_mismatch_action]={two}")).await;
    refused(&answer, &[wrong_value(two, "on_cli_mismatch_action")]);
}

#[tokio::test]
async fn n63_a_default_did_that_the_account_does_not_own_is_refused() {
    let (world, apis) = each().await;
    let filter = format!("{TRUNKS}?filter[default_did.id]={UNKNOWN}");
    for api in &apis {
        refused(&api.get(&filter).await, &[wrong_value(UNKNOWN, "default_did.id")]);
        refused(&api.get(&filter.replace(UNKNOWN, "x")).await, &[wrong_value("x", "default_did.id")]);
    }
    refused(&apis[1].get(&filter.replace(UNKNOWN, "")).await, &[wrong_value("", "default_did.id")]);
    assert_eq!(
        names(&apis[0].get(&filter.replace(UNKNOWN, "")).await).len(),
        0,
        "no trunk lacks one: there is none"
    );
    assert_eq!(names(&world.api.at(Some(OLD)).get(&filter).await).len(), 0);
}

#[tokio::test]
async fn n64_an_action_whose_feature_the_account_lacks_is_no_value_of_the_filter() {
    let world = World::start().await;
    for action in ["replace_cli", "randomize_cli"] {
        let filter = format!("{TRUNKS}?filter[on_cli_mismatch_action]={action}");
        for version in CORRECTED {
            let answer = world.api.at(Some(version)).get(&filter).await;
            refused(&answer, &[wrong_value(action, "on_cli_mismatch_action")]);
        }
        assert_eq!(world.api.at(Some(OLD)).get(&filter).await.status, 200);
        assert_eq!(with_features().await.api.get(&filter).await.status, 200);
    }
}

#[tokio::test]
async fn n65_emergency_enable_all_is_no_filter() {
    let (_world, apis) = each().await;
    for api in apis {
        let answer = api.get(&format!("{TRUNKS}?filter[emergency_enable_all]=true")).await;
        let detail = "emergency_enable_all is not allowed.";
        refused(&answer, &[error(400, "102", "Filter not allowed", detail)]);
    }
}

#[tokio::test]
async fn n66_and_n67_a_page_has_at_most_100_records_but_for_trunks() {
    let (world, apis) = each().await;
    let too_large = |most: u32| {
        error(400, "118", "Invalid page value", &format!("size exceeds maximum page size of {most}."))
    };
    for api in &apis {
        assert_eq!(api.get(&format!("{TRUNKS}?page[size]=1000")).await.status, 200);
        refused(&api.get(&format!("{TRUNKS}?page[size]=1001")).await, &[too_large(1000)]);
        for path in [DIDS, "/capacity_pools"] {
            assert_eq!(api.get(&format!("{path}?page[size]=100")).await.status, 200);
            refused(&api.get(&format!("{path}?page[size]=101")).await, &[too_large(100)]);
        }
    }
    assert_eq!(world.api.at(Some(OLD)).get(&format!("{DIDS}?page[size]=1000")).await.status, 200);
}

#[tokio::test]
async fn dids_are_listed_by_number_from_2026_04_16_on() {
    let (world, apis) = each().await;
    let sent = ["37061498222", "12025550143", "46812111133"];
    for number in sent {
        world.did(number).await;
    }
    let numbers = |answer: &Answer| -> Vec<Value> {
        let data = answer.at("/data");
        data.as_array().unwrap().iter().map(|did| did["attributes"]["number"].clone()).collect()
    };
    for api in apis {
        assert_eq!(numbers(&api.get(DIDS).await), ["12025550143", "37061498222", "46812111133"]);
        let ends = numbers(&api.get(&format!("{DIDS}?page[size]=1&page[number]=3")).await);
        assert_eq!(ends, ["46812111133"]);
        assert_eq!(numbers(&api.get(&format!("{DIDS}?sort=created_at")).await), sent);
    }
    assert_eq!(numbers(&world.api.at(Some(OLD)).get(DIDS).await), sent);
}

#[tokio::test]
async fn the_filters_of_dids_follow_the_version() {
    let world = World::start().await;
    for (number, note) in
        [("37061498222", json!("North, desk")), ("12025550143", json!("South")), ("46812111133", json!(null))]
    {
        let did = world.did(number).await;
        let body = update("dids", &did, json!({ "description": note, "billing_cycles_count": 2 }));
        assert_eq!(world.api.patch(&format!("{DIDS}/{did}"), &body).await.status, 200);
    }
    let found = async |version: &str, query: &str| -> Vec<String> {
        let answer = world.api.at(Some(version)).get(&format!("{DIDS}?filter{query}&sort=number")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let data = answer.at("/data");
        let number = |did: &Value| did["attributes"]["number"].as_str().unwrap()[..2].to_owned();
        data.as_array().unwrap().iter().map(number).collect()
    };
    for version in CORRECTED {
        assert_eq!(found(version, "[description]=orth").await, ["37"]);
        assert_eq!(found(version, "[description]=h,%20d").await, ["37"]);
        assert_eq!(found(version, "[description]=").await, ["46"]);
    }
    assert_eq!(found(OLD, "[description]=orth").await.len(), 0);
    assert_eq!(found(OLD, "[description]=South,x").await, ["12"]);
    assert_eq!(found("2026-04-16", "[capacity_pool.id]=").await.len(), 3, "none has a pool");
    assert_eq!(found(NEWEST, "[capacity_pool.id]=").await.len(), 0);
    assert_eq!(found(NEWEST, "[country.id]=").await.len(), 3);
    for version in CORRECTED {
        assert_eq!(found(version, "[billing_cycles_count]=1,2").await.len(), 3, "{version}");
        assert_eq!(found(version, "[billing_cycles_count]=").await.len(), 0, "{version}");
    }
    for value in ["1,2", ""] {
        let answer =
            world.api.at(Some(OLD)).get(&format!("{DIDS}?filter[billing_cycles_count]={value}")).await;
        refused(&answer, &[wrong_value(value, "billing_cycles_count")]);
    }
}

#[tokio::test]
async fn n69_included_paths_follow_the_version() {
    let world = World::start().await;
    let [before, newest] = CORRECTED.map(|version| world.api.at(Some(version)));
    let get = async |api: &Api, path: &str| api.get(&format!("{TRUNKS}?include={path}")).await;
    assert_eq!(get(&newest, "dids.sms_trunk,dids.sms_trunk_group").await.status, 200);
    let did = world.did("37061498222").await;
    created(&newest, &linking(credentials("A"), "dids", dids(&[&did]))).await;
    let to_email = json!({ "send_to": "sms@example.com", "subject": "Inbound", "message": "{SMS_TEXT}" });
    let configuration = json!({ "type": "sms_to_email", "attributes": to_email });
    let body = resource("sms_trunks", json!({ "name": "E", "configuration": configuration }));
    let sms_trunk = newest.post("/sms_trunks", &body).await.id();
    let route = linking(update("dids", &did, json!({})), "sms_trunk", identifier("sms_trunks", &sms_trunk));
    assert_eq!(newest.patch(&format!("{DIDS}/{did}"), &route).await.status, 200);
    let answer = get(&newest, "dids.sms_trunk").await;
    let included: Vec<Value> = answer.at("/included").as_array().unwrap().clone();
    let named = |kind: &str, id: &str| included.iter().any(|one| one["type"] == kind && one["id"] == id);
    assert!(included.len() == 2 && named("dids", &did) && named("sms_trunks", &sms_trunk), "{}", answer.text);
    let unknown = |name: &str, kind: &str| {
        error(400, "112", "Invalid field", &format!("{name} is not a valid relationship of {kind}"))
    };
    refused(&get(&before, "dids.sms_trunk").await, &[unknown("sms_trunk", "dids")]);
}

#[tokio::test]
async fn n72_and_n73_rotation_answers_with_an_id_and_refuses_a_trunk_without_credentials() {
    let (_world, apis) = each().await;
    for (api, version) in apis.iter().zip(CORRECTED) {
        let id = created(api, &credentials(version)).await.id();
        let answer = api.post(ROTATION, &rotation(&id)).await;
        let data = json!({ "id": id, "type": "voice_out_trunk_regenerate_credentials" });
        assert_eq!((answer.status, answer.at("/data")), (201, data));
        let sid = json!({ "twilio_account_sid": format!("AC{}", version.replace('-', "").repeat(4)) });
        let id = created(api, &method(credentials(&format!("{version} twilio")), "twilio", sid)).await.id();
        refused(&api.post(ROTATION, &rotation(&id)).await, &[relationship("voice_out_trunk", "is invalid")]);
    }
}

#[tokio::test]
async fn n95_an_error_has_no_meta_and_its_code_and_status_are_texts() {
    let (_world, apis) = each().await;
    for api in apis {
        for answer in [
            api.get(&format!("{TRUNKS}/{UNKNOWN}")).await,
            api.get(&format!("{TRUNKS}?filter[x]=1&include=y")).await,
            api.post(TRUNKS, &json!({})).await,
            api.post(TRUNKS, &credentials("")).await,
            api.get("/bogus").await,
        ] {
            let document = answer.json();
            assert_eq!(document.as_object().unwrap().keys().collect::<Vec<_>>(), ["errors"]);
            for error in document["errors"].as_array().unwrap() {
                assert!(error["code"].is_string() && error["status"].is_string(), "{error}");
                assert!(error["title"].is_string() && error["detail"].is_string(), "{error}");
            }
        }
    }
}
