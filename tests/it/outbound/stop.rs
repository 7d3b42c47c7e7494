//! A server that is being stopped hangs up its calls first.

use std::net::SocketAddr;

use didww_types::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;
use voipbin_client::types::{Call, CallStatus, ProviderBody, ProviderCallCreate};

use super::durable::Durable;
use super::sipp_carrier::{Sipp, Steps};
use super::stage::*;
use crate::sip::edge::until;
use crate::support::api::Api;
use crate::support::receiver::{Answer, Receiver};
use crate::support::world::{identifier, linking, resource, update};

async fn wait_for_status(server: &Durable, id: Uuid, status: CallStatus) -> Call {
    until(&format!("call {id} is {status}"), async || {
        Some(server.platform.calls().get(id).await.unwrap()).filter(|call| call.status == status)
    })
    .await
}

#[tokio::test]
async fn a_stop_cancels_what_rings_and_hangs_up_what_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut hooks = Receiver::start(Answer::Status(200)).await;
    let server = Durable::start(folder.path(), "").await;
    server.ready(&hooks).await;
    let ringing = Sipp::start(&Steps::invited().progress("180 Ringing").cancelled(), 1);
    let up = Sipp::start(&Steps::invited().answered().hung_up(), 1);
    let mut calls = Vec::new();
    for (sipp, status) in [(&ringing, CallStatus::Ringing), (&up, CallStatus::Progressing)] {
        let provider =
            server.platform.providers().create(ProviderBody::sip("sipp", sipp.host())).await.unwrap();
        let body: ProviderCallCreate = long_call(&provider);
        let placed = server.platform.provider_calls().create(body).await.unwrap();
        wait_for_status(&server, placed.call_ids[0], status).await;
        calls.push(placed.call_ids[0]);
    }
    assert_eq!(server.binary.terminate(), Some(0));
    ringing.went_as_written().await;
    up.went_as_written().await;

    let server = Durable::start(folder.path(), "").await;
    for (id, reason) in calls.iter().zip(["cancel", "normal"]) {
        let call = server.platform.calls().get(*id).await.unwrap();
        assert_eq!((call.status.clone(), hangup_of(&call)), (CallStatus::Hangup, hangup(reason, "local")));
    }
    // Webhooks that were not delivered before the stop are delivered after the start.
    let mut ends = Vec::new();
    while ends.len() < calls.len() {
        let (_, call) = webhook_event(&hooks.next().await);
        if call.is_over() && !ends.contains(&call.id) {
            ends.push(call.id);
        }
    }
    assert_eq!(server.binary.terminate(), Some(0));
}

/// Routes a new DID to a callee.
async fn routed(server: &Durable, number: &str, callee: &Sipp) {
    let api = Api::new(&server.binary.base, "good");
    let account = server.control.get("/accounts").await.at("/accounts/0/id");
    let dids = format!("/accounts/{}/dids", account.as_str().unwrap());
    let did = server.control.post(&dids, &json!({ "number": number })).await.at("/dids/0/id");
    let did = did.as_str().unwrap();
    let at: SocketAddr = callee.host().parse().unwrap();
    let configuration =
        json!({ "type": "sip_configurations", "attributes": { "host": at.ip(), "port": at.port() } });
    let body = resource("voice_in_trunks", json!({ "name": "One", "configuration": configuration }));
    let trunk = identifier("voice_in_trunks", &api.post("/voice_in_trunks", &body).await.id());
    let body = linking(update("dids", did, json!({})), "voice_in_trunk", trunk);
    let answer = api.patch(&format!("/dids/{did}"), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// Waits until a call to a DID has this status. Returns its record.
async fn inbound_with(server: &Durable, id: &str, status: &str) -> Value {
    until("the status of a call to a DID", async || {
        let call = server.control.get(&format!("/inbound_calls/{id}")).await.json();
        (call["status"] == status).then_some(call)
    })
    .await
}

#[tokio::test]
async fn a_stop_hangs_up_calls_to_dids_while_it_waits_for_a_silent_carrier_of_the_platform() {
    let folder = tempfile::tempdir().unwrap();
    let tables = "[inbound_calls]\nallow_private_destinations = true\n";
    let hooks = Receiver::start(Answer::Status(200)).await;
    let server = Durable::start(folder.path(), tables).await;
    server.ready(&hooks).await;
    // It does not answer the BYE, which is given up after two seconds.
    let silent =
        Sipp::start(&Steps::invited().answered().hears("BYE").step("<pause milliseconds=\"20000\"/>"), 1);
    let callee = Sipp::start(&Steps::invited().answered().hung_up(), 1);
    let provider =
        server.platform.providers().create(ProviderBody::sip("sipp", silent.host())).await.unwrap();
    let body: ProviderCallCreate = long_call(&provider);
    let outbound = server.platform.provider_calls().create(body).await.unwrap().call_ids[0];
    wait_for_status(&server, outbound, CallStatus::Progressing).await;
    let number = "442079460018";
    routed(&server, number, &callee).await;
    let placed = server.control.post("/inbound_calls", &json!({ "from": US, "to": number })).await;
    let inbound = placed.at("/id").as_str().unwrap().to_owned();
    inbound_with(&server, &inbound, "answered").await;
    assert_eq!(server.binary.terminate(), Some(0));
    callee.went_as_written().await;
    drop(silent);

    let server = Durable::start(folder.path(), tables).await;
    let ended = inbound_with(&server, &inbound, "ended").await;
    assert_eq!(ended["reason"], "the server stopped, or its records were reset");
    let ended: Timestamp = ended["time_end"].as_str().unwrap().parse().unwrap();
    let outbound = server.platform.calls().get(outbound).await.unwrap();
    let given_up = outbound.tm_hangup.unwrap().as_unix_micros() / 1_000;
    assert!(ended.as_unix_millis() < given_up, "{ended} is not before {outbound:?}");
    assert_eq!(server.binary.terminate(), Some(0));
}
