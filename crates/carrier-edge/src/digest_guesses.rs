//! Counts wrong digests by source and by username, so that guessing is slow and no legitimate caller is
//! locked out.
//!
//! A source (an IPv4 address, or a /64 of IPv6) may send 20 wrong digests a minute, or 3 for a username that
//! had 200 from all sources in that minute. Beyond that one digest a second is verified, and the others are
//! not answered. A digest from a source that proved the same username before is always verified: an attacker
//! who forges that source's address can make answers to its wrong digests rare, but cannot block its valid
//! ones. No username is ever closed to a source that has attempts left.
//!
//! Digests whose nonce was issued to their source are counted apart from all others. A sender with a forged address
//! receives none of the nonces that are issued to it, so its wrong digests do not use up what the owner of the address
//! may send; a source that sends both kinds may send twice as many.
//!
//! There is a table for each kind. It has 16,384 slots of 32 bytes, selected by a keyed hash. A key takes over a slot
//! from an earlier minute, and shares a slot that another key uses in the same minute. A table is made for its first
//! digest of a source that has not proved its username.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use service_base::forwarded::origin;

use super::proofs::Proofs;

/// The size of a table.
const SLOTS: usize = 16_384;
const MINUTE_SECONDS: u64 = 60;
/// Limit of wrong digests per source and minute.
const MAX_WRONG_PER_SOURCE: u32 = 20;
/// The number of wrong digests for a username in a minute from which on the username counts as under attack.
const USERNAME_ATTACK_THRESHOLD: u32 = 200;
/// Limit of wrong digests per source and minute for a username under attack.
const MAX_WRONG_PER_SOURCE_UNDER_ATTACK: u32 = 3;
/// The interval at which a source beyond its limit has a digest verified.
const EXTRA_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The counts of wrong digests by source and by username.
#[derive(Debug, Default)]
pub(crate) struct GuessLimiter {
    key: RandomState,
    /// The counts of digests whose nonce was issued to their source.
    bound: Mutex<Table>,
    /// The counts of all others, which senders with forged addresses can fill.
    unbound: Mutex<Table>,
}

/// Slots by the hash of their key. Empty until they are first needed.
type Table = Box<[Slot]>;

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    minute: u64,
    wrong: u32,
    /// When a digest beyond the limit was last verified, as a reading of the stopwatch.
    last_extra_check: Option<Duration>,
}

/// A digest whose username is known and whose response is not verified yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DigestAttempt<'a> {
    pub source: IpAddr,
    pub username: &'a [u8],
    /// Whether its nonce was issued to its source.
    pub is_bound: bool,
    pub now: Timestamp,
    /// A reading of the stopwatch, by which wrong digests are counted: a tester can freeze the clock.
    pub running: Duration,
}

/// How a wrong digest is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrongDigest {
    /// With a challenge, as any caller without a valid digest.
    Answered,
    /// With a challenge; the limit of this minute is reached.
    LimitReached,
    /// Not at all: the limit was reached before.
    Unanswered,
}

impl GuessLimiter {
    /// Returns true if a digest may be verified.
    pub(crate) fn may_verify(&self, digest: DigestAttempt<'_>, proofs: &Proofs) -> bool {
        if proofs.contains((digest.source, digest.username), digest.now) {
            return true;
        }
        let mut slots = self.table_of(digest);
        let limit = self.limit(&mut slots, digest);
        self.slot(&mut slots, origin(digest.source), digest.running)
            .is_none_or(|slot| slot.has_room(limit, digest.running))
    }

    /// Counts a wrong digest, and decides how it is answered.
    pub(crate) fn count_wrong(&self, digest: DigestAttempt<'_>, proofs: &Proofs) -> WrongDigest {
        let mut slots = self.table_of(digest);
        if let Some(slot) = self.slot(&mut slots, digest.username, digest.running) {
            slot.wrong = slot.wrong.saturating_add(1);
        }
        let limit = self.limit(&mut slots, digest);
        let Some(slot) = self.slot(&mut slots, origin(digest.source), digest.running) else {
            return WrongDigest::Answered;
        };
        slot.wrong = slot.wrong.saturating_add(1);
        if slot.wrong == limit {
            return WrongDigest::LimitReached;
        }
        // A digest beyond the limit that `may_verify` has passed is answered; it was counted there.
        let is_certain = slot.wrong < limit || !proofs.contains((digest.source, digest.username), digest.now);
        if is_certain || slot.has_room(limit, digest.running) {
            WrongDigest::Answered
        } else {
            WrongDigest::Unanswered
        }
    }

    /// The limit of wrong digests for this source and username.
    fn limit(&self, slots: &mut [Slot], digest: DigestAttempt<'_>) -> u32 {
        let under_attack = self
            .slot(slots, digest.username, digest.running)
            .is_some_and(|slot| slot.wrong >= USERNAME_ATTACK_THRESHOLD);
        if under_attack { MAX_WRONG_PER_SOURCE_UNDER_ATTACK } else { MAX_WRONG_PER_SOURCE }
    }

    fn slot<'p>(&self, slots: &'p mut [Slot], key: impl Hash, running: Duration) -> Option<&'p mut Slot> {
        let minute = running.as_secs() / MINUTE_SECONDS;
        let at = usize::try_from(self.key.hash_one(key) % SLOTS as u64).unwrap_or_default();
        let slot = slots.get_mut(at)?;
        if slot.minute != minute {
            *slot = Slot { minute, ..Slot::default() };
        }
        Some(slot)
    }

    fn table_of(&self, digest: DigestAttempt<'_>) -> MutexGuard<'_, Table> {
        let table = if digest.is_bound { &self.bound } else { &self.unbound };
        let mut slots = table.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.is_empty() {
            *slots = vec![Slot::default(); SLOTS].into();
        }
        slots
    }
}

impl Slot {
    fn has_room(&mut self, limit: u32, running: Duration) -> bool {
        if self.wrong < limit {
            return true;
        }
        let is_due =
            self.last_extra_check.is_none_or(|last| running.saturating_sub(last) >= EXTRA_CHECK_INTERVAL);
        if is_due {
            self.last_extra_check = Some(running);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(source: &str, name: &'static str, millis: i64) -> DigestAttempt<'static> {
        let now = Timestamp::from_unix_millis(1_000_000_020_000 + millis);
        let running = Duration::from_millis(u64::try_from(now.as_unix_millis()).unwrap());
        let (source, username) = (source.parse().unwrap(), name.as_bytes());
        DigestAttempt { source, username, is_bound: true, now, running }
    }

    /// How many of `count` wrong digests, `every` milliseconds apart, are verified.
    fn verified(
        guesses: &GuessLimiter,
        proofs: &Proofs,
        count: i64,
        every: i64,
        attempt: DigestAttempt<'static>,
    ) -> usize {
        let passed = (0..count).filter(|at| {
            let running = attempt.running + Duration::from_millis(u64::try_from(at * every).unwrap());
            let next = DigestAttempt { running, ..attempt };
            let may_verify = guesses.may_verify(next, proofs);
            if may_verify {
                guesses.count_wrong(next, proofs);
            }
            may_verify
        });
        passed.count()
    }

    #[test]
    fn a_source_has_twenty_a_minute_and_then_one_a_second() {
        let (guesses, proofs) = (GuessLimiter::default(), Proofs::default());
        assert_eq!(verified(&guesses, &proofs, 5_000, 0, digest("192.0.2.1", "a", 0)), 21);
        assert_eq!(verified(&guesses, &proofs, 5_000, 1, digest("192.0.2.1", "a", 1_000)), 5);
        assert_eq!(
            verified(&guesses, &proofs, 20, 0, digest("192.0.2.2", "b", 0)),
            20,
            "others have their own"
        );
        assert_eq!(
            verified(&guesses, &proofs, 20, 0, digest("192.0.2.1", "a", 60_000)),
            20,
            "and the next minute"
        );
    }

    #[test]
    fn the_addresses_of_a_network_of_ipv6_count_together() {
        let (guesses, proofs) = (GuessLimiter::default(), Proofs::default());
        assert_eq!(verified(&guesses, &proofs, 500, 0, digest("2001:db8::1", "a", 0)), 21);
        assert_eq!(verified(&guesses, &proofs, 500, 0, digest("2001:db8::2", "a", 0)), 0);
        assert_eq!(verified(&guesses, &proofs, 20, 0, digest("2001:db8:0:1::1", "a", 0)), 20);
    }

    #[test]
    fn a_name_under_attack_leaves_every_source_some_tries_and_the_one_that_proved_itself_all() {
        let (guesses, proofs) = (GuessLimiter::default(), Proofs::default());
        for host in 0..100 {
            let source = format!("198.51.100.{host}");
            verified(&guesses, &proofs, 10, 0, digest(&source, "a", 0));
        }
        assert!(guesses.may_verify(digest("203.0.113.1", "a", 0), &proofs), "the first digest is verified");
        assert!(verified(&guesses, &proofs, 100, 0, digest("203.0.113.1", "a", 0)) <= 4);
        let owner = digest("203.0.113.9", "a", 0);
        proofs.insert((owner.source, owner.username), owner.now);
        let unanswered =
            (0..100).filter(|_| guesses.count_wrong(owner, &proofs) == WrongDigest::Unanswered).count();
        assert!(unanswered > 90, "answers to wrong digests get rare for every source: {unanswered}");
        assert!(
            (0..100).all(|_| guesses.may_verify(owner, &proofs)),
            "the valid digest is verified among them"
        );
    }

    #[test]
    fn digests_that_may_come_from_forged_addresses_use_up_no_attempt_of_others() {
        let (guesses, proofs) = (GuessLimiter::default(), Proofs::default());
        let owner = digest("192.0.2.1", "a", 0);
        let forged = DigestAttempt { is_bound: false, ..owner };
        assert_eq!(verified(&guesses, &proofs, 5_000, 0, forged), 21, "they are limited too");
        for host in 0..100 {
            let forged = DigestAttempt { source: IpAddr::from([198, 51, 100, host]), ..forged };
            verified(&guesses, &proofs, 10, 0, forged);
        }
        assert!(!guesses.may_verify(forged, &proofs));
        assert_eq!(verified(&guesses, &proofs, 20, 0, owner), 20);
    }

    #[test]
    fn reaching_the_limit_is_reported_once_a_minute() {
        let (guesses, proofs) = (GuessLimiter::default(), Proofs::default());
        let last = |millis| {
            let wrong = |_: &i64| {
                guesses.count_wrong(digest("192.0.2.1", "a", millis), &proofs) == WrongDigest::LimitReached
            };
            (0..500).filter(wrong).count()
        };
        assert_eq!([last(0), last(30_000), last(60_000)], [1, 0, 1]);
    }

    #[test]
    fn a_clock_that_goes_back_or_that_a_tester_has_frozen_locks_no_source_out() {
        let (guesses, proofs) = (GuessLimiter::default(), Proofs::default());
        verified(&guesses, &proofs, 100, 0, digest("192.0.2.1", "a", 3_600_000));
        for now in [0, 3_600_000].map(|millis| digest("192.0.2.1", "a", millis).now) {
            let later = DigestAttempt { now, ..digest("192.0.2.1", "a", 3_661_000) };
            assert!(guesses.may_verify(later, &proofs));
        }
        let frozen = digest("192.0.2.2", "b", 0);
        assert_eq!(verified(&guesses, &proofs, 30, 0, frozen), 21);
        assert_eq!(verified(&guesses, &proofs, 5_000, 1, frozen), 4, "one a second");
        let a_minute_later = DigestAttempt { running: digest("192.0.2.2", "b", 60_000).running, ..frozen };
        assert_eq!(verified(&guesses, &proofs, 20, 0, a_minute_later), 20);
    }
}
