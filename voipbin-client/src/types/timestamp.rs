//! Instants as the service writes them: UTC, `Z`, no more decimals than there are.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wire_core::{parsed, rfc3339};

/// 9999-12-31T23:59:59.999999Z: a year of more digits has no wire form.
const LATEST: i64 = 253_402_300_799_999_999;
const EARLIEST: i64 = -62_167_219_200_000_000;

/// An instant in UTC with microsecond precision, from year 0 to 9999.
///
/// Writing trims the zeros at the fraction's end, as Go does. Reading accepts any RFC 3339 text with up to
/// nine decimals, of which six are kept, and the older form of the documents, which has a space and no zone.
///
/// ```
/// use voipbin_client::types::Timestamp;
/// let at: Timestamp = "2026-04-21 23:15:00.120000".parse()?;
/// assert_eq!(at.to_string(), "2026-04-21T23:15:00.12Z");
/// assert_eq!(at.to_page_token(), "2026-04-21T23:15:00.120000Z");
/// # Ok::<(), voipbin_client::types::TimestampError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant that many microseconds after (or before) 1970-01-01T00:00:00Z, held to year 0 to 9999.
    pub const fn from_unix_micros(micros: i64) -> Self {
        if micros > LATEST {
            Self(LATEST)
        } else if micros < EARLIEST {
            Self(EARLIEST)
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_unix_micros(self) -> i64 {
        self.0
    }

    /// The instant this much later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self::from_unix_micros(self.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The token of the page that begins after a record of this instant: always six decimals.
    pub fn to_page_token(self) -> String {
        struct Token(i64);

        impl fmt::Display for Token {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                rfc3339::write_seconds(f, self.0.div_euclid(1_000_000))?;
                write!(f, ".{:06}Z", self.0.rem_euclid(1_000_000))
            }
        }

        Token(self.0).to_string()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(at: SystemTime) -> Self {
        let micros = match at.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |m| -m),
        };
        Self::from_unix_micros(micros)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(at: Timestamp) -> Self {
        let distance = Duration::from_micros(at.0.unsigned_abs());
        if at.0 < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        rfc3339::write_seconds(f, self.0.div_euclid(1_000_000))?;
        let (mut fraction, mut width) = (self.0.rem_euclid(1_000_000), 6);
        if fraction == 0 {
            return f.write_str("Z");
        }
        while fraction % 10 == 0 {
            (fraction, width) = (fraction / 10, width - 1);
        }
        write!(f, ".{fraction:0width$}Z")
    }
}

/// The text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a timestamp such as 2026-04-21T23:15:00.12Z")]
pub struct TimestampError(String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = rfc3339::parse(text).or_else(|| rfc3339::parse(&format!("{text}Z")));
        let read = read.ok_or_else(|| TimestampError(text.to_owned()))?;
        Ok(Self::from_unix_micros(read.seconds * 1_000_000 + i64::from(read.nanos / 1_000)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer, str::parse::<Self>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        fn every_instant_survives_the_wire_and_the_page_token(micros in EARLIEST..=LATEST) {
            let at = Timestamp::from_unix_micros(micros);
            prop_assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
            prop_assert_eq!(at.to_page_token().parse::<Timestamp>().unwrap(), at);
            prop_assert_eq!(Timestamp::from(SystemTime::from(at)), at);
        }
    }
}
