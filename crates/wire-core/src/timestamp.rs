//! Timestamp types: each service declares its own, with its own precision and text form.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::rfc3339::Instant;

/// Seconds from 1970-01-01T00:00:00Z to the start of year 0.
const YEAR_0: i64 = -62_167_219_200;
/// Seconds from 1970-01-01T00:00:00Z to the start of year 10000. RFC 3339 has only years of four digits.
const YEAR_10000: i64 = 253_402_300_800;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// The precision of a service's timestamps: the length of a tick. Ticks are counted from 1970-01-01T00:00:00Z
/// and are negative before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precision {
    ticks_per_second: i64,
}

impl Precision {
    /// A tick is a millisecond.
    pub const MILLISECONDS: Self = Self { ticks_per_second: 1_000 };
    /// A tick is a microsecond.
    pub const MICROSECONDS: Self = Self { ticks_per_second: 1_000_000 };

    /// The number of ticks in a second.
    pub const fn a_second(self) -> i64 {
        self.ticks_per_second
    }

    /// The first tick of year 0.
    pub const fn earliest(self) -> i64 {
        YEAR_0 * self.ticks_per_second
    }

    /// The last tick of year 9999.
    pub const fn latest(self) -> i64 {
        YEAR_10000 * self.ticks_per_second - 1
    }

    /// Clamps a tick to the years 0 to 9999.
    pub const fn hold(self, ticks: i64) -> i64 {
        if ticks > self.latest() {
            self.latest()
        } else if ticks < self.earliest() {
            self.earliest()
        } else {
            ticks
        }
    }

    /// The number of whole ticks in a duration; `i64::MAX` when there are more.
    pub fn within(self, span: Duration) -> i64 {
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        seconds.saturating_mul(self.ticks_per_second).saturating_add(self.of_nanos(span.subsec_nanos()))
    }

    /// The duration of a number of ticks; zero for a negative one.
    pub fn span(self, ticks: i64) -> Duration {
        let (ticks, per_second) = (ticks.max(0).unsigned_abs(), self.ticks_per_second.unsigned_abs());
        let rest = Duration::from_nanos(ticks % per_second * (NANOS_PER_SECOND.unsigned_abs() / per_second));
        Duration::from_secs(ticks / per_second) + rest
    }

    /// The tick of a parsed instant, rounded down.
    pub fn of(self, at: Instant) -> i64 {
        at.seconds.saturating_mul(self.ticks_per_second).saturating_add(self.of_nanos(at.nanos))
    }

    /// The tick of a system time, rounded towards 1970: down after it, up before it.
    pub fn of_system(self, at: SystemTime) -> i64 {
        match at.duration_since(UNIX_EPOCH) {
            Ok(since) => self.within(since),
            Err(before) => -self.within(before.duration()),
        }
    }

    /// The system time of a tick.
    pub fn to_system(self, ticks: i64) -> SystemTime {
        let (distance, per_second) = (ticks.unsigned_abs(), self.ticks_per_second.unsigned_abs());
        let rest =
            Duration::from_nanos(distance % per_second * (NANOS_PER_SECOND.unsigned_abs() / per_second));
        let distance = Duration::from_secs(distance / per_second) + rest;
        if ticks < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }

    fn of_nanos(self, nanos: u32) -> i64 {
        i64::from(nanos) / (NANOS_PER_SECOND / self.ticks_per_second)
    }
}

/// Declares a timestamp type: a number of ticks with conversions from text and from and to `SystemTime`.
///
/// The caller writes `Display`, which serialisation uses, and the constructors that take a number. Those call
/// the private `clamped`, which clamps a number of ticks to the years 0 to 9999.
///
/// ```
/// use wire_core::Precision;
///
/// wire_core::timestamp! {
///     /// An instant.
///     At in Precision::MILLISECONDS, read by wire_core::rfc3339::parse;
///     /// The text is not an instant.
///     AtError, "`{0}` is not an instant such as 1970-01-01T00:00:01Z"
/// }
///
/// impl std::fmt::Display for At {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         wire_core::rfc3339::write_seconds(f, self.0.div_euclid(1_000))?;
///         f.write_str("Z")
///     }
/// }
///
/// let at: At = serde_json::from_str(r#""1970-01-01T02:00:01+02:00""#)?;
/// assert_eq!(at.after(std::time::Duration::from_secs(1)).to_string(), "1970-01-01T00:00:02Z");
/// assert_eq!(serde_json::to_string(&At::clamped(i64::MAX))?, r#""9999-12-31T23:59:59Z""#);
/// assert_eq!(at.after(std::time::Duration::from_secs(9)) - at, std::time::Duration::from_secs(9));
/// assert_eq!(at - at.after(std::time::Duration::from_secs(9)), std::time::Duration::ZERO);
/// assert!("soon".parse::<At>().is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[macro_export]
macro_rules! timestamp {
    (
        $(#[$meta:meta])* $name:ident in $precision:expr, read by $read:expr;
        $(#[$error_meta:meta])* $error:ident, $text:literal
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        $(#[$error_meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $error(String);

        impl $name {
            const fn clamped(ticks: i64) -> Self {
                Self($precision.hold(ticks))
            }

            /// The instant `wait` later, at the latest the last one of year 9999.
            #[must_use]
            pub fn after(self, wait: std::time::Duration) -> Self {
                Self::clamped(self.0.saturating_add($precision.within(wait)))
            }

            /// The time from an earlier instant to this one; zero if the other is the later one.
            pub fn since(self, earlier: Self) -> std::time::Duration {
                $precision.span(self.0.saturating_sub(earlier.0))
            }
        }

        impl std::ops::Sub for $name {
            type Output = std::time::Duration;

            /// The time since an earlier instant; zero if it is the later one.
            fn sub(self, earlier: Self) -> std::time::Duration {
                self.since(earlier)
            }
        }

        impl From<std::time::SystemTime> for $name {
            fn from(at: std::time::SystemTime) -> Self {
                Self::clamped($precision.of_system(at))
            }
        }

        impl From<$name> for std::time::SystemTime {
            fn from(at: $name) -> Self {
                $precision.to_system(at.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let read = $read(text).ok_or_else(|| $error(text.to_owned()))?;
                Ok(Self::clamped($precision.of(read)))
            }
        }

        impl std::fmt::Display for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, $text, self.0)
            }
        }

        impl std::error::Error for $error {}

        impl $crate::macro_support::serde::Serialize for $name {
            fn serialize<S: $crate::macro_support::serde::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> $crate::macro_support::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::macro_support::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                $crate::parsed(deserializer, str::parse::<Self>)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PRECISIONS: [Precision; 2] = [Precision::MILLISECONDS, Precision::MICROSECONDS];

    #[test]
    fn ticks_beyond_four_digits_of_years_are_held_at_the_last_that_can_be_written() {
        assert_eq!(PRECISIONS.map(Precision::latest), [253_402_300_799_999, 253_402_300_799_999_999]);
        assert_eq!(PRECISIONS.map(Precision::earliest), [-62_167_219_200_000, -62_167_219_200_000_000]);
        for precision in PRECISIONS {
            let (earliest, latest) = (precision.earliest(), precision.latest());
            assert_eq!((precision.hold(earliest), precision.hold(latest)), (earliest, latest));
            assert_eq!((precision.hold(earliest - 1), precision.hold(latest + 1)), (earliest, latest));
        }
    }

    #[test]
    fn a_span_is_counted_in_whole_ticks_and_the_longest_one_is_no_overflow() {
        let span = Duration::new(2, 1_999_999);
        assert_eq!(PRECISIONS.map(|precision| precision.within(span)), [2_001, 2_001_999]);
        assert_eq!(PRECISIONS.map(|precision| precision.within(Duration::MAX)), [i64::MAX; 2]);
    }

    proptest! {
        #[test]
        fn every_tick_survives_the_clock_of_the_system(part in 0.0..1.0_f64) {
            for precision in PRECISIONS {
                let (earliest, latest) = (precision.earliest(), precision.latest());
                #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any will do")]
                let ticks = precision.hold(earliest + ((latest - earliest) as f64 * part) as i64);
                prop_assert_eq!(precision.of_system(precision.to_system(ticks)), ticks);
            }
        }
    }
}
