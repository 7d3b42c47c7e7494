//! Tests of the records of what a call tried.

use super::carrier::{Carrier, description};
use super::{
    DiallerConfig, Egress, Invitation, LegEnd, SipCredentials, config, dialler, ended, established, hang_up,
    invitation, next, placed, start, with_short_timers,
};
use crate::{Leg, LegEvent, Try};

/// The only record of a call.
fn only(leg: &Leg) -> Try {
    let tries = leg.tries();
    assert_eq!(tries.len(), 1, "{tries:?}");
    tries.into_iter().next().unwrap()
}

fn outcome(leg: &Leg) -> String {
    only(leg).outcome.unwrap_or_default()
}

#[tokio::test]
async fn a_refusal_is_recorded_with_its_code_its_phrase_its_reason_and_its_times() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let begun = only(&leg);
    assert_eq!((begun.target, begun.transport, begun.code), (Some(carrier.address), "udp", None));
    assert_eq!(begun.call_id, invite.header("Call-ID"));
    assert_eq!(begun.outcome, None, "it is in progress");
    carrier.answer(&invite, "180 Ringing", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    let further = "Reason: Q.850;cause=34;text=\"no circuit\"\r\n";
    carrier.answer(&invite, "503 Trunk Full", further, "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(503));
    let refused = only(&leg);
    assert_eq!((refused.code, refused.phrase.as_str()), (Some(503), "Trunk Full"));
    assert_eq!(refused.reason.as_deref(), Some("Q.850;cause=34;text=\"no circuit\""));
    assert_eq!(refused.outcome.as_deref(), Some("the carrier refused the call with 503"));
    let times = [refused.sent_at, refused.first_provisional_at, refused.final_at].map(Option::unwrap);
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn an_answer_is_recorded_with_where_media_go() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, _) = established(&dialler, &mut carrier, "").await;
    let answered = only(&leg);
    assert_eq!((answered.code, answered.phrase.as_str()), (Some(200), "OK"));
    assert_eq!(answered.outcome.as_deref(), Some("the carrier answered the call"));
    assert_eq!(answered.media.as_deref(), Some("PCMA to 127.0.0.1:4000"));
    hang_up(&mut leg, &mut carrier).await;
    assert_eq!(only(&leg), answered);
}

#[tokio::test]
async fn an_answer_without_usable_media_ends_the_call_and_states_why() {
    let no_codec =
        description(4000).replace("RTP/AVP 8 101", "RTP/AVP 18").replace("rtpmap:8 PCMA", "rtpmap:18 G729");
    for (body, part) in [(String::new(), "has no session description"), (no_codec, "none of the codecs")] {
        let dialler = dialler().await;
        let mut carrier = Carrier::udp().await;
        let (mut leg, invite) = placed(&dialler, &mut carrier).await;
        let contact = carrier.contact();
        carrier.answer(&invite, "200 OK", &contact, &body).await;
        carrier.expect("ACK").await;
        let bye = carrier.expect("BYE").await;
        carrier.answer(&bye, "200 OK", "", "").await;
        assert_eq!(ended(&mut leg).await, LegEnd::Refused(488));
        let ended = only(&leg);
        assert_eq!(ended.code, Some(200), "what the carrier sent");
        let outcome = ended.outcome.unwrap();
        assert!(outcome.starts_with("the carrier answered 200 without usable media"), "{outcome}");
        assert!(outcome.contains(part), "{outcome}");
    }
}

#[tokio::test]
async fn an_address_that_refuses_media_is_stated() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let contact = carrier.contact();
    for (host, part) in
        [("0.0.0.0", "the carrier holds the call"), ("224.0.0.1", "no media are sent: 224.0.0.1:4000 is ")]
    {
        let body = description(4000).replace("127.0.0.1", host);
        if host == "0.0.0.0" {
            carrier.answer(&invite, "200 OK", &contact, &body).await;
            carrier.expect("ACK").await;
            assert_eq!(next(&mut leg).await, LegEvent::Answered);
        } else {
            carrier.request(&invite, "UPDATE", 1, &contact, &body).await;
            assert_eq!(carrier.next().await.code(), 200);
        }
        let media = only(&leg).media.unwrap();
        assert!(media.contains(part), "{media}");
    }
}

#[tokio::test]
async fn a_challenge_that_cannot_be_answered_is_stated() {
    let dialler = dialler().await;
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=MD5\r\n";
    let credentials = || SipCredentials { username: "u".to_owned(), password: "p".into() };
    for (further, known, sent, challenges, part) in [
        (challenge, None, 1, 0, "demands credentials with 401, and the call has none"),
        ("", Some(credentials()), 1, 0, "without a digest challenge"),
        (challenge, Some(credentials()), 2, 1, "refused the credentials with 401"),
    ] {
        let mut carrier = Carrier::udp().await;
        let call = Invitation { credentials: known, ..invitation(&carrier.uri("1")) };
        let mut leg = dialler.call(call);
        for _ in 0..sent {
            let invite = carrier.await_next("INVITE").await;
            carrier.answer(&invite, "401 Unauthorized", further, "").await;
        }
        assert_eq!(ended(&mut leg).await, LegEnd::Refused(401));
        assert!(outcome(&leg).contains(part), "{}", outcome(&leg));
        assert_eq!(only(&leg).challenges, challenges);
    }
}

#[tokio::test]
async fn what_prevented_an_invite_is_stated() {
    let dialler = dialler().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (uri, egress, part) in [
        ("sip:1@nowhere.invalid".to_owned(), Egress::Anywhere, "the host has no address"),
        (format!("sip:1@{closed}"), Egress::Public, "must not reach"),
        (format!("sip:1@{closed};transport=tcp"), Egress::Anywhere, "the carrier cannot be reached: "),
        ("tel:+15551234".to_owned(), Egress::Anywhere, "is not a supported SIP URI"),
    ] {
        let mut leg = dialler.call(Invitation { egress, ..invitation(&uri) });
        assert_eq!(ended(&mut leg).await, LegEnd::NoResponse, "{uri}");
        assert!(outcome(&leg).contains(part), "{uri}: {}", outcome(&leg));
        assert_eq!(only(&leg).sent_at, None);
    }
}

#[tokio::test]
async fn silence_the_ring_timeout_and_a_hangup_before_the_answer_are_stated() {
    let silent = with_short_timers().await;
    let carrier = Carrier::udp().await;
    let mut leg = silent.call(invitation(&carrier.uri("1")));
    assert_eq!(ended(&mut leg).await, LegEnd::NoResponse);
    assert!(outcome(&leg).starts_with("no response to the INVITE within"), "{}", outcome(&leg));
    assert!(only(&leg).sent_at.is_some());

    let impatient = DiallerConfig { ring_timeout: super::ROUND_TRIP * 20, t1: super::ROUND_TRIP, ..config() };
    let impatient = start(impatient).await;
    let mut carrier = Carrier::udp().await;
    for hangs_up in [false, true] {
        let (mut leg, invite) = placed(&impatient, &mut carrier).await;
        carrier.answer(&invite, "180 Ringing", "", "").await;
        assert_eq!(next(&mut leg).await, LegEvent::Ringing);
        if hangs_up {
            leg.hang_up();
        }
        let cancel = carrier.await_next("CANCEL").await;
        carrier.answer(&cancel, "200 OK", "", "").await;
        carrier.answer(&invite, "487 Request Terminated", "", "").await;
        carrier.await_next("ACK").await;
        let (end, part) = if hangs_up {
            (LegEnd::Cancelled, "hung up here before an answer")
        } else {
            (LegEnd::RingTimeout, "was not answered within")
        };
        assert_eq!(ended(&mut leg).await, end);
        assert!(outcome(&leg).contains(part), "{}", outcome(&leg));
    }
}

#[tokio::test]
async fn an_end_that_the_carrier_does_not_confirm_is_stated_when_it_is_reported() {
    let dialler = with_short_timers().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    carrier.answer(&invite, "180 Ringing", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    leg.hang_up();
    // Neither the CANCEL nor the INVITE is answered.
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled);
    assert_eq!(outcome(&leg), "the call was hung up here before an answer");
}

#[tokio::test]
async fn each_address_of_a_host_has_its_record() {
    let (mut first, mut second) = (Carrier::udp().await, Carrier::udp().await);
    let ports = [first.address.port(), second.address.port()];
    let services = vec![(10, "a.example.com", ports[0]), (20, "b.example.com", ports[1])];
    let dialler = super::transports::with_names(services).await;
    let mut leg = dialler.call(invitation("sip:1@voice.example.com"));
    let invite = first.expect("INVITE").await;
    first.answer(&invite, "503 Service Unavailable", "", "").await;
    let invite = second.expect("INVITE").await;
    second.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
    let tries = leg.tries();
    let codes: Vec<_> = tries.iter().map(|tried| (tried.code, tried.target.unwrap().port())).collect();
    assert_eq!(codes, [(Some(503), ports[0]), (Some(486), ports[1])]);
    assert_eq!(tries[0].host, "voice.example.com");
}
