//! The edge's configuration, as the platform sees it: callees that do not answer, and the header with the
//! caller number.

use didww_client::resources::{OnCliMismatchAction, VoiceOutTrunk, VoiceOutTrunkCreate};
use serde_json::{Value, json};
use voipbin_client::types::{Address, Anonymous, Provider, ProviderCallCreate};

use super::durable::{Durable, EDGE};
use super::stage::*;
use crate::sip::edge::DEADLINE;
use crate::support::receiver::{Answer, Receiver};

const FAR_ENDS: &str = r#"
[[sip.far_end]]
prefix = "4420"
then = "busy"
[[sip.far_end]]
prefix = "12025550187"
then = "decline"
[[sip.far_end]]
prefix = "12025550188"
then = "404"
[[sip.far_end]]
prefix = "12025550189"
ring = 0.1
hang_up_after = 0.1
"#;

/// Calls a number. Returns the call's hangup reason, and the side that hung up.
async fn ending_of(server: &Durable, provider: &Provider, number: &str) -> (String, String) {
    let destinations = vec![Address::tel(number)];
    ended(server, ProviderCallCreate { destinations, ..long_call(provider) }).await
}

async fn ended(server: &Durable, body: ProviderCallCreate) -> (String, String) {
    let placed = server.platform.provider_calls().create(body).await.unwrap();
    hangup_of(&server.platform.calls().wait_until_hung_up(placed.call_ids[0], DEADLINE).await.unwrap())
}

#[tokio::test]
async fn a_callee_that_does_not_take_the_call_decides_how_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = Receiver::start(Answer::Status(200)).await;
    let server = Durable::start(folder.path(), &format!("{EDGE}{FAR_ENDS}")).await;
    server.ready(&hooks).await;
    let provider = server.provider().await;
    for (number, reason) in
        [(GB, "busy"), ("+12025550187", "noanswer"), ("+12025550188", "failed"), ("+12025550189", "normal")]
    {
        assert_eq!(ending_of(&server, &provider, number).await, hangup(reason, "remote"), "{number}");
    }
}

/// A trunk that only accepts its account's numbers as caller numbers.
fn strict() -> VoiceOutTrunkCreate {
    let method = open("Strict").authentication_method;
    VoiceOutTrunk::create("Strict", OnCliMismatchAction::RejectCall, method).allow_any_did_as_cli(true)
}

#[tokio::test]
async fn a_trunk_may_take_the_number_of_an_anonymous_call_for_its_caller() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = Receiver::start(Answer::Status(200)).await;
    let server = Durable::start(folder.path(), &format!("{EDGE}[sip]\ncli_header = \"identity\"\n")).await;
    server.ready(&hooks).await;
    let account = server.control.get("/accounts").await.at("/accounts/0/id");
    let dids = format!("/accounts/{}/dids", account.as_str().unwrap());
    let added = server.control.post(&dids, &json!({ "number": "37061498222" })).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let provider = server.provider_on(strict()).await;
    let hidden = short_call(&provider).anonymous(Anonymous::Yes);
    assert_eq!(ended(&server, hidden.clone()).await, hangup("failed", "remote"));
    let own = hidden.source(Address::tel("+37061498222"));
    assert_eq!(ended(&server, own).await, hangup("normal", "local"));
    let checks: Vec<Value> = server.control.get("/calls").await.at("/calls").as_array().unwrap().clone();
    assert!(checks.iter().any(|record| record["check"] == "cli"), "{checks:?}");
}
