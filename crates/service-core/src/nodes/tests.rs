use std::sync::{Mutex, PoisonError};

use trunk_store::{Answer, CallQuery, NodeCall, RunningCall, StoredCall, StoredCharge};
use uuid::Uuid;

use super::*;

fn node(number: i64, beats: i64, heir: Option<i64>) -> Node {
    Node { number, beats, beat_at: None, heir }
}

const NONE: [i64; 0] = [];

/// Looks at nodes with these numbers of heartbeats. Returns the dead ones.
fn look(watched: &mut Watched, seconds: u64, nodes: &[(i64, i64, Option<i64>)]) -> Vec<i64> {
    let nodes: Vec<Node> = nodes.iter().map(|(number, beats, heir)| node(*number, *beats, *heir)).collect();
    watched.look(1, &nodes, Duration::from_secs(seconds)).iter().map(|dead| dead.number).collect()
}

#[test]
fn a_node_is_dead_after_ten_seconds_without_a_heartbeat_and_never_this_one() {
    let mut watched = Watched::default();
    for seconds in [0, 2, 4, 6, 8] {
        assert_eq!(look(&mut watched, seconds, &[(1, 5, None), (2, 7, None), (3, 1, None)]), NONE);
    }
    assert_eq!(look(&mut watched, 9, &[(1, 5, None), (2, 7, None), (3, 2, None)]), NONE);
    assert_eq!(watched.living, Some(3));
    assert_eq!(look(&mut watched, 10, &[(1, 5, None), (2, 7, None), (3, 2, None), (4, 0, None)]), [2]);
    assert_eq!(watched.living, Some(3), "one is dead, and one is new");
    assert_eq!(look(&mut watched, 12, &[(1, 5, None), (2, 8, None), (3, 2, None)]), NONE, "it lives");
}

#[test]
fn nothing_is_concluded_from_a_time_in_which_the_database_was_away() {
    let mut watched = Watched::default();
    let nodes = [(1, 5, None), (2, 7, None)];
    assert_eq!(look(&mut watched, 2, &nodes), NONE);
    for seconds in [60, 64, 68] {
        assert_eq!(look(&mut watched, seconds, &nodes), NONE);
    }
    assert_eq!(look(&mut watched, 70, &nodes), [2]);
}

#[test]
fn a_dead_node_is_left_to_its_heir_while_that_one_lives() {
    let mut watched = Watched::default();
    let mut found = Vec::new();
    for seconds in (0..30).step_by(2) {
        // The heir of 2 dies after 12 seconds; that of 4 is not known any more; 5 is this node's.
        let beats = i64::try_from(seconds.min(12)).unwrap();
        let nodes = [(2, 7, Some(3)), (3, beats, None), (4, 1, Some(9)), (5, 1, Some(1))];
        found.push((seconds, look(&mut watched, seconds, &nodes)));
    }
    assert_eq!(watched.living, Some(1), "those that were found dead do not live");
    let at = |seconds: u64| found.iter().find(|(at, _)| *at == seconds).unwrap().1.clone();
    assert_eq!(at(8), NONE);
    assert_eq!(at(10), [4, 5]);
    assert_eq!(at(20), [4, 5]);
    assert_eq!(at(22), [2, 3, 4, 5]);
}

/// A database with node 1, which is this one, and node 2, which is dead.
#[derive(Debug, Default)]
struct Database(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    beats: i64,
    is_away: bool,
    is_taken_over: bool,
    heir: Option<i64>,
    unsettled: Vec<RunningCall>,
    is_removed: bool,
    /// Number of takeovers that began, and of those that are in progress now, and were so at most.
    takeovers: usize,
    at_once: usize,
    most_at_once: usize,
}

impl Database {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Nodes for Database {
    fn node(&self) -> i64 {
        1
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn shared_secret(&self, _name: &'static str, fresh: [u8; 32]) -> Answer<'_, [u8; 32]> {
        Answer::ready(Ok(fresh))
    }

    fn heartbeat(&self, _at: Timestamp) -> Answer<'_, ()> {
        let mut state = self.state();
        let beat = if state.is_away {
            Err(StoreError::Unavailable)
        } else if state.is_taken_over {
            Err(StoreError::Conflict)
        } else {
            Ok(())
        };
        state.beats += i64::from(beat.is_ok());
        Answer::ready(beat)
    }

    fn nodes(&self) -> Answer<'_, Vec<Node>> {
        let state = self.state();
        if state.is_away {
            return Answer::ready(Err(StoreError::Unavailable));
        }
        let mut nodes = vec![node(1, state.beats, None)];
        nodes.extend((!state.is_removed).then(|| node(2, 7, state.heir)));
        Answer::ready(Ok(nodes))
    }

    fn take_over_calls(&self, dead: Node) -> Answer<'_, RunningCalls> {
        assert_eq!((dead.number, dead.beats), (2, 7));
        Answer::later(async move {
            {
                let mut state = self.state();
                state.takeovers += 1;
                state.at_once += 1;
                state.most_at_once = state.most_at_once.max(state.at_once);
            }
            tokio::task::yield_now().await;
            let mut state = self.state();
            state.at_once -= 1;
            state.heir = Some(1);
            Ok(RunningCalls { calls: state.unsettled.clone(), step: None })
        })
    }

    fn remove_node(&self, number: i64) -> Answer<'_, bool> {
        let mut state = self.state();
        state.is_removed = number == 2 && state.unsettled.is_empty();
        Answer::ready(Ok(state.is_removed))
    }
}

impl Calls for Database {
    fn calls(&self, _query: CallQuery) -> Answer<'_, Vec<StoredCall>> {
        Answer::ready(Ok(Vec::new()))
    }

    fn calls_after(&self, _query: CallQuery, _number: i64) -> Answer<'_, Vec<(i64, StoredCall)>> {
        Answer::ready(Ok(Vec::new()))
    }

    fn forget_calls(&self, _before: Timestamp, _most: u64) -> Answer<'_, u64> {
        Answer::ready(Ok(0))
    }

    fn running_calls(&self) -> Answer<'_, RunningCalls> {
        Answer::ready(Ok(RunningCalls { calls: Vec::new(), step: None }))
    }

    fn calls_of_others(&self, _id: Option<Uuid>) -> Answer<'_, Vec<NodeCall>> {
        let state = self.state();
        let unsettled = state.unsettled.iter().map(|call| NodeCall { node: 2, call: call.clone() });
        Answer::ready(Ok(unsettled.collect()))
    }

    fn charges_since(&self, _from: Timestamp) -> Answer<'_, Vec<StoredCharge>> {
        Answer::ready(Ok(Vec::new()))
    }
}

#[tokio::test]
async fn a_node_that_cannot_settle_calls_removes_the_dead_ones_that_have_none() {
    let database = Database::default();
    database.state().unsettled.push(call());
    let turns = Semaphore::new(MAX_TAKEOVERS);
    inherit(&database, &NoCalls, node(2, 7, None), &turns).await;
    assert_eq!(database.state().heir, None, "another node settles its call");
    database.state().unsettled.clear();
    inherit(&database, &NoCalls, node(2, 7, None), &turns).await;
    assert!(database.state().is_removed);
}

#[tokio::test]
async fn of_many_dead_nodes_few_are_taken_over_at_once() {
    let (database, turns) = (Database::default(), Semaphore::new(MAX_TAKEOVERS));
    let dead = std::iter::repeat_n(node(2, 7, None), 20);
    futures_util::future::join_all(dead.map(|dead| inherit(&database, &NoCalls, dead, &turns))).await;
    let state = database.state();
    assert_eq!((state.takeovers, state.most_at_once), (20, MAX_TAKEOVERS));
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_start_takes_long_has_heartbeats_meanwhile() {
    let database = Database::default();
    let start = async {
        tokio::time::sleep(DEAD_AFTER + Duration::from_secs(1)).await;
        "started"
    };
    let now = || Timestamp::from_unix_millis(0);
    assert_eq!(beat_during(&database, now, start).await, "started");
    assert_eq!(database.state().beats, 5);
}

/// Never ends to settle calls.
struct Stuck;

impl CallKeeper for Stuck {
    async fn settle(&self, _calls: RunningCalls) -> Result<(), StoreError> {
        std::future::pending().await
    }

    fn end_all(&self) {}
}

#[tokio::test(start_paused = true)]
async fn nodes_are_watched_while_the_calls_of_a_dead_one_are_settled() {
    let database = Database::default();
    database.state().unsettled.push(call());
    let (is_heard, living, looks) = (AtomicBool::new(true), AtomicU32::new(2), AtomicU32::new(0));
    let now = || HEARTBEAT_INTERVAL * looks.fetch_add(1, Ordering::Relaxed);
    let watching = watch(&database, &Stuck, &is_heard, &living, now);
    assert!(tokio::time::timeout(Duration::from_mins(1), watching).await.is_err());
    let looks = looks.load(Ordering::Relaxed);
    assert!(looks >= 29, "{looks} looks in a minute");
    assert_eq!(living.load(Ordering::Relaxed), 1);
    assert_eq!(database.state().takeovers, 1, "what is in progress is not begun again");
}

#[tokio::test]
async fn nodes_are_watched_anew_after_they_could_not_be_read_or_this_one_was_not_heard() {
    let (database, is_heard) = (Database::default(), AtomicBool::new(true));
    let (mut watched, mut found) = (Watched::default(), Vec::new());
    for seconds in (0..40).step_by(2) {
        // Both are too short to be noticed by the gap between two looks.
        database.state().is_away = seconds == 4;
        is_heard.store(seconds != 14, Ordering::Relaxed);
        let dead = find_dead(&database, &mut watched, &is_heard, || Duration::from_secs(seconds)).await;
        found.extend(dead.iter().map(|dead| (seconds, dead.number)));
    }
    assert_eq!(found.first(), Some(&(24, 2)));
}

/// Settles one call each time, and fails the first time.
struct Keeper<'a> {
    database: &'a Database,
    settled: Mutex<Vec<usize>>,
}

impl CallKeeper for Keeper<'_> {
    async fn settle(&self, calls: RunningCalls) -> Result<(), StoreError> {
        let mut settled = self.settled.lock().unwrap();
        settled.push(calls.calls.len());
        if settled.len() == 1 {
            return Err(StoreError::Unavailable);
        }
        self.database.state().unsettled.clear();
        Ok(())
    }

    fn end_all(&self) {}
}

fn call() -> RunningCall {
    RunningCall {
        id: Uuid::from_u128(1),
        account: 1,
        trunk: Uuid::from_u128(2),
        answered_at: Timestamp::from_unix_millis(0),
        acknowledged: true,
        attributes: "{}".to_owned(),
    }
}

#[tokio::test]
async fn an_heir_settles_until_nothing_is_left_and_ends_when_it_is_found_dead_itself() {
    let database = Database::default();
    database.state().unsettled.push(call());
    let keeper = Keeper { database: &database, settled: Mutex::default() };
    let (dead, turns) = (|| node(2, 7, database.state().heir), Semaphore::new(MAX_TAKEOVERS));
    inherit(&database, &keeper, dead(), &turns).await;
    assert!(!database.state().is_removed);
    inherit(&database, &keeper, dead(), &turns).await;
    assert!(database.state().is_removed);
    assert_eq!(*keeper.settled.lock().unwrap(), [1, 1]);

    // A heartbeat that cannot be written ends nothing; one that is refused does.
    let is_heard = AtomicBool::new(true);
    let now = || Timestamp::from_unix_millis(0);
    database.state().is_away = true;
    assert!(futures_util::FutureExt::now_or_never(beat(&database, now, &is_heard)).is_none());
    assert!(!is_heard.load(Ordering::Relaxed));
    {
        let mut state = database.state();
        (state.is_away, state.is_taken_over) = (false, true);
    }
    live(&database, now, &keeper, &AtomicU32::new(1)).await;
}
