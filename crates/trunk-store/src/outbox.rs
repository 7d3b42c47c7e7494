//! The outbox: events to deliver to customers, and the history of delivery attempts.

use didww_types::Timestamp;
use uuid::Uuid;

/// The owner of an event. Owners take turns, so that a long queue of one owner does not delay the events of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// An account, by its number.
    Account(i64),
    /// A customer of the communication platform, by its id.
    Customer(Uuid),
}

/// How an event is delivered, and who owns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventForm {
    /// As a callback of a trunk: together with other events of the trunk, in an array that is signed with the account's
    /// enabled callback secret when it is sent. If the account has none, the event is not stored.
    Trunk {
        /// The number of the account that owns the trunk.
        account: i64,
    },
    /// As a callback about the status of a record: alone, as parameters, and signed with the account's enabled callback
    /// secret when it is sent. If the account has none, the event is not stored.
    Status {
        /// The number of the account that owns the record.
        account: i64,
        /// How the parameters are sent.
        method: StatusMethod,
    },
    /// As a webhook: alone, and signed when the event was created, so that the customer's secret is not stored with it.
    Webhook {
        /// The id of the customer whose webhook it is.
        customer: Uuid,
        /// The HTTP method that the customer's settings name.
        method: String,
        /// The value of the signature header, if the customer has a secret.
        signature: Option<String>,
    },
}

/// How the parameters of a callback about the status of a record are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusMethod {
    /// In the query of the URL.
    Get,
    /// As a form in the body.
    Post,
}

impl EventForm {
    /// The method and the signature as they are stored. The callbacks of trunks have none of their own; a method in
    /// lower case marks those about the status of a record.
    pub(crate) fn stored(&self) -> (&str, Option<&str>) {
        match self {
            Self::Trunk { .. } => ("POST", None),
            Self::Status { method: StatusMethod::Get, .. } => ("get", None),
            Self::Status { method: StatusMethod::Post, .. } => ("post", None),
            Self::Webhook { method, signature, .. } => (method.as_str(), signature.as_deref()),
        }
    }

    /// The form of an account's event, by the method as it is stored.
    pub(crate) fn of_account(account: i64, method: &str) -> Self {
        match method {
            "get" => Self::Status { account, method: StatusMethod::Get },
            "post" => Self::Status { account, method: StatusMethod::Post },
            _ => Self::Trunk { account },
        }
    }

    /// Returns the owner of an event of this form.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Trunk { account } | Self::Status { account, .. } => Owner::Account(*account),
            Self::Webhook { customer, .. } => Owner::Customer(*customer),
        }
    }
}

/// An event, stored in the same transaction as the change that it reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// How the event is delivered, and who owns it.
    pub form: EventForm,
    /// The trunk or call that changed. Events of one subject are delivered in their order.
    pub subject: Uuid,
    /// The URL to which the event is sent.
    pub url: String,
    /// The event as JSON text, as it is signed and sent.
    pub body: String,
    /// When the event happened, on the server's clock.
    pub created_at: Timestamp,
}

/// An event that is not delivered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEvent {
    /// The store's internal number, ascending in the order of events.
    pub number: i64,
    /// The event as it was stored with its change.
    pub event: NewEvent,
    /// Number of failed attempts so far.
    pub attempts: u32,
}

/// A query for events that are due, and the lease under which a node sends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The node that sends them. The subjects that it holds already are returned to it again.
    pub node: i64,
    /// The time on the server's clock up to which events are due.
    pub now: Timestamp,
    /// Until when no other node sends events of the subjects that are returned, or that the node holds already.
    pub until: Timestamp,
    /// Maximum number of events to return.
    pub limit: u64,
    /// Maximum number of subjects of one owner.
    pub of_owner: u64,
}

/// Bounds of each customer's queue. Events of an account have none: they wait for as long as they are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum number of waiting events of one customer.
    pub most: u64,
    /// Events that happened before this time are too old to wait.
    pub before: Timestamp,
}

/// The bound that a queue exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surplus {
    /// More than [`Bounds::most`] events waited.
    TooMany,
    /// Events had happened before [`Bounds::before`].
    TooOld,
}

/// The events of one customer that were dropped for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// The id of the customer whose events were dropped.
    pub customer: Uuid,
    /// Number of events that were deleted undelivered.
    pub events: u64,
    /// The bound that was exceeded.
    pub why: Surplus,
}

/// The number of waiting and dropped events, of one owner or of all owners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Events that are not delivered yet.
    pub waiting: u64,
    /// Events that were dropped undelivered since the database was created or reset.
    pub dropped: u64,
}

/// The outcome of an attempt to deliver events of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// The numbers of the events.
    pub numbers: Vec<i64>,
    /// The entry for the history of attempts.
    pub delivery: Delivery,
    /// When the events are tried again; `None` if they were delivered or are given up.
    pub again_at: Option<Timestamp>,
}

/// An entry in the history of attempts, which shows the operator why a callback did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The owner of the events.
    pub owner: Owner,
    /// The id of the trunk or call that the events are about.
    pub subject: Uuid,
    /// The URL to which the events were sent.
    pub url: String,
    /// Number of events in the request.
    pub events: u32,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The time of the attempt.
    pub at: Timestamp,
    /// The HTTP status of the response, if there was one.
    pub status: Option<u16>,
    /// Why the attempt failed, if it failed.
    pub error: Option<String>,
}
