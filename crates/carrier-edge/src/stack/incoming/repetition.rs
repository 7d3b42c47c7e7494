//! When the final response to an INVITE is repeated over UDP (RFC 3261 §13.3.1.4 and §17.2.1).

use std::time::Duration;

use rsipstack::transaction::endpoint::EndpointOption;
use service_base::clock::Stopwatch;
use tokio::time::Instant;

/// The real time, which no setting of the server's clock affects.
pub(crate) fn now() -> Instant {
    Instant::from_std(Stopwatch::start().started())
}

/// The next repetition of a response that waits for its ACK.
#[derive(Debug)]
pub(crate) struct Repetition {
    next: Instant,
    /// The time since the one before.
    interval: Duration,
    ends: Instant,
}

impl Repetition {
    /// The repetitions of a response that is sent at `now`: after T1, then after twice the interval before, and until
    /// 64·T1.
    pub(crate) fn of(now: Instant, option: &EndpointOption) -> Self {
        Self { next: now + option.t1, interval: option.t1, ends: now + option.t1x64 }
    }

    /// When the response is repeated next, or its time runs out.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Continues at `now`, which is not before [`next`](Self::next), with an interval of at most `t2`. Returns false if
    /// the time has run out.
    pub(crate) fn advance(&mut self, now: Instant, t2: Duration) -> bool {
        if self.next >= self.ends {
            return false;
        }
        self.interval = (self.interval * 2).min(t2);
        self.next = (now + self.interval).min(self.ends);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intervals_double_up_to_four_seconds_and_end_after_32() {
        let (option, now) = (EndpointOption::default(), now());
        let mut repetition = Repetition::of(now, &option);
        let mut repeated = Vec::new();
        loop {
            let next = repetition.next();
            if !repetition.advance(next, option.t2) {
                assert_eq!(next - now, Duration::from_secs(32));
                break;
            }
            repeated.push((next - now).as_millis());
        }
        assert_eq!(repeated, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    }
}
