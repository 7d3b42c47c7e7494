//! Reliable provisional responses (RFC 3262).

use std::time::Instant;

use serde_json::json;

use super::digest::Answer;
use super::edge::{Edge, RINGS_THEN_ANSWERS, Trunk};
use super::message::Message;
use super::sentences::assert_ended_with;
use super::uac::Call;

/// Places a call that rings. Returns the first response with this code.
async fn rings(call: &mut Call, trunk: &Trunk, code: u16) -> Message {
    let challenge = call.attempt().await;
    let digest = Answer::to(&challenge, trunk, &call.uri());
    call.invite(&[format!("Authorization: {}", digest.value())]).await;
    call.ringing(code).await
}

/// Acknowledges a response with the dialog's `nth` request. Returns the code of the answer to the PRACK.
async fn confirms(call: &mut Call, number: &str, nth: u32) -> u16 {
    let invite = call.sequence;
    call.sequence += nth;
    let answer = call.request("PRACK", &[&format!("RAck: {number} {invite} INVITE")], "").await;
    // Later responses belong to the INVITE.
    call.sequence = invite;
    answer.code()
}

#[tokio::test]
async fn a_caller_that_can_confirm_it_rings_gets_the_response_again_until_it_does() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nring = 3600\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({})).await;
    for line in ["Supported: timer, 100rel", "k: 100rel", "Require: 100rel"] {
        let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
        call.headers.push(line.to_owned());
        let ringing = rings(&mut call, &trunk, 180).await;
        assert_eq!(ringing.header("Require"), Some("100rel"), "{ringing:?}");
        let number = ringing.header("RSeq").expect("a number to confirm").to_owned();
        let again = call.ringing(180).await;
        assert_eq!(again.header("RSeq"), Some(number.as_str()), "it is repeated as it was");
        assert_eq!(confirms(&mut call, "0", 0).await, 481, "that is another response");
        assert_eq!(confirms(&mut call, &number, 1).await, 200);
        call.cancel().await;
        assert_eq!(call.answer().await.code(), 487);
    }
    let mut plain = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    let ringing = rings(&mut plain, &trunk, 180).await;
    assert_eq!((ringing.header("Require"), ringing.header("RSeq")), (None, None));
    plain.cancel().await;
    assert_eq!(plain.answer().await.code(), 487);
    assert_eq!(edge.record(&trunk, 4).await["disconnect_code"], 487);
}

#[tokio::test]
async fn a_call_with_early_media_is_answered_when_that_was_confirmed() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nearly_media = true\n").await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    call.headers.push("Supported: 100rel".to_owned());
    let progress = rings(&mut call, &trunk, 183).await;
    let number = progress.header("RSeq").expect("a number to confirm").to_owned();
    // Without the PRACK the call is not answered; the response is retransmitted.
    call.ringing(183).await;
    assert_eq!(confirms(&mut call, &number, 0).await, 200);
    let answer = call.answer().await;
    assert_eq!((answer.code(), &answer.body), (200, &progress.body), "what was agreed on stays");
    call.acknowledge().await;
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["success"], true);
}

#[tokio::test]
async fn an_answer_does_not_undo_what_an_update_changed_while_the_call_rang() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nring = 60\nearly_media = true\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({})).await;
    for changes in [false, true] {
        let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
        call.headers.push("Supported: 100rel".to_owned());
        let progress = rings(&mut call, &trunk, 183).await;
        assert_eq!(confirms(&mut call, progress.header("RSeq").unwrap(), 0).await, 200);
        let invite = call.sequence;
        call.sequence += 1;
        let formats = if changes { "RTP/AVP 0" } else { "RTP/AVP 8 0 101" };
        let offer = call.offer.replace("RTP/AVP 8 0 101", formats);
        let updated = call.request("UPDATE", &[], &offer).await;
        assert_eq!((updated.code(), updated.body != progress.body), (200, changes), "{updated:?}");
        call.sequence = invite;
        edge.advance(60).await;
        let answer = call.answer().await;
        let expected = if changes { "" } else { progress.body.as_str() };
        assert_eq!((answer.code(), answer.body.as_str()), (200, expected));
        call.acknowledge().await;
        call.sequence += 9;
        call.hang_up().await;
    }
    assert_eq!(edge.record(&trunk, 2).await["media"]["codec"], "PCMU");
}

#[tokio::test]
async fn a_call_whose_ringing_is_never_confirmed_is_given_up() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nearly_media = true\n").await;
    let trunk = edge.trunk(json!({ "capacity_limit": 1 })).await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    call.headers.push("Supported: 100rel".to_owned());
    rings(&mut call, &trunk, 183).await;
    let mut arrivals = vec![Instant::now()];
    for _ in 0..5 {
        call.ringing(183).await;
        arrivals.push(Instant::now());
    }
    let gaps: Vec<_> = arrivals.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Each interval is twice the one before; a busy machine may delay single responses.
    assert!(gaps.windows(3).all(|gaps| gaps[2] > gaps[0]), "{gaps:?}");
    let answer = call.answer().await;
    assert_eq!(answer.code(), 504);
    let why = "the caller acknowledged no reliable provisional response (PRACK) within 32 seconds";
    assert_ended_with(&edge, &call, why, Some(&answer)).await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!((&record["disconnect_code"], &record["disconnect_reason"]), (&json!(504), &json!("No PRACK")));
    assert!(edge.active().await.is_empty());
}

#[tokio::test]
async fn a_100_is_never_reliable_and_a_second_reliable_response_waits_for_the_prack_of_the_first() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nring = 3600\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    call.headers.push("Require: 100rel".to_owned());
    let first = rings(&mut call, &trunk, 180).await;
    let trying = call.provisional.iter().find(|message| message.code() == 100).expect("a 100");
    assert_eq!((trying.header("Require"), trying.header("RSeq")), (None, None), "{trying:?}");
    let number: u32 = first.header("RSeq").expect("a number to confirm").parse().unwrap();
    // The response of the next minute is due, but only the first one is repeated.
    edge.advance(60).await;
    for _ in 0..3 {
        let again = call.ringing(180).await;
        assert_eq!(again.header("RSeq"), first.header("RSeq"), "{again:?}");
    }
    assert_eq!(confirms(&mut call, &number.to_string(), 0).await, 200);
    edge.advance(60).await;
    let expected = (number + 1).to_string();
    let is_it = |message: &Message| message.header("RSeq") == Some(expected.as_str());
    call.uac.expect("a response with the next number", None, is_it).await;
    assert_eq!(confirms(&mut call, &expected, 1).await, 200);
    call.cancel().await;
    assert_eq!(call.answer().await.code(), 487);
}

#[tokio::test]
async fn a_call_that_rings_for_long_receives_a_provisional_response_each_minute() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nring = 3600\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    let first = rings(&mut call, &trunk, 180).await;
    for _ in 0..3 {
        edge.advance(59).await;
        let next = call.uac.options_or_anything().await;
        assert_eq!(next.method(), "OPTIONS", "it came before a minute had passed: {next:?}");
        edge.advance(1).await;
        let again = call.ringing(180).await;
        assert_eq!((again.header("To"), again.header("RSeq")), (first.header("To"), None), "{again:?}");
    }
    call.cancel().await;
    assert_eq!(call.answer().await.code(), 487);
}

#[tokio::test]
async fn a_reliable_response_of_the_next_minute_has_the_next_number_and_no_second_offer() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nring = 200\nearly_media = true\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({})).await;
    for line in ["Require: 100rel", "Supported: 100rel"] {
        let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
        call.headers.push(line.to_owned());
        let progress = rings(&mut call, &trunk, 183).await;
        let number: u32 = progress.header("RSeq").unwrap().parse().unwrap();
        assert_eq!(confirms(&mut call, &number.to_string(), 1).await, 200);
        for minute in 1..=3 {
            edge.advance(60).await;
            let expected = (number + minute).to_string();
            let is_it = |message: &Message| message.header("RSeq") == Some(expected.as_str());
            let again = call.uac.expect("a response with the next number", None, is_it).await;
            assert_eq!((again.code(), again.body.as_str()), (183, ""), "{again:?}");
            assert_eq!(confirms(&mut call, &expected, 1 + minute).await, 200);
        }
        // Offer and answer are complete, so the call is answered when it has rung long enough.
        edge.advance(60).await;
        let answer = call.answer().await;
        assert_eq!((answer.code(), &answer.body), (200, &progress.body), "what was agreed on stays");
        call.acknowledge().await;
        // Requests in the dialog are counted on from the PRACKs.
        call.sequence += 9;
        call.hang_up().await;
    }
}
