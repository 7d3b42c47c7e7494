//! The nodes of a database, and taking over the calls of a dead one.

use didww_types::Timestamp;

use crate::answer::Answer;
use crate::call::RunningCalls;
use crate::node::Node;

/// The nodes that share a database.
///
/// Each node reports its heartbeat, and watches those of the others. It takes over the calls of a dead node: it writes
/// their records, and then removes the node. If a node dies while it does so, another one takes over both.
pub trait Nodes: Send + Sync + std::fmt::Debug {
    /// Returns the number of this node, under which it holds jobs, events and calls. A database in a file has one
    /// node, 0.
    fn node(&self) -> i64;

    /// Whether other processes may have the database open, as other nodes.
    fn is_shared(&self) -> bool;

    /// Returns the secret of this name, which all nodes share. It is `fresh` if no node has requested it before. A
    /// database that is not [shared](Self::is_shared) stores no secrets, and returns `fresh`.
    fn shared_secret(&self, name: &'static str, fresh: [u8; 32]) -> Answer<'_, [u8; 32]>;

    /// Counts a heartbeat of this node.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](crate::StoreError::Conflict) if another node has taken over the calls of this one: the
    /// process must end its calls, and open the database again as another node.
    fn heartbeat(&self, at: Timestamp) -> Answer<'_, ()>;

    /// Returns the nodes, in the order of their numbers: those that had a heartbeat or have calls, and were not
    /// removed.
    fn nodes(&self) -> Answer<'_, Vec<Node>>;

    /// Makes this node the heir of a dead one, and returns the calls of the dead node that have no record yet. They
    /// remain calls of the dead node, with the time up to which they are known to have run. The heir may repeat it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](crate::StoreError::Conflict) if the node has changed since it was read: it had a
    /// heartbeat, has another heir, or was removed. This node itself is never dead.
    fn take_over_calls(&self, dead: Node) -> Answer<'_, RunningCalls>;

    /// Removes a node without calls: this node when it stops in order, or a node whose calls it took over. Returns
    /// false if the node still has calls, or if this node may not remove it.
    fn remove_node(&self, number: i64) -> Answer<'_, bool>;
}
