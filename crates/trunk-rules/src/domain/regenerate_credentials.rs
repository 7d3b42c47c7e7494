//! The rules of credential rotation, which is an operation on a trunk.

use didww_types::Violation;

use super::draft::Effect;
use super::voice_out_trunk::{TrunkAct, act_on_trunk};
use super::{Case, Refusal};

const TRUNK_RELATIONSHIP: &str = "voice_out_trunk";

pub(super) fn apply(case: &Case<'_>) -> Result<Effect, Vec<Refusal>> {
    let refuse =
        |violation, why: &str| Err(vec![Refusal::relationship(TRUNK_RELATIONSHIP, violation).because(why)]);
    let Some(trunk) = case.links.get(TRUNK_RELATIONSHIP).and_then(|linked| linked.records.first()) else {
        return refuse(Violation::Blank, "");
    };
    let Some(attributes) = &trunk.attributes else {
        return refuse(Violation::Invalid, "the account has no such trunk");
    };
    match act_on_trunk(attributes, TrunkAct::Regenerate(case.fresh.clone())) {
        Some(attributes) => Ok(Effect::Change { kind: "voice_out_trunks", id: trunk.id.clone(), attributes }),
        None => refuse(Violation::Invalid, "only a credentials_and_ip trunk has credentials"),
    }
}
