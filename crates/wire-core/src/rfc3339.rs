//! Parses and formats instants as RFC 3339 texts, without a calendar library.

use std::fmt;

/// An instant in UTC, to the nanosecond. Leap seconds are not counted: a second of 60 is that which follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down; negative before.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, 0 to 999,999,999.
    pub nanos: u32,
}

// The civil calendar in days since 1970-01-01, by era arithmetic: 400 years are 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Writes seconds since 1970-01-01T00:00:00Z as `YYYY-MM-DDTHH:MM:SS`, without fraction or zone. Years
/// outside 0 to 9999 are written with more digits or a sign, which RFC 3339 does not allow.
///
/// # Errors
/// Returns an error only when the formatter does.
pub fn write_seconds(f: &mut fmt::Formatter<'_>, seconds: i64) -> fmt::Result {
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hours, minutes, seconds) = (second / 3_600, second / 60 % 60, second % 60);
    if !(0..=9_999).contains(&year) {
        return write!(f, "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}");
    }
    // Each number would be a call of the formatter, and most records are written with several instants.
    let mut text = *b"0000-00-00T00:00:00";
    for (end, mut number) in
        [(4_usize, year), (7, month), (10, day), (13, hours), (16, minutes), (19, seconds)]
    {
        let before_end = text.get_mut(..end).unwrap_or_default();
        for digit in before_end.iter_mut().rev().take_while(|digit| digit.is_ascii_digit()) {
            *digit += u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
    }
    f.write_str(std::str::from_utf8(&text).unwrap_or_default())
}

/// Parses an RFC 3339 instant with at most nine decimals and any offset of less than a day; `None` for any other text.
/// A space in place of the `T` and a second of 60 are accepted.
pub fn parse(text: &str) -> Option<Instant> {
    let digit = |b: &u8| b.is_ascii_digit().then(|| i64::from(b - b'0'));
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        text.as_bytes().get(range)?.iter().try_fold(0, |number, b| Some(number * 10 + digit(b)?))
    };
    let mark = |at: usize, marks: &[u8]| text.as_bytes().get(at).is_some_and(|b| marks.contains(b));
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let separated = mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt ") && mark(13, b":") && mark(16, b":");
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !separated || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(tail) => tail.split_at(tail.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("0", rest),
    };
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let decimals = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = decimals.fold(0, |nanos, b| nanos * 10 + u32::from(b - b'0'));
    let offset_minutes = match zone.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digit(h1)? * 10 + digit(h2)?, digit(m1)? * 10 + digit(m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let clock = (hour * 60 + minute - offset_minutes) * 60 + second;
    Some(Instant { seconds: days_from_civil(year, month, day) * 86_400 + clock, nanos })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Seconds(i64);

    impl fmt::Display for Seconds {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_seconds(f, self.0)
        }
    }

    #[test]
    fn fraction_and_offset_are_read() {
        let at = |text: &str| parse(text).map(|at| (at.seconds, at.nanos));
        assert_eq!(at("1970-01-01T00:00:00Z"), Some((0, 0)));
        assert_eq!(at("1970-01-01 02:00:01.5+02:00"), Some((1, 500_000_000)));
        assert_eq!(at("1969-12-31T23:59:59.000000001z"), Some((-1, 1)));
        assert_eq!(at("1970-01-01T00:00:00"), None, "a zone must be named");
        assert_eq!(at("1970-01-01T23:59:00+23:59"), Some((0, 0)));
        for offset in ["+24:00", "-00:60", "+99:99"] {
            assert_eq!(at(&format!("1970-01-01T00:00:00{offset}")), None, "{offset}");
        }
    }

    #[test]
    fn a_year_is_written_with_four_digits_or_with_as_many_as_it_has() {
        let text = |seconds| Seconds(seconds).to_string();
        assert_eq!(text(-62_167_219_200), "0000-01-01T00:00:00");
        assert_eq!(text(951_827_696), "2000-02-29T12:34:56");
        assert_eq!(text(253_402_300_799), "9999-12-31T23:59:59");
        assert_eq!(text(253_402_300_800), "10000-01-01T00:00:00");
    }

    proptest! {
        #[test]
        fn every_second_survives(seconds in -62_167_219_200_i64..=253_402_300_799) {
            let text = format!("{}Z", Seconds(seconds));
            prop_assert_eq!(parse(&text), Some(Instant { seconds, nanos: 0 }));
        }
    }
}
