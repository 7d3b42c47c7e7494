//! How long an answer asks to wait: the `Retry-After` header, in seconds or as a date (RFC 9110, 10.2.3).

use std::time::Duration;

use wire_core::rfc3339;

/// The wait that the header asks for.
///
/// A date is compared with the answer's own `Date`, so that a clock that is wrong here does no harm; `now` is
/// asked, for milliseconds since 1970, only when the answer has none. A text of neither form asks for nothing.
pub(crate) fn wait(header: &str, date: Option<&str>, now: impl FnOnce() -> i64) -> Option<Duration> {
    let header = header.trim();
    if header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long wait, not a malformed one.
        return (!header.is_empty()).then(|| Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(header)?;
    let since = date.and_then(http_date).unwrap_or_else(now);
    Some(Duration::from_millis(u64::try_from(until.saturating_sub(since)).unwrap_or(0)))
}

/// Milliseconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that may be sent.
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, date) = text.trim().split_once(", ")?;
    let mut words = date.split(' ');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let (time, zone) = (words.next()?, words.next()?);
    if zone != "GMT" || words.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let at = rfc3339::parse(&format!("{year}-{month:02}-{day}T{time}Z"))?;
    Some(at.seconds * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 784_111_777_000;

    #[test]
    fn every_form_of_the_header_is_understood() {
        let cases: &[(&str, Option<&str>, Option<u64>)] = &[
            ("0", None, Some(0)),
            (" 120 ", None, Some(120_000)),
            ("Sun, 06 Nov 1994 08:49:40 GMT", None, Some(3_000)),
            ("Sun, 06 Nov 1994 08:49:30 GMT", None, Some(0)),
            ("Sun, 06 Nov 1994 08:50:00 GMT", Some("Sun, 06 Nov 1994 08:49:50 GMT"), Some(10_000)),
            ("Sun, 06 Nov 1994 08:50:00 GMT", Some("yesterday"), Some(23_000)),
            ("", None, None),
            ("-1", None, None),
            ("1.5", None, None),
            ("soon", None, None),
            ("Sun, 31 Foo 1994 08:49:40 GMT", None, None),
            ("Sun, 06 Nov 1994 08:49:40 CET", None, None),
        ];
        for (header, date, millis) in cases {
            assert_eq!(wait(header, *date, || NOW), millis.map(Duration::from_millis), "{header}");
        }
        assert_eq!(wait(&"9".repeat(40), None, || NOW), Some(Duration::from_secs(u64::MAX)));
    }
}
