//! VoIPBIN's timestamps: UTC with `Z`, without trailing zeros in the fraction.

use std::fmt;

use wire_core::{Precision, rfc3339};

const PRECISION: Precision = Precision::MICROSECONDS;

wire_core::timestamp! {
    /// An instant in UTC with microsecond precision, in the years 0 to 9999.
    ///
    /// It is written without trailing zeros in the fraction, as Go does. Any RFC 3339 text with at most nine
    /// decimals is accepted, of which six are kept. The older form in VoIPBIN's documents, with a space and
    /// without a zone, is accepted as UTC.
    ///
    /// ```
    /// # mod voipbin_client { pub use voipbin_types as types; }
    /// use voipbin_client::types::Timestamp;
    /// let at: Timestamp = "2026-04-21 23:15:00.120000".parse()?;
    /// assert_eq!(at.to_string(), "2026-04-21T23:15:00.12Z");
    /// assert_eq!(at.to_page_token(), "2026-04-21T23:15:00.120000Z");
    /// # Ok::<(), voipbin_types::TimestampError>(())
    /// ```
    Timestamp in PRECISION, read by parse;
    /// The text is not an instant.
    TimestampError, "`{0}` is not a timestamp such as 2026-04-21T23:15:00.12Z"
}

fn parse(text: &str) -> Option<rfc3339::Instant> {
    rfc3339::parse(text).or_else(|| rfc3339::parse(&format!("{text}Z")))
}

impl Timestamp {
    /// Creates an instant from microseconds since 1970-01-01T00:00:00Z, clamped to the years 0 to 9999.
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self::clamped(micros)
    }

    /// The number of microseconds since 1970-01-01T00:00:00Z; negative before.
    pub const fn as_unix_micros(self) -> i64 {
        self.0
    }

    /// The token of the page after a record with this `tm_create`: the timestamp with always six decimals.
    pub fn to_page_token(self) -> String {
        struct Token(i64);

        impl fmt::Display for Token {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                rfc3339::write_seconds(f, self.0.div_euclid(PRECISION.a_second()))?;
                write!(f, ".{:06}Z", self.0.rem_euclid(PRECISION.a_second()))
            }
        }

        Token(self.0).to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        rfc3339::write_seconds(f, self.0.div_euclid(PRECISION.a_second()))?;
        let (mut fraction, mut width) = (self.0.rem_euclid(PRECISION.a_second()), 6);
        if fraction == 0 {
            return f.write_str("Z");
        }
        while fraction % 10 == 0 {
            (fraction, width) = (fraction / 10, width - 1);
        }
        write!(f, ".{fraction:0width$}Z")
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;

    fn rewritten(text: &str) -> String {
        text.parse::<Timestamp>().unwrap().to_string()
    }

    #[test]
    fn the_zeros_at_the_end_of_the_fraction_are_trimmed() {
        for (text, wire) in [
            ("2026-04-21T23:15:00Z", "2026-04-21T23:15:00Z"),
            ("2026-04-21T23:15:00.500000Z", "2026-04-21T23:15:00.5Z"),
            ("2026-04-21T23:15:00.123456Z", "2026-04-21T23:15:00.123456Z"),
            ("2026-04-21T23:15:00.000001Z", "2026-04-21T23:15:00.000001Z"),
            ("2026-04-21T23:15:00.123456789Z", "2026-04-21T23:15:00.123456Z"),
            ("2026-04-21 23:15:00.000000", "2026-04-21T23:15:00Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z"),
        ] {
            assert_eq!(rewritten(text), wire, "{text}");
        }
    }

    #[test]
    fn text_that_is_no_instant_is_refused() {
        for text in ["", "Z", "now", "2026-04-21", "2026-04-21T23:15:00+", "2026-04-21T25:15:00Z"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_survives_the_wire_and_the_page_token(micros in PRECISION.earliest()..=PRECISION.latest()) {
            let at = Timestamp::from_unix_micros(micros);
            prop_assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
            prop_assert_eq!(at.to_page_token().parse::<Timestamp>().unwrap(), at);
            prop_assert_eq!(Timestamp::from(SystemTime::from(at)), at);
        }
    }
}
