use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::task::JoinHandle;
use trunk_store::Answer;

use super::*;

const TRUNK: Uuid = Uuid::from_u128(1);

/// A database whose nodes hold channels.
#[derive(Debug, Default)]
struct Database {
    held: Mutex<HashMap<(i64, Uuid), u32>>,
    /// How the next writes fail.
    failures: Mutex<VecDeque<StoreError>>,
    writes: Mutex<usize>,
}

/// The database from the point of view of one node.
#[derive(Debug)]
struct Node {
    number: i64,
    database: Arc<Database>,
}

impl Channels for Node {
    fn hold_channels(&self, requests: Vec<ChannelRequest>) -> Answer<'_, Vec<HeldChannels>> {
        *self.database.writes.lock().unwrap() += 1;
        if let Some(error) = self.database.failures.lock().unwrap().pop_front() {
            return Answer::ready(Err(error));
        }
        let mut all = self.database.held.lock().unwrap();
        let mut hold = |ChannelRequest { trunk, calls, more, limit }: ChannelRequest| {
            let of_others = all.iter().filter(|((node, of), _)| *node != self.number && *of == trunk);
            let others = of_others.map(|(_, held)| *held).sum();
            let held = calls + more.min(limit.saturating_sub(calls + others));
            all.insert((self.number, trunk), held);
            HeldChannels { held, others }
        };
        Answer::ready(Ok(requests.into_iter().map(&mut hold).collect()))
    }

    fn forget_channels(&self, _most: u64) -> Answer<'_, u64> {
        Answer::ready(Ok(0))
    }
}

impl Database {
    fn held_by(&self, node: i64) -> u32 {
        self.held.lock().unwrap().get(&(node, TRUNK)).copied().unwrap_or_default()
    }

    /// Waits until a node holds this many channels.
    async fn until_held(&self, node: i64, held: u32) {
        let until = async {
            while self.held_by(node) != held {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), until).await.unwrap();
    }
}

/// The channels of a node, and what keeps their task running.
struct Edge {
    channels: Arc<SharedChannels>,
    health: watch::Sender<WriteHealth>,
    task: JoinHandle<()>,
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn edge(number: i64, database: &Arc<Database>, limit: Option<u32>) -> Edge {
    let (channels, health) = (Arc::<SharedChannels>::default(), watch::Sender::new(WriteHealth::Writable));
    let (store, database) = (Arc::clone(&channels), Arc::clone(database));
    let receiver = health.subscribe();
    let task = tokio::spawn(async move {
        run(&store, &Node { number, database }, receiver, |_| limit).await;
    });
    Edge { channels, health, task }
}

fn full(held: u32, limit: u32) -> NoChannel {
    NoChannel::Full(Full { held, limit })
}

#[tokio::test]
async fn two_nodes_share_the_channels_of_a_trunk_and_what_one_gives_back_the_other_takes() {
    let database = Arc::default();
    let (one, other) = (edge(1, &database, Some(2)), edge(2, &database, Some(2)));
    let first = one.channels.take(TRUNK, Some(2)).await.unwrap();
    let second = other.channels.take(TRUNK, Some(2)).await.unwrap();
    assert_eq!(one.channels.take(TRUNK, Some(2)).await.unwrap_err(), full(2, 2));
    assert_eq!(one.channels.take(TRUNK, Some(0)).await.unwrap_err(), full(2, 0));
    drop(first);
    // It may arrive while the channel is on its way back.
    let third = other.channels.take(TRUNK, Some(2)).await.unwrap();
    database.until_held(1, 0).await;
    assert_eq!(database.held_by(2), 2);
    drop((second, third));
    database.until_held(2, 0).await;
    assert!(one.channels.lock().trunks.is_empty() && other.channels.lock().trunks.is_empty());
}

#[tokio::test]
async fn calls_that_come_together_share_a_transaction_and_none_is_over_the_limit() {
    let database = Arc::<Database>::default();
    let edge = edge(1, &database, Some(30));
    let taken = join_all((0..50).map(|_| edge.channels.take(TRUNK, Some(30)))).await;
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 30);
    assert!(taken.iter().filter_map(|taken| taken.as_ref().err()).all(|refused| *refused == full(30, 30)));
    assert_eq!(database.held_by(1), 30);
    assert!(*database.writes.lock().unwrap() <= 5, "those that find none ask once more");
}

#[tokio::test]
async fn a_call_that_is_gone_before_its_answer_gives_its_channel_back() {
    let database = Arc::<Database>::default();
    let edge = edge(1, &database, Some(1));
    {
        let mut gone = Box::pin(edge.channels.take(TRUNK, Some(1)));
        assert!(gone.as_mut().now_or_never().is_none());
    }
    let taken = edge.channels.take(TRUNK, Some(1)).await.unwrap();
    assert_eq!(database.held_by(1), 1);
    drop(taken);
    database.until_held(1, 0).await;
}

#[tokio::test]
async fn while_the_database_is_away_calls_take_the_channels_that_are_held_and_no_others() {
    let database = Arc::<Database>::default();
    let edge = edge(1, &database, Some(5));
    let held = edge.channels.take(TRUNK, Some(5)).await.unwrap();
    edge.health.send_replace(WriteHealth::Away);
    assert_eq!(edge.channels.take(TRUNK, Some(5)).await.unwrap_err(), NoChannel::Unknown);
    drop(held);
    let held = edge.channels.take(TRUNK, Some(5)).await.unwrap();
    assert_eq!(edge.channels.take(TRUNK, Some(5)).await.unwrap_err(), NoChannel::Unknown);
    assert_eq!(*database.writes.lock().unwrap(), 1);
    drop(held);
    edge.health.send_replace(WriteHealth::Writable);
    database.until_held(1, 0).await;
    assert!(edge.channels.take(TRUNK, Some(5)).await.is_ok());
}

#[tokio::test]
async fn after_a_write_of_unknown_outcome_a_node_holds_only_what_its_calls_have() {
    let database = Arc::<Database>::default();
    let edge = edge(1, &database, Some(5));
    for (error, is_held) in [(StoreError::Unavailable, true), (StoreError::Unknown, false)] {
        let first = edge.channels.take(TRUNK, Some(5)).await.unwrap();
        let second = edge.channels.take(TRUNK, Some(5)).await.unwrap();
        database.until_held(1, 2).await;
        let writes = *database.writes.lock().unwrap();
        database.failures.lock().unwrap().push_back(error);
        drop(second);
        while *database.writes.lock().unwrap() == writes {
            tokio::task::yield_now().await;
        }
        let known = edge.channels.lock().trunks[&TRUNK].held;
        assert_eq!(known, if is_held { 2 } else { 1 });
        drop(first);
        database.until_held(1, 0).await;
    }
}

#[tokio::test]
async fn calls_that_began_without_a_limit_are_counted_when_their_trunk_receives_one() {
    let database = Arc::<Database>::default();
    let edge = edge(1, &database, Some(3));
    let calls =
        [edge.channels.take(TRUNK, None).await.unwrap(), edge.channels.take(TRUNK, None).await.unwrap()];
    assert_eq!(*database.writes.lock().unwrap(), 0);
    database.until_held(1, 2).await;
    drop(calls);
    database.until_held(1, 0).await;
}

#[tokio::test]
async fn calls_without_a_limit_that_are_counted_at_once_are_known_to_the_other_nodes_before_there_is_one() {
    let database = Arc::default();
    // Nothing is found later: their trunk has no limit here.
    let (one, other) = (edge(1, &database, None), edge(2, &database, None));
    let counted = [one.channels.count(TRUNK), one.channels.count(TRUNK)];
    database.until_held(1, 2).await;
    assert_eq!(other.channels.take(TRUNK, Some(2)).await.unwrap_err(), full(2, 2));
    let third = other.channels.take(TRUNK, Some(3)).await.unwrap();
    drop((counted, third));
    database.until_held(1, 0).await;
    database.until_held(2, 0).await;
}

#[tokio::test]
async fn calls_that_are_counted_while_the_database_is_away_are_known_to_it_when_it_is_back() {
    let database = Arc::<Database>::default();
    let edge = edge(1, &database, None);
    edge.health.send_replace(WriteHealth::Away);
    let counted = edge.channels.count(TRUNK);
    assert_eq!(edge.channels.take(TRUNK, Some(5)).await.unwrap_err(), NoChannel::Unknown);
    assert_eq!(database.held_by(1), 0);
    edge.health.send_replace(WriteHealth::Writable);
    database.until_held(1, 1).await;
    drop(counted);
    database.until_held(1, 0).await;
}
