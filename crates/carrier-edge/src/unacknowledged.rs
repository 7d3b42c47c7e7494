//! How many answers a source of datagrams may leave unacknowledged.
//!
//! The source of a datagram can be forged, and where a trunk knows its callers by their address alone, whoever forges
//! one gets calls answered that nobody hears. Until a source (an IPv4 address, a /64 of IPv6) acknowledged an answer it
//! has a few at a time; one that did has shown that it hears, and has as many as it likes for the next half an hour at
//! least. Digests and streams show that before the call.

use std::net::IpAddr;
use std::sync::Arc;

use didww_types::Timestamp;

use super::proven::Proven;
use service_base::forwarded::origin;
use service_base::places::{self, Places};

/// Answers that wait for their acknowledgement.
#[derive(Debug)]
pub(crate) struct Unacknowledged {
    waiting: Arc<Places<IpAddr>>,
    heard: Proven,
}

/// An answer that waits; dropped, it waits no more.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    heard: &'a Proven,
    source: IpAddr,
    _waiting: places::Place<IpAddr>,
}

impl Unacknowledged {
    /// With so many for one source that never acknowledged one.
    pub(crate) fn new(most: u32) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { waiting: Places::new(most), heard: Proven::default() }
    }

    /// A place for an answer to this source; none when as many wait already, and it acknowledged none lately.
    pub(crate) fn take(&self, source: IpAddr, now: Timestamp) -> Option<Place<'_>> {
        let (source, heard) = (origin(source), &self.heard);
        let is_heard = heard.knows(source, now);
        let waiting = if is_heard { self.waiting.take_anyway(source) } else { self.waiting.take(source) }?;
        Some(Place { heard, source, _waiting: waiting })
    }
}

impl Place<'_> {
    /// The source acknowledged the answer.
    pub(crate) fn acknowledged(self, now: Timestamp) {
        self.heard.note(self.source, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000_000_000);

    #[test]
    fn a_source_has_a_few_answers_until_it_acknowledges_one() {
        let (all, source, other) =
            (Unacknowledged::new(2), "192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
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
        let all = Unacknowledged::new(1);
        let _place = all.take("2001:db8::1".parse().unwrap(), NOW).unwrap();
        assert!(all.take("2001:db8::2".parse().unwrap(), NOW).is_none());
        assert!(all.take("2001:db8:0:1::2".parse().unwrap(), NOW).is_some());
    }
}
