//! Statistics of a received RTP stream: lost packets and interarrival jitter (RFC 3550 §6.4.1, A.3, A.8).
//!
//! The state has a constant size, whatever a sender does with its sequence numbers and sources.

use std::time::Duration;

/// A forward step of the sequence number below this is a gap; a larger one restarts the count (RFC 3550 A.1,
/// `MAX_DROPOUT`).
const MAX_GAP: u16 = 3_000;
/// A backward step up to this is a late or repeated packet (RFC 3550 A.1, `MAX_MISORDER`).
const MAX_LATE: u16 = 100;

/// The statistics of one call's received audio.
#[derive(Debug, Clone, Default)]
pub struct Reception {
    current: Option<Source>,
    /// Packets lost of earlier sources.
    lost_before: u64,
}

/// The sequence numbers and arrival times of one source.
#[derive(Debug, Clone)]
struct Source {
    ssrc: u32,
    first: u64,
    /// The highest sequence number, extended by the number of times that it wrapped around.
    highest: u64,
    received: u64,
    /// Arrival time minus timestamp of the last packet, in units of the clock.
    transit: Option<u32>,
    clock_rate: u32,
    /// Sixteen times the jitter, in units of the clock.
    jitter: u32,
}

impl Reception {
    /// Counts an audio packet. `arrival` is the time on any clock that does not jump.
    pub fn count(&mut self, ssrc: u32, sequence: u16, timestamp: u32, arrival: Duration, clock_rate: u32) {
        let known = self.current.as_mut().filter(|source| source.ssrc == ssrc);
        if let Some(source) = known
            && source.follow(sequence)
        {
            return source.count(transit(timestamp, arrival, clock_rate), clock_rate);
        }
        self.lost_before = self.lost();
        let first = u64::from(sequence);
        self.current = Some(Source {
            ssrc,
            first,
            highest: first,
            received: 1,
            transit: Some(transit(timestamp, arrival, clock_rate)),
            clock_rate,
            jitter: 0,
        });
    }

    /// Counts a packet of the source of the audio that is no audio, such as telephone events and comfort noise. Its
    /// number is one of the source's (RFC 3550 §5.1), so that it is not missing among those of the audio.
    pub fn count_other(&mut self, ssrc: u32, sequence: u16) {
        if let Some(source) = self.current.as_mut().filter(|source| source.ssrc == ssrc)
            && source.follow(sequence)
        {
            source.received += 1;
        }
    }

    /// Packets that did not arrive: those between the lowest and the highest sequence number of each source.
    pub fn lost(&self) -> u64 {
        let lost = self.current.as_ref().map_or(0, |source| {
            let expected = source.highest - source.first + 1;
            expected.saturating_sub(source.received)
        });
        self.lost_before.saturating_add(lost)
    }

    /// The interarrival jitter of the current source in milliseconds; `None` without packets.
    pub fn jitter_millis(&self) -> Option<f64> {
        let source = self.current.as_ref()?;
        Some(f64::from(source.jitter >> 4) * 1_000.0 / f64::from(source.clock_rate.max(1)))
    }
}

impl Source {
    /// Counts a packet with this difference of arrival time and timestamp.
    fn count(&mut self, transit: u32, clock_rate: u32) {
        self.received += 1;
        if self.clock_rate != clock_rate {
            (self.clock_rate, self.transit, self.jitter) = (clock_rate, None, 0);
        }
        if let Some(before) = self.transit.replace(transit) {
            let difference = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            self.jitter = self.jitter - ((self.jitter + 8) >> 4) + difference.min(1 << 24);
        }
    }

    /// Records a sequence number. Returns false if it does not continue the ones before.
    fn follow(&mut self, sequence: u16) -> bool {
        let [.., high, low] = self.highest.to_be_bytes();
        let highest = u16::from_be_bytes([high, low]);
        let ahead = sequence.wrapping_sub(highest);
        if ahead < MAX_GAP {
            self.highest += u64::from(ahead);
            return true;
        }
        highest.wrapping_sub(sequence) <= MAX_LATE
    }
}

fn transit(timestamp: u32, arrival: Duration, clock_rate: u32) -> u32 {
    let units = arrival.as_micros() * u128::from(clock_rate) / 1_000_000;
    #[expect(clippy::cast_possible_truncation, reason = "timestamps wrap around")]
    let units = units as u32;
    units.wrapping_sub(timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn steady_packets_have_neither_loss_nor_jitter_also_around_the_end_of_the_numbers() {
        let mut reception = Reception::default();
        assert_eq!((reception.lost(), reception.jitter_millis()), (0, None));
        for number in 0..20_u16 {
            let stamp = u32::MAX.wrapping_sub(1_000).wrapping_add(u32::from(number) * 160);
            reception.count(1, 65_530_u16.wrapping_add(number), stamp, at(20 * u64::from(number)), 8_000);
        }
        assert_eq!((reception.lost(), reception.jitter_millis()), (0, Some(0.0)));
    }

    #[test]
    fn gaps_are_lost_packets_until_they_arrive_late() {
        let mut reception = Reception::default();
        for number in [1, 2, 5, 6] {
            reception.count(1, number, u32::from(number) * 160, at(20 * u64::from(number)), 8_000);
        }
        assert_eq!(reception.lost(), 2);
        reception.count(1, 4, 640, at(121), 8_000);
        assert_eq!(reception.lost(), 1);
    }

    #[test]
    fn events_and_comfort_noise_between_audio_are_no_loss_and_no_jitter() {
        let mut reception = Reception::default();
        // Before the audio, its numbers are not known.
        reception.count_other(1, 9);
        for number in 10..14_u16 {
            reception.count(1, number, u32::from(number) * 160, at(20 * u64::from(number)), 8_000);
        }
        // A key of nine packets, of which one is lost, and those of another source.
        for number in (14..23).filter(|number| *number != 17) {
            reception.count_other(1, number);
            reception.count_other(2, 40_000 + number);
        }
        // Numbers that do not continue those of the audio.
        reception.count_other(1, 30_000);
        for number in 23..30_u16 {
            reception.count(1, number, u32::from(number) * 160, at(20 * u64::from(number)), 8_000);
        }
        assert_eq!((reception.lost(), reception.jitter_millis()), (1, Some(0.0)));
    }

    #[test]
    fn a_new_source_or_a_jump_keeps_the_losses_before_it_and_adds_none() {
        let mut reception = Reception::default();
        for (ssrc, number) in [(1, 1), (1, 3), (2, 40_000), (2, 40_001), (2, 7), (2, 8)] {
            reception.count(ssrc, number, 0, at(0), 8_000);
        }
        assert_eq!(reception.lost(), 1);
    }

    #[test]
    fn a_step_is_a_gap_below_3000_and_a_late_packet_up_to_100_and_else_a_new_beginning() {
        let lost = |steps: [u16; 3]| {
            let mut reception = Reception::default();
            for number in steps {
                reception.count(1, number, 0, at(0), 8_000);
            }
            reception.lost()
        };
        assert_eq!(lost([10, 10 + 2_999, 10 + 3_000]), 2_998);
        assert_eq!(lost([10, 10 + 3_000, 10 + 3_001]), 0);
        // A late packet counts as one of those that were missing.
        assert_eq!(lost([100, 300, 200]), 198);
        // Before the numbers restart, 199 were missing, and none after that.
        assert_eq!(lost([100, 300, 199]), 199);
    }

    #[test]
    fn another_clock_rate_in_a_stream_is_no_jitter() {
        let mut reception = Reception::default();
        for (number, clock_rate) in [(1_u16, 8_000_u32), (2, 8_000), (3, 48_000), (4, 48_000)] {
            // Each packet arrives when it is due on its clock.
            let stamp = u32::from(number) * clock_rate / 50;
            reception.count(1, number, stamp, at(20 * u64::from(number) + 1_000), clock_rate);
        }
        assert_eq!((reception.lost(), reception.jitter_millis()), (0, Some(0.0)));
    }

    #[test]
    fn jitter_approaches_the_mean_deviation_of_the_arrival_times() {
        let mut reception = Reception::default();
        for number in 0..200_u16 {
            let late = if number % 2 == 0 { 0 } else { 10 };
            reception.count(1, number, u32::from(number) * 160, at(20 * u64::from(number) + late), 8_000);
        }
        let jitter = reception.jitter_millis().unwrap();
        assert!((9.0..11.0).contains(&jitter), "{jitter}");
        let mut endless = Reception::default();
        for number in 0..60_000_u16 {
            endless.count(1, number, u32::from(number % 2) << 31, at(0), 48_000);
        }
        assert!(endless.jitter_millis().is_some(), "no sender makes it overflow");
    }
}
