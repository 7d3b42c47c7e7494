//! The rules of DIDs.

use didww_types::Violation;
use serde_json::Value;

use super::settle::Draft;
use super::{Case, Refusal};

/// A DID routes to a trunk or to a group, and takes its channels from a pool or from a group: never both.
const EXCLUSIVE: [(&str, &str); 2] =
    [("voice_in_trunk", "voice_in_trunk_group"), ("capacity_pool", "shared_capacity_group")];

pub(super) fn apply(case: &Case<'_>, draft: &mut Draft) {
    for (name, linked) in case.links {
        if linked.records.iter().any(|record| record.attributes.is_none()) {
            let refusal = Refusal::relationship(name, Violation::Invalid);
            // These two are recorded with the pointer of the column that the older resource had.
            let old = matches!(*name, "voice_in_trunk" | "voice_in_trunk_group");
            let refusal = if old { refusal.at(format!("/data/attributes/{name}_id")) } else { refusal };
            draft.refusals.push(refusal.because("the account has no such record"));
        }
    }
    for (one, other) in EXCLUSIVE {
        exclude(one, other, draft);
        exclude(other, one, draft);
    }
    let channels = draft.attributes.get("dedicated_channels_count").and_then(Value::as_i64).unwrap_or(0);
    let sent = case.sent.contains_key("dedicated_channels_count");
    if sent && channels < 0 {
        let violation = Violation::GreaterOrEqual(0.into());
        draft.refusals.push(Refusal::attribute("dedicated_channels_count", violation));
    } else if sent && channels > 0 && draft.links.get("capacity_pool").is_none_or(Vec::is_empty) {
        let why = "dedicated channels come from a capacity pool";
        draft.refusals.push(Refusal::relationship("capacity_pool", Violation::Blank).because(why));
    }
}

fn exclude(set: &'static str, cleared: &'static str, draft: &mut Draft) {
    let is_set = draft.links.get(set).is_some_and(|members| !members.is_empty());
    if is_set && !draft.links.contains_key(cleared) {
        draft.links.insert(cleared, Vec::new());
    }
}
