//! Counts simultaneous calls, from admission to the end of the call. Each channel is released exactly once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// All channels of the trunk are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{held} calls are in progress; the limit is {limit}")]
pub struct Full {
    /// Calls in progress. May exceed the limit if the limit was lowered during calls.
    pub held: u32,
    /// The limit on simultaneous calls.
    pub limit: u32,
}

impl Full {
    /// How to correct the refusal of a call.
    pub(super) const EXPLANATION: &str = "all channels are in use; end calls or raise capacity_limit";

    /// The configured value, in the API's terms.
    pub(super) fn configured(self) -> String {
        format!("capacity_limit {}", self.limit)
    }

    /// The channels in use, for the `received` value of the refusal.
    pub(super) fn received(self) -> String {
        format!("{} calls in progress", self.held)
    }
}

/// Returns whether one more call fits. `None` is unlimited; a limit of zero refuses every call.
pub const fn has_room(held: u32, limit: Option<u32>) -> Result<(), Full> {
    match limit {
        Some(limit) if held >= limit => Err(Full { held, limit }),
        // The counter itself is full, so no call fits even without a limit.
        None if held == u32::MAX => Err(Full { held, limit: u32::MAX }),
        _ => Ok(()),
    }
}

/// The channels of one trunk.
// Of a million trunks few have ever had a call, so the counter is made for the first one.
#[derive(Debug, Default)]
pub struct Channels(OnceLock<Arc<AtomicU32>>);

impl Channels {
    /// The number of channels in use.
    pub fn held(&self) -> u32 {
        self.0.get().map_or(0, |held| held.load(Ordering::Acquire))
    }

    /// Takes a channel if one is free. The check and the increment are one atomic step.
    pub fn take(&self, limit: Option<u32>) -> Result<Channel, Full> {
        let counter = self.0.get_or_init(Arc::default);
        let mut held = counter.load(Ordering::Acquire);
        loop {
            has_room(held, limit)?;
            match counter.compare_exchange_weak(held, held + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(Channel(Arc::clone(counter))),
                Err(now) => held = now,
            }
        }
    }
}

/// A channel in use. Dropping it releases the channel; it cannot be released twice.
#[derive(Debug)]
#[must_use = "the channel is given back when this value is dropped"]
pub struct Channel(Arc<AtomicU32>);

impl Drop for Channel {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_limit_of_zero_refuses_every_call_and_no_limit_none() {
        assert_eq!(Channels::default().take(Some(0)).unwrap_err(), Full { held: 0, limit: 0 });
        assert!(has_room(1_000_000, None).is_ok());
    }

    #[test]
    fn lowering_the_limit_ends_no_call_and_admits_none() {
        let channels = Channels::default();
        let calls: Vec<Channel> = (0..5).map(|_| channels.take(Some(5)).unwrap()).collect();
        assert_eq!(channels.take(Some(2)).unwrap_err(), Full { held: 5, limit: 2 });
        drop(calls);
        assert!(channels.take(Some(2)).is_ok());
    }

    #[test]
    fn many_threads_never_hold_more_than_the_limit_together() {
        const LIMIT: u32 = 3;
        let channels = Channels::default();
        let (inside, most) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let Ok(channel) = channels.take(Some(LIMIT)) else { continue };
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(channel);
                    }
                });
            }
        });
        assert!((1..=LIMIT).contains(&most.load(Ordering::SeqCst)));
        assert_eq!(channels.held(), 0);
    }

    proptest! {
        #[test]
        fn the_count_never_passes_the_limit_and_each_call_is_released_once(
            limit in 0u32..5, steps in proptest::collection::vec(proptest::option::of(0usize..8), 0..60)
        ) {
            let channels = Channels::default();
            let mut calls = Vec::new();
            for step in steps {
                match step {
                    None => match channels.take(Some(limit)) {
                        Ok(call) => calls.push(call),
                        Err(full) => prop_assert_eq!(full, Full { held: limit, limit }),
                    },
                    Some(at) if at < calls.len() => drop(calls.swap_remove(at)),
                    Some(_) => {}
                }
                prop_assert!(channels.held() <= limit);
                prop_assert_eq!(channels.held() as usize, calls.len());
            }
            calls.clear();
            prop_assert_eq!(channels.held(), 0);
        }
    }
}
