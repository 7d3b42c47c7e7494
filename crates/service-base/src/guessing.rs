//! Wrong credentials: how many of them are listened to.
//!
//! Each failure is counted for its source (an IPv4 address, a /64 of IPv6) and, where somebody logs in, for the name and
//! for the two together. A source that failed too often learns nothing more: right and wrong credentials are refused
//! alike until its time has passed. But nobody is locked out by somebody else's guesses: a credential that was right
//! from a source before is always taken from there, and a name that is guessed at from elsewhere is still open to a
//! source that did not fail itself.
//!
//! Bounds: three [`Limiter`]s of 10,000 keys each, and a table of [`PROVEN`] numbers that is never larger. Names and
//! credentials are kept as keyed hashes alone.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use didww_types::Timestamp;

use crate::forwarded::origin;
use crate::limiter::{Limiter, Rate};
use crate::summed::Summed;

/// How many failures are listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuessLimits {
    /// Failures of one source, a minute and at once; zero is no limit.
    pub of_source: u32,
    /// Failed logins with one name, from everywhere, a minute and at once; zero is no limit.
    pub of_name: u32,
}

impl Default for GuessLimits {
    fn default() -> Self {
        Self { of_source: 60, of_name: 20 }
    }
}

/// Failures after which a source is not thought to be somebody's who merely mistyped.
const SLIPS: u32 = 3;

/// Credentials and sources that are remembered as right. A power of two.
const PROVEN: usize = 1 << 14;

/// Who guesses, for the log.
static GUESSES: Summed = Summed::new("wrong credentials");

/// Where a credential is sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The source of an address: an IPv4 address itself, the /64 of an IPv6 address.
    pub fn of(address: IpAddr) -> Self {
        Self(origin(address))
    }
}

/// A credential, or a name, that was sent, as no more than a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark(u64);

/// A credential is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It is wrong.
    Wrong,
    /// It was not looked at, and may be sent again after so many seconds.
    TooMany(u64),
}

/// What became of guesses at one door.
#[derive(Debug)]
pub struct Guesses {
    limits: GuessLimits,
    /// What is guessed at, for the log.
    what: &'static str,
    sources: Limiter<Source>,
    /// The same with a burst of a few slips.
    slips: Limiter<Source>,
    names: Limiter<Mark>,
    pairs: Limiter<(Source, Mark)>,
    proven: Proven,
}

impl Guesses {
    /// Counts failures of `what`, as the log names it ("API keys and tokens").
    pub fn new(what: &'static str, limits: GuessLimits) -> Self {
        Self {
            limits,
            what,
            sources: Limiter::default(),
            slips: Limiter::default(),
            names: Limiter::default(),
            pairs: Limiter::default(),
            proven: Proven::new(),
        }
    }

    /// The mark of a credential or a name.
    pub fn mark(&self, sent: impl Hash) -> Mark {
        Mark(self.proven.key.hash_one(sent))
    }

    /// Takes a key or a token that was looked up: `right` says whether it is one.
    ///
    /// # Errors
    /// When it is wrong, or when its source failed too often for either to be told.
    pub fn take(&self, source: Source, sent: Mark, right: bool, now: Timestamp) -> Result<(), NotTaken> {
        // Nearly all that comes is right, and was right from there before: this takes no lock.
        if right && self.proven.knows(source, sent) {
            return Ok(());
        }
        self.sources.ask(&source, self.of_source(), micros(now)).map_err(NotTaken::TooMany)?;
        if right {
            self.proven.note(source, sent);
            return Ok(());
        }
        self.failed(source, now);
        Err(NotTaken::Wrong)
    }

    /// Whether a login with this name is looked at, and whether it was right from there before.
    ///
    /// # Errors
    /// After how many seconds it will be.
    pub fn may_log_in(&self, source: Source, name: Mark, now: Timestamp) -> Result<bool, u64> {
        let at = micros(now);
        self.pairs.ask(&(source, name), self.of_name(), at)?;
        if self.proven.knows(source, name) {
            return Ok(true);
        }
        self.sources.ask(&source, self.of_source(), at)?;
        let is_clean = self.slips.ask(&source, self.of_slips(), at).is_ok();
        if !is_clean {
            self.names.ask(&name, self.of_name(), at)?;
        }
        Ok(false)
    }

    /// A login that was looked at was right.
    pub fn logged_in(&self, source: Source, name: Mark) {
        self.proven.note(source, name);
    }

    /// A login that was looked at was wrong.
    pub fn login_failed(&self, source: Source, name: Mark, now: Timestamp) {
        let at = micros(now);
        // What is counted beyond the limit was under way when it was reached.
        let _full = self.pairs.admit((source, name), self.of_name(), at);
        let _full = self.names.admit(name, self.of_name(), at);
        self.failed(source, now);
    }

    fn failed(&self, source: Source, now: Timestamp) {
        let at = micros(now);
        let _full = self.slips.admit(source, self.of_slips(), at);
        let full = self.sources.admit(source, self.of_source(), at).is_err();
        if GUESSES.admits(source, now) {
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

    fn of_slips(&self) -> Rate {
        Rate::per_minute(self.limits.of_name, SLIPS)
    }
}

fn micros(at: Timestamp) -> i64 {
    at.as_unix_millis().saturating_mul(1_000)
}

/// What was right, from where: a hash table without collisions to resolve, in which the newer takes the place of the
/// older. Only who has a right credential can write into it.
struct Proven {
    key: RandomState,
    seen: Box<[AtomicU64]>,
}

impl std::fmt::Debug for Proven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proven(hidden)")
    }
}

impl Proven {
    fn new() -> Self {
        Self { key: RandomState::new(), seen: (0..PROVEN).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The place of a pair, and what stands there when it is known.
    fn place(&self, source: Source, sent: Mark) -> Option<(&AtomicU64, u64)> {
        let print = self.key.hash_one((source, sent));
        let at = usize::try_from(print % PROVEN as u64).ok()?;
        Some((self.seen.get(at)?, print))
    }

    fn knows(&self, source: Source, sent: Mark) -> bool {
        self.place(source, sent).is_some_and(|(place, print)| place.load(Ordering::Relaxed) == print)
    }

    fn note(&self, source: Source, sent: Mark) {
        if let Some((place, print)) = self.place(source, sent) {
            place.store(print, Ordering::Relaxed);
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
        let guesses = Guesses::new("keys", LIMITS);
        let take = |key: &str, right, now| guesses.take(source(1), guesses.mark(key), right, at(now));
        assert!((0..10).all(|n| take(&format!("wrong {n}"), false, 0) == Err(NotTaken::Wrong)));
        assert_eq!(take("wrong", false, 0), Err(NotTaken::TooMany(6)));
        assert_eq!(take("right", true, 0), Err(NotTaken::TooMany(6)), "right and wrong are refused alike");
        assert_eq!(
            guesses.take(source(2), guesses.mark("right"), true, at(0)),
            Ok(()),
            "elsewhere it is taken"
        );
        assert_eq!(take("right", true, 6), Ok(()));
        assert_eq!(take("wrong", false, 6), Err(NotTaken::Wrong));
        assert_eq!(take("wrong", false, 6), Err(NotTaken::TooMany(6)));
        assert_eq!(take("right", true, 6), Ok(()), "what was right from there is taken from there");
    }

    #[test]
    fn a_name_that_is_guessed_at_is_open_to_those_who_did_not_guess() {
        let guesses = Guesses::new("logins", LIMITS);
        let (boss, other) = (guesses.mark("boss"), guesses.mark("other"));
        let may = |of, name, now| guesses.may_log_in(source(of), name, at(now));
        guesses.logged_in(source(9), boss);
        for last in 1..=5 {
            assert_eq!(may(last, boss, 0), Ok(false));
            guesses.login_failed(source(last), boss, at(0));
        }
        assert_eq!(may(9, boss, 0), Ok(true), "who was right before is");
        assert_eq!(may(8, boss, 0), Ok(false), "who did not fail yet may try");
        for _ in 0..3 {
            guesses.login_failed(source(7), other, at(0));
        }
        assert!(may(7, boss, 0).is_err(), "who fails with other names may not");
        assert_eq!(may(7, other, 0), Ok(false), "another name is not concerned");
        assert_eq!(may(7, boss, 60), Ok(false), "a minute later all is forgotten");
    }

    #[test]
    fn who_was_right_once_cannot_guess_without_end() {
        let guesses = Guesses::new("logins", LIMITS);
        let name = guesses.mark("boss");
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
        let guesses = Guesses::new("keys", LIMITS);
        let of = |text: &str| Source::of(text.parse().unwrap());
        for n in 0..10 {
            let _wrong = guesses.take(of(&format!("2001:db8::{n}")), guesses.mark(n), false, at(0));
        }
        assert!(matches!(
            guesses.take(of("2001:db8::ffff"), guesses.mark(0), false, at(0)),
            Err(NotTaken::TooMany(_))
        ));
        assert_eq!(guesses.take(of("2001:db8:0:1::1"), guesses.mark(0), false, at(0)), Err(NotTaken::Wrong));
    }

    #[test]
    fn zero_is_no_limit() {
        let guesses = Guesses::new("keys", GuessLimits { of_source: 0, of_name: 0 });
        assert!(
            (0..100).all(|n| guesses.take(source(1), guesses.mark(n), false, at(0)) == Err(NotTaken::Wrong))
        );
        assert_eq!(guesses.may_log_in(source(1), guesses.mark("a"), at(0)), Ok(false));
    }

    #[test]
    fn a_clock_that_steps_back_locks_nobody_out() {
        let guesses = Guesses::new("keys", LIMITS);
        let take = |right, now| guesses.take(source(1), guesses.mark("key"), right, at(now));
        for _ in 0..10 {
            assert_eq!(take(false, 3_600), Err(NotTaken::Wrong));
        }
        assert_eq!(take(true, 0), Err(NotTaken::TooMany(6)));
        assert_eq!(take(true, 60), Ok(()));
    }
}
