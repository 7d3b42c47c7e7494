//! Tests of limits on far ends, and of the release of all resources.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use super::carrier::Carrier;
use super::{
    Clock, DiallerConfig, EVENT_TIMEOUT, Ids, LegEnd, LegEvent, Limits, ROUND_TRIP, config, dialler, ended,
    invitation, next, placed, start,
};
use crate::Dialler;
use crate::dialogs::Inbound;
use crate::responses::finish_in_background;

/// Polls a condition until it is true.
async fn until(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(EVENT_TIMEOUT, waiting).await.expect("the condition becomes true in time");
}

#[tokio::test]
async fn reliable_responses_are_acknowledged_in_order_and_up_to_a_limit() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let contact = carrier.contact();
    for number in 1..=40 {
        let further = format!("{contact}Require: 100rel\r\nRSeq: {number}\r\n");
        carrier.answer(&invite, "183 Session Progress", &further, "").await;
        // The event of the call shows that it has handled the response.
        if number == 1 {
            assert_eq!(next(&mut leg).await, LegEvent::Progress);
        }
        if number % 8 == 0 {
            carrier.answer(&invite, "100 Trying", "", "").await;
        }
        if number == 3 {
            let prack = carrier.expect("PRACK").await;
            assert_eq!(prack.header("RAck"), "1 1 INVITE");
            carrier.hears_nothing_for(ROUND_TRIP).await;
            carrier.answer(&prack, "200 OK", "", "").await;
        } else if number > 3 {
            let prack = tokio::time::timeout(ROUND_TRIP * 5, carrier.expect("PRACK")).await;
            let Ok(prack) = prack else {
                assert_eq!(number, 35, "there are 32 in total, and the loop runs two ahead");
                return;
            };
            assert_eq!(prack.header("RAck"), format!("{} 1 INVITE", number - 2));
            carrier.answer(&prack, "200 OK", "", "").await;
        }
    }
    panic!("every response was acknowledged");
}

#[tokio::test]
async fn a_flooded_call_is_kept_and_can_still_be_hung_up() {
    let dialler = dialler().await;
    let mut inbox = dialler.shared.dialogs.open("flooded");
    let carrier = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = carrier.local_addr().unwrap();
    let request = |method: &str, number: u32| {
        format!(
            "{method} sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{number};rport\r\nFrom: <sip:f@{own}>;tag=f\r\n\
             To: <sip:t@{0}>;tag=t\r\nCall-ID: flooded\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n",
            dialler.address()
        )
    };
    for number in 1..=20 {
        carrier.send_to(request("OPTIONS", number).as_bytes(), dialler.address()).await.unwrap();
    }
    carrier.send_to(request("BYE", 21).as_bytes(), dialler.address()).await.unwrap();
    // A last request of another call arrives after all others were handled.
    let mut other = dialler.shared.dialogs.open("another");
    let last = request("OPTIONS", 22).replace("Call-ID: flooded", "Call-ID: another");
    carrier.send_to(last.as_bytes(), dialler.address()).await.unwrap();
    tokio::time::timeout(EVENT_TIMEOUT, other.next()).await.expect("it is delivered");
    let mut methods = Vec::new();
    for _ in 0..17 {
        let inbound = tokio::time::timeout(EVENT_TIMEOUT, inbox.next()).await.expect("it was queued");
        let Inbound::Request(request) = inbound else { panic!("only requests were sent") };
        methods.push(request.original.method.to_string());
        finish_in_background(*request, 200, "OK", Vec::new());
    }
    assert_eq!(methods.pop().as_deref(), Some("BYE"));
    assert!(methods.iter().all(|method| method == "OPTIONS"), "{methods:?}");
}

#[tokio::test]
async fn requests_of_strangers_get_one_answer_at_a_bounded_rate_and_leave_nothing_behind() {
    let dialler = dialler().await;
    let request = |method: &str, own: SocketAddr, number: usize| {
        format!(
            "{method} sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{number}\r\nFrom: <sip:f@{own}>;tag=f\r\n\
             To: <sip:t@{0}>\r\nCall-ID: {number}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            dialler.address()
        )
    };
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = stranger.local_addr().unwrap();
    for number in 0..200 {
        stranger.send_to(request("INVITE", own, number).as_bytes(), dialler.address()).await.unwrap();
    }
    // Datagrams are handled in their order, so this answer follows those to the others.
    let other = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let options = request("OPTIONS", other.local_addr().unwrap(), 200);
    other.send_to(options.as_bytes(), dialler.address()).await.unwrap();
    let mut answer = [0; 2_048];
    let length = tokio::time::timeout(EVENT_TIMEOUT, other.recv(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..length].starts_with(b"SIP/2.0 200 "), "the flood of one is not that of another");
    let mut refused = 0;
    while let Ok(length) = stranger.try_recv(&mut answer) {
        assert!(
            answer[..length].starts_with(b"SIP/2.0 405 ") && length <= 2 * request("INVITE", own, 200).len()
        );
        refused += 1;
    }
    // An address has two buckets of 20, and they drain meanwhile.
    assert!((20..75).contains(&refused), "{refused}");
    let endpoint = dialler.shared.network.stack.endpoint();
    assert_eq!(endpoint.finished_transactions.with_mut(|kept| kept.len()), 0);
}

#[tokio::test]
async fn the_connection_of_a_stranger_that_sends_responses_is_closed_soon() {
    let limits = Limits { unproven_timeout: Duration::from_millis(100), ..Limits::default() };
    let dialler = start(DiallerConfig { limits, ..config() }).await;
    let mut stranger = TcpStream::connect(dialler.address()).await.unwrap();
    let response = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:f@h>;tag=f\r\n\
        To: <sip:t@h>;tag=t\r\nCall-ID: unknown\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    stranger.write_all(response.as_bytes()).await.unwrap();
    let closed = tokio::time::timeout(EVENT_TIMEOUT, stranger.read(&mut [0; 1])).await;
    assert_eq!(closed.expect("it is closed in time").unwrap(), 0);
}

#[tokio::test]
async fn a_refresh_without_a_final_response_ends_the_call() {
    let clock = Clock::system();
    clock.freeze(None);
    let config = DiallerConfig { t1: ROUND_TRIP, ..config() };
    let dialler = Dialler::start(config, clock.clone(), Ids::system()).await.unwrap();
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    carrier.pick_up(&invite, "Session-Expires: 90;refresher=uac\r\n", 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    clock.advance(Duration::from_secs(45));
    let refresh = carrier.await_next("INVITE").await;
    carrier.answer(&refresh, "100 Trying", "", "").await;
    let bye = carrier.await_next("BYE").await;
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Expired);
}

#[tokio::test]
async fn a_dialler_that_is_dropped_leaves_no_call_and_no_port_behind() {
    let dialler = dialler().await;
    let address = dialler.address();
    let mut carrier = Carrier::udp().await;
    // A call that has ended, whose state is still kept; an established one; and one that rings.
    let mut refused = dialler.call(invitation(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    carrier.expect("ACK").await;
    assert_eq!(ended(&mut refused).await, LegEnd::Refused(486));
    let mut up = dialler.call(invitation(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    carrier.pick_up(&invite, "", 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut up).await, LegEvent::Answered);
    let mut rings = dialler.call(invitation(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "180 Ringing", "", "").await;
    assert_eq!(next(&mut rings).await, LegEvent::Ringing);
    // An answered request, whose transaction would remain for half a minute.
    carrier.request(&invite, "OPTIONS", 1, "", "").await;
    assert_eq!(carrier.next().await.code(), 200);
    let shared = Arc::downgrade(&dialler.shared);
    let network = Arc::downgrade(&dialler.shared.network);
    drop(dialler);
    assert_eq!(ended(&mut up).await, LegEnd::HungUpByUs);
    assert_eq!(ended(&mut rings).await, LegEnd::Cancelled);
    until(|| shared.strong_count() == 0 && network.strong_count() == 0).await;
    until(|| std::net::UdpSocket::bind(address).is_ok()).await;
    until(|| std::net::TcpListener::bind(address).is_ok()).await;
}

#[tokio::test]
async fn an_abandoned_dialler_closes_its_port_before_it_is_dropped() {
    let dialler = start(config()).await;
    let address = dialler.address();
    dialler.abandon();
    until(|| std::net::UdpSocket::bind(address).is_ok()).await;
    until(|| std::net::TcpListener::bind(address).is_ok()).await;
    let mut leg = dialler.call(invitation("sip:1@127.0.0.1"));
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled);
}
