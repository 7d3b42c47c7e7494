//! Who is let in at the SIP port, decided on the bytes of a message.
//!
//! A source that a trunk names, that proved itself a while ago, or that has a call, goes the ordinary way: parsed, with
//! a transaction, with repetitions and a diagnosis. Everybody else is a stranger: no matter what a trunk allows to all
//! addresses, an answer to a stranger is made of its own bytes, has twice as many at most, is never repeated, says
//! nothing of trunks, and is rare. A right digest is looked for all the same: it makes a stranger known.
//!
//! All that strangers can feed has a fixed size: two tables of buckets and one of guesses, two generations of proofs, a
//! few counters. They cause one log line a minute. It keeps nothing of a message, and waits for nothing.

mod counts;
mod stranger;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use didww_types::Timestamp;
use rsipstack::sip::Transport;
use trunk_rules::carrier::{NonceKey, NonceState, Nonces, NoncesAt, Settings};

use super::calls::Calls;
use super::facts::Key;
use super::guesses::{Guesses, Try, Wrong};
use super::proven::Proven;
use super::shares::{self, Named, Shares};
use super::stack::Incoming;
use super::trunks::Trunks;
use counts::Counts;
use service_base::buckets::{Bucket, Buckets, Rate};
use service_base::clock::Clock;
use service_base::ids::Ids;
use service_base::summed::Summed;
use sip_transport::{Arrival, Door, Entry, Head, Reply, tag_of};

pub use counts::FrontCounts;

/// Answers to the strangers of one prefix, `/24` or `/48`.
const OF_PREFIX: Rate = Rate { per_second: 10, at_once: 40 };
/// Answers to all strangers.
const OF_ALL: Rate = Rate { per_second: 5_000, at_once: 5_000 };

/// The front of an edge.
pub(crate) struct Front {
    clock: Clock,
    ids: Ids,
    trunks: Arc<Trunks>,
    calls: Arc<Calls>,
    settings: Settings,
    server_name: String,
    nonces: NonceKey,
    /// Makes tags and ties nonces to sources.
    key: RandomState,
    prefixes: Buckets,
    all: Bucket,
    proven: Proven,
    guesses: Guesses,
    shares: Arc<Shares>,
    counts: Counts,
    sums: Sums,
}

/// The lines that are summed.
#[derive(Debug)]
struct Sums {
    refused: Summed,
    guesses: Summed,
    dropped: Summed,
}

/// How well a source is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// A trunk allows a subnet that names it.
    Named(Named),
    /// It proved itself, or has a call.
    Proven,
    Stranger,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Front {
    pub(crate) fn new(
        (clock, ids): (Clock, Ids),
        trunks: Arc<Trunks>,
        calls: Arc<Calls>,
        settings: Settings,
        server_name: String,
    ) -> Self {
        Self {
            nonces: NonceKey::new(&ids.nonce_key()),
            clock,
            ids,
            trunks,
            calls,
            settings,
            server_name,
            key: RandomState::new(),
            prefixes: Buckets::new(OF_PREFIX),
            all: Bucket::default(),
            proven: Proven::default(),
            guesses: Guesses::default(),
            shares: Shares::new(shares::MOST),
            counts: Counts::default(),
            sums: Sums {
                refused: Summed::once("calls from unknown addresses were refused"),
                guesses: Summed::new("sources had too many wrong digests"),
                dropped: Summed::new("requests were dropped: their source has too many at once"),
            },
        }
    }

    /// Whether a trunk names a source: it alone is told why it is refused.
    pub(crate) fn names(&self, source: IpAddr) -> bool {
        self.trunks.read().index.naming(source).is_some()
    }

    /// A nonce for a source.
    pub(crate) fn nonce(&self, source: IpAddr, now: Timestamp) -> String {
        let random = self.ids.word() & u64::from(u32::MAX);
        self.nonces.issue(now, self.tie(source) | random)
    }

    /// The nonces at a moment, whoever they were given to.
    pub(crate) fn nonces_at(&self, now: Timestamp) -> NoncesAt<'_> {
        NoncesAt { key: &self.nonces, now, ttl: self.settings.nonce_ttl }
    }

    /// The upper half of the salt of a source's nonces.
    fn tie(&self, source: IpAddr) -> u64 {
        self.key.hash_one(source) & !u64::from(u32::MAX)
    }

    /// Whether a digest is looked at; one of a source that guesses is not. It is counted then.
    pub(crate) fn may_try(&self, tried: Try<'_>) -> bool {
        let may = self.guesses.may_try(tried, &self.proven);
        if !may {
            self.counts.guess_unanswered();
        }
        may
    }

    /// Counts a wrong digest; whether it is answered.
    pub(crate) fn wrong(&self, tried: Try<'_>) -> bool {
        let wrong = self.guesses.wrong(tried, &self.proven);
        if wrong == Wrong::Last && self.sums.guesses.admits(tried.source, tried.now) {
            let source = tried.source;
            tracing::warn!(%source, "too many wrong digests: answers get rare until the next minute");
        }
        if wrong == Wrong::Unanswered {
            self.counts.guess_unanswered();
        }
        wrong != Wrong::Unanswered
    }

    /// Notes that a digest was right.
    pub(crate) fn right(&self, tried: Try<'_>) {
        self.proven.note(tried.source, tried.now);
        self.proven.note((tried.source, tried.name), tried.now);
    }

    /// Notes that a source had a call: what comes late for it is still understood.
    pub(crate) fn had_a_call(&self, source: IpAddr) {
        self.proven.note(source, self.clock.now());
    }

    /// Reserves a place for a request that was let in, which it keeps as long as it is there. `None` when its source has none
    /// left; what ends a call needs none.
    pub(crate) fn placed(&self, mut request: Incoming) -> Option<Incoming> {
        let source = request.source().ip();
        let share = self.shares.take(source, self.trunks.read().index.naming(source));
        if share.is_none() && !(request.method() == "BYE" && self.is_in_a_call(&request)) {
            self.dropped(source);
            return None;
        }
        request.hold(share);
        Some(request)
    }

    fn is_in_a_call(&self, request: &Incoming) -> bool {
        Key::of(request).is_some_and(|key| self.calls.has(&key))
    }

    fn dropped(&self, source: IpAddr) {
        self.counts.dropped();
        if self.sums.dropped.admits(source, self.clock.now()) {
            tracing::warn!(%source, most = shares::MOST.of_source, "a request was dropped: too many at once");
        }
    }

    /// What was counted since the start.
    pub(crate) fn counts(&self) -> FrontCounts {
        self.counts.read()
    }

    /// Writes the log lines of the last minute.
    pub(crate) fn sum_up(&self) {
        let now = self.clock.now();
        for kind in [&self.sums.refused, &self.sums.guesses, &self.sums.dropped] {
            kind.sum_up(now);
        }
        if let Some(counts) = self.counts.since_last_time() {
            tracing::info!(
                answered = counts.unknown_answered,
                unanswered = counts.unknown_unanswered,
                unreadable = counts.unreadable,
                "messages of unknown sources in the last minute"
            );
        }
    }

    fn standing(&self, source: IpAddr, now: Timestamp) -> Standing {
        let named = self.trunks.read().index.naming(source);
        if named.is_some() {
            Standing::Named(named)
        } else if self.proven.knows(source, now) || self.calls.has_source(source) {
            Standing::Proven
        } else {
            Standing::Stranger
        }
    }

    /// Whether a request of a known source finds its places taken. What belongs to a request that has one, and what ends
    /// a call, is let in always.
    fn is_too_much(&self, bytes: &[u8], source: IpAddr, network: Named) -> bool {
        if self.shares.has_room(source, network) {
            return false;
        }
        let is_new = Head::of(bytes).is_some_and(|head| match head.method() {
            None | Some(b"ACK" | b"CANCEL") => false,
            Some(b"BYE") => !key_of(&head).is_some_and(|key| self.calls.has(&key)),
            Some(_) => true,
        });
        if is_new {
            self.dropped(source);
        }
        is_new
    }

    /// Whether one more answer may go to where strangers are.
    fn may_answer(&self, source: IpAddr, now: Timestamp) -> bool {
        let now = now.as_unix_millis();
        self.prefixes.take(prefix(source), now) && self.all.take(OF_ALL, now)
    }

    /// Answers with twice the bytes at most, if an answer may go there.
    fn answer(&self, head: &Head<'_>, whole: usize, arrival: &Arrival, reply: Reply<'_>) -> Entry {
        let source = arrival.source;
        if !self.may_answer(source.ip(), self.clock.now()) {
            self.counts.unanswered();
            return Entry::Drop;
        }
        let reply = reply.useful("Server", self.server_name.as_str());
        if let Some(bytes) = reply.to(head, source, &self.tag(head, source.ip()), 2 * whole) {
            self.counts.answered();
            Entry::Reply(bytes)
        } else {
            self.counts.unanswered();
            Entry::Drop
        }
    }

    /// The tag of an answer: the same request gets the same one (RFC 3261 §8.2.7).
    fn tag(&self, head: &Head<'_>, source: IpAddr) -> String {
        let parts = [["From", "f"], ["Call-ID", "i"], ["CSeq", ""]].map(|names| head.value(names));
        format!("{:016x}", self.key.hash_one((source, parts)))
    }
}

impl Door for Front {
    fn knock(&self, bytes: &[u8], arrival: &Arrival) -> Entry {
        let (source, now) = (arrival.source.ip(), self.clock.now());
        let standing = self.standing(source, now);
        if bytes.iter().all(u8::is_ascii_whitespace) {
            // RFC 5626 §3.5.1; a stranger needs no way through its address translation kept open.
            let is_ping = bytes == b"\r\n\r\n" && standing != Standing::Stranger;
            return if is_ping { Entry::Reply(b"\r\n".to_vec()) } else { Entry::Drop };
        }
        match standing {
            Standing::Named(network) if self.is_too_much(bytes, source, network) => busy(bytes, arrival),
            Standing::Proven if self.is_too_much(bytes, source, None) => busy(bytes, arrival),
            Standing::Named(_) | Standing::Proven => Entry::Pass,
            Standing::Stranger => self.stranger(bytes, arrival, now),
        }
    }

    fn unreadable(&self, bytes: &[u8], arrival: &Arrival, reply: &Reply<'_>) -> Entry {
        self.counts.unreadable();
        let allow = if matches!(reply.code, 405 | 501) { Some(super::stack::ALLOW) } else { None };
        let mut reply = Reply::new(reply.code, reply.phrase);
        reply.useful.extend(allow.map(|allow| ("Allow", allow.to_owned())));
        match Head::of(bytes) {
            Some(head) => self.answer(&head, bytes.len(), arrival, reply),
            None => Entry::Drop,
        }
    }
}

/// What a known source gets that has too much going on. A datagram is lost, for its source may be forged. A peer at the
/// other end of a stream is told, and is not read from until it takes the answer.
fn busy(bytes: &[u8], arrival: &Arrival) -> Entry {
    let head = Head::of(bytes).filter(|_| arrival.transport != Transport::Udp);
    let reply = Reply::new(503, "Service Unavailable").useful("Retry-After", "5");
    let answer = head.and_then(|head| reply.to(&head, arrival.source, "busy", 2 * bytes.len()));
    answer.map_or(Entry::Drop, Entry::Reply)
}

/// The dialog that a request names, if it names one.
fn key_of(head: &Head<'_>) -> Option<Key> {
    let text = |names| head.value(names).map(|value| String::from_utf8_lossy(&value).into_owned());
    Some(Key {
        call_id: text(["Call-ID", "i"])?.into(),
        remote: tag_of(&text(["From", "f"])?)?.into(),
        local: tag_of(&text(["To", "t"])?)?.into(),
    })
}

/// What strangers share their answers with.
fn prefix(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V4(v4) => u64::from(u32::from(v4) >> 8),
        IpAddr::V6(v6) => (u64::try_from(u128::from(v6) >> 80).unwrap_or_default()) | 1 << 63,
    }
}

/// The nonces of one source: one that was given to another is as good as expired, for it proves nothing of who sends it.
struct Tied<'a> {
    nonces: NoncesAt<'a>,
    tie: u64,
}

impl Nonces for Tied<'_> {
    fn state(&self, nonce: &[u8]) -> NonceState {
        match self.nonces.state(nonce) {
            NonceState::Fresh if !is_tied(nonce, self.tie) => NonceState::Expired,
            state => state,
        }
    }
}

/// Whether the upper half of a nonce's salt is this: time and salt are 16 digits each.
fn is_tied(nonce: &[u8], tie: u64) -> bool {
    let salt = nonce.get(16..32).and_then(|digits| std::str::from_utf8(digits).ok());
    let salt = salt.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    salt.is_some_and(|salt| salt & !u64::from(u32::MAX) == tie)
}

#[cfg(test)]
mod tests;
