//! A provider that is a trunk of the server's own edge: one call, told by both APIs, SIP and the webhooks alike.

use serde_json::{Value, json};
use trunk_server::config::SipConfig;
use trunk_server::control::customers::CustomerPatch;
use trunk_server::store::CallQuery;

use super::refusal::*;
use super::stage::*;
use crate::sip::edge::{credentials, until};
use crate::support::api::Api;
use crate::support::receiver::{Answer, Receiver};

/// A server with both sides, a trunk, and a provider that was set up on it.
struct Both {
    stage: Stage,
    /// The carrier's API.
    api: Api,
    trunk: String,
    provider: String,
}

impl Both {
    async fn start() -> Self {
        let stage = Stage::with(|config| {
            config.sip = Some(SipConfig::at("127.0.0.1:0"));
            config.voipbin.platform.hosts.insert("out.didww.com".to_owned(), "edge".to_owned());
        })
        .await;
        let api = Api::new(stage.server.base_url(), "good");
        let setup = json!({
            "carrier": "didww", "name": "Main",
            "credentials": { "api_key": "good", "base_url": stage.server.base_url() },
        });
        let provider = stage.sa.post("/providers/setup", &setup).await.id();
        let trunk = api.get("/voice_out_trunks").await.at("/data/0/id").as_str().unwrap().to_owned();
        Self { stage, api, trunk, provider }
    }

    /// Changes the trunk at the carrier.
    async fn patch(&self, attributes: Value) {
        let data = json!({ "type": "voice_out_trunks", "id": self.trunk, "attributes": attributes });
        let path = format!("/voice_out_trunks/{}", self.trunk);
        let answer = self.api.patch(&path, &json!({ "data": data })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// The carrier's records of calls and refused attempts on the trunk, once there are so many.
    async fn records(&self, count: usize) -> Vec<Value> {
        let trunk = Some(self.trunk.parse().unwrap());
        until(&format!("{count} records"), async || {
            let query = CallQuery { trunk, ..CallQuery::default() };
            let records = self.stage.control().call_records(query).await.unwrap();
            (records.len() >= count).then_some(records)
        })
        .await
    }

    /// Places a call that ends by itself when it is answered; gives why and by whom it ended.
    async fn outcome(&self) -> (String, String) {
        let id = first_call(&self.stage.place(&self.provider, US).await);
        call_ends(&self.stage.sa, &id).await
    }
}

#[tokio::test]
async fn a_call_through_a_trunk_is_the_same_story_on_every_side() {
    let both = Both::start().await;
    let Both { stage, api, trunk, provider } = &both;
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let mut patch = CustomerPatch::default();
    patch.webhook_uri = Some(receiver.url("/hooks"));
    stage.control().update_customer(stage.admin, patch).await.unwrap();
    // Nobody may be called yet.
    let body = json!({
        "provider_id": provider, "source": tel(US_TOO), "destinations": [tel(US)],
        "actions": [
            { "type": "answer" },
            { "type": "talk", "option": { "text": "A", "language": "en-US" } },
            { "type": "hangup" },
        ],
    });
    let refusal = invalid("outbound destination country not whitelisted");
    stage.sa.post("/providercalls", &body).await.refused(&refusal);
    assert!(stage.sa.get("/calls").await.rows().is_empty());
    assert_eq!(stage.control().call_counts().unwrap(), [0, 0, 0]);
    stage.allow().await;
    let record = stage.sa.post("/providercalls", &body).await.ok();
    let id = first_call(&record);
    assert_eq!(call_ends(&stage.sa, &id).await, ("normal".to_owned(), "local".to_owned()));
    let call = call(&stage.sa, &id).await;
    for name in ["tm_ringing", "tm_progressing", "tm_hangup"] {
        instant(&call[name]);
    }
    // The carrier challenged once, admitted the call, and charges for it.
    assert_eq!(stage.control().call_counts().unwrap(), [1, 0, 1]);
    let records = both.records(1).await;
    let told = &records[0];
    assert_eq!((records.len(), &told["success"]), (1, &json!(true)), "{told}");
    assert!(told["dst_number"].as_str().unwrap().ends_with(US.trim_start_matches('+')), "{told}");
    assert!(told.to_string().contains(US_TOO.trim_start_matches('+')), "{told}");
    let shown = api.get(&format!("/voice_out_trunks/{trunk}")).await;
    assert_ne!(told["price"], "0");
    assert_eq!(shown.at("/data/meta/spent_amount"), told["price"]);
    // The customer was told each step.
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "call_hangup") {
        let body: Value = serde_json::from_str(&receiver.next().await.body).unwrap();
        assert_eq!(body["data"]["id"], json!(id));
        names.push(body["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(names[..3], ["call_created", "call_ringing", "call_progressing"]);
    assert_eq!(names[names.len() - 2..], ["call_terminating", "call_hangup"]);
    assert_eq!(receiver.untaken(), 0);
    // The carrier is well.
    stage.control().probe_providers().await.unwrap();
    let provider = stage.sa.get(&format!("/providers/{provider}")).await.ok();
    assert_eq!(provider["health_status"], "healthy");
}

#[tokio::test]
async fn what_a_trunk_refuses_ends_as_its_response_says() {
    let method = |networks: &[&str], prefix: Option<&str>| json!({ "authentication_method": credentials(networks, prefix) });
    // What of the trunk is changed, why the call ended, and the check that the carrier's record names, if any.
    for (attributes, reason, check) in [
        (json!({ "status": "blocked" }), "noanswer", Some("status")),
        (json!({ "threshold_amount": "0.0" }), "noanswer", Some("status")),
        (json!({ "on_cli_mismatch_action": "reject_call" }), "noanswer", Some("cli")),
        (json!({ "dst_prefixes": ["1202"] }), "noanswer", Some("destination")),
        (json!({ "default_dst_action": "reject_all" }), "noanswer", Some("destination")),
        (method(&["127.255.255.0/24"], None), "noanswer", None),
        (method(&["127.0.0.0/8"], Some("123#")), "noanswer", None),
    ] {
        let both = Both::start().await;
        both.stage.allow().await;
        both.patch(attributes.clone()).await;
        assert_eq!(both.outcome().await, (reason.to_owned(), "remote".to_owned()), "{attributes}");
        assert_eq!(both.stage.control().call_counts().unwrap()[2], 0, "{attributes}");
        if let Some(check) = check {
            let records = both.records(1).await;
            assert_eq!((records.len(), &records[0]["check"]), (1, &json!(check)), "{attributes}");
        }
    }
}

#[tokio::test]
async fn a_trunk_at_its_capacity_takes_no_further_call() {
    let both = Both::start().await;
    both.stage.allow().await;
    both.patch(json!({ "capacity_limit": 1 })).await;
    let stay = json!({ "actions": [{ "type": "answer" }, { "type": "sleep", "option": { "duration": 3_600_000 } }] });
    let first = first_call(&both.stage.place_with(&both.provider, US, stay).await);
    call_is(&both.stage.sa, &first, "progressing").await;
    assert_eq!(both.outcome().await, ("noanswer".to_owned(), "remote".to_owned()));
    assert_eq!(both.records(1).await[0]["check"], "capacity");
    both.stage.sa.send("POST", &format!("/calls/{first}/hangup"), "").await.ok();
    assert_eq!(call_ends(&both.stage.sa, &first).await.0, "normal");
    let free = async || both.stage.control().active_calls().unwrap().is_empty().then_some(());
    until("the channel is free", free).await;
    assert_eq!(both.outcome().await, ("normal".to_owned(), "local".to_owned()));
}

#[tokio::test]
async fn the_tech_prefix_of_the_trunk_belongs_into_the_provider() {
    let both = Both::start().await;
    both.stage.allow().await;
    both.patch(json!({ "authentication_method": credentials(&["127.0.0.0/8"], Some("123#")) })).await;
    let path = format!("/providers/{}", both.provider);
    let mut provider = both.stage.sa.get(&path).await.ok();
    provider["tech_prefix"] = json!("123#");
    both.stage.sa.put(&path, &provider).await.ok();
    assert_eq!(both.outcome().await, ("normal".to_owned(), "local".to_owned()));
    let dialled = both.records(1).await[0]["dst_number"].as_str().unwrap().to_owned();
    assert!(dialled.starts_with("123#"), "{dialled}");
}

#[tokio::test]
async fn a_provider_made_by_hand_has_no_credentials_and_needs_a_trunk_without() {
    let both = Both::start().await;
    let Both { stage, trunk, .. } = &both;
    stage.allow().await;
    let by_hand = stage.provider("nyc.us.out.didww.com").await;
    let outcome = async || {
        let id = first_call(&stage.place(&by_hand, US).await);
        call_ends(&stage.sa, &id).await
    };
    assert_eq!(outcome().await, ("noanswer".to_owned(), "remote".to_owned()), "it is challenged");
    assert_eq!(stage.control().call_counts().unwrap(), [1, 0, 0]);
    let account = stage.control().accounts()[0].id;
    let networks = didww_types::values::IpNetworks::parse(["127.0.0.1"]).unwrap();
    stage.control().make_ip_only(account, trunk.parse().unwrap(), &networks).await.unwrap();
    assert_eq!(outcome().await, ("normal".to_owned(), "local".to_owned()));
}

#[tokio::test]
async fn an_anonymous_call_reaches_a_trunk_as_anonymous() {
    let both = Both::start().await;
    both.stage.allow().await;
    let record = both.stage.place_with(&both.provider, US, json!({ "anonymous": "yes" })).await;
    assert_eq!(call_ends(&both.stage.sa, &first_call(&record)).await.0, "normal");
    let told = both.records(1).await.remove(0);
    assert_eq!(told["success"], true, "{told}");
    assert!(told.to_string().contains("anonymous"), "{told}");
    // A trunk that checks who calls does not see it.
    both.patch(json!({ "on_cli_mismatch_action": "reject_call" })).await;
    let record = both.stage.place_with(&both.provider, US, json!({ "anonymous": "yes" })).await;
    assert_eq!(call_ends(&both.stage.sa, &first_call(&record)).await.0, "noanswer");
}
