//! The recent attempts, for an operator who looks for the reason why a call did not go through.
//!
//! Every INVITE that was admitted, refused or challenged, every end of a call, every challenge without an answer and
//! every message that could not be read is entered here, with the same sentence as in the log, the call record,
//! `X-Refusal` and `explain`. There are two rings: one for attempts whose trunk is proven, one for all others, so that
//! a flood from unknown sources does not push out a customer's entries. The rings are kept in memory only.
//!
//! Bounds: each ring has a limit of entries and of bytes, and no account (of unowned attempts: no prefix of source
//! addresses) has more than a quarter of either ([`ring`]). Of unowned attempts 10 a second from one prefix and 1,000
//! a second in all are entered, the others are counted as omitted. Followers share a queue of 1,024 entries; a
//! follower that is further behind learns how many it missed.

mod event;
mod query;
mod ring;
mod unanswered_challenges;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use didww_types::Timestamp;
use service_base::buckets::{Bucket, Buckets};
use service_base::clock::Stopwatch;
use service_base::rate::Rate;
use tokio::sync::broadcast;

use ring::{Ring, RingLimits};

pub use event::{AttemptEvent, AttemptOutcome};
pub use query::AttemptQuery;

pub(crate) use event::{Explanation, Facts, Message, Reason, transport_name};
pub(crate) use unanswered_challenges::{
    CHALLENGE_ANSWER_TIME, MAX_CALL_ID_BYTES, UnansweredChallenge, UnansweredChallenges,
};

/// Limits of the ring of attempts whose trunk is proven.
const OWNED_LIMITS: RingLimits = RingLimits { entries: 10_000, bytes: 8 << 20 };
/// Limits of the ring of all other attempts.
const UNOWNED_LIMITS: RingLimits = RingLimits { entries: 10_000, bytes: 8 << 20 };
/// Entries that are kept for the slowest follower; it loses the oldest beyond that.
const FOLLOWED_ENTRIES: usize = 1_024;
/// Rate of unowned attempts that are entered from one prefix, a `/24` of IPv4 or a `/48` of IPv6, in one of the two
/// buckets that it draws on: together 10 a second, and 40 at once.
const PREFIX_RATE: Rate = Rate::per_second(5, 20);
/// Rate of unowned attempts that are entered from all sources together.
const TOTAL_RATE: Rate = Rate::per_second(1_000, 1_000);

/// The two rings of recent attempts.
#[derive(Debug)]
pub(crate) struct Attempts {
    rings: Mutex<Rings>,
    /// Made for the first follower.
    followers: OnceLock<broadcast::Sender<Arc<AttemptEvent>>>,
    /// The time of the rates: not the clock's, which a tester can freeze.
    running: Stopwatch,
    prefix_rates: Buckets,
    total_rate: Bucket,
    omitted: AtomicU64,
}

#[derive(Debug)]
struct Rings {
    /// The number of the latest entry.
    latest: u64,
    owned: Ring,
    unowned: Ring,
}

impl Default for Attempts {
    fn default() -> Self {
        let rings = Rings { latest: 0, owned: Ring::new(OWNED_LIMITS), unowned: Ring::new(UNOWNED_LIMITS) };
        Self {
            rings: Mutex::new(rings),
            followers: OnceLock::new(),
            running: Stopwatch::start(),
            prefix_rates: Buckets::new(PREFIX_RATE),
            total_rate: Bucket::default(),
            omitted: AtomicU64::new(0),
        }
    }
}

impl Attempts {
    /// Enters an event. It belongs to the account of its trunk if the trunk is proven, and to no account otherwise.
    /// Returns false if it has no owner and there were too many of those.
    pub(crate) fn enter(&self, facts: Facts<'_>, now: Timestamp) -> bool {
        let owner = facts.owner();
        let share = owner.map_or_else(|| prefix(facts.message.source.ip()), i64::cast_unsigned);
        if owner.is_none() && !self.may_enter(share) {
            self.omitted.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        // Its texts are copied outside of the lock, for which all other attempts wait.
        let mut event = facts.into_event(owner, now);
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.latest += 1;
        event.number = rings.latest;
        let event = Arc::new(event);
        let ring = if owner.is_some() { &mut rings.owned } else { &mut rings.unowned };
        ring.push(share, Arc::clone(&event));
        // Within the lock, so that followers receive the entries in the order of their numbers.
        if let Some(followers) = self.followers.get() {
            let _no_follower = followers.send(event);
        }
        true
    }

    fn may_enter(&self, prefix: u64) -> bool {
        let now = i64::try_from(self.running.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.prefix_rates.take(prefix, now) && self.total_rate.take(TOTAL_RATE, now)
    }

    /// The entries that match a query, newest first.
    pub(crate) fn list(&self, query: &AttemptQuery) -> Vec<Arc<AttemptEvent>> {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut owned, mut unowned) = (rings.owned.newest().peekable(), rings.unowned.newest().peekable());
        let merged = std::iter::from_fn(|| {
            let number = |event: Option<&&Arc<AttemptEvent>>| event.map(|event| event.number);
            if number(owned.peek()) > number(unowned.peek()) { owned.next() } else { unowned.next() }
        });
        merged.filter(|event| query.matches(event)).take(query.limit()).cloned().collect()
    }

    /// Subscribes to the entries from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Arc<AttemptEvent>> {
        self.followers.get_or_init(|| broadcast::channel(FOLLOWED_ENTRIES).0).subscribe()
    }

    /// How many unowned attempts were not entered because there were too many.
    pub(crate) fn omitted(&self) -> u64 {
        self.omitted.load(Ordering::Relaxed)
    }
}

/// The prefix whose addresses share a rate and a share of the ring: a `/24` of IPv4 or a `/48` of IPv6.
pub(crate) fn prefix(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V4(v4) => u64::from(u32::from(v4) >> 8),
        IpAddr::V6(v6) => (u64::try_from(u128::from(v6) >> 80).unwrap_or_default()) | 1 << 63,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(source: &str, call_id: &'static str) -> Message<'static> {
        Message {
            call_id: call_id.into(),
            source: format!("{source}:5060").parse().unwrap(),
            transport: "udp",
        }
    }

    fn stranger(source: &str, call_id: &'static str) -> Facts<'static> {
        Facts {
            message: message(source, call_id),
            outcome: AttemptOutcome::Refused,
            trunk: None,
            is_proven: false,
            reason: Reason::default(),
            explanation: "no trunk allows the address".into(),
            no_audio: None,
        }
    }

    #[test]
    fn both_rings_are_listed_together_newest_first_and_filtered() {
        let attempts = Attempts::default();
        for (number, call_id) in ["a", "b", "c"].into_iter().enumerate() {
            let at = Timestamp::from_unix_millis(i64::try_from(number).unwrap());
            assert!(attempts.enter(stranger("192.0.2.1", call_id), at));
        }
        let listed = |query: AttemptQuery| {
            let found = attempts.list(&query);
            found.iter().map(|event| event.call_id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(listed(AttemptQuery::default()), ["c", "b", "a"]);
        assert_eq!(listed(AttemptQuery { limit: Some(1), ..AttemptQuery::default() }), ["c"]);
        let since = Some(Timestamp::from_unix_millis(1));
        let until = Some(Timestamp::from_unix_millis(2));
        assert_eq!(listed(AttemptQuery { since, until, ..AttemptQuery::default() }), ["b"]);
        let source = Some("192.0.2.2".parse().unwrap());
        assert!(listed(AttemptQuery { source, ..AttemptQuery::default() }).is_empty());
    }

    #[test]
    fn entries_are_numbered_from_one_and_their_call_ids_are_printable_and_cut() {
        let attempts = Attempts::default();
        let long: &'static str = "ü".repeat(300).leak();
        for call_id in ["plain 1@host", "a\r\nb\u{7f}", long] {
            assert!(attempts.enter(stranger("192.0.2.1", call_id), Timestamp::from_unix_millis(0)));
        }
        let listed = attempts.list(&AttemptQuery::default());
        let found: Vec<(u64, &str)> =
            listed.iter().rev().map(|event| (event.number, event.call_id.as_str())).collect();
        assert_eq!(found, [(1, "plain 1@host"), (2, "a??b?"), (3, "ü".repeat(256).as_str())]);
    }

    #[test]
    fn of_a_flood_from_one_network_a_few_are_entered_and_another_network_still_is() {
        let attempts = Attempts::default();
        let now = Timestamp::from_unix_millis(0);
        for _ in 0..1_000 {
            attempts.enter(stranger("192.0.2.1", "flood"), now);
        }
        // A burst of 40 is entered, and what drains meanwhile.
        assert!(attempts.omitted() >= 930, "{}", attempts.omitted());
        assert!(attempts.enter(stranger("198.51.100.1", "other"), now));
        assert_eq!(attempts.list(&AttemptQuery::default())[0].call_id, "other");
    }

    #[test]
    fn attempts_are_entered_while_a_tester_has_frozen_the_clock() {
        let attempts = Attempts::default();
        let frozen = Timestamp::from_unix_millis(0);
        let enter = || attempts.enter(stranger("192.0.2.1", "frozen"), frozen);
        while enter() {}
        // Each of the two buckets of a prefix drains by one in 200 milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(250));
        assert!(enter());
    }
}
