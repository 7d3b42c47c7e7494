//! Decoding straight from the text and decoding from a tree yield the same record.

use didww_types::resources::{AuthenticationMethod, Did, VoiceOutTrunk, VoiceOutTrunkPartial};
use didww_types::{ApiVersion, Document, Partial, Resource, ResourceObject, ResourceSpec};
use serde_json::{Value, json};

use crate::fixtures::{CREDENTIALS, IP_ONLY, TWILIO, bytes, json as document, object_with};

const DID: &str = "2026-04-16/dids.update_unassign_emergency.response.json";

fn direct<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_str::<Document<T>>(&body.to_string()).map(|document| document.data)
}

fn assert_same<R: Resource + PartialEq + std::fmt::Debug>(name: &str)
where
    R::Partial: PartialEq + std::fmt::Debug,
{
    let body = bytes(name);
    let tree: ResourceObject = Document::parse(&body).unwrap().data;
    assert_eq!(Document::<R>::parse(&body).unwrap().data, R::decode(tree.clone()).unwrap());
    let partial = Document::<R::Partial>::parse(&body).unwrap().data;
    assert_eq!(partial, R::Partial::decode(tree).unwrap());
}

#[test]
fn both_ways_of_decoding_agree() {
    for name in [CREDENTIALS, TWILIO, IP_ONLY] {
        assert_same::<VoiceOutTrunk>(name);
    }
    assert_same::<Did>(DID);
}

#[test]
fn linkage_is_decoded_as_from_the_tree() {
    let mut body = document(CREDENTIALS);
    let id = json!({"type": "dids", "id": "7de7f718-4042-4d74-9fe9-863fa1777520"});
    body["data"]["relationships"]["dids"]["data"] = json!([id]);
    body["data"]["relationships"]["default_did"] = json!({"data": null});
    body["data"]["relationships"]["of_tomorrow"] = json!({"data": [id]});
    let trunk: VoiceOutTrunk = direct(&body).unwrap();
    assert_eq!(trunk.dids.ids().unwrap().len(), 1);
    assert!(trunk.dids.links().is_some());
    assert!(trunk.default_did.is_loaded() && trunk.default_did.id().is_none());
    assert_eq!(trunk.emergency_dids.ids(), None);
    body["data"]["relationships"]["dids"]["data"] = Value::Null;
    assert!(direct::<VoiceOutTrunk>(&body).is_err());
}

#[test]
fn unknown_attributes_are_kept_and_a_missing_optional_one_is_none() {
    let mut body = document(CREDENTIALS);
    body["data"]["attributes"]["jurisdiction"] = json!({"code": "LT"});
    body["data"]["attributes"].as_object_mut().unwrap().remove("rtp_timeout");
    let trunk: VoiceOutTrunk = direct(&body).unwrap();
    assert_eq!(trunk.extra["jurisdiction"], json!({"code": "LT"}));
    assert_eq!(trunk.rtp_timeout, None, "the default is that of a create request");
    let partial: VoiceOutTrunkPartial = direct(&body).unwrap();
    assert_eq!(partial.rtp_timeout, None);
    body["data"]["attributes"].as_object_mut().unwrap().remove("name");
    let error = direct::<VoiceOutTrunk>(&body).unwrap_err().to_string();
    assert!(error.contains("at `attributes.name`: the attribute is missing"), "{error}");
}

#[test]
fn a_record_of_another_type_is_refused() {
    let error = direct::<Did>(&document(CREDENTIALS)).unwrap_err().to_string();
    assert!(error.contains("expected `dids`, found `voice_out_trunks`"), "{error}");
    assert!(direct::<Did>(&json!({"data": {"id": "1"}})).is_err());
}

#[test]
fn an_error_has_a_path_when_a_document_is_decoded_from_text() {
    let mut body = document(CREDENTIALS);
    body["data"]["attributes"]["dst_prefixes"] = json!(["1", {}]);
    let error = Document::<VoiceOutTrunk>::parse(body.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.path(), "data.attributes.dst_prefixes[1]");
}

#[test]
fn the_type_of_an_authentication_method_may_come_before_or_after_its_attributes() {
    for (kind, attributes) in [
        ("credentials_and_ip", r#"{"allowed_sip_ips":["192.0.2.1/32"],"tech_prefix":null,"realm":"x"}"#),
        ("ip_only", r#"{"allowed_sip_ips":[],"tech_prefix":"12#","realm":"x"}"#),
        ("twilio", r#"{"twilio_account_sid":"AC22222222222222222222222222222222","region":"x"}"#),
        ("of_tomorrow", r#"{"key":"x"}"#),
    ] {
        let before = format!(r#"{{"type":"{kind}","attributes":{attributes}}}"#);
        let after = format!(r#"{{"attributes":{attributes},"type":"{kind}","more":1}}"#);
        let read = |text: &str| serde_json::from_str::<AuthenticationMethod>(text).unwrap();
        assert_eq!(read(&before), read(&after));
        assert_eq!(read(&before).kind(), kind);
        let written = serde_json::to_value(read(&before)).unwrap();
        assert_eq!(written["attributes"], serde_json::from_str::<Value>(attributes).unwrap());
    }
    for text in [
        r#"{"type":"ip_only","attributes":{},"type":"twilio"}"#,
        r#"{"type":"twilio","attributes":null}"#,
        r#"{"attributes":{}}"#,
        r#"["ip_only",{}]"#,
    ] {
        assert!(serde_json::from_str::<AuthenticationMethod>(text).is_err(), "{text}");
    }
    let empty = r#"{"type":"ip_only","attributes":null}"#;
    assert!(serde_json::from_str::<AuthenticationMethod>(empty).is_ok());
}

#[test]
fn a_text_with_escapes_is_read_like_one_without() {
    let mut body = document(CREDENTIALS).to_string();
    for (plain, escaped) in [("\"name\"", "\"n\\u0061me\""), ("\"active\"", "\"\\u0061ctive\"")] {
        body = body.replace(plain, escaped);
    }
    let body = body.replace("2026-04-08T06", "2026\\u002d04-08T06");
    let read = Document::<VoiceOutTrunk>::parse(body.as_bytes()).unwrap().data;
    assert_eq!(read, Document::parse(&bytes(CREDENTIALS)).unwrap().data);
}

#[test]
fn only_versions_with_another_form_are_converted() {
    let converted = |spec: &ResourceSpec| ApiVersion::ALL.map(|version| spec.needs_conversion(version));
    assert_eq!(converted(VoiceOutTrunk::SPEC), [true, true, true, true, false, false]);
    assert_eq!(converted(Did::SPEC), [true, true, false, false, false, false]);
}

#[test]
fn undeclared_members_are_printed_without_their_values() {
    let mut object = object_with("token", json!("c4n4ry"));
    object.meta = Some(serde_json::Map::from_iter([("hint".to_owned(), json!("c4n4ry"))]));
    let trunk = VoiceOutTrunk::decode(object.clone()).unwrap();
    let document: Document<ResourceObject> = serde_json::from_value(json!({
        "data": object.clone(), "included": [object.clone()],
    }))
    .unwrap();
    let included = didww_types::Included::new(ApiVersion::NEWEST, vec![object.clone()]);
    for shown in [
        format!("{object:?}"),
        format!("{document:#?}"),
        format!("{included:?}"),
        format!("{trunk:?}"),
        format!("{:?}", VoiceOutTrunkPartial::decode(object).unwrap()),
    ] {
        assert!(!shown.contains("c4n4ry") && shown.contains("token"), "{shown}");
    }
}
