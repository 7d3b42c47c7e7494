//! The session timer (RFC 4028): who refreshes the session, and when it is over when nobody does.

use std::time::Duration;

use didww_types::Timestamp;
use rsipstack::sip::{Header, Headers};

use super::dialog::value;

/// An interval that is shorter, which no standard allows, would keep us busy with refreshing.
const SHORTEST: Duration = Duration::from_secs(10);

/// A session that ends unless it is refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) interval: Duration,
    /// Whether we refresh it.
    pub(super) ours: bool,
    /// When it is refreshed, or given up when that is for the far end to do.
    pub(super) at: Timestamp,
}

impl Session {
    /// What a response to a request of ours says.
    pub(super) fn of_response(headers: &Headers, now: Timestamp) -> Option<Self> {
        let (interval, refresher) = read(headers)?;
        Some(Self::new(interval, refresher != Some(Refresher::Server), now))
    }

    /// What a request of the far end asks for.
    pub(super) fn of_request(headers: &Headers, now: Timestamp) -> Option<Self> {
        let (interval, refresher) = read(headers)?;
        Some(Self::new(interval, refresher == Some(Refresher::Server), now))
    }

    fn new(interval: Duration, ours: bool, now: Timestamp) -> Self {
        let interval = interval.max(SHORTEST);
        Self { interval, ours, at: now.after(if ours { interval / 2 } else { interval }) }
    }

    /// It was refreshed.
    pub(super) fn refreshed(&mut self, now: Timestamp) {
        *self = Self::new(self.interval, self.ours, now);
    }

    /// The headers of our response to a request of the far end.
    pub(super) fn in_response(&self) -> [Header; 2] {
        let refresher = if self.ours { "uas" } else { "uac" };
        self.headers("Require", refresher)
    }

    /// The headers of a request that refreshes it.
    pub(super) fn in_request(&self) -> [Header; 2] {
        let refresher = if self.ours { "uac" } else { "uas" };
        self.headers("Supported", refresher)
    }

    fn headers(&self, name: &str, refresher: &str) -> [Header; 2] {
        let expires = format!("{};refresher={refresher}", self.interval.as_secs());
        [
            Header::Other(name.to_owned(), "timer".to_owned()),
            Header::Other("Session-Expires".to_owned(), expires),
        ]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refresher {
    Client,
    Server,
}

fn read(headers: &Headers) -> Option<(Duration, Option<Refresher>)> {
    let mut parts = value(headers, "Session-Expires")?.split(';').map(str::trim);
    let seconds: u32 = parts.next()?.parse().ok()?;
    let refresher = parts.filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
        match (name.trim().eq_ignore_ascii_case("refresher"), value.trim()) {
            (true, who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Server),
            (true, who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Client),
            _ => None,
        }
    });
    Some((Duration::from_secs(seconds.into()), refresher))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(0);

    fn headers(text: &str) -> Headers {
        vec![Header::SessionExpires(text.into())].into()
    }

    fn seconds(session: Session) -> (u64, bool, i64) {
        (session.interval.as_secs(), session.ours, session.at.as_unix_millis() / 1000)
    }

    #[test]
    fn the_refresher_is_read_from_where_it_stands() {
        let response = |text| Session::of_response(&headers(text), NOW).map(seconds);
        let request = |text| Session::of_request(&headers(text), NOW).map(seconds);
        assert_eq!(response("1800;refresher=uac"), Some((1800, true, 900)));
        assert_eq!(response("90; Refresher = UAS"), Some((90, false, 90)));
        assert_eq!(response("90"), Some((90, true, 45)));
        assert_eq!(request("90;refresher=uac"), Some((90, false, 90)));
        assert_eq!(request("90;refresher=uas"), Some((90, true, 45)));
        assert_eq!(request("90;x=y"), Some((90, false, 90)));
        assert_eq!((response("soon"), response("0")), (None, Some((10, true, 5))));
        assert_eq!(Session::of_response(&Headers::default(), NOW), None);
    }

    #[test]
    fn it_is_said_who_refreshes() {
        let session = Session::of_request(&headers("90;refresher=uas"), NOW).unwrap();
        let text = |headers: [Header; 2]| headers.map(|header| header.to_string()).join("|");
        assert_eq!(text(session.in_response()), "Require: timer|Session-Expires: 90;refresher=uas");
        assert_eq!(text(session.in_request()), "Supported: timer|Session-Expires: 90;refresher=uac");
    }
}
