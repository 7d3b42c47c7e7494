//! The attempts of a call: a record of each address to which it was to be sent, and of the outcome there.
//!
//! A call has one list, which its task writes and its owner reads at any time. It has at most [`MAX_TRIES`] records: a
//! host has fewer addresses. Texts of the far end are bounded and contain no control characters, so that they can be
//! logged.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use didww_types::Timestamp;
use rsipstack::sip::{Response, Transport};

use crate::headers::value;
use crate::outcome::Outcome;

/// Maximum number of records of a call.
const MAX_TRIES: usize = 8;
/// Maximum number of characters that are kept of a reason phrase.
const MAX_PHRASE: usize = 64;
/// Maximum number of characters that are kept of a `Reason` header.
const MAX_REASON: usize = 200;
/// Maximum number of characters of an outcome, and of a statement about media.
const MAX_SENTENCE: usize = 300;

/// An attempt of a call at one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Try {
    /// The host of the called URI.
    pub host: String,
    /// The address and port that the INVITE was sent to. `None` if the host has no address that may be used.
    pub target: Option<SocketAddr>,
    /// The transport of the INVITE: `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// The `Call-ID` of the INVITE. Attempts at several addresses of one host share it.
    pub call_id: String,
    /// When the first INVITE was sent; `None` if none was.
    pub sent_at: Option<Timestamp>,
    /// When the first provisional response arrived.
    pub first_provisional_at: Option<Timestamp>,
    /// When the final response arrived.
    pub final_at: Option<Timestamp>,
    /// The code of the final response.
    pub code: Option<u16>,
    /// The reason phrase of the final response.
    pub phrase: String,
    /// The value of its `Reason` header (RFC 3326).
    pub reason: Option<String>,
    /// The number of digest challenges that were answered.
    pub challenges: u8,
    /// Where media are sent, or why they are not; `None` before an answer.
    pub media: Option<String>,
    /// The [`Outcome`] in one sentence; `None` while the attempt is in progress.
    pub outcome: Option<String>,
}

/// The records of a call, shared by its task and its owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tries(Arc<Mutex<Vec<Try>>>);

impl Tries {
    /// Begins the record of an attempt, unless there are too many. Then the last record is replaced.
    pub(crate) fn begin(&self, begun: Try) {
        let mut tries = self.lock();
        if tries.len() >= MAX_TRIES {
            tries.pop();
        }
        // Most calls have exactly one.
        tries.reserve_exact(1);
        tries.push(begun);
    }

    /// Changes the record of the current attempt.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Try)) {
        if let Some(current) = self.lock().last_mut() {
            change(current);
        }
    }

    /// States the outcome of the current attempt, if none was stated.
    pub(crate) fn conclude(&self, outcome: &Outcome) {
        self.update(|current| {
            if current.outcome.is_none() {
                current.outcome = Some(printable(&outcome.to_string(), MAX_SENTENCE));
            }
        });
    }

    /// Records the final response to the current attempt.
    pub(crate) fn final_response(&self, response: &Response, at: Timestamp) {
        let reason = value(&response.headers, "Reason").map(|reason| printable(reason, MAX_REASON));
        self.update(|current| {
            current.final_at = Some(at);
            current.code = Some(response.status_code.code());
            current.phrase = printable(&phrase(response), MAX_PHRASE);
            current.reason = reason;
        });
    }

    /// States where media are sent, or why they are not.
    pub(crate) fn media(&self, statement: &str) {
        self.update(|current| current.media = Some(printable(statement, MAX_SENTENCE)));
    }

    /// The records so far, in the order of the attempts.
    pub(crate) fn snapshot(&self) -> Vec<Try> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Try>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reason phrase of a response, as it was received.
fn phrase(response: &Response) -> String {
    // The library keeps only a phrase that differs from the standard one.
    response.wire_reason.clone().unwrap_or_else(|| {
        let text = response.status_code.to_string();
        text.split_once(' ').map(|(_, phrase)| phrase.to_owned()).unwrap_or_default()
    })
}

/// The name of a transport in a URI.
pub(crate) fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        _ => "udp",
    }
}

/// The beginning of a text without control characters.
fn printable(text: &str, characters: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_carrier_are_bounded_and_cannot_forge_a_line() {
        assert_eq!(printable("Busy\r\nX: \u{1b}[31mHere", 64), "BusyX: [31mHere");
        assert_eq!(printable(&"é".repeat(100), 64).chars().count(), 64);
    }

    #[test]
    fn a_call_has_at_most_eight_records_of_which_the_last_one_is_kept() {
        let tries = Tries::default();
        for number in 0..20 {
            tries.begin(Try { host: number.to_string(), ..Try::default() });
        }
        tries.conclude(&Outcome::Silent);
        tries.conclude(&Outcome::Answered);
        let kept = tries.snapshot();
        assert_eq!((kept.len(), kept[7].host.as_str()), (8, "19"));
        assert_eq!(
            kept[7].outcome.as_deref(),
            Some("the carrier did not respond"),
            "an outcome is stated once"
        );
    }
}
