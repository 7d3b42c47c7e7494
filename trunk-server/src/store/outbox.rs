//! Events that somebody has to be told of.

use didww_types::Timestamp;
use uuid::Uuid;

/// An event, written together with the change that it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Whose record changed.
    pub account: i64,
    /// The record. Events of one record are told in their order.
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

/// What became of an attempt to tell some events of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// The events, by their numbers.
    pub numbers: Vec<i64>,
    /// Whose, of which record, and where they were told.
    pub delivery: Delivery,
    /// When they are tried again; none when they were told or are given up.
    pub again_at: Option<Timestamp>,
}

/// One attempt, for whoever asks why a callback did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Whose record.
    pub account: i64,
    /// The record.
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
