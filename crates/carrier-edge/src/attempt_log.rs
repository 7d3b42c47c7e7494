//! Traces attempts: one line of the log and one entry of a ring for each, with the same sentence.
//!
//! No line can be forged by a peer: what a peer sent is written as a quoted value, in which the log's formatter escapes
//! quotes and control characters.

use std::net::SocketAddr;
use std::sync::Arc;

use didww_types::{Id, Timestamp};
use sip_transport::masked_line;
use trunk_rules::carrier::{Cause, Challenge, Check, DigestFailure, Refusal};

use super::attempt::Parts;
use super::attempts::{
    AttemptOutcome, Attempts, CHALLENGE_ANSWER_TIME, Explanation, Facts, MAX_CALL_ID_BYTES, Message, Reason,
    UnansweredChallenge, UnansweredChallenges,
};
use super::call_state::CallState;
use super::inner::Inner;
use super::log_sums::LogSums;
use super::record::{CallRecord, LostRecord};
use super::stack::Incoming;
use super::stored_text::stored_text;

impl LogSums {
    /// Logs that no further refusals of a trunk are recorded in this minute, after `limit` of them.
    pub(crate) fn not_recorded(&self, trunk: &str, limit: u32, now: Timestamp) {
        if self.unrecorded.admits(trunk, now) {
            tracing::warn!(trunk, most = limit, "no more refusals of the trunk are recorded in this minute");
        }
    }
}

/// The `Call-ID`, source and transport of a received request, for its trace.
pub(crate) fn message(request: &Incoming) -> Message<'_> {
    Message { call_id: request.call_id().into(), source: request.source(), transport: request.transport() }
}

/// Traces an admitted call: a line of the log, within its limits, and an entry of the ring.
pub(crate) fn admitted(inner: &Inner, call_state: &CallState, explanation: String) {
    let CallState { key, origin, trunk, .. } = call_state;
    let now = inner.core.clock.now();
    if inner.log_sums.admitted.admits(trunk.id.as_str(), now) {
        let (source, call_id, trunk): (_, &str, &str) = (origin.source, &key.call_id, &trunk.name);
        let to = call_state.destination.to_string();
        tracing::info!(%source, call_id, trunk, to, why = explanation, "admitted");
    }
    inner.attempts.enter(
        Facts {
            message: of_call(call_state),
            outcome: AttemptOutcome::Admitted,
            trunk: Some(trunk),
            is_proven: true,
            reason: Reason { code: Some(200), ..Reason::default() },
            explanation: explanation.into(),
            no_audio: None,
        },
        now,
    );
}

/// Traces the end of an admitted call.
pub(crate) fn ended(inner: &Inner, call_state: &CallState, record: &CallRecord) {
    let CallState { key, origin, trunk, .. } = call_state;
    let now = inner.core.clock.now();
    let (code, cause, why) = (record.disconnect_code, record.disconnect_cause, &record.explanation);
    if inner.log_sums.ended.admits(trunk.id.as_str(), now) {
        let (source, call_id, trunk): (_, &str, &str) = (origin.source, &key.call_id, &trunk.name);
        let (seconds, no_audio) = (record.duration, record.no_audio.as_deref());
        tracing::info!(%source, call_id, trunk, code, cause, seconds, why, no_audio, "ended");
    }
    inner.attempts.enter(
        Facts {
            message: of_call(call_state),
            outcome: AttemptOutcome::Ended,
            trunk: Some(trunk),
            is_proven: true,
            reason: Reason { cause: Some(cause), code: Some(code), check: None },
            explanation: why.as_str().into(),
            no_audio: record.no_audio.clone(),
        },
        now,
    );
}

/// Traces the end of a call that was active when an earlier server died. Its trunk may have been deleted since.
pub(crate) fn lost(inner: &Inner, record: &LostRecord) {
    let Some(source) = record.source() else { return };
    let text = |name| record.text(name).unwrap_or_default();
    let (call_id, trunk, why) = (text("call_id"), text("trunk_name"), text("explanation"));
    let (code, cause, now) = (Cause::ServerLost.code(), Cause::ServerLost.id(), inner.core.clock.now());
    if inner.log_sums.ended.admits(text("trunk_id"), now) {
        tracing::info!(%source, call_id, trunk, code, cause, why, "ended");
    }
    let transport = match text("source_protocol") {
        "tcp" => "tcp",
        "tls" => "tls",
        _ => "udp",
    };
    let terms = inner.trunks.read().index.get(&Id::new(text("trunk_id"))).cloned();
    inner.attempts.enter(
        Facts {
            message: Message { call_id: call_id.into(), source, transport },
            outcome: AttemptOutcome::Ended,
            trunk: terms.as_ref(),
            is_proven: true,
            reason: Reason { cause: Some(cause), code: Some(code), check: None },
            explanation: why.into(),
            no_audio: None,
        },
        now,
    );
}

fn of_call(call_state: &CallState) -> Message<'_> {
    let CallState { key, origin, .. } = call_state;
    Message { call_id: (&*key.call_id).into(), source: origin.source, transport: origin.protocol }
}

/// Traces a challenge. The first one of a call is ordinary: it has an entry, and a line at debug level. Another one
/// is logged as a warning with the flaw of the digest.
pub(crate) fn challenged(inner: &Inner, request: &Incoming, challenge: &Challenge) {
    let (message, now) = (message(request), inner.core.clock.now());
    let (source, call_id) = (message.source, &*message.call_id);
    if challenge.failure == DigestFailure::NoHeader {
        tracing::debug!(%source, call_id, "challenged");
    } else if inner.log_sums.challenged.admits((source.ip(), challenge.failure.to_string()), now) {
        let trunk: &str = challenge.trunk.as_ref().map_or("", |trunk| &trunk.name);
        tracing::warn!(%source, call_id, trunk, check = %Check::Digest, why = challenge.explanation(), "challenged again");
    }
    enter_challenge(&inner.attempts, &inner.unanswered_challenges, message, challenge, true, now);
}

/// Enters a challenge into a ring, and waits for its answer if it is the first one of its call.
pub(crate) fn enter_challenge(
    attempts: &Attempts,
    unanswered: &UnansweredChallenges,
    message: Message<'_>,
    challenge: &Challenge,
    is_known: bool,
    now: Timestamp,
) {
    let (source, transport, code) = (message.source, message.transport, challenge.code);
    let call_id = message.call_id.clone();
    let facts = Facts {
        message,
        outcome: AttemptOutcome::Challenged,
        trunk: challenge.trunk.as_ref(),
        // Only a digest proves the trunk, but an allowed address makes a guess of its username unlikely.
        is_proven: is_known && challenge.trunk.as_ref().is_some_and(|trunk| trunk.allows(source.ip())),
        reason: Reason {
            check: Some(Check::Digest.name()),
            cause: Some(Challenge::CAUSE.id()),
            code: Some(code),
        },
        explanation: Explanation::OfChallenge(challenge),
        no_audio: None,
    };
    let was_entered = attempts.enter(facts, now);
    // A truncated `Call-ID` would not match that of the request that answers the challenge.
    let is_whole = call_id.len() < MAX_CALL_ID_BYTES;
    if was_entered && is_whole && (challenge.failure == DigestFailure::NoHeader || challenge.stale) {
        let call_id = call_id.into_owned().into();
        unanswered.sent(UnansweredChallenge { call_id, source, transport, code }, is_known, now);
    }
}

/// Traces the challenges whose time to be answered has passed.
pub(crate) fn unanswered_challenges(inner: &Inner) {
    let now = inner.core.clock.now();
    for challenge in inner.unanswered_challenges.take_due(now) {
        let UnansweredChallenge { call_id, source, transport, code } = challenge;
        let realm = &inner.config.settings.realm;
        let explanation = trunk_rules::carrier::sentence(&format!(
            "the challenge was not answered within {} seconds: the client has no credentials for the realm {realm}, \
             does not repeat its INVITE, or did not receive the {code}",
            CHALLENGE_ANSWER_TIME.as_secs(),
        ));
        if inner.log_sums.unanswered.admits(source.ip(), now) {
            let (call_id, check) = (&*call_id, Check::Digest);
            tracing::info!(%source, call_id, %check, code, why = explanation, "challenge not answered");
        }
        let reason = Reason {
            check: Some(Check::Digest.name()),
            cause: Some(Challenge::CAUSE.id()),
            code: Some(code),
        };
        let message = Message { call_id: (&*call_id).into(), source, transport };
        let (outcome, explanation) = (AttemptOutcome::ChallengeUnanswered, explanation.into());
        inner.attempts.enter(
            Facts { message, outcome, trunk: None, is_proven: false, reason, explanation, no_audio: None },
            now,
        );
    }
}

/// Traces a refusal, with what the operator needs to correct it.
pub(crate) fn refused(inner: &Inner, request: &Incoming, parts: &Parts<'_>, refusal: &Refusal) {
    let now = inner.core.clock.now();
    if inner.log_sums.refused.admits((request.source().ip(), refusal.check), now) {
        write_refusal(inner, request, parts, refusal);
    }
    inner.attempts.enter(of_refusal(message(request), refusal), now);
}

/// The entry of a refusal by a check.
pub(crate) fn of_refusal<'a>(message: Message<'a>, refusal: &'a Refusal) -> Facts<'a> {
    Facts {
        message,
        outcome: AttemptOutcome::Refused,
        trunk: refusal.trunk.as_ref(),
        is_proven: refusal.trunk.is_some(),
        reason: Reason {
            check: Some(refusal.check.name()),
            cause: Some(refusal.cause.id()),
            code: Some(refusal.code),
        },
        explanation: refusal.explanation.as_str().into(),
        no_audio: None,
    }
}

fn write_refusal(inner: &Inner, request: &Incoming, parts: &Parts<'_>, refusal: &Refusal) {
    let (source, call_id, check) = (request.source(), request.call_id(), refusal.check);
    let trunk: &str = refusal.trunk.as_ref().map_or("", |trunk| &trunk.name);
    let Refusal { configured, received, explanation: why, code, .. } = refusal;
    match check {
        Check::Source => {
            let nearest = nearest_network(inner, source);
            tracing::info!(%source, call_id, %check, nearest, why, code, "refused: unknown address");
        }
        Check::Cli => {
            // Its URI can contain a password.
            let from = String::from_utf8_lossy(&masked_line(parts.from().as_bytes())).into_owned();
            let from: &str = &stored_text(&from);
            tracing::info!(%source, call_id, trunk, %check, configured, received, from, why, code, "refused");
        }
        Check::Capacity => {
            let id = refusal.trunk.as_ref().map(|trunk| trunk.id.to_string()).unwrap_or_default();
            let callers = inner.calls.callers_on(&id, 10);
            tracing::info!(%source, call_id, trunk, %check, configured, received, why, ?callers, code, "refused: full");
        }
        _ => tracing::info!(%source, call_id, trunk, %check, configured, received, why, code, "refused"),
    }
}

fn nearest_network(inner: &Inner, source: SocketAddr) -> String {
    let nearest = inner.trunks.read().index.nearest_network(source.ip());
    nearest.map_or_else(|| "none".to_owned(), |network| network.to_string())
}

/// Traces an INVITE that was refused before or after the checks, for a reason that concerns no trunk.
pub(crate) fn refused_unchecked(inner: &Inner, request: &Incoming, code: u16, why: &str) {
    let (message, now) = (message(request), inner.core.clock.now());
    if inner.log_sums.refused.admits((message.source.ip(), code), now) {
        let (source, call_id) = (message.source, &*message.call_id);
        tracing::info!(%source, call_id, code, why, "refused");
    }
    let reason = Reason { code: Some(code), ..Reason::default() };
    let (outcome, explanation) = (AttemptOutcome::Refused, why.into());
    inner.attempts.enter(
        Facts { message, outcome, trunk: None, is_proven: false, reason, explanation, no_audio: None },
        now,
    );
}

/// Logs a request inside a call that is refused or challenged, or that names no call. The call continues.
pub(crate) fn refused_in_call(inner: &Inner, request: &Incoming, code: u16, why: &str) {
    let source = request.source();
    if inner.log_sums.refused_in_call.admits((source.ip(), code), inner.core.clock.now()) {
        let (call_id, method) = (request.call_id(), request.method());
        let why = trunk_rules::carrier::sentence(why);
        tracing::info!(%source, call_id, method, code, why, "refused in a call");
    }
}

/// Reports the challenges that are not answered, until the edge stops.
pub(crate) async fn watch_challenges(inner: Arc<Inner>) {
    let clock = &inner.core.clock;
    loop {
        clock.sleep_until(clock.now().after(CHALLENGE_CHECK_INTERVAL)).await;
        unanswered_challenges(&inner);
    }
}

/// How often challenges are examined for an answer.
const CHALLENGE_CHECK_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);
