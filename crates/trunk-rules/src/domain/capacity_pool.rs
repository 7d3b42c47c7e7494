//! The rules of capacity pools.

use didww_types::Violation;
use serde_json::{Map, Value};

use super::draft::Draft;
use super::{Refusal, WriteContext, WriteKind};

const TOTAL: &str = "total_channels_count";

/// An owner can only give channels back: more of them are bought with an order, and neither those in use nor those of the
/// smallest size can be given back.
pub(super) fn apply(context: &WriteContext<'_>, draft: &mut Draft) {
    let WriteKind::Update(stored) = context.kind else { return };
    let (before, after) = (number(stored, TOTAL), number(&draft.attributes, TOTAL));
    let smallest = number(stored, "assigned_channels_count").max(number(stored, "minimum_limit"));
    if after > before {
        let why = "channels are added with an order";
        draft.refusals.push(Refusal::attribute(TOTAL, Violation::LessOrEqual(before.into())).because(why));
    } else if after < before && after < smallest {
        draft.refusals.push(Refusal::attribute(TOTAL, Violation::AtLeast(smallest)));
    }
}

fn number(attributes: &Map<String, Value>, name: &str) -> i64 {
    attributes.get(name).and_then(Value::as_i64).unwrap_or_default()
}
