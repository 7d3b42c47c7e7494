//! Evaluates a hypothetical call against the rules, without placing it.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service_core::Core;
use trunk_rules::carrier::{
    Admitted, AgreedMedia, Attempt, Authentication, Check, MediaHost, SentDigest, Snapshot, Verdict, admit,
    no_audio_with, reason_phrase,
};

use super::billing::FundsAt;
use super::inner::Inner;
use super::inspection::malformed_request_uri;
use super::rates::RatesOf;

/// A hypothetical call, which is evaluated without being placed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Question {
    /// The source address of the INVITE.
    pub source: IpAddr,
    /// The dialled number, including a tech prefix, or a whole `sip:`, `sips:` or `tel:` URI.
    pub to: String,
    /// The caller number, or a whole URI, in `From`.
    #[serde(default)]
    pub from: String,
    /// The username of a digest with the right password. Without it, the call has no digest.
    #[serde(default)]
    pub username: Option<String>,
    /// The account SID in the Twilio header.
    #[serde(default)]
    pub twilio_account_sid: Option<String>,
    /// The number in `P-Asserted-Identity`; `None` sends no such header.
    #[serde(default)]
    pub asserted_identity: Option<String>,
    /// The session description. By default an offer of unencrypted G.711; an empty text is no offer.
    #[serde(default)]
    pub sdp: Option<String>,
}

/// The outcome of a hypothetical call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Explanation {
    /// The decision: `admitted`, `challenged` or `refused`.
    pub verdict: &'static str,
    /// The code of the final response; 200 if the call is admitted.
    pub code: u16,
    /// The reason phrase of the response.
    pub phrase: String,
    /// The names of the checks that the call passed, in order.
    pub passed: Vec<&'static str>,
    /// The name of the check that the call failed; null if it is admitted.
    pub check: Option<&'static str>,
    /// The number of the disconnect cause; null if the call is admitted.
    pub cause: Option<u16>,
    /// What the trunk's configuration requires in the failed check.
    pub configured: Option<String>,
    /// What the call contains instead.
    pub received: Option<String>,
    /// The reason for the outcome, and what would be accepted.
    pub explanation: String,
    /// The id of the trunk, once a check identified one.
    pub trunk_id: Option<String>,
    /// The name of the trunk.
    pub trunk_name: Option<String>,
    /// The destination number of an admitted call.
    pub destination: Option<String>,
    /// The caller number that the called party of an admitted call is shown.
    pub cli: Option<String>,
    /// What the simulated callee of an admitted call will do.
    pub far_end: Option<String>,
    /// If no trunk allows the source address: the allowed subnet that shares the most leading bits with it.
    pub nearest_allowed: Option<String>,
    /// Why the call cannot have audio with the session description of the question: a sentence that begins with
    /// `no audio, because`. Null if it can, if the question has none, or if the call is not admitted.
    pub no_audio: Option<String>,
}

const PLAIN_OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                           m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn as_uri(text: &str) -> String {
    let whole = ["sip:", "sips:", "tel:"].iter().any(|scheme| text.to_ascii_lowercase().starts_with(scheme));
    if whole { text.to_owned() } else { format!("sip:{text}@out.didww.com") }
}

pub(crate) fn explain(inner: &Inner, question: &Question) -> Explanation {
    let core: &Core = &inner.core;
    let settings = &inner.config.settings;
    let now = core.clock.now();
    let trunks = inner.trunks.read();
    let (to, from) = (as_uri(&question.to), format!("<{}>", as_uri(&question.from)));
    if let Some((code, why)) = malformed_request_uri(&to) {
        return Explanation::of_malformed(code, why);
    }
    let nonce = inner.front.nonce(question.source, now);
    let authorization = question.username.as_deref().map(|username| {
        let known = trunks.index.with_username(username).and_then(|terms| match &terms.authentication {
            Authentication::Credentials { password, .. } => {
                Some(password.authorization(username, &settings.realm, &nonce, "INVITE", &to))
            }
            _ => None,
        });
        known.unwrap_or_else(|| {
            let response = "0".repeat(32);
            format!(
                "Digest username=\"{}\", realm=\"{}\", nonce=\"{nonce}\", uri=\"{to}\", response=\"{response}\"",
                username.replace(['"', '\\'], ""),
                settings.realm
            )
        })
    });
    let digest = SentDigest::of(authorization.iter().map(String::as_bytes), settings);
    let asserted = question.asserted_identity.as_deref().map(|number| format!("<{}>", as_uri(number)));
    let sdp = question.sdp.as_deref().unwrap_or(PLAIN_OFFER);
    let attempt = Attempt {
        credentials: &digest,
        twilio_account_sid: question.twilio_account_sid.as_deref().map(str::as_bytes),
        asserted_identity: asserted.as_deref().map(str::as_bytes),
        body: sdp.as_bytes(),
        sdp: (!sdp.is_empty()).then_some(sdp.as_bytes()),
        ..Attempt::new(question.source, to.as_bytes(), from.as_bytes())
    };
    let nonces = inner.front.nonces_at(now);
    let snapshot = Snapshot {
        trunks: &trunks.index,
        settings,
        nonces: &nonces,
        rates: Some(&RatesOf { own: &core.price_plans, standard: &inner.config.rates }),
        funds: Some(&FundsAt { inner, now }),
        now,
        random: core.ids.word(),
    };
    let verdict = admit(&snapshot, &attempt);
    let mut explanation = Explanation::of(&verdict);
    if let Verdict::Admitted(admitted) = &verdict {
        let plan = inner.config.far_end.outcome(admitted.destination);
        explanation.explanation = plan.admitted_sentence();
        explanation.far_end = Some(plan.sentence());
        if question.sdp.is_some() {
            explanation.no_audio = no_audio(admitted, question.source);
        }
    }
    if explanation.check == Some("source") {
        let nearest = trunks.index.nearest_network(question.source);
        explanation.nearest_allowed = nearest.map(|network| network.to_string());
    }
    explanation
}

/// Why an admitted call cannot have audio with its session description. A name in it is not looked up.
fn no_audio(admitted: &Admitted, source: IpAddr) -> Option<String> {
    let media = admitted.media.as_ref()?;
    let MediaHost::Address(address) = media.host else { return None };
    let address = (!address.is_unspecified()).then(|| SocketAddr::new(address, media.port));
    no_audio_with(&admitted.trunk.rtp, source, &AgreedMedia::of(media, address))
}

impl Explanation {
    fn blank() -> Self {
        Self {
            verdict: "admitted",
            code: 200,
            phrase: "OK".to_owned(),
            passed: Vec::new(),
            check: None,
            cause: None,
            configured: None,
            received: None,
            explanation: String::new(),
            trunk_id: None,
            trunk_name: None,
            destination: None,
            cli: None,
            far_end: None,
            nearest_allowed: None,
            no_audio: None,
        }
    }

    /// Of a call whose Request-URI is malformed, which is refused before a trunk is looked for.
    fn of_malformed(code: u16, why: &str) -> Self {
        Self {
            verdict: "refused",
            code,
            phrase: reason_phrase(code).to_owned(),
            check: Some(Check::Request.name()),
            explanation: why.to_owned(),
            ..Self::blank()
        }
    }

    fn of(verdict: &Verdict) -> Self {
        let blank = Self::blank();
        match verdict {
            Verdict::Admitted(admitted) => Self {
                passed: admitted.passed.iter().map(trunk_rules::carrier::Check::name).collect(),
                trunk_id: Some(admitted.trunk.id.to_string()),
                trunk_name: Some(admitted.trunk.name.to_string()),
                destination: Some(admitted.destination.to_string()),
                cli: Some(admitted.cli.presented.clone()),
                ..blank
            },
            Verdict::Challenged(challenge) => Self {
                verdict: "challenged",
                code: challenge.code,
                phrase: challenge.phrase.to_owned(),
                passed: challenge.passed.iter().map(trunk_rules::carrier::Check::name).collect(),
                check: Some("digest"),
                cause: Some(trunk_rules::carrier::Challenge::CAUSE.id()),
                explanation: challenge.explanation(),
                trunk_id: challenge.trunk.as_ref().map(|trunk| trunk.id.to_string()),
                trunk_name: challenge.trunk.as_ref().map(|trunk| trunk.name.to_string()),
                ..blank
            },
            Verdict::Refused(refusal) => Self {
                verdict: "refused",
                code: refusal.code,
                phrase: refusal.phrase.to_owned(),
                passed: refusal.passed.iter().map(trunk_rules::carrier::Check::name).collect(),
                check: Some(refusal.check.name()),
                cause: Some(refusal.cause.id()),
                configured: Some(refusal.configured.clone()),
                received: Some(refusal.received.clone()),
                explanation: refusal.explanation.clone(),
                trunk_id: refusal.trunk.as_ref().map(|trunk| trunk.id.to_string()),
                trunk_name: refusal.trunk.as_ref().map(|trunk| trunk.name.to_string()),
                ..blank
            },
        }
    }
}
