//! The session timer (RFC 4028): whether there is one, who refreshes the session, and when it is over when
//! nobody does.
//!
//! One reading for both sides of a call. It decides, and neither sends nor waits.

use std::time::Duration;

use didww_types::Timestamp;
use rsipstack::sip::{Header, Headers};

/// Seconds of the shortest interval that is agreed to, which is the shortest that the standard allows.
pub const SHORTEST: u32 = 90;

/// An interval of a far end's that is shorter, against the standard, would keep us busy with refreshing.
const SHORTEST_KEPT: u32 = 10;

/// Seconds before the end at which the side that does not refresh gives up, unless a third of the interval is
/// less.
const MARGIN: u32 = 32;

/// A side of the request or response that says who refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answers it.
    Uas,
}

/// What a message says about the session timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    /// Seconds of `Session-Expires`.
    pub interval: Option<u32>,
    pub refresher: Option<Refresher>,
    /// Seconds of `Min-SE`.
    pub least: Option<u32>,
    /// Whether session timers are supported.
    supported: bool,
}

/// A header of the session timer is no number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no number of seconds")]
pub struct Malformed(&'static str);

/// What a request that begins or refreshes a session is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// There is no session timer.
    Without,
    /// 422, with this many seconds as `Min-SE`.
    TooShort(u32),
    /// There is one.
    With(Terms),
}

/// What a session timer is agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Seconds.
    pub interval: u32,
    /// Whether we refresh the session.
    pub ours: bool,
}

impl Said {
    /// Reads a message.
    pub fn of(headers: &Headers) -> Result<Self, Malformed> {
        let mut said = Self::default();
        for header in headers.iter() {
            match header {
                Header::SessionExpires(_) => {
                    let mut parts = header.value().split(';');
                    said.interval = Some(seconds(parts.next(), "Session-Expires")?);
                    said.refresher = parts.find_map(refresher);
                }
                Header::MinSE(_) => said.least = Some(seconds(header.value().split(';').next(), "Min-SE")?),
                Header::Supported(_) | Header::Require(_) => {
                    let mut tags = header.value().split(',');
                    said.supported |= tags.any(|tag| tag.trim().eq_ignore_ascii_case("timer"));
                }
                _ => {}
            }
        }
        Ok(said)
    }

    /// Whether who says so knows session timers: `refresher` is said by nobody else.
    pub fn is_supported(&self) -> bool {
        self.supported || self.refresher.is_some()
    }

    /// Decides as the side that answers a request (RFC 4028 §9). `running` is what was agreed on before in
    /// the dialog: a refresh that says nothing leaves it as it is.
    pub fn decide(&self, running: Option<Terms>) -> Decision {
        let Some(interval) = self.interval else {
            return running.map_or(Decision::Without, Decision::With);
        };
        let least = self.least.unwrap_or_default().max(SHORTEST);
        match (interval < least, self.is_supported()) {
            (true, true) => Decision::TooShort(least),
            // Whoever does not know session timers would not understand why, and an interval must not be
            // raised.
            (true, false) => Decision::Without,
            (false, supported) => {
                let by = self.refresher.unwrap_or(Refresher::Uac);
                Decision::With(Terms { interval, ours: !supported || by == Refresher::Uas })
            }
        }
    }

    /// What a response to a request of ours agrees on. Without a word about it there is no session timer.
    pub fn agreed(&self) -> Option<Terms> {
        let interval = self.interval?.max(SHORTEST_KEPT);
        Some(Terms { interval, ours: self.refresher != Some(Refresher::Uas) })
    }
}

fn seconds(text: Option<&str>, name: &'static str) -> Result<u32, Malformed> {
    text.and_then(|text| text.trim().parse().ok()).ok_or(Malformed(name))
}

fn refresher(parameter: &str) -> Option<Refresher> {
    let (name, value) = parameter.split_once('=')?;
    let named = |text: &str| value.trim().eq_ignore_ascii_case(text);
    match name.trim().eq_ignore_ascii_case("refresher") {
        true if named("uas") => Some(Refresher::Uas),
        true if named("uac") => Some(Refresher::Uac),
        _ => None,
    }
}

impl Terms {
    /// The value of `Session-Expires` in our response.
    pub fn in_response(self) -> String {
        format!("{};refresher={}", self.interval, if self.ours { "uas" } else { "uac" })
    }

    /// The value of `Session-Expires` in a request of ours.
    pub fn in_request(self) -> String {
        format!("{};refresher={}", self.interval, if self.ours { "uac" } else { "uas" })
    }
}

/// A session that ends unless it is refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    pub terms: Terms,
    /// When we refresh it next; never when that is for the other side to do.
    pub refresh_at: Option<Timestamp>,
    /// When it is given up.
    pub ends_at: Timestamp,
}

impl Session {
    /// One that was agreed on, or refreshed, just now. It is refreshed after half the interval, and given up
    /// 32 seconds or a third of the interval before its end, whichever is less.
    pub fn new(terms: Terms, now: Timestamp) -> Self {
        let after = |seconds: u32| now.after(Duration::from_secs(seconds.into()));
        let Terms { interval, ours } = terms;
        Self {
            terms,
            refresh_at: ours.then(|| after(interval / 2)),
            ends_at: after(interval - MARGIN.min(interval / 3)),
        }
    }

    /// What comes next.
    pub fn next(&self) -> Timestamp {
        self.refresh_at.map_or(self.ends_at, |at| at.min(self.ends_at))
    }

    /// A refresh failed that may be tried again.
    pub fn try_again_at(&mut self, at: Timestamp) {
        if self.terms.ours {
            self.refresh_at = Some(at);
        }
    }

    /// A refresh is under way.
    pub fn wait(&mut self) {
        self.refresh_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(headers: &[(&str, &str)]) -> Result<Said, Malformed> {
        let header = |(name, value): &(&str, &str)| match *name {
            "Session-Expires" => Header::SessionExpires((*value).into()),
            "Min-SE" => Header::MinSE((*value).into()),
            "Supported" => Header::Supported((*value).into()),
            other => panic!("{other}"),
        };
        Said::of(&headers.iter().map(header).collect::<Vec<_>>().into())
    }

    fn decided(expires: &str, further: &[(&str, &str)]) -> Decision {
        let headers: Vec<_> = [("Session-Expires", expires)].iter().chain(further).copied().collect();
        said(&headers).unwrap().decide(None)
    }

    const TIMER: (&str, &str) = ("Supported", "100rel, Timer");

    const fn with(interval: u32, ours: bool) -> Decision {
        Decision::With(Terms { interval, ours })
    }

    #[test]
    fn the_caller_chooses_who_refreshes_and_whoever_knows_nothing_of_it_does_not() {
        assert_eq!(decided("1800", &[TIMER]), with(1800, false));
        assert_eq!(decided("1800;refresher=uac", &[TIMER]), with(1800, false));
        assert_eq!(decided("90; x=y; Refresher = UAS", &[TIMER]), with(90, true));
        assert_eq!(decided("90", &[]), with(90, true));
        assert_eq!(decided("90", &[("Supported", "100rel")]), with(90, true));
        assert_eq!(decided("90;refresher=uac", &[]), with(90, false));
        assert_eq!(said(&[TIMER]).unwrap().decide(None), Decision::Without);
    }

    #[test]
    fn an_interval_that_is_too_short_is_refused_where_the_caller_understands_that() {
        assert_eq!(decided("89", &[TIMER]), Decision::TooShort(90));
        assert_eq!(decided("0", &[TIMER]), Decision::TooShort(90));
        assert_eq!(decided("89", &[]), Decision::Without);
        assert_eq!(decided("100", &[TIMER, ("Min-SE", "120;x=y")]), Decision::TooShort(120));
        assert_eq!(decided("120", &[TIMER, ("Min-SE", "120")]), with(120, false));
        for wrong in ["soon", "", "-1", "4294967296"] {
            assert!(said(&[("Session-Expires", wrong)]).is_err(), "{wrong}");
        }
        assert!(said(&[("Min-SE", "x")]).is_err());
    }

    #[test]
    fn a_refresh_that_says_nothing_leaves_what_was_agreed_on() {
        let running = Terms { interval: 120, ours: true };
        assert_eq!(said(&[TIMER]).unwrap().decide(Some(running)), Decision::With(running));
        let changed = said(&[TIMER, ("Session-Expires", "200;refresher=uac")]).unwrap();
        assert_eq!(changed.decide(Some(running)), with(200, false));
    }

    #[test]
    fn a_response_says_what_is_agreed_on() {
        let agreed = |expires| {
            said(&[("Session-Expires", expires)]).unwrap().agreed().map(|terms| (terms.interval, terms.ours))
        };
        assert_eq!(agreed("1800;refresher=uac"), Some((1800, true)));
        assert_eq!(agreed("90; Refresher = UAS"), Some((90, false)));
        assert_eq!(agreed("90"), Some((90, true)));
        assert_eq!(agreed("0"), Some((10, true)));
        assert_eq!(Said::default().agreed(), None);
    }

    #[test]
    fn it_is_refreshed_at_half_time_and_given_up_before_its_end() {
        let at = |timestamp: Timestamp| timestamp.as_unix_millis() / 1000;
        let session = |interval, ours| {
            let session = Session::new(Terms { interval, ours }, Timestamp::from_unix_millis(0));
            (session.refresh_at.map(at), at(session.ends_at), at(session.next()))
        };
        assert_eq!(session(1800, true), (Some(900), 1768, 900));
        assert_eq!(session(1800, false), (None, 1768, 1768));
        assert_eq!(session(90, false), (None, 60, 60));
        assert_eq!(session(90, true), (Some(45), 60, 45));
        assert_eq!(session(10, true), (Some(5), 7, 5));
    }

    #[test]
    fn who_refreshes_is_said_as_seen_from_the_request() {
        let ours = Terms { interval: 90, ours: true };
        assert_eq!(
            (ours.in_response(), ours.in_request()),
            ("90;refresher=uas".into(), "90;refresher=uac".into())
        );
        let theirs = Terms { ours: false, ..ours };
        assert_eq!(
            (theirs.in_response(), theirs.in_request()),
            ("90;refresher=uac".into(), "90;refresher=uas".into())
        );
    }
}
