//! The sentence that states how an admitted call ended, for its record, the log and the rings of attempts.

use trunk_rules::carrier::{Cause, reason_phrase, sentence};

use super::hung_up_by::HungUpBy;
use super::record::Ending;

/// The reason of the ordinary ending of an answered call.
pub(crate) const HUNG_UP: &str = "Bye";

/// The sentence of an ending.
pub(crate) fn ending_sentence(ending: &Ending) -> String {
    if let Some(why) = &ending.why {
        return sentence(why);
    }
    let known = Cause::ALL.iter().find(|cause| cause.id() == ending.cause && cause.text() == ending.reason);
    let text = match known {
        _ if ending.reason == HUNG_UP => match ending.by {
            HungUpBy::Caller => "the caller hung up",
            HungUpBy::FarEnd => "the callee hung up",
            HungUpBy::Operator => "an operator ended the call",
            HungUpBy::Server | HungUpBy::Timer => "the server stopped, which ended the call",
        },
        Some(Cause::RtpTimeout) => {
            "no accepted RTP arrived for the trunk's rtp_timeout; see the record's rtp_received and rtp_dropped"
        }
        Some(Cause::NoAck) => "the answer was never acknowledged: the caller's ACK did not arrive",
        Some(Cause::SessionTimeout) => {
            "the session was not refreshed in time, or the call reached the limit of 24 hours"
        }
        Some(Cause::NoFreePorts) => {
            "no RTP port was free, or the account had reached its limit of active calls (calls_per_account)"
        }
        Some(Cause::ThresholdReached) => {
            "the spending of the last 24 hours reached the trunk's threshold_amount"
        }
        Some(Cause::RingingTimeout) => "the callee did not answer within ring_timeout",
        Some(Cause::NotRecorded) => "the charge of the call could not be stored",
        Some(Cause::Unacknowledged) => {
            "the source left too many answers unacknowledged (unacknowledged_answers)"
        }
        Some(Cause::TrunkDeleted) => "the trunk was deleted, which ends its calls at once",
        Some(Cause::ServerLost) => "the server process ended unexpectedly while the call was active",
        Some(Cause::RejectedByAuthRecord) => "the trunk was blocked before the call was answered",
        _ => match ending.reason {
            "Request terminated (Cancel)" => "the caller cancelled the call before it was answered",
            "No PRACK" => {
                "the caller acknowledged no reliable provisional response (PRACK) within 32 seconds"
            }
            "Request expired" => "the call rang for longer than the Expires of its INVITE",
            "Ended by the operator" => "an operator ended the call before it was answered",
            "Server stopped" => "the server stopped before the call was answered",
            _ => {
                return sentence(&format!(
                    "the callee answered {} {}",
                    ending.code,
                    reason_phrase(ending.code)
                ));
            }
        },
    };
    sentence(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(cause: u16, code: u16, reason: &'static str, by: HungUpBy) -> String {
        ending_sentence(&Ending::new(cause, code, reason, by))
    }

    #[test]
    fn an_ending_is_stated_in_words_by_its_cause_or_its_code() {
        let silent = Cause::RtpTimeout;
        let silent = said(silent.id(), silent.code(), silent.text(), HungUpBy::Timer);
        assert!(silent.contains("rtp_timeout"), "{silent}");
        let busy = said(Cause::BusyHere.id(), 486, reason_phrase(486), HungUpBy::FarEnd);
        assert_eq!(busy, "the callee answered 486 Busy Here");
        let own = said(480, 480, reason_phrase(480), HungUpBy::FarEnd);
        assert_eq!(own, "the callee answered 480 Temporarily Unavailable");
    }

    #[test]
    fn an_ordinary_ending_states_who_hung_up() {
        let sentences: Vec<String> =
            [HungUpBy::Caller, HungUpBy::FarEnd, HungUpBy::Operator, HungUpBy::Server]
                .map(|by| said(200, 200, HUNG_UP, by))
                .into();
        assert_eq!(
            sentences,
            [
                "the caller hung up",
                "the callee hung up",
                "an operator ended the call",
                "the server stopped, which ended the call"
            ]
        );
        assert_eq!(
            said(503, 503, "Server stopped", HungUpBy::Server),
            "the server stopped before the call was answered"
        );
    }
}
