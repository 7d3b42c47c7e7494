//! Refuses a new record with a text that an enumeration does not declare, before anything is sent.

use didww_types::{ApiVersion, Kind, ResourceSpec, Sent, UndeclaredText};
use serde_json::Value;

use crate::Reason;

/// Checks the texts of every enumeration of a new record in its canonical form, which is that of the newest version.
pub(super) fn texts(spec: &'static ResourceSpec, sent: &Sent) -> Result<(), Reason> {
    for attribute in spec.attributes {
        let Some(value) = sent.attributes.get(attribute.name) else { continue };
        if let Some(undeclared) = undeclared(attribute.value_at(ApiVersion::NEWEST).kind, value) {
            return Err(Reason::Undeclared(attribute.name, undeclared));
        }
    }
    Ok(())
}

fn undeclared(kind: Kind, value: &Value) -> Option<UndeclaredText> {
    match (kind, value) {
        (Kind::Enumeration(valid), Value::String(text)) if !valid.contains(&text.as_str()) => {
            Some(UndeclaredText { given: text.clone(), valid })
        }
        (Kind::List { of, .. }, Value::Array(items)) => items.iter().find_map(|item| undeclared(*of, item)),
        _ => None,
    }
}
