//! Shares of rate limits, which the nodes of a database divide among themselves.

use std::time::Duration;

use crate::answer::Answer;
use crate::rate_share::{HeldShare, ShareRequest};

/// How long a node may use a share after its request, on its own stopwatch. It repeats the request before that, or
/// stops using the share.
pub const SHARE_LEASE: Duration = Duration::from_secs(2);

/// Shares of the rate limits of keys, accounts and customers.
///
/// A node states how many parts of a limit it needs and wants, and receives parts within the limit: all nodes together
/// hold more only after the limit was lowered. A node may reduce its share only to the parts that its requests use,
/// that is, to the requests that still count. The numbers are absolute, so a request may be repeated. A share that is
/// not requested again is free after [`SHARE_LEASE`] and the time in which its requests count, on the database's clock:
/// clocks of nodes are never compared.
///
/// A database in a file has one node, which receives all that it requests: nothing is stored.
pub trait RateShares: Send + Sync + std::fmt::Debug {
    /// Takes, extends and returns shares of several limits, each named once, in one transaction. Returns the
    /// shares that this node holds, in the order of the requests. A node has one request in progress at a time.
    ///
    /// # Errors
    /// A failure of the engine. After [`StoreError::Unknown`](crate::StoreError::Unknown) the node holds either what it
    /// held before or what the request granted.
    fn hold_shares(&self, requests: Vec<ShareRequest>) -> Answer<'_, Vec<HeldShare>>;

    /// Deletes at most `limit` expired shares, of nodes that ended without returning them, and at most `limit` rows of
    /// limits that no node has a share of. Returns how many rows were deleted.
    fn forget_shares(&self, limit: u64) -> Answer<'_, u64>;
}
