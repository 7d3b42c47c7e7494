//! Values that a future version of the service may return are decoded and are not lost when they are sent
//! back.

use didww_types::resources::{AuthenticationMethod, Did, VoiceOutTrunk, VoiceOutTrunkPartial};
use didww_types::values::CapacityLimit;
use didww_types::{
    ApiVersion, Attribute as _, Document, Partial as _, Resource as _, ResourceObject, Update as _,
};
use serde_json::{Value, json};

use crate::fixtures::{CREDENTIALS, object, object_with, trunk};

fn with(attribute: &str, value: Value) -> VoiceOutTrunk {
    VoiceOutTrunk::decode(object_with(attribute, value)).unwrap()
}

fn encoded(trunk: &VoiceOutTrunk, attribute: &str) -> Value {
    trunk.encode().unwrap().attributes[attribute].clone()
}

#[test]
fn an_unknown_enumeration_value_is_kept() {
    for attribute in ["status", "on_cli_mismatch_action", "media_encryption_mode", "default_dst_action"] {
        let trunk = with(attribute, json!("of_tomorrow"));
        assert_eq!(encoded(&trunk, attribute), "of_tomorrow");
        // It is sent only when it has changed.
        let before = self::trunk(CREDENTIALS);
        let sent = trunk.changes_since(&before).to_sent().unwrap();
        assert_eq!(Value::Object(sent.attributes), json!({ attribute: "of_tomorrow" }));
        assert!(trunk.changes_since(&trunk.clone()).is_empty());
    }
    let trunk = with("status", json!("of_tomorrow"));
    assert_eq!(trunk.status.as_str(), "of_tomorrow");
    assert!(!trunk.is_active());
}

#[test]
fn an_unknown_kind_of_authentication_is_kept_and_written_back_whole() {
    let method =
        json!({"type": "mutual_tls", "attributes": {"fingerprint": "ab:cd", "depth": [1, {"x": null}]}});
    let trunk = with("authentication_method", method.clone());
    let AuthenticationMethod::Unknown(unknown) = &trunk.authentication_method else { panic!("unknown") };
    assert_eq!(unknown.kind(), "mutual_tls");
    assert_eq!(unknown.attributes()["fingerprint"], "ab:cd");
    assert_eq!(trunk.authentication_method.kind(), "mutual_tls");
    assert_eq!(trunk.credentials(), None);
    assert_eq!(encoded(&trunk, "authentication_method"), method);
    assert_eq!(trunk.authentication_method.to_sent().unwrap(), method);
    let sent = trunk.changes_since(&self::trunk(CREDENTIALS)).to_sent().unwrap();
    assert_eq!(Value::Object(sent.attributes), json!({ "authentication_method": method }));
}

#[test]
fn unknown_attributes_are_kept_on_both_levels() {
    let method = json!({"type": "credentials_and_ip", "attributes": {
        "allowed_sip_ips": ["192.0.2.1/32"], "tech_prefix": null, "username": "u", "password": "p",
        "realm": "sip.example.com"
    }});
    let mut object = object_with("authentication_method", method.clone());
    object.attributes.insert("jurisdiction".to_owned(), json!({"code": "LT"}));
    let trunk = VoiceOutTrunk::decode(object.clone()).unwrap();
    assert_eq!(trunk.extra["jurisdiction"], json!({"code": "LT"}));
    assert_eq!(trunk.encode().unwrap(), object);
    // The generated credentials are left out; undeclared attributes are not.
    let sent = trunk.authentication_method.to_sent().unwrap();
    assert_eq!(
        sent["attributes"],
        json!({"allowed_sip_ips": ["192.0.2.1/32"], "tech_prefix": null, "realm": "sip.example.com"})
    );
}

#[test]
fn a_value_outside_its_documented_range_is_read_and_written_back() {
    for (attribute, value) in [
        ("capacity_limit", json!(40_000)),
        ("capacity_limit", json!(-1)),
        ("rtp_timeout", json!(5)),
        ("threshold_amount", json!("250000.75")),
        ("threshold_amount", json!("-3.5")),
        ("external_reference_id", json!("x".repeat(500))),
        ("callback_url", json!("ftp://example.com")),
        ("dst_prefixes", json!(["+1", "", "x"])),
        ("allowed_rtp_ips", json!(["localhost", "10.0.0.1", "10.0.0.77/8"])),
        ("name", json!("")),
        (
            "authentication_method",
            json!({"type": "credentials_and_ip", "attributes": {
                "allowed_sip_ips": ["somewhere"], "tech_prefix": "+123456789"
            }}),
        ),
        ("authentication_method", json!({"type": "twilio", "attributes": {"twilio_account_sid": "short"}})),
    ] {
        let trunk = with(attribute, value.clone());
        assert_eq!(encoded(&trunk, attribute), value, "{attribute}");
        let sent = trunk.changes_since(&self::trunk(CREDENTIALS)).to_sent().unwrap();
        assert_eq!(Value::Object(sent.attributes), json!({ attribute: value }));
    }
}

/// A plain value in another JSON type must not make a whole record unreadable, neither from a tree nor from text.
#[test]
fn a_plain_value_in_another_json_type_is_read_as_what_it_means() {
    for (attribute, value, expected) in [
        ("capacity_limit", json!("100"), json!(100)),
        ("capacity_limit", json!(100.0), json!(100)),
        ("capacity_limit", json!("100.0"), json!(100)),
        ("rtp_timeout", json!(" 45 "), json!(45)),
        ("allow_any_did_as_cli", json!("true"), json!(true)),
        ("rtp_ping", json!(0), json!(false)),
        ("name", json!(7), json!("7")),
        ("external_reference_id", json!(18_446_744_073_709_551_615_u64), json!("18446744073709551615")),
        ("dst_prefixes", json!([44, "1"]), json!(["44", "1"])),
    ] {
        let object = object_with(attribute, value.clone());
        let text = serde_json::to_string(&object).unwrap();
        let trunk = VoiceOutTrunk::decode(object).unwrap();
        assert_eq!(encoded(&trunk, attribute), expected, "{attribute} {value}");
        assert_eq!(serde_json::from_str::<VoiceOutTrunk>(&text).unwrap(), trunk, "{attribute} {value}");
    }
    let mut object = object("2026-04-16/dids.update_unassign_emergency.response.json");
    object.attributes.insert("channels_included_count".to_owned(), json!("2"));
    object.attributes.insert("billing_cycles_count".to_owned(), json!("12"));
    let did = Did::decode(object).unwrap();
    assert_eq!((did.channels_included_count, did.billing_cycles_count.unwrap().get()), (2, 12));
}

#[test]
fn unknown_members_of_meta_and_links_are_kept() {
    let text = json!({
        "data": [{"id": "1", "type": "pops", "attributes": {}, "links": {"self": "https://x/1"}, "relationships": {
            "cities": {"links": {"self": {"href": "https://x/1/cities", "meta": {}}, "related": null}, "meta": {"count": 3}},
        }}],
        "meta": {"total_records": "12", "api_version": "2026-04-16", "available_count": 3},
        "links": {"first": "https://x/1", "next": {"href": "https://x/2"}, "prev": null, "describedby": "https://x/d"},
    });
    let document = Document::<Vec<ResourceObject>>::parse(text.to_string().as_bytes()).unwrap();
    assert_eq!((document.meta.total_records, &document.meta.extra["available_count"]), (Some(12), &json!(3)));
    assert_eq!((document.links.next.as_deref(), document.links.prev), (Some("https://x/2"), None));
    assert_eq!(document.links.extra["describedby"], "https://x/d");
    let record = &document.data[0];
    assert_eq!(record.links.as_ref().unwrap()["self"], "https://x/1");
    let cities = &record.relationships["cities"];
    assert_eq!(cities.links.as_ref().unwrap().own.as_deref(), Some("https://x/1/cities"));
    assert_eq!(cities.meta.as_ref().unwrap()["count"], 3);
}

#[test]
fn an_address_that_cannot_be_parsed_allows_no_address() {
    let trunk = with("allowed_rtp_ips", json!(["localhost", "10.0.0.77/8"]));
    let networks = trunk.allowed_rtp_ips.unwrap();
    assert_eq!(networks.texts().len(), 2);
    assert_eq!(networks.networks().count(), 1);
    assert!(networks.contains("10.200.0.1".parse().unwrap()));
    assert!(!networks.contains("127.0.0.1".parse().unwrap()));
}

#[test]
fn amounts_are_decoded_from_numbers_and_lists_from_null() {
    assert_eq!(encoded(&with("threshold_amount", json!(200)), "threshold_amount"), "200.0");
    assert_eq!(encoded(&with("threshold_amount", json!(0.02)), "threshold_amount"), "0.02");
    assert_eq!(encoded(&with("threshold_amount", json!("9999.00")), "threshold_amount"), "9999.0");
    assert_eq!(encoded(&with("dst_prefixes", Value::Null), "dst_prefixes"), json!([]));
    let method = json!({"type": "ip_only", "attributes": {"allowed_sip_ips": null}});
    let trunk = with("authentication_method", method);
    assert!(trunk.authentication_method.allowed_sip_ips().unwrap().texts().is_empty());
}

#[test]
fn optional_attributes_that_a_response_leaves_out_are_none_and_others_have_the_services_defaults() {
    let mut sparse = object(CREDENTIALS);
    let required = ["name", "on_cli_mismatch_action", "authentication_method", "created_at"];
    sparse.attributes.retain(|name, _| required.contains(&name.as_str()));
    sparse.relationships.clear();
    sparse.meta = None;
    let read = VoiceOutTrunk::decode(sparse).unwrap();
    let mut expected = trunk(CREDENTIALS);
    // Their defaults are those of a create request; the response did not state them.
    expected.threshold_amount = None;
    expected.rtp_timeout = None;
    expected.emergency_enable_all = None;
    expected.dids = didww_types::ToMany::default();
    expected.emergency_dids = didww_types::ToMany::default();
    assert_eq!(read, expected);
}

#[test]
fn the_error_of_a_missing_attribute_names_it() {
    for name in ["name", "on_cli_mismatch_action", "authentication_method", "created_at"] {
        let mut sparse = object(CREDENTIALS);
        sparse.attributes.remove(name);
        let error = VoiceOutTrunk::decode(sparse).unwrap_err();
        assert_eq!(error.path(), format!("attributes.{name}"));
        assert_eq!(error.message(), "the attribute is missing");
    }
}

#[test]
fn a_value_of_the_wrong_form_is_refused_with_its_path() {
    for (attribute, value, path) in [
        ("name", json!(["x"]), "attributes.name"),
        ("capacity_limit", json!("many"), "attributes.capacity_limit"),
        ("capacity_limit", json!(1.5), "attributes.capacity_limit"),
        ("rtp_ping", json!("yes"), "attributes.rtp_ping"),
        ("created_at", json!("yesterday"), "attributes.created_at"),
        ("dst_prefixes", json!(["1", {}]), "attributes.dst_prefixes[1]"),
        ("threshold_amount", json!("much"), "attributes.threshold_amount"),
        ("authentication_method", json!({"attributes": {}}), "attributes.authentication_method"),
        ("authentication_method", json!(null), "attributes.authentication_method"),
    ] {
        let error = VoiceOutTrunk::decode(object_with(attribute, value.clone())).unwrap_err();
        assert_eq!(error.path(), path, "{value}");
        assert!(error.to_string().starts_with(&format!("at `{path}`: ")));
    }
    let method = json!({"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": [7]}});
    let error = VoiceOutTrunk::decode(object_with("authentication_method", method)).unwrap_err();
    assert!(error.message().starts_with("attributes.allowed_sip_ips"), "{error}");
    let method = json!({"type": "twilio", "attributes": {}});
    let error = VoiceOutTrunk::decode(object_with("authentication_method", method)).unwrap_err();
    assert_eq!(error.message(), "attributes: missing field `twilio_account_sid`");
}

#[test]
fn linkage_of_the_wrong_form_is_refused_with_its_path() {
    let mut object = object(CREDENTIALS);
    object.relationships.get_mut("dids").unwrap().data = Some(didww_types::Linkage::One(None));
    let error = VoiceOutTrunk::decode(object).unwrap_err();
    assert_eq!(error.path(), "relationships.dids.data");
}

#[test]
fn a_partial_record_has_only_the_selected_fields() {
    let mut selected = object(CREDENTIALS);
    selected.attributes.retain(|name, _| ["name", "capacity_limit"].contains(&name.as_str()));
    let partial = VoiceOutTrunkPartial::decode(selected).unwrap();
    assert_eq!(partial.name.as_deref(), Some("Trunk credentials_and_ip"));
    // `capacity_limit` is present and null, `status` is absent.
    assert_eq!(partial.capacity_limit, Some(None));
    assert_eq!(partial.status, None);
}

#[test]
fn selected_credentials_of_an_old_version_are_converted_to_the_canonical_form() {
    let mut selected = object("2021-12-15/voice_out_trunks.create.response.json");
    selected.attributes.retain(|name, _| ["username", "password"].contains(&name.as_str()));
    let partial = VoiceOutTrunkPartial::decode_at(ApiVersion::V2021_12_15, selected).unwrap();
    let method = partial.authentication_method.unwrap();
    assert_eq!(method.credentials().unwrap().1.expose(), "np34mftrrq");
    assert!(partial.extra.is_empty());
}

#[test]
fn a_patch_contains_the_difference_between_two_records() {
    let before = trunk(CREDENTIALS);
    let mut after = before.clone();
    assert!(after.changes_since(&before).is_empty());
    after.name = "Renamed".to_owned();
    after.capacity_limit = Some(CapacityLimit::new(7u32).unwrap());
    after.threshold_amount = None;
    let sent = after.changes_since(&before).to_sent().unwrap();
    assert_eq!(
        Value::Object(sent.attributes),
        json!({"name": "Renamed", "capacity_limit": 7, "threshold_amount": null})
    );
    assert!(sent.relationships.is_empty());
}

#[test]
fn a_did_keeps_unknown_attributes() {
    let mut object = object("2026-04-16/dids.update_unassign_emergency.response.json");
    object.attributes.insert("colour".to_owned(), json!("blue"));
    let did = Did::decode(object.clone()).unwrap();
    assert_eq!(did.encode().unwrap().attributes, object.attributes);
}
