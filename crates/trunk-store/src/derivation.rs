//! How an index derives the value at one of its paths from the attributes of a record.
//!
//! A path is `attribute` or `attribute.member.member`. `attribute~` is its text in lower case, `one+other` are two
//! texts concatenated, and `attribute@shared` is an attribute whose values several types share. Paths are split once
//! for each type, because each write derives a dozen values.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// A path, split into its parts.
#[derive(Debug)]
pub(crate) enum Derivation {
    /// The value at a place.
    Value(Place),
    /// The text at a place, in lower case. Any other value is unchanged.
    Lower(Place),
    /// The texts at these places, concatenated. Any other value counts as the empty text.
    Joined(Vec<Place>),
}

/// An attribute, or a member inside it.
#[derive(Debug)]
pub(crate) struct Place {
    attribute: &'static str,
    /// The names that lead from the attribute to the member.
    members: Vec<&'static str>,
}

impl Derivation {
    pub(crate) fn of(path: &'static str) -> Self {
        if let Some(path) = path.strip_suffix('~') {
            return Self::Lower(Place::of(path));
        }
        let path = path.split('@').next().unwrap_or(path);
        if path.contains('+') {
            Self::Joined(path.split('+').map(Place::of).collect())
        } else {
            Self::Value(Place::of(path))
        }
    }

    /// Returns the value that the index has for a record with these attributes, or null.
    pub(crate) fn value<'a>(&self, attributes: &'a Map<String, Value>) -> Cow<'a, Value> {
        match self {
            Self::Value(place) => Cow::Borrowed(place.value(attributes)),
            Self::Lower(place) => match place.value(attributes) {
                Value::String(text) => Cow::Owned(Value::String(text.to_lowercase())),
                value => Cow::Borrowed(value),
            },
            Self::Joined(places) => {
                let texts = places.iter().map(|place| place.value(attributes).as_str().unwrap_or_default());
                Cow::Owned(Value::String(texts.collect()))
            }
        }
    }

    /// The names of the attributes on which the value depends.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &'static str> {
        let places: &[Place] = match self {
            Self::Value(place) | Self::Lower(place) => std::slice::from_ref(place),
            Self::Joined(places) => places.as_slice(),
        };
        places.iter().map(|place| place.attribute)
    }
}

impl Place {
    fn of(path: &'static str) -> Self {
        let mut names = path.split('.');
        let attribute = names.next().unwrap_or(path);
        Self { attribute, members: names.collect() }
    }

    fn value<'a>(&self, attributes: &'a Map<String, Value>) -> &'a Value {
        const NULL: &Value = &Value::Null;
        let mut value: Option<&'a Value> = attributes.get(self.attribute);
        for member in &self.members {
            value = value.and_then(|value| value.get(*member));
        }
        value.unwrap_or(NULL)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_index_can_have_a_text_in_lower_case_and_two_texts_as_one() {
        let attributes = json!({ "name": "CÓRDOBA", "npa": "201", "nxx": "221", "none": null });
        let attributes = attributes.as_object().unwrap();
        let derived = |path: &'static str| Derivation::of(path).value(attributes).into_owned();
        assert_eq!(derived("name~"), "córdoba");
        assert_eq!(derived("npa+nxx"), "201221");
        assert_eq!((derived("name"), derived("name@shared")), (json!("CÓRDOBA"), json!("CÓRDOBA")));
        assert!(derived("none~").is_null() && derived("absent").is_null());
    }

    #[test]
    fn a_member_inside_an_attribute_has_a_value_where_all_names_lead_to_one() {
        let attributes = json!({ "method": { "type": "x", "attributes": { "sid": "A" } }, "name": "B" });
        let attributes = attributes.as_object().unwrap();
        let derived = |path: &'static str| Derivation::of(path).value(attributes).into_owned();
        assert_eq!((derived("method.type"), derived("method.attributes.sid")), (json!("x"), json!("A")));
        for absent in ["method.kind", "method.attributes.sid.x", "method.type.x", "name.x", "other.x"] {
            assert!(derived(absent).is_null(), "{absent}");
        }
    }

    #[test]
    fn a_path_leads_to_an_attribute_into_one_or_to_several() {
        let names = |path: &'static str| Derivation::of(path).attributes().collect::<Vec<_>>();
        assert_eq!(names("name"), ["name"]);
        assert_eq!(names("name~"), ["name"]);
        assert_eq!(names("name@shared"), ["name"]);
        assert_eq!(names("npa+nxx"), ["npa", "nxx"]);
        assert_eq!(names("method.attributes.sid"), ["method"]);
    }
}
