//! A server with both of its APIs, a client for each, and a receiver of the calls' webhooks.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use didww_client::Id;
use didww_client::resources::{
    AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk, VoiceOutTrunkCreate,
};
use didww_client::values::IpNetworks;
use serde_json::Value;
use trunk_server::TestServer;
use trunk_server::control::customers::{CUSTOMER_ADMIN, NewCustomer, SUPER_ADMIN};
use trunk_server::store::CallQuery;
use trunk_server::voipbin::PlatformConfig;
use uuid::Uuid;
use voipbin_client::types::{
    ActionBody, Address, BASIC, Call, CallCreate, CallStatus, EventKind, OutboundConfigPatch, Provider,
    ProviderBody, ProviderCall, ProviderCallCreate, ProviderCredentials, ProviderSetup, RouteUpdate, Secret,
};
use voipbin_client::webhook::{Event, read};
use voipbin_client::{Client, Error};

use crate::sip::edge::{DEADLINE, until};
use crate::support::engine;
use crate::support::receiver::{Answer, Callback, Receiver};

/// The caller number of calls, and a number that is called.
pub const US: &str = "+12025550143";
pub const GB: &str = "+442079460018";
/// The secret that webhooks are signed with.
pub const WEBHOOK_SECRET: &str = "whsec-2b9d";
/// Duration of a call that must stay up during a test.
pub const HELD_CALL_DURATION: Duration = Duration::from_mins(10);

/// The server; DIDWW's hosts are routed to its own edge.
pub struct Stage {
    pub server: TestServer,
    /// The account's SDK.
    pub carrier: didww_client::Client,
    /// The super admin's SDK.
    pub platform: Client,
    /// The super admin's customer.
    pub customer: Uuid,
    /// The receiver of the customer's webhooks.
    pub hooks: Receiver,
}

impl Stage {
    /// Starts the default server: calls come from 127.0.0.1, and numbers of the United States and the United
    /// Kingdom are allowed.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts a server with another configuration of the platform.
    pub async fn with(change: impl FnOnce(&mut PlatformConfig)) -> Self {
        let stage = Self::closed(change).await;
        stage.allow(["us", "gb"]).await;
        stage
    }

    /// Starts a server on which no destination is allowed yet.
    pub async fn closed(change: impl FnOnce(&mut PlatformConfig)) -> Self {
        let mut config = PlatformConfig::default();
        config.sip_bind = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        config.probe_interval = Duration::ZERO;
        config.hosts = BTreeMap::from([("out.didww.com".to_owned(), "edge".to_owned())]);
        change(&mut config);
        let server = engine::builder().sip().voipbin(config).start().await;
        let hooks = Receiver::start(Answer::Status(200)).await;
        let new =
            NewCustomer::named("Platform").webhook(hooks.url("/calls"), Some(Secret::new(WEBHOOK_SECRET)));
        let control = server.control();
        let customer = control.create_customer(new).await.unwrap().id;
        let permission = SUPER_ADMIN | CUSTOMER_ADMIN;
        control.create_agent(customer, "root", Secret::new("correct horse"), permission).await.unwrap();
        let carrier = didww_client::Client::builder(server.base_url(), server.api_key()).build().unwrap();
        let platform = log_in(&server.voipbin_url(), "root", "correct horse").await;
        Self { server, carrier, platform, customer, hooks }
    }

    /// Allows the customer to call these countries and no others.
    pub async fn allow<const N: usize>(&self, countries: [&str; N]) {
        let patch = OutboundConfigPatch::default().destination_whitelist(countries);
        self.platform.outbound_config().update(patch).await.unwrap();
    }

    /// Creates a trunk with this body.
    pub async fn trunk(&self, body: VoiceOutTrunkCreate) -> VoiceOutTrunk {
        self.carrier.voice_out_trunks().create(body).await.unwrap().into_inner()
    }

    /// Reads a trunk.
    pub async fn trunk_document(&self, id: &Id<VoiceOutTrunk>) -> VoiceOutTrunk {
        self.carrier.voice_out_trunks().get(id).await.unwrap().into_inner()
    }

    /// A body that sets up a provider with this account's key.
    pub fn setup(&self, name: &str, trunk: Option<&Id<VoiceOutTrunk>>) -> ProviderSetup {
        let mut credentials = ProviderCredentials::new(self.server.api_key());
        credentials.base_url = Some(self.server.base_url());
        credentials.trunk_id = trunk.map(ToString::to_string);
        ProviderSetup {
            carrier: "didww".to_owned(),
            name: name.to_owned(),
            detail: String::new(),
            credentials,
        }
    }

    /// Sets up a provider with an existing trunk.
    pub async fn provider_on(&self, trunk: &VoiceOutTrunk) -> Provider {
        self.platform.providers().setup(self.setup(&trunk.name, Some(&trunk.id))).await.unwrap()
    }

    /// Sets up a provider with a new trunk that accepts every call.
    pub async fn provider(&self) -> (VoiceOutTrunk, Provider) {
        let trunk = self.trunk(open("Open")).await;
        let provider = self.provider_on(&trunk).await;
        (trunk, provider)
    }

    /// Creates a provider at a host, without a set-up.
    pub async fn provider_at(&self, host: impl Into<String>) -> Provider {
        self.platform.providers().create(ProviderBody::sip("By hand", host)).await.unwrap()
    }

    /// Creates a route of all customers for a target; the lowest priority is tried first.
    pub async fn route(&self, target: &str, provider: &Provider, priority: i64) {
        let route = RouteUpdate { priority, ..RouteUpdate::new(target, provider.id) };
        self.platform.routes().create(route.of(BASIC)).await.unwrap();
    }

    /// Adds a number that the customer may call from.
    pub async fn add_number(&self, number: &str) {
        self.server.control().add_phone_number(self.customer, number, "normal", "active").await.unwrap();
    }

    /// Places a provider call.
    pub async fn place(&self, body: ProviderCallCreate) -> ProviderCall {
        self.platform.provider_calls().create(body).await.unwrap()
    }

    /// Places a provider call to one number. Returns the call's id.
    pub async fn call(&self, body: ProviderCallCreate) -> Uuid {
        let placed = self.place(body).await;
        assert_eq!(placed.call_ids.len(), 1, "{placed:?}");
        placed.call_ids[0]
    }

    /// Places a call to the test number by the routes, which hangs up when it is answered. Returns its id.
    pub async fn ordinary_call(&self) -> Uuid {
        let body = CallCreate::new([Address::tel(GB)])
            .source(Address::tel(US))
            .actions([ActionBody::answer(), ActionBody::hangup()]);
        self.platform.calls().create(body).await.unwrap().calls[0].id
    }

    /// Waits until a call has a status. Returns the call.
    pub async fn wait_for_status(&self, id: Uuid, status: CallStatus) -> Call {
        until(&format!("call {id} is {status}"), async || {
            Some(self.platform.calls().get(id).await.unwrap()).filter(|call| call.status == status)
        })
        .await
    }

    /// Waits until a call has ended. Returns the call.
    pub async fn wait_for_end(&self, id: Uuid) -> Call {
        self.platform.calls().wait_until_hung_up(id, DEADLINE).await.unwrap()
    }

    /// Waits until a call has ended. Returns the hangup reason, and the side that hung up.
    pub async fn hangup_of(&self, id: Uuid) -> (String, String) {
        hangup_of(&self.wait_for_end(id).await)
    }

    /// The edge's records of a trunk's calls, newest first.
    pub async fn records(&self, trunk: &VoiceOutTrunk) -> Vec<Value> {
        let trunk = trunk.id.as_str().parse().unwrap();
        let query = CallQuery { trunk: Some(trunk), ..CallQuery::default() };
        self.server.control().call_records(query).await.unwrap()
    }

    /// Waits until a trunk has this many records. Returns the newest.
    pub async fn record(&self, trunk: &VoiceOutTrunk, count: usize) -> Value {
        until(&format!("{count} records"), async || {
            Some(self.records(trunk).await).filter(|records| records.len() == count)
        })
        .await
        .remove(0)
    }

    /// Receives the webhooks of a call up to its end.
    pub async fn events_until_end(&mut self, id: Uuid) -> Vec<(EventKind, Call)> {
        let mut events = Vec::new();
        loop {
            let (kind, call) = webhook_event(&self.hooks.next().await);
            if call.id == id {
                let over = kind == EventKind::CallHangup;
                events.push((kind, call));
                if over {
                    return events;
                }
            }
        }
    }
}

/// Logs in. The client polls at short intervals.
pub async fn log_in(url: &str, username: &str, password: &str) -> Client {
    let poll = Duration::from_millis(5);
    Client::builder().base_url(url).poll(poll, 10 * poll).login(username, password).await.unwrap()
}

/// A trunk that accepts every call from this machine.
pub fn open(name: &str) -> VoiceOutTrunkCreate {
    from("127.0.0.0/8", name)
}

/// The same for calls from a network.
pub fn from(network: &str, name: &str) -> VoiceOutTrunkCreate {
    let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse([network]).unwrap());
    VoiceOutTrunk::create(name, OnCliMismatchAction::SendOriginalCli, method)
}

/// A call between the test numbers that hangs up when it is answered.
pub fn short_call(provider: &Provider) -> ProviderCallCreate {
    ProviderCallCreate::new(provider.id, [Address::tel(GB)])
        .source(Address::tel(US))
        .actions([ActionBody::answer(), ActionBody::hangup()])
}

/// The same, but the call stays up.
pub fn long_call(provider: &Provider) -> ProviderCallCreate {
    short_call(provider).actions([ActionBody::answer(), ActionBody::sleep(HELD_CALL_DURATION)])
}

/// The hangup reason of a call, and the side that hung up.
pub fn hangup_of(call: &Call) -> (String, String) {
    let (Some(reason), Some(by)) = (&call.hangup_reason, &call.hangup_by) else { panic!("{call:?}") };
    (reason.to_string(), by.to_string())
}

/// The expected value of [`hangup_of`].
pub fn hangup(reason: &str, by: &str) -> (String, String) {
    (reason.to_owned(), by.to_owned())
}

/// The event of a webhook, after a check of its signature.
pub fn webhook_event(callback: &Callback) -> (EventKind, Call) {
    let signature = callback.header("x-voipbin-signature").expect("a webhook is signed");
    match read(&Secret::new(WEBHOOK_SECRET), callback.body.as_bytes(), &signature).unwrap() {
        Event::Call { kind, call } => (kind, *call),
        other => panic!("{other:?}"),
    }
}

/// The types of the events.
pub fn kinds(events: &[(EventKind, Call)]) -> Vec<&str> {
    events.iter().map(|(kind, _)| kind.as_str()).collect()
}

/// The message of a refusal with 400.
pub fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(Error::Invalid(refusal)) => refusal.message.unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

/// The counts of attempts that were challenged, refused, admitted and not recorded.
pub fn attempts(counts: &trunk_server::edge::CallCounts) -> [u64; 4] {
    [counts.challenged, counts.refused, counts.admitted, counts.unrecorded]
}
