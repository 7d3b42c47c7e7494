//! The text of a record's attributes, written once so that reading it back needs no parser.

use didww_types::ResourceSpec;
use serde_json::{Map, Value};

/// Canonical attributes as JSON text, in the order of the declaration.
pub fn canonical_text(spec: &'static ResourceSpec, attributes: &Map<String, Value>) -> String {
    let mut text = String::with_capacity(640);
    text.push('{');
    for attribute in spec.attributes {
        if text.len() > 1 {
            text.push(',');
        }
        text.push('"');
        text.push_str(attribute.name);
        text.push_str("\":");
        match attributes.get(attribute.name) {
            // The kinds of authentication have an order of their own; see the method's declaration.
            Some(Value::Object(variant)) => push_variant(&mut text, variant),
            Some(value) => text.push_str(&value.to_string()),
            None => text.push_str("null"),
        }
    }
    text.push('}');
    text
}

/// A `{"type", "attributes"}` object: its type first, as every recorded answer has it.
fn push_variant(text: &mut String, variant: &Map<String, Value>) {
    let (Some(kind), Some(Value::Object(inner)), 2) =
        (variant.get("type"), variant.get("attributes"), variant.len())
    else {
        text.push_str(&Value::Object(variant.clone()).to_string());
        return;
    };
    text.push_str("{\"type\":");
    text.push_str(&kind.to_string());
    text.push_str(",\"attributes\":{");
    // Recorded answers end with the credentials, password last; the rest is in alphabetical order.
    let last = |name: &str| usize::from(name == "username") + 2 * usize::from(name == "password");
    let mut names: Vec<&String> = inner.keys().collect();
    names.sort_by_key(|name| last(name));
    for (place, name) in names.into_iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        let value = inner.get(name).unwrap_or(&Value::Null);
        text.push_str(&Value::String(name.clone()).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
    text.push_str("}}");
}
