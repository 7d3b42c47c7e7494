//! The real binary is killed while a call to a DID is up.

use serde_json::{Value, json};

use super::place::{CALLER, NUMBER};
use crate::outbound::sipp_carrier::{Sipp, Steps};
use crate::sip::edge::until;
use crate::support::api::Api;
use crate::support::binary::Binary;
use crate::support::world::{identifier, linking, resource, update};

fn started(folder: &std::path::Path) -> (Binary, Api) {
    let config = folder.join("config.toml");
    std::fs::write(&config, "[inbound_calls]\nallow_private_destinations = true\n").unwrap();
    let (config, database) = (config.to_str().unwrap().to_owned(), folder.join("calls.db"));
    let database = database.to_str().unwrap();
    let binary = Binary::start(&["--database", database, "--config", &config, "--api-key", "good"]);
    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
    (binary, control)
}

/// Waits until a call has this status. Returns its record.
async fn record_with(control: &Api, id: &str, status: &str) -> Value {
    until("the status of a call", async || {
        let call = control.get(&format!("/inbound_calls/{id}")).await.json();
        (call["status"] == status).then_some(call)
    })
    .await
}

#[tokio::test]
async fn a_call_that_is_up_when_the_server_is_killed_has_ended_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let sipp = Sipp::start(&Steps::invited().answered(), 1);
    let (binary, control) = started(folder.path());
    let api = Api::new(&binary.base, "good");
    let account = control.get("/accounts").await.at("/accounts/0/id");
    let dids = format!("/accounts/{}/dids", account.as_str().unwrap());
    let did = control.post(&dids, &json!({ "number": NUMBER })).await.at("/dids/0/id");
    let at: std::net::SocketAddr = sipp.host().parse().unwrap();
    let configuration =
        json!({ "type": "sip_configurations", "attributes": { "host": at.ip(), "port": at.port() } });
    let body = resource("voice_in_trunks", json!({ "name": "One", "configuration": configuration }));
    let trunk = api.post("/voice_in_trunks", &body).await.id();
    let did = did.as_str().unwrap();
    let body =
        linking(update("dids", did, json!({})), "voice_in_trunk", identifier("voice_in_trunks", &trunk));
    let routed = api.patch(&format!("/dids/{did}"), &body).await;
    assert_eq!(routed.status, 200, "{}", routed.text);
    let placed = control.post("/inbound_calls", &json!({ "from": CALLER, "to": NUMBER })).await;
    let id = placed.at("/id").as_str().unwrap().to_owned();
    record_with(&control, &id, "answered").await;
    binary.kill();
    let (_binary, control) = started(folder.path());
    let ended = record_with(&control, &id, "ended").await;
    assert_eq!(ended["disconnect_code"], 200);
    assert_eq!(ended["disconnect_initiator"], "server");
    assert_eq!(ended["reason"], "the server was killed during the call");
    assert_eq!(ended["attempts"][0]["code"], 200);
    sipp.went_as_written().await;
}
