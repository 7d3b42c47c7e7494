//! The values of attributes in a world.
//!
//! Each is validated on its own, as in every record that staff store. A world also has values that only the service
//! sets: the credentials of trunks, and trunks that authenticate by their address alone.

use didww_types::resources::{
    AuthenticationMethod, Order, OrderItems, SipConfiguration, SmsConfiguration, SmsTrunk, VoiceInTrunk,
    VoiceOutTrunk,
};
use didww_types::values::{IpNetworks, TechPrefix, ValueError};
use didww_types::{ApiVersion, AttributeSpec, Flaw, Kind, Resource as _, ResourceSpec};
use serde_json::{Map, Value};

const METHOD: &str = VoiceOutTrunk::SPEC.attribute_name("authentication_method");
const ITEMS: &str = Order::SPEC.attribute_name("items");
const CONFIGURATION: &str = VoiceInTrunk::SPEC.attribute_name("configuration");
const SMS_CONFIGURATION: &str = SmsTrunk::SPEC.attribute_name("configuration");

/// Validates a value. Returns its canonical form, or the reason why it is not valid, as the continuation of a sentence
/// that begins with the name.
pub(super) fn checked(
    spec: &ResourceSpec,
    attribute: &AttributeSpec,
    value: &Value,
) -> Result<Value, String> {
    if (spec.name, attribute.name) == (VoiceOutTrunk::SPEC.name, METHOD) {
        return method(attribute, value);
    }
    let mut valid = within_limits(attribute, value).map_err(|flaws| broken(&flaws))?;
    if (spec.name, attribute.name) == (Order::SPEC.name, ITEMS) {
        // The validation of requests keeps the types of the items alone.
        let items: Result<OrderItems, serde_json::Error> = serde_json::from_value(value.clone());
        let items = items.and_then(|items| serde_json::to_value(&items));
        return items.map_err(|error| format!("is invalid: {error}"));
    }
    if (spec.name, attribute.name) == (VoiceInTrunk::SPEC.name, CONFIGURATION) {
        keep_generated(&mut valid, value, &SipConfiguration::GENERATED)?;
    }
    if (spec.name, attribute.name) == (SmsTrunk::SPEC.name, SMS_CONFIGURATION) {
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
        keep_generated(&mut valid, value, SmsConfiguration::generated(kind))?;
    }
    Ok(valid)
}

/// Validates a value by the limits of the newest version, whose form is stored, else by the wider ones of the oldest: a
/// record that an older version created can have such a value. A word of an enumeration is one of the newest version.
fn within_limits(attribute: &AttributeSpec, value: &Value) -> Result<Value, Vec<Flaw>> {
    let newest = attribute.value_at(ApiVersion::NEWEST);
    newest.check(value).or_else(|flaws| match newest.kind {
        Kind::Enumeration(_) => Err(flaws),
        _ => (attribute.validate)(value).map_err(|_| flaws),
    })
}

/// The texts of the rules that are broken.
fn broken(flaws: &[Flaw]) -> String {
    let texts: Vec<String> = flaws
        .iter()
        .map(|flaw| match flaw.pointer.as_str() {
            "" => flaw.violation.to_string(),
            pointer => format!("has a wrong {pointer}: {}", flaw.violation),
        })
        .collect();
    if texts.is_empty() { "is invalid".to_owned() } else { texts.join(", ") }
}

/// Validates how a trunk authenticates calls. Requests of owners can set neither credentials nor `ip_only`.
fn method(attribute: &AttributeSpec, value: &Value) -> Result<Value, String> {
    let parsed: AuthenticationMethod =
        serde_json::from_value(value.clone()).map_err(|error| format!("is invalid: {error}"))?;
    let parsed = match parsed {
        AuthenticationMethod::CredentialsAndIp(mut method) if method.extra.is_empty() => {
            method.allowed_sip_ips = networks(&method.allowed_sip_ips)?;
            check_prefix(method.tech_prefix.as_ref())?;
            AuthenticationMethod::CredentialsAndIp(method)
        }
        AuthenticationMethod::IpOnly(mut method) if method.extra.is_empty() => {
            method.allowed_sip_ips = networks(&method.allowed_sip_ips)?;
            check_prefix(method.tech_prefix.as_ref())?;
            AuthenticationMethod::IpOnly(method)
        }
        AuthenticationMethod::Twilio(_) => {
            return (attribute.validate)(value).map_err(|flaws| broken(&flaws));
        }
        _ => {
            let right = "credentials_and_ip with allowed_sip_ips, tech_prefix, username and password, ip_only with \
                         allowed_sip_ips and tech_prefix, or twilio with twilio_account_sid";
            return Err(format!("is invalid; valid: {right}"));
        }
    };
    serde_json::to_value(&parsed).map_err(|error| format!("is invalid: {error}"))
}

fn networks(sent: &IpNetworks) -> Result<IpNetworks, String> {
    let parsed: Result<IpNetworks, ValueError> = IpNetworks::parse(sent.texts());
    parsed.map_err(|error| format!("has wrong allowed_sip_ips: {error}"))
}

/// Checks a prefix. An empty one is none.
fn check_prefix(prefix: Option<&TechPrefix>) -> Result<(), String> {
    let Some(prefix) = prefix.filter(|prefix| !prefix.as_str().is_empty()) else { return Ok(()) };
    let parsed: Result<TechPrefix, ValueError> = TechPrefix::new(prefix.as_str());
    parsed.map(|_| ()).map_err(|error| format!("has a wrong tech_prefix: {error}"))
}

/// Adds the generated credentials of a trunk's configuration, which the validation of requests leaves out.
fn keep_generated(valid: &mut Value, sent: &Value, names: &[&str]) -> Result<(), String> {
    let attributes = |value: &Value| value.get("attributes").and_then(Value::as_object).cloned();
    let sent: Map<String, Value> = attributes(sent).unwrap_or_default();
    let Some(kept) = valid.get_mut("attributes").and_then(Value::as_object_mut) else { return Ok(()) };
    for name in names {
        match sent.get(*name) {
            None => {}
            Some(value) if value.is_string() || value.is_null() => {
                kept.insert((*name).to_owned(), value.clone());
            }
            Some(_) => return Err(format!("has a wrong /attributes/{name}: expected a text or null")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(spec: &'static ResourceSpec, name: &str, value: &Value) -> Result<Value, String> {
        checked(spec, spec.attribute(name).unwrap(), value)
    }

    #[test]
    fn what_only_the_service_sets_of_a_trunk_is_taken_and_brought_into_the_canonical_form() {
        let sent = json!({ "type": "ip_only", "attributes": { "allowed_sip_ips": ["10.1.2.3/16"] } });
        let valid = of(VoiceOutTrunk::SPEC, METHOD, &sent).unwrap();
        assert_eq!(valid["attributes"]["allowed_sip_ips"], json!(["10.1.0.0/16"]));
        let sent = json!({ "type": "credentials_and_ip",
            "attributes": { "allowed_sip_ips": ["10.0.0.1"], "username": "u", "password": "p" } });
        let valid = of(VoiceOutTrunk::SPEC, METHOD, &sent).unwrap();
        assert_eq!(valid["attributes"]["username"], "u");
        assert_eq!(valid["attributes"]["password"], "p");
        assert_eq!(valid["attributes"]["allowed_sip_ips"], json!(["10.0.0.1/32"]));
    }

    #[test]
    fn the_generated_credentials_of_a_text_message_trunk_are_taken() {
        let sent = json!({ "type": "http_out", "attributes": { "auth_name": "n", "auth_password": "p" } });
        let valid = of(SmsTrunk::SPEC, SMS_CONFIGURATION, &sent).unwrap();
        assert_eq!(
            (&valid["attributes"]["auth_name"], &valid["attributes"]["auth_password"]),
            (&json!("n"), &json!("p"))
        );
        let wrong = json!({ "type": "http_out", "attributes": { "auth_password": 1 } });
        assert!(of(SmsTrunk::SPEC, SMS_CONFIGURATION, &wrong).is_err());
    }

    #[test]
    fn a_value_that_no_trunk_can_have_is_refused() {
        for sent in [
            json!({ "type": "ip_only", "attributes": { "allowed_sip_ips": ["everywhere"] } }),
            json!({ "type": "ip_only", "attributes": { "allowed_sip_ips": [], "colour": "red" } }),
            json!({ "type": "ip_only", "attributes": { "allowed_sip_ips": ["10.0.0.1"], "tech_prefix": "+1" } }),
            json!({ "type": "telepathy", "attributes": {} }),
            json!({ "type": "twilio", "attributes": { "twilio_account_sid": "no" } }),
            json!("ip_only"),
        ] {
            assert!(of(VoiceOutTrunk::SPEC, METHOD, &sent).is_err(), "{sent}");
        }
        assert!(of(VoiceOutTrunk::SPEC, "status", &json!("asleep")).is_err());
        assert!(of(Order::SPEC, "status", &json!("Pending")).is_err());
    }

    #[test]
    fn values_have_the_form_of_the_newest_version_and_the_limits_of_any() {
        assert_eq!(of(Order::SPEC, "status", &json!("pending")).unwrap(), "pending");
        assert_eq!(of(VoiceOutTrunk::SPEC, "threshold_amount", &Value::Null).unwrap(), Value::Null);
        assert_eq!(of(VoiceOutTrunk::SPEC, "capacity_limit", &json!(0)).unwrap(), 0);
        let items = json!([{ "type": "did_order_items", "attributes": { "sku_id": "s", "qty": 2 } }]);
        let kept = of(Order::SPEC, ITEMS, &items).unwrap();
        assert_eq!((&kept[0]["type"], &kept[0]["attributes"]["qty"]), (&json!("did_order_items"), &json!(2)));
    }
}
