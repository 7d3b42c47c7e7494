//! Challenges plain INVITEs of known sources over UDP before the SIP library sees anything of them: the first INVITE of
//! nearly every call to a trunk with credentials is challenged. No transaction begins, and nothing is spawned.
//!
//! The datagrams are those that a transaction would send: 100, the challenge, the challenge again for a copy of the
//! INVITE and until its ACK arrives, and an answer to a CANCEL. Whatever is not plain, or would not be challenged,
//! passes.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use didww_types::Timestamp;
use rsipstack::sip::Transport;
use sip_transport::{Arrival, Datagrams, FilterAction, Head, PlainRequest, response_address};
use trunk_rules::carrier::{Attempt, Challenge, DigestFailure, Snapshot, Verdict, identify};

use super::sent_challenges::{Sent, SentChallenge, send_again};
use super::{Front, message};
use crate::attempt::TWILIO_HEADER;
use crate::attempt_log::enter_challenge;
use crate::request_slots::IdentifyingSubnet;
use crate::stack::real_now;

impl Front {
    /// Answers a plain request of a known source for which there is a slot, or lets it pass.
    pub(super) fn answer_known(
        &self,
        bytes: &[u8],
        arrival: &Arrival,
        subnet: IdentifyingSubnet,
        now: Timestamp,
    ) -> FilterAction {
        let is_datagram = arrival.transport == Transport::Udp;
        let answer = if is_datagram { self.answer_plain(bytes, arrival, subnet, now) } else { None };
        answer.unwrap_or(FilterAction::Pass)
    }

    fn answer_plain(
        &self,
        bytes: &[u8],
        arrival: &Arrival,
        subnet: IdentifyingSubnet,
        now: Timestamp,
    ) -> Option<FilterAction> {
        let sent = &self.plain_challenges.sent;
        if bytes.starts_with(b"ACK ") {
            return sent.end_with(&Head::of(bytes)?).then_some(FilterAction::Drop);
        }
        if !bytes.starts_with(b"INVITE ") && !bytes.starts_with(b"CANCEL ") {
            return None;
        }
        let request = PlainRequest::of(bytes, &[TWILIO_HEADER])?;
        match (request.method, sent.find(&request, arrival.source.ip())) {
            ("INVITE", Sent::Nothing) => self.challenge_plain(&request, arrival, subnet, now),
            ("INVITE", Sent::Challenge { text, .. }) => Some(FilterAction::Reply(text.to_vec())),
            ("CANCEL", Sent::Challenge { to, .. }) => {
                Some(FilterAction::Reply(self.answer_to_cancel(&request, &to, arrival)))
            }
            ("CANCEL", Sent::FromElsewhere) => {
                // Only the hop that sent the INVITE can cancel it (RFC 3261 §9.1).
                tracing::debug!(source = %arrival.source, call_id = request.call_id, "a CANCEL from another address was ignored");
                Some(FilterAction::Drop)
            }
            _ => None,
        }
    }

    /// Challenges an INVITE; `None` if it would not be challenged, or has no slot.
    fn challenge_plain(
        &self,
        request: &PlainRequest<'_>,
        arrival: &Arrival,
        subnet: IdentifyingSubnet,
        now: Timestamp,
    ) -> Option<FilterAction> {
        let (source, settings) = (arrival.source.ip(), &self.settings);
        let challenge = self.first_challenge(request.uri.as_bytes(), source, now)?;
        // A copy of one that is pending, or became a call, is not challenged.
        let merged_requests = &self.plain_challenges.merged_requests;
        drop(merged_requests.register(request.identity(), self.clock.stopwatch())?);
        let slot = self.request_slots.take(source, subnet)?;
        self.plain_challenges.count.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(source = %arrival.source, call_id = request.call_id, "challenged");
        let traced = message(request.call_id.as_bytes(), arrival);
        enter_challenge(&self.attempts, &self.unanswered_challenges, traced, &challenge, true, now);

        let local_tag = self.ids.tag();
        let to: Arc<str> = format!("{};tag={local_tag}", request.to).into();
        let repeated = request.repeated(&to, arrival.source);
        let trying = ["SIP/2.0 100 Trying\r\n", repeated.as_str(), "Content-Length: 0\r\n\r\n"].concat();
        let nonce = self.nonce(source, now);
        let mut text = String::with_capacity(1_024);
        let (code, phrase, server_name) = (challenge.code, challenge.phrase, &self.server_name);
        let _infallible = write!(text, "SIP/2.0 {code} {phrase}\r\n{repeated}Server: {server_name}\r\n");
        for value in challenge.headers(settings, &nonce) {
            for part in [settings.challenge_header(), ": ", value.as_str(), "\r\n"] {
                text.push_str(part);
            }
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        // Without a slot it is not repeated, and the decision on a copy of its INVITE is made again.
        if let Some(slot) = slot.of_refusal() {
            let challenge = SentChallenge {
                via: request.via.into(),
                to,
                local_tag: local_tag.into(),
                text: Arc::from(text.as_bytes()),
                source,
                way: (arrival.local.ip(), response_address(request.via, arrival.source)),
                _slot: slot,
            };
            // Before it is sent, because the ACK may arrive at once.
            self.plain_challenges.sent.insert(request, challenge, real_now());
        }
        Some(FilterAction::Replies(vec![trying.into_bytes(), text.into_bytes()]))
    }

    /// The challenge of a call without a digest; `None` if it would not be challenged.
    fn first_challenge(&self, uri: &[u8], source: IpAddr, now: Timestamp) -> Option<Box<Challenge>> {
        let nonces = self.nonces_at(now);
        let trunks = self.trunks.read();
        let snapshot = Snapshot {
            trunks: &trunks.index,
            settings: &self.settings,
            nonces: &nonces,
            rates: None,
            funds: None,
            now,
            random: 0,
        };
        match identify(&snapshot, &Attempt::new(source, uri, b"")) {
            Err(Verdict::Challenged(challenge)) if challenge.failure == DigestFailure::NoHeader => {
                Some(challenge)
            }
            _ => None,
        }
    }

    /// The answer to the CANCEL of an INVITE that was challenged, on which it has no effect (RFC 3261 §9.2).
    fn answer_to_cancel(&self, cancel: &PlainRequest<'_>, to: &str, arrival: &Arrival) -> Vec<u8> {
        let (repeated, server_name) = (cancel.repeated(to, arrival.source), &self.server_name);
        format!("SIP/2.0 200 OK\r\n{repeated}Content-Length: 0\r\nUser-Agent: {server_name}\r\n\r\n")
            .into_bytes()
    }

    /// Sends the challenges of plain INVITEs again until they are acknowledged. Ends with the socket.
    pub(crate) fn repeat_challenges(
        &self,
        datagrams: Weak<Datagrams>,
    ) -> impl Future<Output = ()> + Send + use<> {
        send_again(Arc::clone(&self.plain_challenges.sent), datagrams)
    }

    /// The number of challenges of plain INVITEs since the start.
    pub(crate) fn plain_challenges(&self) -> u64 {
        self.plain_challenges.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use sip_transport::MessageFilter as _;

    use super::super::tests::{arrival, front};
    use super::*;

    const SOURCE: &str = "203.0.113.5";

    fn request(method: &str, to: &str) -> String {
        format!(
            "{method} sip:442079460018@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKa\r\n\
             From: <sip:a@host>;tag=a\r\nTo: <sip:442079460018@192.0.2.1>{to}\r\nCall-ID: a@host\r\n\
             CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// The responses to a message, or that it passed.
    fn replies(front: &Front, message: &str, arrival: &Arrival) -> Vec<String> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        match front.check(message.as_bytes(), arrival) {
            FilterAction::Replies(replies) => replies.into_iter().map(text).collect(),
            FilterAction::Reply(reply) => vec![text(reply)],
            FilterAction::Pass => vec!["passed".to_owned()],
            FilterAction::Drop => Vec::new(),
        }
    }

    #[test]
    fn a_plain_invite_is_answered_100_and_challenged_and_its_copy_is_challenged_again() {
        let (front, arrival) = (front(), arrival(SOURCE));
        let invite = request("INVITE", "");
        let answers = replies(&front, &invite, &arrival);
        let [trying, challenge] = &answers[..] else { panic!("{answers:?}") };
        let tag = challenge.split_once("@192.0.2.1>;tag=").unwrap().1.split_once("\r\n").unwrap().0;
        assert_eq!(tag.len(), 16, "{challenge}");
        let repeated = format!(
            "Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKa\r\nFrom: <sip:a@host>;tag=a\r\n\
             To: <sip:442079460018@192.0.2.1>;tag={tag}\r\nCall-ID: a@host\r\nCSeq: 1 INVITE\r\n"
        );
        assert_eq!(*trying, format!("SIP/2.0 100 Trying\r\n{repeated}Content-Length: 0\r\n\r\n"));
        let begin = format!(
            "SIP/2.0 401 Unauthorized\r\n{repeated}Server: trunk-server\r\nWWW-Authenticate: Digest realm=\"out.didww.com\", "
        );
        assert!(challenge.starts_with(&begin), "{challenge}");
        assert!(challenge.ends_with("\r\nContent-Length: 0\r\n\r\n"), "{challenge}");
        assert_eq!(front.plain_challenges(), 1);

        assert_eq!(replies(&front, &invite, &arrival), [challenge.as_str()], "its copy");
        let other = invite.replace("z9hG4bKa", "z9hG4bKb");
        assert_eq!(replies(&front, &other, &arrival), ["passed"], "another transaction");
        let ack = request("ACK", &format!(";tag={tag}"));
        assert_eq!(replies(&front, &ack.replace(tag, "other"), &arrival), ["passed"]);
        assert!(replies(&front, &ack, &arrival).is_empty(), "the ACK has arrived");
        assert_eq!(replies(&front, &ack, &arrival), ["passed"], "it ends one challenge");
        let again = replies(&front, &invite, &arrival);
        assert!(again.len() == 2 && !again[1].contains(tag), "nothing is kept after the ACK");
    }

    #[test]
    fn a_cancel_of_a_challenged_invite_is_answered_with_its_tag_to_its_sender_alone() {
        let (front, arrival) = (front(), arrival(SOURCE));
        let cancel = request("CANCEL", "");
        assert_eq!(replies(&front, &cancel, &arrival), ["passed"]);
        let challenge = replies(&front, &request("INVITE", ""), &arrival).pop().unwrap();
        let to = challenge.lines().find(|line| line.starts_with("To: ")).unwrap();
        assert_eq!(
            replies(&front, &cancel, &arrival),
            [format!(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKa\r\nFrom: <sip:a@host>;tag=a\r\n\
                 {to}\r\nCall-ID: a@host\r\nCSeq: 1 CANCEL\r\nContent-Length: 0\r\nUser-Agent: trunk-server\r\n\r\n"
            )]
        );
        let elsewhere = super::super::tests::arrival("203.0.113.6");
        assert!(
            replies(&front, &cancel, &elsewhere).is_empty(),
            "only the sender of the INVITE can cancel it"
        );
    }

    #[test]
    fn an_invite_passes_if_it_is_not_challenged_or_has_no_slot_or_came_over_a_stream() {
        let front = front();
        let invite = request("INVITE", "");
        let proven: IpAddr = "198.50.0.1".parse().unwrap();
        front.proofs.insert(proven, front.clock.now());
        let by_address = invite.replace("203.0.113.5:5060", "198.50.0.1:5060");
        assert_eq!(replies(&front, &by_address, &arrival("198.50.0.1")), ["passed"], "its address is enough");
        let over = |transport| Arrival { transport, ..arrival(SOURCE) };
        for transport in [Transport::Tcp, Transport::Tls] {
            assert_eq!(replies(&front, &invite, &over(transport)), ["passed"]);
        }
        let digest =
            invite.replace("Max-Forwards", "Authorization: Digest username=\"user\"\r\nMax-Forwards");
        assert_eq!(replies(&front, &digest, &arrival(SOURCE)), ["passed"]);
        let merged_requests = Arc::clone(&front.plain_challenges.merged_requests);
        let pending = merged_requests.register(("a@host", "a", 1), front.clock.stopwatch());
        assert_eq!(replies(&front, &invite, &arrival(SOURCE)), ["passed"], "a copy of it is pending");
        drop(pending);
        assert_eq!(replies(&front, &invite, &arrival(SOURCE)).len(), 2);
        assert_eq!(front.plain_challenges(), 1);
    }
}
