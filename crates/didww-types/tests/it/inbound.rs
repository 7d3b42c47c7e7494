//! The configurations of inbound trunks: reading, merging and sending them preserves their values.

use didww_types::resources::{
    Codec, ReroutingCode, SipConfiguration, TrunkConfiguration, TxDtmfFormat, VoiceInTrunk,
};
use didww_types::values::{ForwardNumber, SipHost};
use didww_types::{ApiVersion, Attribute as _, Patch, Resource as _, Violation};
use serde_json::{Value, json};

use crate::fixtures::{json, object};

const REGISTRATION: &str = "2026-04-16/voice_in_trunks.create_registration.response.json";

fn trunk() -> VoiceInTrunk {
    VoiceInTrunk::decode(object(REGISTRATION)).unwrap()
}

#[test]
fn a_trunk_is_read_and_written_without_a_difference() {
    let trunk = trunk();
    let written = serde_json::to_value(trunk.encode().unwrap()).unwrap();
    let read = json(REGISTRATION);
    for (name, value) in read["data"]["attributes"].as_object().unwrap() {
        assert_eq!(written["attributes"][name], *value, "{name}");
    }
    let (username, password) = trunk.configuration.registration().unwrap();
    assert_eq!((username, password.expose().len()), ("7e3IUOSKtroNLfM6", 16));
    assert!(!format!("{trunk:?}").contains(password.expose()));
}

#[test]
fn what_a_client_creates_is_what_the_official_sdk_sends() {
    let body = VoiceInTrunk::create("Office", TrunkConfiguration::sip_registration());
    let sent = didww_types::Create::to_sent(&body).unwrap();
    let expected = json("2026-04-16/voice_in_trunks.create_registration.request.json");
    assert_eq!(Value::Object(sent.attributes), expected["data"]["attributes"]);
}

#[test]
fn generated_credentials_are_not_sent_back() {
    let sent = trunk().configuration.to_sent().unwrap();
    let names = sent["attributes"].as_object().unwrap();
    assert!(names.keys().all(|name| !name.starts_with("incoming_auth")) && names.len() == 37);
    let pstn = TrunkConfiguration::pstn(ForwardNumber::new("12125550101").unwrap());
    let expected = json!({ "type": "pstn_configurations", "attributes": { "dst": "12125550101" } });
    assert_eq!(pstn.to_sent().unwrap(), expected);
}

#[test]
fn what_this_crate_does_not_declare_is_kept() {
    for value in [
        json!({ "type": "carrier_pigeons", "attributes": { "loft": 7 } }),
        json!({ "type": "sip_configurations", "attributes": { "host": "a.test", "colour": "red",
            "codec_ids": [9, 99], "tx_dtmf_format_id": 3, "rerouting_disconnect_code_ids": [7] } }),
    ] {
        let read: TrunkConfiguration = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), value);
    }
    let text = r#"{"attributes":{"host":"a.test"},"type":"sip_configurations"}"#;
    assert_eq!(serde_json::from_str::<TrunkConfiguration>(text).unwrap().kind(), "sip_configurations");
}

#[test]
fn merging_changes_what_is_there_and_a_null_counts() {
    let mut stored: SipConfiguration =
        serde_json::from_value(json!({ "host": "a.test", "port": 5060, "max_transfers": 2 })).unwrap();
    stored.merge(serde_json::from_value(json!({ "port": null, "resolve_ruri": true })).unwrap());
    let merged = json!({ "host": "a.test", "port": null, "resolve_ruri": true, "max_transfers": 2 });
    assert_eq!(serde_json::to_value(&stored).unwrap(), merged);
    assert_eq!(stored.at_host(SipHost::new("b.test").unwrap()).port, Patch::Clear);
}

#[test]
fn the_numbers_of_enumerations_have_names() {
    assert_eq!((Codec::from(9), Codec::Pcma.get()), (Codec::Pcmu, 10));
    assert_eq!((TxDtmfFormat::from(3).get(), TxDtmfFormat::NUMBERS), (3, &[0, 1, 2, 4][..]));
    assert_eq!(ReroutingCode::all().filter_map(ReroutingCode::status).count(), 46);
}

#[test]
fn a_flaw_of_a_configuration_has_its_place() {
    let sent = json!({ "type": "sip_configurations", "attributes": { "port": 0, "colour": "red" } });
    let flaws = TrunkConfiguration::validate(&sent).unwrap_err();
    let places: Vec<_> = flaws.iter().map(|flaw| (flaw.pointer.as_str(), flaw.violation.clone())).collect();
    assert!(places.contains(&("/attributes/port", Violation::GreaterOrEqual(1.into()))), "{places:?}");
    assert!(places.contains(&("/attributes/colour", Violation::ParamNotAllowed)), "{places:?}");
}

#[test]
fn an_older_version_has_no_attribute_that_began_later() {
    let mut attributes = trunk().encode().unwrap().attributes;
    VoiceInTrunk::SPEC.from_canonical(ApiVersion::V2021_04_19, &mut attributes);
    let names = attributes["configuration"]["attributes"].as_object().unwrap().len();
    assert_eq!(names, 28);
    let newer = trunk().encode().unwrap().attributes;
    assert!(VoiceInTrunk::SPEC.not_representable(ApiVersion::V2022_05_10, &newer).is_some());
}
