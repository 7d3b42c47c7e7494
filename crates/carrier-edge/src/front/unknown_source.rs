//! Decides on requests of unknown sources: pass, answer without a transaction, or drop.

use std::borrow::Cow;
use std::net::IpAddr;

use didww_types::Timestamp;
use sip_transport::body::ACCEPT;
use sip_transport::{
    Arrival, FilterAction, FramingError, Head, MessageFilter as _, Reply, Unreadable, body_of_datagram,
    tag_of, unfolded,
};
use trunk_rules::carrier::{
    Attempt, Challenge, Check, DigestFailure, Identified, Refusal, SentDigest, Snapshot, Verdict, identify,
    reason_phrase,
};

use super::{BoundNonces, Front, key_of, message};
use crate::attempt::TWILIO_HEADER;
use crate::attempt_log::{enter_challenge, of_refusal};
use crate::stack::{ALLOW, SUPPORTED};

/// Known methods that the edge does not serve outside of a dialog; they are answered with 405.
const NOT_ALLOWED: [&[u8]; 6] = [b"REGISTER", b"SUBSCRIBE", b"PUBLISH", b"MESSAGE", b"REFER", b"NOTIFY"];
/// Methods that need a dialog; outside of one they are answered with 481.
const IN_DIALOG: [&[u8]; 4] = [b"BYE", b"UPDATE", b"PRACK", b"INFO"];

fn is_reply(action: &FilterAction) -> bool {
    matches!(action, FilterAction::Reply(_))
}

/// The key under which a passed INVITE is remembered, so that its ACK and CANCEL pass too: source address and
/// `Call-ID`.
fn attempt_of<'a>(head: &Head<'a>, arrival: &Arrival) -> (IpAddr, Option<Cow<'a, [u8]>>) {
    (arrival.source.ip(), head.value(["Call-ID", "i"]))
}

impl Front {
    pub(super) fn decide_unknown(&self, bytes: &[u8], arrival: &Arrival, now: Timestamp) -> FilterAction {
        let request = Head::of(bytes).and_then(|head| head.request().map(|request| (head, request)));
        let Some((head, [method, uri, version])) = request else {
            return self.no_request(bytes, arrival);
        };
        if matches!(method, b"ACK" | b"CANCEL") {
            // The ACK of an answer comes from the caller itself if the proxies before it do not stay in the call. Its
            // sender has received the answer: no other one knows the local tag.
            let names_call =
                || method == b"ACK" && key_of(&head).is_some_and(|key| self.calls.contains(&key));
            if self.let_in.contains(attempt_of(&head, arrival), now) || names_call() {
                return FilterAction::Pass;
            }
            self.counts.unanswered();
            return FilterAction::Drop;
        }
        let is_tagged = |names| {
            let value = head.value(names)?;
            Some(std::str::from_utf8(&value).is_ok_and(|value| tag_of(value).is_some()))
        };
        let reply = match (is_tagged(["From", "f"]), is_tagged(["To", "t"])) {
            _ if !version.eq_ignore_ascii_case(b"SIP/2.0") => Reply::new(505, "Version Not Supported"),
            _ if head.value(["Max-Forwards", ""]).is_some_and(|hops| &*hops == b"0") => {
                Reply::new(483, "Too Many Hops")
            }
            (None, _) | (_, None) => return self.unreadable(bytes, arrival, Unreadable::Syntax),
            // Only a receiver of the edge's responses has the local tag; a sender with a forged address does not.
            // A `From` without a tag is valid (RFC 3261 §12.1.1).
            (Some(_), Some(true)) if key_of(&head).is_some_and(|key| self.calls.contains(&key)) => {
                return FilterAction::Pass;
            }
            (Some(_), Some(true)) => Reply::new(481, "Call/Transaction Does Not Exist"),
            (Some(_), Some(false)) => match method {
                b"INVITE" => return self.attempt(&head, bytes, uri, arrival, now),
                b"OPTIONS" => Reply::new(200, "OK")
                    .useful("Allow", ALLOW)
                    .useful("Accept", ACCEPT)
                    .useful("Supported", SUPPORTED),
                _ if IN_DIALOG.contains(&method) => Reply::new(481, "Call/Transaction Does Not Exist"),
                _ if NOT_ALLOWED.contains(&method) => {
                    Reply::new(405, "Method Not Allowed").useful("Allow", ALLOW)
                }
                _ => Reply::new(501, "Not Implemented").useful("Allow", ALLOW),
            },
        };
        self.answer(&head, bytes.len(), arrival, reply)
    }

    /// Decides on a message of an unknown source that is not a request: a response, which is dropped, or an unreadable
    /// message.
    fn no_request(&self, bytes: &[u8], arrival: &Arrival) -> FilterAction {
        match Head::of(bytes) {
            Some(head) if head.start().starts_with(b"SIP/2.0 ") => {
                self.counts.unanswered();
                FilterAction::Drop
            }
            Some(_) => self.unreadable(bytes, arrival, Unreadable::StartLine),
            None => self.unreadable(bytes, arrival, FramingError::Headless.into()),
        }
    }

    /// Decides on an INVITE outside of a dialog. It passes if it has a valid digest, or if its trunk requires none and
    /// the rates for unknown sources permit it.
    fn attempt(
        &self,
        head: &Head<'_>,
        bytes: &[u8],
        uri: &[u8],
        arrival: &Arrival,
        now: Timestamp,
    ) -> FilterAction {
        let (settings, source) = (&self.settings, arrival.source.ip());
        let values: Vec<Cow<'_, [u8]>> =
            head.values([settings.credentials_header(), ""]).map(unfolded).collect();
        let sent = SentDigest::of(values.iter().map(|value| &**value), settings);
        let call_id = head.value(["Call-ID", "i"]).unwrap_or_default();
        if !sent.is_absent() {
            self.unanswered_challenges.answered(source, &call_id);
        }
        let username = sent.username();
        let digest = self.digest_attempt(&sent, username.as_deref(), source, now);
        if digest.is_some_and(|digest| !self.may_verify(digest)) {
            return FilterAction::Drop;
        }
        let from = head.value(["From", "f"]).unwrap_or_default();
        let account = head.value([TWILIO_HEADER, ""]);
        let attempt = Attempt {
            credentials: &sent,
            twilio_account_sid: account.as_deref(),
            body: body_of_datagram(bytes).unwrap_or_default(),
            ..Attempt::new(source, uri, &from)
        };
        let nonces = BoundNonces { nonces: self.nonces_at(now), binding: self.binding(source) };
        let identified = {
            let trunks = self.trunks.read();
            let snapshot = Snapshot {
                trunks: &trunks.index,
                settings,
                nonces: &nonces,
                rates: None,
                funds: None,
                now,
                random: 0,
            };
            identify(&snapshot, &attempt)
        };
        match identified {
            Ok(Identified::Digest { .. }) => {
                if let Some(digest) = digest {
                    self.record_valid(digest);
                }
                FilterAction::Pass
            }
            // The trunk identifies its callers by address alone. The address may be forged, so the INVITE is
            // limited like an answer.
            Ok(Identified::Address | Identified::TwilioAccount) => {
                if self.may_answer(source) {
                    return self.let_in(head, arrival, now);
                }
                self.counts.unanswered();
                FilterAction::Drop
            }
            Err(Verdict::Refused(refusal)) if refusal.check >= Check::Trunk => {
                self.let_in(head, arrival, now)
            }
            Err(Verdict::Refused(refusal)) => {
                let reply = Reply::new(refusal.code, reason_phrase(refusal.code));
                let action = self.answer(head, bytes.len(), arrival, reply);
                self.refused(&call_id, arrival, &refusal, is_reply(&action), now);
                action
            }
            Err(Verdict::Challenged(challenge)) => {
                if challenge.failure.is_guess() && digest.is_some_and(|digest| !self.count_wrong(digest)) {
                    return FilterAction::Drop;
                }
                let nonce = self.nonce(source, now);
                let values = challenge.headers(settings, &nonce);
                let mut reply = Reply::new(challenge.code, challenge.phrase);
                reply.needed.extend(values.into_iter().map(|value| (settings.challenge_header(), value)));
                let action = self.answer(head, bytes.len(), arrival, reply);
                // A caller cannot answer a challenge that was not sent.
                if is_reply(&action) {
                    self.challenged(&call_id, arrival, &challenge, now);
                }
                action
            }
            Err(Verdict::Admitted(_)) => FilterAction::Drop,
        }
    }

    /// Lets an INVITE pass, and remembers it for its ACK and CANCEL.
    pub(super) fn let_in(&self, head: &Head<'_>, arrival: &Arrival, now: Timestamp) -> FilterAction {
        self.let_in.insert(attempt_of(head, arrival), now);
        FilterAction::Pass
    }

    /// Traces a challenge: its first one is ordinary and not logged.
    fn challenged(&self, call_id: &[u8], arrival: &Arrival, challenge: &Challenge, now: Timestamp) {
        let (source, message) = (arrival.source, message(call_id, arrival));
        if challenge.failure != DigestFailure::NoHeader
            && self.log_sums.challenged.admits((source.ip(), challenge.failure.to_string()), now)
        {
            let (call_id, check) = (&*message.call_id, Check::Digest);
            tracing::warn!(%source, call_id, %check, why = challenge.explanation(), "challenged again");
        }
        enter_challenge(&self.attempts, &self.unanswered_challenges, message, challenge, false, now);
    }

    /// Traces a refusal, with its code if it was sent.
    fn refused(&self, call_id: &[u8], arrival: &Arrival, refusal: &Refusal, was_sent: bool, now: Timestamp) {
        let message = message(call_id, arrival);
        let call_id = message.call_id.clone();
        let code = was_sent.then_some(refusal.code);
        let mut facts = of_refusal(message, refusal);
        facts.reason.code = code;
        self.attempts.enter(facts, now);
        if !self.log_sums.refused.admits(arrival.source.ip(), now) {
            return;
        }
        let (source, why) = (arrival.source, &refusal.explanation);
        let (call_id, check) = (&*call_id, refusal.check);
        let nearest = self.trunks.read().index.nearest_network(source.ip());
        let nearest = nearest.map_or_else(|| "none".to_owned(), |network| network.to_string());
        tracing::info!(%source, call_id, %check, nearest, why, code, "refused: unknown address");
    }
}
