//! Connections that are stuck, idle, too many, or never made.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::carrier::{Carrier, description};
use super::{
    Connections, DiallerConfig, LegEnd, LegEvent, Limits, PROMPT, SHORT, config, ended, hung_up, invitation,
    next, start,
};

fn with(limits: impl FnOnce(&mut Limits)) -> DiallerConfig {
    let mut config = config();
    limits(&mut config.limits);
    config
}

/// Whether the far end closes a connection.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(PROMPT, stream.read(&mut [0; 64])).await.expect("something happens");
    matches!(read, Ok(0) | Err(_))
}

#[tokio::test]
async fn a_carrier_that_stops_reading_is_cut_off_and_connected_to_anew() {
    let dialler = start(with(|limits| limits.stuck = SHORT * 10)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(16).unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    // More than the system keeps for a peer that does not read.
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
    let dialler = start(DiallerConfig { connect_timeout: SHORT * 20, ..config() }).await;
    // It takes connections, and never says a word of TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sips:1@{}", listener.local_addr().unwrap());
    let mut legs: Vec<_> = (0..8).map(|_| dialler.call(invitation(&uri))).collect();
    for leg in &mut legs {
        assert_eq!(ended(leg).await, LegEnd::NoResponse);
    }
    let _first = listener.accept().await.unwrap();
    let second = tokio::time::timeout(SHORT, listener.accept()).await;
    assert!(second.is_err(), "all waited for the one attempt");
    // A call that did not wait for it makes its own.
    let _leg = dialler.call(invitation(&uri));
    tokio::time::timeout(PROMPT, listener.accept()).await.expect("another attempt").unwrap();
}

#[tokio::test]
async fn strangers_get_as_many_connections_as_there_are_places() {
    let connections = Connections { all: 3, of_one_address: 2 };
    let dialler = start(DiallerConfig { connections, ..config() }).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(TcpStream::connect(dialler.address()).await.unwrap());
    }
    assert!(is_closed(&mut streams[2]).await, "the third of one address is refused");
    let unread = tokio::time::timeout(SHORT, streams[0].read(&mut [0; 1])).await;
    assert!(unread.is_err(), "the others stay");
    // A place that is given back is taken again, as soon as that is seen.
    streams.remove(0);
    let again = async {
        loop {
            let mut stream = TcpStream::connect(dialler.address()).await.unwrap();
            if tokio::time::timeout(SHORT, stream.read(&mut [0; 1])).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(PROMPT, again).await.expect("there is a place");
}

#[tokio::test]
async fn a_stranger_that_says_nothing_is_cut_off() {
    let dialler = start(with(|limits| limits.silent = SHORT)).await;
    let mut stream = TcpStream::connect(dialler.address()).await.unwrap();
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn our_own_connection_lasts_as_long_as_a_call_uses_it_and_not_much_longer() {
    let mut config = with(|limits| limits.silent = Duration::from_millis(100));
    config.t1 = SHORT;
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
    hung_up(&mut leg, &mut carrier).await;
    carrier.is_closed().await;
}
