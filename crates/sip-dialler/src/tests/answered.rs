//! Tests of the answer: its ACK, reliable responses before it, and forks.

use tokio::net::UdpSocket;

use super::carrier::{Carrier, description};
use super::{
    EVENT_TIMEOUT, LegEnd, LegEvent, dialler, ended, established, hang_up, idle, next, placed,
    with_short_timers,
};

#[tokio::test]
async fn a_call_rings_is_answered_and_hung_up() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    carrier.answer(&invite, "100 Trying", "", "").await;
    carrier.answer(&invite, "180 Ringing", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    carrier.pick_up(&invite, "", 4000).await;
    let ack = carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    assert_eq!(
        ack.uri(),
        format!("sip:far#1%23@{};transport=udp", carrier.address),
        "the contact is used unchanged"
    );
    assert_eq!(
        (ack.header("CSeq"), ack.header("To")),
        ("1 ACK", format!("{};tag=far", invite.header("To")).as_str())
    );
    assert_ne!(ack.branch(), invite.branch());
    assert!(ack.all("Route").is_empty() && ack.body.is_empty());
    leg.hang_up();
    let bye = carrier.expect("BYE").await;
    assert_eq!((bye.uri(), bye.header("CSeq")), (ack.uri(), "2 BYE"));
    assert_eq!((bye.header("From"), bye.header("To")), (invite.header("From"), ack.header("To")));
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
    idle(&dialler).await;
}

#[tokio::test]
async fn a_retransmitted_answer_is_acknowledged_again_during_the_call_and_after_it() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    carrier.pick_up(&invite, "", 4000).await;
    let ack = carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    carrier.pick_up(&invite, "", 4000).await;
    assert_eq!(carrier.expect("ACK").await.headers, ack.headers);
    hang_up(&mut leg, &mut carrier).await;
    carrier.pick_up(&invite, "", 4000).await;
    assert_eq!(carrier.expect("ACK").await.headers, ack.headers);
}

#[tokio::test]
async fn requests_pass_the_recorded_routes_backwards() {
    let dialler = dialler().await;
    let (mut carrier, mut proxy) = (Carrier::udp().await, Carrier::udp().await);
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let near = proxy.address;
    let routes = format!(
        "Record-Route: <sip:10.0.0.1;lr>, <sip:10.0.0.2;lr>\r\nRecord-Route: <sip:{near};lr;r2=on>\r\n"
    );
    carrier.pick_up(&invite, &routes, 4000).await;
    let ack = proxy.expect("ACK").await;
    assert_eq!(ack.uri(), format!("sip:far#1%23@{};transport=udp", carrier.address));
    let expected =
        [format!("<sip:{near};lr;r2=on>"), "<sip:10.0.0.2;lr>".to_owned(), "<sip:10.0.0.1;lr>".to_owned()];
    assert_eq!(ack.all("Route"), expected);
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    leg.hang_up();
    let bye = proxy.expect("BYE").await;
    assert_eq!((bye.all("Route"), bye.uri()), (ack.all("Route"), ack.uri()));
    proxy.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

#[tokio::test]
async fn a_strict_router_is_the_target_itself() {
    let dialler = dialler().await;
    let (mut carrier, mut proxy) = (Carrier::udp().await, Carrier::udp().await);
    let (_leg, invite) = placed(&dialler, &mut carrier).await;
    let routes = format!("Record-Route: <sip:10.0.0.1;lr>\r\nRecord-Route: <sip:{}>\r\n", proxy.address);
    carrier.pick_up(&invite, &routes, 4000).await;
    let ack = proxy.expect("ACK").await;
    assert_eq!(ack.uri(), format!("sip:{}", proxy.address));
    let target = format!("<sip:far#1%23@{};transport=udp>", carrier.address);
    assert_eq!(ack.all("Route"), ["<sip:10.0.0.1;lr>", target.as_str()]);
}

#[tokio::test]
async fn each_early_dialog_of_a_fork_has_its_responses_acknowledged() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let contact = carrier.contact();
    let reliable = |number: u32| format!("{contact}Require: 100rel\r\nRSeq: {number}\r\n");
    for (tag, number) in [("far", 1), ("other", 900), ("other", 901), ("far", 2)] {
        carrier.tag = tag.to_owned();
        carrier.answer(&invite, "183 Session Progress", &reliable(number), &description(4000)).await;
        let prack = carrier.expect("PRACK").await;
        assert_eq!(prack.header("RAck"), format!("{number} 1 INVITE"));
        assert!(prack.header("To").ends_with(&format!(";tag={tag}")), "{prack:?}");
        let sequence = if matches!(number, 1 | 900) { "2 PRACK" } else { "3 PRACK" };
        assert_eq!(prack.header("CSeq"), sequence, "each dialog has its own numbers");
        carrier.answer(&prack, "200 OK", "", "").await;
    }
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
    carrier.tag = "other".to_owned();
    carrier.answer(&invite, "200 OK", &contact, "").await;
    let ack = carrier.expect("ACK").await;
    assert!(ack.header("To").ends_with(";tag=other"), "{ack:?}");
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    leg.hang_up();
    let bye = carrier.expect("BYE").await;
    assert_eq!(bye.header("CSeq"), "4 BYE");
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

#[tokio::test]
async fn of_several_answers_the_first_is_kept_and_the_others_are_hung_up() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = established(&dialler, &mut carrier, "").await;
    carrier.tag = "other".to_owned();
    carrier.pick_up(&invite, "", 4002).await;
    let ack = carrier.expect("ACK").await;
    assert!(ack.header("To").ends_with(";tag=other"), "{ack:?}");
    let bye = carrier.expect("BYE").await;
    assert!(bye.header("To").ends_with(";tag=other"), "{bye:?}");
    carrier.answer(&bye, "200 OK", "", "").await;
    carrier.pick_up(&invite, "", 4002).await;
    let again = carrier.expect("ACK").await;
    assert_eq!(again.headers, ack.headers, "it is acknowledged again, but hung up only once");
    carrier.tag = "far".to_owned();
    carrier.request(&invite, "BYE", 7, "", "").await;
    assert_eq!(carrier.next().await.code(), 200);
    assert_eq!(ended(&mut leg).await, LegEnd::HungUp);
    // Another answer after the end of the call.
    carrier.tag = "late".to_owned();
    carrier.pick_up(&invite, "", 4004).await;
    assert!(carrier.expect("ACK").await.header("To").ends_with(";tag=late"));
    assert!(carrier.expect("BYE").await.header("To").ends_with(";tag=late"));
}

#[tokio::test]
async fn a_reliable_provisional_response_is_acknowledged_once() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let reliable = |number: u32, contact: &str| format!("{contact}Require: 100rel\r\nRSeq: {number}\r\n");
    let contact = carrier.contact();
    carrier.answer(&invite, "183 Session Progress", &reliable(4711, &contact), &description(4000)).await;
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
    let prack = carrier.expect("PRACK").await;
    assert_eq!((prack.header("RAck"), prack.header("CSeq")), ("4711 1 INVITE", "2 PRACK"));
    assert!(prack.header("To").ends_with(";tag=far"), "{prack:?}");
    carrier.answer(&prack, "200 OK", "", "").await;
    carrier.answer(&invite, "183 Session Progress", &reliable(4711, &contact), &description(4000)).await;
    carrier.answer(&invite, "180 Ringing", &reliable(4712, &contact), "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    let prack = carrier.expect("PRACK").await;
    assert_eq!((prack.header("RAck"), prack.header("CSeq")), ("4712 1 INVITE", "3 PRACK"));
    carrier.answer(&prack, "200 OK", "", "").await;
    // The session description was in a reliable response.
    carrier.answer(&invite, "200 OK", &contact, "").await;
    assert_eq!(carrier.expect("ACK").await.header("CSeq"), "1 ACK");
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    leg.hang_up();
    assert_eq!(carrier.expect("BYE").await.header("CSeq"), "4 BYE");
}

#[tokio::test]
async fn the_reliable_provisional_responses_of_each_fork_are_acknowledged_in_its_own_dialog() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let mut elsewhere = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let contacts = [carrier.contact(), elsewhere.contact()];
    for (number, prack_number) in [(10, "2 PRACK"), (11, "3 PRACK")] {
        for (tag, contact) in ["one", "two"].iter().zip(&contacts) {
            carrier.tag = (*tag).to_owned();
            let reliable = format!("{contact}Require: 100rel\r\nRSeq: {number}\r\n");
            carrier.answer(&invite, "183 Session Progress", &reliable, &description(4000)).await;
            let at = if *tag == "one" { &mut carrier } else { &mut elsewhere };
            let prack = at.expect("PRACK").await;
            assert_eq!(prack.header("RAck"), format!("{number} 1 INVITE"));
            assert_eq!(prack.header("CSeq"), prack_number);
            assert!(prack.header("To").ends_with(&format!(";tag={tag}")), "{prack:?}");
            at.answer(&prack, "200 OK", "", "").await;
        }
    }
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
}

#[tokio::test]
async fn a_description_after_the_answer_is_ignored() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let contact = carrier.contact();
    for (number, port) in [(1, receiver.local_addr().unwrap().port()), (2, 4002)] {
        let reliable = format!("{contact}Require: 100rel\r\nRSeq: {number}\r\n");
        carrier.answer(&invite, "183 Session Progress", &reliable, &description(port)).await;
        let prack = carrier.expect("PRACK").await;
        carrier.answer(&prack, "200 OK", "", "").await;
    }
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
    carrier.pick_up(&invite, "", 4004).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    let mut packet = [0; 400];
    let came = tokio::time::timeout(EVENT_TIMEOUT, receiver.recv_from(&mut packet)).await;
    let (_, from) = came.expect("silence is sent to the address of the first description").unwrap();
    assert_eq!(from.port(), invite.media());
}

#[tokio::test]
async fn an_answer_without_a_description_has_the_one_of_its_ringing() {
    let dialler = dialler().await;
    for is_repeated in [false, true] {
        let mut carrier = Carrier::udp().await;
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = receiver.local_addr().unwrap().port();
        let (mut leg, invite) = placed(&dialler, &mut carrier).await;
        let contact = carrier.contact();
        let early = if is_repeated { 4000 } else { port };
        carrier.answer(&invite, "183 Session Progress", &contact, &description(early)).await;
        assert_eq!(next(&mut leg).await, LegEvent::Progress);
        let late = if is_repeated { description(port) } else { String::new() };
        carrier.answer(&invite, "200 OK", &contact, &late).await;
        carrier.expect("ACK").await;
        assert_eq!(next(&mut leg).await, LegEvent::Answered);
        let came = tokio::time::timeout(EVENT_TIMEOUT, receiver.recv_from(&mut [0; 400])).await;
        came.expect("silence is sent there").unwrap();
        hang_up(&mut leg, &mut carrier).await;
    }
    // Of another sender, which is a fork of the call, the description is not that of the answer.
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let contact = carrier.contact();
    carrier.answer(&invite, "183 Session Progress", &contact, &description(4000)).await;
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
    "other".clone_into(&mut carrier.tag);
    carrier.answer(&invite, "200 OK", &contact, "").await;
    carrier.expect("ACK").await;
    let bye = carrier.expect("BYE").await;
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(488));
}

#[tokio::test]
async fn an_update_before_the_answer_is_not_undone_by_the_answer() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let contact = carrier.contact();
    let reliable = format!("{contact}Require: 100rel\r\nRSeq: 1\r\n");
    carrier.answer(&invite, "183 Session Progress", &reliable, &description(4000)).await;
    let prack = carrier.expect("PRACK").await;
    carrier.answer(&prack, "200 OK", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
    let port = receiver.local_addr().unwrap().port();
    carrier.request(&invite, "UPDATE", 1, &contact, &description(port)).await;
    assert_eq!(carrier.next().await.code(), 200);
    carrier.answer(&invite, "200 OK", &contact, "").await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    // Packets before the answer are not counted: they went there because of the UPDATE.
    while receiver.try_recv(&mut [0; 400]).is_ok() {}
    let mut packet = [0; 400];
    let came = tokio::time::timeout(EVENT_TIMEOUT, receiver.recv_from(&mut packet)).await;
    came.expect("silence goes on").unwrap();
}

#[tokio::test]
async fn the_routes_are_those_of_the_answer_and_not_of_the_ringing() {
    let dialler = dialler().await;
    let (mut carrier, mut early, mut late) =
        (Carrier::udp().await, Carrier::udp().await, Carrier::udp().await);
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let contact = carrier.contact();
    let reliable =
        format!("{contact}Record-Route: <sip:{};lr>\r\nRequire: 100rel\r\nRSeq: 1\r\n", early.address);
    carrier.answer(&invite, "183 Session Progress", &reliable, &description(4000)).await;
    let prack = early.expect("PRACK").await;
    early.answer(&prack, "200 OK", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
    let routes = format!("{contact}Record-Route: <sip:{};lr>\r\n", late.address);
    carrier.answer(&invite, "200 OK", &routes, "").await;
    let ack = late.expect("ACK").await;
    assert_eq!(ack.header("CSeq"), "1 ACK", "the number is the INVITE's, whatever was sent between");
    assert_eq!(ack.all("Route"), [format!("<sip:{};lr>", late.address)]);
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    leg.hang_up();
    let bye = late.expect("BYE").await;
    assert_eq!((bye.all("Route"), bye.header("CSeq")), (ack.all("Route"), "3 BYE"));
    late.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

#[tokio::test]
async fn a_response_whose_via_is_not_the_one_of_the_invite_is_dropped() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    let refusal = carrier.response(&invite, "486 Busy Here", "", "");
    let own = invite.header("Via").split([' ', ';']).nth(1).unwrap();
    let other = refusal.replacen(&format!(" {own};"), " 192.0.2.7:5060;", 1);
    let second = "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKother\r\nVia: ";
    for text in [other, refusal.replacen("Via: ", second, 1)] {
        assert_ne!(text, refusal);
        carrier.send(&text).await;
    }
    carrier.pick_up(&invite, "", 4000).await;
    let ack = carrier.expect("ACK").await;
    assert_ne!(ack.branch(), invite.branch(), "this would be the ACK of a refusal");
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    hang_up(&mut leg, &mut carrier).await;
}

#[tokio::test]
async fn silence_is_sent_to_the_address_of_the_answer() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    carrier.pick_up(&invite, "", receiver.local_addr().unwrap().port()).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    let mut packet = [0; 400];
    let mut stamps = Vec::new();
    for _ in 0..30 {
        let came = tokio::time::timeout(EVENT_TIMEOUT, receiver.recv_from(&mut packet)).await;
        let (length, from) = came.expect("packets keep coming").unwrap();
        assert_eq!((length, from.port(), packet[1] & 127, packet[171]), (172, invite.media(), 8, 0xd5));
        stamps.push(u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]));
    }
    let span = stamps[29].wrapping_sub(stamps[0]);
    assert!(span < 8_000, "30 packets of 20 ms do not take a second: {span}");
}

#[tokio::test]
async fn silence_is_encoded_as_the_answer_demands() {
    let dialler = dialler().await;
    for (types, payload_type, silence) in [("8 101", 8, 0xd5), ("0", 0, 0xff)] {
        let mut carrier = Carrier::udp().await;
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (mut leg, invite) = placed(&dialler, &mut carrier).await;
        let port = receiver.local_addr().unwrap().port();
        let answer = description(port).replace("RTP/AVP 8 101", &format!("RTP/AVP {types}"));
        let contact = carrier.contact();
        carrier.answer(&invite, "200 OK", &contact, &answer).await;
        carrier.expect("ACK").await;
        assert_eq!(next(&mut leg).await, LegEvent::Answered);
        let mut packet = [0; 400];
        let came = tokio::time::timeout(EVENT_TIMEOUT, receiver.recv_from(&mut packet)).await;
        let (length, _) = came.expect("silence is sent").unwrap();
        assert_eq!((length, packet[1] & 127), (172, payload_type));
        assert!(packet[12..length].iter().all(|byte| *byte == silence), "{:?}", &packet[..length]);
        hang_up(&mut leg, &mut carrier).await;
    }
}

#[tokio::test]
async fn a_hang_up_that_is_not_answered_is_repeated_and_ends_the_call_all_the_same() {
    let dialler = with_short_timers().await;
    let mut carrier = Carrier::udp().await;
    let (leg, _) = established(&dialler, &mut carrier, "").await;
    drop(leg);
    let bye = carrier.expect("BYE").await;
    idle(&dialler).await;
    for _ in 0..4 {
        assert_eq!(carrier.expect("BYE").await.headers, bye.headers);
    }
}
