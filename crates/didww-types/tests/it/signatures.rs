//! Callback signatures, checked with the test vectors of the official SDKs.

use std::collections::BTreeMap;

use didww_types::Secret;
use didww_types::callback::{
    CallbackError, Payload, Received, TrunkEvent, receive, sign, trunk_events, verify,
};
use didww_types::resources::VoiceOutTrunkStatus;
use serde::Deserialize;
use serde_json::Value;

use crate::fixtures::{bytes, json};

const URL: &str = "http://example.com/callbacks";
const SIGNATURE: &str = "be7ca55f0c6d0383231188cb62f5c6406aa7159d";

#[derive(Deserialize)]
struct Case {
    source: String,
    key: Secret,
    url: String,
    parameters: Option<BTreeMap<String, String>>,
    events: Option<Vec<BTreeMap<String, Value>>>,
    signature: String,
    valid: bool,
}

impl Case {
    fn payload(&self) -> Payload {
        match (self.parameters.clone(), self.events.clone()) {
            (Some(parameters), None) => Payload::Parameters(parameters),
            (None, Some(events)) => Payload::Events(events),
            _ => panic!("a case has either parameters or events"),
        }
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_value(json("callbacks/signatures.json")).unwrap()
}

fn key() -> Secret {
    Secret::new("SOMEAPIKEY")
}

#[test]
fn every_vector_is_verified_or_refused_as_recorded() {
    for case in cases() {
        assert_eq!(
            verify(&case.key, &case.url, &case.payload(), &case.signature),
            case.valid,
            "{} {} {}",
            case.source,
            case.url,
            case.signature
        );
    }
}

#[test]
fn signing_reproduces_the_signature_of_every_valid_vector() {
    for case in cases().iter().filter(|case| case.valid) {
        assert_eq!(sign(&case.key, &case.url, &case.payload()), case.signature, "{}", case.url);
    }
}

#[test]
fn the_vectors_cover_both_forms_and_both_verdicts() {
    let cases = cases();
    assert_eq!(cases.iter().filter(|case| case.events.is_some()).count(), 6);
    assert_eq!(cases.iter().filter(|case| !case.valid).count(), 2);
    assert_eq!(cases.iter().filter(|case| case.source == "sdk" && case.valid).count(), 24);
}

#[test]
fn a_right_signature_in_the_wrong_form_is_refused() {
    let case = &cases()[0];
    let right = &case.signature;
    assert!(verify(&case.key, &case.url, &case.payload(), right));
    for wrong in [
        right.to_uppercase(),
        right[..39].to_owned(),
        format!("{right}0"),
        format!(" {right}"),
        format!("{right}\n"),
        format!("sha1={right}"),
        right.replacen('f', "g", 1),
        // 40 bytes but 39 characters.
        format!("{}é", &right[..38]),
        String::new(),
    ] {
        assert!(!verify(&case.key, &case.url, &case.payload(), &wrong), "{wrong:?}");
    }
}

#[test]
fn the_signature_depends_on_key_url_and_payload() {
    let case = &cases()[0];
    assert!(!verify(&Secret::new("OTHERAPIKEY"), &case.url, &case.payload(), &case.signature));
    assert!(!verify(&Secret::new(""), &case.url, &case.payload(), &case.signature));
    for url in
        ["https://example.com/callbacks", "http://example.com/callbacks/", "http://example.com/Callbacks"]
    {
        assert!(!verify(&case.key, url, &case.payload(), &case.signature), "{url}");
    }
    let mut parameters = case.parameters.clone().unwrap();
    parameters.insert("status".to_owned(), "canceled".to_owned());
    assert!(!verify(&case.key, &case.url, &Payload::Parameters(parameters), &case.signature));
}

/// The secret of a receiver whose setting is missing is empty, and anyone can sign with it.
#[test]
fn no_signature_is_right_for_an_empty_secret() {
    let (empty, body) = (Secret::new(""), bytes("callbacks/trunk_blocked.json"));
    let payload = Payload::from_json(&body).unwrap();
    let forged = sign(&empty, URL, &payload);
    assert!(!verify(&empty, URL, &payload, &forged));
    assert_eq!(trunk_events(&empty, URL, &body, &forged), Err(CallbackError::Signature));
    let media_type = "application/json";
    let received = Received { is_get: false, query: "", media_type, body: &body, signature: &forged };
    assert_eq!(receive(&[key(), empty], URL, received), Err(CallbackError::Signature));
}

#[test]
fn a_url_is_signed_as_configured_apart_from_its_port() {
    let payload = Payload::Parameters(BTreeMap::new());
    let same = [
        ("http://example.com", "http://example.com:80"),
        ("https://example.com?a=1", "https://example.com:443?a=1"),
        ("http://user:word@example.com#x", "http://user:word@example.com:80#x"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]:443/x"),
        ("HTTPS://example.com/x", "HTTPS://example.com:443/x"),
        ("http://example.com:/x", "http://example.com:80/x"),
        ("https://user:word@[2001:db8::1]:?a=1", "https://user:word@[2001:db8::1]:443?a=1"),
        ("example.com/x?u=https://a", "http://example.com:80/x?u=https://a"),
        ("example.com:8182/x", "http://example.com:8182/x"),
    ];
    for (without, with) in same {
        assert_eq!(sign(&key(), without, &payload), sign(&key(), with, &payload), "{without}");
    }
    let different = [
        ("http://example.com/a%2Fb", "http://example.com/a/b"),
        ("http://example.com", "http://example.com/"),
        ("http://example.com/x?a=1&b=2", "http://example.com/x?b=2&a=1"),
    ];
    for (one, other) in different {
        assert_ne!(sign(&key(), one, &payload), sign(&key(), other, &payload), "{one}");
    }
}

#[test]
fn the_events_of_a_verified_trunk_callback_are_typed() {
    let body = bytes("callbacks/trunk_blocked.json");
    let events = trunk_events(&key(), URL, &body, SIGNATURE).unwrap();
    let expected = TrunkEvent::new(
        "f36d1d17-bd16-42b9-af42-0cfe166bf3ec".into(),
        VoiceOutTrunkStatus::Blocked,
        true,
        "2017-06-25T08:21:41.795Z".parse().unwrap(),
    );
    assert_eq!(events, [expected]);
    assert_eq!(serde_json::to_value(&events).unwrap(), json("callbacks/trunk_blocked.json"));
}

#[test]
fn order_of_keys_and_white_space_in_the_body_do_not_matter() {
    let body = br#" [ { "created_at": "2017-06-25T08:21:41.795Z", "threshold_reached": true,
        "type": "voice_out_trunks", "status": "blocked", "id": "f36d1d17-bd16-42b9-af42-0cfe166bf3ec" } ] "#;
    assert_eq!(trunk_events(&key(), URL, body, SIGNATURE).unwrap().len(), 1);
}

#[test]
fn a_tampered_or_broken_body_is_a_wrong_signature() {
    let body = String::from_utf8(bytes("callbacks/trunk_blocked.json")).unwrap();
    for tampered in [
        body.replace("blocked", "active"),
        body.replace("true", "false"),
        body.replace("795Z", "796Z"),
        body.replace("f36d1d17", "f36d1d18"),
        body.replace("}]", ",\"more\":1}]"),
        "[]".to_owned(),
        "[".to_owned(),
        String::new(),
        "[1]".to_owned(),
    ] {
        assert_eq!(
            trunk_events(&key(), URL, tampered.as_bytes(), SIGNATURE),
            Err(CallbackError::Signature),
            "{tampered}"
        );
    }
}

#[test]
fn the_error_of_a_signed_body_without_trunk_events_has_a_path() {
    for (body, path) in [
        (
            r#"[{"id":"x","type":"voice_out_trunks","status":"active","threshold_reached":"no"}]"#,
            "[0].threshold_reached",
        ),
        (r#"[{"id":"x"}]"#, "[0]"),
    ] {
        let payload = Payload::from_json(body.as_bytes()).unwrap();
        let signature = sign(&key(), URL, &payload);
        let Err(CallbackError::Body(error)) = trunk_events(&key(), URL, body.as_bytes(), &signature) else {
            panic!("{body} was decoded");
        };
        assert_eq!(error.path(), path);
    }
}

#[test]
fn an_unknown_status_is_preserved() {
    let body = r#"{"id":"x","type":"voice_out_trunks","status":"paused","threshold_reached":false,"created_at":"2026-01-01T00:00:00.000Z","reason":"new"}"#;
    let signature = sign(&key(), URL, &Payload::from_json(body.as_bytes()).unwrap());
    let events = trunk_events(&key(), URL, body.as_bytes(), &signature).unwrap();
    assert_eq!(events[0].status.as_str(), "paused");
}
