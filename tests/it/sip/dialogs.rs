//! Requests inside a dialog: the addresses that they may come from, and their order.

use serde_json::json;

use super::digest::Answer;
use super::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, credentials, source};
use super::media::hears_its_echo;
use super::uac::{Call, Uac};

/// A digest for a request in the dialog.
fn digest(
    challenge: &super::message::Message,
    trunk: &super::edge::Trunk,
    method: &str,
    uri: &str,
) -> String {
    let mut answer = Answer::to(challenge, trunk, uri);
    method.clone_into(&mut answer.method);
    format!("Authorization: {}", answer.value())
}

#[tokio::test]
async fn from_another_address_a_request_of_a_trunk_with_credentials_is_challenged() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    let at = {
        let body = call.offer.clone();
        call.request("INVITE", &[], &body).await.media().0
    };
    let mut other = Uac::udp(&edge).await;
    let moved = super::uac::offer(other.local);
    for (method, body) in [("INVITE", moved.as_str()), ("UPDATE", &moved), ("PRACK", ""), ("BYE", "")] {
        let answer = call.request_from(&mut other, method, &[], body).await;
        assert_eq!((answer.code(), answer.header("WWW-Authenticate").is_some()), (401, true), "{answer:?}");
        let wrong = edge.trunk(json!({})).await;
        let header = digest(&answer, &wrong, method, call.target());
        let answer = call.request_from(&mut other, method, &[&header], body).await;
        assert_eq!(answer.code(), 401, "with the digest of another trunk: {answer:?}");
    }
    hears_its_echo(&call, at, 1).await;
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 200, "the call is where it was");

    let challenge = call.request_from(&mut other, "BYE", &[], "").await;
    let header = digest(&challenge, &trunk, "BYE", call.target());
    assert_eq!(call.request_from(&mut other, "BYE", &[&header], "").await.code(), 200);
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Bye");
}

#[tokio::test]
async fn a_right_digest_from_an_address_that_may_not_call_is_refused() {
    let edge = Edge::start().await;
    let own = Uac::udp(&edge).await;
    let address = own.local.ip().to_string();
    // Because of another trunk, the address is no stranger, so its requests are answered.
    edge.trunk(json!({})).await;
    let trunk = edge.trunk(json!({ "authentication_method": credentials(&[&address], None) })).await;
    let mut call = Call::over(own, &edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.place(&trunk).await.code(), 200);
    let mut other = Uac::udp(&edge).await;
    let challenge = call.request_from(&mut other, "BYE", &[], "").await;
    assert_eq!(challenge.code(), 401);
    let header = digest(&challenge, &trunk, "BYE", call.target());
    assert_eq!(call.request_from(&mut other, "BYE", &[&header], "").await.code(), 403);
    call.hang_up().await;
}

#[tokio::test]
async fn from_another_address_a_request_of_a_trunk_by_address_is_taken_where_the_address_is_allowed() {
    let edge = Edge::start().await;
    edge.trunk(json!({})).await;
    let trunk = edge.trunk(json!({})).await;
    let (own, neighbour) = (source(), source());
    edge.ip_only(&trunk, &[&own.to_string(), &neighbour.to_string()]).await;
    let mut call = Call::over(Uac::udp_from(&edge, own).await, &edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    let mut other = Uac::udp(&edge).await;
    for method in ["UPDATE", "INVITE", "BYE"] {
        assert_eq!(call.request_from(&mut other, method, &[], "").await.code(), 403, "{method}");
    }
    let mut same_address = Uac::udp_from(&edge, own).await;
    assert_eq!(
        call.request_from(&mut same_address, "UPDATE", &[], "").await.code(),
        200,
        "from another port"
    );
    let mut neighbour = Uac::udp_from(&edge, neighbour).await;
    assert_eq!(call.request_from(&mut neighbour, "BYE", &[], "").await.code(), 200);
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Bye");
}

#[tokio::test]
async fn an_ack_from_an_address_that_no_trunk_names_confirms_the_answer() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let own = source();
    edge.ip_only(&trunk, &[&format!("{own}/32")]).await;
    let mut call = Call::over(Uac::udp_from(&edge, own).await, &edge, ANSWERS_AT_ONCE).await;
    let answer = call.attempt().await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    // A caller behind a proxy that does not stay in the call.
    let mut behind = Uac::udp(&edge).await;
    call.acknowledge_from(&mut behind).await;
    let id = edge.active().await[0]["id"].as_str().unwrap().to_owned();
    edge.control.delete(&format!("/calls/active/{id}")).await;
    // Without the ACK there would be no BYE for 32 seconds.
    let bye = tokio::time::timeout(DEADLINE, call.hung_up()).await;
    assert!(bye.is_ok(), "the answer was not confirmed");
}

#[tokio::test]
async fn a_request_of_the_edge_has_the_contact_exactly_as_its_caller_wrote_it() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let contact = format!("sip:%2B44%23;y=%41@{};x=%42", call.uac.local);
    call.contact = vec![format!("Contact: <{contact}>")];
    assert_eq!(call.place(&trunk).await.code(), 200);
    let id = edge.active().await[0]["id"].as_str().unwrap().to_owned();
    edge.control.delete(&format!("/calls/active/{id}")).await;
    assert_eq!(call.hung_up().await.start, format!("BYE {contact} SIP/2.0"));
}

#[tokio::test]
async fn nobody_else_cancels_an_invite() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    let mut call = Call::new(&edge, "9990180").await;
    call.invite(&[]).await;
    call.ringing(180).await;
    let cancel = call.sent.replace("INVITE sip", "CANCEL sip").replace(" INVITE\r\n", " CANCEL\r\n");
    let cancel = cancel.split_once("Content-Type").unwrap().0.to_owned() + "Content-Length: 0\r\n\r\n";
    let mut other = Uac::udp(&edge).await;
    other.send(&cancel).await;
    // Later requests are answered after it.
    assert_eq!(other.options().await.code(), 200);
    assert_eq!(edge.active().await.len(), 1, "it still rings");
    assert_eq!(call.cancel().await.code(), 200);
    assert_eq!(call.answer().await.code(), 487);
}

#[tokio::test]
async fn a_request_that_is_older_than_one_that_was_taken_is_refused() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    call.sequence += 10;
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 200);
    call.sequence -= 5;
    for method in ["UPDATE", "BYE"] {
        assert_eq!(call.request(method, &[], "").await.code(), 500, "{method}");
    }
    call.sequence += 10;
    call.hang_up().await;
}

/// Waits for the line of a refused request inside a call, which names the call, the code and the reason.
async fn refused_in_call(edge: &Edge, call: &Call, code: u16, why: &str) {
    let (code, why) = (format!(" code={code} "), format!("why=\"{why}"));
    let line = edge.logs(&["refused in a call", &call.id, &code, &why]).await;
    assert!(line.contains(" INFO ") && line.contains("method="), "{line}");
}

#[tokio::test]
async fn each_refusal_of_a_request_inside_a_call_has_a_line_of_the_log_with_its_reason() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    assert_eq!(call.request("UPDATE", &["Require: x"], "").await.code(), 420);
    refused_in_call(&edge, &call, 420, "the request requires an unsupported extension").await;
    let short = ["Supported: timer", "Session-Expires: 30"];
    assert_eq!(call.request("UPDATE", &short, "").await.code(), 422);
    refused_in_call(&edge, &call, 422, "a session interval of less than 90 seconds is refused").await;
    let content = std::mem::replace(&mut call.content, vec!["Content-Type: text/plain".to_owned()]);
    assert_eq!(call.request("UPDATE", &[], "x").await.code(), 415);
    call.content = content;
    refused_in_call(&edge, &call, 415, "the body, or a required part of it, has the unsupported type").await;
    assert_eq!(call.request("INFO", &["Info-Package: conference"], "").await.code(), 469);
    refused_in_call(&edge, &call, 469, "no info package is supported").await;
    let highest = call.sequence;
    call.sequence = 0;
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 500);
    call.sequence = highest;
    refused_in_call(&edge, &call, 500, "the number in CSeq is lower than that of an earlier request").await;

    let mut other = Uac::udp(&edge).await;
    assert_eq!(call.request_from(&mut other, "BYE", &[], "").await.code(), 401);
    refused_in_call(&edge, &call, 401, "no digest was sent").await;
    call.hang_up().await;
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 481);
    refused_in_call(&edge, &call, 481, "there is no such call: it has ended").await;

    let own = Uac::udp(&edge).await;
    let narrow = edge.trunk(json!({})).await;
    edge.ip_only(&narrow, &[&own.local.ip().to_string()]).await;
    let mut call = Call::over(own, &edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    assert_eq!(call.request_from(&mut other, "BYE", &[], "").await.code(), 403);
    let why = "the request comes from another address, which the trunk does not allow";
    refused_in_call(&edge, &call, 403, why).await;
    call.hang_up().await;
}

#[tokio::test]
async fn an_answer_to_a_later_offer_counts_before_the_ack_of_the_first_answer() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.attempt().await.code(), 200);
    let (invite, own) = (call.sequence, call.offer.clone());
    call.acknowledgement.clone_from(&own);
    assert_eq!(call.request("INVITE", &[], "").await.code(), 200);
    let next = std::mem::replace(&mut call.sequence, invite);
    call.acknowledgement.clear();
    call.acknowledge().await;
    call.sequence = next;
    assert_eq!(call.request("UPDATE", &[], &own).await.code(), 200, "the answer in the ACK came before");
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Bye");
}

#[tokio::test]
async fn an_offer_that_crosses_one_of_the_edges_is_refused_with_491() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let own = std::mem::take(&mut call.offer);
    assert_eq!(call.attempt().await.code(), 200);
    let invite = call.sequence;
    assert_eq!(call.request("UPDATE", &[], &own).await.code(), 491, "the edge's offer has no answer yet");
    let next = call.sequence;
    call.sequence = invite;
    call.acknowledgement = own;
    call.acknowledge().await;
    call.sequence = next;
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 200);
    call.hang_up().await;
}

#[tokio::test]
async fn requests_of_a_call_that_arrive_together_are_handled_in_their_order() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::over(Uac::tcp(&edge).await, &edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.place(&trunk).await.code(), 200);
    for _ in 0..8 {
        let requests: Vec<String> = (0..5).map(|_| call.text("UPDATE")).collect();
        call.uac.send(requests.concat()).await;
        for _ in &requests {
            let is_answer = |message: &super::message::Message| message.method() == "UPDATE";
            let answer = call.uac.expect("an answer to each UPDATE", None, is_answer).await;
            assert_eq!(answer.code(), 200, "none overtakes another: {answer:?}");
        }
    }
    call.hang_up().await;
}

#[tokio::test]
async fn a_request_that_waits_while_its_call_ends_is_answered() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    for _ in 0..5 {
        let mut call = Call::over(Uac::tcp(&edge).await, &edge, "9990180").await;
        call.invite(&[]).await;
        call.ringing(180).await;
        let (cancel, update) = (call.cancellation(), call.text("UPDATE"));
        call.uac.send(update + &cancel).await;
        let is_answer = |message: &super::message::Message| message.method() == "UPDATE";
        let answer = call.uac.expect("an answer to the UPDATE", None, is_answer).await;
        assert!(matches!(answer.code(), 200 | 481 | 487), "{answer:?}");
    }
}
