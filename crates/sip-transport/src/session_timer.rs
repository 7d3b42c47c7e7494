//! The session timer (RFC 4028): whether there is one, which side refreshes the session, and when it expires.
//!
//! Both sides of a call use it. It makes decisions, and neither sends nor waits.

use std::time::Duration;

use didww_types::Timestamp;
use rsipstack::sip::{Header, Headers};

/// The shortest accepted interval in seconds, which is the minimum of RFC 4028 §5.
pub const MIN_INTERVAL_SECONDS: u32 = 90;

/// The shortest interval in seconds at which we refresh. A far end may violate the minimum of the standard;
/// refreshing more often would be costly.
const MIN_REFRESH_INTERVAL_SECONDS: u32 = 10;

/// Seconds before the expiry at which the session is ended, unless a third of the interval is less (RFC 4028
/// §10).
const MAX_EXPIRY_MARGIN_SECONDS: u32 = 32;

/// The side that refreshes the session, as seen from the request that carries the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// The sender of the request.
    Uac,
    /// The recipient of the request.
    Uas,
}

/// The session timer headers of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimerHeaders {
    /// The interval of `Session-Expires`, in seconds.
    pub interval: Option<u32>,
    /// The `refresher` parameter of `Session-Expires`.
    pub refresher: Option<Refresher>,
    /// The value of `Min-SE`, in seconds.
    pub min_se: Option<u32>,
    /// Whether `Supported` or `Require` lists `timer`.
    supported: bool,
}

/// A session timer header, which is the field, does not begin with a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a number of seconds")]
pub struct Malformed(&'static str);

/// The answer to the session timer of a request that begins or refreshes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The session has no timer.
    Without,
    /// The request is refused with 422 and this number of seconds as `Min-SE`.
    TooShort(u32),
    /// The session has a timer with these terms.
    With(Terms),
}

/// The agreed terms of a session timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The interval in seconds after which an unrefreshed session expires.
    pub interval: u32,
    /// Whether we refresh the session.
    pub ours: bool,
}

impl TimerHeaders {
    /// Reads the headers of a message. The error names a header that is not a number.
    pub fn of(headers: &Headers) -> Result<Self, Malformed> {
        let mut timer = Self::default();
        for header in headers.iter() {
            match header {
                Header::SessionExpires(_) => {
                    let mut parts = header.value().split(';');
                    timer.interval = Some(seconds(parts.next(), "Session-Expires")?);
                    timer.refresher = parts.find_map(refresher);
                }
                Header::MinSE(_) => timer.min_se = Some(seconds(header.value().split(';').next(), "Min-SE")?),
                Header::Supported(_) | Header::Require(_) => {
                    let mut tags = header.value().split(',');
                    timer.supported |= tags.any(|tag| tag.trim().eq_ignore_ascii_case("timer"));
                }
                _ => {}
            }
        }
        Ok(timer)
    }

    /// Whether the sender supports session timers: it lists `timer`, or it sent `refresher`.
    pub fn is_supported(&self) -> bool {
        self.supported || self.refresher.is_some()
    }

    /// Decides as the recipient of a request (RFC 4028 §9). `running` are the terms that the dialog has so
    /// far; a request without `Session-Expires` keeps them.
    pub fn decide(&self, running: Option<Terms>) -> Decision {
        let Some(interval) = self.interval else {
            return running.map_or(Decision::Without, Decision::With);
        };
        let min_interval = self.min_se.unwrap_or_default().max(MIN_INTERVAL_SECONDS);
        match (interval < min_interval, self.is_supported()) {
            (true, true) => Decision::TooShort(min_interval),
            // A sender without support would not understand 422, and the interval must not be raised.
            (true, false) => Decision::Without,
            (false, supported) => {
                let by = self.refresher.unwrap_or(Refresher::Uac);
                Decision::With(Terms { interval, ours: !supported || by == Refresher::Uas })
            }
        }
    }

    /// The terms that a response to our request agrees to. Without `Session-Expires` the session has no
    /// timer.
    pub fn agreed(&self) -> Option<Terms> {
        let interval = self.interval?.max(MIN_REFRESH_INTERVAL_SECONDS);
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
    /// The value of `Session-Expires` for our response.
    pub fn in_response(self) -> String {
        format!("{};refresher={}", self.interval, if self.ours { "uas" } else { "uac" })
    }

    /// The value of `Session-Expires` for our request.
    pub fn in_request(self) -> String {
        format!("{};refresher={}", self.interval, if self.ours { "uac" } else { "uas" })
    }
}

/// A session that expires unless it is refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The interval, and which side refreshes the session.
    pub terms: Terms,
    /// When we refresh it next; `None` if the other side refreshes, or while a refresh is in progress.
    pub refresh_at: Option<Timestamp>,
    /// When the call is ended because no refresh succeeded.
    pub ends_at: Timestamp,
}

impl Session {
    /// A session that was agreed or refreshed at `now`. We refresh it after half the interval. It ends 32
    /// seconds or a third of the interval before its expiry, whichever is less.
    pub fn new(terms: Terms, now: Timestamp) -> Self {
        let after = |seconds: u32| now.after(Duration::from_secs(seconds.into()));
        let Terms { interval, ours } = terms;
        Self {
            terms,
            refresh_at: ours.then(|| after(interval / 2)),
            ends_at: after(interval - MAX_EXPIRY_MARGIN_SECONDS.min(interval / 3)),
        }
    }

    /// The time of the next refresh or of the end.
    pub fn next(&self) -> Timestamp {
        self.refresh_at.map_or(self.ends_at, |at| at.min(self.ends_at))
    }

    /// Schedules another refresh after a failed one, if the refresh is up to us.
    pub fn try_again_at(&mut self, at: Timestamp) {
        if self.terms.ours {
            self.refresh_at = Some(at);
        }
    }

    /// A refresh was sent: none is due until its outcome is known.
    pub fn wait(&mut self) {
        self.refresh_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer_headers(headers: &[(&str, &str)]) -> Result<TimerHeaders, Malformed> {
        let header = |(name, value): &(&str, &str)| match *name {
            "Session-Expires" => Header::SessionExpires((*value).into()),
            "Min-SE" => Header::MinSE((*value).into()),
            "Supported" => Header::Supported((*value).into()),
            other => panic!("{other}"),
        };
        TimerHeaders::of(&headers.iter().map(header).collect::<Vec<_>>().into())
    }

    fn decided(expires: &str, further: &[(&str, &str)]) -> Decision {
        let headers: Vec<_> = [("Session-Expires", expires)].iter().chain(further).copied().collect();
        timer_headers(&headers).unwrap().decide(None)
    }

    const TIMER: (&str, &str) = ("Supported", "100rel, Timer");

    const fn with(interval: u32, ours: bool) -> Decision {
        Decision::With(Terms { interval, ours })
    }

    #[test]
    fn the_caller_chooses_the_refresher_which_is_never_a_side_without_support() {
        assert_eq!(decided("1800", &[TIMER]), with(1800, false));
        assert_eq!(decided("1800;refresher=uac", &[TIMER]), with(1800, false));
        assert_eq!(decided("90; x=y; Refresher = UAS", &[TIMER]), with(90, true));
        assert_eq!(decided("90", &[]), with(90, true));
        assert_eq!(decided("90", &[("Supported", "100rel")]), with(90, true));
        assert_eq!(decided("90;refresher=uac", &[]), with(90, false));
        assert_eq!(timer_headers(&[TIMER]).unwrap().decide(None), Decision::Without);
    }

    #[test]
    fn an_interval_that_is_too_short_is_refused_if_the_caller_supports_that() {
        assert_eq!(decided("89", &[TIMER]), Decision::TooShort(90));
        assert_eq!(decided("0", &[TIMER]), Decision::TooShort(90));
        assert_eq!(decided("89", &[]), Decision::Without);
        assert_eq!(decided("100", &[TIMER, ("Min-SE", "120;x=y")]), Decision::TooShort(120));
        assert_eq!(decided("120", &[TIMER, ("Min-SE", "120")]), with(120, false));
        for wrong in ["soon", "", "-1", "4294967296"] {
            assert!(timer_headers(&[("Session-Expires", wrong)]).is_err(), "{wrong}");
        }
        assert!(timer_headers(&[("Min-SE", "x")]).is_err());
    }

    #[test]
    fn a_refresh_without_an_interval_keeps_the_terms() {
        let running = Terms { interval: 120, ours: true };
        assert_eq!(timer_headers(&[TIMER]).unwrap().decide(Some(running)), Decision::With(running));
        let changed = timer_headers(&[TIMER, ("Session-Expires", "200;refresher=uac")]).unwrap();
        assert_eq!(changed.decide(Some(running)), with(200, false));
    }

    #[test]
    fn a_response_states_the_agreed_terms() {
        let agreed = |expires| {
            timer_headers(&[("Session-Expires", expires)])
                .unwrap()
                .agreed()
                .map(|terms| (terms.interval, terms.ours))
        };
        assert_eq!(agreed("1800;refresher=uac"), Some((1800, true)));
        assert_eq!(agreed("90; Refresher = UAS"), Some((90, false)));
        assert_eq!(agreed("90"), Some((90, true)));
        assert_eq!(agreed("0"), Some((10, true)));
        assert_eq!(TimerHeaders::default().agreed(), None);
    }

    #[test]
    fn a_session_is_refreshed_at_half_time_and_ended_before_its_expiry() {
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
    fn the_refresher_is_stated_as_seen_from_the_request() {
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
