//! The filter in front of the SIP parser: a request that belongs to no call is answered without a transaction (RFC 3261
//! §8.2.7).
//!
//! Any host can send one. The library would keep each with its answer for half a minute, and repeat the refusal of an
//! INVITE to a source that may be forged. So an answer is built from the bytes of its request, is at most twice as
//! long, is sent once, and its rate is limited. Responses pass: they find their transaction, or nothing.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use service_base::buckets::{Bucket, Buckets};
use service_base::clock::Clock;
use service_base::forwarded::origin;
use service_base::rate::Rate;
use sip_transport::{Arrival, FilterAction, Head, MessageFilter, Reply, Unreadable, tag_of};

use crate::dialogs::Dialogs;
use crate::stack::ALLOW;

/// Rate of answers to an IPv4 address, or a `/64` of IPv6, in one of the two buckets that it draws on: together 10 a
/// second, and 40 at once.
const ADDRESS_RATE: Rate = Rate::per_second(5, 20);
/// Rate of answers to all addresses together.
const TOTAL_RATE: Rate = Rate::per_second(1_000, 1_000);

/// The message filter of a dialler.
pub(crate) struct Strangers {
    dialogs: Arc<Dialogs>,
    clock: Clock,
    /// The key of the tags in answers.
    key: RandomState,
    address_rates: Buckets,
    total_rate: Bucket,
}

impl Strangers {
    pub(crate) fn new(dialogs: Arc<Dialogs>, clock: Clock) -> Self {
        Self {
            dialogs,
            clock,
            key: RandomState::new(),
            address_rates: Buckets::new(ADDRESS_RATE),
            total_rate: Bucket::default(),
        }
    }

    fn may_answer(&self, arrival: &Arrival) -> bool {
        // Not the clock's time, which a tester can freeze.
        let now = i64::try_from(self.clock.stopwatch().as_millis()).unwrap_or(i64::MAX);
        self.address_rates.take(origin(arrival.source.ip()), now) && self.total_rate.take(TOTAL_RATE, now)
    }

    /// Whether a message belongs to a call or a probe that has not ended, or has ended lately.
    fn is_of_call(&self, head: &Head<'_>) -> bool {
        let call_id = head.value(["Call-ID", "i"]).unwrap_or_default();
        self.dialogs.knows(&String::from_utf8_lossy(&call_id))
    }

    /// The `To` tag of an answer; a repeated request receives the same one.
    fn tag(&self, head: &Head<'_>, arrival: &Arrival) -> String {
        let parts = [["From", "f"], ["Call-ID", "i"], ["CSeq", ""]].map(|names| head.value(names));
        format!("{:016x}", self.key.hash_one((arrival.source.ip(), parts)))
    }
}

impl MessageFilter for Strangers {
    fn check(&self, bytes: &[u8], arrival: &Arrival) -> FilterAction {
        let Some(head) = Head::of(bytes) else { return FilterAction::Pass };
        let Some(method) = head.method() else { return FilterAction::Pass };
        if self.is_of_call(&head) {
            return FilterAction::Pass;
        }
        if method == b"ACK" || !self.may_answer(arrival) {
            return FilterAction::Drop;
        }
        let to = head.value(["To", "t"]).unwrap_or_default();
        let is_in_dialog = std::str::from_utf8(&to).is_ok_and(|to| tag_of(to).is_some());
        let reply = match method {
            _ if is_in_dialog => Reply::new(481, "Call/Transaction Does Not Exist"),
            b"CANCEL" => Reply::new(481, "Call/Transaction Does Not Exist"),
            b"OPTIONS" => Reply::new(200, "OK").useful("Allow", ALLOW),
            // The dialler accepts no incoming calls.
            _ => Reply::new(405, "Method Not Allowed").useful("Allow", ALLOW),
        };
        let answer = reply.to(&head, arrival.source, &self.tag(&head, arrival), 2 * bytes.len());
        answer.map_or(FilterAction::Drop, FilterAction::Reply)
    }

    fn unreadable(&self, _bytes: &[u8], _arrival: &Arrival, _why: Unreadable) -> FilterAction {
        FilterAction::Drop
    }

    fn is_needed(&self, _arrival: &Arrival) -> bool {
        // Requests of a call are sent on connections that the dialler opened itself.
        false
    }

    fn proves(&self, bytes: &[u8], _arrival: &Arrival) -> bool {
        // The responses of strangers pass too.
        Head::of(bytes).is_some_and(|head| self.is_of_call(&head))
    }
}
