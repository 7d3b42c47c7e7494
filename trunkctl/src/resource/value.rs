//! Parses the text of a flag into the JSON of its attribute.

use didww_client::{AttributeSpec, Kind, ValueSpec, split_values};
use serde_json::{Map, Value, json};

/// Parses the text of a flag. A text that cannot be parsed is returned as a text, which the check of the attribute then
/// refuses with a description of the valid values.
///
/// `null` is null where that is valid. A list has commas, as CSV, and is empty for an empty text. An object is
/// JSON, or `TYPE,member=value,member=value`, in which a member that is named twice is a list.
pub(super) fn of_text(value: &ValueSpec, text: &str) -> Value {
    if text == "null" && value.nullable {
        return Value::Null;
    }
    match value.kind {
        Kind::Integer { .. } => text.trim().parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
        Kind::Boolean => text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
        Kind::List { of, .. } if !text.starts_with('[') => items(of, text),
        Kind::List { .. } => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        Kind::Variant(_) | Kind::Object if text.starts_with('{') => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
        }
        Kind::Variant(_) => variant(value, text),
        _ => Value::from(text),
    }
}

/// Parses the ids or names of related records: they have commas between them, and one with a comma is in quotes.
pub(super) fn of_names(text: &str) -> Value {
    if text.is_empty() {
        return json!([]);
    }
    split_values(text).iter().map(|name| Value::from(name.trim())).collect()
}

fn items(of: &Kind, text: &str) -> Value {
    if text.is_empty() {
        return json!([]);
    }
    let is_number = matches!(of, Kind::Integer { .. });
    let item = |text: &str| match text.trim().parse::<i64>() {
        Ok(number) if is_number => Value::from(number),
        _ => Value::from(text.trim()),
    };
    split_values(text).iter().map(|text| item(text)).collect()
}

/// Reads `TYPE,member=value`. The declaration does not say which members are lists: one that the check refuses as a
/// text is tried as a list with one item.
fn variant(value: &ValueSpec, text: &str) -> Value {
    let mut parts = split_values(text).into_iter();
    let kind = parts.next().unwrap_or_default();
    let mut members: Map<String, Value> = Map::new();
    for part in parts {
        let (name, text) = part.split_once('=').unwrap_or((&part, ""));
        let item = if text == "null" { Value::Null } else { Value::from(text) };
        match members.get_mut(name) {
            None => drop(members.insert(name.to_owned(), item)),
            Some(Value::Array(items)) => items.push(item),
            Some(present) => *present = json!([present.take(), item]),
        }
    }
    let candidate = json!({"type": kind, "attributes": members});
    if value.check(&candidate).is_ok() {
        return candidate;
    }
    // Each combination of a few members: in all types so far, one is a list.
    for name in members.keys().filter(|name| members.get(*name).is_some_and(Value::is_string)) {
        let mut with_list = members.clone();
        if let Some(member) = with_list.get_mut(name) {
            *member = json!([member.take()]);
        }
        let tried = json!({"type": kind, "attributes": with_list});
        if value.check(&tried).is_ok() {
            return tried;
        }
    }
    candidate
}

/// The flag's value in the help, such as `NUMBER`.
pub(super) fn placeholder(attribute: &AttributeSpec) -> &'static str {
    match attribute.kind {
        Kind::Integer { .. } => "NUMBER",
        Kind::Decimal { .. } => "DECIMAL",
        Kind::Boolean => "BOOL",
        Kind::Enumeration(_) => "WORD",
        Kind::Timestamp => "TIME",
        Kind::Date => "DATE",
        Kind::Url { .. } => "URL",
        Kind::Uuid => "ID",
        Kind::List { .. } => "A,B",
        Kind::Variant(_) => "TYPE,MEMBER=VALUE",
        Kind::Object => "JSON",
        _ => "TEXT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use didww_client::ApiVersion;

    fn read(name: &str, text: &str) -> Value {
        let spec = didww_client::find("voice_out_trunks").unwrap();
        of_text(&spec.attribute(name).unwrap().value_at(ApiVersion::NEWEST), text)
    }

    #[test]
    fn texts_become_the_json_of_their_attribute() {
        assert_eq!(read("capacity_limit", "10"), json!(10));
        assert_eq!(read("capacity_limit", "null"), Value::Null);
        assert_eq!(read("capacity_limit", "ten"), json!("ten"));
        assert_eq!(read("name", "null"), json!("null"));
        assert_eq!(read("rtp_ping", "true"), json!(true));
        assert_eq!(read("dst_prefixes", "44, 49"), json!(["44", "49"]));
        assert_eq!(read("dst_prefixes", "0044"), json!(["0044"]));
        assert_eq!(read("dst_prefixes", ""), json!([]));
        assert_eq!(read("dst_prefixes", "[\"44\"]"), json!(["44"]));
        assert_eq!(read("threshold_amount", "10.5"), json!("10.5"));
    }

    #[test]
    fn a_name_with_a_comma_is_in_quotes() {
        assert_eq!(of_names(""), json!([]));
        assert_eq!(of_names("first, second"), json!(["first", "second"]));
        assert_eq!(of_names("\"Paris, Nord\",Lyon"), json!(["Paris, Nord", "Lyon"]));
    }

    #[test]
    fn an_authentication_method_is_written_as_a_type_and_its_members() {
        let one =
            read("authentication_method", "credentials_and_ip,allowed_sip_ips=203.0.113.7,tech_prefix=12");
        assert_eq!(
            one,
            json!({"type": "credentials_and_ip",
                "attributes": {"allowed_sip_ips": ["203.0.113.7"], "tech_prefix": "12"}})
        );
        let two = read(
            "authentication_method",
            "credentials_and_ip,allowed_sip_ips=10.0.0.1,allowed_sip_ips=10.0.0.2",
        );
        assert_eq!(two["attributes"]["allowed_sip_ips"], json!(["10.0.0.1", "10.0.0.2"]));
        assert_eq!(read("authentication_method", r#"{"type":"x"}"#), json!({"type": "x"}));
        let wrong = read("authentication_method", "credentials_and_ip,allowed_sip_ips=x");
        assert_eq!(wrong["attributes"]["allowed_sip_ips"], "x", "the check refuses it");
    }
}
