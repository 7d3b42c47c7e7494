//! Secrets in values that are printed.

use didww_client::{hidden_in_url, names_secret, text_holds_secret};
use serde_json::{Map, Value};

/// The replacement of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";
/// The members whose own members have names of the customer's choice, and may be credentials: those of text message
/// trunks.
const CHOSEN: [&str; 2] = ["headers", "query_parameters"];
/// The member of text message trunks with the body of requests to the customer: members, or a text with placeholders.
const BODY: &str = "body";

/// Hides the secrets of an object, at any depth. Null and empty values stay.
pub(crate) fn hide(members: &mut Map<String, Value>) {
    for (name, value) in members {
        hide_value(name, value);
    }
}

/// Hides a value whose member has this name, or the secrets in it.
pub(crate) fn hide_value(name: &str, value: &mut Value) {
    match value {
        Value::Object(inner) if CHOSEN.contains(&name) => inner.values_mut().for_each(hide_whole),
        Value::Object(inner) => hide(inner),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_value(name, item)),
        Value::String(_) | Value::Number(_) if names_secret(name) => hide_whole(value),
        Value::String(text) if is_url(name) => {
            if let Some(hidden) = hidden_in_url(text) {
                *text = hidden;
            }
        }
        Value::String(text) if name == BODY && text_holds_secret(text) => HIDDEN.clone_into(text),
        _ => {}
    }
}

fn hide_whole(value: &mut Value) {
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(_) | Value::Number(_) => *value = Value::from(HIDDEN),
        _ => {}
    }
}

fn is_url(name: &str) -> bool {
    name.ends_with("url") || name.ends_with("uri")
}

/// Whether a member is a secret, or contains one that cannot be separated from the rest of it.
pub(crate) fn holds_secret(name: &str, value: &Value) -> bool {
    match value {
        Value::Object(inner) => {
            let is_in_body = name == BODY && inner.iter().any(|(name, value)| holds_secret(name, value));
            names_secret(name) || is_in_body || CHOSEN.contains(&name) && !inner.is_empty()
        }
        Value::String(text) if name == BODY => text_holds_secret(text),
        Value::String(text) if is_url(name) => names_secret(name) || hidden_in_url(text).is_some(),
        _ => names_secret(name),
    }
}

/// Removes the placeholders of secrets from members that were printed before, and returns their paths. Headers,
/// parameters and bodies of which a part is hidden are left out as a whole, because those that are sent replace all.
pub(crate) fn leave_out_hidden(members: &mut Map<String, Value>) -> Vec<String> {
    let mut paths = Vec::new();
    leave_out_below("", members, &mut paths);
    paths
}

fn leave_out_below(above: &str, members: &mut Map<String, Value>, paths: &mut Vec<String>) {
    members.retain(|name, value| {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        if is_hidden(name, value) {
            paths.push(path);
            return false;
        }
        if let Value::Object(inner) = value {
            leave_out_below(&path, inner, paths);
        }
        true
    });
}

/// The path of the first placeholder of a secret.
pub(crate) fn first_hidden(members: &Map<String, Value>) -> Option<String> {
    members.iter().find_map(|(name, value)| match value {
        value if is_hidden(name, value) => Some(name.clone()),
        Value::Object(inner) => first_hidden(inner).map(|path| format!("{name}.{path}")),
        _ => None,
    })
}

fn is_hidden(name: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let stands_for_all = text == HIDDEN && (names_secret(name) || name == BODY);
            stands_for_all || is_url(name) && text.contains(HIDDEN)
        }
        Value::Object(inner) if CHOSEN.contains(&name) => inner.values().any(|value| value == HIDDEN),
        Value::Object(inner) if name == BODY => first_hidden(inner).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_at_any_depth_and_the_rest_is_not() {
        let mut value = json!({"name": "password", "username": "u", "password": "p", "tokens": 3,
            "authentication_method": {"attributes": {"password": "p", "auth_password": "q", "tech_prefix": null}},
            "list": [{"secret": "s", "callback_secret": null, "api_key": 7}], "headers": {"Proxy-Authorization": "a", "X-A": "b", "X-B": ""},
            "query_parameters": {"to": "1"}, "url": "https://ann:p@h/?token=t&b=1", "webhook_uri": "http://h/", "about": "see a://b@c"});
        hide(value.as_object_mut().unwrap());
        assert_eq!(
            value,
            json!({"name": "password", "username": "u", "password": HIDDEN, "tokens": HIDDEN,
                "authentication_method": {"attributes": {"password": HIDDEN, "auth_password": HIDDEN,
                "tech_prefix": null}}, "list": [{"secret": HIDDEN, "callback_secret": null, "api_key": HIDDEN}],
                "headers": {"Proxy-Authorization": HIDDEN, "X-A": HIDDEN, "X-B": ""},
                "query_parameters": {"to": HIDDEN}, "url": "https://(hidden)@h/?token=(hidden)&b=1", "webhook_uri": "http://h/",
                "about": "see a://b@c"})
        );
    }

    #[test]
    fn what_was_hidden_is_left_out_of_what_is_sent_and_the_rest_is_not() {
        let mut members = json!({"name": HIDDEN, "callback_url": "https://(hidden)@h/", "capacity_limit": 1, "password": "new",
            "configuration": {"type": "sip_configurations", "attributes": {"auth_user": "u", "auth_password": HIDDEN,
            "incoming_auth_password": null}}, "headers": {"X-A": HIDDEN, "X-B": "b"}, "query_parameters": {"to": "1"},
            "body": {"to": "1", "api_key": HIDDEN}, "list": {"body": HIDDEN}, "other": {"body": {"to": HIDDEN}}});
        let first = first_hidden(members.as_object().unwrap());
        let left_out = leave_out_hidden(members.as_object_mut().unwrap());
        assert_eq!(first.as_ref(), left_out.first());
        assert_eq!(first_hidden(members.as_object().unwrap()), None);
        assert_eq!(
            members,
            json!({"name": HIDDEN, "capacity_limit": 1, "password": "new", "configuration": {"type": "sip_configurations",
                "attributes": {"auth_user": "u", "incoming_auth_password": null}}, "query_parameters": {"to": "1"},
                "list": {}, "other": {"body": {"to": HIDDEN}}})
        );
        let mut sorted = left_out;
        sorted.sort();
        assert_eq!(
            sorted,
            ["body", "callback_url", "configuration.attributes.auth_password", "headers", "list.body"]
        );
    }

    #[test]
    fn a_body_of_requests_has_no_secret() {
        for (body, shown) in [
            (json!("{ \"api_key\": \"k\", \"to\": {SMS_DST_ADDR} }"), json!(HIDDEN)),
            (json!("to=1&token=t"), json!(HIDDEN)),
            (json!({"token": "t", "to": "1"}), json!({"token": HIDDEN, "to": "1"})),
            (json!("{SMS_TEXT}"), json!("{SMS_TEXT}")),
            (json!({"to": "1"}), json!({"to": "1"})),
        ] {
            let mut hidden = body.clone();
            hide_value(BODY, &mut hidden);
            assert_eq!((&hidden, holds_secret(BODY, &body)), (&shown, shown != body));
            assert_eq!(is_hidden(BODY, &hidden), shown != body);
        }
    }
}
