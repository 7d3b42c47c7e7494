//! Timers that end a call: missing acknowledgement, missing media, a session that is not refreshed. The tests move the
//! server's clock; only the time of a missing ACK is real, because that clock does not affect it.

use serde_json::json;
use trunk_rules::carrier::Cause;

use super::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, until_within};
use super::media::{hears_its_echo, packet};
use super::sentences::is_stated;
use super::uac::Call;
use crate::support::engine;

#[tokio::test]
async fn an_answer_that_is_never_acknowledged_is_repeated_and_then_the_call_is_ended() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "capacity_limit": 1 })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.attempt_as(&trunk, |_| {}).await.code(), 200);
    let repeated = call.answer().await;
    assert_eq!(repeated.code(), 200, "the answer is repeated");
    assert_eq!(edge.active().await.len(), 1);
    call.hung_up().await;
    let why = is_stated(&edge, &call, (None, Cause::NoAck), None).await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!((&record["disconnect_code"], &record["disconnect_reason"]), (&json!(200), &json!("NoAck")));
    assert_eq!(record["explanation"], why, "{record}");
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
}

#[tokio::test]
async fn a_challenge_is_repeated_until_its_ack_and_its_copy_is_the_same() {
    let edge = Edge::start().await;
    edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let invite = call.text("INVITE");
    call.uac.send(&invite).await;
    let is_challenge = |message: &super::message::Message| message.code() == 401;
    let first = call.uac.expect("the challenge", None, is_challenge).await;
    for what in ["its repetition", "another repetition"] {
        let repeated = call.uac.expect(what, None, is_challenge).await;
        assert_eq!(repeated.header("To"), first.header("To"));
    }
    call.uac.send(&invite).await;
    let copy = call.uac.expect("the challenge for the copy", None, is_challenge).await;
    assert_eq!(copy.header("To"), first.header("To"));
    let cancel = invite.split("\r\n\r\n").next().unwrap().replace("INVITE", "CANCEL");
    let lines: Vec<&str> = cancel.lines().filter(|line| !line.starts_with("Content-")).collect();
    let cancel = format!("{}\r\nContent-Length: 0\r\n\r\n", lines.join("\r\n"));
    call.uac.send(&cancel).await;
    let answer = call.uac.expect("the answer to the CANCEL", None, |message| message.code() == 200).await;
    assert_eq!((answer.method(), answer.header("To")), ("CANCEL", first.header("To")));
    let to = invite.lines().find(|line| line.starts_with("To: ")).unwrap();
    let to_with_tag = format!("To: {}", first.header("To").unwrap());
    let ack = cancel.replace("CANCEL", "ACK").replace(to, &to_with_tag);
    call.uac.send(&ack).await;
    call.uac.send(&invite).await;
    let is_new = |message: &super::message::Message| {
        message.code() == 401 && message.header("To") != first.header("To")
    };
    call.uac.expect("a new challenge, because the first one was acknowledged", None, is_new).await;
    assert_eq!(edge.counts().await[0], 2, "two challenges");
}

#[tokio::test]
async fn an_answer_to_a_re_invite_that_is_never_acknowledged_is_repeated_and_then_the_call_is_ended() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 600 })).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    call.uri = Some(call.target().to_owned());
    let invite = call.text("INVITE");
    call.uac.send(&invite).await;
    let sequence = call.sequence;
    for what in ["an answer", "its repetition"] {
        let answers = |message: &super::message::Message| {
            message.code() == 200 && message.method() == "INVITE" && message.sequence() == sequence
        };
        call.uac.expect(what, None, answers).await;
    }
    assert_eq!(edge.active().await.len(), 1);
    let bye = call.hung_up().await;
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("NoAck")), "{bye:?}");
    let record = edge.record(&trunk, 1).await;
    assert_eq!(
        (&record["disconnect_reason"], &record["hung_up_by"]),
        (&json!("NoAck"), &json!("timer")),
        "{record}"
    );
}

#[tokio::test]
async fn a_call_without_media_is_ended_after_the_rtp_timeout_and_media_puts_it_off() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 45 })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let edge_media = call.place(&trunk).await.media().0;
    edge.advance(44).await;
    hears_its_echo(&call, edge_media, 1).await;
    edge.advance(44).await;
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 200, "the call is still up");
    assert_eq!(edge.active().await.len(), 1);
    edge.advance(1).await;
    let bye = call.hung_up().await;
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("Rtp timeout")), "{bye:?}");
    let record = edge.record(&trunk, 1).await;
    assert_eq!(
        (&record["disconnect_code"], &record["disconnect_reason"]),
        (&json!(200), &json!("Rtp timeout"))
    );
    assert_eq!((&record["success"], &record["duration"]), (&json!(true), &json!(89)), "{record}");
}

#[tokio::test]
async fn media_from_an_address_that_is_not_allowed_does_not_put_the_timeout_off() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "allowed_rtp_ips": ["192.0.2.0/24"] })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let edge_media = call.place(&trunk).await.media().0;
    edge.advance(29).await;
    call.media.send_to(&packet(1), edge_media).await.unwrap();
    edge.advance(1).await;
    call.hung_up().await;
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Rtp timeout");
}

#[tokio::test]
async fn a_call_on_hold_may_be_silent_until_it_is_taken_off_hold() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    let plain = call.offer.clone();
    let nowhere = plain.replace(&format!("c=IN IP4 {}", call.uac.local.ip()), "c=IN IP4 0.0.0.0");
    for (body, mirrored) in [
        (format!("{plain}a=sendonly\r\n"), "a=recvonly"),
        (format!("{plain}a=inactive\r\n"), "a=inactive"),
        (format!("{plain}a=recvonly\r\n"), "a=sendonly"),
        (plain.replace("t=0 0", "t=0 0\r\na=inactive"), "a=inactive"),
        (nowhere, "a=recvonly"),
        (plain.replace("m=audio ", "m=audio 0 RTP/AVP 8\r\nm=video "), "m=audio 0"),
    ] {
        let answer = call.request("INVITE", &[], &body).await;
        assert_eq!(answer.code(), 200);
        assert!(answer.body.contains(mirrored), "{}", answer.body);
        edge.advance(3600).await;
        assert_eq!(call.request("UPDATE", &[], "").await.code(), 200, "the call is still up");
    }
    let body = call.offer.clone();
    assert!(call.request("INVITE", &[], &body).await.body.contains("a=sendrecv"));
    edge.advance(29).await;
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 200, "the call is still up");
    edge.advance(1).await;
    call.hung_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!(record["disconnect_reason"], "Rtp timeout");
    assert_eq!(record["duration"], 21_630, "{record}");
}

#[tokio::test]
async fn a_session_that_is_not_refreshed_is_ended() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 600 })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.headers.extend(["Supported: timer".to_owned(), "Session-Expires: 120".to_owned()]);
    let answer = call.place(&trunk).await;
    assert_eq!(answer.header("Session-Expires"), Some("120;refresher=uac"));
    // It would be ended 32 seconds before its expiry.
    edge.advance(87).await;
    let refreshed = call.request("UPDATE", &["Supported: timer", "Session-Expires: 120"], "").await;
    assert_eq!((refreshed.code(), refreshed.header("Session-Expires")), (200, Some("120;refresher=uac")));
    edge.advance(87).await;
    let body = call.offer.clone();
    assert_eq!(call.request("INVITE", &[], &body).await.code(), 200, "a re-INVITE refreshes as well");
    edge.advance(88).await;
    call.hung_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!(record["disconnect_reason"], "Session Timeout", "{record}");
    assert_eq!(record["duration"], 262, "{record}");
}

#[tokio::test]
async fn a_nonce_is_good_for_five_minutes() {
    let edge = Edge::with_config("[sip]\nstale_flag = true\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({})).await;
    for (age, code) in [(300, 200), (301, 401)] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let challenge = call.attempt().await;
        edge.advance(age).await;
        let right = super::digest::Answer::to(&challenge, &trunk, &call.uri());
        call.invite(&[format!("Authorization: {}", right.value())]).await;
        let answer = call.answer().await;
        assert_eq!(answer.code(), code, "after {age} seconds");
        if code == 401 {
            assert_eq!(answer.parameter("WWW-Authenticate", "stale").as_deref(), Some("true"));
            let fresh = super::digest::Answer::to(&answer, &trunk, &call.uri());
            call.invite(&[format!("Authorization: {}", fresh.value())]).await;
            assert_eq!(call.answer().await.code(), 200, "the fresh nonce is good");
        }
        call.acknowledge().await;
        call.hang_up().await;
    }
}

#[tokio::test]
async fn spending_blocks_a_trunk_and_24_hours_later_it_is_open_again() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "threshold_amount": "0.1" })).await;
    for _ in 0..2 {
        Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
        edge.calls_up(0).await;
    }
    edge.record(&trunk, 2).await;
    assert_eq!(edge.shown(&trunk, "/attributes/status").await, "blocked");
    assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, true);
    assert_eq!(edge.shown(&trunk, "/meta/spent_amount").await, "0.1");
    assert_eq!(Call::new(&edge, ANSWERS_AT_ONCE).await.place(&trunk).await.code(), 403);
    edge.advance(86_400).await;
    // On a shared database no node re-opens a trunk in the first 15 seconds after its block.
    let limit = if engine::is_postgres() { 2 * DEADLINE } else { DEADLINE };
    until_within(limit, "the trunk is open again", async || {
        (edge.shown(&trunk, "/attributes/status").await == "active").then_some(())
    })
    .await;
    assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, false);
    assert_eq!(edge.shown(&trunk, "/meta/spent_amount").await, "0.0");
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
}
