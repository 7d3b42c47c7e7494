//! Misbehaving peers over TCP, and other peers during their attacks.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::certificates::Certificates;
use super::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, source, until};
use super::media::hears_its_echo;
use super::message::Message;
use super::uac::{Call, Uac, unique};

async fn connect(edge: &Edge, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // A small buffer, so that the server soon detects a peer that does not read.
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(edge.sip).await.unwrap()
}

/// Whether the other side answers on this connection, and has not closed it.
async fn answers(stream: &mut TcpStream) -> bool {
    let ping = async {
        stream.write_all(b"\r\n\r\n").await?;
        let mut pong = [0; 2];
        stream.read_exact(&mut pong).await?;
        Ok::<_, std::io::Error>(pong == *b"\r\n")
    };
    tokio::time::timeout(DEADLINE, ping).await.expect("an answer or an end").unwrap_or(false)
}

#[tokio::test]
async fn a_peer_that_floods_over_tcp_and_never_reads_delays_no_call_over_udp_and_is_cut_off() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    // Requests of every kind that is answered: by the edge, and by the library from its transactions.
    let mut requests = String::new();
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    for method in ["INVITE", "OPTIONS", "BYE"] {
        requests.push_str(&call.text(method).replace("UDP", "TCP"));
    }
    requests = requests.repeat(2);
    requests.push_str(&call.text("CANCEL").replace("UDP", "TCP"));

    let mut floods = Vec::new();
    for _ in 0..4 {
        let (mut stream, requests) = (connect(&edge, source()).await, requests.clone());
        floods.push(tokio::spawn(async move {
            let mut sent = 0_u64;
            // Each round consists of new requests, each of them sent twice.
            while stream
                .write_all(requests.replace("z9hG4bK", &format!("z9hG4bK{sent}")).as_bytes())
                .await
                .is_ok()
            {
                sent += 1;
            }
            sent
        }));
    }
    until("the floods are refused and answered", async || (edge.counts().await[0] > 100).then_some(())).await;
    for _ in 0..20 {
        let quickly = async {
            Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
        };
        tokio::time::timeout(Duration::from_secs(2), quickly).await.expect("the call is not held up");
    }
    for flood in floods {
        let sent = tokio::time::timeout(DEADLINE, flood).await.expect("the peer is cut off").unwrap();
        assert!(sent > 0);
    }
    assert_eq!(edge.record(&trunk, 20).await["success"], true);
}

/// Sends a request that is admitted: after that, the connection is not closed to make room for others of its address,
/// or of one with as many.
async fn prove(stream: &mut TcpStream) {
    let call = unique();
    let text = format!(
        "OPTIONS sip:edge SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK-{call}\r\nFrom: <sip:a@b>;tag={call}\r\n\
         To: <sip:edge>\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let read = tokio::time::timeout(DEADLINE, stream.read_buf(&mut answer)).await;
        assert!(read.expect("an answer").unwrap() > 0);
    }
    assert!(answer.starts_with(b"SIP/2.0 200 OK\r\n"));
}

#[tokio::test]
async fn connections_beyond_the_limits_are_refused_until_others_end() {
    let edge = Edge::with_config("[sip]\nconnections = 3\nconnections_per_address = 2\n").await;
    let _named = edge.trunk(json!({})).await;
    let [one, other] = [source(), source()];
    let mut first = connect(&edge, one).await;
    let mut second = connect(&edge, one).await;
    assert!(answers(&mut first).await && answers(&mut second).await);
    assert!(!answers(&mut connect(&edge, one).await).await, "too many of one address");
    let mut third = connect(&edge, other).await;
    for stream in [&mut first, &mut second, &mut third] {
        prove(stream).await;
    }
    assert!(!answers(&mut connect(&edge, other).await).await, "too many of all");
    edge.logs(&["too many"]).await;
    assert_eq!(Uac::udp(&edge).await.options().await.code(), 200, "UDP has no connections");

    drop(first);
    let mut fourth = until("a place is free again", async || {
        let mut stream = connect(&edge, one).await;
        answers(&mut stream).await.then_some(stream)
    })
    .await;
    for stream in [&mut second, &mut third, &mut fourth] {
        assert!(answers(stream).await);
    }
    // The fourth connection never sent an admitted request: it is closed to make room.
    assert!(answers(&mut connect(&edge, other).await).await);
    assert!(!answers(&mut fourth).await);
    assert!(answers(&mut second).await && answers(&mut third).await);
}

#[tokio::test]
async fn connections_of_an_address_with_many_make_room_for_another_address_except_those_with_a_call() {
    let edge = Edge::with_config("[sip]\nconnections = 18\nconnections_per_address = 17\n").await;
    let trunk = edge.trunk(json!({})).await;
    let uac = Uac::tcp(&edge).await;
    let IpAddr::V4(one) = uac.local.ip() else { panic!("{}", uac.local) };
    let mut call = Call::over(uac, &edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.place(&trunk).await.code(), 200);
    let [other, newcomer] = [source(), source()];
    let mut held = Vec::new();
    for from in [[one; 16].as_slice(), &[other]].concat() {
        let mut stream = connect(&edge, from).await;
        prove(&mut stream).await;
        held.push(stream);
    }
    let mut new = until("there is room for another address", async || {
        let mut stream = connect(&edge, newcomer).await;
        answers(&mut stream).await.then_some(stream)
    })
    .await;
    prove(&mut new).await;
    assert!(!answers(&mut held[0]).await, "the oldest without a call is closed");
    for stream in &mut held[1..] {
        assert!(answers(stream).await);
    }
    call.hang_up().await;
}

#[tokio::test]
async fn an_address_that_begins_one_tls_handshake_after_another_is_refused_and_others_are_not() {
    let made = Certificates::make();
    let (certificate, key) = (made.path("cert.pem"), made.path("key.pem"));
    let edge = Edge::with_config(&format!(
        "sip_tls_listen = \"127.0.0.1:0\"\ntls_cert = {certificate:?}\ntls_key = {key:?}\n"
    ))
    .await;
    let _named = edge.trunk(json!({})).await;
    let (address, flooder) = (edge.binary.sip_tls.unwrap(), source());
    until("handshakes are refused", async || {
        for _ in 0..100 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((flooder, 0).into()).unwrap();
            // It is closed at once: no number of open connections refuses it.
            drop(socket.connect(address).await.unwrap());
        }
        edge.binary.log().contains("too many TLS handshakes").then_some(())
    })
    .await;
    let client = Certificates::client(&made.folder.join("ca.pem"));
    let mut other = Uac::tls(&edge, client).await.unwrap();
    assert_eq!(other.options().await.code(), 200);
}

#[tokio::test]
async fn a_caller_that_closed_its_connection_is_hung_up_over_a_new_one_to_its_contact() {
    let edge = Edge::with_config("[sip]\nconnections = 1\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 600 })).await;
    let uac = Uac::tcp(&edge).await;
    let listener = TcpListener::bind((uac.local.ip(), 0)).await.unwrap();
    let contact = format!("sip:caller@{};transport=tcp", listener.local_addr().unwrap());
    // The callee hangs up after ten seconds.
    let mut call = Call::over(uac, &edge, "9990210").await;
    call.contact = vec![format!("Contact: <{contact}>")];
    assert_eq!(call.place(&trunk).await.code(), 200);
    assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the ACK has arrived");
    drop(std::mem::replace(&mut call.uac, Uac::udp(&edge).await));
    until("the only place for a connection is free again", async || {
        let mut stream = connect(&edge, source()).await;
        answers(&mut stream).await.then_some(())
    })
    .await;
    assert_eq!(edge.active().await.len(), 1);
    edge.advance(10).await;
    call.uac = Uac::accepted(&listener).await;
    let bye = call.hung_up().await;
    assert_eq!(bye.start, format!("BYE {contact} SIP/2.0"));
    assert_eq!(edge.record(&trunk, 1).await["hung_up_by"], "far_end");
}

#[tokio::test]
async fn a_refresh_that_cannot_be_sent_does_not_keep_the_caller_from_an_offer_of_its_own() {
    let edge = Edge::with_config("log = \"info,carrier_edge=debug\"\n[sip]\nconnections = 1\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 600 })).await;
    let uac = Uac::tcp(&edge).await;
    let IpAddr::V4(from) = uac.local.ip() else { panic!("{}", uac.local) };
    let mut call = Call::over(uac, &edge, ANSWERS_AT_ONCE).await;
    // No connection is opened to a host name.
    call.contact = vec!["Contact: <sip:caller@pbx.example.com;transport=tcp>".to_owned()];
    let timer = ["Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: INVITE"];
    call.headers = timer.map(str::to_owned).into();
    assert_eq!(call.place(&trunk).await.code(), 200);
    assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the ACK has arrived");
    drop(std::mem::replace(&mut call.uac, Uac::udp_from(&edge, from).await));
    until("the only place for a connection is free again", async || {
        let mut stream = connect(&edge, source()).await;
        answers(&mut stream).await.then_some(())
    })
    .await;
    edge.advance(45).await;
    edge.logs(&["the caller closed its connection, and there is no other one to it"]).await;
    // The caller goes on over UDP.
    let offer = call.offer.clone();
    assert_eq!(call.request("INVITE", &[], &offer).await.code(), 200);
    call.hang_up().await;
}

#[tokio::test]
async fn media_go_on_while_a_refresh_waits_for_a_connection() {
    let edge = Edge::with_config("log = \"info,carrier_edge=debug\"\n[sip]\nconnections = 1\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 600 })).await;
    let uac = Uac::tcp(&edge).await;
    // Its contact does not accept connections, and its queue of them is full: a further one is not answered.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((uac.local.ip(), 0).into()).unwrap();
    let full = socket.listen(1).unwrap();
    let contact = full.local_addr().unwrap();
    let mut queued = Vec::new();
    let patience = Duration::from_millis(200);
    while let Ok(stream) = tokio::time::timeout(patience, TcpStream::connect(contact)).await {
        queued.push(stream.unwrap());
    }
    let mut call = Call::over(uac, &edge, ANSWERS_AT_ONCE).await;
    call.contact = vec![format!("Contact: <sip:caller@{contact};transport=tcp>")];
    let timer = ["Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: UPDATE"];
    call.headers = timer.map(str::to_owned).into();
    let answer = call.place(&trunk).await;
    assert_eq!(answer.code(), 200);
    assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the ACK has arrived");
    drop(std::mem::replace(&mut call.uac, Uac::udp(&edge).await));
    until("the only place for a connection is free again", async || {
        let mut stream = connect(&edge, source()).await;
        answers(&mut stream).await.then_some(())
    })
    .await;
    edge.advance(45).await;
    let (mut number, mut longest) = (0, Duration::ZERO);
    // The pace of a telephone: the number of packets is limited.
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    until("the attempt to connect, of a second, has ended", async || {
        ticks.tick().await;
        number += 1;
        let sent = Instant::now();
        hears_its_echo(&call, answer.media().0, number).await;
        longest = longest.max(sent.elapsed());
        edge.binary.log().contains("connecting took too long").then_some(())
    })
    .await;
    assert!(longest < Duration::from_millis(700), "media stopped for {longest:?}");
    assert_eq!(edge.active().await.len(), 1);
    drop((full, queued));
}

#[tokio::test]
async fn a_refresh_whose_connection_is_closed_before_its_answer_is_sent_again_over_a_new_one() {
    let edge = Edge::with_config("[sip]\nconnections = 1\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 600 })).await;
    let uac = Uac::tcp(&edge).await;
    let listener = TcpListener::bind((uac.local.ip(), 0)).await.unwrap();
    let mut call = Call::over(uac, &edge, ANSWERS_AT_ONCE).await;
    let contact = listener.local_addr().unwrap();
    call.contact = vec![format!("Contact: <sip:caller@{contact};transport=tcp>")];
    let timer = ["Supported: timer", "Session-Expires: 600;refresher=uas", "Allow: UPDATE"];
    call.headers = timer.map(str::to_owned).into();
    assert_eq!(call.place(&trunk).await.code(), 200);
    assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the ACK has arrived");
    edge.advance(300).await;
    let is_update = |message: &Message| message.code() == 0 && message.method() == "UPDATE";
    let first = call.uac.expect("an UPDATE", None, is_update).await;
    drop(std::mem::replace(&mut call.uac, Uac::udp(&edge).await));
    let accepting = tokio::spawn(async move { Uac::accepted(&listener).await });
    until("the refresh is due again", async || {
        edge.advance(3).await;
        accepting.is_finished().then_some(())
    })
    .await;
    call.uac = accepting.await.unwrap();
    let again = call.asked("UPDATE", "200 OK", &["Session-Expires: 600;refresher=uac"], "").await;
    assert!(again.sequence() > first.sequence(), "{again:?}");
    assert_eq!(edge.active().await.len(), 1);
}

#[tokio::test]
async fn a_refresh_by_re_invite_whose_connection_is_closed_is_sent_again_instead_of_ending_the_call() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 600 })).await;
    let uac = Uac::tcp(&edge).await;
    let listener = TcpListener::bind((uac.local.ip(), 0)).await.unwrap();
    let mut call = Call::over(uac, &edge, ANSWERS_AT_ONCE).await;
    let contact = listener.local_addr().unwrap();
    call.contact = vec![format!("Contact: <sip:caller@{contact};transport=tcp>")];
    call.headers = ["Supported: timer", "Session-Expires: 600;refresher=uas"].map(str::to_owned).into();
    assert_eq!(call.place(&trunk).await.code(), 200);
    assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the ACK has arrived");
    edge.advance(300).await;
    let is_invite = |message: &Message| message.code() == 0 && message.method() == "INVITE";
    let first = call.uac.expect("a re-INVITE", None, is_invite).await;
    drop(std::mem::replace(&mut call.uac, Uac::udp(&edge).await));
    // The response could come over another connection, for a time that the server's clock does not affect.
    tokio::time::sleep(Duration::from_secs(9)).await;
    let accepting = tokio::spawn(async move { Uac::accepted(&listener).await });
    until("the refresh is due again", async || {
        edge.advance(3).await;
        accepting.is_finished().then_some(())
    })
    .await;
    call.uac = accepting.await.unwrap();
    let offer = call.offer.clone();
    let again = call.asked("INVITE", "200 OK", &["Session-Expires: 600;refresher=uac"], &offer).await;
    assert!(again.sequence() > first.sequence(), "{again:?}");
    let is_ack = |message: &Message| message.code() == 0 && message.method() == "ACK";
    assert_eq!(call.uac.expect("its ACK", None, is_ack).await.sequence(), again.sequence());
    assert_eq!(edge.active().await.len(), 1);
}
