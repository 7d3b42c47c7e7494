//! What was decided about a call, with all that its answer, its record and its explanation need.
//!
//! A verdict never holds a password, a digest or a header as it was received.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{
    Cause, Check, Checks, Cli, DigestFailure, Digits, EmergencyCall, Media, Rate, Settings, TrunkTerms,
};

/// What was decided about a call.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Admitted(Box<Admitted>),
    /// It needs a digest, or another one.
    Challenged(Box<Challenge>),
    /// It is refused.
    Refused(Box<Refusal>),
}

/// How the trunk of a call was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified {
    /// By a digest.
    Digest {
        /// The nonce that it was made with.
        nonce: Box<[u8]>,
        /// The nonce count; zero when there was none.
        count: u32,
    },
    /// By the source address alone.
    Address,
    /// By a Twilio account.
    TwilioAccount,
}

/// A call that goes on.
#[derive(Debug)]
pub struct Admitted {
    /// The trunk, as it was when the call was admitted.
    pub trunk: Arc<TrunkTerms>,
    /// How it was found.
    pub identified: Identified,
    /// What was dialled, tech prefix and all: what records show.
    pub dialled: String,
    /// The number that the call goes to.
    pub destination: Digits,
    /// The caller numbers that it goes on with.
    pub cli: Cli,
    /// What kind of emergency call it is. An edge never forwards one to a real network.
    pub emergency: Option<EmergencyCall>,
    /// What was chosen from the offer; none when the answer has to offer.
    pub media: Option<Media>,
    /// What the call costs; none when there is no rate card, or for an emergency call.
    pub rate: Option<Rate>,
    /// The checks that it passed. Those that an emergency call skips are not among them.
    pub passed: Checks,
}

/// A call that needs a digest. It leaves no record, for nobody is known to have made it.
#[derive(Debug)]
pub struct Challenge {
    /// The response code.
    pub code: u16,
    /// The reason phrase.
    pub phrase: &'static str,
    /// What was wrong; `NoHeader` for a first INVITE.
    pub failure: DigestFailure,
    /// Whether the client is told that only its nonce was too old.
    pub stale: bool,
    /// The trunk that the username named, if it named one.
    pub trunk: Option<Arc<TrunkTerms>>,
    /// The checks that it passed.
    pub passed: Checks,
}

impl Challenge {
    /// The disconnect cause.
    pub const CAUSE: Cause = Cause::Unauthorized;

    /// The header values to send, one for each algorithm, under [`Settings::challenge_header`].
    pub fn headers(&self, settings: &Settings, nonce: &str) -> Vec<String> {
        let qop: Vec<&str> = settings.qop.iter().map(|qop| qop.name()).collect();
        let stale = if self.stale { ", stale=true" } else { "" };
        settings
            .algorithms
            .iter()
            .map(|algorithm| {
                format!(
                    "Digest realm=\"{}\", nonce=\"{nonce}\", qop=\"{}\", algorithm={}{stale}",
                    settings.realm,
                    qop.join(","),
                    algorithm.name()
                )
            })
            .collect()
    }
}

/// A call that is refused.
#[derive(Debug)]
pub struct Refusal {
    /// The check that it failed.
    pub check: Check,
    /// The disconnect cause.
    pub cause: Cause,
    /// The response code.
    pub code: u16,
    /// The reason phrase.
    pub phrase: &'static str,
    /// The trunk, once one was found.
    pub trunk: Option<Arc<TrunkTerms>>,
    /// What is configured, in the words of the API.
    pub configured: String,
    /// What came instead. It may hold any character that the network can send.
    pub received: String,
    /// Why it was refused and what would be right.
    pub explanation: String,
    /// What was dialled, tech prefix and all.
    pub dialled: String,
    /// The checks that it passed before.
    pub passed: Checks,
}

impl Refusal {
    /// The header that [`diagnosis`](Self::diagnosis) is sent in.
    pub const DIAGNOSIS_HEADER: &'static str = "X-Refusal";

    /// Whether the attempt leaves a call record: only when its owner is known by then.
    pub fn is_recorded(&self) -> bool {
        self.check >= Check::Request
    }

    /// The value of a `Reason` header: `SIP;cause=403;text="destination"`.
    pub fn reason(&self) -> String {
        format!("SIP;cause={};text=\"{}\"", self.code, self.check)
    }

    /// The value of a header that names the check, the trunk, and the configured and the received value.
    /// Whatever was received is written so that it cannot end the header.
    pub fn diagnosis(&self) -> String {
        let mut text = format!("check={};cause={}", self.check, self.cause.id());
        if let Some(trunk) = &self.trunk {
            push_quoted(&mut text, "trunk", trunk.id.as_str());
        }
        push_quoted(&mut text, "configured", &self.configured);
        push_quoted(&mut text, "received", &self.received);
        text
    }
}

const MOST_QUOTED: usize = 120;

fn push_quoted(text: &mut String, name: &str, value: &str) {
    let _ = write!(text, ";{name}=\"");
    for character in value.chars().take(MOST_QUOTED) {
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
    use crate::carrier::{Algorithm, Qop};
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
            explanation: String::new(),
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
            "check=destination;cause=8001;configured=\"reject_all\";received=\"44\\\"20\""
        );
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

    proptest! {
        #[test]
        fn nothing_received_can_end_the_header(received in any::<String>()) {
            let text = refusal(&received).diagnosis();
            prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
    }
}
