//! The lab: each fault as a real client meets it, and the journal with its secrets hidden, its bounds, and what is
//! expected of it.

mod callbacks;
mod calls;
mod expectations;
mod http_faults;
mod journal;
mod lost_connections;

use http::Method;
use serde_json::{Value, json};
use trunk_server::TestServer;

use crate::support::api::{Answer, Api};
use crate::support::engine;

/// A server with its control API, and a client of each.
struct Lab {
    server: TestServer,
    api: Api,
    control: Api,
}

impl Lab {
    async fn start() -> Self {
        let server = engine::builder().control_listener().start().await;
        let api = Api::new(server.base_url(), server.api_key());
        let address = server.server().control_address().unwrap();
        let control = Api::new(format!("http://{address}/control/v1"), "").with_key(None);
        Self { server, api, control }
    }

    /// Sets a fault over the control API. Returns its number.
    async fn fault(&self, fault: Value) -> u64 {
        let set = self.control.post("/faults", &fault).await;
        assert_eq!(set.status, 201, "{}", set.text);
        set.at("/id").as_u64().unwrap()
    }

    /// The number of requests that a fault took.
    async fn hits(&self, fault: u64) -> u64 {
        self.control.get(&format!("/faults/{fault}")).await.at("/hits").as_u64().unwrap()
    }

    /// Creates a trunk with this name.
    async fn create(&self, name: &str) -> Answer {
        self.api.post("/voice_out_trunks", &trunk(name, &json!({}))).await
    }

    /// The names of the trunks that are stored.
    async fn names(&self) -> Vec<String> {
        let listed = self.api.get("/voice_out_trunks").await.json();
        let trunks = listed["data"].as_array().unwrap().iter();
        trunks.map(|trunk| trunk["attributes"]["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// The body that creates a trunk with these attributes beside those that it must have.
fn trunk(name: &str, further: &Value) -> Value {
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } });
    let mut attributes =
        json!({ "name": name, "on_cli_mismatch_action": "reject_call", "authentication_method": method });
    attributes.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } })
}

/// Sends a request whose connection may end, without an answer to it.
async fn try_get(api: &Api, path: &str) -> Result<(u16, String), reqwest::Error> {
    let response = api.request(Method::GET, path).send().await?;
    let status = response.status().as_u16();
    Ok((status, response.text().await?))
}

#[tokio::test]
async fn faults_are_set_listed_and_removed_over_the_control_api() {
    let lab = Lab::start().await;
    let first = lab.fault(json!({ "effect": "status", "status": 503, "path": "/v3/dids" })).await;
    let second = lab.fault(json!({ "effect": "delay", "delay_ms": 1, "path": "/v3/regions" })).await;
    assert_eq!(lab.api.get("/dids").await.status, 503);
    assert_eq!(lab.api.get("/regions").await.status, 200);
    let listed = lab.control.get("/faults").await.json();
    let shown: Vec<(u64, u64)> = listed["faults"].as_array().unwrap().iter().map(of_fault).collect();
    assert_eq!(shown, [(first, 1), (second, 1)]);
    let removed = lab.control.delete(&format!("/faults/{first}")).await;
    assert_eq!((removed.status, removed.at("/fault/status")), (200, json!(503)));
    assert_eq!(lab.api.get("/dids").await.status, 200);
    for absent in ["1000", "x", "-1"] {
        assert_eq!(lab.control.get(&format!("/faults/{absent}")).await.status, 404, "{absent}");
    }
    assert_eq!(lab.control.delete(&format!("/faults/{first}")).await.status, 404);
    assert_eq!(lab.control.delete("/faults").await.json(), json!({ "removed": 1 }));
    assert_eq!(lab.control.get("/faults").await.json(), json!({ "faults": [] }));
}

fn of_fault(state: &Value) -> (u64, u64) {
    (state["id"].as_u64().unwrap(), state["hits"].as_u64().unwrap())
}

#[tokio::test]
async fn a_fault_that_is_not_valid_and_one_too_many_are_refused_and_change_nothing() {
    let lab = Lab::start().await;
    for (fault, named) in [
        (json!({}), "effect"),
        (json!({ "effect": "status" }), "`status`"),
        (json!({ "effect": "delay", "delay_ms": 60_001 }), "`delay_ms`"),
        (json!({ "effect": "close", "colour": "red" }), "colour"),
        (json!({ "effect": "close", "account": "none" }), "account"),
    ] {
        let refused = lab.control.post("/faults", &fault).await;
        assert_eq!(refused.status, 422, "{fault}");
        assert!(refused.at("/error").as_str().unwrap().contains(named), "{fault}: {}", refused.text);
    }
    for _ in 0..100 {
        lab.fault(json!({ "effect": "close", "path": "/nowhere" })).await;
    }
    let refused = lab.control.post("/faults", &json!({ "effect": "close" })).await;
    assert!(refused.status == 422 && refused.text.contains("100 others"), "{}", refused.text);
    assert_eq!(lab.api.get("/dids").await.status, 200);
}
