//! Secrets in values that are printed.

use didww_client::names_secret;
use serde_json::{Map, Value};

/// The replacement of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Hides the secrets of an object, at any depth. Null and empty values stay.
pub(crate) fn hide(members: &mut Map<String, Value>) {
    for (name, value) in members {
        hide_value(name, value);
    }
}

/// Hides a value whose member has this name, or the secrets in it.
pub(crate) fn hide_value(name: &str, value: &mut Value) {
    match value {
        Value::Object(inner) => hide(inner),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_value(name, item)),
        Value::String(text) if names_secret(name) && !text.is_empty() => HIDDEN.clone_into(text),
        Value::Number(_) if names_secret(name) => *value = Value::from(HIDDEN),
        _ => {}
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
            "list": [{"secret": "s", "callback_secret": null, "api_key": 7}], "headers": {"Proxy-Authorization": "a", "X-A": "b"}});
        hide(value.as_object_mut().unwrap());
        assert_eq!(
            value,
            json!({"name": "password", "username": "u", "password": HIDDEN, "tokens": HIDDEN,
                "authentication_method": {"attributes": {"password": HIDDEN, "auth_password": HIDDEN,
                "tech_prefix": null}}, "list": [{"secret": HIDDEN, "callback_secret": null, "api_key": HIDDEN}],
                "headers": {"Proxy-Authorization": HIDDEN, "X-A": "b"}})
        );
    }
}
