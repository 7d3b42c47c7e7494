//! Decides which calls are admitted while their charges cannot be stored.

use std::time::Duration;

/// Whether the charges of calls can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recording {
    /// Charges are stored, so every call can be admitted.
    #[default]
    Works,
    /// Writes have failed for this long.
    FailsFor(Duration),
}

impl Recording {
    /// Whether an ordinary call may be admitted. While writes fail, a call on a trunk with a threshold is
    /// refused at once, because its spending would not be counted; other calls are admitted for `grace`.
    /// Emergency calls are not subject to this check.
    pub fn admits(self, has_threshold: bool, grace: Duration) -> bool {
        match self {
            Self::Works => true,
            Self::FailsFor(_) if has_threshold => false,
            Self::FailsFor(time) => time < grace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_trunks_with_a_threshold_are_refused_at_once_and_others_after_a_set_time() {
        let grace = Duration::from_mins(5);
        for (recording, with_threshold, without) in [
            (Recording::Works, true, true),
            (Recording::FailsFor(Duration::ZERO), false, true),
            (Recording::FailsFor(Duration::from_secs(299)), false, true),
            (Recording::FailsFor(grace), false, false),
        ] {
            assert_eq!(recording.admits(true, grace), with_threshold, "{recording:?}");
            assert_eq!(recording.admits(false, grace), without, "{recording:?}");
        }
    }
}
