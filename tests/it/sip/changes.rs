//! Changes over the API apply from the next INVITE on, and not to an active call, but the deletion of its trunk ends
//! it.

use serde_json::{Value, json};

use super::edge::{ANSWERS_AT_ONCE, Edge, FOREIGN_NUMBER, Trunk, credentials};
use super::uac::Call;

async fn code(edge: &Edge, trunk: &Trunk) -> u16 {
    let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
    let code = match call.attempt().await.code() {
        401 => call.attempt_as(trunk, |_| {}).await.code(),
        other => other,
    };
    if code == 200 {
        call.acknowledge().await;
        call.hang_up().await;
    }
    code
}

#[tokio::test]
async fn every_attribute_counts_from_the_next_call_on_and_calls_that_are_up_stay() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut up = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    for (attributes, expected) in [
        (json!({ "dst_prefixes": ["999"] }), 403),
        (json!({ "default_dst_action": "reject_all" }), 200),
        (json!({ "dst_prefixes": [] }), 403),
        (json!({ "default_dst_action": "allow_all" }), 200),
        (json!({ "status": "blocked" }), 403),
        (json!({ "status": "active" }), 200),
        (json!({ "capacity_limit": 1 }), 480),
        (json!({ "capacity_limit": 2 }), 200),
        (json!({ "media_encryption_mode": "srtp_sdes" }), 488),
        (json!({ "media_encryption_mode": "disabled" }), 200),
        (json!({ "on_cli_mismatch_action": "reject_call" }), 403),
        (json!({ "on_cli_mismatch_action": "send_original_cli" }), 200),
        (json!({ "authentication_method": credentials(&["192.0.2.1"], None) }), 403),
        (json!({ "authentication_method": credentials(&["127.0.0.0/8"], Some("55")) }), 403),
        (json!({ "authentication_method": credentials(&["0.0.0.0/0"], Some("999")) }), 484),
        (json!({ "authentication_method": credentials(&["0.0.0.0/0"], None) }), 200),
    ] {
        edge.patch(&trunk, attributes.clone()).await;
        assert_eq!(code(&edge, &trunk).await, expected, "{attributes}");
        assert_eq!(up.request("UPDATE", &[], "").await.code(), 200, "the call stays with {attributes}");
    }
    assert_eq!(edge.api.delete(&format!("/voice_out_trunks/{}", trunk.id)).await.status, 204);
    assert_eq!(code(&edge, &trunk).await, 403, "no trunk allows the address now");
    let bye = up.hung_up().await;
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("Trunk deleted")), "{bye:?}");
    edge.calls_up(0).await;
    assert!(edge.binary.log().lines().all(|line| !line.contains("could not write")), "its record is kept");
}

#[tokio::test]
async fn n71_the_deletion_of_a_trunk_ends_its_calls_and_no_others() {
    let edge = Edge::start().await;
    for version in ["2022-05-10", "2026-04-16", "2026-11-19"] {
        let [trunk, other] = [edge.trunk(json!({})).await, edge.trunk(json!({ "rtp_ping": true })).await];
        let mut up = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
        let mut stays = Call::up(&edge, &other, ANSWERS_AT_ONCE).await;
        let mut rings = Call::new(&edge, "9990180").await;
        let deletes = async {
            edge.calls_up(3).await;
            let path = format!("/voice_out_trunks/{}", trunk.id);
            assert_eq!(edge.api.at(Some(version)).delete(&path).await.status, 204);
        };
        // No packet is needed for the end of the calls.
        let (refusal, ()) = tokio::join!(rings.attempt_as(&trunk, |_| {}), deletes);
        assert_eq!(refusal.code(), 503);
        let bye = up.hung_up().await;
        assert!(bye.header("Reason").is_some_and(|reason| reason.contains("Trunk deleted")), "{bye:?}");
        edge.record(&trunk, 2).await;
        for record in edge.records(&trunk).await {
            assert_eq!(record["disconnect_cause"], 9005, "{record}");
            assert_eq!(record["hung_up_by"], "server", "{record}");
            assert!(record["explanation"].as_str().unwrap().contains("the trunk was deleted"), "{record}");
        }
        assert_eq!(stays.request("UPDATE", &[], "").await.code(), 200, "another trunk's call goes on");
        stays.hang_up().await;
        edge.calls_up(0).await;
        let path = format!("/voice_out_trunks/{}", other.id);
        assert_eq!(edge.api.delete(&path).await.status, 204);
    }
}

#[tokio::test]
async fn a_call_whose_trunk_is_deleted_before_the_ack_is_ended_after_it() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.attempt_as(&trunk, |_| {}).await.code(), 200);
    assert_eq!(edge.api.delete(&format!("/voice_out_trunks/{}", trunk.id)).await.status, 204);
    let next =
        call.uac.expect("an answer or a BYE", None, |next| next.code() == 200 || next.code() == 0).await;
    assert_eq!(next.code(), 200, "the answer is repeated: {next:?}");
    call.acknowledge().await;
    let bye = call.hung_up().await;
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("Trunk deleted")), "{bye:?}");
    assert_eq!(edge.record(&trunk, 1).await["disconnect_cause"], 9005);
}

#[tokio::test]
async fn an_emergency_call_outlives_its_trunk() {
    let edge = Edge::start().await;
    let did = edge.did("442079460000", true).await;
    let trunk = edge.linked_trunk(json!({}), json!({ "emergency_dids": [did] })).await;
    let mut up = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    let mut emergency = Call::new(&edge, "999").await;
    "<sip:442079460000@example.com>".clone_into(&mut emergency.from);
    assert_eq!(emergency.place(&trunk).await.code(), 200);
    assert_eq!(edge.api.delete(&format!("/voice_out_trunks/{}", trunk.id)).await.status, 204);
    up.hung_up().await;
    assert_eq!(emergency.request("UPDATE", &[], "").await.code(), 200);
    emergency.hang_up().await;
    edge.calls_up(0).await;
}

#[tokio::test]
async fn dids_count_from_the_moment_that_they_are_linked_and_no_longer_than_they_are_good() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "on_cli_mismatch_action": "reject_call" })).await;
    assert_eq!(code(&edge, &trunk).await, 403);
    let did = edge.did(FOREIGN_NUMBER, false).await;
    assert_eq!(code(&edge, &trunk).await, 403, "it is of the account, not of the trunk");
    let link = async |ids: &[&str]| {
        let data: Vec<Value> = ids.iter().map(|id| json!({ "type": "dids", "id": id })).collect();
        let body = json!({ "data": {
            "type": "voice_out_trunks", "id": trunk.id, "relationships": { "dids": { "data": data } }
        } });
        let answer = edge.api.patch(&format!("/voice_out_trunks/{}", trunk.id), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    link(&[&did]).await;
    assert_eq!(code(&edge, &trunk).await, 200);
    edge.change_did(&did, &json!({ "blocked": true })).await;
    assert_eq!(code(&edge, &trunk).await, 403, "a blocked DID is not eligible");
    edge.change_did(&did, &json!({ "blocked": false })).await;
    assert_eq!(code(&edge, &trunk).await, 200);
    edge.change_did(&did, &json!({ "expires_at": "2020-01-01T00:00:00.000Z" })).await;
    assert_eq!(code(&edge, &trunk).await, 403, "an expired DID is not eligible");
    edge.change_did(&did, &json!({ "expires_at": "2120-01-01T00:00:00.000Z" })).await;
    assert_eq!(code(&edge, &trunk).await, 200);
    link(&[]).await;
    assert_eq!(code(&edge, &trunk).await, 403);
    edge.patch(&trunk, json!({ "allow_any_did_as_cli": true })).await;
    assert_eq!(code(&edge, &trunk).await, 200);
}

#[tokio::test]
async fn credentials_that_are_rotated_between_challenge_and_answer_are_challenged_again() {
    let edge = Edge::start().await;
    let old = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let challenge = call.attempt().await;
    let whose = json!({ "voice_out_trunk": { "data": { "type": "voice_out_trunks", "id": old.id } } });
    let body = json!({ "data": {
        "type": "voice_out_trunk_regenerate_credentials", "relationships": whose
    } });
    let answer = edge.api.post("/voice_out_trunk_regenerate_credentials", &body).await;
    assert!(answer.status < 300, "{}", answer.text);
    let stale = super::digest::Answer::to(&challenge, &old, &call.uri());
    call.invite(&[format!("Authorization: {}", stale.value())]).await;
    let again = call.answer().await;
    assert_eq!(again.code(), 401);
    edge.logs(&["no trunk has this username; credentials may have been regenerated"]).await;
    let method = "/attributes/authentication_method/attributes";
    let text =
        async |name: &str| edge.shown(&old, &format!("{method}/{name}")).await.as_str().unwrap().to_owned();
    let new =
        Trunk { id: old.id.clone(), username: text("username").await, password: text("password").await };
    assert_ne!(new.username, old.username);
    let fresh = super::digest::Answer::to(&again, &new, &call.uri());
    call.invite(&[format!("Authorization: {}", fresh.value())]).await;
    assert_eq!(call.answer().await.code(), 200);
    call.acknowledge().await;
    call.hang_up().await;
}

#[tokio::test]
async fn lowering_the_capacity_ends_nothing_and_counts_calls_that_are_up() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "capacity_limit": 3 })).await;
    let mut up = Vec::new();
    for _ in 0..3 {
        up.push(Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await);
    }
    edge.patch(&trunk, json!({ "capacity_limit": 2 })).await;
    for (left, expected) in [(3, 480), (2, 480), (1, 200)] {
        assert_eq!(edge.active().await.len(), left);
        assert_eq!(code(&edge, &trunk).await, expected, "with {left} calls up");
        let Some(mut call) = up.pop() else { break };
        call.hang_up().await;
        edge.calls_up(left - 1).await;
    }
}

#[tokio::test]
async fn a_trunk_that_spending_blocked_is_opened_by_its_owner() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "threshold_amount": "0.05" })).await;
    assert_eq!(code(&edge, &trunk).await, 200);
    edge.record(&trunk, 1).await;
    assert_eq!(code(&edge, &trunk).await, 403);
    edge.patch(&trunk, json!({ "threshold_amount": "0.06" })).await;
    assert_eq!(edge.shown(&trunk, "/attributes/status").await, "active", "raising the limit opens it");
    assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, false);
    assert_eq!(code(&edge, &trunk).await, 200);
    edge.record(&trunk, 3).await;
    assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, true);
    edge.patch(&trunk, json!({ "status": "active" })).await;
    assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, false);
    assert_eq!(code(&edge, &trunk).await, 200, "and so does the status");
}
