//! The filter in front of the SIP parser: decides on the bytes of a message whether the stack processes it.
//!
//! Messages of known sources pass to the stack: they are parsed, have a transaction, and refusals are
//! repeated and explained. A source is known if an allowed subnet of a trunk identifies it
//! (`TrunkIndex::naming`), if it proved itself within the last half hour, or if it has an active call with a digest
//! or over a stream. All other sources are unknown, even where a trunk allows every address. An answer to an unknown
//! source is built from the bytes of its request, is at most twice as long, is never repeated, reveals nothing about
//! trunks, and is rate limited. A valid digest makes an unknown source known.
//!
//! The memory that unknown sources can fill has a fixed size: two rate limiters, two tables of wrong digests,
//! two generations of proofs and of INVITEs that passed, and counters. A bounded number of them is entered into the
//! recent attempts, and of each kind at most 20 lines a minute are logged, the others as one summary. The filter never
//! waits. Of known sources it answers the INVITEs that are challenged, if they are plain (`plain_challenge`), and keeps
//! these challenges until their ACK, each in a slot of its source.

mod counts;
mod guesses;
mod plain_challenge;
mod sent_challenges;
mod unknown_source;

use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use rsipstack::sip::Transport;
use service_base::buckets::{Bucket, Buckets};
use service_base::clock::Clock;
use service_base::forwarded::origin;
use service_base::ids::Ids;
use service_base::log_limiter::LogLimiter;
use service_base::rate::Rate;
use sip_transport::{
    Arrival, FilterAction, FramingError, Head, MessageFilter, NULL_TAG, Reply, Unreadable, masked_line,
    tag_of,
};
use trunk_rules::carrier::{NonceKey, NonceState, Nonces, NoncesAt, Settings, sentence};

use super::attempts::{
    AttemptOutcome, Attempts, Facts, MAX_CALL_ID_BYTES, Message, Reason, UnansweredChallenges, prefix,
    transport_name,
};
use super::call_state::{CallState, DialogKey};
use super::calls::Calls;
use super::digest_guesses::GuessLimiter;
use super::merged_requests::MergedRequests;
use super::node_mark::NodeMark;
use super::proofs::Proofs;
use super::request_slots::{self, IdentifyingSubnet, RequestSlots, Room};
use super::stack::Incoming;
use super::trunks::Trunks;
use counts::Counts;
use sent_challenges::PlainChallenges;

pub use counts::FrontCounts;

/// Rate of answers to the unknown sources of one prefix, a `/24` of IPv4 or a `/48` of IPv6, in one of the two buckets
/// that it draws on: together 10 a second, and 40 at once.
const PREFIX_ANSWER_RATE: Rate = Rate::per_second(5, 20);
/// Rate of answers to all unknown sources together.
const TOTAL_ANSWER_RATE: Rate = Rate::per_second(5_000, 5_000);
/// Rate of calls without a digest from a known source whose refusals are not acknowledged, in one of the two buckets
/// that it draws on: together 200 a second, and 400 at once.
const UNPROVEN_CALL_RATE: Rate = Rate::per_second(100, 200);

/// The message filter of an edge.
pub(crate) struct Front {
    clock: Clock,
    ids: Ids,
    trunks: Arc<Trunks>,
    calls: Arc<Calls>,
    settings: Settings,
    server_name: String,
    nonces: NonceKey,
    /// The mark of this node in nonces.
    mark: NodeMark,
    /// The key of the hash of a source address in nonces, which all nodes share.
    binding_key: u64,
    /// The key of the tags in answers to unknown sources.
    key: RandomState,
    prefix_rates: Buckets,
    unproven_rates: Buckets,
    total_rate: Bucket,
    proofs: Proofs,
    /// The INVITEs of unknown sources that passed. Apart from the proofs, which they must not push out: a source can be
    /// forged, and each adds one.
    let_in: Proofs,
    guess_limiter: GuessLimiter,
    request_slots: Arc<RequestSlots>,
    counts: Counts,
    plain_challenges: PlainChallenges,
    attempts: Arc<Attempts>,
    unanswered_challenges: Arc<UnansweredChallenges>,
    log_sums: FilterLogSums,
}

/// Log lines of which repetitions are summed up.
#[derive(Debug)]
struct FilterLogSums {
    refused: LogLimiter,
    challenged: LogLimiter,
    unreadable: LogLimiter,
    guesses: LogLimiter,
    dropped: LogLimiter,
}

/// Why a source is known, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SourceStatus {
    /// It is in an allowed subnet of a trunk that is narrow enough to identify its user, see
    /// `TrunkIndex::naming`.
    Identified(IdentifyingSubnet),
    /// It proved itself lately, or has an active call and its address is not forged.
    Proven,
    /// Neither of these: its message is answered without a transaction, if at all.
    Unknown,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Front {
    pub(crate) fn new(
        (clock, ids): (Clock, Ids),
        (attempts, unanswered_challenges): (Arc<Attempts>, Arc<UnansweredChallenges>),
        trunks: Arc<Trunks>,
        (calls, merged_requests): (Arc<Calls>, Arc<MergedRequests>),
        settings: Settings,
        server_name: String,
        (nonces, mark): (NonceKey, NodeMark),
    ) -> Self {
        Self {
            binding_key: nonces.derive("source addresses in nonces"),
            nonces,
            mark,
            clock,
            ids,
            trunks,
            calls,
            settings,
            server_name,
            key: RandomState::new(),
            prefix_rates: Buckets::new(PREFIX_ANSWER_RATE),
            unproven_rates: Buckets::new(UNPROVEN_CALL_RATE),
            total_rate: Bucket::default(),
            proofs: Proofs::default(),
            let_in: Proofs::default(),
            guess_limiter: GuessLimiter::default(),
            request_slots: RequestSlots::new(request_slots::SLOT_LIMITS),
            counts: Counts::default(),
            plain_challenges: PlainChallenges::new(merged_requests),
            attempts,
            unanswered_challenges,
            log_sums: FilterLogSums {
                refused: LogLimiter::new("calls from unknown addresses were refused"),
                challenged: LogLimiter::new("attempts from unknown addresses were challenged again"),
                unreadable: LogLimiter::new("messages could not be read"),
                guesses: LogLimiter::new("sources had too many wrong digests"),
                dropped: LogLimiter::new("requests were dropped: their source has too many in progress"),
            },
        }
    }

    /// Returns true if an allowed subnet of a trunk identifies the source, see `TrunkIndex::naming`. Only
    /// such a source receives diagnostic headers.
    pub(crate) fn identifies(&self, source: IpAddr) -> bool {
        self.trunks.read().index.naming(source).is_some()
    }

    /// Issues a nonce that is bound to a source address.
    pub(crate) fn nonce(&self, source: IpAddr, now: Timestamp) -> String {
        let random = self.mark.mark(self.ids.word() & u64::from(u32::MAX));
        self.nonces.issue(now, self.binding(source) | random)
    }

    /// The state of nonces at a time, without regard to the source that they were issued to.
    pub(crate) fn nonces_at(&self, now: Timestamp) -> NoncesAt<'_> {
        NoncesAt { key: &self.nonces, now, ttl: self.settings.nonce_ttl }
    }

    /// The upper 32 bits of the salt in nonces for a source: a keyed hash of its address, the same on nodes of one
    /// build. On another one the nonce counts as expired.
    fn binding(&self, source: IpAddr) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.binding_key, source).hash(&mut hasher);
        hasher.finish() & !u64::from(u32::MAX)
    }

    /// Records that a source had a call, so that late requests for that call still reach the stack. Its address may be
    /// forged unless it acknowledged the answer, or proved the address before: then it stays as unknown as it was.
    pub(crate) fn record_call(&self, call_state: &CallState, is_acknowledged: bool) {
        if is_acknowledged || call_state.has_proved_address {
            self.proofs.insert(call_state.origin.source.ip(), self.clock.now());
        }
    }

    /// Assigns a slot to a request, which keeps it, and needs its connection, until it is dropped. `None` if there is
    /// no slot left for its source. A BYE of an active call needs no slot.
    pub(crate) fn assign_slot(&self, mut request: Incoming) -> Option<Incoming> {
        let source = request.source().ip();
        let slot = self.request_slots.take(source, self.trunks.read().index.naming(source));
        if slot.is_none() && !(request.method() == "BYE" && self.is_in_a_call(&request)) {
            self.dropped(source);
            return None;
        }
        let need = self.calls.need(request.source(), request.transport());
        request.hold_slot(slot, need);
        Some(request)
    }

    fn is_in_a_call(&self, request: &Incoming) -> bool {
        DialogKey::of(request).is_some_and(|key| self.calls.contains(&key))
    }

    /// Counts a request of a known source that is dropped.
    pub(crate) fn dropped(&self, source: IpAddr) {
        self.counts.dropped();
        if self.log_sums.dropped.admits(source, self.clock.now()) {
            tracing::warn!(%source, most = request_slots::SLOT_LIMITS.of_source, "a request was dropped: its source has too many in progress");
        }
    }

    /// The counters since the start.
    pub(crate) fn counts(&self) -> FrontCounts {
        self.counts.read()
    }

    /// Logs the summaries since the last call.
    pub(crate) fn write_log_summaries(&self) {
        let now = self.clock.now();
        let FilterLogSums { refused, challenged, unreadable, guesses, dropped } = &self.log_sums;
        for kind in [refused, challenged, unreadable, guesses, dropped] {
            kind.write_due_summary(now);
        }
        if let Some(counts) = self.counts.since_last_time() {
            tracing::info!(
                answered = counts.unknown_answered,
                unanswered = counts.unknown_unanswered,
                unreadable = counts.unreadable,
                "messages from unknown sources in the last minute"
            );
        }
    }

    fn source_status(&self, source: IpAddr, now: Timestamp) -> SourceStatus {
        let subnet = self.trunks.read().index.naming(source);
        if subnet.is_some() {
            SourceStatus::Identified(subnet)
        } else if self.proofs.contains(source, now) || self.calls.has_source(source) {
            SourceStatus::Proven
        } else {
            SourceStatus::Unknown
        }
    }

    /// Returns true if a new request of a known source finds no free slot. An ACK or CANCEL, a response, and
    /// the BYE of an active call always pass. Beside many refusals that were never acknowledged, the rate of calls
    /// without a digest is limited: they may be forged, and each costs a decision.
    fn lacks_slot(&self, bytes: &[u8], source: IpAddr, subnet: IdentifyingSubnet) -> bool {
        let room = self.request_slots.room(source, subnet);
        if room == Room::Ample {
            return false;
        }
        let is_new = Head::of(bytes).is_some_and(|head| match (head.method(), room) {
            (None | Some(b"ACK" | b"CANCEL"), _) => false,
            (Some(b"BYE"), Room::None) => !key_of(&head).is_some_and(|key| self.calls.contains(&key)),
            (Some(b"INVITE"), Room::BesideRefusals) => {
                head.value([self.settings.credentials_header(), ""]).is_none()
                    && key_of(&head).is_none()
                    && !self.unproven_rates.take(origin(source), millis(self.clock.stopwatch()))
            }
            (Some(_), room) => room == Room::None,
        });
        if is_new {
            self.dropped(source);
        }
        is_new
    }

    /// Takes one answer from the rates for unknown sources. Returns true if there was one left.
    fn may_answer(&self, source: IpAddr) -> bool {
        let now = millis(self.clock.stopwatch());
        self.prefix_rates.take(prefix(source), now) && self.total_rate.take(TOTAL_ANSWER_RATE, now)
    }

    /// Builds an answer of at most twice the request's length, if the rates for unknown sources permit one.
    fn answer(
        &self,
        head: &Head<'_>,
        request_length: usize,
        arrival: &Arrival,
        reply: Reply<'_>,
    ) -> FilterAction {
        let source = arrival.source;
        if !self.may_answer(source.ip()) {
            self.counts.unanswered();
            return FilterAction::Drop;
        }
        let reply = reply.useful("Server", self.server_name.as_str());
        if let Some(bytes) = reply.to(head, source, &self.tag(head, source.ip()), 2 * request_length) {
            self.counts.answered();
            FilterAction::Reply(bytes)
        } else {
            self.counts.unanswered();
            FilterAction::Drop
        }
    }

    /// The `To` tag of an answer; a repeated request receives the same one (RFC 3261 §8.2.7).
    fn tag(&self, head: &Head<'_>, source: IpAddr) -> String {
        let parts = head.first_values([["From", "f"], ["Call-ID", "i"], ["CSeq", ""]]);
        format!("{:016x}", self.key.hash_one((source, parts)))
    }
}

impl MessageFilter for Front {
    fn check(&self, bytes: &[u8], arrival: &Arrival) -> FilterAction {
        let (source, now) = (arrival.source.ip(), self.clock.now());
        let source_status = self.source_status(source, now);
        if bytes.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
            // The keep-alive of RFC 5626 §3.5.1; phones and proxies also send zeros (Kamailio four) or single line ends
            // to keep a NAT's binding, which need no answer. An unknown source needs no binding kept open.
            let is_ping = bytes == b"\r\n\r\n" && source_status != SourceStatus::Unknown;
            return if is_ping { FilterAction::Reply(b"\r\n".to_vec()) } else { FilterAction::Drop };
        }
        match source_status {
            SourceStatus::Identified(subnet) if self.lacks_slot(bytes, source, subnet) => {
                busy(bytes, arrival)
            }
            SourceStatus::Proven if self.lacks_slot(bytes, source, None) => busy(bytes, arrival),
            SourceStatus::Identified(subnet) => self.answer_known(bytes, arrival, subnet, now),
            SourceStatus::Proven => self.answer_known(bytes, arrival, None, now),
            SourceStatus::Unknown => self.decide_unknown(bytes, arrival, now),
        }
    }

    fn unreadable(&self, bytes: &[u8], arrival: &Arrival, why: Unreadable) -> FilterAction {
        let outcome = match why {
            Unreadable::Framing(FramingError::TooLong) => AttemptOutcome::Oversized,
            _ => AttemptOutcome::Unreadable,
        };
        self.reject(bytes, arrival, outcome, why.reply(), &why.to_string())
    }

    /// A BYE or a refresh of the edge must reach the caller over the connection that its call is signalled over, and an
    /// answer that of its request.
    fn is_needed(&self, arrival: &Arrival) -> bool {
        self.calls.has_peer(arrival.source)
    }
}

impl Front {
    /// Counts, traces and answers a message that cannot be read, if an answer can be addressed.
    fn reject(
        &self,
        bytes: &[u8],
        arrival: &Arrival,
        outcome: AttemptOutcome,
        reply: Reply<'_>,
        why: &str,
    ) -> FilterAction {
        self.counts.unreadable();
        let head = Head::of(bytes).or_else(|| Head::of_cut_off(bytes));
        // A response, and a message that is not SIP, cannot be answered.
        let head = head.filter(|head| head.leading_method().is_some());
        let code = reply.code;
        let action = match &head {
            Some(head) if matches!(code, 405 | 501) => {
                self.answer(head, bytes.len(), arrival, reply.useful("Allow", super::stack::ALLOW))
            }
            Some(head) => self.answer(head, bytes.len(), arrival, reply),
            None => FilterAction::Drop,
        };
        let code = matches!(action, FilterAction::Reply(_)).then_some(code);
        let call_id = head.and_then(|head| head.value(["Call-ID", "i"])).unwrap_or_default();
        self.trace_unreadable(bytes, message(&call_id, arrival), outcome, code, sentence(why));
        action
    }

    /// Traces a message that could not be read. `code` is that of its response.
    fn trace_unreadable(
        &self,
        bytes: &[u8],
        message: Message<'_>,
        outcome: AttemptOutcome,
        code: Option<u16>,
        why: String,
    ) {
        let (source, now) = (message.source, self.clock.now());
        if self.log_sums.unreadable.admits(source.ip(), now) {
            let Message { call_id, transport, .. } = &message;
            let (length, begins) = (bytes.len(), beginning_of(bytes));
            let message_kind = match outcome {
                AttemptOutcome::Oversized => "an oversized message",
                _ => "an unreadable message",
            };
            tracing::info!(
                %source, transport, %call_id, code, bytes = length, begins, why,
                "{message_kind} was received"
            );
        }
        let reason = Reason { code, ..Reason::default() };
        let facts = Facts {
            message,
            outcome,
            trunk: None,
            is_proven: false,
            reason,
            explanation: why.into(),
            no_audio: None,
        };
        self.attempts.enter(facts, now);
    }
}

/// A reading of the stopwatch, for the rates. Unlike the clock, a tester cannot freeze it.
pub(crate) fn millis(stopwatch: Duration) -> i64 {
    i64::try_from(stopwatch.as_millis()).unwrap_or(i64::MAX)
}

/// The beginning of a message's first line for the log, with everything but printable ASCII escaped, and secrets
/// masked: after wrong framing it may be a line of a body.
fn beginning_of(bytes: &[u8]) -> String {
    const MAX_BYTES: usize = 60;
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let line = masked_line(line);
    line.get(..MAX_BYTES).unwrap_or(&line).escape_ascii().to_string()
}

/// The reaction to a known source without a free slot. A datagram is dropped, because its source may be
/// forged. Over a stream the peer receives 503, and its connection is not read until the answer is written.
fn busy(bytes: &[u8], arrival: &Arrival) -> FilterAction {
    let head = Head::of(bytes).filter(|_| arrival.transport != Transport::Udp);
    let reply = Reply::new(503, "Service Unavailable").useful("Retry-After", "5");
    let answer = head.and_then(|head| reply.to(&head, arrival.source, "busy", 2 * bytes.len()));
    answer.map_or(FilterAction::Drop, FilterAction::Reply)
}

/// The `Call-ID`, source and transport of a message that has no transaction, for its trace.
fn message<'a>(call_id: &'a [u8], arrival: &Arrival) -> Message<'a> {
    Message {
        call_id: String::from_utf8_lossy(call_id.get(..MAX_CALL_ID_BYTES).unwrap_or(call_id)),
        source: arrival.source,
        transport: transport_name(arrival.transport),
    }
}

/// The dialog that a request names; `None` without a `Call-ID`, a `From` and a local tag.
fn key_of(head: &Head<'_>) -> Option<DialogKey> {
    let text = |names| head.value(names).map(|value| String::from_utf8_lossy(&value).into_owned());
    Some(DialogKey {
        call_id: text(["Call-ID", "i"])?.into(),
        remote_tag: tag_of(&text(["From", "f"])?).unwrap_or(NULL_TAG).into(),
        local_tag: tag_of(&text(["To", "t"])?)?.into(),
    })
}

/// The nonces of one source. One that was issued to another source counts as expired, because it does not
/// prove that the sender receives at its address.
struct BoundNonces<'a> {
    nonces: NoncesAt<'a>,
    binding: u64,
}

impl Nonces for BoundNonces<'_> {
    fn state(&self, nonce: &[u8]) -> NonceState {
        match self.nonces.state(nonce) {
            NonceState::Fresh if !is_bound(nonce, self.binding) => NonceState::Expired,
            state => state,
        }
    }
}

/// Returns true if the upper half of a nonce's salt is `tie`. A nonce is 16 hexadecimal digits of time and 16
/// of salt.
fn is_bound(nonce: &[u8], binding: u64) -> bool {
    let salt = nonce.get(16..32).and_then(|digits| std::str::from_utf8(digits).ok());
    let salt = salt.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    salt.is_some_and(|salt| salt & !u64::from(u32::MAX) == binding)
}

#[cfg(test)]
mod tests;
