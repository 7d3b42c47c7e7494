//! The length of media packets, which limits the number of packets that all calls together send per second.
//!
//! All streams change together, so that no call has worse media than another, and none has pauses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Maximum number of streams whose packets have 20 ms: 50,000 packets a second.
const MAX_SHORT_PACKET_STREAMS: usize = 1_000;
/// The longest packet in units of 20 ms: 160 ms. Receivers accept 200 ms (RFC 3551 §4.2), but such a
/// packet would be longer than an Ethernet frame.
pub(crate) const MAX_PACKET_UNITS: usize = 8;

/// The streams of all calls. Up to 1,000 of them have packets of 20 ms; for each further 1,000, the packets of all
/// become 20 ms longer, up to 160 ms, so that together they send at most 50,000 packets a second. Beyond 8,000 streams
/// the number of packets grows with the calls, whose number the owner of the dialler limits.
#[derive(Debug, Default)]
pub(crate) struct Streams(AtomicUsize);

impl Streams {
    pub(crate) fn begin(self: &Arc<Self>) -> Begun {
        self.0.fetch_add(1, Ordering::Relaxed);
        Begun(Arc::clone(self))
    }
}

/// A stream that is counted until it is dropped.
pub(crate) struct Begun(Arc<Streams>);

impl Begun {
    /// The present length of packets in units of 20 ms.
    pub(crate) fn packet_units(&self) -> usize {
        self.0.0.load(Ordering::Relaxed).div_ceil(MAX_SHORT_PACKET_STREAMS).clamp(1, MAX_PACKET_UNITS)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Streams {
    /// Streams beside this number of others.
    pub(crate) fn beside(others: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(others)))
    }

    /// The number of streams that have not ended.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
impl Begun {
    /// All streams, this one included.
    pub(crate) fn all(&self) -> Arc<Streams> {
        Arc::clone(&self.0)
    }
}
