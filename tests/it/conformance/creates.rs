//! Accepted and refused creates of trunks.

use didww_types::Feature;
use serde_json::{Value, json};

use crate::support::api::{NEW, OLD, TOKENS};
use crate::support::engine;
use crate::support::world::*;

/// Posts a body, compares the errors of the refusal, and checks that it changed nothing.
async fn refusal(world: &World, body: &Value, errors: &[Expected]) {
    let before = world.dump().await;
    refused(&world.api.post(TRUNKS, body).await, errors);
    assert_eq!(world.dump().await, before, "a refused create leaves nothing behind");
}

fn authentication(kind: &str, attributes: Value) -> Value {
    with(credentials("A"), json!({ "authentication_method": { "type": kind, "attributes": attributes } }))
}

const METHOD: &str = "/data/attributes/authentication_method";

#[tokio::test]
async fn case_31_the_least_trunk_with_credentials_gets_every_default() {
    let world = World::start().await;
    let clock = world.server.control().clock().clone();
    clock.freeze(Some("2026-04-08T06:57:33.304Z".parse().unwrap()));
    let answer = world.created(&credentials("Trunk credentials_and_ip")).await;
    assert!(answer.headers.get("location").is_none(), "recorded answers carry no Location");
    let secret = |name: &str| {
        let value = answer.at(&format!("{METHOD}/attributes/{name}")).as_str().unwrap().to_owned();
        assert!(value.len() == 16 && value.bytes().all(|b| b.is_ascii_alphanumeric()), "{value}");
        value
    };
    let (username, password, id) = (secret("username"), secret("password"), answer.id());
    assert_ne!(username, password);
    let base = format!("{}{TRUNKS}/{id}", world.api.base());
    let expected = [
        r#"{"data":{"id":""#,
        &id,
        r#"","type":"voice_out_trunks","attributes":{"allowed_rtp_ips":null,"allow_any_did_as_cli":false,"status":"active","on_cli_mismatch_action":"send_original_cli","name":"Trunk credentials_and_ip","capacity_limit":null,"created_at":"2026-04-08T06:57:33.304Z","threshold_reached":false,"threshold_amount":"3000.0","media_encryption_mode":"disabled","default_dst_action":"allow_all","dst_prefixes":[],"force_symmetric_rtp":false,"rtp_ping":false,"callback_url":null,"external_reference_id":null,"authentication_method":{"type":"credentials_and_ip","attributes":{"allowed_sip_ips":["192.168.1.1/32"],"tech_prefix":null,"username":""#,
        &username,
        r#"","password":""#,
        &password,
        r#""}},"emergency_enable_all":false,"rtp_timeout":30},"relationships":{"dids":{"links":{"self":""#,
        &base,
        r#"/relationships/dids","related":""#,
        &base,
        r#"/dids"}},"emergency_dids":{"links":{"self":""#,
        &base,
        r#"/relationships/emergency_dids","related":""#,
        &base,
        r#"/emergency_dids"}}},"meta":{"spent_amount":"0.0"}},"meta":{"api_version":"2026-04-16"}}"#,
    ];
    assert_eq!(answer.text, expected.concat());
}

#[tokio::test]
async fn case_32_a_twilio_trunk_shows_its_account_alone() {
    let world = World::start().await;
    let answer = world.created(&twilio("A")).await;
    let expected = format!(
        r#""authentication_method":{{"type":"twilio","attributes":{{"twilio_account_sid":"{SID}"}}}},"#
    );
    assert!(answer.text.contains(&expected), "{}", answer.text);
}

#[tokio::test]
async fn case_33_nobody_creates_an_ip_only_trunk() {
    let world = World::start().await;
    let expected = || [invalid("type", "is not allowed for creation", &format!("{METHOD}/type"))];
    for attributes in [json!({}), json!({ "allowed_sip_ips": ["203.0.113.1"] }), json!({ "x": 1 })] {
        refusal(&world, &authentication("ip_only", attributes), &expected()).await;
    }
}

#[tokio::test]
async fn case_35_a_twilio_trunk_needs_its_account() {
    let world = World::start().await;
    let pointer = format!("{METHOD}/attributes/twilio_account_sid");
    for attributes in [json!({}), json!({ "twilio_account_sid": "" }), json!({ "twilio_account_sid": null })]
    {
        let expected = invalid("twilio_account_sid", "can't be blank", &pointer);
        refusal(&world, &authentication("twilio", attributes), &[expected]).await;
    }
    for sid in [json!("AC1"), json!(7), json!(format!("{SID}0"))] {
        let expected = invalid("twilio_account_sid", "is invalid", &pointer);
        refusal(&world, &authentication("twilio", json!({ "twilio_account_sid": sid })), &[expected]).await;
    }
}

#[tokio::test]
async fn case_36_credentials_need_addresses() {
    let world = World::start().await;
    for attributes in [json!({}), json!({ "allowed_sip_ips": [] }), json!({ "allowed_sip_ips": null })] {
        let expected = attribute("authentication_method", "is invalid");
        refusal(&world, &authentication("credentials_and_ip", attributes), &[expected]).await;
    }
}

#[tokio::test]
async fn a_method_of_no_known_form_is_invalid_as_a_whole() {
    let world = World::start().await;
    for method in [
        json!("credentials_and_ip"),
        json!([]),
        json!({}),
        json!({ "type": "digest", "attributes": {} }),
        json!({ "type": "credentials_and_ip" }),
        json!({ "attributes": { "allowed_sip_ips": ["192.168.1.1"] } }),
        json!({ "type": 1, "attributes": {} }),
        json!({ "type": "twilio", "attributes": { "twilio_account_sid": SID, "tech_prefix": "1" } }),
    ] {
        let body = with(credentials("A"), json!({ "authentication_method": method }));
        refusal(&world, &body, &[attribute("authentication_method", "is invalid")]).await;
    }
}

#[tokio::test]
async fn what_is_wrong_inside_a_method_is_named_with_its_place() {
    let world = World::start().await;
    for (name, value, message) in [
        ("tech_prefix", json!("123456789"), "is too long (maximum is 8 characters)"),
        ("tech_prefix", json!("12*"), "is invalid"),
        ("allowed_sip_ips", json!(["localhost"]), "is invalid"),
        ("allowed_sip_ips", json!("192.168.1.1"), "is invalid"),
        ("allowed_sip_ips", json!(vec!["192.168.1.1"; 61]), "is too long (maximum is 60 items)"),
    ] {
        let mut body = credentials("A");
        body["data"]["attributes"]["authentication_method"]["attributes"][name] = value;
        refusal(&world, &body, &[invalid(name, message, &format!("{METHOD}/attributes/{name}"))]).await;
    }
}

#[tokio::test]
async fn case_37_a_trunk_needs_a_method() {
    let world = World::start().await;
    let expected = || [attribute("authentication_method", "can't be blank")];
    refusal(&world, &without(credentials("A"), "authentication_method"), &expected()).await;
    let null = with(credentials("A"), json!({ "authentication_method": null }));
    refusal(&world, &null, &expected()).await;
}

#[tokio::test]
async fn case_38_a_trunk_needs_a_name() {
    let world = World::start().await;
    let expected = || [attribute("name", "can't be blank")];
    refusal(&world, &without(credentials("A"), "name"), &expected()).await;
    for name in [json!(""), json!("  "), json!(null)] {
        refusal(&world, &with(credentials("A"), json!({ "name": name })), &expected()).await;
    }
    let long = with(credentials("A"), json!({ "name": "ä".repeat(256) }));
    refusal(&world, &long, &[attribute("name", "is too long (maximum is 255 characters)")]).await;
    world.created(&credentials(&"ä".repeat(255))).await;
}

#[tokio::test]
async fn case_39_a_name_is_given_once() {
    let world = World::start().await;
    world.trunk("A").await;
    refusal(&world, &credentials("A"), &[attribute("name", "has already been taken")]).await;
    let old = world.api.at(Some(OLD)).post(TRUNKS, &flat("A")).await;
    refused(&old, &[attribute("name", "has already been taken")]);
    world.trunk("a").await;
}

#[tokio::test]
async fn what_is_missing_is_named_all_at_once_in_the_order_of_the_attributes() {
    let world = World::start().await;
    let body = resource("voice_out_trunks", json!({ "rtp_timeout": 1, "capacity_limit": -1 }));
    let expected = [
        attribute("on_cli_mismatch_action", "can't be blank"),
        attribute("name", "can't be blank"),
        attribute("capacity_limit", "must be greater than or equal to 1"),
        attribute("authentication_method", "can't be blank"),
        attribute("rtp_timeout", "must be greater than or equal to 30"),
    ];
    refusal(&world, &body, &expected).await;
    let answer = world.api.at(Some(OLD)).post(TRUNKS, &resource("voice_out_trunks", json!({}))).await;
    let expected = [
        attribute("allowed_sip_ips", "can't be blank"),
        attribute("on_cli_mismatch_action", "can't be blank"),
        attribute("name", "can't be blank"),
    ];
    refused(&answer, &expected);
}

#[tokio::test]
async fn a_create_without_attributes_misses_what_is_required() {
    let world = World::start().await;
    let body = json!({ "data": { "type": "voice_out_trunks" } });
    let expected = [
        attribute("on_cli_mismatch_action", "can't be blank"),
        attribute("name", "can't be blank"),
        attribute("authentication_method", "can't be blank"),
    ];
    refusal(&world, &body, &expected).await;
}

#[tokio::test]
async fn case_52_n39_and_n40_the_capacity_limit_is_1_to_32767() {
    let world = World::start().await;
    for (limit, message) in [
        (json!(32768), "must be less than or equal to 32767"),
        (json!(-1), "must be greater than or equal to 1"),
        (json!(0), "must be greater than or equal to 1"),
        (json!(1.5), "must be an integer"),
        (json!("many"), "is not a number"),
        (json!(true), "is not a number"),
        (json!(99_999_999_999_999_999_999_f64), "must be less than or equal to 32767"),
    ] {
        let body = with(credentials("A"), json!({ "capacity_limit": limit }));
        refusal(&world, &body, &[attribute("capacity_limit", message)]).await;
    }
    for (place, limit) in [json!(1), json!(32767), json!(null), json!("7")].into_iter().enumerate() {
        let body = with(credentials(&place.to_string()), json!({ "capacity_limit": limit }));
        let shown = world.created(&body).await.at("/data/attributes/capacity_limit");
        assert_eq!(shown, if limit == "7" { json!(7) } else { limit });
    }
    for version in [NEW, TOKENS] {
        let api = world.api.at(Some(version));
        let body = with(credentials("A"), json!({ "capacity_limit": 0 }));
        let expected = attribute("capacity_limit", "must be greater than or equal to 1");
        refused(&api.post(TRUNKS, &body).await, &[expected]);
        for limit in [json!(1), json!(32767), json!(null)] {
            let body = with(credentials(&format!("{version} {limit}")), json!({ "capacity_limit": limit }));
            assert_eq!(api.post(TRUNKS, &body).await.at("/data/attributes/capacity_limit"), limit);
        }
    }
}

#[tokio::test]
async fn case_53_the_threshold_is_at_most_a_hundred_thousand() {
    let world = World::start().await;
    for (amount, message) in [
        (json!("100000.1"), "must be less than or equal to 100000"),
        (json!("-0.1"), "must be greater than or equal to 0"),
        (json!("much"), "is not a number"),
        (json!([]), "is not a number"),
    ] {
        let body = with(credentials("A"), json!({ "threshold_amount": amount }));
        refusal(&world, &body, &[attribute("threshold_amount", message)]).await;
    }
    for (sent, shown) in [
        (json!("100000.0"), json!("100000.0")),
        (json!("0"), json!("0.0")),
        (json!("12.340"), json!("12.34")),
        (json!(9999), json!("9999.0")),
    ] {
        let body = with(credentials(&sent.to_string()), json!({ "threshold_amount": sent }));
        assert_eq!(world.created(&body).await.at("/data/attributes/threshold_amount"), shown);
    }
}

#[tokio::test]
async fn case_54_the_rtp_timeout_lies_between_30_and_600() {
    let world = World::start().await;
    for (timeout, message) in
        [(29, "must be greater than or equal to 30"), (601, "must be less than or equal to 600")]
    {
        let body = with(credentials("A"), json!({ "rtp_timeout": timeout }));
        refusal(&world, &body, &[attribute("rtp_timeout", message)]).await;
    }
    for timeout in [json!(30), json!(600)] {
        let body = with(credentials(&timeout.to_string()), json!({ "rtp_timeout": timeout }));
        assert_eq!(world.created(&body).await.at("/data/attributes/rtp_timeout"), timeout);
    }
}

#[tokio::test]
async fn case_55_the_external_reference_has_at_most_a_hundred_characters() {
    let world = World::start().await;
    let body = with(credentials("A"), json!({ "external_reference_id": "é".repeat(101) }));
    let expected = attribute("external_reference_id", "is too long (maximum is 100 characters)");
    refusal(&world, &body, &[expected]).await;
    let body = with(credentials("A"), json!({ "external_reference_id": "é".repeat(100) }));
    world.created(&body).await;
}

#[tokio::test]
async fn case_56_a_status_that_is_null_is_active_before_2026_04_16() {
    let world = World::start().await;
    for version in [OLD, "2022-05-10"] {
        let body = with(flat(version), json!({ "status": null }));
        let answer = world.api.at(Some(version)).post(TRUNKS, &body).await;
        assert_eq!(answer.at("/data/attributes/status"), "active", "{}", answer.text);
    }
}

#[tokio::test]
async fn case_57_a_status_is_one_of_two() {
    let world = World::start().await;
    for status in [json!("paused"), json!("Active"), json!(1), json!(["active"])] {
        let body = with(credentials("A"), json!({ "status": status }));
        refusal(&world, &body, &[attribute("status", "is not included in the list")]).await;
    }
}

#[tokio::test]
async fn enumerations_switches_lists_and_urls_refuse_what_they_are_not() {
    let world = World::start().await;
    for (name, value, message) in [
        ("on_cli_mismatch_action", json!("nope"), "is not included in the list"),
        ("media_encryption_mode", json!("srtp"), "is not included in the list"),
        ("default_dst_action", json!("deny"), "is not included in the list"),
        ("rtp_ping", json!("maybe"), "is not included in the list"),
        ("force_symmetric_rtp", json!(null), "is not included in the list"),
        ("dst_prefixes", json!(["+23"]), "is invalid"),
        ("dst_prefixes", json!(["1234567890123456"]), "is invalid"),
        ("dst_prefixes", json!([""]), "is invalid"),
        ("dst_prefixes", json!("23"), "is invalid"),
        ("dst_prefixes", json!(vec!["23"; 1001]), "is too long (maximum is 1000 items)"),
        ("allowed_rtp_ips", json!(["300.1.1.1"]), "is invalid"),
        ("allowed_rtp_ips", json!(["10.0.0.0/255.0.0.0"]), "is invalid"),
        ("allowed_rtp_ips", json!(vec!["10.0.0.1"; 61]), "is too long (maximum is 60 items)"),
        ("callback_url", json!("ftp://example.com/x"), "is invalid"),
        ("callback_url", json!(["example.com"]), "is invalid"),
        ("callback_url", json!(true), "is invalid"),
    ] {
        let body = with(credentials("A"), json!({ name: value }));
        refusal(&world, &body, &[attribute(name, message)]).await;
    }
}

#[tokio::test]
async fn a_mismatch_action_that_needs_a_feature_is_refused_without_it() {
    for (action, feature) in [("replace_cli", Feature::ReplaceCli), ("randomize_cli", Feature::RandomizeCli)]
    {
        let world = World::start().await;
        let body = with(credentials("A"), json!({ "on_cli_mismatch_action": action }));
        let expected = attribute("on_cli_mismatch_action", "is not included in the list");
        refusal(&world, &body, &[expected]).await;
        let world = World::of(engine::builder().feature(feature)).await;
        let did = world.did("37061498222").await;
        let body = if action == "replace_cli" { replacing("A", &did) } else { body };
        assert_eq!(world.created(&body).await.at("/data/attributes/on_cli_mismatch_action"), action);
    }
}

#[tokio::test]
async fn case_58_dids_are_not_named_when_any_did_may_be_the_caller() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let any = || with(credentials("A"), json!({ "allow_any_did_as_cli": true }));
    let body = linking(any(), "dids", dids(&[&did]));
    refusal(&world, &body, &[relationship("dids", "must be blank")]).await;
    world.created(&linking(any(), "dids", json!([]))).await;
}

#[tokio::test]
async fn case_59_emergency_dids_are_not_named_when_all_are_enabled() {
    let world = World::start().await;
    let did = world.emergency_did("37061498222").await;
    let body = with(credentials("A"), json!({ "emergency_enable_all": true }));
    let body = linking(body, "emergency_dids", dids(&[&did]));
    refusal(&world, &body, &[relationship("emergency_dids", "must be blank")]).await;
}

#[tokio::test]
async fn case_60_an_unknown_did_is_invalid() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    for id in [UNKNOWN, "1", &world.trunk("A trunk").await] {
        let body = linking(credentials("A"), "dids", dids(&[&did, id]));
        refusal(&world, &body, &[relationship("dids", "is invalid")]).await;
    }
}

#[tokio::test]
async fn a_did_without_emergency_calling_cannot_make_emergency_calls() {
    let world = World::start().await;
    let (plain, able) = (world.did("37061498222").await, world.emergency_did("12025550143").await);
    let body = linking(credentials("A"), "emergency_dids", dids(&[&able, &plain]));
    let member = format!("emergency_dids/{plain}");
    let expected = relationship(&member, "does not support Emergency feature");
    refusal(&world, &body, &[expected]).await;
    world.created(&linking(credentials("A"), "emergency_dids", dids(&[&able]))).await;
}

#[tokio::test]
async fn switches_and_numbers_are_cast_from_texts() {
    let world = World::start().await;
    let sent = json!({ "rtp_ping": "true", "force_symmetric_rtp": "1", "capacity_limit": "5", "name": 12 });
    let answer = world.created(&with(credentials("A"), sent)).await;
    let shown = answer.at("/data/attributes");
    assert_eq!(
        (&shown["rtp_ping"], &shown["force_symmetric_rtp"], &shown["capacity_limit"], &shown["name"]),
        (&json!(true), &json!(true), &json!(5), &json!("12"))
    );
}
