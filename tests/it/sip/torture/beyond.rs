//! Cases that the torture messages suggest, but do not contain.

use super::{final_answer, open};
use crate::sip::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge};
use crate::sip::message::Message;
use crate::sip::uac::{Call, Uac, unique};

/// The answer to an INVITE that is changed before it is sent.
async fn changed(edge: &Edge, change: impl FnOnce(String) -> String) -> (Call, Message) {
    let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
    let text = change(call.text("INVITE"));
    call.sent = text.clone();
    call.uac.send(&text).await;
    let answer = call.answer().await;
    (call, answer)
}

/// The answer to an INVITE that is changed so that its transaction may be unknown.
async fn refused(edge: &Edge, change: impl FnOnce(String) -> String) -> Message {
    let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
    let text = change(call.text("INVITE"));
    call.uac.send(&text).await;
    final_answer(&mut call.uac, &text).await
}

#[tokio::test]
async fn a_caller_without_a_tag_places_a_call_that_both_sides_can_end() {
    let (edge, trunk) = open().await;
    for (round, ends_it) in ["caller", "edge"].into_iter().enumerate() {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        call.untagged();
        let answer = call.attempt().await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        assert_eq!(answer.header("From"), Some(call.from.as_str()), "as it was sent");
        call.acknowledge().await;
        if ends_it == "caller" {
            call.hang_up().await;
        } else {
            let id = edge.active().await[0]["id"].as_str().unwrap().to_owned();
            edge.control.delete(&format!("/calls/active/{id}")).await;
            let bye = call.hung_up().await;
            assert_eq!(bye.header("To"), Some(call.from.as_str()), "as it was sent");
        }
        let record = edge.record(&trunk, round + 1).await;
        assert_eq!(record["success"], true, "{record}");
        assert!(!record.to_string().contains("untagged"), "{record}");
    }
    edge.calls_up(0).await;
}

#[tokio::test]
async fn blanks_folds_and_letter_case_that_the_grammar_permits_change_nothing() {
    let (edge, _trunk) = open().await;
    for (from, to) in [
        (";tag=", " ;\r\n\ttag = "),
        ("SIP/2.0/UDP ", "SIP / 2.0\r\n /  UDP\t"),
        (";branch=", " ; branch\r\n = "),
        (" SIP/2.0\r\n", " sip/2.0\r\n"),
        ("CSeq: 1 INVITE", "cseq : 0001\r\n INVITE"),
    ] {
        let (mut call, answer) = changed(&edge, |text| text.replacen(from, to, 1)).await;
        assert_eq!(answer.code(), 200, "{to:?}: {answer:?}");
        call.acknowledge().await;
        call.hang_up().await;
    }
}

#[tokio::test]
async fn a_name_that_is_no_utf_8_hides_no_header_after_it() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let text = call.text("INVITE");
    let (before, after) = text.split_once("Max-Forwards").unwrap();
    call.sent = text.clone();
    call.uac.send([before.as_bytes(), b"Subject: Andr\xe9\r\nMax-Forwards", after.as_bytes()].concat()).await;
    assert_eq!(call.answer().await.code(), 200);
    call.acknowledge().await;
    call.hang_up().await;
}

#[tokio::test]
async fn what_the_grammar_does_not_permit_is_a_bad_request() {
    let (edge, _trunk) = open().await;
    for (from, to) in [
        ("INVITE sip:", "INVITE\tsip:"),
        ("INVITE sip:9990200@127.0.0.1", "INVITE \"sip:9990200@127.0.0.1\""),
        ("INVITE sip:9990200@127.0.0.1", "INVITE sip:9990200@127.0.0.1?Subject=x"),
        ("From: <sip:", "From: \"A <sip:"),
        ("From: <sip:", "From: <"),
        ("To: <sip:9990200", "To: <9990200"),
        ("Via: SIP/2.0/UDP", "Via: UDP"),
        ("CSeq: 1 INVITE", "CSeq: 2147483648 INVITE"),
        ("CSeq: 1 INVITE", "CSeq: -1 INVITE"),
        ("CSeq: 1 INVITE", "CSeq: 1"),
        ("Max-Forwards: 70", "Expires: 1\r\nExpires: 2"),
        ("Max-Forwards: 70", "Max-Forwards: many"),
    ] {
        let answer = refused(&edge, |text| text.replacen(from, to, 1)).await;
        assert_eq!(answer.code(), 400, "{to:?}: {answer:?}");
    }
    let answer = refused(&edge, |text| text.replace("INVITE", "invite")).await;
    assert_eq!(answer.code(), 501, "methods are case-sensitive: {answer:?}");
}

#[tokio::test]
async fn a_datagram_that_ends_in_its_headers_is_answered_with_400_and_logged() {
    let (edge, _trunk) = open().await;
    let mut uac = Uac::udp(&edge).await;
    let (local, call) = (uac.local, unique());
    uac.send(format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-{call}\r\nCall-ID: {call}\r\n"
    ))
    .await;
    let answer = uac.receive(DEADLINE).await.unwrap();
    assert_eq!((answer.code(), answer.header("Call-ID")), (400, Some(call.as_str())));
    edge.logs(&["an unreadable message was received", &local.to_string(), &call, "no empty line"]).await;
}

#[tokio::test]
async fn a_keep_alive_is_answered_with_a_pong_over_udp_and_tcp() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (edge, _trunk) = open().await;
    let mut pong = [0; 4];
    let socket = tokio::net::UdpSocket::bind((crate::sip::edge::source(), 0)).await.unwrap();
    socket.send_to(b"\r\n\r\n", edge.sip).await.unwrap();
    let heard = tokio::time::timeout(DEADLINE, socket.recv(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong[..heard], b"\r\n");
    let mut stream = tokio::net::TcpStream::connect(edge.sip).await.unwrap();
    stream.write_all(b"\r\n\r\n").await.unwrap();
    let heard = tokio::time::timeout(DEADLINE, stream.read(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong[..heard], b"\r\n");
}

#[tokio::test]
async fn a_number_is_read_together_with_its_phone_context() {
    let (edge, trunk) = open().await;
    for (count, uri) in [
        "tel:2079460018;phone-context=+44",
        "tel:20-7946-0018;phone-context=+44",
        "tel:+44-20-7946-0018",
        "sip:2079460018;phone-context=+44@127.0.0.1;user=phone",
    ]
    .into_iter()
    .enumerate()
    {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        call.uri = Some(uri.to_owned());
        assert_eq!(call.attempt().await.code(), 200, "{uri}");
        call.acknowledge().await;
        call.hang_up().await;
        let record = edge.record(&trunk, count + 1).await;
        assert_eq!(record["dst_number"], "+442079460018", "{uri}: {record}");
    }
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.uri = Some("tel:0018;phone-context=pbx.example.com".to_owned());
    let answer = call.attempt().await;
    assert_eq!(answer.code(), 484, "a number of a private plan: {answer:?}");
    assert!(answer.header("X-Refusal").is_some_and(|why| why.contains("phone-context")), "{answer:?}");
}
