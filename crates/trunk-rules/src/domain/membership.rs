//! The members of a relationship.

use serde_json::{Map, Value};

/// How the members of a relationship are determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// They are linked one by one.
    Linked,
    /// They are all records of the target type whose attributes have these values.
    Matching(&'static [(&'static str, bool)]),
}

/// Returns how the members of a record's relationship are determined, by the record's canonical attributes.
///
/// With `allow_any_did_as_cli`, a trunk's DIDs are all eligible DIDs of the account; with
/// `emergency_enable_all`, its emergency DIDs are all those with emergency calling. The service maintains
/// both.
pub fn membership(kind: &str, relationship: &str, attributes: &Map<String, Value>) -> Membership {
    let is_on = |switch: &str| attributes.get(switch) == Some(&Value::Bool(true));
    match (kind, relationship) {
        ("voice_out_trunks", "dids") if is_on("allow_any_did_as_cli") => {
            Membership::Matching(&[("blocked", false), ("terminated", false)])
        }
        ("voice_out_trunks", "emergency_dids") if is_on("emergency_enable_all") => {
            Membership::Matching(&[("emergency_enabled", true)])
        }
        _ => Membership::Linked,
    }
}

/// The `meta` of a new record, as JSON text; `None` for types without one.
pub fn initial_meta(kind: &str) -> Option<&'static str> {
    match kind {
        "voice_out_trunks" => Some("{\"spent_amount\":\"0.0\"}"),
        _ => None,
    }
}
