//! Session timers (RFC 4028): the refresher, the minimum interval, and sessions that are not refreshed.

use serde_json::json;

use super::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, Trunk};
use super::message::Message;
use super::sentences::assert_ended_with;
use super::uac::Call;

async fn frozen() -> (Edge, Trunk) {
    let edge = Edge::with_arguments(&["--log", "info,carrier_edge=debug"]).await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 600 })).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    (edge, trunk)
}

async fn up(edge: &Edge, lines: &[&str]) -> (Call, Message) {
    let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
    call.headers = lines.iter().map(|line| (*line).to_owned()).collect();
    let answer = call.attempt().await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    call.acknowledge().await;
    // Requests of a dialog are handled in their order, so the ACK is known, and the session began before the clock
    // advances.
    assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200);
    (call, answer)
}

#[tokio::test]
async fn the_caller_says_who_refreshes_and_an_interval_may_be_too_short() {
    let (edge, _) = frozen().await;
    for (lines, expires, require) in [
        (&["Supported: timer", "Session-Expires: 1800"][..], Some("1800;refresher=uac"), Some("timer")),
        (&["k: timer", "x: 90;refresher=uac"], Some("90;refresher=uac"), Some("timer")),
        (&["Supported: timer", "Session-Expires: 90;refresher=uas"], Some("90;refresher=uas"), Some("timer")),
        (&["Session-Expires: 1800"], Some("1800;refresher=uas"), None),
        (
            &["Supported: timer", "Session-Expires: 120", "Min-SE: 120"],
            Some("120;refresher=uac"),
            Some("timer"),
        ),
        (&["Supported: timer"], None, None),
        (&["Session-Expires: 30"], None, None),
    ] {
        let (mut call, answer) = up(&edge, lines).await;
        assert_eq!(
            (answer.header("Session-Expires"), answer.header("Require")),
            (expires, require),
            "{lines:?}"
        );
        call.hang_up().await;
    }
    for (line, least) in [("Session-Expires: 30", "90"), ("Session-Expires: 100\r\nMin-SE: 110", "110")] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        call.headers = vec!["Supported: timer".to_owned(), line.to_owned()];
        let answer = call.attempt().await;
        assert_eq!((answer.code(), answer.header("Min-SE")), (422, Some(least)), "{answer:?}");
    }
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.headers.push("Session-Expires: soon".to_owned());
    assert_eq!(call.attempt().await.code(), 400);
}

#[tokio::test]
async fn a_session_that_is_the_edges_to_refresh_is_refreshed_by_update() {
    let (edge, trunk) = frozen().await;
    let timer = ["Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: INVITE, ACK, BYE, UPDATE"];
    let (mut call, _) = up(&edge, &timer).await;
    for number in 1..=2 {
        edge.advance(45).await;
        let update = call.asked("UPDATE", "200 OK", &["Session-Expires: 90;refresher=uac"], "").await;
        let sequence = u32::try_from(number).unwrap();
        assert_eq!(
            (update.sequence(), update.header("Session-Expires")),
            (sequence, Some("90;refresher=uac"))
        );
        assert!(update.header("Contact").is_some() && update.header("Supported").is_some(), "{update:?}");
        // The next interval begins when the edge has read the response.
        edge.logs_again(number, &["agreed to continue the session"]).await;
        assert_eq!(call.request("UPDATE", &[], "").await.code(), 200);
    }
    edge.advance(45).await;
    call.asked("UPDATE", "481 Call/Transaction Does Not Exist", &[], "").await;
    let bye = call.hung_up().await;
    assert_eq!(bye.sequence(), 4, "requests are counted on: {bye:?}");
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Session Timeout");
}

#[tokio::test]
async fn a_refusal_of_a_refresh_is_heeded() {
    let (edge, trunk) = frozen().await;
    let timer = ["Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: INVITE, UPDATE"];
    let (mut call, _) = up(&edge, &timer).await;
    edge.advance(45).await;
    call.asked("UPDATE", "422 Session Interval Too Small", &["Min-SE: 300"], "").await;
    let update = call.asked("UPDATE", "405 Method Not Allowed", &[], "").await;
    assert_eq!(
        (update.header("Session-Expires"), update.header("Min-SE")),
        (Some("300;refresher=uac"), Some("300"))
    );
    let answer = call.offer.clone();
    let invite = call
        .asked(
            "INVITE",
            "200 OK",
            &["Session-Expires: 300;refresher=uac", "Contact: <sip:x@127.0.0.1>"],
            &answer,
        )
        .await;
    assert!(invite.media().1.ends_with("RTP/AVP 8 0 101"), "{invite:?}");
    let ack = call.uac.expect("an ACK", None, |message| message.method() == "ACK").await;
    assert_eq!((ack.sequence(), ack.code()), (invite.sequence(), 0));
    // The ACK is sent before the call reads the response, and the next interval begins when it has.
    edge.logs(&["agreed to continue the session"]).await;
    edge.advance(150).await;
    call.asked("INVITE", "500 Server Internal Error", &[], "").await;
    edge.logs(&["the caller refused the refresh of the session", "500"]).await;
    // It may be retried until the session is ended, 32 seconds before its expiry.
    edge.advance(118).await;
    call.hung_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!(
        (&record["disconnect_reason"], &record["hung_up_by"]),
        (&json!("Session Timeout"), &json!("timer"))
    );
}

#[tokio::test]
async fn a_refresh_by_re_invite_waits_for_the_ack_of_the_callers_own() {
    let (edge, _) = frozen().await;
    let timer = ["Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: ACK, BYE, INVITE"];
    let (mut call, _) = up(&edge, &timer).await;
    call.uri = Some(call.target().to_owned());
    let invite = call.text("INVITE");
    let sequence = call.sequence;
    call.uac.send(&invite).await;
    let answers = |message: &Message| {
        message.code() == 200 && message.method() == "INVITE" && message.sequence() == sequence
    };
    call.uac.expect("an answer", None, answers).await;
    edge.advance(45).await;
    // The call handles what its clock demands at the latest before the second.
    for _ in 0..2 {
        let probe = call.text("OPTIONS");
        call.uac.send(&probe).await;
        loop {
            let message = call.uac.receive(DEADLINE).await.expect("an answer to OPTIONS");
            assert_ne!(message.code(), 0, "a request before the ACK: {message:?}");
            if message.method() == "OPTIONS" {
                break;
            }
        }
    }
    let last = std::mem::replace(&mut call.sequence, sequence);
    call.acknowledge().await;
    call.sequence = last;
    assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the ACK is known");
    edge.advance(3).await;
    let own = call.offer.clone();
    call.asked("INVITE", "200 OK", &["Session-Expires: 90;refresher=uac"], &own).await;
    call.hang_up().await;
}

#[tokio::test]
async fn a_contact_in_the_answer_to_a_refresh_is_where_its_ack_and_later_requests_go() {
    let (edge, _) = frozen().await;
    for (number, method) in [(1, "INVITE"), (2, "UPDATE")] {
        let allow = format!("Allow: ACK, BYE, {method}");
        let timer = ["Supported: timer", "Session-Expires: 90;refresher=uas", allow.as_str()];
        let (mut call, _) = up(&edge, &timer).await;
        let answer = if method == "INVITE" { call.offer.clone() } else { String::new() };
        edge.advance(45).await;
        let headers = ["Session-Expires: 90;refresher=uac", "Contact: <sip:elsewhere@127.0.0.7>"];
        let refresh = call.asked(method, "200 OK", &headers, &answer).await;
        assert!(refresh.start.starts_with(&format!("{method} sip:caller@")), "{refresh:?}");
        if method == "INVITE" {
            let ack = call.uac.expect("an ACK", None, |message| message.method() == "ACK").await;
            assert_eq!(ack.start, "ACK sip:elsewhere@127.0.0.7 SIP/2.0");
        }
        // The next interval begins when the edge has read the response. An INFO changes no target.
        edge.logs_again(number, &["agreed to continue the session"]).await;
        assert_eq!(call.request("INFO", &[], "").await.code(), 200);
        edge.advance(45).await;
        let next = call.asked(method, "481 Call/Transaction Does Not Exist", &[], "").await;
        assert_eq!(next.start, format!("{method} sip:elsewhere@127.0.0.7 SIP/2.0"));
        let bye = call.hung_up().await;
        assert_eq!(bye.start, "BYE sip:elsewhere@127.0.0.7 SIP/2.0");
    }
}

#[tokio::test]
async fn a_refresh_that_is_answered_with_another_codec_than_offered_ends_the_call_with_that_reason() {
    let (edge, trunk) = frozen().await;
    let timer = ["Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: INVITE"];
    let (mut call, _) = up(&edge, &timer).await;
    edge.advance(45).await;
    let answer = call.offer.replace("RTP/AVP 8 0 101", "RTP/AVP 18");
    let headers = ["Session-Expires: 90;refresher=uac", "Contact: <sip:x@127.0.0.1>"];
    call.asked("INVITE", "200 OK", &headers, &answer).await;
    let bye = call.hung_up().await;
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("Codecs not matched")), "{bye:?}");
    let record = edge.record(&trunk, 1).await;
    assert_eq!(
        (&record["disconnect_reason"], &record["disconnect_code"], &record["hung_up_by"]),
        (&json!("Codecs not matched"), &json!(488), &json!("server")),
        "{record}"
    );
    let why = record["explanation"].as_str().unwrap();
    assert!(
        why.starts_with("the caller's answer has none of the codecs that were offered to it, but "),
        "{why}"
    );

    let (mut call, _) = up(&edge, &timer).await;
    edge.advance(45).await;
    call.asked("INVITE", "200 OK", &headers, "").await;
    call.hung_up().await;
    let why = "the caller did not answer the offer: its response has no session description";
    assert_ended_with(&edge, &call, why, None).await;
}

#[tokio::test]
async fn a_refresh_by_re_invite_leaves_a_call_on_hold() {
    let (edge, _) = frozen().await;
    let timer = ["Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: INVITE"];
    let (mut call, _) = up(&edge, &timer).await;
    let hold = format!("{}a=sendonly\r\n", call.offer);
    assert_eq!(call.request("INVITE", &[], &hold).await.code(), 200);
    assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the ACK is known");
    edge.advance(45).await;
    let headers = ["Session-Expires: 90;refresher=uac", "Contact: <sip:x@127.0.0.1>"];
    let refresh = call.asked("INVITE", "200 OK", &headers, &hold).await;
    assert!(refresh.body.contains("\r\na=recvonly\r\n"), "{}", refresh.body);
}

#[tokio::test]
async fn audio_that_the_caller_removed_stays_removed_in_each_refresh_and_the_call_stays_up() {
    let (edge, _) = frozen().await;
    let timer = ["Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: INVITE"];
    let (mut call, _) = up(&edge, &timer).await;
    let port = call.media.local_addr().unwrap().port();
    let audio = call.offer.clone();
    let removed = audio.replace(&format!("m=audio {port}"), "m=video 0 RTP/AVP 31\r\nm=audio 0");
    let disabled = "\r\nm=video 0 RTP/AVP 31\r\nm=audio 0 RTP/AVP 8 0 101\r\n";
    let origin =
        |message: &Message| message.body.lines().find(|line| line.starts_with("o=")).map(str::to_owned);
    for number in 1..=2 {
        // The refresh of the caller.
        let answer = call.request("INVITE", &[], &removed).await;
        assert!(answer.code() == 200 && answer.body.ends_with(disabled), "{answer:?}");
        assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the ACK is known");
        // The refresh of the edge, which changes nothing.
        edge.advance(45).await;
        let headers = ["Session-Expires: 90;refresher=uac", "Contact: <sip:x@127.0.0.1>"];
        let refresh = call.asked("INVITE", "200 OK", &headers, &removed).await;
        assert!(refresh.body.ends_with(disabled), "{}", refresh.body);
        assert_eq!(origin(&refresh), origin(&answer));
        edge.logs_again(number, &["agreed to continue the session"]).await;
        assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the call is up");
    }
    // Asked for an offer, the edge offers audio in its place. The caller refuses it.
    call.acknowledgement.clone_from(&removed);
    let offer = call.request("INVITE", &[], "").await;
    assert!(offer.body.contains("\r\nm=video 0 RTP/AVP 31\r\nm=audio "), "{}", offer.body);
    assert!(!offer.body.contains("m=audio 0 "), "{}", offer.body);
    call.acknowledgement.clear();
    let restored = call.request("INVITE", &[], &audio).await;
    assert!(restored.code() == 200 && !restored.body.contains("m=audio 0 "), "{restored:?}");
    call.hang_up().await;
}

#[tokio::test]
async fn an_answer_that_refuses_the_audio_of_a_later_offer_removes_it_and_the_call_stays_up() {
    let (edge, trunk) = frozen().await;
    let timer = ["Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: INVITE, ACK, BYE"];
    for number in 1..=2 {
        let (mut call, _) = up(&edge, &timer).await;
        let audio = call.offer.clone();
        let port = call.media.local_addr().unwrap().port();
        let refused = audio.replace(&format!("m=audio {port}"), "m=audio 0");
        if number == 1 {
            edge.advance(45).await;
            let headers = ["Session-Expires: 90;refresher=uac", "Contact: <sip:x@127.0.0.1>"];
            call.asked("INVITE", "200 OK", &headers, &refused).await;
            edge.logs(&["agreed to continue the session"]).await;
        } else {
            call.acknowledgement.clone_from(&refused);
            assert_eq!(call.request("INVITE", &[], "").await.code(), 200);
            call.acknowledgement.clear();
        }
        assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the call is up");
        let restored = call.request("INVITE", &[], &audio).await;
        assert!(restored.code() == 200 && !restored.body.contains("m=audio 0 "), "{restored:?}");
        call.hang_up().await;
        assert_eq!(edge.record(&trunk, number).await["disconnect_reason"], "Bye");
    }
}

#[tokio::test]
async fn a_session_that_the_caller_does_not_refresh_is_ended_before_its_end() {
    let (edge, trunk) = frozen().await;
    for (interval, given_up) in [(90, 60), (1800, 1768)] {
        let expires = format!("Session-Expires: {interval};refresher=uac");
        let (mut call, _) = up(&edge, &["Supported: timer", &expires]).await;
        // Without hold, the missing media would end it earlier.
        let hold = format!("{}a=inactive\r\n", call.offer);
        assert_eq!(call.request("INVITE", &["Supported: timer", &expires], &hold).await.code(), 200);
        edge.advance(given_up - 1).await;
        assert_eq!(edge.active().await.len(), 1);
        edge.advance(1).await;
        call.hung_up().await;
        let count = if interval == 90 { 1 } else { 2 };
        assert_eq!(edge.record(&trunk, count).await["disconnect_reason"], "Session Timeout");
    }
}

#[tokio::test]
async fn a_refresh_of_the_callers_may_change_what_was_agreed_on() {
    let (edge, _) = frozen().await;
    let (mut call, _) = up(&edge, &["Supported: timer", "Session-Expires: 90"]).await;
    let short = call.request("UPDATE", &["Supported: timer", "Session-Expires: 89"], "").await;
    assert_eq!((short.code(), short.header("Min-SE")), (422, Some("90")));
    let longer =
        call.request("UPDATE", &["Supported: timer", "Session-Expires: 200;refresher=uas"], "").await;
    assert_eq!((longer.code(), longer.header("Session-Expires")), (200, Some("200;refresher=uas")));
    edge.advance(99).await;
    assert_eq!(edge.active().await.len(), 1, "the old interval is forgotten");
    call.hang_up().await;
}
