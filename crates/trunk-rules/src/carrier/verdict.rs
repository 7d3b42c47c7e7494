//! The decision on a call, with all that the SIP response, the call record and an explanation need.
//!
//! A verdict never contains a password, a digest or a raw header.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{
    Algorithm, Cause, Check, Checks, Cli, DigestFailure, Digits, EmergencyCall, Full, Media, Rate, Settings,
    TrunkTerms, Warning, sentence,
};

/// The decision on a call.
#[derive(Debug)]
pub enum Verdict {
    /// The call is admitted: it passed every check.
    Admitted(Box<Admitted>),
    /// The call must be repeated with a digest.
    Challenged(Box<Challenge>),
    /// The call is refused, with the response that the caller receives.
    Refused(Box<Refusal>),
}

/// How the trunk of a call was identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified {
    /// By a digest that proves knowledge of the trunk's password.
    Digest {
        /// The nonce count; zero if the client sent none.
        count: u32,
    },
    /// By the source address alone.
    Address,
    /// By the Twilio account SID.
    TwilioAccount,
}

/// A call that passed every check, with the data for connecting it.
#[derive(Debug)]
pub struct Admitted {
    /// The trunk, as of the time of admission.
    pub trunk: Arc<TrunkTerms>,
    /// How the trunk was identified.
    pub identified: Identified,
    /// The dialled text, including the tech prefix, as call records show it.
    pub dialled: String,
    /// The number that the call goes to.
    pub destination: Digits,
    /// The caller numbers of the call.
    pub cli: Cli,
    /// The emergency call, if it is one. The edge never forwards it to a real network.
    pub emergency: Option<EmergencyCall>,
    /// The media selected from the offer; `None` if the answer must contain the offer.
    pub media: Option<Media>,
    /// The rate of the call; `None` without a rate card, or for an emergency call.
    pub rate: Option<Rate>,
    /// The checks that the call passed. Those that an emergency call skips are not included.
    pub passed: Checks,
}

/// A call that must be repeated with a digest. It leaves no call record, because the caller is not known.
#[derive(Debug)]
pub struct Challenge {
    /// The response code: 401, or 407 if the setting requires it.
    pub code: u16,
    /// The reason phrase of the response, after the code.
    pub phrase: &'static str,
    /// Why the digest was not accepted; `NoHeader` for a first INVITE.
    pub failure: DigestFailure,
    /// Whether the challenge carries `stale=true`: only the nonce had expired.
    pub stale: bool,
    /// The trunk with the username, if there is one.
    pub trunk: Option<Arc<TrunkTerms>>,
    /// The checks that the call passed.
    pub passed: Checks,
}

/// The bytes of a challenge header with a realm of usual length.
const CHALLENGE_BYTES: usize = 192;

impl Challenge {
    /// The disconnect cause of every challenge.
    pub const CAUSE: Cause = Cause::Unauthorized;

    /// Returns the value of a [`Refusal::DIAGNOSIS_HEADER`]. It names no trunk, because the digest proves none.
    pub fn diagnosis(&self) -> String {
        let mut text = format!("check={};cause={}", Check::Digest, Self::CAUSE.id());
        push_quoted(&mut text, "why", &self.explanation(), MAX_SENTENCE_CHARS);
        text
    }

    /// Why the digest was not accepted, as a [`sentence`].
    pub fn explanation(&self) -> String {
        sentence(&self.failure.to_string())
    }

    /// Returns the header values, one per algorithm, to send under [`Settings::challenge_header`].
    pub fn headers(&self, settings: &Settings, nonce: &str) -> Vec<String> {
        let stale = if self.stale { ", stale=true" } else { "" };
        let header = |algorithm: &Algorithm| {
            let mut text = String::with_capacity(CHALLENGE_BYTES);
            for part in ["Digest realm=\"", settings.realm.as_str(), "\", nonce=\"", nonce, "\", qop=\""] {
                text.push_str(part);
            }
            for (at, qop) in settings.qop.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                text.push_str(qop.name());
            }
            for part in ["\", algorithm=", algorithm.name(), stale] {
                text.push_str(part);
            }
            text
        };
        settings.algorithms.iter().map(header).collect()
    }
}

/// A call that failed a check, with the data for its response, record and explanation.
#[derive(Debug)]
pub struct Refusal {
    /// The first check that failed; those after it were not made.
    pub check: Check,
    /// The disconnect cause, which is finer than the response code.
    pub cause: Cause,
    /// The SIP response code, a setting for most causes.
    pub code: u16,
    /// The reason phrase, of RFC 3261 or the cause's own text, as a setting decides.
    pub phrase: &'static str,
    /// The trunk, if one was identified.
    pub trunk: Option<Arc<TrunkTerms>>,
    /// The configured value, in the API's terms.
    pub configured: String,
    /// The received value. It may contain any character that the network can deliver.
    pub received: String,
    /// Why the call was refused, and how to correct it. Made by [`sentence`], so that it is the
    /// same in a header, a log line and a record.
    pub explanation: String,
    /// The warning of a response that refuses media; `None` for every other check.
    pub warning: Option<Warning>,
    /// The dialled text, including the tech prefix.
    pub dialled: String,
    /// The checks that the call passed before.
    pub passed: Checks,
}

impl Refusal {
    /// The name of the header that carries the [`diagnosis`](Self::diagnosis).
    pub const DIAGNOSIS_HEADER: &'static str = "X-Refusal";

    /// The refusal of a call that passed every check, but whose trunk has no free channel left.
    pub fn without_channel(admitted: Admitted, full: Full, settings: &Settings) -> Self {
        let (cause, code) = (Cause::Overloaded, settings.capacity_reject_code);
        Self {
            check: Check::Capacity,
            cause,
            code,
            phrase: settings.phrase(cause, code),
            trunk: Some(admitted.trunk),
            configured: full.configured(),
            received: full.received(),
            explanation: sentence(Full::EXPLANATION),
            warning: None,
            dialled: admitted.dialled,
            passed: admitted.passed.without(Check::Capacity),
        }
    }

    /// Whether the attempt is stored as a call record, which requires that its trunk is known: a digest or the source
    /// address proved it.
    pub fn is_recorded(&self) -> bool {
        self.check >= Check::Trunk
    }

    /// Returns the value of a `Reason` header: `SIP;cause=403;text="destination"`.
    pub fn reason(&self) -> String {
        format!("SIP;cause={};text=\"{}\"", self.code, self.check)
    }

    /// Returns the value of a header that names the check, the trunk, the configured and the received value, and
    /// the reason. The received value is escaped so that it cannot end the header.
    pub fn diagnosis(&self) -> String {
        let mut text = format!("check={};cause={}", self.check, self.cause.id());
        if let Some(trunk) = &self.trunk {
            push_quoted(&mut text, "trunk", trunk.id.as_str(), MAX_VALUE_CHARS);
        }
        push_quoted(&mut text, "configured", &self.configured, MAX_VALUE_CHARS);
        push_quoted(&mut text, "received", &self.received, MAX_VALUE_CHARS);
        push_quoted(&mut text, "why", &self.explanation, MAX_SENTENCE_CHARS);
        text
    }

    /// Returns the value of a [`DIAGNOSIS_HEADER`](Self::DIAGNOSIS_HEADER) of a call that was refused although no check
    /// failed: after it was admitted, or before the checks, where neither a cause nor a trunk is known.
    pub fn diagnosis_without_check(cause: Option<u16>, trunk: Option<&str>, why: &str) -> String {
        let mut text = String::new();
        if let Some(cause) = cause {
            let _ = write!(text, "cause={cause}");
        }
        if let Some(trunk) = trunk {
            push_quoted(&mut text, "trunk", trunk, MAX_VALUE_CHARS);
        }
        push_quoted(&mut text, "why", why, MAX_SENTENCE_CHARS);
        text.trim_start_matches(';').to_owned()
    }
}

const MAX_VALUE_CHARS: usize = 120;
/// A sentence has no more, so it is never cut.
const MAX_SENTENCE_CHARS: usize = 300;

fn push_quoted(text: &mut String, name: &str, value: &str, max_chars: usize) {
    let _ = write!(text, ";{name}=\"");
    for character in value.chars().take(max_chars) {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            ' '..='~' => text.push(character),
            _ => text.push('?'),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::Qop;
    use proptest::prelude::*;

    fn refusal(received: &str) -> Refusal {
        Refusal {
            check: Check::Destination,
            cause: Cause::DestinationBlacklisted,
            code: 403,
            phrase: "Forbidden",
            trunk: None,
            configured: "reject_all".to_owned(),
            received: received.to_owned(),
            explanation: "with reject_all it's refused".to_owned(),
            warning: None,
            dialled: String::new(),
            passed: Checks::default(),
        }
    }

    #[test]
    fn a_refusal_is_written_into_two_headers() {
        let refusal = refusal("44\"20");
        assert_eq!(refusal.reason(), "SIP;cause=403;text=\"destination\"");
        assert_eq!(
            refusal.diagnosis(),
            "check=destination;cause=8001;configured=\"reject_all\";received=\"44\\\"20\";\
             why=\"with reject_all it's refused\""
        );
    }

    #[test]
    fn a_refusal_without_a_failed_check_states_what_is_known() {
        let diagnosis = Refusal::diagnosis_without_check;
        let admitted = diagnosis(Some(1505), Some("t-1"), "the callee did not answer within ring_timeout");
        let expected = "cause=1505;trunk=\"t-1\";why=\"the callee did not answer within ring_timeout\"";
        assert_eq!(admitted, expected);
        assert_eq!(diagnosis(None, None, "it runs in a \"loop\""), "why=\"it runs in a \\\"loop\\\"\"");
    }

    #[test]
    fn a_challenge_has_a_header_for_each_algorithm_and_says_stale_only_when_it_is() {
        let settings = Settings {
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            qop: vec![Qop::Auth, Qop::AuthInt],
            ..Settings::default()
        };
        let challenge = |stale| Challenge {
            code: 401,
            phrase: "Unauthorized",
            failure: DigestFailure::NonceExpired,
            stale,
            trunk: None,
            passed: Checks::default(),
        };
        assert_eq!(
            challenge(true).headers(&settings, "abc"),
            [
                "Digest realm=\"out.didww.com\", nonce=\"abc\", qop=\"auth,auth-int\", algorithm=SHA-256, stale=true",
                "Digest realm=\"out.didww.com\", nonce=\"abc\", qop=\"auth,auth-int\", algorithm=MD5, stale=true",
            ]
        );
        assert_eq!(
            challenge(false).headers(&Settings::default(), "abc"),
            ["Digest realm=\"out.didww.com\", nonce=\"abc\", qop=\"auth\", algorithm=MD5"]
        );
    }

    #[test]
    fn a_repeated_challenge_is_explained_without_naming_a_trunk() {
        let failure = DigestFailure::NonceForeign;
        let (phrase, passed) = ("Unauthorized", Checks::default());
        let challenge = Challenge { code: 401, phrase, failure, stale: false, trunk: None, passed };
        let expected = "check=digest;cause=57;why=\"the nonce is not one of this service\"";
        assert_eq!(challenge.diagnosis(), expected);
    }

    proptest! {
        #[test]
        fn nothing_received_can_end_the_header(received in any::<String>()) {
            let text = refusal(&received).diagnosis();
            prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
    }
}
