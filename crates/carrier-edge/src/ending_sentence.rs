//! States in words how an admitted call ended, for its record, the log and the rings of attempts.

use trunk_rules::carrier::{Cause, reason_phrase, sentence};

use super::record::Ending;

/// The sentence of an ending. `by_caller` is whether the caller's BYE ended the call.
pub(crate) fn ending_sentence(ending: Ending, by_caller: bool) -> String {
    let known = Cause::ALL.iter().find(|cause| cause.id() == ending.cause && cause.text() == ending.reason);
    let text = match known {
        _ if ending.reason == "Bye" && by_caller => "the caller hung up",
        _ if ending.reason == "Bye" => {
            "this side hung up: the callee ended the call, an operator did, or the server stopped"
        }
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
        Some(Cause::ServerLost) => "the server process ended unexpectedly while the call was active",
        Some(Cause::CodecsNotMatched) => "the caller's answer has none of the codecs that were offered to it",
        Some(Cause::NoSuitableMedia) => {
            "the caller's answer does not match the offer: another profile, no key, or no audio stream"
        }
        Some(Cause::SdpUnparsable) => "the caller's session description could not be parsed",
        Some(Cause::RejectedByAuthRecord) => "the trunk was blocked before the call was answered",
        _ => match ending.reason {
            "Request terminated (Cancel)" => "the caller cancelled the call before it was answered",
            "No PRACK" => {
                "the caller acknowledged no reliable provisional response (PRACK) within 32 seconds"
            }
            "Request expired" => "the call rang for longer than the Expires of its INVITE",
            "Ended by the operator" => {
                "an operator ended the call, or the server stopped, before it was answered"
            }
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

    fn of(cause: Cause) -> Ending {
        Ending { cause: cause.id(), code: cause.code(), reason: cause.text() }
    }

    #[test]
    fn an_ending_is_stated_in_words_by_its_cause_or_its_code() {
        let bye = Ending { cause: 200, code: 200, reason: "Bye" };
        assert_eq!(ending_sentence(bye, true), "the caller hung up");
        assert!(ending_sentence(bye, false).starts_with("this side hung up"));
        assert!(ending_sentence(of(Cause::RtpTimeout), false).contains("rtp_timeout"));
        let busy = Ending { cause: Cause::BusyHere.id(), code: 486, reason: reason_phrase(486) };
        assert_eq!(ending_sentence(busy, false), "the callee answered 486 Busy Here");
        let own = Ending { cause: 480, code: 480, reason: reason_phrase(480) };
        assert_eq!(ending_sentence(own, false), "the callee answered 480 Temporarily Unavailable");
    }
}
