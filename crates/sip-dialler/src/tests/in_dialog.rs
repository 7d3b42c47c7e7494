//! Tests of the far end's requests in an established call, and of session timers.

use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};

use super::carrier::{Carrier, Message, description};
use super::{
    Clock, Dialler, EVENT_TIMEOUT, Ids, LegEnd, LegEvent, ROUND_TRIP, config, dialler, ended, established,
    hang_up, invitation, next, placed, with_short_timers,
};

#[tokio::test]
async fn the_far_end_hangs_up() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = established(&dialler, &mut carrier, "").await;
    carrier.request(&invite, "BYE", 1, "", "").await;
    let answer = carrier.next().await;
    assert_eq!((answer.code(), answer.header("CSeq")), (200, "1 BYE"));
    assert_eq!(ended(&mut leg).await, LegEnd::HungUp);
    carrier.request(&invite, "BYE", 1, "", "").await;
    assert_eq!(carrier.next().await.code(), 200, "a retransmission is answered again");
}

#[tokio::test]
async fn a_bye_with_a_foreign_tag_is_refused() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = established(&dialler, &mut carrier, "").await;
    carrier.request_as("stranger", &invite, "BYE", 1, "", "").await;
    assert_eq!(carrier.next().await.code(), 481);
    carrier.request(&invite, "BYE", 2, "", "").await;
    assert_eq!(carrier.next().await.code(), 200);
    assert_eq!(ended(&mut leg).await, LegEnd::HungUp);
}

#[tokio::test]
async fn a_new_offer_is_answered_and_media_follows_it() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = established(&dialler, &mut carrier, "").await;
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = receiver.local_addr().unwrap().port();
    for method in ["INVITE", "UPDATE"] {
        let number = if method == "INVITE" { 1 } else { 2 };
        let contact = carrier.contact();
        carrier.request(&invite, method, number, &contact, &description(port)).await;
        let answer = carrier.next().await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        assert_eq!(answer.media(), invite.media());
        assert!(answer.body.contains("a=rtpmap:8 PCMA/8000"), "{}", answer.body);
        assert_eq!(answer.header("Contact"), invite.header("Contact"));
        if method == "INVITE" {
            carrier.request(&invite, "ACK", number, "", "").await;
        }
        let mut packet = [0; 400];
        tokio::time::timeout(EVENT_TIMEOUT, receiver.recv(&mut packet))
            .await
            .expect("silence follows")
            .unwrap();
    }
    carrier
        .request(
            &invite,
            "INVITE",
            3,
            "",
            &description(port).replace(" 8 101", " 18").replace(":8 PCMA", ":18 G729"),
        )
        .await;
    assert_eq!(carrier.next().await.code(), 488);
    carrier.request(&invite, "ACK", 3, "", "").await;
    leg.hang_up();
    let bye = carrier.await_next("BYE").await;
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

#[tokio::test]
async fn an_invite_without_an_offer_is_answered_with_ours() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (_leg, invite) = established(&dialler, &mut carrier, "").await;
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    carrier.request(&invite, "INVITE", 1, "", "").await;
    let offer = carrier.next().await;
    assert_eq!((offer.code(), offer.media()), (200, invite.media()));
    assert!(offer.body.contains("RTP/AVP 0 8 101"), "{}", offer.body);
    carrier.request(&invite, "ACK", 1, "", &description(receiver.local_addr().unwrap().port())).await;
    let mut packet = [0; 400];
    tokio::time::timeout(EVENT_TIMEOUT, receiver.recv(&mut packet))
        .await
        .expect("silence follows the answer")
        .unwrap();
}

#[tokio::test]
async fn an_offer_that_crosses_ours_in_a_200_is_refused_with_491_until_its_ack() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (_leg, invite) = established(&dialler, &mut carrier, "").await;
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = description(receiver.local_addr().unwrap().port());
    carrier.request(&invite, "INVITE", 1, "", "").await;
    assert_eq!(carrier.response_to("1 INVITE").await.code(), 200);
    for (number, (method, body, code)) in (2..).zip([
        ("INVITE", own.as_str(), 491),
        ("INVITE", "", 491),
        ("UPDATE", own.as_str(), 491),
        ("UPDATE", "", 200),
    ]) {
        carrier.request(&invite, method, number, "", body).await;
        let response = carrier.response_to(&format!("{number} {method}")).await;
        assert_eq!(response.code(), code, "{number} {method}");
    }
    carrier.request(&invite, "ACK", 1, "", &own).await;
    let mut packet = [0; 400];
    tokio::time::timeout(EVENT_TIMEOUT, receiver.recv(&mut packet))
        .await
        .expect("silence follows the answer")
        .unwrap();
    carrier.request(&invite, "UPDATE", 6, "", &own).await;
    assert_eq!(carrier.response_to("6 UPDATE").await.code(), 200, "our offer was answered");
    // An ACK without an answer ends the wait too.
    carrier.request(&invite, "INVITE", 7, "", "").await;
    assert_eq!(carrier.response_to("7 INVITE").await.code(), 200);
    carrier.request(&invite, "ACK", 7, "", "").await;
    let mut number = 7;
    offered(&mut carrier, &invite, &mut number).await;
}

/// Asks for an offer right after the ACK of the one before, and returns it. `number` is that of the last INVITE.
async fn offered(carrier: &mut Carrier, first: &Message, number: &mut u32) -> Message {
    *number += 1;
    carrier.request(first, "INVITE", *number, "", "").await;
    let response = carrier.response_to(&format!("{number} INVITE")).await;
    assert_eq!(response.code(), 200);
    response
}

#[tokio::test]
async fn streams_that_an_answer_leaves_out_stay_in_later_offers() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (_leg, first) = established(&dialler, &mut carrier, "").await;
    let audio = description(4000);
    let refused = audio.replace("m=audio 4000", "m=audio 0");
    let removed = refused.replace("m=audio", "m=video 5000 RTP/AVP 31\r\nm=audio");
    carrier.request(&first, "INVITE", 1, "", &removed).await;
    assert_eq!(carrier.response_to("1 INVITE").await.code(), 200);
    carrier.request(&first, "ACK", 1, "", "").await;
    let lines = format!("m=video 0 RTP/AVP 31\r\nm=audio {} RTP/AVP ", first.media());
    let mut number = 1;
    for answer in [&refused, &audio, &audio, &refused, &audio] {
        let offer = offered(&mut carrier, &first, &mut number).await;
        assert!(offer.body.contains(&lines), "{number}: {}", offer.body);
        carrier.request(&first, "ACK", number, "", answer).await;
    }
}

#[tokio::test]
async fn an_offer_of_fax_alone_is_refused_so_that_it_goes_on_as_audio() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (_leg, invite) = established(&dialler, &mut carrier, "").await;
    let both = description(4000).replace("m=audio", "m=image 6000 udptl t38\r\nm=audio");
    let (alone, _) = both.split_once("m=audio").unwrap();
    let without_audio = both.replace("m=audio 4000", "m=audio 0");
    for (number, offer, code) in [(1, alone, 488), (2, without_audio.as_str(), 488), (3, both.as_str(), 200)]
    {
        carrier.request(&invite, "UPDATE", number, "", offer).await;
        let answer = carrier.response_to(&format!("{number} UPDATE")).await;
        assert_eq!(answer.code(), code, "{offer}");
        assert!(code != 200 || answer.body.contains("m=image 0 udptl t38\r\n"), "{}", answer.body);
    }
}

#[tokio::test]
async fn further_requests_in_a_call_are_answered() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (_leg, invite) = established(&dialler, &mut carrier, "").await;
    for (number, (method, code)) in
        (1..).zip([("OPTIONS", 200), ("INFO", 405), ("MESSAGE", 405), ("REFER", 405), ("UPDATE", 200)])
    {
        carrier.request(&invite, method, number, "", "").await;
        let answer = carrier.next().await;
        assert_eq!(answer.code(), code, "{method}");
        assert!(answer.header("Allow").contains("UPDATE"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_request_out_of_order_or_with_an_unknown_extension_is_refused_and_the_call_goes_on() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = established(&dialler, &mut carrier, "").await;
    let unknown = "Require: timer, x-one\r\nRequire: x-two\r\n";
    carrier.request(&invite, "UPDATE", 5, unknown, "").await;
    let refusal = carrier.next().await;
    assert_eq!((refusal.code(), refusal.header("Unsupported")), (420, "x-one, x-two"));
    // A refused request does not count.
    carrier.request(&invite, "OPTIONS", 4, "Require: 100rel\r\n", "").await;
    assert_eq!(carrier.next().await.code(), 200);
    for (method, number, code) in [("UPDATE", 3, 500), ("BYE", 3, 500), ("OPTIONS", 9, 200), ("BYE", 8, 500)]
    {
        carrier.request(&invite, method, number, "", "").await;
        assert_eq!(carrier.next().await.code(), code, "{method} {number}");
    }
    carrier.request(&invite, "BYE", 10, "", "").await;
    assert_eq!(carrier.next().await.code(), 200);
    assert_eq!(ended(&mut leg).await, LegEnd::HungUp);
}

#[tokio::test]
async fn the_answer_to_an_update_moves_the_target() {
    let (clock, dialler) = frozen().await;
    let (mut carrier, mut moved) = (Carrier::udp().await, Carrier::udp().await);
    let timer = "Session-Expires: 90;refresher=uac\r\nAllow: UPDATE\r\n";
    let (mut leg, invite) = established(&dialler, &mut carrier, timer).await;
    clock.advance(Duration::from_secs(45));
    let update = carrier.expect("UPDATE").await;
    let further = format!("{}Session-Expires: 90;refresher=uac\r\n", moved.contact());
    carrier.answer(&update, "200 OK", &further, "").await;
    // Requests are handled in order, so its answer shows that the refresh is complete.
    carrier.request(&invite, "OPTIONS", 1, "", "").await;
    assert_eq!(carrier.next().await.code(), 200);
    leg.hang_up();
    let bye = moved.expect("BYE").await;
    assert_eq!((bye.uri(), bye.header("CSeq")), (moved.contact_uri().as_str(), "3 BYE"));
    moved.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

#[tokio::test]
async fn the_answer_to_an_update_counts_before_a_request_right_behind_it() {
    let (clock, dialler) = frozen().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sip:1@{};transport=tcp", listener.local_addr().unwrap());
    let mut leg = dialler.call(invitation(&uri));
    let mut carrier = Carrier::accept(&listener).await;
    let invite = carrier.expect("INVITE").await;
    carrier.pick_up(&invite, "Session-Expires: 90;refresher=uac\r\nAllow: UPDATE\r\n", 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    clock.advance(Duration::from_secs(45));
    let update = carrier.expect("UPDATE").await;
    let contact = |user: &str| format!("Contact: <sip:{user}@192.0.2.1;transport=tcp>\r\n");
    let answer = carrier.response(&update, "200 OK", &contact("first"), "");
    let request = carrier.request_text("far", &invite, "UPDATE", 1, &contact("last"), "");
    carrier.send(&(answer + &request)).await;
    assert_eq!(carrier.next().await.code(), 200);
    leg.hang_up();
    let bye = carrier.expect("BYE").await;
    assert_eq!(bye.uri(), "sip:last@192.0.2.1;transport=tcp");
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

#[tokio::test]
async fn a_refused_offer_changes_neither_the_target_nor_the_session_timer() {
    let (clock, dialler) = frozen().await;
    let (mut carrier, moved) = (Carrier::udp().await, Carrier::udp().await);
    let (mut leg, invite) = established(&dialler, &mut carrier, "Allow: UPDATE\r\n").await;
    let timer = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\n";
    let refused = description(4000).replace(" 8 101", " 18").replace(":8 PCMA", ":18 G729");
    carrier.request(&invite, "UPDATE", 1, &format!("{timer}{}", moved.contact()), &refused).await;
    assert_eq!(carrier.next().await.code(), 488);
    clock.advance(Duration::from_secs(45));
    carrier.hears_nothing_for(ROUND_TRIP).await;
    hang_up(&mut leg, &mut carrier).await;
}

#[tokio::test]
async fn requests_outside_of_a_call_are_refused_except_options() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (_leg, invite) = established(&dialler, &mut carrier, "").await;
    let mut stranger = invite.clone();
    for (name, value) in &mut stranger.headers {
        match name.as_str() {
            "Call-ID" => *value = "another".to_owned(),
            "From" => *value = "<sip:dialler@127.0.0.1>".to_owned(),
            _ => {}
        }
    }
    for (method, code) in [("OPTIONS", 200), ("INVITE", 405), ("SUBSCRIBE", 405)] {
        carrier.request(&stranger, method, 1, "", "").await;
        let answer = carrier.next().await;
        assert_eq!(answer.code(), code, "{method}");
        assert!(answer.header("To").contains(";tag="), "{answer:?}");
        if method == "INVITE" {
            carrier.request(&stranger, "ACK", 1, "", "").await;
        }
    }
    for (name, value) in &mut stranger.headers {
        if name == "From" {
            value.push_str(";tag=x");
        }
    }
    carrier.request(&stranger, "BYE", 2, "", "").await;
    assert_eq!(carrier.next().await.code(), 481);
}

async fn frozen() -> (Clock, Dialler) {
    let clock = Clock::system();
    clock.freeze(None);
    let dialler = Dialler::start(config(), clock.clone(), Ids::system()).await.unwrap();
    (clock, dialler)
}

#[tokio::test]
async fn a_session_that_we_refresh_is_refreshed_by_update() {
    let (clock, dialler) = frozen().await;
    let mut carrier = Carrier::udp().await;
    let timer = "Require: timer\r\nSession-Expires: 90;refresher=uac\r\nAllow: INVITE, UPDATE\r\n";
    let (mut leg, invite) = established(&dialler, &mut carrier, timer).await;
    for number in [2, 3] {
        clock.advance(Duration::from_secs(44));
        carrier.hears_nothing_for(ROUND_TRIP).await;
        clock.advance(Duration::from_secs(1));
        let update = carrier.expect("UPDATE").await;
        assert_eq!(update.header("CSeq"), format!("{number} UPDATE"));
        assert_eq!(update.header("Session-Expires"), "90;refresher=uac");
        carrier.answer(&update, "200 OK", "Session-Expires: 90;refresher=uac\r\n", "").await;
        // Requests are handled in order, so its answer shows that the refresh is complete.
        carrier.request(&invite, "OPTIONS", number, "", "").await;
        assert_eq!(carrier.next().await.code(), 200);
    }
    clock.advance(Duration::from_secs(45));
    let update = carrier.expect("UPDATE").await;
    carrier.answer(&update, "481 Call/Transaction Does Not Exist", "", "").await;
    carrier.expect("BYE").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Expired);
}

#[tokio::test]
async fn a_far_end_without_update_receives_a_reinvite() {
    let (clock, dialler) = frozen().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, first) = established(&dialler, &mut carrier, "Session-Expires: 90;refresher=uac\r\n").await;
    clock.advance(Duration::from_secs(45));
    let invite = carrier.expect("INVITE").await;
    assert_eq!((invite.header("CSeq"), invite.media()), ("2 INVITE", first.media()));
    assert!(invite.header("To").ends_with(";tag=far"), "{invite:?}");
    carrier.answer(&invite, "100 Trying", "", "").await;
    carrier.request(&first, "INVITE", 9, "", &description(4000)).await;
    assert_eq!(carrier.next().await.code(), 491, "only one INVITE may be pending");
    carrier.request(&first, "ACK", 9, "", "").await;
    carrier.request(&first, "UPDATE", 10, "", &description(4000)).await;
    assert_eq!(carrier.next().await.code(), 491, "an offer of ours has no answer yet");
    carrier.request(&first, "UPDATE", 11, "", "").await;
    assert_eq!(carrier.next().await.code(), 200, "it offers nothing");
    carrier.pick_up(&invite, "Session-Expires: 90;refresher=uac\r\n", 4000).await;
    let ack = carrier.expect("ACK").await;
    assert_eq!(ack.header("CSeq"), "2 ACK");
    carrier.pick_up(&invite, "Session-Expires: 90;refresher=uac\r\n", 4000).await;
    assert_eq!(carrier.expect("ACK").await.headers, ack.headers);
    clock.advance(Duration::from_secs(45));
    let invite = carrier.expect("INVITE").await;
    carrier.answer(&invite, "481 Call/Transaction Does Not Exist", "", "").await;
    assert_eq!(carrier.expect("ACK").await.branch(), invite.branch());
    carrier.expect("BYE").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Expired);
}

#[tokio::test]
async fn a_refresh_by_reinvite_keeps_the_streams_and_the_direction_of_the_session() {
    let (clock, dialler) = frozen().await;
    let mut carrier = Carrier::udp().await;
    let timer = "Session-Expires: 90;refresher=uac\r\n";
    let (mut leg, first) = established(&dialler, &mut carrier, timer).await;
    let contact = carrier.contact();
    let answered = format!("{contact}{timer}");
    let video = description(4000).replace("m=audio", "m=video 5000 RTP/AVP 31\r\nm=audio");
    let hold = format!("{video}a=sendonly\r\n");
    let removed = video.replace("m=audio 4000", "m=audio 0");
    let ours = first.media();
    let on_hold = format!("m=video 0 RTP/AVP 31\r\nm=audio {ours} RTP/AVP 8 0 101\r\n");
    let disabled = "m=video 0 RTP/AVP 31\r\nm=audio 0 RTP/AVP 8 101\r\n";
    for (number, offer, lines, direction) in
        [(1, &hold, on_hold.as_str(), "\r\na=recvonly\r\n"), (3, &removed, disabled, "\r\n")]
    {
        carrier.request(&first, "INVITE", number, &contact, offer).await;
        assert_eq!(carrier.next().await.code(), 200);
        carrier.request(&first, "ACK", number, "", "").await;
        // A refresh waits for the ACK, which was read before this.
        carrier.request(&first, "OPTIONS", number + 1, "", "").await;
        assert_eq!(carrier.next().await.code(), 200);
        clock.advance(Duration::from_secs(45));
        let refresh = carrier.expect("INVITE").await;
        assert!(refresh.body.contains(lines) && refresh.body.ends_with(direction), "{}", refresh.body);
        carrier.answer(&refresh, "200 OK", &answered, offer).await;
        carrier.expect("ACK").await;
    }
    // Asked for an offer, this side offers audio in its place, which the far end refuses.
    carrier.request(&first, "INVITE", 5, &contact, "").await;
    let offer = carrier.next().await;
    let audio = format!("m=video 0 RTP/AVP 31\r\nm=audio {ours} RTP/AVP 8 0 101\r\n");
    assert!(offer.body.contains(&audio) && offer.body.ends_with("\r\na=sendrecv\r\n"), "{}", offer.body);
    carrier.request(&first, "ACK", 5, "", &removed).await;
    leg.hang_up();
    let bye = carrier.expect("BYE").await;
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

#[tokio::test]
async fn an_answer_to_a_reinvite_that_is_never_acknowledged_ends_the_call() {
    let dialler = with_short_timers().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    carrier.pick_up(&invite, "", 4000).await;
    // With such short timers the INVITE may have been repeated meanwhile.
    carrier.await_next("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    let contact = carrier.contact();
    carrier.request(&invite, "INVITE", 1, &contact, &description(4000)).await;
    for _ in 0..2 {
        let answer = carrier.await_next("SIP/2.0").await;
        assert_eq!((answer.code(), answer.header("CSeq")), (200, "1 INVITE"), "it is repeated");
    }
    let bye = carrier.await_next("BYE").await;
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Expired);
}

#[tokio::test]
async fn a_session_that_the_far_end_does_not_refresh_is_hung_up() {
    let (clock, dialler) = frozen().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) =
        established(&dialler, &mut carrier, "Session-Expires: 90;refresher=uas\r\n").await;
    clock.advance(Duration::from_secs(59));
    carrier.request(&invite, "UPDATE", 1, "Session-Expires: 90;refresher=uac\r\n", "").await;
    let answer = carrier.next().await;
    assert_eq!((answer.code(), answer.header("Session-Expires")), (200, "90;refresher=uac"));
    assert_eq!(answer.header("Require"), "timer");
    clock.advance(Duration::from_secs(59));
    carrier.hears_nothing_for(ROUND_TRIP).await;
    // A third of the interval before the expiry.
    clock.advance(Duration::from_secs(1));
    carrier.expect("BYE").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Expired);
}

#[tokio::test]
async fn the_far_end_can_request_a_session_timer_with_a_refresher_but_not_a_short_interval() {
    let (clock, dialler) = frozen().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = established(&dialler, &mut carrier, "Allow: UPDATE\r\n").await;
    let short = "Supported: timer\r\nSession-Expires: 89;refresher=uas\r\n";
    carrier.request(&invite, "UPDATE", 1, short, "").await;
    let refusal = carrier.next().await;
    assert_eq!((refusal.code(), refusal.header("Min-SE")), (422, "90"));
    let asked = "Supported: timer\r\nx: 90;refresher=uas\r\n";
    carrier.request(&invite, "UPDATE", 2, asked, "").await;
    let answer = carrier.next().await;
    assert_eq!((answer.code(), answer.header("Session-Expires")), (200, "90;refresher=uas"));
    clock.advance(Duration::from_secs(45));
    let update = carrier.expect("UPDATE").await;
    assert_eq!(update.header("Session-Expires"), "90;refresher=uac");
    carrier.answer(&update, "422 Session Interval Too Small", "Min-SE: 120\r\n", "").await;
    let update = carrier.expect("UPDATE").await;
    assert_eq!((update.header("Session-Expires"), update.header("Min-SE")), ("120;refresher=uac", "120"));
    carrier.answer(&update, "200 OK", "Session-Expires: 120;refresher=uac\r\n", "").await;
    carrier.request(&invite, "OPTIONS", 3, "", "").await;
    assert_eq!(carrier.next().await.code(), 200);
    clock.advance(Duration::from_mins(1));
    carrier.expect("UPDATE").await;
    // It is never answered, so the call ends 32 seconds before the session expires.
    clock.advance(Duration::from_secs(28));
    carrier.await_next("BYE").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Expired);
}
