//! Replaces credentials, passwords and secrets, so that a recording can be kept.
//!
//! Secrets are recognised by the names of members, parameters and headers; the user and the password of a URL
//! are removed everywhere. Headers that a service has to send with requests are secret as a whole. Other personal data
//! remains: names, addresses and telephone numbers.

use didww_types::names_secret;
use serde_json::Value;
use url::{Url, form_urlencoded};

/// The replacement of a secret.
pub const HIDDEN: &str = "(hidden)";

/// Suffixes of names whose values are not secrets, but appear next to one: users, and headers, any of which may be a
/// secret.
const BESIDE_SECRETS: [&str; 5] = ["headers", "username", "auth_user", "auth_name", "system_id"];

/// Whether the value of a member or a parameter with this name is a credential, a password or a secret.
pub fn is_secret(name: &str) -> bool {
    let lower = name.trim_end_matches(']').to_ascii_lowercase();
    names_secret(name) || BESIDE_SECRETS.iter().any(|word| lower.ends_with(word))
}

/// Replaces the secrets of a JSON value, at any depth.
pub fn mask(value: &mut Value) {
    mask_all(value, false);
}

/// Replaces the secrets of a JSON value, or all its texts and numbers if they belong to a secret. The structure is not
/// changed, so that a service accepts a request with the value.
fn mask_all(value: &mut Value, is_hidden: bool) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                mask_all(member, is_hidden || is_secret(name));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask_all(item, is_hidden)),
        Value::String(text) if is_hidden && !text.is_empty() => HIDDEN.clone_into(text),
        Value::Number(_) if is_hidden => *value = Value::from(HIDDEN),
        Value::String(text) => {
            let masked = masked_json(text).or_else(|| masked_form(text)).or_else(|| masked_url(text));
            if let Some(masked) = masked {
                *text = masked;
            }
        }
        _ => {}
    }
}

/// A JSON text, such as the body of a customer's requests, with its secrets replaced; `None` if it has none. A text
/// that only begins as JSON, such as one with placeholders for values, is replaced as a whole if it has a secret.
fn masked_json(text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return names_secret(text).then(|| HIDDEN.to_owned());
    };
    let mut masked = value.clone();
    mask(&mut masked);
    if masked == value { None } else { Some(masked.to_string()) }
}

/// A form, such as the body of a customer's requests, with its secrets replaced; `None` if it has none or is no form.
fn masked_form(text: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.%[]".contains(&byte);
    let is_pair = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| name.bytes().all(is_plain));
    if !text.split('&').all(is_pair) {
        return None;
    }
    let masked = masked_query(text);
    if masked == text { None } else { Some(masked) }
}

/// A URL, or a text that contains URLs, without their users and passwords and with their secret parameters replaced;
/// `None` if it has none.
pub fn masked_url(text: &str) -> Option<String> {
    if !text.contains("://") {
        return None;
    }
    let without = without_users(text);
    let with_query = Url::parse(&without).ok().and_then(|mut url| {
        let query = url.query()?.to_owned();
        let masked = masked_query(&query);
        if masked == query {
            return None;
        }
        url.set_query(Some(&masked));
        Some(String::from(url))
    });
    with_query.or_else(|| {
        let masked = with_masked_parameters(&without);
        if masked == text { None } else { Some(masked) }
    })
}

/// A text with the secret parameters of each URL in it replaced.
fn with_masked_parameters(text: &str) -> String {
    let mut parts = text.split("://");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("://");
        let ends = |sign: char| sign.is_whitespace() || ['"', '<', '>', '#'].contains(&sign);
        let (url, rest) = part.split_at(part.find(ends).unwrap_or(part.len()));
        match url.split_once('?') {
            Some((address, query)) => {
                masked.push_str(address);
                masked.push('?');
                masked.push_str(&masked_query(query));
            }
            None => masked.push_str(url),
        }
        masked.push_str(rest);
    }
    masked
}

/// A text without the user and the password of each URL in it.
fn without_users(text: &str) -> String {
    let mut parts = text.split("://");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("://");
        let end = part.find(['/', '?', '#', '"', ' ']).unwrap_or(part.len());
        let (authority, rest) = part.split_at(end);
        masked.push_str(authority.rsplit('@').next().unwrap_or_default());
        masked.push_str(rest);
    }
    masked
}

/// The value of a parameter without the users and passwords of URLs in it. One that is a URL with a secret parameter is
/// replaced as a whole.
fn masked_value(value: &str) -> String {
    let has_secret = || value.split_once('?').is_some_and(|(_, query)| names_secret(query));
    if value.contains("://") && has_secret() { HIDDEN.to_owned() } else { without_users(value) }
}

/// A query with its secret parameters replaced, and without the secrets of URLs in it.
pub fn masked_query(query: &str) -> String {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let is_plain = |(name, value): &(String, String)| !is_secret(name) && masked_value(value) == *value;
    if pairs.iter().all(is_plain) {
        return query.to_owned();
    }
    let mut masked = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        let value = if is_secret(&name) { HIDDEN.to_owned() } else { masked_value(&value) };
        masked.append_pair(&name, &value);
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
                "headers": { "Authorization": HIDDEN, "X-Api-Key": HIDDEN, "Accept": HIDDEN }, "auth_name": HIDDEN,
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

    #[test]
    fn a_text_of_json_in_a_string_has_no_secret() {
        let mut value = json!({ "body": "{ \"api_key\": \"k\", \"to\": \"1\" }", "other": "{ \"to\": \"1\" }", "raw": "{to}" });
        mask(&mut value);
        let body = json!({ "api_key": HIDDEN, "to": "1" }).to_string();
        assert_eq!(value, json!({ "body": body, "other": "{ \"to\": \"1\" }", "raw": "{to}" }));
    }

    #[test]
    fn a_body_with_placeholders_or_of_a_form_has_no_secret() {
        let mut value = json!({ "template": "{ \"api_key\": \"k\", \"to\": {SMS_DST} }", "plain": "{ \"to\": {SMS_DST} }",
            "form": "to=1&api_key=k", "other": "to=1&text=a b", "sentence": "my password=p" });
        mask(&mut value);
        assert_eq!(
            value,
            json!({ "template": HIDDEN, "plain": "{ \"to\": {SMS_DST} }", "form": "to=1&api_key=%28hidden%29",
                "other": "to=1&text=a b", "sentence": "my password=p" })
        );
        let once = value.clone();
        mask(&mut value);
        assert_eq!(value, once, "what is masked stays as it is");
    }

    #[test]
    fn what_belongs_to_a_secret_is_replaced_as_a_whole_and_keeps_its_form() {
        let mut value = json!({
            "headers": { "X-Auth": "h", "n": 1, "empty": "" }, "token": ["t", { "a": "b" }], "secret": true,
            "query_parameters": { "Authorization": "x", "apiKey": "k", "to": "1" }, "tokens": 2,
        });
        mask(&mut value);
        assert_eq!(
            value,
            json!({
                "headers": { "X-Auth": HIDDEN, "n": HIDDEN, "empty": "" }, "token": [HIDDEN, { "a": HIDDEN }], "secret": true,
                "query_parameters": { "Authorization": HIDDEN, "apiKey": HIDDEN, "to": "1" }, "tokens": HIDDEN,
            })
        );
    }

    #[test]
    fn the_user_of_a_url_is_removed_also_where_it_is_a_part_of_a_text_or_is_not_valid() {
        for (text, masked) in [
            ("https://ann:pw@exa mple.com/a@b is wrong", "https://exa mple.com/a@b is wrong"),
            ("see http://a/ and http://ann:p@w@h", "see http://a/ and http://h"),
        ] {
            assert_eq!(masked_url(text).as_deref(), Some(masked));
        }
        let sentence = masked_url("see <http://a/?token=t&b=c#d>, or http://h?e=f");
        assert_eq!(sentence.as_deref(), Some("see <http://a/?token=%28hidden%29&b=c#d>, or http://h?e=f"));
        assert_eq!(masked_url("see http://a/b@c"), None);
        assert_eq!(masked_query("u=https%3A%2F%2Fann%3Apw%40h%2F&n=1"), "u=https%3A%2F%2Fh%2F&n=1");
        assert_eq!(masked_query("u=https%3A%2F%2Fh%3Ftoken%3Dt&n=1"), "u=%28hidden%29&n=1");
    }
}
