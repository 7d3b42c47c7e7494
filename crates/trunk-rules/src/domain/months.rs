//! Months: the periods for which numbers, channels and emergency calling are paid.
//!
//! A period ends at the same time of the same day of the next month, or of the last day of that month if it has no such
//! day. Recordings show it: a number of 19 October 2020 that was renewed sixteen times is paid until 19 February 2022.

use std::time::Duration;

use didww_types::Timestamp;

/// The shortest period: that of a February with 28 days.
pub const SHORTEST_PERIOD: Duration = Duration::from_hours(28 * 24);
const LONGEST_PERIOD: Duration = Duration::from_hours(31 * 24);
const SECONDS_OF_DAY: u64 = 86_400;

/// The end of a period that begins at a time; at the latest the end of the years that times have.
pub fn month_after(at: Timestamp) -> Timestamp {
    at.after(length_from(at))
}

/// The days of the period that begins at a time.
pub(super) fn days_from(at: Timestamp) -> i64 {
    days(length_from(at))
}

/// The days of the period that ends at a time.
pub(super) fn days_until(end: Timestamp) -> i64 {
    let begin = day_of_month(end, -1);
    let length = begin.zip(day_of_month(end, 0)).map(|(begin, end)| end.since(begin));
    days(length.unwrap_or(LONGEST_PERIOD))
}

fn length_from(at: Timestamp) -> Duration {
    let end = day_of_month(at, 1);
    let length = end.zip(day_of_month(at, 0)).map(|(end, begin)| end.since(begin));
    length.unwrap_or(LONGEST_PERIOD)
}

fn days(length: Duration) -> i64 {
    i64::try_from(length.as_secs() / SECONDS_OF_DAY).unwrap_or(i64::MAX)
}

/// The beginning of the day of a time, so many months later. `None` beyond the years that times have.
fn day_of_month(at: Timestamp, later: i64) -> Option<Timestamp> {
    let text = at.to_string();
    let number = |part: Option<&str>| part?.parse::<i64>().ok();
    let (year, month, day) = (number(text.get(..4))?, number(text.get(5..7))?, number(text.get(8..10))?);
    let months = year * 12 + month - 1 + later;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    // The last day of a shorter month is the first one that can be read.
    (1..=day).rev().find_map(|day| format!("{year:04}-{month:02}-{day:02}T00:00:00Z").parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_ends_on_the_same_day_of_the_next_month_or_on_its_last_day() {
        for (begin, end, days) in [
            ("2018-12-27T10:00:04.755Z", "2019-01-27T10:00:04.755Z", 31),
            ("2026-02-27T13:48:55.974Z", "2026-03-27T13:48:55.974Z", 28),
            ("2026-04-30T00:00:00Z", "2026-05-30T00:00:00Z", 30),
            ("2026-01-31T23:59:59.999Z", "2026-02-28T23:59:59.999Z", 28),
            ("2028-01-30T12:00:00Z", "2028-02-29T12:00:00Z", 30),
            ("2026-02-28T12:00:00Z", "2026-03-28T12:00:00Z", 28),
        ] {
            assert_eq!(month_after(time(begin)), time(end), "{begin}");
            assert_eq!(days_from(time(begin)), days, "{begin}");
        }
    }

    #[test]
    fn a_period_has_the_days_of_the_month_before_its_end() {
        for (end, days) in [
            ("2019-01-21T00:00:00Z", 31),
            ("2026-03-15T00:00:00Z", 28),
            ("2028-03-15T08:00:00Z", 29),
            ("2026-03-31T00:00:00Z", 31),
            ("2026-07-01T00:00:00Z", 30),
        ] {
            assert_eq!(days_until(time(end)), days, "{end}");
        }
    }

    #[test]
    fn the_months_of_the_first_and_of_the_last_year_end() {
        let last = time("9999-12-15T00:00:00Z");
        assert_eq!(month_after(last), last.after(LONGEST_PERIOD));
        assert_eq!(days_until(time("0000-01-01T00:00:00Z")), 31);
        assert_eq!(
            month_after(time("1970-01-01T00:00:00Z")).since(time("1970-01-01T00:00:00Z")),
            LONGEST_PERIOD
        );
    }
}
