//! How calls end: on both sides, before and after an answer, and without a trunk.

use didww_types::resources::DidFeature;
use http::Method;
use serde_json::{Value, json};
use trunk_server::control::{DidPatch, NewDid};
use trunk_server::inbound::{InboundQuery, InboundStatus, NewInboundCall};

use super::place::*;
use crate::outbound::sipp_carrier::{Sipp, Steps};
use crate::sip::edge::until;
use crate::support::api::Api;
use crate::support::engine;

/// An INVITE for the DID with the caller's number in E.164 form.
fn invited_with_both_numbers() -> Steps {
    Steps::default().step(
        "<recv request=\"INVITE\" crlf=\"true\" rrs=\"true\"><action>\
         <ereg regexp=\"sip:442079460999@\" search_in=\"hdr\" header=\"From:\" check_it=\"true\" \
         assign_to=\"caller\"/>\
         <ereg regexp=\"INVITE sip:442079460018@\" search_in=\"msg\" check_it=\"true\" assign_to=\"called\"/>\
         </action></recv><Reference variables=\"caller,called\"/>",
    )
}

#[tokio::test]
async fn a_call_is_answered_by_the_trunk_of_the_did_and_ended_by_its_caller() {
    let place = Place::start().await;
    let sipp = Sipp::start(&invited_with_both_numbers().progress("180 Ringing").answered().hung_up(), 1);
    let trunk = place.routed_to(&sipp).await;
    let placed = place.call().await;
    assert_eq!((placed.status, placed.attempts.len()), (InboundStatus::Dialling, 0));
    let answered = place.wait_for(placed.id, InboundStatus::Answered).await;
    assert_eq!(answered.voice_in_trunk.unwrap().to_string(), trunk);
    place.control.end_inbound_call(placed.id).await.unwrap();
    let ended = place.wait_for(placed.id, InboundStatus::Ended).await;
    assert_eq!(ending(&ended), (200, "caller", "the caller hung up"));
    assert_eq!(ended.account, Some(place.world.server.account()));
    assert_eq!(ended.did.unwrap().to_string(), place.did);
    assert!(ended.time_connect.is_some() && ended.voice_in_trunk_group.is_none());
    let [attempt] = ended.attempts.as_slice() else { panic!("{ended:?}") };
    assert_eq!((attempt.code, attempt.cli.as_str()), (Some(200), "442079460999"));
    assert_eq!(attempt.outcome.as_deref(), Some("the carrier answered the call"));
    assert!(attempt.uri.as_deref().unwrap().starts_with("sip:442079460018@127."), "{attempt:?}");
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_callee_that_hangs_up_ends_the_call() {
    let place = Place::start().await;
    let sipp = Sipp::start(&Steps::invited().answered().hangs_up(), 1);
    place.routed_to(&sipp).await;
    let ended = place.called().await;
    assert_eq!(ending(&ended), (200, "callee", "the trunk's side hung up"));
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_before_the_answer_cancels_the_call() {
    let place = Place::start().await;
    let sipp = Sipp::start(&Steps::invited().progress("180 Ringing").cancelled(), 1);
    place.routed_to(&sipp).await;
    let placed = place.call().await;
    place.wait_for(placed.id, InboundStatus::Ringing).await;
    place.control.end_inbound_call(placed.id).await.unwrap();
    let ended = place.wait_for(placed.id, InboundStatus::Ended).await;
    assert_eq!(ending(&ended), (487, "caller", "the caller hung up before an answer"));
    assert_eq!((ended.time_connect, ended.duration), (None, 0));
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_callee_that_is_in_progress_counts_as_ringing() {
    let place = Place::start().await;
    let sipp = Sipp::start(&Steps::invited().progress("183 Session Progress").cancelled(), 1);
    place.routed_to(&sipp).await;
    let placed = place.call().await;
    place.wait_for(placed.id, InboundStatus::Ringing).await;
    place.control.end_inbound_call(placed.id).await.unwrap();
    place.wait_for(placed.id, InboundStatus::Ended).await;
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_hung_up() {
    let place = Place::start().await;
    let sipp = Sipp::start(&Steps::invited().answered().hung_up(), 1);
    place.routed_to(&sipp).await;
    let placed = place.call().await;
    place.wait_for(placed.id, InboundStatus::Answered).await;
    place.control.clock().advance(std::time::Duration::from_hours(1));
    let ended = place.wait_for(placed.id, InboundStatus::Ended).await;
    assert_eq!(ending(&ended), (200, "server", "the call reached the longest duration of a call"));
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_number_that_is_no_did_of_the_account_is_refused_and_recorded() {
    let place = Place::start().await;
    let expected = (404, "server", "the called number is not a DID");
    let unknown = place.control.place_inbound_call(NewInboundCall::new(CALLER, "37061498222")).await.unwrap();
    assert_eq!((ending(&unknown), unknown.account), (expected, None));
    assert_eq!(place.control.inbound_call(unknown.id).await.unwrap(), unknown);
    let other = place.control.create_account(trunk_server::control::NewAccount::named("Other")).await;
    let other = other.unwrap().0.id;
    let number = "442079460017";
    place.control.add_did(other, NewDid::new(number)).await.unwrap();
    let found = place.control.place_inbound_call(NewInboundCall::new(CALLER, number)).await.unwrap();
    assert_eq!(found.account, Some(other), "without an account the number alone leads to its owner");
    let call = NewInboundCall::new(CALLER, NUMBER).account(other);
    let foreign = place.control.place_inbound_call(call).await.unwrap();
    assert_eq!(ending(&foreign), expected, "the number is a DID of another account");
}

#[tokio::test]
async fn the_state_of_a_did_and_its_route_are_the_reason_of_a_refusal() {
    let place = Place::start().await;
    assert_eq!(
        ending(&place.called().await),
        (480, "server", "the DID has no inbound trunk and no trunk group")
    );
    place.grouped(&[], json!({})).await;
    assert_eq!(ending(&place.called().await), (480, "server", "the DID's trunk group has no trunks"));
    let mut patch = DidPatch::default();
    patch.blocked = Some(true);
    let (account, did) = (place.world.server.account(), place.did.parse().unwrap());
    place.control.update_did(account, did, patch).await.unwrap();
    assert_eq!(ending(&place.called().await), (403, "server", "the DID is blocked"));
    let silent = NewDid::new("37061498222").features([DidFeature::VoiceOut]);
    place.control.add_did(account, silent).await.unwrap();
    let call = NewInboundCall::new(CALLER, "+37061498222");
    let refused = place.control.place_inbound_call(call).await.unwrap();
    assert_eq!(ending(&refused), (403, "server", "the DID takes no calls: its group has no voice_in"));
}

#[tokio::test]
async fn calls_are_placed_listed_read_and_ended_over_the_control_api() {
    let place = Place::of(engine::builder().control_listener()).await;
    let at = place.world.server.server().control_address().unwrap();
    let control = Api::new(format!("http://{at}/control/v1"), "").with_key(None);
    let sipp = Sipp::start(&Steps::invited().answered().hung_up(), 1);
    place.routed_to(&sipp).await;
    let placed = control.post("/inbound_calls", &json!({ "from": CALLER, "to": format!("+{NUMBER}") })).await;
    assert_eq!(
        (placed.status, placed.at("/status"), placed.at("/to")),
        (201, "dialling".into(), NUMBER.into())
    );
    let path = format!("/inbound_calls/{}", placed.at("/id").as_str().unwrap());
    let has = async |status: &str| {
        until("the status of a call", async || {
            let read = control.get(&path).await;
            (read.at("/status") == status).then_some(read)
        })
        .await
    };
    has("answered").await;
    let live = control.get("/inbound_calls?live=true").await;
    assert_eq!(live.at("/inbound_calls/0/id"), placed.at("/id"));
    let ended = control.send(Method::DELETE, &path, "").await;
    assert_eq!((ended.status, ended.at("/ended")), (200, placed.at("/id")));
    assert_eq!(has("ended").await.at("/disconnect_initiator"), "caller");
    assert_eq!(control.get("/inbound_calls?live=true").await.at("/inbound_calls"), json!([]));
    assert_eq!(control.send(Method::DELETE, &path, "").await.status, 404, "it is not live any more");
    let account = place.world.server.account();
    let of_account = control.get(&format!("/inbound_calls?account={account}&limit=5")).await;
    assert_eq!(of_account.at("/inbound_calls").as_array().map(Vec::len), Some(1));
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_wrong_number_and_an_unknown_account_or_call_are_refused() {
    let place = Place::of(engine::builder().control_listener()).await;
    let at = place.world.server.server().control_address().unwrap();
    let control = Api::new(format!("http://{at}/control/v1"), "").with_key(None);
    let unknown = crate::support::world::UNKNOWN;
    for (body, status, named) in [
        (json!({ "from": "1" }), 422, "to"),
        (json!({ "from": "1", "to": "sip:1@host" }), 422, "`to`"),
        (json!({ "from": "a b", "to": NUMBER }), 422, "`from`"),
        (json!({ "from": "1".repeat(65), "to": NUMBER }), 422, "`from`"),
        (json!({ "from": "1", "to": "1".repeat(21) }), 422, "`to`"),
        (json!({ "from": "1", "to": "+" }), 422, "`to`"),
        (json!({ "from": "1", "to": NUMBER, "trunk": unknown }), 422, "trunk"),
        (json!({ "from": "1", "to": NUMBER, "account": unknown }), 404, unknown),
    ] {
        let answer = control.post("/inbound_calls", &body).await;
        let error = answer.at("/error").as_str().unwrap_or_default().to_owned();
        assert!(answer.status == status && error.contains(named), "{body}: {}", answer.text);
    }
    assert_eq!(control.get(&format!("/inbound_calls/{unknown}")).await.status, 404);
    let listed: Value = control.get("/inbound_calls").await.at("/inbound_calls");
    assert_eq!(listed, json!([]), "what was not placed has no record");
    let longest = json!({ "from": "1".repeat(64), "to": format!("+{}", "1".repeat(20)) });
    let placed = control.post("/inbound_calls", &longest).await;
    assert_eq!((placed.status, placed.at("/disconnect_code")), (201, json!(404)), "{}", placed.text);
}

#[tokio::test]
async fn a_list_has_a_hundred_calls_unless_more_are_asked_for_and_a_thousand_at_most() {
    let place = Place::start().await;
    for _ in 0..1_001 {
        // The number is no DID.
        place.control.place_inbound_call(NewInboundCall::new(CALLER, "1")).await.unwrap();
    }
    for (limit, listed) in [(0, 100), (1_000, 1_000), (1_001, 1_000)] {
        let query = InboundQuery { limit, ..InboundQuery::default() };
        assert_eq!(place.control.inbound_calls(query).await.unwrap().len(), listed, "{limit}");
    }
}
