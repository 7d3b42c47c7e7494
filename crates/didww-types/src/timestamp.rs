//! DIDWW's timestamps: UTC, always with three decimals and `Z`.

use std::fmt;

use wire_core::{Precision, rfc3339};

const PRECISION: Precision = Precision::MILLISECONDS;

wire_core::timestamp! {
    /// An instant in UTC with millisecond precision, in the years 0 to 9999.
    ///
    /// Any RFC 3339 text with at most nine decimals and any offset is accepted; further decimals than three
    /// are dropped. It is always written as `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    ///
    /// ```
    /// # use didww_types as didww_client;
    /// use didww_client::Timestamp;
    /// let at: Timestamp = "2026-04-08T08:57:33.304+02:00".parse()?;
    /// assert_eq!(at.to_string(), "2026-04-08T06:57:33.304Z");
    /// # Ok::<(), didww_types::TimestampError>(())
    /// ```
    Timestamp in PRECISION, read by rfc3339::parse;
    /// The text is not an RFC 3339 instant.
    TimestampError, "`{0}` is not a timestamp such as 2026-04-08T06:57:33.304Z"
}

impl Timestamp {
    /// Creates an instant from milliseconds since 1970-01-01T00:00:00Z, clamped to the years 0 to 9999.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self::clamped(millis)
    }

    /// The number of milliseconds since 1970-01-01T00:00:00Z; negative before.
    pub const fn as_unix_millis(self) -> i64 {
        self.0
    }

    /// The number of microseconds since 1970-01-01T00:00:00Z, which is a multiple of 1,000; negative before.
    pub const fn as_unix_micros(self) -> i64 {
        // That of the last year is far from the greatest number.
        self.0 * 1_000
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        rfc3339::write_seconds(f, self.0.div_euclid(PRECISION.a_second()))?;
        write!(f, ".{:03}Z", self.0.rem_euclid(PRECISION.a_second()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_epoch_and_a_recorded_instant_are_written_with_three_decimals() {
        assert_eq!(Timestamp::from_unix_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        let recorded = "2022-02-03T08:21:29.798Z";
        assert_eq!(recorded.parse::<Timestamp>().unwrap().to_string(), recorded);
    }

    #[test]
    fn every_instant_has_a_number_of_microseconds() {
        for (millis, micros) in [(0, 0), (1_643_876_489_798, 1_643_876_489_798_000), (-1, -1_000)] {
            assert_eq!(Timestamp::from_unix_millis(millis).as_unix_micros(), micros);
        }
        for end in [i64::MIN, i64::MAX].map(Timestamp::from_unix_millis) {
            assert_eq!(end.as_unix_micros() / 1_000, end.as_unix_millis());
        }
    }

    #[test]
    fn text_that_is_no_instant_is_refused() {
        for text in [
            "",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "２026-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_survives_the_wire(millis in PRECISION.earliest()..=PRECISION.latest()) {
            let at = Timestamp::from_unix_millis(millis);
            prop_assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
            prop_assert_eq!(Timestamp::from(SystemTime::from(at)), at);
        }
    }
}
