//! The front of the SIP port: addresses, sizes, strangers, guesses, connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use super::digest::Answer;
use super::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, Trunk, credentials, source, until};
use super::media::hears_its_echo;
use super::message::Message;
use super::uac::{Call, Uac, unique};

/// The time after which a client repeats a request.
const REPETITION: Duration = Duration::from_secs(2);

/// Longer than the interval between the first two retransmissions over UDP.
const RETRANSMISSION_WAIT: Duration = Duration::from_millis(1_800);

fn options(from: SocketAddr, further: &str) -> String {
    let call = unique();
    format!(
        "OPTIONS sip:edge SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK-{call}\r\nFrom: <sip:a@b>;tag={call}\r\n\
         To: <sip:edge>\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\n{further}\r\n"
    )
}

/// A trunk that accepts calls from every IPv4 address with its credentials.
async fn wide_trunk(edge: &Edge) -> Trunk {
    edge.trunk(json!({ "authentication_method": credentials(&["0.0.0.0/0"], None) })).await
}

async fn front(edge: &Edge, name: &str) -> u64 {
    edge.control.get("/calls/counts").await.json()[name].as_u64().unwrap()
}

/// An edge that listens on every address, and a caller of one of them.
async fn everywhere(listen: &str, called: &str) -> (Edge, Uac) {
    let mut edge = Edge::with_arguments(&["--sip-listen", listen]).await;
    edge.sip = SocketAddr::new(called.parse().unwrap(), edge.sip.port());
    let uac = if edge.sip.is_ipv6() { Uac::udp_over_ipv6(&edge).await } else { Uac::udp(&edge).await };
    (edge, uac)
}

#[tokio::test]
async fn an_answer_leaves_from_the_address_that_was_called() {
    let (edge, _) = everywhere("0.0.0.0:0", "127.0.0.2").await;
    let _named = edge.trunk(json!({})).await;
    for called in ["127.0.0.1", "127.0.0.2", "127.9.8.7"] {
        let called = SocketAddr::new(called.parse().unwrap(), edge.sip.port());
        // Not connected, so it receives from every address.
        let socket = UdpSocket::bind((source(), 0)).await.unwrap();
        let text = options(socket.local_addr().unwrap(), "Content-Length: 0\r\n");
        socket.send_to(text.as_bytes(), called).await.unwrap();
        let mut buffer = [0; 2_048];
        let heard = tokio::time::timeout(DEADLINE, socket.recv_from(&mut buffer)).await;
        let (length, from) = heard.expect("an answer").unwrap();
        assert_eq!((from, Message::parse(&buffer[..length]).code()), (called, 200));
    }
}

#[tokio::test]
async fn an_answer_goes_to_where_its_request_came_from_whatever_the_via_says() {
    let edge = Edge::start().await;
    let _named = edge.trunk(json!({})).await;
    let (victim, mut uac) = (UdpSocket::bind((source(), 0)).await.unwrap(), Uac::udp(&edge).await);
    let elsewhere = victim.local_addr().unwrap();
    for received in [";received=", ";rport;received=", ";maddr="] {
        let text = options(uac.local, "Content-Length: 0\r\n");
        let lie = format!("{}{received}{};branch", uac.local, elsewhere.ip());
        let text = text.replace(&format!("{};branch", uac.local), &lie);
        // The second request is a repetition. A client repeats an unanswered one: the library drops a copy that arrives
        // while the first is answered.
        for _ in 0..2 {
            let mut answer = None;
            for _ in 0..4 {
                uac.send(&text).await;
                answer = uac.receive(REPETITION).await;
                if answer.is_some() {
                    break;
                }
            }
            assert_eq!(answer.expect(received).code(), 200);
        }
    }
    assert!(victim.try_recv(&mut [0; 8]).is_err(), "no other address receives anything");
}

#[tokio::test]
async fn over_ipv6_a_via_with_a_name_is_answered_with_the_source_also_when_its_request_is_repeated() {
    let (edge, mut uac) = everywhere("[::]:0", "::1").await;
    let _named = edge.trunk(json!({ "authentication_method": credentials(&["::1/128"], None) })).await;
    let text = options(uac.local, "Content-Length: 0\r\n")
        .replace(&format!("{};branch", uac.local), "pbx.example.com:9;rport;branch");
    for _ in 0..3 {
        uac.send(&text).await;
        let answer = uac.expect("an answer to OPTIONS", Some(&text), |_| true).await;
        let via = answer.header("Via").unwrap();
        let parameters: Vec<&str> = via.split(';').skip(1).collect();
        for wanted in ["received=::1".to_owned(), format!("rport={}", uac.local.port())] {
            assert!(parameters.contains(&wanted.as_str()), "{wanted} in {via}");
        }
    }
}

#[tokio::test]
async fn a_call_to_one_of_all_addresses_is_answered_with_that_address_and_ends_from_there() {
    for (listen, called) in [("0.0.0.0:0", "127.0.0.3"), ("[::]:0", "127.0.0.3"), ("[::]:0", "::1")] {
        let (edge, uac) = everywhere(listen, called).await;
        let networks = credentials(&["127.0.0.0/8", "::1/128"], None);
        let trunk = edge.trunk(json!({ "authentication_method": networks })).await;
        let (mut call, own) = (Call::over(uac, &edge, ANSWERS_AT_ONCE).await, edge.sip);
        let answer = call.place(&trunk).await;
        assert_eq!(answer.code(), 200, "{listen} {called}: {answer:?}");
        assert_eq!(answer.header("Contact"), Some(format!("<sip:{own};transport=udp>").as_str()));
        let (media, _) = answer.media();
        assert_eq!(media.ip(), own.ip(), "{answer:?}");
        let family = if own.is_ipv6() { "IP6" } else { "IP4" };
        assert!(
            answer.body.contains("o=- ") && answer.body.contains(&format!(" IN {family} {}\r\n", own.ip()))
        );
        hears_its_echo(&call, media, 1).await;
        let id = edge.active().await[0]["id"].as_str().unwrap().to_owned();
        edge.control.delete(&format!("/calls/active/{id}")).await;
        // The caller's connected socket only receives from the address that it called.
        let bye = call.hung_up().await;
        assert!(bye.header("Via").unwrap().contains(&own.to_string()), "{bye:?}");
        let record = edge.record(&trunk, 1).await;
        assert_eq!(
            record["source_ip"],
            call.uac.local.ip().to_string(),
            "an address of IPv4 is shown as such"
        );
    }
}

#[tokio::test]
async fn a_call_over_tcp_to_one_of_all_addresses_is_answered_with_that_address() {
    let (edge, _) = everywhere("[::]:0", "127.0.0.4").await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::over(Uac::tcp(&edge).await, &edge, ANSWERS_AT_ONCE).await;
    let answer = call.place(&trunk).await;
    assert_eq!(answer.header("Contact"), Some(format!("<sip:{};transport=tcp>", edge.sip).as_str()));
    assert_eq!(answer.media().0.ip(), edge.sip.ip());
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["source_ip"], call.uac.local.ip().to_string());
}

#[tokio::test]
async fn the_advertised_address_replaces_the_address_that_was_called() {
    let edge = Edge::with_config("[sip]\nadvertise = \"127.0.0.9\"\n").await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let answer = call.place(&trunk).await;
    let contact = answer.header("Contact").unwrap();
    assert!(contact.starts_with("<sip:127.0.0.9:"), "{contact}");
    assert_eq!(answer.media().0.ip(), Ipv4Addr::new(127, 0, 0, 9));
}

#[tokio::test]
async fn a_datagram_may_be_as_long_as_datagrams_can_be() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.headers.push(format!("X-Long: {}", "x".repeat(60_000)));
    let answer = call.place(&trunk).await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    call.headers.clear();
    call.hang_up().await;
}

#[tokio::test]
async fn a_body_without_a_length_ends_with_its_datagram() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let text = call.text("INVITE");
    let length = text.lines().find(|line| line.starts_with("Content-Length")).unwrap().to_owned();
    call.sent = text.replace(&format!("{length}\r\n"), "");
    let sent = call.sent.clone();
    call.uac.send(&sent).await;
    let answer = call.answer().await;
    assert_eq!(answer.code(), 200);
    assert!(answer.body.contains("RTP/AVP 8 101"), "the offer was read: {answer:?}");
    call.acknowledge().await;
    call.hang_up().await;
}

#[tokio::test]
async fn a_length_that_cannot_be_is_a_bad_request() {
    let edge = Edge::start().await;
    let _named = edge.trunk(json!({})).await;
    let mut uac = Uac::udp(&edge).await;
    for length in ["5", "-1", "many", "0\r\nl: 1", "99999999999999999999"] {
        uac.send(options(uac.local, &format!("Content-Length: {length}\r\n"))).await;
        let answer = uac.receive(DEADLINE).await.unwrap();
        assert_eq!(answer.start, "SIP/2.0 400 Bad Request", "{length}");
    }
    uac.send(options(uac.local, "Content-Length: 0\r\n") + "what follows is no part of it").await;
    assert_eq!(uac.receive(DEADLINE).await.unwrap().code(), 200);
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_with_what_is_wrong_with_it() {
    let edge = Edge::start().await;
    let _named = edge.trunk(json!({})).await;
    let mut uac = Uac::udp(&edge).await;
    for (from, to, code) in [
        ("OPTIONS sip:edge SIP/2.0", "NEWMETHOD sip:edge SIP/2.0", 501),
        ("OPTIONS sip:edge SIP/2.0", "OPTIONS sip:edge SIP/7.0", 505),
        ("OPTIONS sip:edge SIP/2.0", "OPTIONS sip: SIP/2.0", 400),
        ("CSeq: 1 OPTIONS", "CSeq: many OPTIONS", 400),
        ("Via: SIP/2.0/UDP", "Via: UDP", 400),
    ] {
        uac.send(options(uac.local, "Content-Length: 0\r\n").replace(from, to)).await;
        let answer = uac.receive(DEADLINE).await.expect(to);
        assert_eq!(answer.code(), code, "{to}: {answer:?}");
        assert!(answer.header("Via").is_some_and(|via| via.contains("z9hG4bK")), "{answer:?}");
    }
    assert_eq!(front(&edge, "unreadable").await, 5);
    assert_eq!(uac.options().await.code(), 200);
}

#[tokio::test]
async fn over_tcp_what_cannot_be_read_costs_neither_the_next_message_nor_a_call() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::over(Uac::tcp(&edge).await, &edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.place(&trunk).await.code(), 200);
    let good = options(call.uac.local, "Content-Length: 0\r\n").replace("UDP", "TCP");
    let bad = good.replace("OPTIONS sip:edge SIP/2.0", "OPTIONS sip: SIP/2.0");
    let other = options(call.uac.local, "Content-Length: 0\r\n").replace("UDP", "TCP");
    call.uac.send(format!("{bad}{other}")).await;
    let codes = [call.uac.receive(DEADLINE).await.unwrap(), call.uac.receive(DEADLINE).await.unwrap()];
    assert_eq!(codes.map(|answer| answer.code()), [400, 200]);
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Bye");
}

#[tokio::test]
async fn a_source_that_no_trunk_names_receives_one_answer_without_a_diagnosis() {
    let edge = Edge::start().await;
    let narrow =
        edge.trunk(json!({ "authentication_method": credentials(&["127.255.255.0/24"], None) })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.invite(&[]).await;
    let (sent, local) = (call.sent.len(), call.uac.local);
    let answer = call.uac.receive(DEADLINE).await.unwrap();
    assert_eq!(answer.start, "SIP/2.0 403 Forbidden", "there is no 100 before it");
    assert!(answer.header("X-Refusal").is_none() && answer.header("Reason").is_none(), "{answer:?}");
    assert!(answer.header("To").unwrap().contains(";tag="));
    assert!(format!("{answer:?}").len() < 2 * sent);
    assert!(
        call.uac.receive(RETRANSMISSION_WAIT).await.is_none(),
        "nothing is repeated: there is no transaction"
    );
    let tag = answer.header("To").unwrap().to_owned();
    let text = call.sent.clone();
    call.uac.send(&text).await;
    assert_eq!(call.uac.receive(DEADLINE).await.unwrap().header("To"), Some(tag.as_str()));
    for silent in ["ACK", "CANCEL"] {
        let text = call.text(silent);
        call.uac.send(text).await;
    }
    assert_eq!(call.uac.options_or_anything().await.method(), "OPTIONS", "neither is answered");
    edge.logs(&["unknown address", &local.to_string(), "nearest=\"127.255.255.0/24\""]).await;
    assert_eq!(edge.counts().await, [0, 0, 0]);
    assert_eq!(front(&edge, "unknown_answered").await, 3);
    assert!(edge.records(&narrow).await.is_empty());
}

#[tokio::test]
async fn where_a_trunk_allows_everybody_a_source_is_a_stranger_until_its_digest_is_right() {
    let edge = Edge::start().await;
    let trunk = wide_trunk(&edge).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.invite(&[]).await;
    let challenge = call.uac.receive(DEADLINE).await.unwrap();
    assert_eq!(challenge.start, "SIP/2.0 401 Unauthorized", "there is no 100 before it");
    assert!(call.uac.receive(RETRANSMISSION_WAIT).await.is_none(), "nothing is repeated");
    assert_eq!(edge.counts().await, [0, 0, 0]);
    assert_eq!(call.place(&trunk).await.code(), 200);
    assert_eq!(edge.counts().await, [0, 0, 1]);
    call.hang_up().await;
    // Now the source is no stranger any more.
    let mut again = Call::over(Uac::udp_from(&edge, ipv4(&call)).await, &edge, ANSWERS_AT_ONCE).await;
    again.attempt().await;
    assert_eq!(again.provisional.iter().map(Message::code).collect::<Vec<_>>(), [100]);
    assert_eq!(edge.counts().await, [1, 0, 1]);
    // A later refusal is still not explained to an address that no trunk names.
    edge.patch(&trunk, json!({ "default_dst_action": "reject_all" })).await;
    let refused = again.attempt_as(&trunk, |_| {}).await;
    assert_eq!((refused.code(), refused.header("X-Refusal")), (403, None));
    assert_eq!(edge.record(&trunk, 2).await["check"], "destination", "the record names the check");
}

fn ipv4(call: &Call) -> Ipv4Addr {
    call.uac.local.ip().to_string().parse().unwrap()
}

#[tokio::test]
async fn a_flood_of_strangers_takes_nobodys_calls_and_few_lines() {
    const FLOOD: usize = 6_000;
    let edge = Edge::start().await;
    let named = edge.trunk(json!({ "authentication_method": credentials(&["127.100.0.0/16"], None) })).await;
    let sockets: Vec<_> = (0..100)
        .map(|host| std::net::UdpSocket::bind((Ipv4Addr::new(127, 77, host, 1), 0)).unwrap())
        .collect();
    let (to, pattern) = (edge.sip, Call::new(&edge, ANSWERS_AT_ONCE).await.text("INVITE"));
    let flood = tokio::task::spawn_blocking(move || {
        for number in 0..FLOOD {
            let text = pattern
                .replace("z9hG4bK", &format!("z9hG4bK{number}"))
                .replace("caller-", &format!("c{number}-"));
            sockets[number % sockets.len()].send_to(text.as_bytes(), to).unwrap();
        }
    });
    for _ in 0..10 {
        Call::up(&edge, &named, ANSWERS_AT_ONCE).await.hang_up().await;
    }
    flood.await.unwrap();
    until("the flood was looked at", async || {
        let seen = front(&edge, "unknown_answered").await + front(&edge, "unknown_unanswered").await;
        (seen > FLOOD as u64 / 10).then_some(())
    })
    .await;
    assert_eq!(edge.counts().await[..2], [10, 0], "only those that a trunk names are attempts");
    let log = edge.binary.log();
    let of_calls = log.lines().filter(|line| line.contains(" carrier_edge::attempt_log: ")).count();
    assert_eq!(of_calls, 20, "an admission and an end of each call: {log}");
    assert!(log.lines().count() - of_calls < 30, "{log}");
}

#[tokio::test]
async fn wrong_digests_get_rare_answers_and_hinder_neither_others_nor_who_was_right_before() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut owner = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    owner.hang_up().await;
    let mut guesser = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let challenge = guesser.attempt().await;
    for guess in 0..300 {
        let mut wrong = Answer::to(&challenge, &trunk, &guesser.uri());
        wrong.password = format!("guess {guess}");
        guesser.invite(&[format!("Authorization: {}", wrong.value())]).await;
    }
    until("guesses stay without an answer", async || {
        (front(&edge, "guesses_unanswered").await > 200).then_some(())
    })
    .await;
    edge.logs(&["too many wrong digests", &guesser.uac.local.ip().to_string()]).await;
    for from in [ipv4(&owner), source()] {
        let mut call = Call::over(Uac::udp_from(&edge, from).await, &edge, ANSWERS_AT_ONCE).await;
        assert_eq!(call.place(&trunk).await.code(), 200, "{from}");
        call.hang_up().await;
    }
    let challenged = edge.binary.log().lines().filter(|line| line.contains("challenged again")).count();
    assert!(challenged <= 20, "{challenged} lines");
}

/// Whether the other side closes a connection within this time.
async fn closes(stream: &mut TcpStream, patience: Duration) -> bool {
    let mut buffer = [0; 1_024];
    let read = async { while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {} };
    tokio::time::timeout(patience, read).await.is_ok()
}

#[tokio::test]
async fn a_connection_on_which_nothing_came_that_was_let_in_is_closed_soon() {
    let edge = Edge::start().await;
    let _named = edge.trunk(json!({ "authentication_method": credentials(&["127.100.0.0/16"], None) })).await;
    let mut silent = TcpStream::connect(edge.sip).await.unwrap();
    let mut stranger = TcpStream::connect(edge.sip).await.unwrap();
    let text = options(stranger.local_addr().unwrap(), "Content-Length: 0\r\n").replace("UDP", "TCP");
    stranger.write_all(text.as_bytes()).await.unwrap();
    let mut known = Uac::tcp(&edge).await;
    assert_eq!(known.options().await.code(), 200);
    assert!(closes(&mut silent, DEADLINE).await, "nothing came");
    assert!(closes(&mut stranger, DEADLINE).await, "no trunk names it");
    assert_eq!(known.options().await.code(), 200, "a trunk names it");
}
