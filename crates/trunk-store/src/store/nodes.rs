//! The nodes of a database, and what becomes of the calls of a dead one.

use didww_types::Timestamp;

use crate::answer::Answer;
use crate::call::RunningCalls;
use crate::node::Node;

/// The nodes that share a database.
///
/// Each node reports its heartbeat, and watches those of the others. It takes over the calls of one that is dead: it writes
/// their records, and removes the node then. A node that dies over this is dead itself, so another one takes over both.
pub trait Nodes: Send + Sync + std::fmt::Debug {
    /// Returns the number of this node, under which it holds jobs, events and calls. A database in a file has one node, 0.
    fn node(&self) -> i64;

    /// Whether other processes may have the database open, as other nodes.
    fn is_shared(&self) -> bool;

    /// Returns the secret of this name that all nodes share. The first node that asks makes it `fresh`. A database that is not
    /// [shared](Self::is_shared) stores none, and returns `fresh`.
    fn shared_secret(&self, name: &'static str, fresh: [u8; 32]) -> Answer<'_, [u8; 32]>;

    /// Counts a heartbeat of this node.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](crate::StoreError::Conflict) if another node has taken over the calls of this one: whatever
    /// still runs here ends, and the process opens the database again, as another node.
    fn heartbeat(&self, at: Timestamp) -> Answer<'_, ()>;

    /// Returns the nodes, in the order of their numbers: those that had a heartbeat or have calls, and were not removed.
    fn nodes(&self) -> Answer<'_, Vec<Node>>;

    /// Makes this node the heir of a dead one, and returns the calls of the dead one that have no record yet. They stay
    /// calls of the dead node, and what is known of their duration stays too. The heir may repeat it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](crate::StoreError::Conflict) if the node has changed since it was read: it had a heartbeat,
    /// has another heir, or was removed. This node itself is never dead.
    fn take_over_calls(&self, dead: Node) -> Answer<'_, RunningCalls>;

    /// Removes a node that has no calls any more: one that ends in order, or one whose calls this node took over. Returns
    /// false if it still has calls, or is not this node's to remove.
    fn remove_node(&self, number: i64) -> Answer<'_, bool>;
}
