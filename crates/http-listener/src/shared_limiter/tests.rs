use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::future::join_all;
use proptest::prelude::*;
use service_base::limiter::{LeakyBucket, PerSecond, SlidingSecond};
use service_base::rate::Rate;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use trunk_store::{Answer, HeldShare, ShareRequest, StoreError};

use super::shares::{ShareRequests, slice};
use super::*;

const SUBJECT: RateSubject = RateSubject::Account(1);
const LIMIT: PerSecond = PerSecond(40);

/// A database whose nodes hold shares: what is held and needed, and until when.
#[derive(Debug, Default)]
struct Database(HashMap<(RateSubject, usize), (u32, u32, Duration)>);

impl Database {
    fn hold(&mut self, node: usize, requests: &[ShareRequest], at: Duration) -> Vec<HeldShare> {
        let mut hold = |request: &ShareRequest| {
            let of_others = self.0.iter().filter(|((subject, of), (.., until))| {
                *subject == request.subject && *of != node && *until > at
            });
            let (others, missing) = of_others
                .map(|(_, (held, needed, _))| (*held, needed.saturating_sub(*held)))
                .fold((0, 0), |all: (u32, u32), one| (all.0 + one.0, all.1.saturating_add(one.1)));
            let free = request.limit.saturating_sub(others);
            let held = request.needed.min(free).max(request.wanted.min(free.saturating_sub(missing)));
            if request.wanted == 0 {
                self.0.remove(&(request.subject, node));
            } else {
                let until = at + trunk_store::SHARE_LEASE + request.memory;
                self.0.insert((request.subject, node), (held, request.needed, until));
            }
            HeldShare { held, others }
        };
        requests.iter().map(&mut hold).collect()
    }

    fn held(&self, at: Duration) -> u32 {
        self.0.values().filter(|(.., until)| *until > at).map(|(held, ..)| *held).sum()
    }
}

/// The time between two moments of a simulation.
const STEP: Duration = Duration::from_millis(5);

/// A question of a node that is on its way: when the database decides it, and when the node has the answer.
struct Question {
    sent: ShareRequests,
    decided_at: Duration,
    held: Option<Vec<HeldShare>>,
    answered_at: Duration,
    is_lost: bool,
}

/// A node of a simulation. Its clock is not that of the others.
struct Node<C: Divide> {
    shares: Shares<C>,
    question: Option<Question>,
    not_before: Duration,
    renewed_at: Duration,
    was_lost: bool,
    waiting: Vec<(oneshot::Receiver<()>, usize)>,
    clock: i64,
}

/// Nodes that share a limit, in simulated time.
struct Simulation<C: Divide> {
    limit: C::Limit,
    nodes: Vec<Node<C>>,
    database: Database,
    at: Duration,
    admitted: Vec<Duration>,
    refused: Vec<Duration>,
    questions: usize,
}

/// How the database answers: the delays until it decides and until the answer arrives, in steps, and whether it is
/// lost.
type Delays = (u32, u32, bool);

impl<C: Divide> Simulation<C> {
    fn new(nodes: u32, limit: C::Limit) -> Self {
        let node = |number| Node {
            shares: Shares::default(),
            question: None,
            not_before: Duration::ZERO,
            renewed_at: Duration::ZERO,
            was_lost: false,
            waiting: Vec::new(),
            clock: 1_000_000_000 * i64::from(number),
        };
        Self {
            limit,
            nodes: (0..nodes).map(node).collect(),
            database: Database::default(),
            at: Duration::ZERO,
            admitted: Vec::new(),
            refused: Vec::new(),
            questions: 0,
        }
    }

    fn now(&self, node: usize) -> i64 {
        self.nodes[node].clock + i64::try_from(self.at.as_micros()).unwrap()
    }

    /// A request at a node, which has waited for this many answers.
    fn request(&mut self, node: usize, answers: usize) {
        let (now, nodes) = (self.now(node), u32::try_from(self.nodes.len()).unwrap());
        match self.nodes[node].shares.admit(SUBJECT, self.limit, now, self.at, nodes) {
            Ok(()) => self.admitted.push(self.at),
            Err(Refused { answer: Some(answer), .. }) if answers < MAX_ANSWERS => {
                self.nodes[node].waiting.push((answer, answers + 1));
            }
            Err(_) => self.refused.push(self.at),
        }
    }

    /// Lets each node do what its task does in a step.
    fn step(&mut self, mut delays: impl FnMut() -> Delays) {
        self.at += STEP;
        for node in 0..self.nodes.len() {
            self.ask(node, &mut delays);
            let waiting = std::mem::take(&mut self.nodes[node].waiting);
            for (mut answer, answers) in waiting {
                match answer.try_recv() {
                    Err(TryRecvError::Empty) => self.nodes[node].waiting.push((answer, answers)),
                    _ => self.request(node, answers),
                }
            }
        }
        let all = C::parts(self.limit);
        assert!(self.database.held(self.at) <= all, "{:?}", self.database);
    }

    fn ask(&mut self, number: usize, delays: &mut impl FnMut() -> Delays) {
        let (at, now) = (self.at, self.now(number));
        let node = &mut self.nodes[number];
        if let Some(question) = &mut node.question {
            if at >= question.decided_at && question.held.is_none() {
                question.held = Some(self.database.hold(number, &question.sent.requests, at));
            }
            if at < question.answered_at {
                return;
            }
            node.was_lost = question.is_lost;
            match &question.held {
                Some(held) if !question.is_lost => node.shares.received(&question.sent, held, now, at),
                _ => {
                    node.shares.failed(&question.sent, at);
                    node.not_before = at + PAUSE_AFTER_FAILURE;
                }
            }
            node.question = None;
        }
        if at < node.not_before {
            return;
        }
        if at >= node.renewed_at + RENEWAL_INTERVAL / 4 {
            node.renewed_at = at;
            node.shares.renew(at);
        }
        let sent = node.shares.take_due(now, at);
        if !sent.requests.is_empty() {
            self.questions += 1;
            let (decides, answers, is_lost) = delays();
            let decided_at = at + STEP * decides;
            let answered_at = decided_at + STEP * answers;
            let is_lost = is_lost && !node.was_lost;
            node.question = Some(Question { sent, decided_at, held: None, answered_at, is_lost });
        }
    }

    /// The requests that were admitted in the second that ends now.
    fn admitted_in_the_last_second(&self) -> usize {
        self.admitted.iter().filter(|at| **at + Duration::from_secs(1) > self.at).count()
    }

    /// Sends requests for some time, at a rate a second at each node.
    fn run(&mut self, time: Duration, rates: &[u32], mut delays: impl FnMut() -> Delays) {
        let (begin, mut sent) = (self.at, vec![0_u128; rates.len()]);
        while self.at < begin + time {
            self.step(&mut delays);
            let elapsed = self.at.saturating_sub(begin).as_millis();
            for (node, rate) in rates.iter().enumerate() {
                while sent[node] < elapsed * u128::from(*rate) / 1_000 {
                    sent[node] += 1;
                    self.request(node, 0);
                }
            }
        }
    }
}

/// The most of these moments that are in one second, wherever it starts.
fn most_in_a_second(moments: &[Duration]) -> usize {
    let within = |at: usize| {
        let end = moments[at] + Duration::from_secs(1);
        moments[at..].iter().filter(|later| **later < end).count()
    };
    (0..moments.len()).map(within).max().unwrap_or_default()
}

fn at_once() -> Delays {
    (0, 1, false)
}

/// What the nodes of a simulation do: rates of requests for half a second each.
fn phases(nodes: usize) -> impl Strategy<Value = Vec<Vec<u32>>> {
    let rate = prop_oneof![Just(0), 1..20_u32, 20..60_u32, Just(400)];
    proptest::collection::vec(proptest::collection::vec(rate, nodes), 2..16)
}

fn delays() -> impl Strategy<Value = Vec<Delays>> {
    proptest::collection::vec((0..20_u32, 0..20_u32, proptest::bool::weighted(0.1)), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nodes_together_never_admit_more_than_the_limit_and_a_slice_each(
        phases in (2..5_usize).prop_flat_map(phases), delays in delays()
    ) {
        let nodes = u32::try_from(phases[0].len()).unwrap();
        let mut simulation = Simulation::<SlidingSecond>::new(nodes, LIMIT);
        let mut delays = delays.into_iter().cycle();
        for rates in phases {
            simulation.run(Duration::from_millis(500), &rates, || delays.next().unwrap());
        }
        let most = most_in_a_second(&simulation.admitted);
        prop_assert!(most <= (LIMIT.0 + nodes * slice(LIMIT.0)) as usize, "{most} with {nodes} nodes");
    }

    #[test]
    fn no_allowance_is_idle_while_another_node_refuses_requests(
        phases in (2..5_usize).prop_flat_map(phases), delays in delays()
    ) {
        let nodes = phases[0].len();
        let mut simulation = Simulation::<SlidingSecond>::new(u32::try_from(nodes).unwrap(), LIMIT);
        let mut delays = delays.into_iter().cycle();
        for rates in phases {
            // A second until what the phase before used does not count any more, one until it was returned, and one to
            // count.
            let next = || { let (decides, answers, _) = delays.next().unwrap(); (decides % 4, answers % 4, false) };
            simulation.run(Duration::from_secs(3), &rates, next);
            let wanted = rates.iter().sum::<u32>().min(LIMIT.0) as usize;
            let admitted = simulation.admitted_in_the_last_second();
            let idle = nodes * slice(LIMIT.0) as usize;
            prop_assert!(admitted + idle >= wanted, "{admitted} of {wanted} at rates of {rates:?}");
        }
    }

    #[test]
    fn a_bucket_of_all_nodes_admits_its_burst_and_its_rate(
        phases in (2..4_usize).prop_flat_map(phases), delays in delays()
    ) {
        let (rate, burst) = (17, 33);
        let nodes = phases[0].len();
        let limit = Rate::per_second(rate, burst);
        let mut simulation = Simulation::<LeakyBucket>::new(u32::try_from(nodes).unwrap(), limit);
        let mut delays = delays.into_iter().cycle();
        for rates in &phases {
            simulation.run(Duration::from_millis(500), rates, || delays.next().unwrap());
        }
        let slices = nodes * slice(burst) as usize;
        let most = most_in_a_second(&simulation.admitted);
        // In a second, each slice admits its burst and what it drains.
        prop_assert!(most <= (burst + rate) as usize + 2 * slices, "{most} with {nodes} nodes");
    }
}

#[test]
fn an_only_node_admits_the_whole_limit_with_few_questions_and_gives_all_back() {
    let mut simulation = Simulation::<SlidingSecond>::new(1, LIMIT);
    for second in 1..=3 {
        for _ in 0..100 {
            simulation.request(0, 0);
        }
        simulation.run(Duration::from_secs(1), &[0], at_once);
        assert_eq!(simulation.admitted.len(), second * 40, "at once, whatever it held before");
        simulation.run(Duration::from_millis(100), &[0], at_once);
    }
    assert!(simulation.questions <= 3 * 8, "{}", simulation.questions);
    simulation.run(Duration::from_secs(2), &[0], at_once);
    assert_eq!(simulation.database.0, HashMap::new());
    assert_eq!(simulation.nodes[0].shares.sizes(), (0, 0));
}

#[test]
fn a_subject_that_stays_below_a_slice_costs_nothing() {
    let mut simulation = Simulation::<SlidingSecond>::new(2, LIMIT);
    simulation.run(Duration::from_secs(5), &[2, 2], at_once);
    assert_eq!((simulation.admitted.len(), simulation.refused.len(), simulation.questions), (20, 0, 0));
    assert_eq!(simulation.nodes[0].shares.sizes(), (0, 0));
}

#[test]
fn a_customer_with_even_requests_keeps_the_parts_of_its_rate() {
    let mut simulation = Simulation::<LeakyBucket>::new(2, Rate::per_second(17, 33));
    simulation.run(Duration::from_secs(1), &[8, 8], at_once);
    simulation.refused.clear();
    simulation.run(Duration::from_secs(10), &[8, 8], at_once);
    assert_eq!(simulation.refused.len(), 0);
    // Two nodes, a renewal each half of a second, and some when a rate was measured lower than it is.
    assert!(simulation.questions < 2 * 2 * 11 + 20, "{}", simulation.questions);
}

#[test]
fn what_a_dead_node_held_is_free_after_its_lease() {
    let mut simulation = Simulation::<SlidingSecond>::new(2, LIMIT);
    simulation.run(Duration::from_secs(2), &[400, 0], at_once);
    assert_eq!(simulation.admitted_in_the_last_second(), 40);
    // It asks no more, as if it were dead.
    simulation.nodes[0].not_before = Duration::MAX;
    simulation.run(Duration::from_secs(4), &[0, 400], at_once);
    assert_eq!(simulation.admitted_in_the_last_second(), 40);
    assert!(most_in_a_second(&simulation.admitted) <= 44);
}

#[test]
fn without_the_store_a_node_uses_its_part_once_all_shares_are_over() {
    let mut simulation = Simulation::<SlidingSecond>::new(4, LIMIT);
    simulation.run(Duration::from_secs(1), &[100, 100, 100, 100], at_once);
    let away = |simulation: &mut Simulation<SlidingSecond>, time| {
        simulation.run(time, &[100, 100, 100, 100], || (99_999, 0, true));
    };
    // Each question is out for a second, and then fails.
    let fail = |simulation: &mut Simulation<SlidingSecond>| {
        for node in &mut simulation.nodes {
            if let Some(question) = node.question.take() {
                node.shares.failed(&question.sent, simulation.at);
            }
        }
    };
    for _ in 0..7 {
        away(&mut simulation, Duration::from_secs(1));
        fail(&mut simulation);
    }
    assert_eq!(simulation.admitted_in_the_last_second(), 40);
    assert!(most_in_a_second(&simulation.admitted) <= 48);
    let node = &simulation.nodes[0].shares;
    assert!(node.admit(RateSubject::Account(2), PerSecond(1), 0, simulation.at, 4).is_ok(), "at least one");
}

/// A store that a node asks, and that may be away.
#[derive(Debug, Default)]
struct Store {
    database: Mutex<Database>,
    is_away: bool,
    questions: Mutex<usize>,
}

impl RateShares for Store {
    fn hold_shares(&self, requests: Vec<ShareRequest>) -> Answer<'_, Vec<HeldShare>> {
        *self.questions.lock().unwrap() += 1;
        if self.is_away {
            return Answer::ready(Err(StoreError::Unavailable));
        }
        Answer::ready(Ok(self.database.lock().unwrap().hold(0, &requests, Duration::ZERO)))
    }

    fn forget_shares(&self, _most: u64) -> Answer<'_, u64> {
        Answer::ready(Ok(0))
    }
}

/// The requests of a hundred at once that a node with a frozen clock admits.
async fn admitted<C: Divide>(store: Store, limit: C::Limit, nodes: u32) -> (usize, usize) {
    let inner = Inner::<C>::new(None);
    let requests = join_all((0..100).map(|_| inner.admit(SUBJECT, limit, || 0, || nodes)));
    let decided = tokio::select! {
        decided = requests => decided,
        () = inner.run(&store, || 0) => unreachable!("it runs as long as the server"),
    };
    assert!(decided.iter().filter_map(|decided| decided.as_ref().err()).all(|seconds| *seconds == 1));
    let questions = *store.questions.lock().unwrap();
    (decided.iter().filter(|decided| decided.is_ok()).count(), questions)
}

#[tokio::test]
async fn requests_that_come_at_once_wait_for_the_share_of_their_node() {
    let (seconds, questions) = admitted::<SlidingSecond>(Store::default(), LIMIT, 2).await;
    assert_eq!(seconds, 40);
    assert!((1..=5).contains(&questions), "{questions}");
    assert_eq!(admitted::<LeakyBucket>(Store::default(), Rate::per_second(17, 33), 2).await.0, 33);
}

#[tokio::test]
async fn a_node_whose_store_is_away_refuses_what_others_may_admit_unless_it_is_alone() {
    let away = || Store { is_away: true, ..Store::default() };
    assert_eq!(admitted::<SlidingSecond>(away(), LIMIT, 2).await.0, 2);
    assert_eq!(admitted::<SlidingSecond>(away(), LIMIT, 1).await.0, 40);
    assert_eq!(admitted::<LeakyBucket>(away(), Rate::per_second(17, 33), 1).await.0, 33);
}

#[tokio::test]
async fn a_limit_that_is_off_needs_no_store() {
    let limiter = SharedLimiter::<SlidingSecond>::local();
    for _ in 0..1_000 {
        assert_eq!(limiter.admit(SUBJECT, PerSecond(0), || 0).await, Ok(()));
    }
}
