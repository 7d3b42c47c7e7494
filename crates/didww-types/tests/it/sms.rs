//! Requests for text message trunks, as in the official document, and the additional members of responses.

use didww_types::resources::{
    HttpInConfiguration, SmsBodyType, SmsConfiguration, SmsSources, SmsTrunk, SmsTrunkRegenerateCredentials,
};
use didww_types::values::{
    AbsoluteCallbackUrl, CallbackUrl, ConnectionTimeout, MessageBody, MessageTemplate, RtpSource, SipHost,
    SipPort, SmppSystemId,
};
use didww_types::{Attribute as _, Create as _, Patch, Resource as _, Violation};
use serde_json::{Value, json};

use crate::fixtures::json as document;

fn sources() -> Patch<SmsSources> {
    Patch::Set(SmsSources::from_iter([RtpSource::new("203.0.113.10").unwrap()]))
}

fn template(text: &str) -> MessageTemplate {
    MessageTemplate::new(text).unwrap()
}

/// The configurations of the official examples, by their types.
fn configurations() -> [SmsConfiguration; 5] {
    let mut http_out = SmsConfiguration::http_out();
    if let SmsConfiguration::HttpOut(http) = &mut http_out {
        http.callback_url = Patch::Set(CallbackUrl::new("https://example.com/sms/status").unwrap());
        http.allowed_ips = sources();
    }
    let mut esme = SmsConfiguration::smpp_esme("nyc");
    if let SmsConfiguration::SmppEsme(smpp) = &mut esme {
        smpp.allowed_ips = sources();
    }
    let system_id = SmppSystemId::new("didww").unwrap();
    let mut smsc =
        SmsConfiguration::smpp_smsc(SipHost::new("smsc.example.com").unwrap(), system_id, "secret", "nyc");
    if let SmsConfiguration::SmppSmsc(smpp) = &mut smsc {
        (smpp.tx_port, smpp.rx_port) = (SipPort::new(2775).ok(), SipPort::new(2775).ok());
        (smpp.transceiver_mode, smpp.use_ssl) = (Some(true), Some(false));
        smpp.connection_timeout = ConnectionTimeout::new(30).ok();
    }
    let body = r#"{"text":"{SMS_TEXT}","from":"{SMS_SRC_ADDR}"}"#;
    [
        SmsConfiguration::sms_to_email(
            "sms@example.com",
            template("Inbound SMS"),
            template("You have a new message."),
        ),
        SmsConfiguration::http_in_post(
            AbsoluteCallbackUrl::new("https://example.com/sms").unwrap(),
            SmsBodyType::Json,
            MessageBody::Text(body.to_owned()),
        ),
        http_out,
        esme,
        smsc,
    ]
}

#[test]
fn the_official_creates_of_the_five_kinds_are_reproduced() {
    for (configuration, name) in configurations().into_iter().zip(["a", "b", "c", "d", "e"]) {
        let file = format!("2026-11-19/sms_trunks.create_{}.request.json", configuration.kind());
        let official: Value = document(&file);
        let sent = SmsTrunk::create(name, configuration.clone()).to_sent().unwrap();
        assert_eq!(Value::Object(sent.attributes), official["data"]["attributes"], "{file}");
        let read: SmsConfiguration =
            serde_json::from_value(official["data"]["attributes"]["configuration"].clone()).unwrap();
        assert_eq!(read, configuration, "{file}");
    }
}

#[test]
fn credentials_are_read_and_neither_sent_nor_printed() {
    for (kind, name, password) in
        [("http_out", "auth_name", "auth_password"), ("smpp_esme", "system_id", "password")]
    {
        let read = json!({ "type": kind, "attributes": { name: "u", password: "c4n4ry" } });
        let configuration: SmsConfiguration = serde_json::from_value(read).unwrap();
        let (user, secret) = configuration.credentials().unwrap();
        assert_eq!((user, secret.expose()), ("u", "c4n4ry"));
        assert!(!format!("{configuration:?}").contains("c4n4ry"));
        let sent = SmsTrunk::create("A", configuration).to_sent().unwrap();
        assert_eq!(sent.attributes["configuration"], json!({ "type": kind, "attributes": {} }));
    }
    let mut headers = HttpInConfiguration::default();
    headers.headers = Patch::Set([("Authorization", "c4n4ry")].into_iter().collect());
    assert!(!format!("{:?}", SmsConfiguration::HttpIn(Box::new(headers))).contains("c4n4ry"));
    assert!(configurations()[0].credentials().is_none());
}

#[test]
fn only_a_trunk_of_the_type_http_out_says_where_messages_are_submitted() {
    let trunk = |meta: Option<Value>| {
        let attributes = json!({
            "name": "A", "allow_in": true, "allow_out": false, "created_at": "2026-11-19T06:57:33.304Z",
            "updated_at": "2026-11-19T06:57:33.304Z", "priority": 100,
            "configuration": { "type": "of_tomorrow", "attributes": { "a": 1 } },
        });
        let mut object = json!({ "id": "1", "type": "sms_trunks", "attributes": attributes });
        if let Some(meta) = meta {
            object["meta"] = meta;
        }
        SmsTrunk::decode(serde_json::from_value(object).unwrap()).unwrap()
    };
    let with = trunk(Some(json!({ "host": "https://example.com/outbound" })));
    assert_eq!(with.meta.host.as_deref(), Some("https://example.com/outbound"));
    assert_eq!((trunk(None).meta.host, with.configuration.kind()), (None, "of_tomorrow"));
}

#[test]
fn messages_are_accepted_from_at_most_60_addresses_each_once() {
    let sources = |addresses: u8| {
        let addresses: Vec<String> = (0..addresses).map(|last| format!("203.0.113.{last}")).collect();
        SmsSources::validate(&json!(addresses))
    };
    assert!(sources(0).is_ok() && sources(60).is_ok());
    assert_eq!(sources(61), Err(Vec::from(Violation::TooMany(60))));
    let twice = SmsSources::validate(&json!(["203.0.113.1", "203.0.113.1"]));
    assert_eq!(twice, Err(Vec::from(Violation::Repeated)));
}

#[test]
fn a_rotation_names_the_trunk_alone() {
    let sent = SmsTrunkRegenerateCredentials::create("7").to_sent().unwrap();
    assert!(sent.attributes.is_empty());
    assert_eq!(sent.relationships["sms_trunk"], json!({ "data": { "type": "sms_trunks", "id": "7" } }));
}
