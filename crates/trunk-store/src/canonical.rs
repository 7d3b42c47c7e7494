//! Serialises a record's attributes in the order in which responses contain them, so that a read can copy the text
//! into a response without parsing it.

use didww_types::ResourceSpec;
use serde_json::{Map, Value};

/// Serialises canonical attributes as a JSON object, in the order of the declaration. Attributes that the declaration does
/// not have, such as those of a later release, come last.
pub(crate) fn canonical_text(spec: &'static ResourceSpec, attributes: &Map<String, Value>) -> String {
    let mut text = String::with_capacity(640);
    text.push('{');
    let mut declared = 0;
    for attribute in spec.attributes {
        if text.len() > 1 {
            text.push(',');
        }
        text.push('"');
        text.push_str(attribute.name);
        text.push_str("\":");
        let value = attributes.get(attribute.name);
        declared += usize::from(value.is_some());
        match value {
            // Authentication methods have an order of their own.
            Some(Value::Object(variant)) => push_variant(&mut text, variant),
            Some(value) => text.push_str(&value.to_string()),
            None => text.push_str("null"),
        }
    }
    // Nearly always all attributes are declared, so that none is looked for.
    if attributes.len() > declared {
        for (name, value) in attributes.iter().filter(|(name, _)| spec.attribute(name).is_none()) {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&Value::String(name.clone()).to_string());
            text.push(':');
            text.push_str(&value.to_string());
        }
    }
    text.push('}');
    text
}

/// Serialises a `{"type", "attributes"}` object with its type first, as in every recorded response.
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
    // In recorded responses the credentials come last, the password after the username; the rest is in alphabetical
    // order.
    let last = |name: &str| usize::from(name == "username") + 2 * usize::from(name == "password");
    let mut names: Vec<&String> = inner.keys().collect();
    names.sort_by_key(|name| last(name));
    for (position, name) in names.into_iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        let value = inner.get(name).unwrap_or(&Value::Null);
        text.push_str(&Value::String(name.clone()).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
    text.push_str("}}");
}
