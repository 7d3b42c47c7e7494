//! The order of members, and which of them are omitted: byte for byte as the service writes them.

use serde_json::json;
use voipbin_client::Uuid;
use voipbin_client::types::{
    Action, Address, AnswerMethod, BASIC, Call, CallKind, CallStatus, CallsCreated, ErrorBody, ErrorEnvelope,
    ErrorReason, ErrorStatus, EventKind, Groupcall, GroupcallStatus, OutboundConfig, Page, Provider,
    ProviderCall, RingMethod, Route, RouteUpdate, Timestamp, Webhook, ZERO, to_json,
};

const ID: Uuid = Uuid::from_u128(0x0a);
const ID_TEXT: &str = "00000000-0000-0000-0000-00000000000a";
const ZERO_TEXT: &str = "00000000-0000-0000-0000-000000000000";

fn text<T: serde::Serialize>(value: &T) -> String {
    String::from_utf8(to_json(value).unwrap()).unwrap()
}

fn at() -> Timestamp {
    "2026-04-21T23:15:00.5Z".parse().unwrap()
}

#[test]
fn a_new_outbound_config_is_encoded_as_by_the_service() {
    let config = OutboundConfig {
        id: ID,
        customer_id: ID,
        tm_create: Some(at()),
        tm_update: Some(at()),
        ..Default::default()
    };
    let expected = format!(
        r#"{{"id":"{ID_TEXT}","customer_id":"{ID_TEXT}","name":"","detail":"","destination_whitelist":[],"codecs":"","default_outgoing_source_number_id":"{ZERO_TEXT}","tm_create":"2026-04-21T23:15:00.5Z","tm_update":"2026-04-21T23:15:00.5Z","tm_delete":null}}"#
    );
    assert_eq!(text(&config), expected);
}

#[test]
fn an_empty_provider_is_encoded_as_by_the_service() {
    let expected = format!(
        r#"{{"id":"{ID_TEXT}","type":"","hostname":"","tech_prefix":"","tech_postfix":"","tech_headers":{{}},"name":"","detail":"","metadata":{{}},"codecs":"","health_status":"unknown","health_checked_at":null,"tm_create":null,"tm_update":null,"tm_delete":null}}"#
    );
    assert_eq!(text(&Provider { id: ID, ..Default::default() }), expected);
}

#[test]
fn a_route_for_every_customer_is_encoded_as_by_the_service() {
    let route =
        Route { id: ID, customer_id: BASIC, provider_id: ID, target: "+1".to_owned(), ..Default::default() };
    let expected = format!(
        r#"{{"id":"{ID_TEXT}","customer_id":"00000000-0000-0000-0000-000000000001","name":"","detail":"","provider_id":"{ID_TEXT}","priority":0,"target":"+1","tm_create":null,"tm_update":null,"tm_delete":null}}"#
    );
    assert_eq!(text(&route), expected);
}

#[test]
fn a_provider_call_without_a_source_is_encoded_as_by_the_service() {
    let record = ProviderCall { id: ID, destinations: vec![Address::tel("+1")], ..Default::default() };
    let expected = format!(
        r#"{{"id":"{ID_TEXT}","customer_id":"{ZERO_TEXT}","provider_id":"{ZERO_TEXT}","flow_id":"{ZERO_TEXT}","source":null,"destinations":[{{"type":"tel","target":"+1"}}],"anonymous":"auto","call_ids":[],"groupcall_ids":[],"tm_create":null,"tm_update":null,"tm_delete":null}}"#
    );
    assert_eq!(text(&record), expected);
}

#[test]
fn a_new_call_has_no_hangup_reason_and_only_its_creation_time() {
    let call = Call {
        id: ID,
        kind: Some(CallKind::Flow),
        action: Action { id: BASIC, ..Default::default() },
        metadata: [("skip_source_validation".to_owned(), json!(true)), ("rtp_debug".to_owned(), json!(true))]
            .into(),
        tm_create: Some(at()),
        ..Default::default()
    };
    let expected = format!(
        r#"{{"id":"{ID_TEXT}","customer_id":"{ZERO_TEXT}","owner_type":"","owner_id":"{ZERO_TEXT}","flow_id":"{ZERO_TEXT}","activeflow_id":"{ZERO_TEXT}","type":"flow","master_call_id":"{ZERO_TEXT}","recording_id":"{ZERO_TEXT}","groupcall_id":"{ZERO_TEXT}","source":{{}},"destination":{{}},"status":"dialing","action":{{"id":"00000000-0000-0000-0000-000000000001","next_id":"{ZERO_TEXT}","tm_execute":null}},"metadata":{{"rtp_debug":true,"skip_source_validation":true}},"tm_create":"2026-04-21T23:15:00.5Z"}}"#
    );
    assert_eq!(text(&call), expected);
    assert_eq!(serde_json::from_str::<Call>(&expected).unwrap(), call);
}

#[test]
fn a_group_of_calls_is_encoded_as_by_the_service() {
    let expected = format!(
        r#"{{"id":"{ID_TEXT}","customer_id":"{ID_TEXT}","owner_type":"","owner_id":"{ZERO_TEXT}","status":"progressing","flow_id":"{ZERO_TEXT}","source":{{"type":"tel","target":"+1"}},"destinations":[{{"type":"extension","target_name":"2001"}}],"master_call_id":"{ZERO_TEXT}","master_groupcall_id":"{ZERO_TEXT}","ring_method":"ring_all","answer_method":"hangup_others","answer_call_id":"{ZERO_TEXT}","call_ids":["{ID_TEXT}"],"answer_groupcall_id":"{ZERO_TEXT}","call_count":1,"tm_create":"2026-04-21T23:15:00.5Z"}}"#
    );
    let group: Groupcall = serde_json::from_str(&expected).unwrap();
    assert_eq!(
        (group.status.clone(), group.ring_method.clone(), group.answer_method.clone()),
        (Some(GroupcallStatus::Progressing), Some(RingMethod::RingAll), Some(AnswerMethod::HangupOthers))
    );
    assert_eq!((group.call_ids.as_slice(), group.call_count, group.dial_index), ([ID].as_slice(), 1, 0));
    assert_eq!(text(&group), expected);
    let answer = format!(r#"{{"calls":[],"groupcalls":[{expected}]}}"#);
    assert_eq!(serde_json::from_str::<CallsCreated>(&answer).unwrap().groupcalls, [group]);
}

#[test]
fn envelopes_are_encoded_as_by_the_service() {
    assert_eq!(text(&Page::<Route>::default()), r#"{"result":[],"next_page_token":""}"#);
    let webhook = Webhook { kind: EventKind::CallHangup, data: 7 };
    assert_eq!(text(&webhook), r#"{"type":"call_hangup","data":7}"#);
    let mut error = ErrorBody {
        details: Vec::new(),
        message: "Authentication is required.".to_owned(),
        reason: ErrorReason::AuthenticationRequired,
        request_id: "req_A".to_owned(),
        status: ErrorStatus::Unauthenticated,
    };
    assert_eq!(
        text(&ErrorEnvelope { error: error.clone() }),
        r#"{"error":{"message":"Authentication is required.","reason":"AUTHENTICATION_REQUIRED","request_id":"req_A","status":"UNAUTHENTICATED"}}"#
    );
    error.details = vec![json!({"limited_by": "ip"}).as_object().unwrap().clone()];
    assert!(
        text(&ErrorEnvelope { error }).starts_with(r#"{"error":{"details":[{"limited_by":"ip"}],"message""#)
    );
}

#[test]
fn a_text_is_escaped_as_go_does() {
    assert_eq!(
        text(&"<a href=\"x\">&\u{2028}\u{2029}é\n"),
        r#""\u003ca href=\"x\"\u003e\u0026\u2028\u2029é\n""#
    );
}

#[test]
fn a_body_is_decoded_as_by_the_service() {
    use voipbin_client::types::{ProviderBody, ProviderCallCreate, RouteCreate};
    assert_eq!(
        serde_json::from_str::<ProviderBody>(r#"{"name":null,"tech_headers":null}"#).unwrap(),
        ProviderBody::default()
    );
    assert!(serde_json::from_str::<ProviderBody>(r#"{"name":5}"#).is_err());
    // The service declares the ids in routes as texts, those in provider calls as UUIDs.
    let route: RouteCreate =
        serde_json::from_str(r#"{"customer_id":"x","provider_id":"","target":"all"}"#).unwrap();
    assert_eq!(route, RouteUpdate::new("all", ZERO).of(ZERO));
    assert!(serde_json::from_str::<RouteCreate>(r#"{"customer_id":5}"#).is_err());
    assert!(serde_json::from_str::<RouteCreate>(r#"{"priority":1.5}"#).is_err());
    assert!(serde_json::from_str::<ProviderCallCreate>(r#"{"provider_id":""}"#).is_err());
    let call: ProviderCallCreate =
        serde_json::from_str(r#"{"provider_id":null,"destinations":null}"#).unwrap();
    assert_eq!(call, ProviderCallCreate::default());
    let empty: ProviderCallCreate = serde_json::from_str(r#"{"anonymous":""}"#).unwrap();
    assert_eq!(empty.anonymous.unwrap().as_str(), "");
}

#[test]
fn an_absent_member_of_a_config_is_not_the_same_as_an_empty_one() {
    use voipbin_client::types::OutboundConfigPatch;
    let read = |text| serde_json::from_str::<OutboundConfigPatch>(text).unwrap();
    assert_eq!(read(r#"{"destination_whitelist":null}"#), OutboundConfigPatch::default());
    assert_eq!(read(r#"{"destination_whitelist":[]}"#).destination_whitelist, Some(Vec::new()));
    assert_eq!(read(r#"{"codecs":""}"#).codecs.as_deref(), Some(""));
    assert!(
        serde_json::from_str::<OutboundConfigPatch>(r#"{"default_outgoing_source_number_id":"nope"}"#)
            .is_err()
    );
    assert_eq!(CallStatus::default(), CallStatus::Dialing);
}
