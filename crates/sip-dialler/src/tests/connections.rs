//! Tests of connections that are stuck, idle, too many or fail.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use super::carrier::{Carrier, Message, description};
use super::{
    Clock, Connections, Dialler, DiallerConfig, EVENT_TIMEOUT, Ids, Leg, LegEnd, LegEvent, Limits,
    ROUND_TRIP, config, ended, hang_up, invitation, next, start,
};

fn with(limits: impl FnOnce(&mut Limits)) -> DiallerConfig {
    let mut config = config();
    limits(&mut config.limits);
    config
}

/// Whether the dialler closes a connection.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let read =
        tokio::time::timeout(EVENT_TIMEOUT, stream.read(&mut [0; 64])).await.expect("it is closed in time");
    matches!(read, Ok(0) | Err(_))
}

#[tokio::test]
async fn a_carrier_that_stops_reading_is_disconnected_and_connected_to_again() {
    let dialler = start(with(|limits| limits.write_timeout = ROUND_TRIP * 10)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(16).unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    // More than the system buffers for a peer that does not read.
    let mut call = invitation(&uri);
    call.headers = vec![("X-Filler".to_owned(), "x".repeat(60_000))];
    let mut legs: Vec<_> = (0..150).map(|_| dialler.call(call.clone())).collect();
    let (stuck, _) = listener.accept().await.unwrap();
    for leg in &mut legs {
        assert_eq!(ended(leg).await, LegEnd::NoResponse);
    }
    let mut leg = dialler.call(invitation(&uri));
    let mut carrier = Carrier::accept(&listener).await;
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
    drop(stuck);
}

#[tokio::test]
async fn calls_that_wait_for_the_same_connection_share_its_failure() {
    let dialler = start(DiallerConfig { connect_timeout: ROUND_TRIP * 20, ..config() }).await;
    // It accepts connections, but never responds to a TLS handshake.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sips:1@{}", listener.local_addr().unwrap());
    let mut legs: Vec<_> = (0..8).map(|_| dialler.call(invitation(&uri))).collect();
    for leg in &mut legs {
        assert_eq!(ended(leg).await, LegEnd::NoResponse);
    }
    let _first = listener.accept().await.unwrap();
    let second = tokio::time::timeout(ROUND_TRIP, listener.accept()).await;
    assert!(second.is_err(), "all calls waited for the same attempt");
    // A later call makes an attempt of its own.
    let _leg = dialler.call(invitation(&uri));
    tokio::time::timeout(EVENT_TIMEOUT, listener.accept()).await.expect("another attempt").unwrap();
}

#[tokio::test]
async fn incoming_connections_are_limited() {
    let connections = Connections { all: 3, of_one_address: 2 };
    let dialler = start(DiallerConfig { connections, ..config() }).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(TcpStream::connect(dialler.address()).await.unwrap());
    }
    assert!(is_closed(&mut streams[2]).await, "the third one of an address is refused");
    let unread = tokio::time::timeout(ROUND_TRIP, streams[0].read(&mut [0; 1])).await;
    assert!(unread.is_err(), "the others remain");
    // A slot can be used again as soon as the dialler notices the end of its connection.
    streams.remove(0);
    let again = async {
        loop {
            let mut stream = TcpStream::connect(dialler.address()).await.unwrap();
            if tokio::time::timeout(ROUND_TRIP, stream.read(&mut [0; 1])).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(EVENT_TIMEOUT, again).await.expect("a slot is free");
}

#[tokio::test]
async fn a_call_whose_connection_was_closed_is_hung_up_over_a_new_one_to_the_same_address() {
    let dialler = start(config()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // It refuses connections, and no other test receives its port.
    let refusing = TcpSocket::new_v4().unwrap();
    refusing.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = refusing.local_addr().unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    let mut leg = dialler.call(invitation(&uri));
    let mut carrier = Carrier::accept(&listener).await;
    let invite = carrier.expect("INVITE").await;
    let contact = format!("Contact: <sip:far@{closed};transport=tcp>\r\n");
    carrier.answer(&invite, "200 OK", &contact, &description(4000)).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    drop(carrier);
    is_disconnected(&dialler).await;
    leg.hang_up();
    let mut carrier = Carrier::accept(&listener).await;
    let bye = carrier.expect("BYE").await;
    assert_eq!(bye.uri(), format!("sip:far@{closed};transport=tcp"), "the target stays");
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

/// Waits until the dialler has no connection to a carrier.
async fn is_disconnected(dialler: &Dialler) {
    let noticed = async {
        while dialler.shared.network.connector.open_connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(EVENT_TIMEOUT, noticed).await.expect("the end of the connection is noticed");
}

#[tokio::test]
async fn a_call_over_tcp_whose_connection_closes_while_it_rings_is_answered_over_another_one() {
    let dialler = start(config()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    let refusing = TcpSocket::new_v4().unwrap();
    refusing.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let contact = format!("Contact: <sip:far@{};transport=tcp>\r\n", refusing.local_addr().unwrap());
    for code in [200, 486] {
        let mut leg = dialler.call(invitation(&uri));
        let mut carrier = Carrier::accept(&listener).await;
        let invite = carrier.expect("INVITE").await;
        carrier.answer(&invite, "180 Ringing", "", "").await;
        assert_eq!(next(&mut leg).await, LegEvent::Ringing);
        drop(carrier);
        is_disconnected(&dialler).await;
        let mut other = Carrier::connect(dialler.address()).await;
        if code == 486 {
            other.answer(&invite, "486 Busy Here", "", "").await;
            Carrier::accept(&listener).await.expect("ACK").await;
            assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
            continue;
        }
        other.answer(&invite, "200 OK", &contact, &description(4000)).await;
        let mut carrier = Carrier::accept(&listener).await;
        carrier.expect("ACK").await;
        assert_eq!(next(&mut leg).await, LegEvent::Answered);
        hang_up(&mut leg, &mut carrier).await;
        drop(carrier);
        is_disconnected(&dialler).await;
    }
}

#[tokio::test]
async fn a_call_over_tcp_whose_connection_closes_while_it_rings_is_cancelled_over_another_one() {
    let dialler = start(config()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    let mut leg = dialler.call(invitation(&uri));
    let mut carrier = Carrier::accept(&listener).await;
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "180 Ringing", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    drop(carrier);
    is_disconnected(&dialler).await;
    leg.hang_up();
    let mut carrier = Carrier::accept(&listener).await;
    let cancel = carrier.expect("CANCEL").await;
    assert_eq!(cancel.branch(), invite.branch());
    carrier.answer(&cancel, "200 OK", "", "").await;
    carrier.answer(&invite, "487 Request Terminated", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled);
}

#[tokio::test]
async fn a_prack_over_tcp_goes_over_another_connection_after_that_of_the_invite_was_closed() {
    let dialler = start(config()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    let mut leg = dialler.call(invitation(&uri));
    let mut carrier = Carrier::accept(&listener).await;
    let invite = carrier.expect("INVITE").await;
    let contact = carrier.contact();
    let reliable = |number: u32| format!("{contact}Require: 100rel\r\nRSeq: {number}\r\n");
    carrier.answer(&invite, "180 Ringing", &reliable(1), "").await;
    let prack = carrier.expect("PRACK").await;
    carrier.answer(&prack, "200 OK", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    drop(carrier);
    is_disconnected(&dialler).await;
    let mut other = Carrier::connect(dialler.address()).await;
    other.answer(&invite, "183 Session Progress", &reliable(2), "").await;
    let mut carrier = Carrier::accept(&listener).await;
    let prack = carrier.expect("PRACK").await;
    assert_eq!(prack.header("RAck"), "2 1 INVITE");
    carrier.answer(&prack, "200 OK", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
}

#[tokio::test]
async fn a_refresh_over_tcp_whose_connection_closes_is_acknowledged_over_another_one() {
    let clock = Clock::system();
    clock.freeze(None);
    let dialler = Dialler::start(config(), clock.clone(), Ids::system()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    for status in ["200 OK", "488 Not Acceptable Here"] {
        let mut leg = dialler.call(invitation(&uri));
        let mut carrier = Carrier::accept(&listener).await;
        let invite = carrier.expect("INVITE").await;
        carrier.pick_up(&invite, "Session-Expires: 90;refresher=uac\r\n", 4000).await;
        carrier.expect("ACK").await;
        assert_eq!(next(&mut leg).await, LegEvent::Answered);
        clock.advance(Duration::from_secs(45));
        let refresh = carrier.expect("INVITE").await;
        drop(carrier);
        is_disconnected(&dialler).await;
        let mut other = Carrier::connect(dialler.address()).await;
        let body = if status == "200 OK" { description(4000) } else { String::new() };
        other.answer(&refresh, status, "", &body).await;
        let mut carrier = Carrier::accept(&listener).await;
        let ack = carrier.expect("ACK").await;
        assert_eq!(ack.header("CSeq"), "2 ACK");
        leg.hang_up();
        let bye = carrier.await_next("BYE").await;
        carrier.answer(&bye, "200 OK", "", "").await;
        assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
        drop(carrier);
        is_disconnected(&dialler).await;
    }
}

#[tokio::test]
async fn a_refresh_over_tcp_whose_connection_closes_without_a_response_is_sent_again() {
    let clock = Clock::system();
    clock.freeze(None);
    let config = DiallerConfig { t1: ROUND_TRIP, ..config() };
    let dialler = Dialler::start(config, clock.clone(), Ids::system()).await.unwrap();
    let refreshed = "Session-Expires: 1800;refresher=uac\r\n";
    let (mut leg, mut carrier, _, listener) = answered(&dialler, refreshed).await;
    clock.advance(Duration::from_mins(15));
    carrier.expect("INVITE").await;
    drop(carrier);
    // The response could come over another connection for 64 round trips.
    let passing = async {
        for _ in 0..200 {
            tokio::time::sleep(ROUND_TRIP).await;
            clock.advance(Duration::from_millis(500));
        }
    };
    let mut carrier = tokio::select! {
        carrier = Carrier::accept(&listener) => carrier,
        () = passing => panic!("no other connection was opened"),
    };
    let again = carrier.expect("INVITE").await;
    assert_eq!(again.header("CSeq"), "3 INVITE");
    carrier.pick_up(&again, refreshed, 4000).await;
    assert_eq!(carrier.expect("ACK").await.header("CSeq"), "3 ACK");
    hang_up(&mut leg, &mut carrier).await;
}

/// A dialler that accepts one connection.
async fn with_one_place() -> Dialler {
    let connections = Connections { all: 1, of_one_address: 1 };
    start(DiallerConfig { connections, ..config() }).await
}

/// Places a call over TCP, which the carrier answers with these headers. Returns the listener of the carrier too.
async fn answered(dialler: &Dialler, headers: &str) -> (Leg, Carrier, Message, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    let mut leg = dialler.call(invitation(&uri));
    let mut carrier = Carrier::accept(&listener).await;
    let invite = carrier.expect("INVITE").await;
    carrier.pick_up(&invite, headers, 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    (leg, carrier, invite, listener)
}

/// Places a call over TCP whose carrier asks for an offer over another connection, which it closes after the answer.
async fn asked_over_another_connection(dialler: &Dialler) -> (Leg, Carrier, Message) {
    let (leg, carrier, invite, _) = answered(dialler, "").await;
    let mut other = Carrier::connect(dialler.address()).await;
    other.request(&invite, "INVITE", 1, "", "").await;
    assert_eq!(other.next().await.code(), 200);
    drop(other);
    // The only place of a connection is free as soon as the end of that one is noticed.
    let noticed = async {
        loop {
            let mut stream = TcpStream::connect(dialler.address()).await.unwrap();
            if tokio::time::timeout(ROUND_TRIP, stream.read(&mut [0; 1])).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(EVENT_TIMEOUT, noticed).await.expect("the end of the connection is noticed");
    (leg, carrier, invite)
}

#[tokio::test]
async fn the_wait_for_an_ack_whose_connection_was_closed_ends_with_the_dialler() {
    let dialler = with_one_place().await;
    let _call = asked_over_another_connection(&dialler).await;
    let endpoint = Arc::downgrade(dialler.shared.network.stack.endpoint());
    drop(dialler);
    let released = async {
        while endpoint.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(EVENT_TIMEOUT, released).await.expect("no transaction remains");
}

#[tokio::test]
async fn an_answer_in_an_ack_over_another_connection_counts_after_that_of_its_invite_was_closed() {
    let dialler = with_one_place().await;
    let (mut leg, mut carrier, invite) = asked_over_another_connection(&dialler).await;
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let answer = description(receiver.local_addr().unwrap().port());
    carrier.request(&invite, "ACK", 1, "", &answer).await;
    let mut packet = [0; 400];
    tokio::time::timeout(EVENT_TIMEOUT, receiver.recv(&mut packet))
        .await
        .expect("silence follows the answer")
        .unwrap();
    hang_up(&mut leg, &mut carrier).await;
}

#[tokio::test]
async fn an_idle_incoming_connection_is_closed() {
    let dialler = start(with(|limits| limits.idle_timeout = ROUND_TRIP)).await;
    let mut stream = TcpStream::connect(dialler.address()).await.unwrap();
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_connection_of_a_call_is_kept_alive_by_pings() {
    let dialler = start(with(|limits| limits.idle_timeout = Duration::from_millis(100))).await;
    let (mut leg, mut carrier, ..) = answered(&dialler, "").await;
    for _ in 0..3 {
        carrier.pinged().await;
        carrier.send("\r\n").await;
    }
    hang_up(&mut leg, &mut carrier).await;
}

#[tokio::test]
async fn an_outgoing_connection_is_closed_when_no_call_uses_it() {
    let mut config = with(|limits| limits.idle_timeout = Duration::from_millis(100));
    config.t1 = ROUND_TRIP;
    let dialler = start(config).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    let mut leg = dialler.call(invitation(&uri));
    let mut carrier = Carrier::accept(&listener).await;
    let invite = carrier.expect("INVITE").await;
    let contact = carrier.contact();
    carrier.answer(&invite, "200 OK", &contact, &description(4000)).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    carrier.hears_nothing_for(Duration::from_millis(500)).await;
    hang_up(&mut leg, &mut carrier).await;
    carrier.is_closed().await;
}
