//! Customers of the platform, and their agents, access keys and phone numbers.
//!
//! The control API creates and changes all of them. The platform's own API only reads them.

use didww_types::Secret;
use didww_types::values::Money;
use serde::{Deserialize, Serialize};
use trunk_rules::outbound::OwnNumber;
use trunk_store::DocumentKind;
use trunk_store::account::KeyDigest;
use uuid::Uuid;

use crate::entity::{Entity, Kind};

/// A customer, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// The customer's id.
    pub id: Uuid,
    /// A name for operators; it need not be unique.
    pub name: String,
    /// `active`, or `frozen`: the API refuses the requests of a frozen customer's callers.
    pub status: CustomerStatus,
    /// Whether the customer's identity was verified. An unverified customer cannot call phone numbers.
    pub identity_verified: bool,
    /// The balance, in US dollars. Without a positive balance no call is placed; calls do not reduce it.
    pub balance: Money,
    /// Whether the media of the customer's calls is to be recorded for support. It only appears in the calls'
    /// metadata.
    pub rtp_debug: bool,
    /// The HTTP method of the customer's webhook.
    pub webhook_method: WebhookMethod,
    /// The URL that receives the events of the customer's calls; empty for none.
    pub webhook_uri: String,
    /// Whether webhook requests are signed.
    pub webhook_signed: bool,
    /// When the customer was created.
    pub tm_create: String,
}

/// Whether a customer may use the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerStatus {
    /// The customer may use the API.
    #[default]
    Active,
    /// The API refuses the customer's requests, until an operator makes the customer active again.
    Frozen,
}

/// The HTTP method of a webhook.
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
    /// The method's name in upper case, as in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Get => "GET",
            Self::Delete => "DELETE",
        }
    }
}

/// The private part of a customer.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct CustomerPrivate {
    /// The secret that webhook requests are signed with; none leaves them unsigned.
    pub webhook_secret: Option<Secret>,
    /// When the customer was frozen, in microseconds since 1970; none while it is active.
    pub frozen_at: Option<i64>,
}

/// The [`Kind`] of customers.
pub struct Customers;

impl Kind for Customers {
    const KIND: DocumentKind = DocumentKind::Customer;
    type Public = Customer;
    type Private = CustomerPrivate;
}

/// An agent: a user of a customer who logs in with a password. This is what the control API shows of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// The agent's id.
    pub id: Uuid,
    /// The customer that the agent belongs to.
    pub customer_id: Uuid,
    /// The name that the agent logs in with; unique on the platform.
    pub username: String,
    /// The agent's permission bits.
    pub permission: u16,
    /// When the agent was created.
    pub tm_create: String,
}

/// The private part of an agent.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct AgentPrivate {
    /// The Argon2 hash of the password, in PHC string format.
    pub password: String,
}

/// The [`Kind`] of agents.
pub struct Agents;

impl Kind for Agents {
    const KIND: DocumentKind = DocumentKind::Agent;
    type Public = Agent;
    type Private = AgentPrivate;

    fn keys(agent: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", agent.customer.to_string())]
    }

    fn unique(agent: &Entity<Self>) -> Vec<(&'static str, String)> {
        if agent.deleted { Vec::new() } else { vec![("username", agent.public.username.clone())] }
    }
}

/// An access key, which authenticates a customer without a login. This is what the control API shows of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessKey {
    /// The id of the key, which is not the key itself.
    pub id: Uuid,
    /// The customer that the key belongs to.
    pub customer_id: Uuid,
    /// A name for operators; it need not be unique.
    pub name: String,
    /// The key's permission bits. On VoIPBIN's own platform a key always has the permissions of its
    /// customer's admin and no others.
    pub permission: u16,
    /// When the key expires; null for never.
    pub tm_expire: Option<String>,
    /// When the key was created.
    pub tm_create: String,
}

/// The private part of an access key.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct AccessKeyPrivate {
    /// The key's digest, in hexadecimal digits. The key itself is not stored.
    pub digest: String,
    /// When the key expires, in microseconds since 1970; none for never.
    pub expires: Option<i64>,
}

/// The [`Kind`] of access keys.
pub struct AccessKeys;

impl Kind for AccessKeys {
    const KIND: DocumentKind = DocumentKind::AccessKey;
    type Public = AccessKey;
    type Private = AccessKeyPrivate;

    fn keys(key: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", key.customer.to_string())]
    }

    fn unique(key: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("digest", key.private.digest.clone())]
    }
}

/// The digest of an access key in hexadecimal digits, which is stored instead of the key.
pub fn digest(key: &str) -> String {
    wire_core::to_hex(KeyDigest::of(key).as_bytes())
}

/// A phone number that a customer may use as the source of calls, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhoneNumber {
    /// The id of the number's record.
    pub id: Uuid,
    /// The customer that the number belongs to.
    pub customer_id: Uuid,
    /// The number in E.164 form, with its plus; unique on the platform.
    pub number: String,
    /// `normal`, or `virtual`: only a normal number can be the source of a call.
    #[serde(rename = "type")]
    pub kind: String,
    /// `active`, or `suspended`: only an active number can be the source of a call.
    pub status: String,
    /// When the number was added.
    pub tm_create: String,
}

impl Entity<PhoneNumbers> {
    /// The number as the rules of `trunk_rules` read it.
    pub fn as_own_number(&self) -> OwnNumber<'_> {
        OwnNumber {
            number: &self.public.number,
            customer_id: self.customer,
            kind: &self.public.kind,
            status: &self.public.status,
            deleted: self.deleted,
        }
    }
}

/// The [`Kind`] of phone numbers.
pub struct PhoneNumbers;

impl Kind for PhoneNumbers {
    const KIND: DocumentKind = DocumentKind::Number;
    type Public = PhoneNumber;
    type Private = ();

    fn keys(number: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", number.customer.to_string()), ("number", number.public.number.clone())]
    }

    fn unique(number: &Entity<Self>) -> Vec<(&'static str, String)> {
        if number.deleted { Vec::new() } else { vec![("number", number.public.number.clone())] }
    }
}
