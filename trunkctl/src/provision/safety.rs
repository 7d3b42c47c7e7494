//! Limits that stop a plan which changes or deletes too much, as octoDNS has them.

use super::action::{Action, Operation};
use super::plan::Plan;

/// The largest shares of the records of a type that may change or be deleted without being forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The share of updates in percent.
    pub updates: u32,
    /// The share of deletions in percent.
    pub deletes: u32,
}

impl Default for Limits {
    /// 30 % of both.
    fn default() -> Self {
        Self { updates: 30, deletes: 30 }
    }
}

/// The smallest number of records of a type to which the limits apply: with fewer, a share means little.
const MIN_RECORDS: usize = 10;

/// Returns the limits that a plan exceeds, in sentences.
pub fn check(plan: &Plan, limits: Limits) -> Vec<String> {
    let mut exceeded = Vec::new();
    for (kind, existing) in plan.existing.iter().filter(|(_, existing)| **existing >= MIN_RECORDS) {
        for (operation, most, word) in
            [(Operation::Update, limits.updates, "changes"), (Operation::Delete, limits.deletes, "deletes")]
        {
            let of_type = |action: &&Action| action.kind == *kind && action.operation == operation;
            let count = plan.actions.iter().filter(of_type).count();
            if u128::try_from(count).unwrap_or_default() * 100
                > u128::from(most) * u128::try_from(*existing).unwrap_or_default()
            {
                exceeded.push(format!("the plan {word} {count} of {existing} {kind}, more than {most} %"));
            }
        }
    }
    exceeded
}
