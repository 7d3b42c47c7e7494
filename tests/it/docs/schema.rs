//! JSON against the schemas of an `OpenAPI` document: the part of JSON Schema that the documents use. A keyword that is
//! not known fails, so that nothing is left unchecked.

use serde_json::{Map, Value};

/// Keywords that restrict nothing.
const NOTES: [&str; 6] = ["description", "title", "default", "example", "x-known-values", "nullable"];

/// Checks a value against a schema of the document. Returns the violations with their places.
pub fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    check_at(document, schema, value, "")
}

fn check_at(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{at}: {what}: {value}"));
    let Some(rules) = schema.as_object() else { return Ok(()) };
    if let Some(reference) = rules.get("$ref").and_then(Value::as_str) {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return check_at(document, target, value, at);
    }
    if value.is_null() && rules.get("nullable") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    for (keyword, rule) in rules {
        let holds = match keyword.as_str() {
            "type" => is_of_type(value, rule.as_str().unwrap()),
            "enum" => rule.as_array().unwrap().contains(value),
            "format" => value.as_str().is_none_or(|text| has_format(text, rule.as_str().unwrap())),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "pattern" => true,
            "minLength" => {
                let least = rule.as_u64().unwrap();
                value.as_str().is_none_or(|text| text.chars().count() as u64 >= least)
            }
            "required" => value.as_object().is_none_or(|members| {
                rule.as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap()))
            }),
            "properties" | "additionalProperties" => {
                check_members(document, rules, value, at)?;
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check_at(document, rule, item, &format!("{at}/{index}"))?;
                }
                true
            }
            "anyOf" | "oneOf" => {
                let alternatives = rule.as_array().unwrap().iter();
                alternatives.clone().any(|schema| check_at(document, schema, value, at).is_ok())
            }
            "allOf" => {
                for schema in rule.as_array().unwrap() {
                    check_at(document, schema, value, at)?;
                }
                true
            }
            note => NOTES.contains(&note),
        };
        if !holds {
            return wrong(&format!("{keyword} {rule}"));
        }
    }
    Ok(())
}

/// Checks the members of an object. A member without a schema is wrong, unless the schema has none at all or one for
/// any member: an answer must not have more than is described.
fn check_members(
    document: &Value,
    rules: &Map<String, Value>,
    value: &Value,
    at: &str,
) -> Result<(), String> {
    let described = rules.get("properties").and_then(Value::as_object);
    let others = rules.get("additionalProperties");
    for (name, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        match (described.and_then(|described| described.get(name)), others) {
            (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => {
                check_at(document, schema, member, &at)?;
            }
            (None, Some(Value::Bool(true))) => {}
            (None, _) => return Err(format!("{at} is not described: {member}")),
        }
    }
    Ok(())
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    match kind {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("no such type: {other}"),
    }
}

fn has_format(text: &str, format: &str) -> bool {
    match format {
        "uuid" => uuid::Uuid::try_parse(text).is_ok() && text.len() == 36,
        "date-time" => text.parse::<voipbin_client::types::Timestamp>().is_ok() && text.contains('T'),
        "ip" => text.parse::<std::net::IpAddr>().is_ok(),
        "password" | "double" | "float" => true,
        other => panic!("no such format: {other}"),
    }
}
