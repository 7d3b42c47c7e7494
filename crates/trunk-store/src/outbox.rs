//! Events that somebody has to be told of.

use didww_types::Timestamp;
use uuid::Uuid;

/// Whose an event is. Owners take turns, so that one with a long queue holds up nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// An account, by its number.
    Account(i64),
    /// A customer of the communication platform, by its id.
    Customer(Uuid),
}

/// How an event is told, and whom it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventForm {
    /// Among others of its trunk, in an array that is signed with the account's key when it is sent.
    Trunk {
        /// The account's number.
        account: i64,
    },
    /// Alone, and signed when it was made: so the customer's secret is not kept with the event.
    Webhook {
        /// The customer's id.
        customer: Uuid,
        /// The HTTP method.
        method: String,
        /// What the signature's header holds, if the customer has a secret.
        signature: Option<String>,
    },
}

impl EventForm {
    /// Whose an event of this form is.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Trunk { account } => Owner::Account(*account),
            Self::Webhook { customer, .. } => Owner::Customer(*customer),
        }
    }
}

/// An event, written together with the change that it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// How it is told, and whom it belongs to.
    pub form: EventForm,
    /// The trunk or call that changed. Events of one subject are told in their order.
    pub subject: Uuid,
    /// Where it is told.
    pub url: String,
    /// The event, as JSON.
    pub body: String,
    /// When it happened.
    pub created_at: Timestamp,
}

/// An event that is still to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEvent {
    /// The store's own number of it, in the order of events.
    pub number: i64,
    /// The event.
    pub event: NewEvent,
    /// How often it was tried.
    pub attempts: u32,
}

/// Which of the events that are due are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The time.
    pub now: Timestamp,
    /// Most events.
    pub limit: u64,
    /// Most subjects of one owner.
    pub of_owner: u64,
}

/// How much of a customer's may wait to be told. What is an account's may wait as long as it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most events of one customer.
    pub most: u64,
    /// When the oldest that may still wait happened.
    pub before: Timestamp,
}

/// Which bound was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surplus {
    /// More events waited than may.
    TooMany,
    /// Events waited for longer than they may.
    TooOld,
}

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Whose.
    pub customer: Uuid,
    /// How many events.
    pub events: u64,
    /// Why.
    pub why: Surplus,
}

/// How much of an owner's, or of everybody's, is still to be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Events that are still to be told.
    pub waiting: u64,
    /// Events that were dropped without being told, ever since.
    pub dropped: u64,
}

/// What became of an attempt to tell some events of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// The events, by their numbers.
    pub numbers: Vec<i64>,
    /// Whose, of which subject, and where they were told.
    pub delivery: Delivery,
    /// When they are tried again; none when they were told or are given up.
    pub again_at: Option<Timestamp>,
}

/// One attempt, for whoever asks why a callback did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Whose events.
    pub owner: Owner,
    /// The trunk or call.
    pub subject: Uuid,
    /// Where it was told.
    pub url: String,
    /// How many events the request carried.
    pub events: u32,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// The answer's HTTP status, if there was one.
    pub status: Option<u16>,
    /// Why it did not work, if it did not.
    pub error: Option<String>,
}
