//! The secrets of a world: hidden when it is saved, unless they are requested, and replaced when it is loaded.

use didww_types::resources::{SmsConfiguration, SmsTrunk, VoiceOutTrunk};
use didww_types::values::SmppSystemId;
use didww_types::{ApiVersion, Resource as _, ResourceSpec};
use serde_json::{Map, Value, json};
use service_base::ids::Ids;

use crate::without_secrets::{holds_secret, is_secret, json_in, names_url, remove_credentials};

pub(crate) use crate::without_secrets::HIDDEN;

/// Hides the secrets of a value, at any depth, and removes the credentials in its URLs.
pub(crate) fn hide(members: &mut Map<String, Value>) {
    for (name, member) in members {
        if names_url(name) {
            remove_credentials(member);
        }
        if is_secret(name) {
            hide_all(member);
        } else {
            hide_in(member);
        }
    }
}

/// Hides the secrets in a value that is not a secret itself.
fn hide_in(value: &mut Value) {
    match value {
        Value::Object(inner) => hide(inner),
        Value::Array(items) => items.iter_mut().for_each(hide_in),
        Value::String(text) => {
            let Some(before) = json_in(text) else {
                if holds_secret(text) {
                    HIDDEN.clone_into(text);
                }
                return;
            };
            let mut hidden = before.clone();
            hide_in(&mut hidden);
            if hidden != before {
                *text = hidden.to_string();
            }
        }
        _ => {}
    }
}

/// Hides all texts and numbers of a value, such as of an object with headers.
fn hide_all(value: &mut Value) {
    match value {
        Value::String(text) if !text.is_empty() => HIDDEN.clone_into(text),
        Value::Number(_) => *value = Value::from(HIDDEN),
        Value::Object(inner) => inner.values_mut().for_each(hide_all),
        Value::Array(items) => items.iter_mut().for_each(hide_all),
        _ => {}
    }
}

/// Replaces hidden secrets of a record: by those of the stored record, else by new ones.
pub(super) fn replace_hidden(
    spec: &ResourceSpec,
    attributes: &mut Map<String, Value>,
    stored: Option<&Map<String, Value>>,
    ids: &Ids,
) {
    let is_sms = spec.name == SmsTrunk::SPEC.name;
    let most = if is_sms { SmsConfiguration::SMPP_PASSWORD_CHARACTERS } else { usize::MAX };
    let new = || first(ids.credentials(ApiVersion::NEWEST).1.expose(), most);
    reveal(attributes, stored, &new);
}

/// Replaces hidden secrets of members: by those of the stored members, else by new ones.
pub(crate) fn reveal(
    members: &mut Map<String, Value>,
    stored: Option<&Map<String, Value>>,
    new: &dyn Fn() -> String,
) {
    for (name, member) in members {
        replace(member, stored.and_then(|stored| stored.get(name)), new);
    }
}

/// Replaces the hidden texts of a value. Outside of secrets, a text was hidden as a whole because it has one.
fn replace(value: &mut Value, stored: Option<&Value>, new: &dyn Fn() -> String) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                replace(member, stored.and_then(|stored| stored.get(name.as_str())), new);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                replace(item, stored.and_then(|stored| stored.get(index)), new);
            }
        }
        Value::String(text) if text == HIDDEN => {
            *value = match stored {
                Some(Value::String(kept)) if !kept.is_empty() => Value::from(kept.as_str()),
                Some(Value::Number(kept)) => Value::Number(kept.clone()),
                _ => Value::from(new()),
            };
        }
        Value::String(text) if text.contains(HIDDEN) => {
            let Some(mut inner) = json_in(text) else { return };
            let stored = stored.and_then(Value::as_str).and_then(json_in);
            replace(&mut inner, stored.as_ref(), new);
            *text = inner.to_string();
        }
        _ => {}
    }
}

/// The first characters of a text, at most this many.
fn first(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Adds the credentials that a trunk needs and the file does not name: those of the stored record, else new ones.
pub(super) fn add_credentials(
    spec: &ResourceSpec,
    attributes: &mut Map<String, Value>,
    stored: Option<&Map<String, Value>>,
    ids: &Ids,
) {
    if spec.name == SmsTrunk::SPEC.name {
        add_sms_credentials(attributes, stored, ids);
    }
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

/// Adds the credentials that the service generates for the configuration of a text message trunk.
fn add_sms_credentials(attributes: &mut Map<String, Value>, stored: Option<&Map<String, Value>>, ids: &Ids) {
    let Some(configuration) = attributes.get_mut(CONFIGURATION) else { return };
    let kind = configuration.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let stored = stored
        .and_then(|stored| stored.get(CONFIGURATION))
        .filter(|stored| stored.get("type").and_then(Value::as_str) == Some(kind.as_str()))
        .and_then(|stored| stored.get("attributes"));
    let Some(members) = configuration.get_mut("attributes").and_then(Value::as_object_mut) else { return };
    let (of_name, of_password) = match kind.as_str() {
        "smpp_esme" => (SmppSystemId::MAX_CHARACTERS, SmsConfiguration::SMPP_PASSWORD_CHARACTERS),
        _ => (usize::MAX, usize::MAX),
    };
    let (username, password) = ids.credentials(ApiVersion::NEWEST);
    let new = [first(&username, of_name), first(password.expose(), of_password)];
    for (name, new) in SmsConfiguration::generated(&kind).iter().zip(new) {
        if members.get(*name).is_none_or(Value::is_null) {
            let kept = stored.and_then(|stored| stored.get(*name)).filter(|value| !value.is_null());
            members.insert((*name).to_owned(), kept.cloned().unwrap_or_else(|| json!(new)));
        }
    }
}

const METHOD: &str = VoiceOutTrunk::SPEC.attribute_name("authentication_method");
const CONFIGURATION: &str = SmsTrunk::SPEC.attribute_name("configuration");

#[cfg(test)]
mod tests {
    use didww_types::resources::VoiceInTrunk;

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
        replace_hidden(VoiceInTrunk::SPEC, &mut new, None, &ids);
        let password = new["configuration"]["attributes"]["auth_password"].as_str().unwrap();
        assert_eq!(password.len(), 16);
        assert_ne!(password, HIDDEN);
        let stored = members(json!({ "configuration": { "attributes": { "auth_password": "kept" } } }));
        replace_hidden(VoiceInTrunk::SPEC, &mut saved, Some(&stored), &ids);
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

    #[test]
    fn headers_and_parameters_of_requests_to_customers_are_hidden_and_replaced() {
        let mut saved = members(json!({ CONFIGURATION: { "type": "http_in", "attributes": {
            "url": "https://example.com/sms?token=t&a=b", "headers": { "X-Auth": "h", "Accept": "a" },
            "query_parameters": { "Api-Key": "k", "to": "1" }, "body": "{\"password\": \"b\", \"to\": 1}" } } }));
        let stored = saved.clone();
        hide(&mut saved);
        assert_eq!(
            saved[CONFIGURATION]["attributes"],
            json!({ "url": "https://example.com/sms?a=b", "headers": { "X-Auth": HIDDEN, "Accept": HIDDEN },
                "query_parameters": { "Api-Key": HIDDEN, "to": "1" },
                "body": json!({ "password": HIDDEN, "to": 1 }).to_string() })
        );
        let (mut new, ids) = (saved.clone(), Ids::seeded(1));
        replace_hidden(SmsTrunk::SPEC, &mut new, None, &ids);
        assert!(!Value::Object(new).to_string().contains(HIDDEN));
        replace_hidden(SmsTrunk::SPEC, &mut saved, Some(&stored), &ids);
        assert_eq!(saved[CONFIGURATION]["attributes"]["headers"], json!({ "X-Auth": "h", "Accept": "a" }));
        let body = json!({ "password": "b", "to": 1 }).to_string();
        assert_eq!(saved[CONFIGURATION]["attributes"]["body"], json!(body));
    }

    #[test]
    fn a_secret_that_is_a_number_or_is_in_a_body_that_is_not_json_is_hidden_and_replaced() {
        let mut saved = members(json!({
            "metadata": { "pin_token": 4711, "base_uri": "https://ann:pw@h/", "n": 1 },
            "body": "{ \"api_key\": \"k\", \"to\": {SMS_DST_ADDR} }", "form": "to=1&password=p",
            "message": "{SMS_TEXT} is your token",
        }));
        let stored = saved.clone();
        hide(&mut saved);
        assert_eq!(
            Value::Object(saved.clone()),
            json!({ "metadata": { "pin_token": HIDDEN, "base_uri": "https://h/", "n": 1 }, "body": HIDDEN,
                "form": HIDDEN, "message": "{SMS_TEXT} is your token" })
        );
        let mut new = saved.clone();
        reveal(&mut new, None, &|| "new".to_owned());
        assert_eq!(
            (&new["metadata"]["pin_token"], &new["body"], &new["form"]),
            (&json!("new"), &json!("new"), &json!("new"))
        );
        reveal(&mut saved, Some(&stored), &|| "new".to_owned());
        assert_eq!((&saved["metadata"]["pin_token"], &saved["body"]), (&json!(4711), &stored["body"]));
    }

    #[test]
    fn a_text_message_trunk_without_credentials_receives_them_once() {
        let trunk = |kind: &str| members(json!({ CONFIGURATION: { "type": kind, "attributes": {} } }));
        let ids = Ids::seeded(1);
        for (kind, name, password, lengths) in [
            ("http_out", "auth_name", "auth_password", (16, 16)),
            ("smpp_esme", "system_id", "password", (15, 8)),
        ] {
            let mut first = trunk(kind);
            add_credentials(SmsTrunk::SPEC, &mut first, None, &ids);
            let length = |name: &str| first[CONFIGURATION]["attributes"][name].as_str().unwrap().len();
            assert_eq!((length(name), length(password)), lengths, "{kind}");
            let mut second = trunk(kind);
            add_credentials(SmsTrunk::SPEC, &mut second, Some(&first), &ids);
            assert_eq!(first, second);
        }
        let mut smsc =
            members(json!({ CONFIGURATION: { "type": "smpp_smsc", "attributes": { "password": HIDDEN } } }));
        replace_hidden(SmsTrunk::SPEC, &mut smsc, None, &ids);
        let password = smsc[CONFIGURATION]["attributes"]["password"].as_str().unwrap();
        assert!(password.len() == 8 && password != HIDDEN, "{password}");
    }
}
