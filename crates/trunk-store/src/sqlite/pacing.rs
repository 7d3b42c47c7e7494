//! How long the writer waits for more writes before it commits a group.
//!
//! Most of what a commit costs does not depend on the number of its writes: a flush, and the pages that every write changes. The
//! callers of a group are answered at the same time, and those that write again do so within a fraction of a commit. The
//! first of them would have a commit to itself, for which all others wait. So a group that has fewer writes than there were
//! callers when the last one was committed waits once, for a part of the time that a commit takes. A single caller, and callers
//! that come one after the other, never wait.

use std::time::Duration;

/// The part of the last commit's time.
const PART: u32 = 4;
/// The longest wait, for disks on which a flush takes long.
const LONGEST: Duration = Duration::from_micros(250);
/// The shortest wait: to sleep takes about as long.
const SHORTEST: Duration = Duration::from_micros(30);

/// What the last commit was like.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    callers: u64,
    took: Duration,
}

impl Pacing {
    /// Notes a commit: the number of its writes, of those that waited when it was durable, and how long it took.
    pub(super) fn committed(&mut self, writes: usize, waiting: u64, took: Duration) {
        *self = Self { callers: waiting.saturating_add(writes as u64), took };
    }

    /// How long a group of so many writes waits for more; `None` if it does not.
    pub(super) fn wait(&self, writes: usize) -> Option<Duration> {
        let wait = (self.took / PART).min(LONGEST);
        ((writes as u64) < self.callers && wait >= SHORTEST).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(writes: usize, waiting: u64, took: u64) -> Pacing {
        let mut pacing = Pacing::default();
        pacing.committed(writes, waiting, Duration::from_micros(took));
        pacing
    }

    #[test]
    fn a_group_waits_for_as_many_writes_as_there_were_callers() {
        let pacing = after(3, 5, 400);
        let waits = [1, 7, 8, 9].map(|writes| pacing.wait(writes).map(|wait| wait.as_micros()));
        assert_eq!(waits, [Some(100), Some(100), None, None]);
    }

    #[test]
    fn a_single_caller_never_waits() {
        assert_eq!(Pacing::default().wait(1), None);
        assert_eq!(after(1, 0, 400).wait(1), None);
    }

    #[test]
    fn a_wait_is_bounded_and_a_short_one_is_left_out() {
        assert_eq!(after(2, 0, 60_000).wait(1), Some(LONGEST));
        assert_eq!(after(2, 0, 100).wait(1), None);
    }
}
