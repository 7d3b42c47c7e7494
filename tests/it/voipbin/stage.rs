//! A server with the platform's super admin, and helpers that create records over the control API.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use trunk_server::config::{Config, Database};
use trunk_server::control::customers::{NewAccessKey, NewCustomer, TokenKind};
use trunk_server::{Clock, Control, Server};
use uuid::Uuid;

use super::caller::Caller;
use crate::sip::edge::until;

/// The id that means no record.
pub const ZERO: &str = "00000000-0000-0000-0000-000000000000";
/// The customer whose routes apply to all customers.
pub const BASIC: &str = "00000000-0000-0000-0000-000000000001";
/// An id that no record has.
pub const UNKNOWN: &str = "c3947e93-4a3b-4080-b9d3-cbcc633ab808";

/// Two numbers in the United States.
pub const US: &str = "+12025550143";
pub const US_TOO: &str = "+12125550187";
/// A number in the United Kingdom.
pub const GB: &str = "+442079460018";

pub const SUPER_ADMIN: u16 = 0x0001;
pub const AGENT: u16 = 0x0010;
pub const ADMIN: u16 = 0x0020;
pub const MANAGER: u16 = 0x0040;

/// A running server.
pub struct Stage {
    pub server: Server,
    /// The API's address.
    pub at: SocketAddr,
    /// The super admin's own customer.
    pub admin: Uuid,
    /// The super admin, logged in.
    pub sa: Caller,
}

impl Stage {
    /// Starts the default server: in memory, without rate limits and health checks.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts a server that routes the hosts of providers to these addresses.
    pub async fn hosting(hosts: &[(&str, SocketAddr)]) -> Self {
        Self::with(|config| host(config, hosts)).await
    }

    /// Starts a server with a changed configuration.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_clock(Clock::system(), change).await
    }

    /// As [`with`](Self::with), with this clock.
    pub async fn with_clock(clock: Clock, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        "127.0.0.1:0".clone_into(&mut config.listen);
        config.control_listen = None;
        config.database = Database::Ephemeral;
        config.api_key = Some("good".to_owned().into());
        config.allow_loopback_callbacks = true;
        let platform = &mut config.voipbin.platform;
        platform.sip_bind = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        platform.probe_interval = std::time::Duration::ZERO;
        // Peers that are called by a URI are on loopback, like everything in a test.
        platform.allow_private_destinations = true;
        // All logins of a test come from one address.
        platform.login_rate = (0, 0);
        change(&mut config);
        let server = Server::builder(config).clock(clock).start().await.unwrap();
        Self::of(server).await
    }

    /// Uses a running server.
    pub async fn of(server: Server) -> Self {
        let password = "correct horse".to_owned().into();
        let agent = server.control().ensure_super_admin("root", password).await.unwrap();
        let at = server.address();
        let token = log_in(at, "root", "correct horse").await;
        let sa = Caller::anonymous(at).token(&token);
        Self { at, admin: agent.customer_id, sa, server }
    }

    pub fn control(&self) -> Control {
        self.server.control()
    }

    /// A client without a credential.
    pub fn anonymous(&self) -> Caller {
        Caller::anonymous(self.at)
    }

    /// Creates a customer that may call.
    pub async fn customer(&self, name: &str) -> Uuid {
        self.control().create_customer(NewCustomer::named(name)).await.unwrap().id
    }

    /// Creates an agent of a customer with these permission bits, logged in.
    pub async fn agent(&self, customer: Uuid, permission: u16) -> Caller {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("agent{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let password = "battery staple";
        let control = self.control();
        control.create_agent(customer, &name, password.to_owned().into(), permission).await.unwrap();
        self.anonymous().token(&log_in(self.at, &name, password).await)
    }

    /// Creates an access key of a customer. Returns a client with it.
    pub async fn key(&self, customer: Uuid, permission: Option<u16>) -> Caller {
        let mut new = NewAccessKey::default();
        new.permission = permission;
        let (_, key) = self.control().create_access_key(customer, new).await.unwrap();
        self.anonymous().key(key.expose())
    }

    /// A client with a token of a kind that login does not issue.
    pub fn holder(&self, customer: Uuid, kind: TokenKind) -> Caller {
        self.anonymous().token(self.control().token(customer, kind).unwrap().expose())
    }

    /// Adds a normal number to a customer. Returns its id.
    pub async fn number(&self, customer: Uuid, number: &str) -> String {
        let control = self.control();
        control.add_phone_number(customer, number, "normal", "active").await.unwrap().id.to_string()
    }

    /// Allows the super admin's customer to call the United States and the United Kingdom.
    pub async fn allow(&self) {
        allow(&self.sa).await;
    }

    /// Creates a provider at a host. Returns its id.
    pub async fn provider(&self, hostname: impl ToString) -> String {
        self.provider_with(json!({ "hostname": hostname.to_string() })).await
    }

    /// Creates a provider with this body. Returns its id.
    pub async fn provider_with(&self, body: Value) -> String {
        self.sa.post("/providers", &body).await.id()
    }

    /// Creates a route. Returns its id.
    pub async fn route(&self, customer: &str, target: &str, provider: &str, priority: i64) -> String {
        let body = json!({
            "customer_id": customer, "target": target, "provider_id": provider, "priority": priority,
        });
        self.sa.post("/routes", &body).await.id()
    }

    /// Places a provider call to a number as the super admin. Returns its record.
    pub async fn place(&self, provider: &str, destination: &str) -> Value {
        self.place_with(provider, destination, json!({})).await
    }

    /// The same with additional members in the body.
    pub async fn place_with(&self, provider: &str, destination: &str, further: Value) -> Value {
        let mut body = json!({
            "provider_id": provider, "source": tel(US_TOO), "destinations": [tel(destination)],
        });
        body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        self.sa.post("/providercalls", &body).await.ok()
    }

    /// The customer's flows, from the control API.
    pub async fn flows(&self, customer: Uuid) -> Vec<Value> {
        self.control().flows(customer).await.unwrap().iter().map(|flow| json!(flow)).collect()
    }
}

/// Allows the caller's customer to call the United States and the United Kingdom.
pub async fn allow(caller: &Caller) {
    caller.put("/outbound_config", &json!({ "destination_whitelist": ["us", "gb"] })).await.ok();
}

/// Routes hosts of providers to these addresses.
pub fn host(config: &mut Config, hosts: &[(&str, SocketAddr)]) {
    let hosts = hosts.iter().map(|(name, at)| ((*name).to_owned(), at.to_string()));
    config.voipbin.platform.hosts.extend(hosts);
}

/// Logs in. Returns the token.
pub async fn log_in(at: SocketAddr, username: &str, password: &str) -> String {
    let body = json!({ "username": username, "password": password });
    let answer = Caller::anonymous(at).below("").post("/auth/login", &body).await;
    answer.ok()["token"].as_str().unwrap().to_owned()
}

/// The address of a phone number.
pub fn tel(number: &str) -> Value {
    json!({ "type": "tel", "target": number })
}

/// The address of a user at a SIP peer. Its host has another name than a provider's, because providers' hosts
/// cannot be called by a URI.
pub fn sip(user: &str, peer: SocketAddr) -> Value {
    at(&format!("sip:{user}@localhost:{}", peer.port()))
}

/// The address of a SIP URI.
pub fn at(uri: &str) -> Value {
    json!({ "type": "sip", "target": uri })
}

/// The first call of a provider call's record, or of an answer to `POST /calls`.
pub fn first_call(record: &Value) -> String {
    let id = record.pointer("/call_ids/0").or_else(|| record.pointer("/calls/0/id"));
    id.and_then(Value::as_str).unwrap_or_else(|| panic!("no call in {record}")).to_owned()
}

/// A call as this caller sees it.
pub async fn call(caller: &Caller, id: &str) -> Value {
    caller.get(&format!("/calls/{id}")).await.ok()
}

/// Waits until a call has this status. Returns the call.
pub async fn call_is(caller: &Caller, id: &str, status: &str) -> Value {
    until(&format!("call {id} is {status}"), async || {
        Some(call(caller, id).await).filter(|call| call["status"] == status)
    })
    .await
}

/// Waits until a call has ended. Returns the hangup reason, and the side that hung up.
pub async fn call_ends(caller: &Caller, id: &str) -> (String, String) {
    let call = call_is(caller, id, "hangup").await;
    let text = |name: &str| call[name].as_str().unwrap_or_else(|| panic!("no {name} in {call}")).to_owned();
    (text("hangup_reason"), text("hangup_by"))
}

/// Checks that a value is an instant in the platform's format: without trailing zeros in its fraction.
#[track_caller]
pub fn instant(value: &Value) -> &str {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no instant"));
    let rest = text.strip_suffix('Z').unwrap_or_else(|| panic!("{text} does not end with Z"));
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, "1"));
    let shape: String = whole.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00", "{text}");
    let digits = fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    assert!(digits && !fraction.ends_with('0') && !fraction.is_empty(), "{text}");
    text
}

/// An instant in the format of a page token: with six digits of fraction.
#[track_caller]
pub fn cursor(value: &Value) -> String {
    let text = instant(value).trim_end_matches('Z');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}.{fraction:0<6}Z")
}
