//! Requirements of the standards that no test of a feature shows; `docs/conformance-sip.md` names them.

use std::time::Duration;

use serde_json::json;
use tokio::net::UdpSocket;

use super::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, FOREIGN_NUMBER, Trunk, source};
use super::media::hears_its_echo;
use super::message::Message;
use super::uac::{Call, Uac, offer, unique};

/// The destination that rings until the call is cancelled.
const RINGS: &str = "9990180";
/// Longer than the interval between the first two retransmissions over UDP.
const RETRANSMISSION_WAIT: Duration = Duration::from_millis(1_800);
/// Longer than the longest interval between two retransmissions over UDP (T2).
const LONGEST_INTERVAL: Duration = Duration::from_secs(6);

async fn open() -> (Edge, Trunk) {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    (edge, trunk)
}

/// The next final response to the last INVITE. Nothing is acknowledged, and nothing sent again.
async fn next_final(call: &mut Call) -> Option<Message> {
    loop {
        let message = call.uac.receive(RETRANSMISSION_WAIT).await?;
        if message.code() >= 200 && message.method() == "INVITE" {
            return Some(message);
        }
    }
}

/// A request of the same transaction as the last INVITE, without a body.
fn beside_the_invite(call: &Call, method: &str, further: &str) -> String {
    let text = call.sent.replace("INVITE sip", &format!("{method} sip"));
    let text = text.replace(" INVITE\r\n", &format!(" {method}\r\n"));
    format!("{}{further}Content-Length: 0\r\n\r\n", text.split_once("Content-Type").unwrap().0)
}

#[tokio::test]
async fn responses_that_make_a_dialog_have_one_tag_a_contact_and_the_recorded_routes() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, "9990183").await;
    let routes = ["<sip:127.0.0.1:5999;lr>, <sip:127.0.0.2:5999;lr>", "<sip:127.0.0.3:5999;lr>"];
    call.headers = routes.iter().map(|route| format!("Record-Route: {route}")).collect();
    let answer = call.attempt().await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    let progress = call.provisional.iter().find(|message| message.code() == 183).unwrap();
    for response in [progress, &answer] {
        assert_eq!(response.header("To"), answer.header("To"));
        assert!(response.header("To").unwrap().contains(";tag="), "{response:?}");
        assert!(response.header("Contact").is_some(), "{response:?}");
        assert_eq!(response.headers("Record-Route").collect::<Vec<_>>(), routes, "{response:?}");
    }
    call.acknowledge().await;
}

#[tokio::test]
async fn a_repeated_invite_receives_the_last_response_again() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, RINGS).await;
    call.invite(&[]).await;
    let first = call.ringing(180).await;
    assert!(call.uac.receive(RETRANSMISSION_WAIT).await.is_none(), "it is not repeated by itself");
    let text = call.sent.clone();
    call.uac.send(&text).await;
    assert_eq!(format!("{:?}", call.ringing(180).await), format!("{first:?}"));
    assert_eq!(edge.active().await.len(), 1);
    call.cancel().await;
    assert_eq!(call.answer().await.code(), 487);
}

#[tokio::test]
async fn an_invite_that_is_repeated_after_its_ack_receives_the_answer_without_its_description() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.headers = vec!["Record-Route: <sip:127.0.0.1:5999;lr>".to_owned()];
    call.invite(&[]).await;
    let text = call.sent.clone();
    let first = call.answer().await;
    assert_eq!(first.code(), 200, "{first:?}");
    call.acknowledge().await;
    let mut again = None;
    for _ in 0..5 {
        // While its ACK is on its way, a copy is absorbed.
        call.uac.send(&text).await;
        again = next_final(&mut call).await;
        if again.as_ref().is_some_and(|again| again.body.is_empty()) {
            break;
        }
    }
    let again = again.expect("a repeated INVITE is answered");
    assert_eq!(again.code(), 200, "{again:?}");
    for name in ["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Record-Route"] {
        assert_eq!(again.header(name), first.header(name), "{again:?}");
    }
    assert_eq!(again.header("Content-Length"), Some("0"), "{again:?}");
    assert!(again.header("Content-Type").is_none() && again.body.is_empty(), "{again:?}");
    assert_eq!((edge.active().await.len(), edge.counts().await[2]), (1, 1), "it is no second call");
    call.hang_up().await;
}

#[tokio::test]
async fn a_refusal_is_repeated_over_udp_until_its_ack_and_not_over_tcp() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, "9990404").await;
    call.invite(&[]).await;
    let first = next_final(&mut call).await.unwrap();
    let again = next_final(&mut call).await.expect("it is repeated");
    assert_eq!((first.code(), format!("{again:?}")), (404, format!("{first:?}")));
    call.answer().await;
    while next_final(&mut call).await.is_some() {
        assert_eq!(edge.counts().await[2], 1, "it was on its way before the ACK");
    }
    let mut call = Call::over(Uac::tcp(&edge).await, &edge, "9990404").await;
    call.invite(&[]).await;
    assert_eq!(next_final(&mut call).await.unwrap().code(), 404);
    assert!(next_final(&mut call).await.is_none(), "a stream loses nothing");
}

#[tokio::test]
async fn a_challenge_is_repeated_until_an_ack_with_its_tag_and_its_number() {
    let edge = Edge::start().await;
    let _trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.invite(&[]).await;
    let challenge = next_final(&mut call).await.unwrap();
    assert_eq!(challenge.code(), 401, "{challenge:?}");
    let without_tag = beside_the_invite(&call, "ACK", "");
    let line = |name: &str| without_tag.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let right = without_tag.replacen(&line("To: "), &format!("To: {}", challenge.header("To").unwrap()), 1);
    let of_another = right.replacen(&line("CSeq: "), "CSeq: 99 ACK", 1);
    for wrong in [&without_tag, &of_another] {
        call.uac.send(wrong).await;
        assert_eq!(next_final(&mut call).await.expect("it is repeated").code(), 401);
    }
    call.uac.send(&right).await;
    assert!(call.uac.receive(LONGEST_INTERVAL).await.is_none(), "it is not repeated any more");
}

#[tokio::test]
async fn a_refusal_that_is_never_acknowledged_is_repeated_for_32_seconds_and_not_longer() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, "9990404").await;
    call.invite(&[]).await;
    let mut received = 0;
    while let Some(message) = call.uac.receive(LONGEST_INTERVAL).await {
        received += u32::from(message.code() == 404);
        // After 0, 0.5, 1.5, 3.5, 7.5 and then each 4 seconds, at most until 31.5.
        assert!(received <= 11, "{received} after more than 32 seconds");
    }
    assert!(received >= 9, "{received}");
}

#[tokio::test]
async fn an_invite_without_a_branch_of_rfc_3261_is_matched_by_its_call_id_tag_and_number() {
    let (edge, _trunk) = open().await;
    for branch in ["", ";branch=1"] {
        let mut call = Call::new(&edge, RINGS).await;
        let text = call.text("INVITE");
        let via = text.lines().find(|line| line.starts_with("Via: ")).unwrap();
        let (sent_by, _) = via.split_once(";branch=").unwrap();
        let text = text.replacen(via, &format!("{sent_by}{branch}"), 1);
        call.sent = text.clone();
        call.uac.send(&text).await;
        let first = call.ringing(180).await;
        call.uac.send(&text).await;
        assert_eq!(format!("{:?}", call.ringing(180).await), format!("{first:?}"));
        assert_eq!(edge.active().await.len(), 1);
        let cancel = beside_the_invite(&call, "CANCEL", "");
        call.uac.send(&cancel).await;
        let is_of_cancel = |message: &Message| message.method() == "CANCEL";
        assert_eq!(call.uac.expect("an answer", Some(&cancel), is_of_cancel).await.code(), 200);
        let refusal = next_final(&mut call).await.expect("it is repeated");
        assert_eq!(refusal.code(), 487);
        let to = text.lines().find(|line| line.starts_with("To: ")).unwrap();
        let tagged = format!("To: {}", refusal.header("To").unwrap());
        let ack = beside_the_invite(&call, "ACK", "").replacen(to, &tagged, 1);
        call.uac.send(&ack).await;
        let mut late = 0;
        while call.uac.receive(LONGEST_INTERVAL).await.is_some() {
            late += 1;
            assert!(late < 3, "the ACK ends the repetitions");
        }
        edge.calls_up(0).await;
    }
}

#[tokio::test]
async fn a_request_with_the_branch_of_another_method_is_another_transaction() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, RINGS).await;
    call.invite(&[]).await;
    call.ringing(180).await;
    let options = beside_the_invite(&call, "OPTIONS", "");
    call.uac.send(&options).await;
    let is_of_options = |message: &Message| message.method() == "OPTIONS";
    assert_eq!(call.uac.expect("an answer", Some(&options), is_of_options).await.code(), 200);
    assert_eq!(edge.active().await.len(), 1);
    call.cancel().await;
    assert_eq!(call.answer().await.code(), 487);
}

#[tokio::test]
async fn require_in_an_ack_and_a_cancel_is_ignored() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, RINGS).await;
    call.invite(&[]).await;
    call.ringing(180).await;
    let cancel = beside_the_invite(&call, "CANCEL", "Require: x\r\nProxy-Require: y\r\n");
    call.uac.send(&cancel).await;
    let is_of_cancel = |message: &Message| message.method() == "CANCEL";
    assert_eq!(call.uac.expect("an answer", Some(&cancel), is_of_cancel).await.code(), 200);
    assert_eq!(call.answer().await.code(), 487);

    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.attempt().await.code(), 200);
    let plain = call.contact.clone();
    call.contact.push("Require: x\r\nProxy-Require: y".to_owned());
    call.acknowledge().await;
    call.contact = plain;
    while next_final(&mut call).await.is_some() {
        assert_eq!(edge.active().await.len(), 1, "it was on its way before the ACK");
    }
    call.hang_up().await;
}

#[tokio::test]
async fn the_scheme_of_the_uri_in_to_is_not_inspected() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let text = call.text("INVITE");
    let line = text.lines().find(|line| line.starts_with("To: ")).unwrap().to_owned();
    call.sent = text.replace(&line, "To: <isbn:2983792873>");
    let text = call.sent.clone();
    call.uac.send(&text).await;
    assert_eq!(call.answer().await.code(), 200);
    call.acknowledge().await;
    call.hang_up().await;
}

#[tokio::test]
async fn options_is_answered_with_what_is_allowed_accepted_and_supported() {
    let edge = Edge::start().await;
    for is_known in [false, true] {
        if is_known {
            edge.trunk(json!({})).await;
        }
        let answer = Uac::udp(&edge).await.options().await;
        let allow = answer.header("Allow").unwrap();
        for method in ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "PRACK"] {
            assert!(allow.split(", ").any(|allowed| allowed == method), "{method}: {answer:?}");
        }
        assert_eq!(answer.header("Accept"), Some("application/sdp, multipart/mixed"));
        assert_eq!(answer.header("Supported"), Some("timer, 100rel"));
    }
}

#[tokio::test]
async fn a_via_in_an_answer_names_the_source_of_its_request() {
    let (edge, _trunk) = open().await;
    let mut uac = Uac::udp(&edge).await;
    let (local, call) = (uac.local, unique());
    uac.send(format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP pbx.example.com:9;rport;branch=z9hG4bK-{call}\r\n\
         From: <sip:probe@{local}>;tag={call}\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ))
    .await;
    let answer = uac.receive(DEADLINE).await.unwrap();
    let via = answer.header("Via").unwrap();
    assert!(via.starts_with("SIP/2.0/UDP pbx.example.com:9;"), "{via}");
    let parameters: Vec<&str> = via.split(';').skip(1).collect();
    for wanted in [format!("received={}", local.ip()), format!("rport={}", local.port())] {
        assert!(parameters.contains(&wanted.as_str()), "{wanted} in {via}");
    }
}

/// The next message at a socket that is no provisional response.
async fn heard_at(socket: &UdpSocket) -> Message {
    let mut buffer = [0; 4_096];
    loop {
        let heard = tokio::time::timeout(DEADLINE, socket.recv(&mut buffer)).await;
        let message = Message::parse(&buffer[..heard.expect("a message comes").unwrap()]);
        if !(100..200).contains(&message.code()) {
            return message;
        }
    }
}

#[tokio::test]
async fn a_caller_that_receives_at_another_port_than_it_sends_from_is_answered_and_hung_up_there() {
    let (edge, trunk) = open().await;
    let ip = source();
    let (sender, listener) =
        (UdpSocket::bind((ip, 0)).await.unwrap(), UdpSocket::bind((ip, 0)).await.unwrap());
    let (own, sdp) = (listener.local_addr().unwrap(), offer(sender.local_addr().unwrap()));
    let request = |method: &str, via: &str, to: &str, further: &str| {
        let id = if method == "OPTIONS" { unique() } else { format!("asymmetric-{own}") };
        format!(
            "{method} sip:{ANSWERS_AT_ONCE}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK-{}\r\n\
             From: <sip:{FOREIGN_NUMBER}@{own}>;tag=caller\r\nTo: {to}\r\nCall-ID: {id}\r\n\
             CSeq: 1 {method}\r\nContact: <sip:pbx@{own}>\r\nMax-Forwards: 70\r\n{further}",
            unique()
        )
    };
    let to = format!("<sip:{ANSWERS_AT_ONCE}@127.0.0.1>");
    for (via, at) in [
        (own.to_string(), &listener),
        (format!("{own};rport"), &sender),
        // Behind address translation, the source port alone leads back.
        (format!("192.168.0.7:{}", own.port()), &sender),
    ] {
        let text = request("OPTIONS", &via, &to, "Content-Length: 0\r\n\r\n");
        sender.send_to(text.as_bytes(), edge.sip).await.unwrap();
        assert_eq!(heard_at(at).await.code(), 200, "{via}");
    }
    let described = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    let invite = request("INVITE", &own.to_string(), &to, &described);
    sender.send_to(invite.as_bytes(), edge.sip).await.unwrap();
    let answer = heard_at(&listener).await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    let ack = request("ACK", &own.to_string(), answer.header("To").unwrap(), "Content-Length: 0\r\n\r\n");
    sender.send_to(ack.as_bytes(), edge.sip).await.unwrap();
    let id = edge.active().await[0]["id"].as_str().unwrap().to_owned();
    edge.control.delete(&format!("/calls/active/{id}")).await;
    // An ACK that comes late finds the answer repeated.
    let bye = loop {
        let message = heard_at(&listener).await;
        if message.code() == 0 {
            break message;
        }
    };
    assert_eq!(bye.method(), "BYE", "{bye:?}");
    sender.send_to(bye.answered("200 OK").as_bytes(), edge.sip).await.unwrap();
    assert_eq!(edge.record(&trunk, 1).await["hung_up_by"], "operator");
    assert!(
        sender.try_recv(&mut [0; 8]).is_err(),
        "nothing of the call comes to the port that it is sent from"
    );
}

#[tokio::test]
async fn a_bye_before_the_answer_ends_the_invite_with_487() {
    let (edge, trunk) = open().await;
    let mut call = Call::new(&edge, RINGS).await;
    call.invite(&[]).await;
    call.ringing(180).await;
    let invite = call.sequence;
    assert_eq!(call.request("BYE", &[], "").await.code(), 200);
    call.sequence = invite;
    assert_eq!(call.answer().await.code(), 487);
    assert_eq!(edge.record(&trunk, 1).await["disconnect_code"], 487);
}

#[tokio::test]
async fn an_update_with_an_offer_that_does_not_fit_is_answered_488_and_changes_nothing() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let (at, _) = call.attempt().await.media();
    call.acknowledge().await;
    for (from, to) in [("RTP/AVP 8 0 101", "RTP/AVP 31"), ("RTP/AVP", "RTP/SAVP")] {
        let offer = call.offer.replace(from, to);
        assert_eq!(call.request("UPDATE", &[], &offer).await.code(), 488, "{to}");
    }
    hears_its_echo(&call, at, 1).await;
    call.hang_up().await;
}

#[tokio::test]
async fn an_answer_has_a_line_for_each_stream_and_port_zero_for_those_that_are_refused() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let video = "m=video 5000 RTP/AVP 31\r\n";
    call.offer = call.offer.replace("m=audio", &format!("{video}m=audio")) + "m=audio 5002 RTP/AVP 0\r\n";
    let answer = call.attempt().await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    let lines: Vec<&str> = answer.body.lines().filter(|line| line.starts_with("m=")).collect();
    let [first, second, third] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!([*first, *third], ["m=video 0 RTP/AVP 31", "m=audio 0 RTP/AVP 0"]);
    assert!(second.starts_with("m=audio ") && second.ends_with(" RTP/AVP 8 101"), "{lines:?}");
    assert!(!second.contains(" 0 RTP"), "{lines:?}");
    call.acknowledge().await;
    call.hang_up().await;
}

#[tokio::test]
async fn keys_in_an_offer_are_left_out_of_the_answer_where_the_trunk_has_no_encryption() {
    let (edge, _trunk) = open().await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.offer += "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";
    let answer = call.attempt().await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    let (at, audio) = answer.media();
    assert!(audio.ends_with(" RTP/AVP 8 101") && !answer.body.contains("crypto"), "{answer:?}");
    call.acknowledge().await;
    hears_its_echo(&call, at, 1).await;
    call.hang_up().await;
}
