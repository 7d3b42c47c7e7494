//! Limits the answers over UDP that a source may leave unacknowledged.
//!
//! The source of a datagram can be forged. If a trunk identifies its callers by address alone, an attacker
//! with a forged address could have calls answered that no caller receives. So a source (an IPv4 address, or
//! a /64 of IPv6) may have only a few unacknowledged answers at a time. An ACK proves that it receives at its
//! address, which lifts the limit for at least the next half hour. A digest or a stream transport proves the
//! same before the call.

use std::net::IpAddr;
use std::sync::Arc;

use didww_types::Timestamp;
use service_base::forwarded::origin;
use service_base::slots::{self, Slots};

use super::proofs::Proofs;

/// The unacknowledged answers of each source.
#[derive(Debug)]
pub(crate) struct UnacknowledgedAnswers {
    waiting: Arc<Slots<IpAddr>>,
    acknowledging: Proofs,
}

/// An unacknowledged answer. Dropping it releases its slot.
#[derive(Debug)]
pub(crate) struct UnacknowledgedAnswer<'a> {
    acknowledging: &'a Proofs,
    source: IpAddr,
    _waiting: slots::Slot<IpAddr>,
}

impl UnacknowledgedAnswers {
    /// Creates the limiter; `limit` applies to a source that has acknowledged no answer lately.
    pub(crate) fn new(limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { waiting: Slots::new(limit), acknowledging: Proofs::default() }
    }

    /// Takes a slot for an answer to this source. `None` if the source has reached its limit.
    pub(crate) fn take(&self, source: IpAddr, now: Timestamp) -> Option<UnacknowledgedAnswer<'_>> {
        let (source, acknowledging) = (origin(source), &self.acknowledging);
        let is_acknowledging = acknowledging.contains(source, now);
        let waiting =
            if is_acknowledging { self.waiting.take_anyway(source) } else { self.waiting.take(source) }?;
        Some(UnacknowledgedAnswer { acknowledging, source, _waiting: waiting })
    }
}

impl UnacknowledgedAnswer<'_> {
    /// Records that the source acknowledged the answer.
    pub(crate) fn acknowledged(self, now: Timestamp) {
        self.acknowledging.insert(self.source, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000_000_000);

    #[test]
    fn a_source_has_a_few_answers_until_it_acknowledges_one() {
        let (all, source, other) =
            (UnacknowledgedAnswers::new(2), "192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = all.take(source, NOW).unwrap();
        let _second = all.take(source, NOW).unwrap();
        assert!(all.take(source, NOW).is_none());
        assert!(all.take(other, NOW).is_some());
        drop(first);
        let third = all.take(source, NOW).unwrap();
        third.acknowledged(NOW);
        let many: Vec<_> = (0..10).map(|_| all.take(source, NOW).unwrap()).collect();
        drop(many);
        let _others = [all.take(other, NOW).unwrap(), all.take(other, NOW).unwrap()];
        assert!(all.take(other, NOW).is_none(), "that is its own");
    }

    #[test]
    fn the_addresses_of_a_network_of_ipv6_count_together() {
        let all = UnacknowledgedAnswers::new(1);
        let _place = all.take("2001:db8::1".parse().unwrap(), NOW).unwrap();
        assert!(all.take("2001:db8::2".parse().unwrap(), NOW).is_none());
        assert!(all.take("2001:db8:0:1::2".parse().unwrap(), NOW).is_some());
    }
}
