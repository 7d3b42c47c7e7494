//! A ring of the latest entries, bounded in count and bytes, of which no owner has more than a quarter.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::AttemptEvent;

/// The limits of a ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct RingLimits {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

/// The entries of one share may occupy this fraction of a ring: one of four.
const SHARES: usize = 4;

/// The entries by number. The oldest are removed when a limit is reached.
#[derive(Debug)]
pub(super) struct Ring {
    limits: RingLimits,
    entries: BTreeMap<u64, Entry>,
    /// The numbers and the bytes of the entries of each share that has entries.
    shares: HashMap<u64, Share>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    share: u64,
    event: Arc<AttemptEvent>,
}

#[derive(Debug, Default)]
struct Share {
    numbers: VecDeque<u64>,
    bytes: usize,
}

impl Ring {
    pub(super) fn new(limits: RingLimits) -> Self {
        Self { limits, entries: BTreeMap::new(), shares: HashMap::new(), bytes: 0 }
    }

    /// Adds an entry, whose number is higher than all before.
    pub(super) fn push(&mut self, share: u64, event: Arc<AttemptEvent>) {
        let (number, bytes) = (event.number, event.bytes());
        self.entries.insert(number, Entry { share, event });
        self.bytes += bytes;
        let RingLimits { entries: max_entries, bytes: max_bytes } = self.limits;
        loop {
            let own = self.shares.entry(share).or_default();
            if own.numbers.len() < max_entries / SHARES && own.bytes + bytes <= max_bytes / SHARES {
                own.numbers.push_back(number);
                own.bytes += bytes;
                break;
            }
            let Some(oldest) = own.numbers.front().copied() else { break };
            self.remove(oldest);
        }
        while self.entries.len() > max_entries || self.bytes > max_bytes {
            let Some(oldest) = self.entries.keys().next().copied() else { return };
            self.remove(oldest);
        }
    }

    /// Removes an entry, which is the oldest of its share.
    fn remove(&mut self, number: u64) {
        let Some(Entry { share, event }) = self.entries.remove(&number) else { return };
        self.bytes = self.bytes.saturating_sub(event.bytes());
        if let Some(own) = self.shares.get_mut(&share) {
            own.numbers.pop_front();
            own.bytes = own.bytes.saturating_sub(event.bytes());
            if own.numbers.is_empty() {
                self.shares.remove(&share);
            }
        }
    }

    /// The entries of the ring, newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Arc<AttemptEvent>> {
        self.entries.values().rev().map(|entry| &entry.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempts::AttemptOutcome;

    fn event(number: u64, call_id: &str) -> Arc<AttemptEvent> {
        Arc::new(AttemptEvent {
            number,
            time: didww_types::Timestamp::from_unix_millis(0),
            outcome: AttemptOutcome::Refused,
            call_id: call_id.to_owned(),
            source: "192.0.2.1:5060".parse().unwrap(),
            transport: "udp",
            trunk_id: None,
            trunk_name: None,
            account: None,
            check: None,
            cause: None,
            code: None,
            explanation: String::new(),
            no_audio: None,
        })
    }

    fn numbers(ring: &Ring) -> Vec<u64> {
        ring.newest().map(|event| event.number).collect()
    }

    #[test]
    fn a_share_has_a_quarter_and_its_flood_does_not_push_out_another() {
        let mut ring = Ring::new(RingLimits { entries: 8, bytes: 1 << 20 });
        ring.push(1, event(1, "customer"));
        for number in 2..1_000 {
            ring.push(2, event(number, "flood"));
        }
        assert_eq!(numbers(&ring), [999, 998, 1]);
        for number in 1_000..1_100 {
            ring.push(number, event(number, "each of its own"));
        }
        assert_eq!(numbers(&ring), (1_092..1_100).rev().collect::<Vec<_>>());
        assert_eq!(ring.shares.len(), 8);
    }

    #[test]
    fn the_bytes_are_bounded_too() {
        let size = event(1, &"x".repeat(100)).bytes();
        let mut ring = Ring::new(RingLimits { entries: 1_000, bytes: 8 * size });
        for number in 1..100 {
            ring.push(number % 5, event(number, &"x".repeat(100)));
        }
        assert_eq!(numbers(&ring), (92..100).rev().collect::<Vec<_>>());
        assert_eq!(ring.bytes, 8 * size);
        for number in 100..200 {
            ring.push(7, event(number, &"x".repeat(100)));
        }
        let flood = ring.newest().filter(|event| event.number >= 100).count();
        assert_eq!(flood, 2, "a quarter of the bytes");
    }
}
