//! Which calls may go on while nothing can be written: no price of theirs could be kept.

use std::time::Duration;

/// Whether calls can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recording {
    /// What calls cost is written.
    #[default]
    Works,
    /// Nothing has been written for so long.
    FailsFor(Duration),
}

impl Recording {
    /// Whether a call that is not an emergency call may come in. One of a trunk with a threshold may not, for its
    /// spending could not be kept; others may for a set time.
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
