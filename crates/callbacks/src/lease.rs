//! How long a node of several may send the events that it leased.

use std::time::Duration;

use service_base::clock::Stopwatch;
use tokio::sync::watch;

/// The leases of a node, as of the last round that extended those which end soon.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    extended: watch::Receiver<Stopwatch>,
    kept: Duration,
}

impl Lease {
    /// Leases that last for `kept` at least after each round, whose beginning is `extended`.
    pub(crate) fn new(extended: watch::Receiver<Stopwatch>, kept: Duration) -> Self {
        Self { extended, kept }
    }

    /// Waits until another node may have the leases: this one could not extend them for too long.
    pub(crate) async fn over(&self) {
        loop {
            let since = self.extended.borrow().elapsed();
            let Some(left) = self.kept.checked_sub(since).filter(|left| !left.is_zero()) else { return };
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_is_over_when_it_was_not_extended_for_its_time() {
        let begun = Stopwatch::start();
        let extended = watch::Sender::new(begun);
        let kept = Duration::from_millis(50);
        let lease = Lease::new(extended.subscribe(), kept);
        let extends = async {
            tokio::time::sleep(kept / 2).await;
            extended.send_replace(Stopwatch::start());
        };
        // In this order also if both are due at once, on a busy machine.
        tokio::join!(biased; extends, lease.over());
        assert!(begun.elapsed() >= kept + kept / 2, "it was extended after half of its time");
    }
}
