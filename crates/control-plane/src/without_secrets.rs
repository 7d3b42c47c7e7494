//! Leaves out of a document of DIDWW's API what no read of the control API shows: passwords and secrets, headers of requests,
//! and the user and password of a URL.

use serde_json::Value;
use url::Url;

/// Removes the secret members of a document, at any depth, and the user and password of its URLs.
pub(crate) fn remove_secrets(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !is_secret(name));
            for (name, member) in members {
                if name.ends_with("url") {
                    remove_user(member);
                }
                remove_secrets(member);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(remove_secrets),
        _ => {}
    }
}

/// Whether a member with this name is a password or a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    ["password", "secret", "headers"].into_iter().any(|word| name.contains(word))
}

/// Removes the user and the password of a URL.
pub(crate) fn remove_user(value: &mut Value) {
    let Some(mut url) = value.as_str().and_then(|text| Url::parse(text).ok()) else { return };
    if url.username().is_empty() && url.password().is_none() {
        return;
    }
    // This fails for a URL that can have no user.
    let _removed = url.set_username("").and_then(|()| url.set_password(None));
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
        let mut plain =
            json!({ "callback_url": "https://example.com/Hook", "media_url": null, "url": "no url" });
        let before = plain.clone();
        remove_secrets(&mut plain);
        assert_eq!(plain, before);
    }
}
