//! Stored calls: the records of calls that ended, and the rows of calls that are running.

use std::net::IpAddr;

use didww_types::Timestamp;
use uuid::Uuid;

/// The record of a call that ended or was refused. Attributes that queries filter by have a field each; all attributes
/// are in the JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCall {
    /// The id of the record, which was the call's while it ran.
    pub id: Uuid,
    /// The number of the account that owns the trunk.
    pub account: i64,
    /// The trunk on which the call came in.
    pub trunk: Uuid,
    /// When the call ended or was refused, on the server's clock.
    pub ended_at: Timestamp,
    /// The disconnect cause, from the carrier edge's own table.
    pub cause: u16,
    /// The disconnect code, a SIP response code.
    pub code: u16,
    /// The caller number that was passed on, or the one that was received if none was passed on.
    pub source: String,
    /// The dialled number, including the tech prefix.
    pub destination: String,
    /// The price, as an exact decimal.
    pub price: String,
    /// The `Call-ID` of its INVITE.
    pub call_id: Option<String>,
    /// All attributes of the call record, as JSON.
    pub attributes: String,
}

/// A call that was answered and has not ended: the data for its record in case the server dies. The record replaces it
/// when the call ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningCall {
    /// The call's id, which is also the id of its record.
    pub id: Uuid,
    /// The number of the account that owns the trunk.
    pub account: i64,
    /// The trunk on which the call came in.
    pub trunk: Uuid,
    /// When the call was answered.
    pub answered_at: Timestamp,
    /// Whether the caller acknowledged the answer with an ACK.
    pub acknowledged: bool,
    /// The attributes of its record that are known so far, as JSON.
    pub attributes: String,
}

/// The calls that were running when the server last wrote to the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningCalls {
    /// The calls, in the order in which their rows were written.
    pub calls: Vec<RunningCall>,
    /// The last time at which they are known to have been running; `None` if no
    /// [`Change::Step`](crate::Change::Step) was ever written.
    pub step: Option<Timestamp>,
}

/// A query for call records, newest first. A filter that is `None` matches every record.
#[derive(Debug, Clone, Default)]
pub struct CallQuery {
    /// The number of the account that owns the trunk.
    pub account: Option<i64>,
    /// The id of the trunk on which the call came in.
    pub trunk: Option<Uuid>,
    /// The disconnect cause, from the carrier edge's own table.
    pub cause: Option<u16>,
    /// The `Call-ID`, which must be equal to the whole text.
    pub call_id: Option<String>,
    /// The address that the INVITE came from.
    pub source_ip: Option<IpAddr>,
    /// The name of the check that refused the attempt.
    pub check: Option<String>,
    /// A substring of the source or the destination number.
    pub number: Option<String>,
    /// The earliest end of a call, inclusive.
    pub from: Option<Timestamp>,
    /// The latest end of a call, exclusive.
    pub to: Option<Timestamp>,
    /// Maximum number of records to return.
    pub limit: u64,
}

/// A running call of another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCall {
    /// The number of the node that runs it, or that ran it until it died.
    pub node: i64,
    /// The call, as its row has it.
    pub call: RunningCall,
}

/// The price of a call, for the sum of the last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCharge {
    /// The id of the call, and of its record.
    pub id: Uuid,
    /// The number of the account that owns the trunk.
    pub account: i64,
    /// The id of the trunk that is charged.
    pub trunk: Uuid,
    /// When the call ended, from which the price counts for 24 hours.
    pub ended_at: Timestamp,
    /// The price, as an exact decimal.
    pub price: String,
}
