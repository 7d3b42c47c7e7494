//! The `Retry-After` header: a wait in seconds, or a date (RFC 9110, section 10.2.3).

use std::time::Duration;

use wire_core::rfc3339;

/// Parses the header into a wait; `None` for a text of neither form.
///
/// A date is compared with `date`, the response's own `Date` header, so that a wrong clock on the client does
/// not matter. `now` returns milliseconds since 1970 and is only called when there is no valid `date`. A date
/// in the past is a wait of zero.
pub(crate) fn wait(header: &str, date: Option<&str>, now: impl FnOnce() -> i64) -> Option<Duration> {
    let header = header.trim();
    if header.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for u64 is a very long wait, not a malformed header.
        return (!header.is_empty()).then(|| Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(header)?;
    let since = date.and_then(http_date).unwrap_or_else(now);
    Some(Duration::from_millis(u64::try_from(until.saturating_sub(since)).unwrap_or(0)))
}

/// Parses a date such as `Sun, 06 Nov 1994 08:49:37 GMT` into milliseconds since 1970. RFC 9110 lets a sender
/// use no other form.
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
    fn every_form_of_the_header_is_parsed() {
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
