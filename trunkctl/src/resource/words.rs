//! Descriptions of valid values, for help texts and errors.

use didww_client::{Kind, ValueSpec};

/// Describes the valid values of an attribute.
pub(crate) fn right(value: &ValueSpec) -> String {
    let words = of_kind(&value.kind);
    if value.nullable { format!("{words}, or null") } else { words }
}

/// Describes a kind of values.
pub(super) fn of_kind(kind: &Kind) -> String {
    match kind {
        Kind::Text { max: Some(max), pattern: Some(pattern) } => {
            format!("a text of at most {max} characters that matches {pattern}")
        }
        Kind::Text { max: None, pattern: Some(pattern) } => format!("a text that matches {pattern}"),
        Kind::Text { max: Some(max), pattern: None } => format!("a text of at most {max} characters"),
        Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Decimal { min, max } => format!("a decimal number from {min}.0 to {max}.0"),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Enumeration(texts) => format!("one of {}", texts.join(", ")),
        Kind::Timestamp => "a time such as 2026-04-08T06:57:33.304Z".to_owned(),
        Kind::Date => "a day such as 2026-04-08".to_owned(),
        Kind::Url { .. } => "an http or https URL".to_owned(),
        Kind::Uuid => "an id, which is a UUID".to_owned(),
        Kind::List { of, max: Some(max) } => format!("a list of at most {max}: {}", of_kind(of)),
        Kind::List { of, max: None } => format!("a list: {}", of_kind(of)),
        Kind::Variant(types) => {
            format!("{{\"type\": …, \"attributes\": {{…}}}} with one of the types {}", types.join(", "))
        }
        Kind::Object => "an object of JSON".to_owned(),
        _ => "a text".to_owned(),
    }
}
