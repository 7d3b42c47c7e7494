//! The secrets of a world: hidden when it is saved, unless they are asked for, and replaced when it is loaded.

use didww_types::resources::VoiceOutTrunk;
use didww_types::{ApiVersion, Resource as _, ResourceSpec};
use serde_json::{Map, Value, json};
use service_base::ids::Ids;

use crate::without_secrets::{is_secret, remove_user};

/// What stands in the place of a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// Hides the secrets of a value, at any depth, and removes the user and the password of its URLs.
pub(super) fn hide(members: &mut Map<String, Value>) {
    for (name, member) in members {
        if name.ends_with("url") {
            remove_user(member);
        }
        match member {
            Value::Object(inner) => hide(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(hide),
            Value::String(text) if is_secret(name) && !text.is_empty() => HIDDEN.clone_into(text),
            _ => {}
        }
    }
}

/// Replaces hidden secrets: by those of the stored record, else by new ones.
pub(super) fn replace_hidden(
    members: &mut Map<String, Value>,
    stored: Option<&Map<String, Value>>,
    ids: &Ids,
) {
    for (name, member) in members {
        let stored = stored.and_then(|stored| stored.get(name));
        match member {
            Value::Object(inner) => replace_hidden(inner, stored.and_then(Value::as_object), ids),
            Value::String(text) if is_secret(name) && text == HIDDEN => {
                let kept = stored.and_then(Value::as_str).filter(|stored| !stored.is_empty());
                *text = kept.map_or_else(|| new_password(ids), str::to_owned);
            }
            _ => {}
        }
    }
}

/// Adds the credentials that a trunk needs and the file does not name: those of the stored record, else new ones.
pub(super) fn add_credentials(
    spec: &ResourceSpec,
    attributes: &mut Map<String, Value>,
    stored: Option<&Map<String, Value>>,
    ids: &Ids,
) {
    if spec.name != VoiceOutTrunk::SPEC.name {
        return;
    }
    let stored = stored.and_then(|stored| stored.get(METHOD)?.get("attributes")?.as_object());
    let Some(method) = attributes.get_mut(METHOD) else { return };
    if method.get("type").and_then(Value::as_str) != Some("credentials_and_ip") {
        return;
    }
    let Some(members) = method.get_mut("attributes").and_then(Value::as_object_mut) else { return };
    let (username, password) = ids.credentials(ApiVersion::NEWEST);
    for (name, new) in [("username", username.as_str()), ("password", password.expose())] {
        if members.get(name).is_none_or(Value::is_null) {
            let kept = stored.and_then(|stored| stored.get(name)).filter(|value| !value.is_null());
            members.insert(name.to_owned(), kept.cloned().unwrap_or_else(|| json!(new)));
        }
    }
}

const METHOD: &str = VoiceOutTrunk::SPEC.attribute_name("authentication_method");

fn new_password(ids: &Ids) -> String {
    ids.credentials(ApiVersion::NEWEST).1.expose().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("an object") };
        members
    }

    #[test]
    fn a_hidden_secret_becomes_the_stored_one_or_a_new_one() {
        let mut saved = members(json!({ "name": "A", "callback_url": "https://ann:pw@example.com/hook",
            "configuration": { "attributes": { "auth_user": "u", "auth_password": "p", "incoming_auth_password": null } } }));
        hide(&mut saved);
        assert_eq!(saved["callback_url"], "https://example.com/hook");
        assert_eq!(
            saved["configuration"]["attributes"],
            json!({ "auth_user": "u", "auth_password": HIDDEN, "incoming_auth_password": null })
        );
        let (mut new, ids) = (saved.clone(), Ids::seeded(1));
        replace_hidden(&mut new, None, &ids);
        let password = new["configuration"]["attributes"]["auth_password"].as_str().unwrap();
        assert_eq!(password.len(), 16);
        assert_ne!(password, HIDDEN);
        let stored = members(json!({ "configuration": { "attributes": { "auth_password": "kept" } } }));
        replace_hidden(&mut saved, Some(&stored), &ids);
        assert_eq!(saved["configuration"]["attributes"]["auth_password"], "kept");
    }

    #[test]
    fn a_trunk_without_credentials_receives_them_once() {
        let trunk = || {
            members(
                json!({ METHOD: { "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["10.0.0.1/32"] } } }),
            )
        };
        let (mut first, ids) = (trunk(), Ids::seeded(1));
        add_credentials(VoiceOutTrunk::SPEC, &mut first, None, &ids);
        let mut second = trunk();
        add_credentials(VoiceOutTrunk::SPEC, &mut second, Some(&first), &ids);
        assert_eq!(first, second);
        assert_eq!(first[METHOD]["attributes"]["username"].as_str().unwrap().len(), 16);
    }
}
