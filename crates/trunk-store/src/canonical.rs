//! Serialises a record's attributes in the order in which responses contain them, so that a read can copy the text
//! into a response without parsing it.

use didww_types::ResourceSpec;
use didww_types::values::Money;
use serde::Serialize;
use serde_json::{Map, Value};

/// Serialises canonical attributes as a JSON object, in the order of the declaration. Attributes that the declaration
/// does not have, such as those of a later release, come last.
pub(crate) fn canonical_text(spec: &'static ResourceSpec, attributes: &Map<String, Value>) -> String {
    let mut object = ObjectText::with_capacity(1_024);
    let mut declared = 0;
    for attribute in spec.attributes.iter().filter(|attribute| !attribute.write_only) {
        let value = attributes.get(attribute.name);
        declared += usize::from(value.is_some());
        object.declared_name(attribute.name);
        if !attribute.total.is_empty() {
            let total = Value::String(total(attributes, attribute.total).to_string());
            // In the form of the attribute, which may have more places.
            object.value(&(attribute.validate)(&total).unwrap_or(total));
            continue;
        }
        match value {
            // Authentication methods have an order of their own.
            Some(Value::Object(variant)) => object.variant(variant),
            Some(value) => object.value(value),
            None => object.0.extend_from_slice(b"null"),
        }
    }
    // Usually all attributes are declared, and no others need to be looked for.
    if attributes.len() > declared {
        for (name, value) in attributes.iter().filter(|(name, _)| spec.attribute(name).is_none()) {
            object.member(name, value);
        }
    }
    object.end()
}

/// The total of decimal attributes of a record. Values that are not decimals add nothing.
fn total(attributes: &Map<String, Value>, terms: &[&str]) -> Money {
    let amount = |term: &&str| attributes.get(*term)?.as_str()?.parse::<Money>().ok().map(Money::amount);
    Money::new(terms.iter().filter_map(amount).sum())
}

/// The text of a JSON object, to which members are appended.
struct ObjectText(Vec<u8>);

impl ObjectText {
    fn with_capacity(bytes: usize) -> Self {
        let mut text = Vec::with_capacity(bytes);
        text.push(b'{');
        Self(text)
    }

    /// Appends a comma if a member precedes.
    fn separator(&mut self) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
    }

    fn name(&mut self, name: &str) {
        self.separator();
        self.value(name);
        self.0.push(b':');
    }

    /// Appends a name that needs no escapes.
    fn declared_name(&mut self, name: &'static str) {
        self.separator();
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) {
        // It cannot fail: a `Vec` accepts every byte, and the keys of a `Value` are texts.
        let _infallible = serde_json::to_writer(&mut self.0, value);
    }

    fn member(&mut self, name: &str, value: &Value) {
        self.name(name);
        self.value(value);
    }

    /// Appends a `{"type", "attributes"}` object with its type first, as in every recorded response.
    fn variant(&mut self, variant: &Map<String, Value>) {
        let (Some(kind), Some(Value::Object(inner)), 2) =
            (variant.get("type"), variant.get("attributes"), variant.len())
        else {
            return self.value(variant);
        };
        self.0.push(b'{');
        self.declared_name("type");
        self.value(kind);
        self.declared_name("attributes");
        self.0.push(b'{');
        // In recorded responses the credentials come last, the password after the username; the rest is in alphabetical
        // order.
        let is_last = |name: &str| matches!(name, "username" | "password");
        for (name, value) in inner.iter().filter(|(name, _)| !is_last(name)) {
            self.member(name, value);
        }
        for name in ["username", "password"] {
            if let Some(value) = inner.get(name) {
                self.declared_name(name);
                self.value(value);
            }
        }
        self.0.extend_from_slice(b"}}");
    }

    fn end(mut self) -> String {
        self.0.push(b'}');
        String::from_utf8(self.0)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}
