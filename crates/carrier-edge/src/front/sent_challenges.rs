//! The challenges of plain INVITEs that wait for their ACK, each of which is sent again until then (RFC 3261 §17.2.1).
//!
//! None has a task or a timer of its own: one task sends them again, and an ACK removes one. Bounded: each holds a slot
//! of the refusals that wait for their ACK, and the times of those that were acknowledged are forgotten with the next
//! one, or half a second later.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rsipstack::transaction::endpoint::EndpointOption;
use service_base::net::Turns;
use sip_transport::{Datagrams, Head, PlainRequest, tag_of};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::merged_requests::MergedRequests;
use crate::request_slots::RequestSlot;
use crate::stack::{Repetition, real_now};

/// What the filter needs to challenge plain INVITEs.
pub(super) struct PlainChallenges {
    pub(super) sent: Arc<SentChallenges>,
    /// The INVITEs that are pending, or became calls.
    pub(super) merged_requests: Arc<MergedRequests>,
    /// The number of challenges.
    pub(super) count: AtomicU64,
}

impl PlainChallenges {
    pub(super) fn new(merged_requests: Arc<MergedRequests>) -> Self {
        let sent = Arc::new(SentChallenges::new(EndpointOption::default()));
        Self { sent, merged_requests, count: AtomicU64::default() }
    }
}

/// The challenges that wait for their ACK. They are found by a keyed hash of what identifies their INVITE, so that no
/// peer can construct two with the same one.
pub(super) struct SentChallenges {
    key: RandomState,
    option: EndpointOption,
    state: Mutex<State>,
    /// Wakes the task that sends challenges again, when one is due before those that it knows.
    added: Notify,
}

/// The local address that a challenge is sent from, and the address that it is sent to.
type Way = (IpAddr, SocketAddr);

/// A challenge that was sent.
pub(super) struct SentChallenge {
    /// The topmost `Via` of its INVITE.
    pub(super) via: Box<str>,
    /// The value of `To`, with the local tag.
    pub(super) to: Arc<str>,
    pub(super) local_tag: Box<str>,
    pub(super) text: Arc<[u8]>,
    /// The source of its INVITE.
    pub(super) source: IpAddr,
    pub(super) way: Way,
    /// Its slot among the refusals that wait for their ACK.
    pub(super) _slot: RequestSlot,
}

/// What waits of the INVITE that a request is a copy of, or cancels.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Nothing,
    /// Its challenge, with the value of `To`.
    Challenge {
        text: Arc<[u8]>,
        to: Arc<str>,
    },
    /// The request came from another address than the INVITE.
    FromElsewhere,
    /// An INVITE with another topmost `Via`, which is another transaction.
    OfAnother,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u64, Waiting>,
    /// When each is sent again, with its number and its key.
    due: BinaryHeap<Reverse<(Instant, u64, u64)>>,
    /// The number of the last one.
    latest: u64,
    /// The time that the task waits for; `None` while it waits for the first challenge.
    awaited: Option<Instant>,
}

struct Waiting {
    number: u64,
    challenge: SentChallenge,
    repetition: Repetition,
}

impl SentChallenges {
    fn new(option: EndpointOption) -> Self {
        let (key, state, added) = (RandomState::new(), Mutex::default(), Notify::new());
        Self { key, option, state, added }
    }

    /// Keeps a challenge until its ACK arrives. The task that sends it again must run.
    pub(super) fn insert(&self, request: &PlainRequest<'_>, challenge: SentChallenge, now: Instant) {
        let (key, repetition) = (self.key(request.identity()), Repetition::of(now, &self.option));
        let due = repetition.next();
        let mut guard = self.lock();
        let state = &mut *guard;
        state.forget_acknowledged();
        state.latest += 1;
        let number = state.latest;
        state.due.push(Reverse((due, number, key)));
        let before = state.waiting.insert(key, Waiting { number, challenge, repetition });
        let is_first = state.awaited.is_none_or(|awaited| due < awaited);
        if is_first {
            state.awaited = Some(due);
        }
        drop(guard);
        drop(before);
        if is_first {
            self.added.notify_one();
        }
    }

    /// What waits of the INVITE with the identity of a request that came from `source`.
    pub(super) fn find(&self, request: &PlainRequest<'_>, source: IpAddr) -> Sent {
        let key = self.key(request.identity());
        let state = self.lock();
        match state.waiting.get(&key).map(|waiting| &waiting.challenge) {
            None => Sent::Nothing,
            Some(challenge) if *challenge.via != *request.via => Sent::OfAnother,
            Some(challenge) if challenge.source != source => Sent::FromElsewhere,
            Some(SentChallenge { text, to, .. }) => {
                Sent::Challenge { text: Arc::clone(text), to: Arc::clone(to) }
            }
        }
    }

    /// Ends the wait for an ACK. Returns false if nothing waits for this one.
    pub(super) fn end_with(&self, ack: &Head<'_>) -> bool {
        // What was taken is dropped here, without the lock.
        self.take(ack).is_some()
    }

    fn take(&self, ack: &Head<'_>) -> Option<Waiting> {
        if self.lock().waiting.is_empty() {
            return None;
        }
        let [call_id, from, to, sequence] =
            ack.first_values([["Call-ID", "i"], ["From", "f"], ["To", "t"], ["CSeq", ""]]);
        let (call_id, from, to, sequence) = (call_id?, from?, to?, sequence?);
        let number = text(&sequence)?.split_ascii_whitespace().next()?.parse().ok()?;
        let key = self.key((text(&call_id)?, tag_of(text(&from)?)?, number));
        let local_tag = tag_of(text(&to)?)?;
        let mut state = self.lock();
        // The tag proves that the sender received the challenge.
        state.waiting.get(&key).filter(|waiting| *waiting.challenge.local_tag == *local_tag)?;
        state.waiting.remove(&key)
    }

    /// When the next one is sent again; `None` if none waits. [`insert`](Self::insert) notifies `added` of an earlier
    /// one.
    fn next_due(&self) -> Option<Instant> {
        let mut state = self.lock();
        state.forget_acknowledged();
        state.awaited = state.due.peek().map(|Reverse((due, ..))| *due);
        state.awaited
    }

    /// The next one that is to be sent again at `now`, with its way. Those whose time has run out are forgotten.
    fn take_due(&self, now: Instant) -> Option<(Arc<[u8]>, Way)> {
        let mut guard = self.lock();
        let state = &mut *guard;
        loop {
            let Reverse((due, number, key)) = *state.due.peek()?;
            if due > now {
                return None;
            }
            state.due.pop();
            let Some(waiting) = state.waiting.get_mut(&key).filter(|waiting| waiting.number == number) else {
                continue;
            };
            if waiting.repetition.advance(now, self.option.t2) {
                state.due.push(Reverse((waiting.repetition.next(), number, key)));
                return Some((Arc::clone(&waiting.challenge.text), waiting.challenge.way));
            }
            state.waiting.remove(&key);
        }
    }

    fn key(&self, identity: (&str, &str, u32)) -> u64 {
        self.key.hash_one(identity)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets the first times, as far as they are those of challenges that wait no longer.
    fn forget_acknowledged(&mut self) {
        while let Some(Reverse((_, number, key))) = self.due.peek()
            && self.waiting.get(key).is_none_or(|waiting| waiting.number != *number)
        {
            self.due.pop();
        }
    }
}

/// Sends each challenge again until it is acknowledged, or its time has run out. Ends with the socket.
pub(super) async fn send_again(sent: Arc<SentChallenges>, datagrams: Weak<Datagrams>) {
    let mut turns = Turns::default();
    loop {
        let Some(due) = sent.next_due() else {
            sent.added.notified().await;
            continue;
        };
        // One that was sent several times waits for up to four seconds, and a new one for half a second.
        if tokio::time::timeout_at(due, sent.added.notified()).await.is_ok() {
            continue;
        }
        while let Some((text, (from, to))) = sent.take_due(real_now()) {
            let Some(datagrams) = datagrams.upgrade() else { return };
            datagrams.send(&text, from, to);
            drop(datagrams);
            turns.pass().await;
        }
    }
}

/// Bytes as text.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::request_slots::{RequestSlots, SLOT_LIMITS};

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 5));

    fn request(method: &str, to: &str) -> String {
        format!(
            "{method} sip:1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKa\r\n\
             From: <sip:a@h>;tag=a\r\nTo: <sip:1@h>{to}\r\nCall-ID: id\r\nCSeq: 7 {method}\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// Inserts a challenge with the tag `b` of that request.
    fn insert(sent: &SentChallenges, slots: &Arc<RequestSlots>, text: &str, now: Instant) {
        let slot = slots.take(SOURCE, None).unwrap().of_refusal().unwrap();
        let request = PlainRequest::of(text.as_bytes(), &[]).unwrap();
        let challenge = SentChallenge {
            via: request.via.into(),
            to: "<sip:1@h>;tag=b".into(),
            local_tag: "b".into(),
            text: Arc::from(&b"challenge"[..]),
            source: SOURCE,
            way: (SOURCE, SocketAddr::new(SOURCE, 5060)),
            _slot: slot,
        };
        sent.insert(&request, challenge, now);
    }

    #[test]
    fn a_challenge_is_found_by_its_transaction_until_its_ack() {
        let (sent, slots) = (SentChallenges::new(EndpointOption::default()), RequestSlots::new(SLOT_LIMITS));
        let (invite, cancel) = (request("INVITE", ""), request("CANCEL", ""));
        let find = |text: &str, source: &str| {
            sent.find(&PlainRequest::of(text.as_bytes(), &[]).unwrap(), source.parse().unwrap())
        };
        assert_eq!(find(&invite, "203.0.113.5"), Sent::Nothing);
        insert(&sent, &slots, &invite, real_now());
        let found = Sent::Challenge { text: Arc::from(&b"challenge"[..]), to: Arc::from("<sip:1@h>;tag=b") };
        for text in [&invite, &cancel] {
            assert_eq!(find(text, "203.0.113.5"), found);
        }
        assert_eq!(find(&invite, "203.0.113.6"), Sent::FromElsewhere);
        assert_eq!(find(&invite.replace("z9hG4bKa", "z9hG4bKb"), "203.0.113.5"), Sent::OfAnother);
        for (part, other) in [("tag=a", "tag=b"), ("Call-ID: id", "Call-ID: other"), ("CSeq: 7", "CSeq: 8")] {
            assert_eq!(find(&invite.replace(part, other), "203.0.113.5"), Sent::Nothing, "{other}");
        }
        let end_with = |text: &str| sent.end_with(&Head::of(text.as_bytes()).unwrap());
        let ack = request("ACK", ";tag=b");
        for (part, other) in
            [(";tag=b", ";tag=c"), (";tag=b", ""), ("CSeq: 7", "CSeq: 8"), ("Call-ID: id", "X: id")]
        {
            assert!(!end_with(&ack.replace(part, other)), "{other}");
        }
        assert!(end_with(&ack), "its own");
        assert!(!end_with(&ack), "once");
        assert_eq!(find(&invite, "203.0.113.5"), Sent::Nothing);
    }

    #[test]
    fn it_is_sent_again_until_its_ack_or_until_its_time_has_run_out() {
        let (sent, slots) = (SentChallenges::new(EndpointOption::default()), RequestSlots::new(SLOT_LIMITS));
        let (invite, now) = (request("INVITE", ""), real_now());
        assert_eq!(sent.next_due(), None);
        insert(&sent, &slots, &invite, now);
        let mut repeated = Vec::new();
        while let Some(due) = sent.next_due() {
            assert!(sent.take_due(now).is_none());
            if sent.take_due(due).is_some() {
                repeated.push((due - now).as_millis());
            }
        }
        assert_eq!(repeated, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        let state = sent.lock();
        assert!(state.waiting.is_empty() && state.due.is_empty());
        drop(state);

        // One that was acknowledged, and the next one of the same identity.
        insert(&sent, &slots, &invite, now);
        assert!(sent.end_with(&Head::of(request("ACK", ";tag=b").as_bytes()).unwrap()));
        let later = now + Duration::from_millis(100);
        insert(&sent, &slots, &invite, later);
        assert_eq!(sent.lock().due.len(), 1, "the first time was forgotten");
        assert!(sent.take_due(now + Duration::from_millis(500)).is_none());
        assert!(sent.take_due(later + Duration::from_millis(500)).is_some());
    }

    #[tokio::test]
    async fn the_task_that_sends_them_again_is_woken_by_one_that_is_due_before_the_others() {
        let (sent, slots) = (SentChallenges::new(EndpointOption::default()), RequestSlots::new(SLOT_LIMITS));
        assert_eq!(sent.next_due(), None);
        let invite =
            |number: u32| request("INVITE", "").replace("Call-ID: id", &format!("Call-ID: {number}"));
        let is_woken = || sent.added.notified().now_or_never().is_some();
        let now = real_now();
        insert(&sent, &slots, &invite(1), now);
        assert!(is_woken(), "by the first");
        insert(&sent, &slots, &invite(2), now + Duration::from_millis(1));
        assert!(!is_woken(), "a later one is found when the first is due");
        for _ in 0..4 {
            let due = sent.next_due().unwrap();
            assert!(sent.take_due(due).is_some());
        }
        let due = sent.next_due().unwrap();
        insert(&sent, &slots, &invite(3), due - Duration::from_millis(600));
        assert!(is_woken(), "it is due before those that were sent again");
    }
}
