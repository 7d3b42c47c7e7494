//! Who uses the platform: customers, their agents, access keys and phone numbers.
//!
//! All of them are made over the control API. The platform's own API reads them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use didww_types::Secret;
use didww_types::values::Money;
use serde::{Deserialize, Serialize};
use trunk_rules::outbound::{OwnNumber, Permission};
use uuid::Uuid;

use super::entity::{Entity, Kind};
use super::moment::Moment;
use trunk_store::account::KeyDigest;
use trunk_store::{DocumentKind, DocumentQuery, Store, StoreError};

/// A customer, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// Its id.
    pub id: Uuid,
    /// A name for people.
    pub name: String,
    /// Whether it may do anything: `active`, or `frozen`.
    pub status: CustomerStatus,
    /// Whether its identity was verified: without that it calls no phone number.
    pub identity_verified: bool,
    /// What it has, in US dollars. Without any it places no call; calls take nothing from it.
    pub balance: Money,
    /// Whether the media of its calls is recorded for support; shown in the calls' metadata and nothing else.
    pub rtp_debug: bool,
    /// How its webhook is called.
    pub webhook_method: WebhookMethod,
    /// Where it is told of its calls; empty for nowhere.
    pub webhook_uri: String,
    /// Whether its webhooks are signed.
    pub webhook_signed: bool,
    /// When it was made.
    pub tm_create: String,
}

/// Whether a customer may do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerStatus {
    /// It may.
    #[default]
    Active,
    /// It may not, until somebody says otherwise.
    Frozen,
}

/// How a webhook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum WebhookMethod {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `GET`, with a body.
    Get,
    /// `DELETE`, with a body.
    Delete,
}

impl WebhookMethod {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Get => "GET",
            Self::Delete => "DELETE",
        }
    }
}

/// What of a customer is its own.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct CustomerOwn {
    pub webhook_secret: Option<Secret>,
    /// When it was frozen, in microseconds since 1970.
    pub frozen_at: Option<i64>,
}

pub struct Customers;

impl Kind for Customers {
    const KIND: DocumentKind = DocumentKind::Customer;
    type Wire = Customer;
    type Own = CustomerOwn;
}

/// Somebody who logs in, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub customer_id: Uuid,
    /// The name it logs in with; unique on the platform.
    pub username: String,
    /// Its permission bits.
    pub permission: u16,
    /// When it was made.
    pub tm_create: String,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct AgentOwn {
    /// The password's hash, in the PHC form.
    pub password: String,
}

pub struct Agents;

impl Kind for Agents {
    const KIND: DocumentKind = DocumentKind::Agent;
    type Wire = Agent;
    type Own = AgentOwn;

    fn keys(agent: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", agent.customer.to_string())]
    }

    fn unique(agent: &Entity<Self>) -> Vec<(&'static str, String)> {
        if agent.deleted { Vec::new() } else { vec![("username", agent.wire.username.clone())] }
    }
}

/// A key that stands for a customer, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessKey {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub customer_id: Uuid,
    /// A name for people.
    pub name: String,
    /// Its permission bits. On the running platform a key is always an admin of its customer and no more.
    pub permission: u16,
    /// When it ends; null for never.
    pub tm_expire: Option<String>,
    /// When it was made.
    pub tm_create: String,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct AccessKeyOwn {
    /// The key's digest, in hexadecimal digits. The key itself is not kept.
    pub digest: String,
    /// When it ends, in microseconds since 1970.
    pub expires: Option<i64>,
}

pub struct AccessKeys;

impl Kind for AccessKeys {
    const KIND: DocumentKind = DocumentKind::AccessKey;
    type Wire = AccessKey;
    type Own = AccessKeyOwn;

    fn keys(key: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", key.customer.to_string())]
    }

    fn unique(key: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("digest", key.own.digest.clone())]
    }
}

/// The digest of an access key, as it is kept.
pub fn digest(key: &str) -> String {
    wire_core::to_hex(KeyDigest::of(key).as_bytes())
}

/// A phone number that a customer may call from, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhoneNumber {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub customer_id: Uuid,
    /// The number, with its plus.
    pub number: String,
    /// `normal`, or `virtual`: only a normal one may be called from.
    #[serde(rename = "type")]
    pub kind: String,
    /// `active`, or `suspended`: only an active one may be called from.
    pub status: String,
    /// When it was made.
    pub tm_create: String,
}

impl Entity<PhoneNumbers> {
    /// What the rules know of it.
    pub fn stock(&self) -> OwnNumber<'_> {
        OwnNumber {
            number: &self.wire.number,
            customer_id: self.customer,
            kind: &self.wire.kind,
            status: &self.wire.status,
            deleted: self.deleted,
        }
    }
}

pub struct PhoneNumbers;

impl Kind for PhoneNumbers {
    const KIND: DocumentKind = DocumentKind::Number;
    type Wire = PhoneNumber;
    type Own = ();

    fn keys(number: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", number.customer.to_string()), ("number", number.wire.number.clone())]
    }

    fn unique(number: &Entity<Self>) -> Vec<(&'static str, String)> {
        if number.deleted { Vec::new() } else { vec![("number", number.wire.number.clone())] }
    }
}

/// Customers, agents and access keys in memory: every request asks for them.
#[derive(Default)]
pub struct Directory {
    customers: RwLock<HashMap<Uuid, Arc<Entity<Customers>>>>,
    agents: RwLock<HashMap<Uuid, AgentEntry>>,
    keys: RwLock<HashMap<String, KeyEntry>>,
}

#[derive(Clone, Copy)]
struct AgentEntry {
    customer: Uuid,
    permission: Permission,
}

#[derive(Clone, Copy)]
struct KeyEntry {
    customer: Uuid,
    permission: Permission,
    expires: Option<i64>,
}

impl Directory {
    /// Reads everybody who is there.
    pub async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let directory = Self::default();
        for customer in Entity::<Customers>::list(store, DocumentQuery::all(DocumentKind::Customer)).await? {
            directory.put(customer);
        }
        for agent in Entity::<Agents>::list(store, DocumentQuery::all(DocumentKind::Agent)).await? {
            directory.put_agent(&agent);
        }
        for key in Entity::<AccessKeys>::list(store, DocumentQuery::all(DocumentKind::AccessKey)).await? {
            directory.put_key(&key);
        }
        Ok(directory)
    }

    pub fn put(&self, customer: Entity<Customers>) {
        let mut customers = self.customers.write().unwrap_or_else(PoisonError::into_inner);
        customers.insert(customer.id, Arc::new(customer));
    }

    pub fn put_agent(&self, agent: &Entity<Agents>) {
        let mut agents = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        if agent.deleted {
            agents.remove(&agent.id);
        } else {
            let permission = Permission(agent.wire.permission);
            agents.insert(agent.id, AgentEntry { customer: agent.customer, permission });
        }
    }

    pub fn put_key(&self, key: &Entity<AccessKeys>) {
        let entry = KeyEntry {
            customer: key.customer,
            permission: Permission(key.wire.permission),
            expires: key.own.expires,
        };
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if key.deleted {
            keys.remove(&key.own.digest);
        } else {
            keys.insert(key.own.digest.clone(), entry);
        }
    }

    /// A customer that is not deleted.
    pub fn customer(&self, id: Uuid) -> Option<Arc<Entity<Customers>>> {
        let customers = self.customers.read().unwrap_or_else(PoisonError::into_inner);
        customers.get(&id).filter(|customer| !customer.deleted).cloned()
    }

    /// Whose an agent is, and what it may do now; its customer is there too.
    pub fn agent(&self, id: Uuid) -> Option<(Uuid, Permission)> {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        let AgentEntry { customer, permission } = agents.get(&id).copied()?;
        self.customer(customer).map(|_| (customer, permission))
    }

    /// Whose a key is and what it allows, unless its time has run out.
    pub fn access_key(&self, key: &str, now: Moment) -> Option<(Uuid, Permission)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let entry = keys.get(&digest(key)).copied()?;
        let alive = entry.expires.is_none_or(|expires| expires > now.as_unix_micros());
        self.customer(entry.customer).filter(|_| alive).map(|_| (entry.customer, entry.permission))
    }
}
