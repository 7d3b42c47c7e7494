//! Replaces credentials, passwords and secrets, so that a recording can be kept.
//!
//! What is secret is known by the names of members, of parameters and of headers; the user and the password of a URL
//! are removed wherever it stands. Other personal data stays: names, addresses and telephone numbers.

use serde_json::Value;
use url::{Url, form_urlencoded};

/// What stands in the place of a secret.
pub const HIDDEN: &str = "(hidden)";

/// Words with which the names of secrets end.
const SECRET: [&str; 13] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "api-key",
    "access_key",
    "accesskey",
    "signature",
    "username",
    "auth_user",
    "auth_name",
    // A header that a text message trunk sends.
    "authorization",
];

/// Whether the name of a member or a parameter says that its value is a credential, a password or a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.trim_end_matches(']').to_ascii_lowercase();
    SECRET.iter().any(|word| name.ends_with(word))
}

/// Replaces the secrets of a JSON value, at any depth.
pub fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let is_hidden = is_secret(name)
                    && match &*member {
                        Value::String(text) => !text.is_empty(),
                        Value::Number(_) => true,
                        _ => false,
                    };
                if is_hidden {
                    *member = Value::from(HIDDEN);
                } else {
                    mask(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::String(text) => {
            if let Some(masked) = masked_url(text) {
                *text = masked;
            }
        }
        _ => {}
    }
}

/// A URL without its user and password and with its secret parameters replaced; `None` if it has none, or is no URL.
pub fn masked_url(text: &str) -> Option<String> {
    if !text.contains("://") {
        return None;
    }
    let mut url = Url::parse(text).ok()?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    let masked = url.query().map(masked_query).filter(|masked| url.query() != Some(masked.as_str()));
    if !has_user && masked.is_none() {
        return None;
    }
    if has_user {
        // This fails for a URL that can have no user.
        let _removed = url.set_username("").and_then(|()| url.set_password(None));
    }
    if let Some(masked) = masked {
        url.set_query(Some(&masked));
    }
    Some(url.into())
}

/// A query with its secret parameters replaced.
pub fn masked_query(query: &str) -> String {
    if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| is_secret(&name)) {
        return query.to_owned();
    }
    let mut masked = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = if is_secret(&name) { HIDDEN } else { &*value };
        masked.append_pair(&name, value);
    }
    masked.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_passwords_and_the_users_of_urls_are_replaced_and_the_rest_stays() {
        let mut value = json!({ "data": { "attributes": {
            "name": "password", "callback_url": "https://ann:pw@example.com/hook?a=1&token=t",
            "authentication_method": { "attributes": { "username": "u", "password": "p", "tech_prefix": null } },
            "configuration": { "auth_user": "a", "auth_password": null, "host": "sip.example.com" },
            "headers": { "Authorization": "Bearer t", "X-Api-Key": "k", "Accept": "text/plain" }, "auth_name": "n",
        }, "links": { "self": "http://127.0.0.1/v3/dids?page=1" } }, "access_token": "x", "expires_in": 60 });
        mask(&mut value);
        assert_eq!(
            value,
            json!({ "data": { "attributes": {
                "name": "password", "callback_url": "https://example.com/hook?a=1&token=%28hidden%29",
                "authentication_method": { "attributes": { "username": HIDDEN, "password": HIDDEN, "tech_prefix": null } },
                "configuration": { "auth_user": HIDDEN, "auth_password": null, "host": "sip.example.com" },
                "headers": { "Authorization": HIDDEN, "X-Api-Key": HIDDEN, "Accept": "text/plain" }, "auth_name": HIDDEN,
            }, "links": { "self": "http://127.0.0.1/v3/dids?page=1" } }, "access_token": HIDDEN, "expires_in": 60 })
        );
        let once = value.clone();
        mask(&mut value);
        assert_eq!(value, once, "what is masked stays as it is");
    }

    #[test]
    fn a_query_without_secrets_stays_as_it_was_written() {
        assert_eq!(masked_query("page%5Bsize%5D=1&sort=name"), "page%5Bsize%5D=1&sort=name");
        assert_eq!(masked_query("a=1&api_key=k"), "a=1&api_key=%28hidden%29");
        assert_eq!(masked_query("filter[username]=k"), "filter%5Busername%5D=%28hidden%29");
    }
}
