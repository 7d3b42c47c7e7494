//! Wrong digests, counted by source and by username, so that guessing gets slow and nobody is locked out.
//!
//! A source (an IPv4 address, a /64 of IPv6) has 20 wrong ones a minute, or 3 for a username that had 200 from everywhere. Beyond that one a second is
//! looked at, and the rest is not answered. A source that proved this username before is always looked at: whoever forges
//! its address can make its wrong answers rare, and not hinder its right ones. No username is ever closed to a source
//! that has tries left. There are 16,384 places of 32 bytes by a keyed hash; a key that finds its place taken by an older
//! minute takes it over, and one that finds it taken in this minute shares it.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use didww_types::Timestamp;

use super::proven::Proven;
use service_base::forwarded::origin;

const PLACES: usize = 16_384;
const MINUTE: i64 = 60_000;
/// Wrong digests of a source that are answered in a minute.
const OF_SOURCE: u32 = 20;
/// Wrong digests for a username in a minute from which on sources have fewer.
const OF_NAME: u32 = 200;
/// Wrong digests of a source for such a username.
const OF_SOURCE_IN_AN_ATTACK: u32 = 3;
/// Milliseconds between two that are looked at beyond these.
const APART: i64 = 1_000;

#[derive(Debug)]
pub(crate) struct Guesses {
    key: RandomState,
    places: Mutex<Box<[Place]>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    minute: i64,
    wrong: u32,
    /// When one was looked at that was too many.
    looked: i64,
}

/// What is known of a source and a username that it sends a digest for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Try<'a> {
    pub source: IpAddr,
    pub name: &'a [u8],
    pub now: Timestamp,
}

/// What a wrong digest is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// A challenge.
    Answered,
    /// A challenge; it is the last that is certain in this minute.
    Last,
    /// Nothing.
    Unanswered,
}

impl Default for Guesses {
    fn default() -> Self {
        Self { key: RandomState::new(), places: Mutex::new(vec![Place::default(); PLACES].into()) }
    }
}

impl Guesses {
    /// Whether a digest is looked at.
    pub(crate) fn may_try(&self, tried: Try<'_>, proven: &Proven) -> bool {
        if proven.knows((tried.source, tried.name), tried.now) {
            return true;
        }
        let mut places = self.lock();
        let most = self.most(&mut places, tried);
        self.place(&mut places, origin(tried.source), tried.now)
            .is_none_or(|place| place.has_room(most, tried.now))
    }

    /// Counts one that was wrong.
    pub(crate) fn wrong(&self, tried: Try<'_>, proven: &Proven) -> Wrong {
        let mut places = self.lock();
        if let Some(place) = self.place(&mut places, tried.name, tried.now) {
            place.wrong = place.wrong.saturating_add(1);
        }
        let most = self.most(&mut places, tried);
        let Some(place) = self.place(&mut places, origin(tried.source), tried.now) else {
            return Wrong::Answered;
        };
        place.wrong = place.wrong.saturating_add(1);
        if place.wrong == most {
            return Wrong::Last;
        }
        // One that was looked at although there were too many may be answered; that is counted there.
        let is_certain = place.wrong < most || !proven.knows((tried.source, tried.name), tried.now);
        if is_certain || place.has_room(most, tried.now) { Wrong::Answered } else { Wrong::Unanswered }
    }

    /// Wrong digests that the source has for this username.
    fn most(&self, places: &mut [Place], tried: Try<'_>) -> u32 {
        let under_attack =
            self.place(places, tried.name, tried.now).is_some_and(|place| place.wrong >= OF_NAME);
        if under_attack { OF_SOURCE_IN_AN_ATTACK } else { OF_SOURCE }
    }

    fn place<'p>(&self, places: &'p mut [Place], key: impl Hash, now: Timestamp) -> Option<&'p mut Place> {
        let minute = now.as_unix_millis().div_euclid(MINUTE);
        let at = usize::try_from(self.key.hash_one(key) % PLACES as u64).unwrap_or_default();
        let place = places.get_mut(at)?;
        if place.minute != minute {
            *place = Place { minute, ..Place::default() };
        }
        Some(place)
    }

    fn lock(&self) -> MutexGuard<'_, Box<[Place]>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn has_room(&mut self, most: u32, now: Timestamp) -> bool {
        if self.wrong < most {
            return true;
        }
        let now = now.as_unix_millis();
        // A clock that went back is not waited for.
        let is_due = now.abs_diff(self.looked) >= APART.unsigned_abs();
        if is_due {
            self.looked = now;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(source: &str, name: &'static str, millis: i64) -> Try<'static> {
        let now = Timestamp::from_unix_millis(1_000_000_020_000 + millis);
        Try { source: source.parse().unwrap(), name: name.as_bytes(), now }
    }

    /// How many of so many wrong digests are looked at.
    fn looked_at(guesses: &Guesses, proven: &Proven, count: i64, every: i64, what: Try<'static>) -> usize {
        let looked = (0..count).filter(|at| {
            let now = Timestamp::from_unix_millis(what.now.as_unix_millis() + at * every);
            let next = Try { now, ..what };
            let looked = guesses.may_try(next, proven);
            if looked {
                guesses.wrong(next, proven);
            }
            looked
        });
        looked.count()
    }

    #[test]
    fn a_source_has_twenty_a_minute_and_then_one_a_second() {
        let (guesses, proven) = (Guesses::default(), Proven::default());
        assert_eq!(looked_at(&guesses, &proven, 5_000, 0, tried("192.0.2.1", "a", 0)), 21);
        assert_eq!(looked_at(&guesses, &proven, 5_000, 1, tried("192.0.2.1", "a", 1_000)), 5);
        assert_eq!(
            looked_at(&guesses, &proven, 20, 0, tried("192.0.2.2", "b", 0)),
            20,
            "others have their own"
        );
        assert_eq!(
            looked_at(&guesses, &proven, 20, 0, tried("192.0.2.1", "a", 60_000)),
            20,
            "and the next minute"
        );
    }

    #[test]
    fn the_addresses_of_a_network_of_ipv6_count_together() {
        let (guesses, proven) = (Guesses::default(), Proven::default());
        assert_eq!(looked_at(&guesses, &proven, 500, 0, tried("2001:db8::1", "a", 0)), 21);
        assert_eq!(looked_at(&guesses, &proven, 500, 0, tried("2001:db8::2", "a", 0)), 0);
        assert_eq!(looked_at(&guesses, &proven, 20, 0, tried("2001:db8:0:1::1", "a", 0)), 20);
    }

    #[test]
    fn a_name_under_attack_leaves_every_source_some_tries_and_the_one_that_proved_itself_all() {
        let (guesses, proven) = (Guesses::default(), Proven::default());
        for host in 0..100 {
            let source = format!("198.51.100.{host}");
            looked_at(&guesses, &proven, 10, 0, tried(&source, "a", 0));
        }
        assert!(guesses.may_try(tried("203.0.113.1", "a", 0), &proven), "the first try is looked at");
        assert!(looked_at(&guesses, &proven, 100, 0, tried("203.0.113.1", "a", 0)) <= 4);
        let owner = tried("203.0.113.9", "a", 0);
        proven.note((owner.source, owner.name), owner.now);
        let unanswered = (0..100).filter(|_| guesses.wrong(owner, &proven) == Wrong::Unanswered).count();
        assert!(unanswered > 90, "wrong answers get rare whoever they seem to be from: {unanswered}");
        assert!((0..100).all(|_| guesses.may_try(owner, &proven)), "the right one is found among them");
    }

    #[test]
    fn the_last_certain_answer_is_told_once_a_minute() {
        let (guesses, proven) = (Guesses::default(), Proven::default());
        let last = |millis| {
            let wrong = |_: &i64| guesses.wrong(tried("192.0.2.1", "a", millis), &proven) == Wrong::Last;
            (0..500).filter(wrong).count()
        };
        assert_eq!([last(0), last(30_000), last(60_000)], [1, 0, 1]);
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let (guesses, proven) = (Guesses::default(), Proven::default());
        looked_at(&guesses, &proven, 100, 0, tried("192.0.2.1", "a", 3_600_000));
        assert!(guesses.may_try(tried("192.0.2.1", "a", 0), &proven));
    }
}
