//! Callbacks about the status of a record.
//!
//! A type declares [the statuses](field@ResourceSpec::callback_on) at which its records send one. The event is created
//! here, for every transaction, so that neither rules nor jobs nor the control API can change a status without it.

use std::collections::BTreeMap;

use didww_types::values::CallbackUrl;
use didww_types::{ResourceSpec, Timestamp};
use serde_json::{Map, Value};
use trunk_rules::domain::created_in;
use trunk_store::{Change, EventForm, NewEvent, Record, Scope, StatusMethod};
use uuid::Uuid;

const STATUS: &str = "status";

/// The events of these changes, which are stored with them.
pub(crate) fn events(changes: &[Change], at: Timestamp) -> Vec<Change> {
    let event = |change: &Change| match change {
        Change::Replace { scope, before, attributes, links, .. } if !scope.spec.callback_on.is_empty() => {
            event(*scope, before, attributes, links, at)
        }
        _ => None,
    };
    changes.iter().filter_map(event).map(|event| Change::Emit(Box::new(event))).collect()
}

/// The event of a record whose status changes to one at which its type sends a callback, if it has a URL for it.
fn event(
    scope: Scope,
    before: &Record,
    attributes: &Map<String, Value>,
    links: &[(&'static str, Vec<Uuid>)],
    created_at: Timestamp,
) -> Option<NewEvent> {
    let text = |name: &str| attributes.get(name).and_then(Value::as_str);
    let status = text(STATUS).filter(|status| scope.spec.callback_on.contains(status))?;
    let url = CallbackUrl::new(text("callback_url")?).ok()?.with_scheme().into_owned();
    if before.attributes().ok()?.get(STATUS).and_then(Value::as_str) == Some(status) {
        return None;
    }
    let method = match text("callback_method") {
        Some("get") => StatusMethod::Get,
        _ => StatusMethod::Post,
    };
    let body = serde_json::to_string(&parameters(scope.spec, before, attributes, links)).ok()?;
    let form = EventForm::Status { account: scope.account, method };
    Some(NewEvent { form, subject: before.id, url, body, created_at })
}

/// The parameters of a callback: the record's id, type and status, and the further ones that its type declares. A
/// record that was created in a version in which its type had another name has the first three alone, with that name.
fn parameters(
    spec: &'static ResourceSpec,
    record: &Record,
    attributes: &Map<String, Value>,
    links: &[(&'static str, Vec<Uuid>)],
) -> BTreeMap<&'static str, String> {
    let value = |name: &str, between: &str| {
        attributes.get(name).map(|value| as_text(value, between)).unwrap_or_default()
    };
    let name = spec.name_at(created_in(record.meta.as_deref()));
    let mut parameters = BTreeMap::from([
        ("id", record.id.to_string()),
        ("type", name.to_owned()),
        (STATUS, value(STATUS, ", ")),
    ]);
    let further = if name == spec.name { spec.callback_with } else { &[] };
    for declared in further {
        let (name, text) = if let Some((name, relationship)) = declared.split_once('<') {
            let member = links.iter().find(|(of, _)| *of == relationship).and_then(|(_, ids)| ids.first());
            (name, member.map(Uuid::to_string).unwrap_or_default())
        } else if let Some((name, attribute)) = declared.split_once('=') {
            (name, value(attribute, ", "))
        } else if let Some(name) = declared.strip_suffix(';') {
            (name, value(name, "; "))
        } else {
            (*declared, value(declared, ", "))
        };
        parameters.insert(name, text);
    }
    parameters
}

/// A value as one text: a null is empty, and the items of a list are joined by `between`.
fn as_text(value: &Value, between: &str) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            items.iter().map(|item| as_text(item, between)).collect::<Vec<_>>().join(between)
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::{AddressVerification, EmergencyVerification, Export, Order};
    use serde_json::json;

    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    /// The event of an order whose status changes, if there is one.
    fn changed(from: &str, to: &str, url: &Value, method: &str) -> Option<NewEvent> {
        changed_of(Order::SPEC, from, to, url, method)
    }

    fn changed_of(
        spec: &'static ResourceSpec,
        from: &str,
        to: &str,
        url: &Value,
        method: &str,
    ) -> Option<NewEvent> {
        let mut members =
            json!({ "callback_url": url, "callback_method": method, "reasons": ["a", "b"], "reason": null });
        members["status"] = json!(from);
        let attributes = members.to_string();
        let before = Record { number: 1, id: ID, kind: spec.name, revision: 3, attributes, meta: None };
        members["status"] = json!(to);
        let attributes = members.as_object().unwrap().clone();
        let scope = Scope { account: 9, spec };
        let links = vec![("service", vec![ID])];
        let change = Change::Replace { scope, before, attributes, links, meta: None };
        match events(&[change], Timestamp::from_unix_millis(5)).pop() {
            Some(Change::Emit(event)) => Some(*event),
            _ => None,
        }
    }

    #[test]
    fn an_order_that_is_completed_or_canceled_is_sent_to_its_url() {
        for (to, method, expected) in
            [("completed", "get", StatusMethod::Get), ("canceled", "post", StatusMethod::Post)]
        {
            let event = changed("pending", to, &json!("https://example.com/x"), method).unwrap();
            assert_eq!(event.form, EventForm::Status { account: 9, method: expected });
            assert_eq!((event.subject, event.url.as_str()), (ID, "https://example.com/x"));
            assert_eq!(event.created_at, Timestamp::from_unix_millis(5));
            assert_eq!(event.body, format!(r#"{{"id":"{ID}","status":"{to}","type":"orders"}}"#));
        }
        let event = changed("pending", "completed", &json!("example.com"), "post").unwrap();
        assert_eq!(event.url, "http://example.com", "a URL without a scheme is called with http");
    }

    #[test]
    fn nothing_is_sent_without_a_url_a_change_or_a_declared_status() {
        let url = json!("https://example.com/x");
        assert!(changed("pending", "completed", &Value::Null, "post").is_none());
        assert!(changed("completed", "completed", &url, "post").is_none());
        assert!(changed("completed", "pending", &url, "post").is_none());
    }

    #[test]
    fn further_parameters_are_those_that_a_type_declares() {
        let mut spec = *Order::SPEC;
        (spec.name, spec.callback_with) = (
            "checks",
            &["reasons;", "one=reasons", "reason", "absent", "service_id<service", "other_id<other"],
        );
        let spec: &'static ResourceSpec = Box::leak(Box::new(spec));
        let event = changed_of(spec, "pending", "canceled", &json!("http://a.test"), "post").unwrap();
        let expected = format!(
            r#"{{"absent":"","id":"{ID}","one":"a, b","other_id":"","reason":"","reasons":"a; b","service_id":"{ID}","status":"canceled","type":"checks"}}"#
        );
        assert_eq!(event.body, expected);
    }

    #[test]
    fn an_export_of_a_former_name_has_that_name_and_no_address_of_its_file() {
        let completed = json!({ "status": "completed", "url": "http://a.test/v3/exports/1.csv" });
        let sent = |version: &str| {
            let meta = Some(json!({ "api_version": version }).to_string());
            let record =
                Record { number: 1, id: ID, kind: "exports", revision: 3, attributes: "{}".to_owned(), meta };
            json!(parameters(Export::SPEC, &record, completed.as_object().unwrap(), &[]))
        };
        let former = json!({ "id": ID, "type": "cdr_exports", "status": "completed" });
        assert_eq!(sent("2021-04-19"), former);
        let present = json!({ "id": ID, "type": "exports", "status": "completed", "url": completed["url"] });
        assert_eq!(sent("2021-12-15"), present);
    }

    #[test]
    fn a_reviewed_verification_has_all_its_parameters_and_the_separator_of_its_type() {
        let reviewed = json!({ "status": "rejected", "reject_reasons": ["a", "b"], "reject_comment": null });
        let sent = |spec: &'static ResourceSpec| {
            let attributes = "{}".to_owned();
            let record = Record { number: 1, id: ID, kind: spec.name, revision: 3, attributes, meta: None };
            let links = [(EmergencyVerification::EMERGENCY_CALLING_SERVICE.as_str(), vec![ID])];
            json!(parameters(spec, &record, reviewed.as_object().unwrap(), &links))
        };
        let expected = json!({
            "id": ID, "type": "emergency_verifications", "status": "rejected", "reject_reasons": "a; b",
            "reject_comment": "", "emergency_calling_service_id": ID,
        });
        assert_eq!(sent(EmergencyVerification::SPEC), expected);
        let expected = json!({
            "id": ID, "type": "address_verifications", "status": "rejected", "reject_reason": "a, b",
            "reject_comment": "",
        });
        assert_eq!(sent(AddressVerification::SPEC), expected);
    }
}
