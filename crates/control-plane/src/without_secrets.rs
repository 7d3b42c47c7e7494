//! Removes from a document of DIDWW's API the parts that no read of the control API shows: passwords and secrets,
//! headers of requests, and the user, the password and the secret parameters of a URL.

use didww_types::names_secret;
use serde_json::Value;
use url::{Url, form_urlencoded};

/// The text that replaces a secret where its place has to remain.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Removes the secret members of a document, at any depth, and the credentials in its URLs.
pub(crate) fn remove_secrets(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !is_secret(name));
            for (name, member) in members {
                if names_url(name) {
                    remove_credentials(member);
                }
                remove_secrets(member);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(remove_secrets),
        Value::String(text) => match json_in(text) {
            Some(before) => {
                let mut left = before.clone();
                remove_secrets(&mut left);
                if left != before {
                    *text = left.to_string();
                }
            }
            None if holds_secret(text) => HIDDEN.clone_into(text),
            None => {}
        },
        _ => {}
    }
}

/// Whether the value of a member with this name is a URL.
pub(crate) fn names_url(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with("url") || lower.ends_with("uri")
}

/// The value of a text that is JSON, such as the body of requests to a customer.
pub(crate) fn json_in(text: &str) -> Option<Value> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Whether a text that is not JSON has a secret that cannot be separated from the rest of it: one that begins as JSON,
/// such as with placeholders for values, or a form.
pub(crate) fn holds_secret(text: &str) -> bool {
    if text.trim_start().starts_with(['{', '[']) {
        let parts: Vec<&str> = text.split('"').collect();
        let is_secret_member = |parts: &[&str]| match parts {
            [name, after] => after.trim_start().starts_with(':') && is_secret(name),
            _ => false,
        };
        return parts.windows(2).any(is_secret_member);
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.%[]".contains(&byte);
    let is_pair = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| name.bytes().all(is_plain));
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    text.split('&').all(is_pair) && pairs.any(|(name, value)| is_secret(&name) && !value.is_empty())
}

/// Whether a member or a parameter with this name is a password or a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    // Customers choose the names of the headers of requests to them.
    names_secret(name) || name.to_ascii_lowercase().contains("headers")
}

/// Removes the user, the password and the secret parameters of a URL.
pub(crate) fn remove_credentials(value: &mut Value) {
    let Some(mut url) = value.as_str().and_then(|text| Url::parse(text).ok()) else { return };
    let has_user = !url.username().is_empty() || url.password().is_some();
    let has_secret = url.query_pairs().any(|(name, _)| is_secret(&name));
    if !has_user && !has_secret {
        return;
    }
    if has_user {
        // This fails for a URL that can have no user.
        let _removed = url.set_username("").and_then(|()| url.set_password(None));
    }
    if has_secret {
        let pairs = url.query_pairs().into_owned();
        let kept: Vec<(String, String)> = pairs.filter(|(name, _)| !is_secret(name)).collect();
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
    }
    *value = Value::String(url.into());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn passwords_go_wherever_they_stand_and_the_rest_stays() {
        let mut document = json!({ "data": [{ "attributes": {
            "name": "A", "password": "p", "callback_url": "https://ann:pw@example.com/hook?a=1",
            "authentication_method": { "attributes": { "username": "u", "password": "p", "tech_prefix": null } },
            "configuration": { "auth_password": "p", "headers": { "Authorization": "t" }, "hosts": ["a", "b"] },
        }, "links": { "self": "http://127.0.0.1/v3/dids" } }], "included": [{ "shared_secret": "s", "id": "1" }] });
        remove_secrets(&mut document);
        assert_eq!(
            document,
            json!({ "data": [{ "attributes": {
                "name": "A", "callback_url": "https://example.com/hook?a=1",
                "authentication_method": { "attributes": { "username": "u", "tech_prefix": null } },
                "configuration": { "hosts": ["a", "b"] },
            }, "links": { "self": "http://127.0.0.1/v3/dids" } }], "included": [{ "id": "1" }] })
        );
        let mut urls =
            json!({ "url": "https://example.com/a?token=t", "callback_url": "https://h/?X-Api-Key=k&b=c" });
        remove_secrets(&mut urls);
        assert_eq!(urls, json!({ "url": "https://example.com/a", "callback_url": "https://h/?b=c" }));
        let mut parameters = json!({ "query_parameters": { "Token": "t", "apiKey": "k", "to": "1" } });
        remove_secrets(&mut parameters);
        assert_eq!(parameters, json!({ "query_parameters": { "to": "1" } }));
        let mut bodies = json!([{ "body": "{\"password\": \"p\", \"to\": 1}" }, "{\"token\": {SMS_TEXT}}", "a=1&api_key=k"]);
        remove_secrets(&mut bodies);
        assert_eq!(bodies, json!([{ "body": "{\"to\":1}" }, HIDDEN, HIDDEN]));
        let mut texts =
            json!(["{SMS_TEXT} is your token: \"a\"", "my token=t", "{ \"to\":  1 }", "a=1&token="]);
        let before = texts.clone();
        remove_secrets(&mut texts);
        assert_eq!(texts, before);
        let mut plain =
            json!({ "callback_url": "https://example.com/Hook", "media_url": null, "url": "no url" });
        let before = plain.clone();
        remove_secrets(&mut plain);
        assert_eq!(plain, before);
    }
}
