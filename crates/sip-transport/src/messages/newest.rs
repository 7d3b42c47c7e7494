//! The newest of many messages, as they are examined one after the other.
//!
//! Bounds: the requested messages, and [`SURPLUS`] more until the older ones are next dropped.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use super::message::Message;

/// Maximum number of messages that are kept beside the newest. With more of them, the newest are selected less often.
const SURPLUS: usize = 1_024;

/// The newest of the messages that were added, each with its `Call-ID`.
pub(super) struct Newest {
    most: usize,
    found: Vec<(Arc<str>, Message)>,
}

impl Newest {
    /// Keeps at most this many messages.
    pub(super) fn new(most: usize) -> Self {
        Self { most, found: Vec::new() }
    }

    pub(super) fn add(&mut self, call_id: &Arc<str>, message: Message) {
        self.found.push((Arc::clone(call_id), message));
        if self.found.len() > self.most.saturating_add(SURPLUS) {
            self.drop_older();
        }
    }

    /// Returns the messages, the newest first.
    pub(super) fn sorted(mut self) -> Vec<(Arc<str>, Message)> {
        self.drop_older();
        self.found.sort_by_key(age);
        self.found
    }

    fn drop_older(&mut self) {
        if self.found.len() > self.most {
            // All before this place are newer than those after it.
            self.found.select_nth_unstable_by_key(self.most, age);
            self.found.truncate(self.most);
        }
    }
}

fn age((_, message): &(Arc<str>, Message)) -> Reverse<Duration> {
    Reverse(message.elapsed)
}
