//! Callbacks of every kind, as an HTTP server receives them.

use std::collections::BTreeMap;

use didww_types::callback::{Callback, CallbackError, Payload, Received, VerificationOutcome, receive, sign};
use didww_types::resources::{OrderStatus, VoiceOutTrunkStatus};
use didww_types::{Secret, encode_component};
use serde_json::Value;

use crate::fixtures::{bytes, json};

const URL: &str = "https://example.com/callbacks?tenant=7";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

fn form(parameters: &[(&str, &str)]) -> String {
    let pairs = parameters.iter();
    let pairs = pairs.map(|(name, value)| format!("{}={}", encode_component(name), encode_component(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn payload(parameters: &[(&str, &str)]) -> Payload {
    let owned = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Payload::Parameters(owned.collect::<BTreeMap<String, String>>())
}

fn key() -> Secret {
    Secret::new("SOMEAPIKEY")
}

/// A POST with a form, signed with the key.
fn posted(parameters: &[(&str, &str)]) -> Result<Callback, CallbackError> {
    let body = form(parameters);
    let signature = sign(&key(), URL, &payload(parameters));
    let received = Received {
        is_get: false,
        query: "tenant=7",
        media_type: FORM,
        body: body.as_bytes(),
        signature: &signature,
    };
    receive(&[key()], URL, received)
}

#[test]
fn every_vector_with_parameters_is_received_as_a_form() {
    let cases = json("callbacks/signatures.json");
    let mut seen = 0;
    for case in cases.as_array().unwrap() {
        let Some(parameters) = case["parameters"].as_object() else { continue };
        let parameters: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let body = form(&parameters);
        let received = Received {
            is_get: false,
            query: "",
            media_type: FORM,
            body: body.as_bytes(),
            signature: case["signature"].as_str().unwrap(),
        };
        let secret = Secret::new(case["key"].as_str().unwrap());
        let read = receive(&[Secret::new("another"), secret], case["url"].as_str().unwrap(), received);
        assert_eq!(read.is_ok(), case["valid"] == Value::Bool(true), "{case}");
        seen += 1;
    }
    assert!(seen >= 20, "{seen}");
}

/// A callback that arrives as a GET.
fn received<'a>(query: &'a str, signature: &'a str) -> Received<'a> {
    Received { is_get: true, query, media_type: "", body: b"", signature }
}

#[test]
fn a_get_is_read_from_its_query_with_and_without_parameters_of_the_configured_url() {
    let query =
        "id=7ae7c48f-d48a-499f-9dc1-c9217014b457&reject_reason=&status=approved&type=address_verifications";
    let vector = received(query, "18050028b6b22d0ed516706fba1c1af8d6a8f9d5");
    let read = receive(&[key()], "http://example.com/callback.php", vector).unwrap();
    let Callback::AddressVerification(event) = read else { panic!("{read:?}") };
    assert_eq!((event.status, event.reject_reason.as_str()), (VerificationOutcome::Approved, ""));

    let added = [("id", "1"), ("status", "completed"), ("type", "orders")];
    let query = format!("tenant=7&{}", form(&added));
    let url = format!("https://example.com/callbacks?{query}");
    let mut with_own = added.to_vec();
    with_own.push(("tenant", "7"));
    for signed in [&added[..], &with_own[..]] {
        let signature = sign(&key(), &url, &payload(signed));
        assert!(matches!(receive(&[key()], URL, received(&query, &signature)), Ok(Callback::Order(_))));
    }
    let forged = sign(&key(), URL, &payload(&added));
    assert_eq!(receive(&[key()], URL, received(&query, &forged)), Err(CallbackError::Signature));
}

#[test]
fn the_fragment_of_the_configured_url_of_a_get_is_signed_behind_the_query() {
    let parameters = [("id", "1"), ("status", "completed"), ("type", "orders")];
    let query = form(&parameters);
    for (configured, signed, query) in [
        ("https://a.example/x#top", format!("https://a.example/x?{query}#top"), query.clone()),
        (
            "https://a.example/x?tenant=7#top?",
            format!("https://a.example/x?tenant=7&{query}#top?"),
            format!("tenant=7&{query}"),
        ),
    ] {
        let signature = sign(&key(), &signed, &payload(&parameters));
        let read = receive(&[key()], configured, received(&query, &signature));
        assert!(matches!(read, Ok(Callback::Order(_))), "{configured}: {read:?}");
    }
}

/// The official SDKs differ in it, and the service may follow any of them.
#[test]
fn a_url_without_a_path_is_signed_with_an_empty_one_or_a_slash() {
    let parameters = [("id", "1"), ("status", "completed"), ("type", "orders")];
    let body = form(&parameters);
    let accepts = |configured: &str, signed: &str, is_get: bool| {
        let query = if is_get { body.as_str() } else { "" };
        let signature = sign(&key(), signed, &payload(&parameters));
        let received =
            Received { is_get, query, media_type: FORM, body: body.as_bytes(), signature: &signature };
        receive(&[key()], configured, received).is_ok()
    };
    for (configured, signed) in [
        ("https://a.example", "https://a.example/"),
        ("https://u:w@a.example:8443?tenant=7#x", "https://u:w@a.example:8443/?tenant=7#x"),
        ("a.example", "http://a.example:80/"),
    ] {
        assert!(accepts(configured, configured, false) && accepts(configured, signed, false), "{configured}");
    }
    for signed in [format!("https://a.example?{body}"), format!("https://a.example/?{body}")] {
        assert!(accepts("https://a.example", &signed, true), "{signed}");
    }
    assert!(!accepts("https://a.example", "https://b.example/", false));
    assert!(!accepts("https://a.example/x", "https://a.example/x/", false));
    assert!(!accepts("https://a.example/", "https://a.example", false));
}

#[test]
fn each_kind_has_its_type_and_keeps_what_is_not_known() {
    let order = posted(&[("id", "1"), ("type", "orders"), ("status", "Canceled"), ("new", "x")]).unwrap();
    let Callback::Order(order) = order else { panic!("{order:?}") };
    assert_eq!((order.id.as_str(), order.status), ("1", OrderStatus::Canceled));
    assert_eq!(order.extra, BTreeMap::from([("new".to_owned(), "x".to_owned())]));

    let file = "https://api.didww.com/v3/exports/2.csv.gz";
    let former = posted(&[("id", "2"), ("type", "cdr_exports"), ("status", "completed")]).unwrap();
    let Callback::Export(former) = former else { panic!("{former:?}") };
    assert_eq!((former.id.as_str(), former.url), ("2", None), "the type up to 2021-04-19");
    let export = posted(&[("id", "2"), ("type", "exports"), ("status", "completed"), ("url", file)]).unwrap();
    let Callback::Export(export) = export else { panic!("{export:?}") };
    assert_eq!((export.id.as_str(), export.url.as_deref()), ("2", Some(file)));

    let verified = posted(&[
        ("id", "3"),
        ("type", "emergency_verifications"),
        ("status", "rejected"),
        ("reject_reasons", "No such street & number"),
        ("reject_comment", ""),
        ("emergency_calling_service_id", "4"),
    ]);
    let Ok(Callback::EmergencyVerification(event)) = verified else { panic!("{verified:?}") };
    assert_eq!(event.status, VerificationOutcome::Rejected);
    assert_eq!(event.reject_reasons, "No such street & number");
    assert_eq!(event.emergency_calling_service.unwrap().as_str(), "4");

    let unknown = posted(&[("id", "5"), ("type", "faxes")]).unwrap();
    let Callback::Unknown(parameters) = unknown else { panic!("{unknown:?}") };
    assert_eq!(parameters["type"], "faxes");
}

#[test]
fn the_recorded_callback_of_a_trunk_is_received_as_its_events() {
    let body = bytes("callbacks/trunk_blocked.json");
    let signature = sign(&key(), URL, &Payload::from_json(&body).unwrap());
    let received = |signature| Received {
        is_get: false,
        query: "tenant=7",
        media_type: "application/json",
        body: &body,
        signature,
    };
    let read = receive(&[key()], URL, received(&signature)).unwrap();
    let Callback::Trunks(events) = read else { panic!("{read:?}") };
    assert_eq!(events[0].status, VoiceOutTrunkStatus::Blocked);
    assert_eq!(
        receive(&[key()], "https://example.com/", received(&signature)),
        Err(CallbackError::Signature)
    );
    assert_eq!(receive(&[], URL, received(&signature)), Err(CallbackError::Signature));
}

/// Such a callback must not be taken for one of trunks, nor be refused, since the service would repeat it.
#[test]
fn an_array_with_an_event_of_an_unknown_type_is_kept_as_it_is() {
    let trunk = r#"{"id":"1","type":"voice_out_trunks","status":"blocked","threshold_reached":true,
        "created_at":"2017-06-25T08:21:41.795Z"}"#;
    let similar = trunk.replace("voice_out_trunks", "sms_trunks");
    for other in [similar.as_str(), r#"{"type":"faxes","pages":3}"#] {
        for body in [format!("[{other}]"), format!("[{trunk},{other}]"), other.to_owned()] {
            let payload = Payload::from_json(body.as_bytes()).unwrap();
            let signature = sign(&key(), URL, &payload);
            let received = Received {
                is_get: false,
                query: "",
                media_type: "application/json",
                body: body.as_bytes(),
                signature: &signature,
            };
            let read = receive(&[key()], URL, received);
            let Ok(Callback::UnknownEvents(events)) = read else { panic!("{body}: {read:?}") };
            assert_eq!(Payload::Events(events), payload);
        }
    }
}

#[test]
fn a_signed_callback_that_lacks_its_id_is_an_error_with_the_name() {
    let Err(CallbackError::Body(error)) = posted(&[("type", "orders"), ("status", "completed")]) else {
        panic!("it has no id")
    };
    assert_eq!(error.path(), "id");
}
