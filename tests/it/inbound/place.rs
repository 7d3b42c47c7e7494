//! A server with a DID, and its routes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use trunk_server::inbound::{InboundCall, InboundConfig, InboundStatus, NewInboundCall};
use trunk_server::{Control, TestServerBuilder};
use uuid::Uuid;

use crate::outbound::sipp_carrier::Sipp;
use crate::sip::edge::until;
use crate::support::engine;
use crate::support::world::*;

/// The DID of the tests, and a caller.
pub const NUMBER: &str = "442079460018";
pub const CALLER: &str = "+442079460999";

/// The number of the next trunk, of which each has another name.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A server with the DID, which is routed nowhere yet.
pub struct Place {
    pub world: World,
    pub control: Control,
    pub did: String,
}

impl Place {
    pub async fn start() -> Self {
        Self::of(engine::builder()).await
    }

    /// Starts a server whose calls have another configuration. Callees on loopback are permitted.
    pub async fn with(change: impl FnOnce(&mut InboundConfig)) -> Self {
        let mut config = InboundConfig::default();
        config.allow_private_destinations = true;
        change(&mut config);
        Self::of(engine::builder().inbound_calls(config)).await
    }

    pub async fn of(builder: TestServerBuilder) -> Self {
        let world = World::of(builder).await;
        let (control, did) = (world.server.control(), world.did(NUMBER).await);
        Self { world, control, did }
    }

    /// Creates a record. Returns its id.
    async fn made(&self, path: &str, body: &Value) -> String {
        let answer = self.world.api.post(path, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.id()
    }

    /// Creates a trunk with these attributes and this configuration.
    pub async fn trunk(&self, attributes: Value, kind: &str, configuration: Value) -> String {
        let name = format!("Trunk {}", NEXT.fetch_add(1, Ordering::Relaxed));
        let configuration = json!({ "type": kind, "attributes": configuration });
        let body = resource("voice_in_trunks", json!({ "name": name, "configuration": configuration }));
        self.made("/voice_in_trunks", &with(body, attributes)).await
    }

    /// Creates a trunk of a callee, with these attributes of the trunk and of its configuration.
    pub async fn trunk_of(&self, host: &str, attributes: Value, further: Value) -> String {
        let at: SocketAddr = host.parse().unwrap();
        let mut configuration = json!({ "host": at.ip(), "port": at.port() });
        configuration.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        self.trunk(attributes, "sip_configurations", configuration).await
    }

    /// Routes the DID to a trunk of this callee.
    pub async fn routed_to(&self, sipp: &Sipp) -> String {
        let trunk = self.trunk_of(&sipp.host(), json!({}), json!({})).await;
        self.route("voice_in_trunk", identifier("voice_in_trunks", &trunk)).await;
        trunk
    }

    /// Routes the DID to a group of these trunks.
    pub async fn grouped(&self, trunks: &[&str], attributes: Value) -> String {
        let members = trunks.iter().map(|id| identifier("voice_in_trunks", id)).collect();
        let body = resource("voice_in_trunk_groups", json!({ "name": "All" }));
        let body = linking(with(body, attributes), "voice_in_trunks", members);
        let group = self.made("/voice_in_trunk_groups", &body).await;
        self.route("voice_in_trunk_group", identifier("voice_in_trunk_groups", &group)).await;
        group
    }

    pub async fn route(&self, relationship: &str, to: Value) {
        let body = linking(update("dids", &self.did, json!({})), relationship, to);
        let answer = self.world.api.patch(&format!("{DIDS}/{}", self.did), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Calls the DID.
    pub async fn call(&self) -> InboundCall {
        self.control.place_inbound_call(NewInboundCall::new(CALLER, NUMBER)).await.unwrap()
    }

    /// Waits until a call has this status.
    pub async fn wait_for(&self, id: Uuid, status: InboundStatus) -> InboundCall {
        until("the status of a call", async || {
            let call = self.control.inbound_call(id).await.unwrap();
            (call.status == status).then_some(call)
        })
        .await
    }

    /// Calls the DID, and waits for the end.
    pub async fn called(&self) -> InboundCall {
        let call = self.call().await;
        self.wait_for(call.id, InboundStatus::Ended).await
    }
}

/// How a call ended: the code, who ended it, and the reason.
pub fn ending(call: &InboundCall) -> (u16, &str, &str) {
    let (initiator, reason) = (call.disconnect_initiator.as_deref(), call.reason.as_deref());
    (call.disconnect_code.unwrap(), initiator.unwrap(), reason.unwrap())
}
