//! Who belongs to a relationship.

use serde_json::{Map, Value};

/// How the members of a relationship are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// They are linked one by one.
    Linked,
    /// They are all records of the target type whose attributes have these values.
    Matching(&'static [(&'static str, bool)]),
}

/// The members of a record's relationship, by the record's canonical attributes.
///
/// With `allow_any_did_as_cli` a trunk's DIDs are all eligible ones of the account, with
/// `emergency_enable_all` its emergency DIDs are all that have emergency calling: the service keeps them.
pub fn membership(kind: &str, relationship: &str, attributes: &Map<String, Value>) -> Membership {
    let on = |switch: &str| attributes.get(switch) == Some(&Value::Bool(true));
    match (kind, relationship) {
        ("voice_out_trunks", "dids") if on("allow_any_did_as_cli") => {
            Membership::Matching(&[("blocked", false), ("terminated", false)])
        }
        ("voice_out_trunks", "emergency_dids") if on("emergency_enable_all") => {
            Membership::Matching(&[("emergency_enabled", true)])
        }
        _ => Membership::Linked,
    }
}

/// The meta of a record that nothing happened to yet, as JSON text.
pub fn initial_meta(kind: &str) -> Option<&'static str> {
    match kind {
        "voice_out_trunks" => Some("{\"spent_amount\":\"0.0\"}"),
        _ => None,
    }
}
