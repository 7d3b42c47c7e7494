//! Tests of calls that are refused or not answered.

use std::net::UdpSocket;

use trunk_rules::carrier::Codec;

use super::carrier::Carrier;
use super::{
    Invitation, LegEnd, LegEvent, dialler, ended, idle, invitation, mapped, next, placed, with_short_timers,
};

#[tokio::test]
async fn the_invite_is_the_one_that_the_platform_sends() {
    let mut carrier = Carrier::udp().await;
    let dialler = mapped(carrier.address).await;
    let mut call = invitation("sip:0011+15551234#@carrier.example.com;transport=udp");
    call.headers = vec![
        ("X-Account".to_owned(), "a; b=\"c\"".to_owned()),
        ("P-Asserted-Identity".to_owned(), "<tel:+37061498222>".to_owned()),
        ("Call-ID".to_owned(), "mine".to_owned()),
    ];
    let _leg = dialler.call(call);
    let invite = carrier.expect("INVITE").await;
    let local = dialler.address();
    assert_eq!(invite.start, "INVITE sip:0011+15551234#@carrier.example.com;transport=udp SIP/2.0");
    assert_eq!(invite.header("To"), "<sip:0011+15551234#@carrier.example.com>");
    let from = format!("\"Alice\" <sip:+37061498222@{local}>;tag=");
    assert!(invite.header("From").starts_with(&from), "{invite:?}");
    assert_eq!(invite.header("Contact"), format!("<sip:{local};transport=udp>"));
    assert_eq!((invite.header("CSeq"), invite.header("Max-Forwards")), ("1 INVITE", "70"));
    assert_eq!((invite.header("Supported"), invite.header("User-Agent")), ("100rel, timer", "trunk-server"));
    for method in ["INVITE", "ACK", "CANCEL", "BYE", "UPDATE"] {
        assert!(invite.header("Allow").split(", ").any(|allowed| allowed == method), "{method}: {invite:?}");
    }
    assert_eq!(invite.header("X-Account"), "a; b=\"c\"");
    assert_eq!(invite.header("P-Asserted-Identity"), "<tel:+37061498222>");
    assert_eq!(invite.all("Call-ID").len(), 1);
    assert!(invite.header("Via").starts_with(&format!("SIP/2.0/UDP {local};branch=z9hG4bK")), "{invite:?}");
    assert_eq!(invite.header("Content-Length"), invite.body.len().to_string());
    assert!(
        invite.body.contains(&format!("m=audio {} RTP/AVP 0 8 101\r\n", invite.media())),
        "{}",
        invite.body
    );
    assert!(invite.media().is_multiple_of(2));
}

#[tokio::test]
async fn a_call_offers_its_own_codecs_in_every_offer() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(Invitation { codecs: vec![Codec::Pcma], ..invitation(&carrier.uri("1")) });
    let invite = carrier.expect("INVITE").await;
    assert!(invite.body.contains(" RTP/AVP 8 101\r\n"), "{}", invite.body);
    carrier.pick_up(&invite, "", 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    carrier.request(&invite, "INVITE", 1, "", "").await;
    let offer = carrier.next().await;
    assert!(offer.body.contains(" RTP/AVP 8 101\r\n"), "{}", offer.body);
}

#[tokio::test]
async fn a_caller_that_is_no_number_is_escaped_once() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let from_user = "alice@b.example".to_owned();
    let from_display = String::new();
    let _leg = dialler.call(Invitation { from_display, from_user, ..invitation(&carrier.uri("1")) });
    let invite = carrier.expect("INVITE").await;
    let from = format!("<sip:alice%40b.example@{}>;tag=", dialler.address());
    assert!(invite.header("From").starts_with(&from), "{invite:?}");
}

#[tokio::test]
async fn every_final_response_ends_the_call_with_its_code_and_is_acknowledged() {
    let dialler = dialler().await;
    // 399, 499, 599 and 699 are known to no standard.
    for code in [
        300, 302, 380, 399, 401, 403, 404, 407, 408, 480, 486, 488, 499, 500, 503, 504, 599, 600, 603, 606,
        699,
    ] {
        let mut carrier = Carrier::udp().await;
        let mut leg = dialler.call(invitation(&carrier.uri("1#")));
        let invite = carrier.expect("INVITE").await;
        carrier.answer(&invite, "100 Trying", "", "").await;
        let status = format!("{code} Because");
        carrier.answer(&invite, &status, "Contact: <sip:elsewhere.example.com>\r\n", "").await;
        let ack = carrier.await_next("ACK").await;
        assert_eq!((ack.uri(), ack.branch()), (invite.uri(), invite.branch()));
        assert_eq!((ack.header("CSeq"), ack.header("From")), ("1 ACK", invite.header("From")));
        assert_eq!(ack.header("To"), format!("{};tag=far", invite.header("To")));
        assert_eq!(ended(&mut leg).await, LegEnd::Refused(code));
        // Its ACK was lost, so the response is retransmitted after the end of the call.
        carrier.answer(&invite, &status, "", "").await;
        let again = carrier.expect("ACK").await;
        assert_eq!(again.headers, ack.headers);
    }
    idle(&dialler).await;
}

#[tokio::test]
async fn an_unanswered_invite_is_retransmitted_and_times_out() {
    let dialler = with_short_timers().await;
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(invitation(&carrier.uri("1")));
    let first = carrier.expect("INVITE").await;
    let mut repeated = 0;
    let end = loop {
        tokio::select! {
            event = leg.next() => break event,
            again = carrier.next() => {
                assert_eq!(again.headers, first.headers);
                repeated += 1;
            }
        }
    };
    assert_eq!(end, Some(LegEvent::Ended(LegEnd::NoResponse)));
    assert_eq!(repeated, 6, "after 1, 3, 7, 15, 31 and 63 round trips");
}

#[tokio::test]
async fn a_provisional_response_ends_the_retransmissions_but_not_the_call() {
    let dialler = with_short_timers().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    carrier.answer(&invite, "100 Trying", "", "").await;
    carrier.answer(&invite, "180 Ringing", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    carrier.answer(&invite, "180 Ringing", "", "").await;
    carrier.answer(&invite, "183 Session Progress", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Progress, "each event is reported once");
    // Longer than the timeout for the first response.
    carrier.hears_nothing_for(super::ROUND_TRIP * 80).await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    carrier.expect("ACK").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn an_unreachable_host_is_no_response() {
    let dialler = dialler().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for uri in [
        "sip:1@nowhere.invalid".to_owned(),
        "sip:1@[::1]:5060".to_owned(),
        format!("sip:1@{closed};transport=tcp"),
        format!("sips:1@{closed}"),
        "tel:+15551234".to_owned(),
        "sip:1@h\r\nX: 1".to_owned(),
    ] {
        let mut leg = dialler.call(invitation(&uri));
        assert_eq!(ended(&mut leg).await, LegEnd::NoResponse, "{uri}");
    }
    idle(&dialler).await;
}

#[tokio::test]
async fn without_a_port_for_media_no_call_is_placed() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (from, to) = if port.is_multiple_of(2) { (port, port + 1) } else { (port, port) };
    let dialler = super::start(super::DiallerConfig { rtp_ports: from..to, ..super::config() }).await;
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(invitation(&carrier.uri("1")));
    assert_eq!(ended(&mut leg).await, LegEnd::NoPort);
    carrier.hears_nothing_for(super::ROUND_TRIP).await;
}
