//! A server that is asked to stop hangs up its calls first.

use uuid::Uuid;
use voipbin_client::types::{Call, CallStatus, ProviderBody, ProviderCallCreate};

use super::durable::Durable;
use super::sipp_carrier::{Sipp, Steps};
use super::stage::*;
use crate::sip::edge::until;
use crate::support::receiver::{Answer, Receiver};

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
