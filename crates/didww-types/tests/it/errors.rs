//! Error objects as the service sends them, and the table of error codes.

use didww_types::{ErrorCode, ErrorDocument, ErrorObject, Violation};
use serde_json::{Value, json};

use crate::fixtures::{bytes, directory, json as document};

fn error(name: &str) -> ErrorObject {
    let document: ErrorDocument = serde_json::from_slice(&bytes(&format!("errors/{name}.json"))).unwrap();
    document.errors.into_iter().next().unwrap()
}

#[test]
fn every_recorded_error_body_is_reproduced_byte_for_byte() {
    let mut seen = 0;
    for entry in std::fs::read_dir(directory().join("errors")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let read: ErrorDocument = serde_json::from_str(&text).unwrap();
        if text.starts_with(r#"{"errors":[{"status""#) {
            // The error of an exceeded rate limit does not come from the framework; its members are ordered
            // differently.
            assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        } else {
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        seen += 1;
    }
    assert!(seen >= 16, "{seen} bodies");
}

#[test]
fn the_error_of_an_exceeded_rate_limit_has_neither_title_nor_code() {
    let limited = error("rate_limited");
    assert_eq!((&limited.title, &limited.code, limited.field()), (&None, &None, None));
    assert_eq!(limited.detail.as_deref(), Some("Too Many Requests"));
    assert_eq!(limited.status.as_deref(), Some("429"));
}

#[test]
fn an_error_names_the_member_that_caused_it() {
    for (name, field) in [
        ("unauthorized", None),
        ("record_not_found", None),
        ("param_not_allowed", None),
        ("name_taken", Some("name")),
        ("capacity_limit_too_large", Some("capacity_limit")),
        ("external_reference_too_long", Some("external_reference_id")),
        ("credentials_without_addresses", Some("authentication_method")),
        ("ip_only_create", Some("type")),
        ("twilio_sid_blank", Some("twilio_account_sid")),
        ("dids_shared_capacity", Some("dids")),
        ("emergency_not_supported", Some("dids")),
        ("voice_in_trunk_group_invalid", Some("voice_in_trunk_group_id")),
        ("trunk_ids_invalid", Some("trunk_ids")),
        ("capacity_group_in_use", None),
    ] {
        assert_eq!(error(name).field(), field, "{name}");
    }
    let field = |pointer: &str| ErrorObject::default().at(pointer).field().map(str::to_owned);
    for pointer in ["/data", "", "/", "/data/relationships/"] {
        assert_eq!(field(pointer), None, "{pointer}");
    }
    assert_eq!(field("/data/relationships/default_did").as_deref(), Some("default_did"));
}

#[test]
fn errors_are_built_with_the_messages_of_the_service() {
    let message = Violation::LessOrEqual(32_767.into()).to_string();
    let built = ErrorObject::new(ErrorCode::Validation, &message, format!("capacity_limit - {message}"))
        .at("/data/attributes/capacity_limit");
    assert_eq!(built, error("capacity_limit_too_large"));
    let built = ErrorObject::new(ErrorCode::Unauthorized, "Unauthorized", "Authorization failed");
    assert_eq!(built, error("unauthorized"));
    for (violation, name) in [
        (Violation::TooLong(100), "external_reference_too_long"),
        (Violation::Taken, "name_taken"),
        (Violation::Blank, "twilio_sid_blank"),
        (Violation::Invalid, "credentials_without_addresses"),
        (Violation::NotAllowedForCreation, "ip_only_create"),
        (Violation::NotAllowedForUpdate, "ip_only_update"),
        (Violation::NoEmergency, "emergency_not_supported"),
        (Violation::NoSharedCapacity, "dids_shared_capacity"),
        (Violation::AreInvalid, "trunk_ids_invalid"),
    ] {
        assert_eq!(Some(violation.to_string()), error(name).title, "{name}");
    }
}

#[test]
fn an_error_without_members_is_decoded_and_one_with_meta_keeps_it() {
    let sparse: ErrorDocument =
        serde_json::from_value(json!({"errors": [{}, {"title": "x", "new": 1}]})).unwrap();
    assert_eq!(sparse.errors[0], ErrorObject::default());
    assert_eq!(sparse.errors[1].title.as_deref(), Some("x"));
    let body = json!({"errors": [{"title": "Insufficient balance", "detail": "Insufficient balance",
        "code": "400", "status": "400", "meta": {"available_balance": "1.9", "total_cost": "2.0"}}]});
    let full: ErrorDocument = serde_json::from_value(body.clone()).unwrap();
    assert_eq!(full.errors[0].meta.as_ref().unwrap()["total_cost"], "2.0");
    assert_eq!(serde_json::to_value(full).unwrap(), body);
    assert!(serde_json::from_value::<ErrorDocument>(document("callbacks/trunk_blocked.json")).is_err());
}

#[test]
fn each_code_has_its_http_status() {
    for (code, text, status) in [
        (ErrorCode::Validation, "100", 422),
        (ErrorCode::InvalidResource, "101", 400),
        (ErrorCode::FilterNotAllowed, "102", 400),
        (ErrorCode::InvalidFieldValue, "103", 400),
        (ErrorCode::InvalidField, "104", 400),
        (ErrorCode::ParamNotAllowed, "105", 400),
        (ErrorCode::MissingParameter, "106", 400),
        (ErrorCode::InvalidFilterValue, "107", 400),
        (ErrorCode::KeyRequired, "109", 400),
        (ErrorCode::KeyNotInUrl, "110", 400),
        (ErrorCode::InvalidInclude, "112", 400),
        (ErrorCode::InvalidSort, "114", 400),
        (ErrorCode::InvalidLinks, "115", 400),
        (ErrorCode::TypeMismatch, "116", 400),
        (ErrorCode::InvalidPageValue, "118", 400),
        (ErrorCode::InvalidFieldFormat, "119", 400),
        (ErrorCode::InvalidFiltersSyntax, "120", 400),
        (ErrorCode::InvalidDataFormat, "122", 400),
        (ErrorCode::BadRequest, "400", 400),
        (ErrorCode::Unauthorized, "401", 401),
        (ErrorCode::Forbidden, "403", 403),
        (ErrorCode::NotFound, "404", 404),
        (ErrorCode::NotAcceptable, "406", 406),
        (ErrorCode::UnsupportedMediaType, "415", 415),
        (ErrorCode::Internal, "500", 500),
        (ErrorCode::Unavailable, "503", 503),
    ] {
        assert_eq!((code.as_str(), code.http_status()), (text, status));
        let built = ErrorObject::new(code, "title", "detail");
        assert_eq!(built.code.as_deref(), Some(text));
        assert_eq!(built.status, Some(status.to_string()));
    }
}
