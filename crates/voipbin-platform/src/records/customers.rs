//! Customers of the platform, and their agents.
//!
//! The control API creates and changes them. Over the platform's own API a customer's admin changes the description of
//! the customer, and the destination of its webhooks.

use didww_types::Secret;
use didww_types::values::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::{IdentityVerification, SupportMetadata, Timestamp};

use crate::entity::{Entity, Kind};

/// A customer, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Customer {
    /// The customer's id.
    pub id: Uuid,
    /// A name; it need not be unique.
    pub name: String,
    /// A note about the customer.
    #[serde(default)]
    pub detail: String,
    /// The customer's e-mail address, as its admin wrote it.
    #[serde(default)]
    pub email: String,
    /// The customer's phone number, as its admin wrote it.
    #[serde(default)]
    pub phone_number: String,
    /// The customer's postal address, as its admin wrote it.
    #[serde(default)]
    pub address: String,
    /// `active`, or `frozen`: the API refuses the requests of a frozen customer's callers.
    pub status: CustomerStatus,
    /// Whether the customer's identity was verified. An unverified customer cannot call phone numbers.
    pub identity_verified: bool,
    /// The balance, in US dollars. Without a positive balance no call is placed; calls do not reduce it.
    pub balance: Money,
    /// Whether the media of the customer's calls is to be recorded for support. It only appears in the calls'
    /// metadata.
    pub rtp_debug: bool,
    /// The HTTP method of the customer's webhook; `POST` if it is empty. The customer's admin can write any
    /// text, with which no event can be delivered unless it is a method of HTTP.
    pub webhook_method: String,
    /// The URL that receives the events of the customer's calls; empty for none.
    pub webhook_uri: String,
    /// Whether webhook requests are signed.
    pub webhook_signed: bool,
    /// When the customer was created.
    pub tm_create: String,
}

/// Whether a customer may use the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerStatus {
    /// The customer may use the API.
    #[default]
    Active,
    /// The API refuses the customer's requests, until an operator makes the customer active again.
    Frozen,
}

/// The HTTP method of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
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
    /// When the customer's admin changed it last; none for never.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
}

/// The [`Kind`] of customers: how their documents are stored and found.
pub struct Customers;

impl Kind for Customers {
    const KIND: DocumentKind = DocumentKind::Customer;
    type Public = Customer;
    type Private = CustomerPrivate;
}

impl Entity<Customers> {
    /// The customer as the platform's own API sends it, without the secret of its webhooks.
    pub(crate) fn shown(&self) -> voipbin_types::Customer {
        let public = self.public.clone();
        voipbin_types::Customer {
            id: self.id,
            name: public.name,
            detail: public.detail,
            email: public.email,
            phone_number: public.phone_number,
            address: public.address,
            webhook_method: public.webhook_method,
            webhook_uri: public.webhook_uri,
            billing_account_id: Uuid::nil(),
            metadata: SupportMetadata { rtp_debug: public.rtp_debug },
            // As for every customer that staff of VoIPBIN's own platform creates.
            email_verified: true,
            status: match public.status {
                CustomerStatus::Active => voipbin_types::CustomerStatus::Active,
                CustomerStatus::Frozen => voipbin_types::CustomerStatus::Frozen,
            },
            identity_verification_status: if public.identity_verified {
                IdentityVerification::Verified
            } else {
                IdentityVerification::NotRequested
            },
            tm_deletion_scheduled: self.private.frozen_at.map(Timestamp::from_unix_micros),
            tm_create: Some(self.created_at),
            tm_update: self.private.updated_at,
            tm_delete: None,
            webhook_secret: None,
        }
    }
}

/// An agent, as the control API shows it: a user of a customer who logs in with a password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// The [`Kind`] of agents: how their documents are stored and found.
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
