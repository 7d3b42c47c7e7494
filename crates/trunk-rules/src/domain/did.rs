//! The rules of DIDs.

use didww_types::Violation;
use serde_json::Value;

use super::draft::Draft;
use super::{Refusal, WriteContext};

/// A DID is routed to either a trunk or a trunk group, and takes its channels from either a pool or a shared
/// group. Setting one clears the other.
const EXCLUSIVE: [(&str, &str); 2] =
    [("voice_in_trunk", "voice_in_trunk_group"), ("capacity_pool", "shared_capacity_group")];

pub(super) fn apply(context: &WriteContext<'_>, draft: &mut Draft) {
    for (name, linked) in context.links {
        if linked.records.iter().any(|record| record.attributes.is_none()) {
            let refusal = Refusal::relationship(name, Violation::Invalid);
            // Recorded responses give these two the pointer of the column that the older resource had.
            let uses_column_pointer = matches!(*name, "voice_in_trunk" | "voice_in_trunk_group");
            let refusal =
                if uses_column_pointer { refusal.at(format!("/data/attributes/{name}_id")) } else { refusal };
            draft.refusals.push(refusal.because("the account has no such record"));
        }
    }
    for (one, other) in EXCLUSIVE {
        clear_if_set(one, other, draft);
        clear_if_set(other, one, draft);
    }
    let channels = draft.attributes.get("dedicated_channels_count").and_then(Value::as_i64).unwrap_or(0);
    let sent = context.sent.contains_key("dedicated_channels_count");
    if sent && channels < 0 {
        let violation = Violation::GreaterOrEqual(0.into());
        draft.refusals.push(Refusal::attribute("dedicated_channels_count", violation));
    } else if sent && channels > 0 && draft.links.get("capacity_pool").is_none_or(Vec::is_empty) {
        let why = "dedicated channels come from a capacity pool";
        draft.refusals.push(Refusal::relationship("capacity_pool", Violation::Blank).because(why));
    }
}

/// Clears a relationship of the pair if the request sets the other one and does not mention this one.
fn clear_if_set(set: &'static str, cleared: &'static str, draft: &mut Draft) {
    let is_set = draft.links.get(set).is_some_and(|members| !members.is_empty());
    if is_set && !draft.links.contains_key(cleared) {
        draft.links.insert(cleared, Vec::new());
    }
}
