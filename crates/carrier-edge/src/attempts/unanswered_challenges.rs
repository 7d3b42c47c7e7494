//! Finds challenges that are never answered: a client without credentials, or one that ignores the realm, leaves
//! nothing else behind.
//!
//! Bounded: 4,096 challenges of known sources and as many of unknown ones wait at a time; the oldest is forgotten when
//! there are more.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;

/// The time after which a challenge counts as unanswered. A client with credentials answers at once.
pub(crate) const CHALLENGE_ANSWER_TIME: Duration = Duration::from_secs(5);
/// Limit of challenges that wait for an answer, of known and of unknown sources each.
const MAX_WAITING: usize = 4_096;
/// The limit of bytes of a `Call-ID` that is kept.
pub(crate) const MAX_CALL_ID_BYTES: usize = 256;

/// Challenges that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct UnansweredChallenges {
    key: RandomState,
    known: Mutex<Waiting>,
    unknown: Mutex<Waiting>,
}

/// A challenge that was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnansweredChallenge {
    pub(crate) call_id: Box<str>,
    pub(crate) source: SocketAddr,
    pub(crate) transport: &'static str,
    /// The response code of the challenge.
    pub(crate) code: u16,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By the hash of source address and `Call-ID`, with the number in `order`.
    by_call: HashMap<u64, (u64, UnansweredChallenge)>,
    /// Number, due time and key of each challenge, oldest first. It keeps those that were answered until they are due.
    order: VecDeque<(u64, Timestamp, u64)>,
    latest: u64,
}

impl UnansweredChallenges {
    /// Records a challenge that was sent at `now`.
    pub(crate) fn sent(&self, challenge: UnansweredChallenge, is_known: bool, now: Timestamp) {
        if challenge.call_id.len() > MAX_CALL_ID_BYTES {
            return;
        }
        let key = self.key(challenge.source.ip(), challenge.call_id.as_bytes());
        let waiting = if is_known { &self.known } else { &self.unknown };
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.order.len() >= MAX_WAITING {
            waiting.forget_oldest();
        }
        waiting.latest += 1;
        let number = waiting.latest;
        waiting.order.push_back((number, now.after(CHALLENGE_ANSWER_TIME), key));
        waiting.by_call.insert(key, (number, challenge));
    }

    /// Records that a call was repeated with a digest.
    pub(crate) fn answered(&self, source: IpAddr, call_id: &[u8]) {
        let key = self.key(source, call_id);
        for waiting in [&self.known, &self.unknown] {
            waiting.lock().unwrap_or_else(PoisonError::into_inner).by_call.remove(&key);
        }
    }

    /// Removes and returns the challenges whose time has passed.
    pub(crate) fn take_due(&self, now: Timestamp) -> Vec<UnansweredChallenge> {
        let mut due = Vec::new();
        for waiting in [&self.known, &self.unknown] {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            while waiting.order.front().is_some_and(|(_, at, _)| *at <= now) {
                due.extend(waiting.forget_oldest());
            }
        }
        due
    }

    fn key(&self, source: IpAddr, call_id: &[u8]) -> u64 {
        self.key.hash_one((source, call_id))
    }
}

impl Waiting {
    /// Removes the oldest challenge. Returns it if it was not answered, and not sent again.
    fn forget_oldest(&mut self) -> Option<UnansweredChallenge> {
        let (number, _, key) = self.order.pop_front()?;
        self.by_call.get(&key).filter(|(latest, _)| *latest == number)?;
        self.by_call.remove(&key).map(|(_, challenge)| challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(call_id: &str) -> UnansweredChallenge {
        let source = "192.0.2.1:5060".parse().unwrap();
        UnansweredChallenge { call_id: call_id.into(), source, transport: "udp", code: 401 }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1_000)
    }

    #[test]
    fn a_challenge_is_unanswered_after_five_seconds_unless_the_call_came_again() {
        let challenges = UnansweredChallenges::default();
        let source = "192.0.2.1".parse().unwrap();
        for (call_id, is_known) in [("answered", true), ("unanswered", true), ("stranger", false)] {
            challenges.sent(challenge(call_id), is_known, at(0));
        }
        challenges.answered(source, b"answered");
        challenges.sent(challenge("unanswered"), true, at(1));
        assert_eq!(challenges.take_due(at(4)), []);
        assert_eq!(challenges.take_due(at(5)), [challenge("stranger")]);
        assert_eq!(challenges.take_due(at(6)), [challenge("unanswered")], "once, after its second challenge");
        assert_eq!(challenges.take_due(at(60)), []);
    }

    #[test]
    fn a_flood_of_strangers_is_bounded_and_forgets_no_known_source() {
        let challenges = UnansweredChallenges::default();
        challenges.sent(challenge("known"), true, at(0));
        for number in 0..3 * MAX_WAITING {
            challenges.sent(challenge(&number.to_string()), false, at(0));
        }
        let due = challenges.take_due(at(5));
        assert_eq!((due.len(), &*due[0].call_id), (MAX_WAITING + 1, "known"));
    }
}
