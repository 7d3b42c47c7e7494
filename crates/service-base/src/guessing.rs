//! Limits on guessing credentials.
//!
//! Each failure counts against its source (an IPv4 address, or a /64 of IPv6). A failed login also counts
//! against the name, and against the pair of source and name. A source with too many failures learns nothing
//! more: correct and wrong credentials are refused alike until its wait has passed. Other clients' guesses
//! lock out no legitimate client: a key or token that was correct from a source before is always accepted
//! from it, a name that logged in from a source before is only limited by the failures of that pair, and a
//! name that is under attack from elsewhere stays open to a source that has not failed itself.
//!
//! Bounds: four [`Limiter`]s of 10,000 keys each, and a table of 16,384 numbers. Names and credentials are kept
//! only as keyed hashes.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use didww_types::Timestamp;

use crate::forwarded::origin;
use crate::limiter::Limiter;
use crate::log_limiter::LogLimiter;
use crate::rate::Rate;

/// How many failed authentications are permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuessLimits {
    /// Failures of one source in a minute, which is also the burst; 0 means no limit. The default is 60.
    pub of_source: u32,
    /// Failed logins with one name in a minute from all sources, which is also the burst; 0 means no limit.
    /// The default is 20.
    pub of_name: u32,
}

impl Default for GuessLimits {
    fn default() -> Self {
        Self { of_source: 60, of_name: 20 }
    }
}

/// Failures that are put down to a mistyped password. A source with more of them is held to the limit of the
/// name.
const MAX_TYPING_ERRORS: u32 = 3;

/// Pairs of source and credential that are remembered as correct. A power of two.
const PROVEN_SLOTS: usize = 1 << 14;

static WRONG_CREDENTIALS: LogLimiter = LogLimiter::new("wrong credentials");

/// The network that a credential was sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The source that an address belongs to: an IPv4 address itself, or the /64 of an IPv6 address.
    pub fn of(address: IpAddr) -> Self {
        Self(origin(address))
    }
}

/// The keyed hash of a credential or a name. The key is random and lives as long as its [`GuessLimiter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialHash(u64);

/// Why a credential is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthRefusal {
    /// The credential is wrong, and the source can try again at once.
    Wrong,
    /// The source failed too often, so valid credentials are refused as well. It can try again after this
    /// many seconds.
    TooMany(u64),
}

/// The failures and successes of authentication with one kind of credential.
#[derive(Debug)]
pub struct GuessLimiter {
    limits: GuessLimits,
    /// The kind of credential, for the log.
    what: &'static str,
    sources: Limiter<Source>,
    /// The same failures as in `sources`, with a burst of [`MAX_TYPING_ERRORS`].
    typing_errors: Limiter<Source>,
    names: Limiter<CredentialHash>,
    pairs: Limiter<(Source, CredentialHash)>,
    proven: Proven,
}

impl GuessLimiter {
    /// Creates counters for one kind of credential. `what` names it in the log, such as "API keys and
    /// tokens".
    pub fn new(what: &'static str, limits: GuessLimits) -> Self {
        Self {
            limits,
            what,
            sources: Limiter::default(),
            typing_errors: Limiter::default(),
            names: Limiter::default(),
            pairs: Limiter::default(),
            proven: Proven::new(),
        }
    }

    /// Hashes a credential or a name.
    pub fn hash(&self, sent: impl Hash) -> CredentialHash {
        CredentialHash(self.proven.key.hash_one(sent))
    }

    /// Decides about an API key or a token that was looked up; `right` is whether it is valid. A failure is
    /// counted.
    ///
    /// # Errors
    /// [`AuthRefusal::Wrong`] if it is not valid, and [`AuthRefusal::TooMany`], valid or not, if its source failed
    /// too often.
    pub fn check(
        &self,
        source: Source,
        sent: CredentialHash,
        right: bool,
        now: Timestamp,
    ) -> Result<(), AuthRefusal> {
        // Almost every request has a credential that was correct from its source before: this path takes no
        // lock.
        if right && self.proven.contains(source, sent) {
            return Ok(());
        }
        self.sources.check(&source, self.of_source(), now.as_unix_micros()).map_err(AuthRefusal::TooMany)?;
        if right {
            self.proven.insert(source, sent);
            return Ok(());
        }
        self.failed(source, now);
        Err(AuthRefusal::Wrong)
    }

    /// Checks whether a login with this name may be attempted. Returns whether one succeeded from this source
    /// before.
    ///
    /// # Errors
    /// The number of seconds to wait, if the source or the name has too many failures.
    pub fn may_log_in(&self, source: Source, name: CredentialHash, now: Timestamp) -> Result<bool, u64> {
        let at = now.as_unix_micros();
        self.pairs.check(&(source, name), self.of_name(), at)?;
        if self.proven.contains(source, name) {
            return Ok(true);
        }
        self.sources.check(&source, self.of_source(), at)?;
        let has_few_failures = self.typing_errors.check(&source, self.of_typing_errors(), at).is_ok();
        if !has_few_failures {
            self.names.check(&name, self.of_name(), at)?;
        }
        Ok(false)
    }

    /// Records that an attempted login succeeded.
    pub fn logged_in(&self, source: Source, name: CredentialHash) {
        self.proven.insert(source, name);
    }

    /// Records that an attempted login failed.
    pub fn login_failed(&self, source: Source, name: CredentialHash, now: Timestamp) {
        let at = now.as_unix_micros();
        // A login that was in progress when the limit was reached can exceed it; that is not an error here.
        let _full = self.pairs.admit((source, name), self.of_name(), at);
        let _full = self.names.admit(name, self.of_name(), at);
        self.failed(source, now);
    }

    fn failed(&self, source: Source, now: Timestamp) {
        let at = now.as_unix_micros();
        let _full = self.typing_errors.admit(source, self.of_typing_errors(), at);
        let full = self.sources.admit(source, self.of_source(), at).is_err();
        if WRONG_CREDENTIALS.admits(source, now) {
            let Source(source) = source;
            tracing::warn!(%source, what = self.what, refused_from_now_on = full, "wrong credentials");
        }
    }

    fn of_source(&self) -> Rate {
        Rate::per_minute(self.limits.of_source, self.limits.of_source)
    }

    fn of_name(&self) -> Rate {
        Rate::per_minute(self.limits.of_name, self.limits.of_name)
    }

    fn of_typing_errors(&self) -> Rate {
        Rate::per_minute(self.limits.of_name, MAX_TYPING_ERRORS)
    }
}

/// The pairs of source and credential that were correct: a direct-mapped table, in which a new entry replaces
/// the one with the same slot. Only a client with a correct credential can cause an entry. The table is made for the
/// first one.
struct Proven {
    key: RandomState,
    slots: OnceLock<Box<[AtomicU64]>>,
}

impl std::fmt::Debug for Proven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proven(hidden)")
    }
}

impl Proven {
    fn new() -> Self {
        Self { key: RandomState::new(), slots: OnceLock::new() }
    }

    /// The index of a pair's slot, and the hash that the slot holds if the pair is known.
    fn place(&self, source: Source, sent: CredentialHash) -> (usize, u64) {
        let hash = self.key.hash_one((source, sent));
        (usize::try_from(hash % PROVEN_SLOTS as u64).unwrap_or_default(), hash)
    }

    fn contains(&self, source: Source, sent: CredentialHash) -> bool {
        let (index, hash) = self.place(source, sent);
        let slot = self.slots.get().and_then(|slots| slots.get(index));
        slot.is_some_and(|slot| slot.load(Ordering::Relaxed) == hash)
    }

    fn insert(&self, source: Source, sent: CredentialHash) {
        let (index, hash) = self.place(source, sent);
        let slots = self.slots.get_or_init(|| (0..PROVEN_SLOTS).map(|_| AtomicU64::new(0)).collect());
        if let Some(slot) = slots.get(index) {
            slot.store(hash, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GuessLimits = GuessLimits { of_source: 10, of_name: 5 };

    fn source(last: u8) -> Source {
        Source::of(IpAddr::from([192, 0, 2, last]))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_700_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn a_source_that_failed_too_often_learns_nothing_more_until_its_time_has_passed() {
        let guesses = GuessLimiter::new("keys", LIMITS);
        let take = |key: &str, right, now| guesses.check(source(1), guesses.hash(key), right, at(now));
        assert!((0..10).all(|n| take(&format!("wrong {n}"), false, 0) == Err(AuthRefusal::Wrong)));
        assert_eq!(take("wrong", false, 0), Err(AuthRefusal::TooMany(6)));
        assert_eq!(take("right", true, 0), Err(AuthRefusal::TooMany(6)), "right and wrong are refused alike");
        assert_eq!(
            guesses.check(source(2), guesses.hash("right"), true, at(0)),
            Ok(()),
            "another source is not affected"
        );
        assert_eq!(take("right", true, 6), Ok(()));
        assert_eq!(take("wrong", false, 6), Err(AuthRefusal::Wrong));
        assert_eq!(take("wrong", false, 6), Err(AuthRefusal::TooMany(6)));
        assert_eq!(
            take("right", true, 6),
            Ok(()),
            "a credential that was correct from a source is accepted from it"
        );
    }

    #[test]
    fn a_name_under_attack_stays_open_to_sources_that_did_not_fail() {
        let guesses = GuessLimiter::new("logins", LIMITS);
        let (boss, other) = (guesses.hash("boss"), guesses.hash("other"));
        let may = |of, name, now| guesses.may_log_in(source(of), name, at(now));
        guesses.logged_in(source(9), boss);
        for last in 1..=5 {
            assert_eq!(may(last, boss, 0), Ok(false));
            guesses.login_failed(source(last), boss, at(0));
        }
        assert_eq!(may(9, boss, 0), Ok(true), "a source that was correct before");
        assert_eq!(may(8, boss, 0), Ok(false), "a source without failures may try");
        for _ in 0..3 {
            guesses.login_failed(source(7), other, at(0));
        }
        assert!(may(7, boss, 0).is_err(), "a source that fails with other names may not");
        assert_eq!(may(7, other, 0), Ok(false), "another name is not affected");
        assert_eq!(may(7, boss, 60), Ok(false), "a minute later the failures have expired");
    }

    #[test]
    fn a_source_that_was_correct_once_cannot_guess_without_limit() {
        let guesses = GuessLimiter::new("logins", LIMITS);
        let name = guesses.hash("boss");
        guesses.logged_in(source(1), name);
        for _ in 0..5 {
            assert_eq!(guesses.may_log_in(source(1), name, at(0)), Ok(true));
            guesses.login_failed(source(1), name, at(0));
        }
        assert_eq!(guesses.may_log_in(source(1), name, at(0)), Err(12));
        assert_eq!(guesses.may_log_in(source(1), name, at(12)), Ok(true));
        assert_eq!(guesses.may_log_in(source(2), name, at(0)), Ok(false));
    }

    #[test]
    fn the_addresses_of_one_subscriber_are_one_source() {
        let guesses = GuessLimiter::new("keys", LIMITS);
        let of = |text: &str| Source::of(text.parse().unwrap());
        for n in 0..10 {
            let _wrong = guesses.check(of(&format!("2001:db8::{n}")), guesses.hash(n), false, at(0));
        }
        assert!(matches!(
            guesses.check(of("2001:db8::ffff"), guesses.hash(0), false, at(0)),
            Err(AuthRefusal::TooMany(_))
        ));
        assert_eq!(
            guesses.check(of("2001:db8:0:1::1"), guesses.hash(0), false, at(0)),
            Err(AuthRefusal::Wrong)
        );
    }

    #[test]
    fn zero_is_no_limit() {
        let guesses = GuessLimiter::new("keys", GuessLimits { of_source: 0, of_name: 0 });
        assert!(
            (0..100)
                .all(|n| guesses.check(source(1), guesses.hash(n), false, at(0)) == Err(AuthRefusal::Wrong))
        );
        assert_eq!(guesses.may_log_in(source(1), guesses.hash("a"), at(0)), Ok(false));
    }

    #[test]
    fn a_clock_that_steps_back_locks_no_source_out() {
        let guesses = GuessLimiter::new("keys", LIMITS);
        let take = |right, now| guesses.check(source(1), guesses.hash("key"), right, at(now));
        for _ in 0..10 {
            assert_eq!(take(false, 3_600), Err(AuthRefusal::Wrong));
        }
        assert_eq!(take(true, 0), Err(AuthRefusal::TooMany(6)));
        assert_eq!(take(true, 60), Ok(()));
    }
}
