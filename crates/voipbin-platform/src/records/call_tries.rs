//! The attempts of a call: a record of each attempt at a provider, kept with the call.
//!
//! A call has at most [`MAX_TRIES`] of them; beyond that the oldest is dropped. The log has a line for each.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sip_dialler::Try;
use uuid::Uuid;
use voipbin_types::Timestamp;

use crate::timestamps::from_clock;

/// Maximum number of attempts that are kept of a call.
const MAX_TRIES: usize = 20;

/// An attempt of a call at one address of a provider, or of the host of a SIP URI.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CallTry {
    /// The provider; `None` for a call to a SIP URI.
    pub provider_id: Option<Uuid>,
    /// The route that led to the provider; `None` for a call to a SIP URI, and for one through a named provider.
    pub route_id: Option<Uuid>,
    /// The host of the called URI; empty if there is no URI, because the provider's record makes none.
    #[serde(default)]
    pub host: String,
    /// The address and port that the INVITE was sent to; `None` if the host has none that may be used.
    #[schemars(with = "Option<String>")]
    pub target: Option<SocketAddr>,
    /// `udp`, `tcp` or `tls`; empty if there is no URI.
    #[serde(default)]
    pub transport: String,
    /// The `Call-ID` of the INVITE; empty if there is no URI.
    #[serde(default)]
    pub call_id: String,
    /// When the first INVITE was sent; `None` if none was.
    pub sent_at: Option<Timestamp>,
    /// When the first provisional response arrived.
    pub first_provisional_at: Option<Timestamp>,
    /// When the final response arrived.
    pub final_at: Option<Timestamp>,
    /// The code of the final response.
    pub code: Option<u16>,
    /// The reason phrase of the final response, without control characters.
    #[serde(default)]
    pub reason_phrase: String,
    /// The `Reason` header of the final response (RFC 3326), without control characters.
    pub reason: Option<String>,
    /// The number of digest challenges that were answered.
    #[serde(default)]
    pub challenges: u8,
    /// Where media are sent, or why they are not; `None` before an answer.
    pub media: Option<String>,
    /// The outcome in one sentence; `None` while the attempt is in progress.
    pub outcome: Option<String>,
    /// Why another route or address was tried next, or why not; `None` while the attempt or the answered call is in
    /// progress.
    pub next: Option<String>,
}

/// The provider and the route of an attempt.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attempted {
    pub(crate) provider: Option<Uuid>,
    pub(crate) route: Option<Uuid>,
}

impl CallTry {
    fn of(attempted: Attempted, tried: Try) -> Self {
        Self {
            provider_id: attempted.provider,
            route_id: attempted.route,
            host: tried.host,
            target: tried.target,
            transport: tried.transport.to_owned(),
            call_id: tried.call_id,
            sent_at: tried.sent_at.map(from_clock),
            first_provisional_at: tried.first_provisional_at.map(from_clock),
            final_at: tried.final_at.map(from_clock),
            code: tried.code,
            reason_phrase: tried.phrase,
            reason: tried.reason,
            challenges: tried.challenges,
            media: tried.media,
            outcome: tried.outcome,
            next: None,
        }
    }

    /// Writes the attempt's line of the log.
    fn log(&self, call: Uuid) {
        let absent = || "-".to_owned();
        tracing::info!(
            %call,
            provider = self.provider_id.map_or_else(absent, |id| id.to_string()),
            route = self.route_id.map_or_else(absent, |id| id.to_string()),
            host = ?self.host,
            target = self.target.map_or_else(absent, |target| target.to_string()),
            transport = self.transport,
            call_id = self.call_id,
            sent_at = self.sent_at.map_or_else(absent, |at| at.to_string()),
            first_provisional_at = self.first_provisional_at.map_or_else(absent, |at| at.to_string()),
            final_at = self.final_at.map_or_else(absent, |at| at.to_string()),
            code = self.code.unwrap_or_default(),
            reason_phrase = ?self.reason_phrase,
            reason = ?self.reason.as_deref().unwrap_or_default(),
            media = self.media.as_deref().unwrap_or("-"),
            outcome = self.outcome.as_deref().unwrap_or("-"),
            next = self.next.as_deref().unwrap_or("-"),
            "a call was tried at a carrier"
        );
    }
}

/// The attempts of a call, and which of them belong to the present provider or have no line in the log yet.
#[derive(Debug, Default)]
pub(crate) struct TryCursor {
    /// The index of the present provider's first attempt.
    first: usize,
    /// The number of attempts that were logged.
    logged: usize,
}

impl TryCursor {
    /// Begins the attempts at the next provider.
    pub(crate) fn begin(&mut self, tries: &[CallTry]) {
        self.first = tries.len();
    }

    /// Replaces the present provider's attempts by the dialler's present record of them.
    pub(crate) fn note(&mut self, tries: &mut Vec<CallTry>, attempted: Attempted, known: Vec<Try>) {
        tries.truncate(self.first);
        // Most calls have exactly one.
        tries.reserve_exact(known.len());
        tries.extend(known.into_iter().map(|tried| CallTry::of(attempted, tried)));
        self.drop_oldest(tries);
    }

    /// Adds the attempt at a provider that could not be dialled, for this reason.
    pub(crate) fn undialled(&mut self, tries: &mut Vec<CallTry>, attempted: Attempted, why: String) {
        let Attempted { provider, route } = attempted;
        tries.push(CallTry {
            provider_id: provider,
            route_id: route,
            outcome: Some(why),
            ..CallTry::default()
        });
        self.drop_oldest(tries);
    }

    /// States why another attempt follows the present provider's last one, or why none does.
    pub(crate) fn conclude(&self, tries: &mut [CallTry], next: &str) {
        let Some((last, others)) = tries.get_mut(self.first..).and_then(<[_]>::split_last_mut) else {
            return;
        };
        last.next = Some(next.to_owned());
        for other in others {
            other.next = Some("the next address of the host was tried".to_owned());
        }
    }

    /// Writes the lines of the attempts that have an outcome and no line yet.
    pub(crate) fn log(&mut self, tries: &[CallTry], call: Uuid) {
        for tried in tries.iter().skip(self.logged) {
            if tried.outcome.is_none() {
                return;
            }
            tried.log(call);
            self.logged += 1;
        }
    }

    fn drop_oldest(&mut self, tries: &mut Vec<CallTry>) {
        while tries.len() > MAX_TRIES {
            tries.remove(0);
            self.first = self.first.saturating_sub(1);
            self.logged = self.logged.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_of_an_attempt_is_what_the_dialler_knows_of_it() {
        let (provider, route) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let second = |number: i64| didww_types::Timestamp::from_unix_millis(number * 1_000);
        let mut tried = Try::default();
        tried.host = "carrier.example.com".to_owned();
        tried.target = Some("192.0.2.1:5060".parse().unwrap());
        tried.transport = "tcp";
        tried.call_id = "one@two".to_owned();
        (tried.sent_at, tried.first_provisional_at, tried.final_at) =
            (Some(second(1)), Some(second(2)), Some(second(3)));
        (tried.code, tried.phrase, tried.reason) =
            (Some(503), "As Told".to_owned(), Some("Q.850;cause=34".to_owned()));
        tried.challenges = 2;
        tried.media = Some("PCMA to 192.0.2.7:4000".to_owned());
        tried.outcome = Some("the carrier refused the call with 503".to_owned());
        let attempted = Attempted { provider: Some(provider), route: Some(route) };
        let expected = serde_json::json!({
            "provider_id": provider, "route_id": route, "host": "carrier.example.com", "target": "192.0.2.1:5060",
            "transport": "tcp", "call_id": "one@two", "sent_at": "1970-01-01T00:00:01Z",
            "first_provisional_at": "1970-01-01T00:00:02Z", "final_at": "1970-01-01T00:00:03Z", "code": 503,
            "reason_phrase": "As Told", "reason": "Q.850;cause=34", "challenges": 2,
            "media": "PCMA to 192.0.2.7:4000", "outcome": "the carrier refused the call with 503", "next": null,
        });
        assert_eq!(serde_json::to_value(CallTry::of(attempted, tried)).unwrap(), expected);
    }

    #[test]
    fn a_call_keeps_its_last_twenty_attempts() {
        let (mut cursor, mut tries) = (TryCursor::default(), Vec::new());
        for number in 0..30 {
            cursor.begin(&tries);
            cursor.undialled(&mut tries, Attempted::default(), number.to_string());
            cursor.conclude(&mut tries, "the next route was tried");
            cursor.log(&tries, Uuid::nil());
        }
        let outcomes: Vec<_> = tries.iter().map(|tried| tried.outcome.clone().unwrap()).collect();
        assert_eq!(outcomes, (10..30).map(|number: i32| number.to_string()).collect::<Vec<_>>());
        assert!(tries.iter().all(|tried| tried.next.is_some()));
        assert_eq!(cursor.logged, 20);
    }
}
