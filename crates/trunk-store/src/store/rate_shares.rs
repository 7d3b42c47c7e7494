//! Shares of rate limits, which the nodes of a database divide among themselves.

use std::time::Duration;

use crate::answer::Answer;
use crate::rate_share::{AskedShare, HeldShare};

/// How long a node holds a share after it asked for it, on its own stopwatch. It asks again before, or uses it no more.
pub const SHARE_LEASE: Duration = Duration::from_secs(2);

/// Shares of the rate limits of keys, accounts and customers.
///
/// A node states how much of a limit it needs and would take, and receives what fits: what the nodes hold never exceeds the
/// limit, but for a limit that was lowered. It may only lower what it holds to what it uses, that is to the requests that still
/// count. The numbers are absolute, so a node may repeat what it asked for. A share that is not asked for again is free after
/// [`SHARE_LEASE`] and the time in which its requests count, on the database's clock; so the clocks of nodes are never compared.
///
/// A database in a file has one node, which holds all that it asks for: nothing is stored.
pub trait RateShares: Send + Sync + std::fmt::Debug {
    /// Takes, extends and returns shares of several limits, each named once, in one transaction. Returns what this node holds
    /// of each, in the order of the limits. A node does not ask again before it has the answer.
    ///
    /// # Errors
    /// A failure of the engine. After [`StoreError::Unknown`](crate::StoreError::Unknown) the node holds what it held before or
    /// what it asked for.
    fn hold_shares(&self, asked: Vec<AskedShare>) -> Answer<'_, Vec<HeldShare>>;

    /// Deletes at most `most` shares that are over, of nodes that ended without returning them, and as many rows of limits
    /// that no node has a share of. Returns how many rows were deleted.
    fn forget_shares(&self, most: u64) -> Answer<'_, u64>;
}
