//! The progress of the renewals of an account.

use didww_types::Timestamp;
use serde::{Deserialize, Serialize};
use service_core::jobs::JobError;

/// The types of records that are renewed, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    #[default]
    Dids,
    Pools,
    Services,
}

/// A pass over all records of an account that are renewed, beginning with those that are overdue for the longest time.
/// With many records it takes several runs, which follow each other at once; between them it is the payload of the job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pass {
    pub(super) stage: Stage,
    /// Number of records at the beginning of the stage's order that the pass has decided and that stay there: those
    /// that could not be paid, and those that are never charged.
    passed: u64,
    /// The earliest time at which a decided record is due again.
    next: Option<Timestamp>,
}

impl Pass {
    /// The pass in the payload of a job; a new one, if there is none.
    pub(super) fn of(payload: &str) -> Self {
        serde_json::from_str(payload).unwrap_or_default()
    }

    /// The payload with which the pass continues.
    pub(super) fn payload(&self) -> Result<String, JobError> {
        serde_json::to_string(self).map_err(|error| JobError::Failed(error.to_string()))
    }

    /// The number of records to skip.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Skips a record that stays at its position in the order.
    pub(super) fn pass(&mut self) {
        self.passed += 1;
    }

    /// Records that a renewal is due at a time.
    pub(super) fn note(&mut self, due_at: Timestamp) {
        self.next = Some(self.next.map_or(due_at, |next| next.min(due_at)));
    }

    /// The earliest of the recorded times, at the latest `at_most`.
    pub(super) fn next(&self, at_most: Timestamp) -> Timestamp {
        self.next.map_or(at_most, |next| next.min(at_most))
    }

    /// Continues with the next stage. Returns false if there is none.
    pub(super) fn end_stage(&mut self) -> bool {
        let next = match self.stage {
            Stage::Dids => Stage::Pools,
            Stage::Pools => Stage::Services,
            Stage::Services => return false,
        };
        (self.stage, self.passed) = (next, 0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_goes_on_where_its_payload_says_and_anything_else_begins_one() {
        let mut pass = Pass::of("null");
        assert_eq!(pass, Pass::default());
        pass.pass();
        pass.pass();
        for at in [5_000, 3_000, 4_000] {
            pass.note(Timestamp::from_unix_millis(at));
        }
        let again = Pass::of(&pass.payload().unwrap());
        assert_eq!(again, pass);
        assert_eq!((again.passed(), again.stage), (2, Stage::Dids));
        assert_eq!(again.next(Timestamp::from_unix_millis(9_000)), Timestamp::from_unix_millis(3_000));
        assert_eq!(again.next(Timestamp::from_unix_millis(1)), Timestamp::from_unix_millis(1));
        assert_eq!(Pass::of("[7]"), Pass::default());
    }

    #[test]
    fn each_stage_begins_at_its_beginning() {
        let mut pass = Pass::default();
        for stage in [Stage::Pools, Stage::Services] {
            pass.pass();
            assert!(pass.end_stage());
            assert_eq!((pass.stage, pass.passed()), (stage, 0));
        }
        assert!(!pass.end_stage());
    }
}
