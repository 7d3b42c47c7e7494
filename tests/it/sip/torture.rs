//! The torture messages of RFC 4475 and RFC 5118 (`fixtures/sip-torture`) against the real binary: each over
//! UDP and over TCP, from a source that a trunk names.
//!
//! An answer must be addressed to its request, and no message may affect the next one: over UDP it is followed
//! by a request on the same socket, over TCP by one in the same segment. Each transport has a server of its own:
//! for one server, the same bytes over another transport are a repeated request, which may be in progress.

mod beyond;
mod notation;
mod rfc4475;
mod rfc5118;

use serde_json::json;

use super::edge::{DEADLINE, Edge, Trunk};
use super::message::Message;
use super::uac::{Uac, unique};
use notation::{ending_of, expanded};

/// An edge with a trunk that any caller on loopback may use without a digest.
async fn open() -> (Edge, Trunk) {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    (edge, trunk)
}

/// Sends a message over UDP and TCP, and checks that both answers have this code. Returns the one over UDP.
async fn answered(name: &str, code: u16) -> Message {
    let (edge, _trunk) = open().await;
    let answer = over_udp(&edge, name).await;
    assert_eq!(answer.code(), code, "{name} over UDP: {answer:?}");
    let (edge, _trunk) = open().await;
    let answer_over_tcp = over_tcp(&edge, name).await;
    assert_eq!(answer_over_tcp.code(), code, "{name} over TCP: {answer_over_tcp:?}");
    is_addressed(&expanded(name), &answer);
    is_addressed(&expanded(name), &answer_over_tcp);
    answer
}

/// The final answer to a message over UDP.
async fn over_udp(edge: &Edge, name: &str) -> Message {
    let mut uac = Uac::udp(edge).await;
    let text = expanded(name);
    uac.send(&text).await;
    let answer = final_answer(&mut uac, name).await;
    uac.send(acknowledgement(&text, &answer)).await;
    assert_eq!(next_of_options(&mut uac, "UDP").await, 200, "{name} affects the next datagram");
    answer
}

/// The final answer to a message over TCP, where a request follows in the same segment.
async fn over_tcp(edge: &Edge, name: &str) -> Message {
    let mut uac = Uac::tcp(edge).await;
    let text = expanded(name);
    let (options, call) = options(&uac, "TCP");
    uac.send([text.as_slice(), options.as_bytes()].concat()).await;
    let mut answers = [None, None];
    while answers.iter().any(Option::is_none) {
        let message = uac.receive(DEADLINE).await.unwrap_or_else(|| panic!("{name} over TCP: {answers:?}"));
        if message.code() >= 200 {
            let is_of_options = message.header("Call-ID") == Some(call.as_str());
            answers[usize::from(is_of_options)].get_or_insert(message);
        }
    }
    let [answer, of_options] = answers.map(Option::unwrap);
    assert_eq!(of_options.code(), 200, "{name} affects the next message of its segment");
    answer
}

/// Sends a message that must not be answered, over UDP and TCP.
async fn ignored(name: &str) {
    let (edge, _trunk) = open().await;
    let mut uac = Uac::udp(&edge).await;
    uac.send(expanded(name)).await;
    assert_eq!(next_of_options(&mut uac, "UDP").await, 200, "{name} over UDP");
    let mut uac = Uac::tcp(&edge).await;
    let (options, _) = options(&uac, "TCP");
    uac.send([expanded(name).as_slice(), options.as_bytes()].concat()).await;
    let next = uac.receive(DEADLINE).await.unwrap();
    assert_eq!((next.code(), next.method()), (200, "OPTIONS"), "{name} over TCP: {next:?}");
    assert_eq!(Uac::udp(&edge).await.options().await.code(), 200);
}

/// Sends a message whose end is unknown in a stream. Over UDP it is answered with 400, and nothing else
/// suffers; over TCP as well, and the connection is closed.
async fn refused_without_an_end(name: &str) {
    let (edge, _trunk) = open().await;
    let answer = over_udp(&edge, name).await;
    assert_eq!(answer.code(), 400, "{name} over UDP: {answer:?}");
    is_addressed(&expanded(name), &answer);
    let mut uac = Uac::tcp(&edge).await;
    uac.send(expanded(name)).await;
    let answer = uac.receive(DEADLINE).await.unwrap();
    assert_eq!(answer.code(), 400, "{name} over TCP: {answer:?}");
    assert_eq!(Uac::tcp(&edge).await.options().await.code(), 200, "another connection is not affected");
}

async fn final_answer(uac: &mut Uac, name: &str) -> Message {
    loop {
        let message = uac.receive(DEADLINE).await.unwrap_or_else(|| panic!("{name} has no answer"));
        if message.code() >= 200 {
            return message;
        }
    }
}

/// The code of the next final answer after an OPTIONS is sent, which must be the answer to it.
async fn next_of_options(uac: &mut Uac, transport: &str) -> u16 {
    let (text, call) = options(uac, transport);
    uac.send(&text).await;
    loop {
        let message = uac.receive(DEADLINE).await.expect("an answer to OPTIONS");
        if message.header("Call-ID") == Some(call.as_str()) {
            return message.code();
        }
        // A refusal of an INVITE may be repeated until its ACK has arrived.
        assert!(message.method() == "INVITE" && message.code() >= 300, "unexpected: {message:?}");
    }
}

fn options(uac: &Uac, transport: &str) -> (String, String) {
    let (local, call) = (uac.local, unique());
    let text = format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK-{call}\r\n\
         From: <sip:probe@{local}>;tag={call}\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {call}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    (text, call)
}

/// The ACK of a refused INVITE; an empty datagram for another method.
fn acknowledgement(request: &[u8], answer: &Message) -> String {
    if answer.method() != "INVITE" {
        return "\r\n".to_owned();
    }
    let text = String::from_utf8_lossy(request);
    let uri = text.split(' ').nth(1).unwrap_or_default();
    let copied: String = ["Via", "From", "To", "Call-ID"]
        .iter()
        .filter_map(|name| Some(format!("{name}: {}\r\n", answer.header(name)?)))
        .collect();
    format!("ACK {uri} SIP/2.0\r\n{copied}CSeq: {} ACK\r\nContent-Length: 0\r\n\r\n", answer.sequence())
}

/// Checks that an answer carries what the sender finds its transaction by: the branch of the first `Via`,
/// `Call-ID` and `CSeq`, as far as the request has them.
fn is_addressed(request: &[u8], answer: &Message) {
    let via = answer.header("Via").expect("an answer has a Via");
    for name in [["branch"; 2], ["Call-ID", "i"], ["CSeq", "CSeq"]] {
        let Some(wanted) = ending_of(request, name) else { continue };
        let found = if name[0] == "branch" { via } else { answer.header(name[0]).unwrap_or_default() };
        let squeezed: String = found.split_whitespace().collect();
        assert!(squeezed.contains(&wanted), "{wanted} in {answer:?}");
    }
}
