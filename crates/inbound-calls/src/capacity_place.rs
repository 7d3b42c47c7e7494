//! The places of calls in the capacity of a DID, a group or a trunk: among the calls of this node, and among those of
//! all nodes where several share the database.

use std::sync::Arc;

use service_core::Core;
use service_core::channels::{self, NoChannel, SharedChannel, SharedChannels};
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::live_calls::{LiveCalls, Place};

/// The place of a call in a capacity. Dropping it frees the place: at once for calls of this node, and soon for those
/// of others.
#[derive(Debug)]
#[expect(dead_code, reason = "both are held, and freed when they are dropped")]
pub(crate) struct CapacityPlace {
    of_node: Place,
    /// `None` where no other node counts.
    of_all: Option<SharedChannel>,
}

/// Why a call has no place in a capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// There are as many calls as are permitted.
    Full,
    /// The store cannot tell how many calls other nodes have.
    NotCounted,
}

impl CapacityPlace {
    /// A place that this node alone counts.
    pub(crate) fn of_node(place: Place) -> Self {
        Self { of_node: place, of_all: None }
    }

    /// Takes a place in the capacity of a DID, a group or a trunk, among the calls of this node and among those of all
    /// nodes. At most `limit` calls are permitted at a time; `None` permits any number, and then it never waits.
    /// Dropping the future takes no place.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub(crate) async fn take(
        live: &Arc<LiveCalls>,
        node: Option<&NodeChannels>,
        subject: Uuid,
        limit: Option<u64>,
    ) -> Result<Self, NoPlace> {
        let of_node = live.enter(subject, limit).ok_or(NoPlace::Full)?;
        let Some(node) = node else { return Ok(Self::of_node(of_node)) };
        let taken = match limit {
            // The other nodes count it as well: they must refuse calls as this one does when a limit is set meanwhile.
            None => Ok(node.channels.count(subject)),
            Some(limit) => {
                let limit = u32::try_from(limit).unwrap_or(u32::MAX);
                node.channels.take(subject, Some(limit)).await
            }
        };
        match taken {
            Ok(channel) => Ok(Self { of_node, of_all: Some(channel) }),
            Err(NoChannel::Full(_)) => Err(NoPlace::Full),
            Err(NoChannel::Unknown) => Err(NoPlace::NotCounted),
        }
    }
}

/// The channels that the calls of this node have among those of all nodes. The task that takes and returns them ends
/// with this.
#[derive(Debug)]
pub(crate) struct NodeChannels {
    channels: Arc<SharedChannels>,
    task: AbortHandle,
}

impl NodeChannels {
    /// Starts to take and return channels; `None` if the database has one node.
    pub(crate) fn start(core: &Arc<Core>) -> Option<Self> {
        if !core.store.is_shared() {
            return None;
        }
        let channels = Arc::<SharedChannels>::default();
        let (core, of_task) = (Arc::clone(core), Arc::clone(&channels));
        let task = tokio::spawn(async move {
            // No limit is looked for later: each call is counted when it begins.
            channels::run(&of_task, &*core.store, core.store.write_health(), |_| None).await;
        });
        Some(Self { channels, task: task.abort_handle() })
    }
}

impl Drop for NodeChannels {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use trunk_store::{Answer, ChannelRequest, Channels, HeldChannels, WriteHealth};

    use super::*;

    const DID: Uuid = Uuid::from_u128(1);

    /// A database in which the other nodes hold this many channels of everything.
    #[derive(Debug)]
    struct Others(u32);

    impl Channels for Others {
        fn hold_channels(&self, requests: Vec<ChannelRequest>) -> Answer<'_, Vec<HeldChannels>> {
            let others = self.0;
            let hold = |ChannelRequest { calls, more, limit, .. }: ChannelRequest| {
                let free = limit.saturating_sub(calls + others);
                HeldChannels { held: calls + more.min(free), others }
            };
            Answer::ready(Ok(requests.into_iter().map(hold).collect()))
        }

        fn forget_channels(&self, _most: u64) -> Answer<'_, u64> {
            Answer::ready(Ok(0))
        }
    }

    /// The calls of a node that shares such a database.
    fn node(others: u32, health: WriteHealth) -> (Arc<LiveCalls>, NodeChannels) {
        let channels = Arc::<SharedChannels>::default();
        let (of_task, health) = (Arc::clone(&channels), watch::Sender::new(health));
        let task = tokio::spawn(async move {
            channels::run(&of_task, &Others(others), health.subscribe(), |_| None).await;
        });
        (Arc::new(LiveCalls::new(9)), NodeChannels { channels, task: task.abort_handle() })
    }

    #[tokio::test]
    async fn a_call_has_a_place_if_the_calls_of_all_nodes_leave_one() {
        let (live, node) = node(1, WriteHealth::Writable);
        let take = async |limit| CapacityPlace::take(&live, Some(&node), DID, limit).await;
        let first = take(Some(2)).await.unwrap();
        assert_eq!(take(Some(2)).await.unwrap_err(), NoPlace::Full, "another node has the second one");
        assert_eq!(take(Some(1)).await.unwrap_err(), NoPlace::Full, "this node has the only one");
        let second = take(Some(3)).await.unwrap();
        assert_eq!(take(Some(3)).await.unwrap_err(), NoPlace::Full);
        let third = take(None).await.unwrap();
        drop((first, second, third));
        assert!(take(Some(2)).await.is_ok());
    }

    #[tokio::test]
    async fn without_the_database_only_what_has_no_limit_has_places() {
        let (live, node) = node(0, WriteHealth::Away);
        let refused = CapacityPlace::take(&live, Some(&node), DID, Some(5)).await;
        assert_eq!(refused.unwrap_err(), NoPlace::NotCounted);
        assert!(live.enter(DID, Some(1)).is_some(), "the refused call has no place on this node either");
        assert!(CapacityPlace::take(&live, Some(&node), DID, None).await.is_ok());
    }

    #[tokio::test]
    async fn the_only_node_of_a_database_counts_its_calls_itself() {
        let live = Arc::new(LiveCalls::new(9));
        let place = CapacityPlace::take(&live, None, DID, Some(1)).await.unwrap();
        let refused = CapacityPlace::take(&live, None, DID, Some(1)).await;
        assert_eq!(refused.unwrap_err(), NoPlace::Full);
        drop(place);
        assert!(CapacityPlace::take(&live, None, DID, Some(1)).await.is_ok());
    }
}
