//! Instants as the wire writes them: UTC, always three decimals, always `Z`.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wire_core::{parsed, rfc3339};

/// 9999-12-31T23:59:59.999Z: a year of more digits has no wire form.
const LATEST: i64 = 253_402_300_799_999;

/// An instant in UTC with millisecond precision, from year 0 to 9999.
///
/// Reading accepts any RFC 3339 text with up to nine decimals and any offset; writing is always
/// `YYYY-MM-DDTHH:MM:SS.mmmZ`.
///
/// ```
/// use didww_types::Timestamp;
/// let at: Timestamp = "2026-04-08T08:57:33.304+02:00".parse()?;
/// assert_eq!(at.to_string(), "2026-04-08T06:57:33.304Z");
/// # Ok::<(), didww_types::TimestampError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant that many milliseconds after (or before) 1970-01-01T00:00:00Z, held to year 0 to 9999.
    pub const fn from_unix_millis(millis: i64) -> Self {
        const EARLIEST: i64 = -62_167_219_200_000;
        if millis > LATEST {
            Self(LATEST)
        } else if millis < EARLIEST {
            Self(EARLIEST)
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_unix_millis(self) -> i64 {
        self.0
    }

    /// The instant this much later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self::from_unix_millis(self.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(at: SystemTime) -> Self {
        let millis = match at.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |m| -m),
        };
        Self::from_unix_millis(millis)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(at: Timestamp) -> Self {
        let distance = Duration::from_millis(at.0.unsigned_abs());
        if at.0 < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        rfc3339::write_seconds(f, self.0.div_euclid(1_000))?;
        write!(f, ".{:03}Z", self.0.rem_euclid(1_000))
    }
}

/// The text is not an RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a timestamp such as 2026-04-08T06:57:33.304Z")]
pub struct TimestampError(String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = rfc3339::parse(text).ok_or_else(|| TimestampError(text.to_owned()))?;
        Ok(Self::from_unix_millis(read.seconds * 1_000 + i64::from(read.nanos / 1_000_000)))
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

    #[test]
    fn the_epoch_and_a_recorded_instant_are_written_with_three_decimals() {
        assert_eq!(Timestamp::from_unix_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        let recorded = "2022-02-03T08:21:29.798Z";
        assert_eq!(recorded.parse::<Timestamp>().unwrap().to_string(), recorded);
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
        fn every_instant_survives_the_wire(millis in -62_167_219_200_000i64..=LATEST) {
            let at = Timestamp::from_unix_millis(millis);
            prop_assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
            prop_assert_eq!(Timestamp::from(SystemTime::from(at)), at);
        }
    }
}
