//! The rules of credential rotation, which is an operation on a trunk.

use didww_types::Violation;

use super::draft::WriteOutcome;
use super::voice_out_trunk::{TrunkOperation, apply_to_trunk};
use super::{Refusal, WriteContext};

const TRUNK_RELATIONSHIP: &str = "voice_out_trunk";

pub(super) fn apply(context: &WriteContext<'_>) -> Result<WriteOutcome, Vec<Refusal>> {
    let refuse =
        |violation, why: &str| Err(vec![Refusal::relationship(TRUNK_RELATIONSHIP, violation).because(why)]);
    let Some(trunk) = context.links.get(TRUNK_RELATIONSHIP).and_then(|linked| linked.records.first()) else {
        return refuse(Violation::Blank, "");
    };
    let Some(attributes) = &trunk.attributes else {
        return refuse(Violation::Invalid, "the account has no such trunk");
    };
    match apply_to_trunk(attributes, TrunkOperation::Regenerate(context.fresh.clone())) {
        Some(attributes) => {
            Ok(WriteOutcome::Change { kind: "voice_out_trunks", id: trunk.id.clone(), attributes })
        }
        None => refuse(Violation::Invalid, "only a credentials_and_ip trunk has credentials"),
    }
}
