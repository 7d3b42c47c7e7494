//! The state of an admitted call. Its task, the list of active calls, billing and the call record share one
//! copy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use didww_types::Timestamp;
use service_base::buckets::Bucket;
use service_base::mailbox::Mailbox;
use service_base::rate;
use trunk_rules::carrier::{Admitted, Cli, Digits, Identified, MediaFacts, Rate, TrunkTerms, no_audio};
use uuid::Uuid;

use super::call_event::{self, CallEvent};
use super::media_report::SharedFacts;
use super::stack::Incoming;
use super::stored_text::stored_text;

/// The identifiers of a dialog (RFC 3261 §12): the `Call-ID`, the caller's tag and the edge's tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DialogKey {
    pub(crate) call_id: Box<str>,
    pub(crate) remote_tag: Box<str>,
    pub(crate) local_tag: Box<str>,
}

impl DialogKey {
    /// The dialog that a received request names; `None` if a tag is missing.
    pub(crate) fn of(request: &Incoming) -> Option<Self> {
        Some(Self {
            call_id: request.call_id().into(),
            remote_tag: request.remote_tag()?.into(),
            local_tag: request.local_tag()?.into(),
        })
    }
}

/// The origin of an INVITE: source address, transport and the headers that a call record reports.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The id of the call and of its record.
    pub(crate) id: Uuid,
    pub(crate) started: Timestamp,
    pub(crate) source: SocketAddr,
    pub(crate) protocol: &'static str,
    pub(crate) user_agent: Option<Box<str>>,
    pub(crate) p_charge_info: Option<Box<str>>,
}

impl Origin {
    /// The origin of an INVITE that arrived at `started` and whose record will have this id.
    pub(crate) fn of(id: Uuid, request: &Incoming, started: Timestamp) -> Self {
        let text = |name: &'static str| request.value(name).map(|value| stored_text(value).into());
        Self {
            id,
            started,
            source: request.source(),
            protocol: request.transport(),
            user_agent: text("User-Agent"),
            p_charge_info: text("P-Charge-Info"),
        }
    }
}

/// The state of one admitted call.
#[derive(Debug)]
pub(crate) struct CallState {
    pub(crate) key: DialogKey,
    pub(crate) origin: Origin,
    pub(crate) trunk: Arc<TrunkTerms>,
    pub(crate) dialled: Box<str>,
    pub(crate) destination: Digits,
    pub(crate) cli: Cli,
    pub(crate) is_emergency: bool,
    pub(crate) rate: Option<Rate>,
    /// True if the caller has proved that it receives at its source address: by a digest over a nonce of the
    /// edge, or by a stream transport.
    pub(crate) has_proved_address: bool,
    /// The facts of the call's media so far.
    pub(crate) media: Arc<SharedFacts>,
    /// The queue of the call's events.
    pub(crate) mailbox: Mailbox<CallEvent>,
    /// When the call was answered, in Unix milliseconds; `NEVER` before.
    connected: AtomicI64,
    /// When the answered call ends at the latest, in Unix milliseconds.
    ends_by: AtomicI64,
    /// The highest `CSeq` number of the caller's requests in the dialog.
    sequence: AtomicU32,
    /// Limits the rate of the caller's requests in the dialog.
    requests: Bucket,
}

/// Rate of a caller's requests in its call, apart from BYE. The answer to each is kept for half a minute.
const REQUEST_RATE: rate::Rate = rate::Rate::per_second(50, 100);

const NEVER: i64 = i64::MIN;

impl CallState {
    /// `keeps_digits` is whether the DTMF digits of the call are kept.
    pub(crate) fn new(
        key: DialogKey,
        origin: Origin,
        sequence: u32,
        admitted: Admitted,
        keeps_digits: bool,
    ) -> Self {
        let Admitted { trunk, identified, dialled, destination, cli, emergency, rate, .. } = admitted;
        let has_proved_address = origin.protocol != "udp" || matches!(identified, Identified::Digest { .. });
        Self {
            key,
            origin,
            trunk,
            dialled: dialled.into(),
            destination,
            cli,
            is_emergency: emergency.is_some(),
            rate,
            has_proved_address,
            media: Arc::new(SharedFacts::new(keeps_digits)),
            mailbox: Mailbox::new(call_event::MAX_QUEUED_EVENTS),
            connected: AtomicI64::new(NEVER),
            ends_by: AtomicI64::new(i64::MAX),
            sequence: AtomicU32::new(sequence),
            requests: Bucket::default(),
        }
    }

    /// Counts a request of the caller, `now` milliseconds after the stopwatch was started. Returns false if there are
    /// too many.
    pub(crate) fn may_ask(&self, now: i64) -> bool {
        self.requests.take(REQUEST_RATE, now)
    }

    /// Records the `CSeq` number of a request in the dialog. Returns true unless a higher number was recorded
    /// before.
    pub(crate) fn accept_sequence(&self, sequence: u32) -> bool {
        self.sequence.fetch_max(sequence, Ordering::Relaxed) <= sequence
    }

    /// Records when the call was answered.
    pub(crate) fn connect(&self, at: Timestamp) {
        self.connected.store(at.as_unix_millis(), Ordering::Relaxed);
    }

    /// When the call was answered, if it was.
    pub(crate) fn connected(&self) -> Option<Timestamp> {
        let at = self.connected.load(Ordering::Relaxed);
        (at != NEVER).then(|| Timestamp::from_unix_millis(at))
    }

    /// Records when the call ends at the latest: the callee hangs up then, or no call lasts longer.
    pub(crate) fn end_by(&self, at: Timestamp) {
        self.ends_by.store(at.as_unix_millis(), Ordering::Relaxed);
    }

    /// When the call ends at the latest. It costs nothing beyond, although the timer that ends it is always a little
    /// late, and a clock that is advanced can be far beyond.
    pub(crate) fn ends_by(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.ends_by.load(Ordering::Relaxed))
    }

    /// Why the call has no audio by the facts of its media, as far as it is certain; `None` if it has audio, or was not
    /// answered.
    pub(crate) fn no_audio(&self, facts: &MediaFacts) -> Option<String> {
        self.connected()?;
        no_audio(&self.trunk.rtp, self.origin.source.ip(), facts)
    }

    /// The trunk's id in the store; `None` if it is not a UUID.
    pub(crate) fn trunk_uuid(&self) -> Option<Uuid> {
        self.trunk.id.as_str().parse().ok()
    }

    /// Returns true if the trunk's threshold does not limit this call: an emergency call with
    /// `emergency_bypass` set.
    pub(crate) fn is_exempt(&self, emergency_bypass: bool) -> bool {
        self.is_emergency && emergency_bypass
    }

    /// The account's number in the store.
    pub(crate) fn account(&self) -> i64 {
        self.trunk.account.parse().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each active call has one. With the counters of an `Arc` it takes 384 bytes, a size of the allocator.
    #[test]
    fn the_state_of_a_call_is_small() {
        let size = size_of::<CallState>();
        assert!(size <= 384 - 16, "{size}");
    }
}
