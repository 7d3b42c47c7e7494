//! Calls as they are kept: those that are over, and those that were answered and are not.

use didww_types::Timestamp;
use uuid::Uuid;

/// A call or refused attempt that is over. What is looked for has a column; the rest is JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCall {
    /// Its id.
    pub id: Uuid,
    /// Whose trunk it came in on.
    pub account: i64,
    /// The trunk.
    pub trunk: Uuid,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Disconnect cause of the edge's own table.
    pub cause: u16,
    /// Disconnect code: a SIP response.
    pub code: u16,
    /// The caller number that went on, or that was sent when none did.
    pub source: String,
    /// What was dialled, tech prefix and all.
    pub destination: String,
    /// What it cost, an exact decimal.
    pub price: String,
    /// Everything that the call record shows, as JSON.
    pub attributes: String,
}

/// A call that was answered and is not over: what its record needs if its server dies. The record takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningCall {
    /// Its id, which its record will have.
    pub id: Uuid,
    /// Whose trunk it came in on.
    pub account: i64,
    /// The trunk.
    pub trunk: Uuid,
    /// When it was answered.
    pub answered_at: Timestamp,
    /// Whether the caller acknowledged the answer.
    pub acknowledged: bool,
    /// Its record as far as it is known, as JSON.
    pub attributes: String,
}

/// The calls that were up when their server was last heard of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningCalls {
    /// The calls, in the order in which their rows were written.
    pub calls: Vec<RunningCall>,
    /// Up to when they are known to have been up; none where no step was ever written.
    pub step: Option<Timestamp>,
}

/// Which calls, newest first.
#[derive(Debug, Clone, Default)]
pub struct CallQuery {
    /// Whose.
    pub account: Option<i64>,
    /// Of which trunk.
    pub trunk: Option<Uuid>,
    /// With which cause.
    pub cause: Option<u16>,
    /// From or to a number that contains this.
    pub number: Option<String>,
    /// Ended at this time or later.
    pub from: Option<Timestamp>,
    /// Ended before this time.
    pub to: Option<Timestamp>,
    /// Most calls.
    pub limit: u64,
}

/// What a call cost, for the sum of the last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCharge {
    /// The account's number.
    pub account: i64,
    /// The trunk.
    pub trunk: Uuid,
    /// When the call ended.
    pub ended_at: Timestamp,
    /// What it cost, an exact decimal.
    pub price: String,
}
