//! Credentials are sent on the wire and printed nowhere.

use didww_types::resources::{AuthenticationMethod, VoiceOutTrunk, VoiceOutTrunkPartial};
use didww_types::{ApiVersion, Create as _, Partial as _, Resource as _, Secret};
use serde_json::{Value, json};

use crate::fixtures::{CREDENTIALS, object, object_with, trunk};

const CANARY: &str = "c4n4ry-p4ssw0rd";

fn assert_hidden(shown: &str) {
    assert!(!shown.contains(CANARY), "{shown}");
}

fn method(kind: &str, attributes: Value) -> Value {
    json!({ "type": kind, "attributes": attributes })
}

#[test]
fn a_secret_is_not_printed_in_any_form() {
    let secret = Secret::new(CANARY);
    for shown in [format!("{secret:?}"), format!("{secret:#?}"), format!("{:?}", Some(&secret))] {
        assert_hidden(&shown);
    }
    assert_eq!(secret.expose(), CANARY);
    assert_eq!(serde_json::to_value(&secret).unwrap(), CANARY);
    assert_ne!(secret, Secret::new("c4n4ry-p4ssw0re"));
    assert_ne!(secret, Secret::new("c4n4ry"));
}

#[test]
fn no_kind_of_authentication_prints_what_may_be_a_credential() {
    let ips = json!(["192.0.2.1/32"]);
    for method in [
        method("credentials_and_ip", json!({"allowed_sip_ips": ips, "username": "u", "password": CANARY})),
        method("credentials_and_ip", json!({"allowed_sip_ips": ips, "next_password": CANARY})),
        method("ip_only", json!({"allowed_sip_ips": ips, "token": {"value": CANARY}})),
        method(
            "twilio",
            json!({"twilio_account_sid": "AC22222222222222222222222222222222", "auth_token": CANARY}),
        ),
        method("of_tomorrow", json!({"secret": [CANARY]})),
    ] {
        let read: AuthenticationMethod = serde_json::from_value(method.clone()).unwrap();
        assert_hidden(&format!("{read:?}"));
        assert_hidden(&format!("{read:#?}"));
        let trunk = VoiceOutTrunk::decode(object_with("authentication_method", method.clone())).unwrap();
        assert_hidden(&format!("{trunk:?}"));
        assert_hidden(&format!("{:?}", trunk.changes_since(&self::trunk(CREDENTIALS))));
        // `Debug` still prints the attribute's name, and encoding still writes its value.
        assert!(format!("{read:?}").contains(canary_name(&method)), "{read:?}");
        assert!(serde_json::to_string(&read).unwrap().contains(CANARY));
    }
}

/// The name of the attribute whose value contains the canary.
fn canary_name(method: &Value) -> &str {
    let attributes = method["attributes"].as_object().unwrap();
    attributes.iter().find(|(_, value)| value.to_string().contains(CANARY)).map(|(name, _)| name).unwrap()
}

#[test]
fn the_password_of_a_record_of_an_old_version_is_hidden_too() {
    let mut whole = object("2021-12-15/voice_out_trunks.create.response.json");
    whole.attributes.insert("password".to_owned(), json!(CANARY));
    let trunk = VoiceOutTrunk::decode_at(ApiVersion::V2021_12_15, whole.clone()).unwrap();
    assert_eq!(trunk.credentials().unwrap().1.expose(), CANARY);
    assert_hidden(&format!("{trunk:?}"));

    // As in a response to `fields[voice_out_trunks]=name,password`.
    whole.attributes.retain(|name, _| ["name", "password"].contains(&name.as_str()));
    let partial = VoiceOutTrunkPartial::decode_at(ApiVersion::V2021_12_15, whole).unwrap();
    assert_hidden(&format!("{partial:?}"));
}

#[test]
fn an_error_about_a_secret_does_not_quote_it() {
    for wrong in [json!(9_876_543_210_u64), json!([CANARY]), json!({ CANARY: 1 })] {
        let sent = method("credentials_and_ip", json!({"allowed_sip_ips": [], "password": wrong}));
        let error = VoiceOutTrunk::decode(object_with("authentication_method", sent)).unwrap_err();
        assert_hidden(&error.to_string());
        assert!(!error.to_string().contains("9876543210"), "{error}");
        assert!(error.message().contains("password") || error.message().contains("attributes"), "{error}");
    }
}

#[test]
fn a_request_body_contains_no_credentials_of_the_service() {
    let mut read = object(CREDENTIALS);
    read.attributes["authentication_method"]["attributes"]["password"] = json!(CANARY);
    let trunk = VoiceOutTrunk::decode(read).unwrap();
    let create = VoiceOutTrunk::create(
        "Copy",
        trunk.on_cli_mismatch_action.clone(),
        trunk.authentication_method.clone(),
    );
    assert_hidden(&format!("{create:?}"));
    assert_hidden(&format!("{:?}", create.to_sent().unwrap()));
}
