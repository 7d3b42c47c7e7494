//! INVITEs that arrive twice over different paths.

use serde_json::json;

use super::digest::Answer;
use super::edge::{ANSWERS_AT_ONCE, Edge, Trunk};
use super::message::Message;
use super::sentences::assert_states_why;
use super::uac::Call;

async fn open_trunk(edge: &Edge) -> Trunk {
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    trunk
}

/// Sends the last INVITE again with another branch. Returns the final answer to it.
async fn on_another_way(call: &mut Call, way: &str) -> Message {
    let branch = format!("branch=z9hG4bK-{way}-");
    let text = call.sent.replace("branch=z9hG4bK-", &branch);
    call.uac.send(&text).await;
    let answers = |message: &Message| {
        message.code() >= 200 && message.header("Via").is_some_and(|via| via.contains(&branch))
    };
    call.uac.expect("an answer to the copy", Some(&text), answers).await
}

#[tokio::test]
async fn a_copy_of_an_invite_is_no_second_call() {
    let edge = Edge::start().await;
    let trunk = open_trunk(&edge).await;
    let mut call = Call::new(&edge, "9990180").await;
    call.invite(&[]).await;
    call.ringing(180).await;
    let copy = on_another_way(&mut call, "ringing").await;
    assert_eq!(copy.code(), 482);
    assert_states_why(&edge, &call, &copy).await;
    assert_eq!(edge.active().await.len(), 1);
    call.cancel().await;
    assert_eq!(call.answer().await.code(), 487);

    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    assert_eq!(on_another_way(&mut call, "up").await.code(), 482);
    call.hang_up().await;
    edge.record(&trunk, 2).await;
    assert_eq!(on_another_way(&mut call, "over").await.code(), 482, "it was over just now");
    assert_eq!((edge.records(&trunk).await.len(), edge.counts().await[2]), (2, 2), "two calls, two records");
}

#[tokio::test]
async fn a_client_that_does_not_count_on_may_answer_a_challenge() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let challenge = call.attempt().await;
    assert_eq!(challenge.code(), 401);
    let digest = Answer::to(&challenge, &trunk, &call.uri()).value();
    call.sent = call.sent.replace("Max-Forwards", &format!("Authorization: {digest}\r\nMax-Forwards"));
    assert_eq!(on_another_way(&mut call, "second").await.code(), 200);
    assert_eq!(on_another_way(&mut call, "third").await.code(), 482, "this one is up");
}

#[tokio::test]
async fn a_refused_invite_may_be_tried_again_with_the_same_number() {
    let edge = Edge::start().await;
    open_trunk(&edge).await;
    // Refused by the called party, and by a rule.
    for (refused, code) in [("9990486", 486), ("0123", 484)] {
        let mut call = Call::new(&edge, refused).await;
        call.invite(&[]).await;
        let sent = call.sent.clone();
        // Its ACK is on its way, or lost.
        let refusal = call.uac.expect("a refusal", Some(&sent), |message| message.code() >= 300).await;
        assert_eq!(refusal.code(), code, "{refusal:?}");
        call.sent = sent.replace(&format!("sip:{refused}@"), &format!("sip:{ANSWERS_AT_ONCE}@"));
        assert_eq!(on_another_way(&mut call, "next").await.code(), 200, "{refused}");
    }
}

#[tokio::test]
async fn a_call_that_a_proxy_gave_up_may_be_tried_again_at_once_with_the_same_number() {
    let edge = Edge::start().await;
    let trunk = open_trunk(&edge).await;
    let mut call = Call::new(&edge, "9990180").await;
    call.invite(&[]).await;
    call.ringing(180).await;
    call.cancel().await;
    assert_eq!(call.answer().await.code(), 487);
    call.sent = call.sent.replace("sip:9990180@", &format!("sip:{ANSWERS_AT_ONCE}@"));
    let answer = on_another_way(&mut call, "next").await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    assert_eq!(edge.record(&trunk, 1).await["disconnect_code"], 487);
    assert_eq!(edge.active().await.len(), 1);
}
