//! Jobs that are due on a frozen clock, in databases that are opened again.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use trunk_store::{DocumentKind, EventForm, IfScheduled, NewDocument, NewEvent, SqliteStore};
use uuid::Uuid;

use super::*;
use crate::Outbox;

const KIND: &str = "test";
const START: i64 = 1_700_000_000_000;
/// Far longer than any step takes.
const DEADLINE: Duration = Duration::from_secs(20);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(START + seconds * 1_000)
}

/// The shared state of a server with a frozen clock.
pub(crate) fn core(store: SqliteStore) -> Arc<Core> {
    let clock = Clock::system();
    clock.freeze(Some(at(0)));
    let (outbox, descriptors) = (Outbox::new(false), Descriptors::new(1_024));
    Arc::new(Core::new(Arc::new(store), clock, Ids::system(), outbox, descriptors, GuessLimits::default()))
}

fn in_memory() -> Arc<Core> {
    core(SqliteStore::in_memory().unwrap())
}

fn in_file(folder: &Path) -> Arc<Core> {
    core(SqliteStore::open(&folder.join("jobs.db")).unwrap())
}

/// A runner that is working.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(core: &Arc<Core>, set: JobSet) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(run(Arc::clone(core), set, stopped)) }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        within("stopping", self.task).await.unwrap();
    }

    /// Ends the runner wherever it is, as the end of its process would.
    async fn kill(self) {
        self.task.abort();
        within("the abort", self.task).await.unwrap_err();
    }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} took too long"))
}

/// Yields to other tasks until a condition holds, up to the deadline of [`within`].
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    within(what, waiting).await;
}

async fn schedule(core: &Core, job: Job) {
    let change = Change::Schedule { job: Box::new(job), existing: IfScheduled::Replace };
    core.store.commit(vec![change]).await.unwrap();
}

async fn due_at(core: &Core, subject: &str) -> Option<Timestamp> {
    core.store.job(KIND, subject.to_owned()).await.unwrap().map(|job| job.due_at)
}

/// An effect that can be counted: an event.
fn effect() -> Change {
    Change::Emit(Box::new(NewEvent {
        form: EventForm::Webhook { customer: Uuid::nil(), method: "POST".to_owned(), signature: None },
        subject: Uuid::nil(),
        url: String::new(),
        body: "{}".to_owned(),
        created_at: at(0),
    }))
}

async fn effects(core: &Core) -> u64 {
    core.store.backlog(None).await.unwrap().waiting
}

/// A kind that reports the subject and the number of the attempt of each run, and returns the result of `outcome`.
fn reporting(
    outcome: impl Fn(LeasedJob) -> Result<Outcome, JobError> + Clone + Send + Sync + 'static,
) -> (JobKind, mpsc::UnboundedReceiver<(String, u32)>) {
    let (runs, seen) = mpsc::unbounded_channel();
    let handler = move |_, leased: LeasedJob| {
        let (runs, outcome) = (runs.clone(), outcome.clone());
        async move {
            runs.send((leased.job.subject.clone(), leased.attempts)).unwrap();
            outcome(leased)
        }
    };
    (JobKind::new(KIND, handler), seen)
}

async fn seen(runs: &mut mpsc::UnboundedReceiver<(String, u32)>) -> (String, u32) {
    within("a run", runs.recv()).await.unwrap()
}

fn first(subject: &str) -> (String, u32) {
    (subject.to_owned(), 1)
}

#[tokio::test]
async fn due_jobs_run_in_the_order_of_their_times_when_the_clock_is_advanced() {
    let core = in_memory();
    let (kind, mut runs) = reporting(|_| Ok(Outcome::done()));
    for (subject, seconds) in [("c", 30), ("a", 10), ("b", 20), ("later", 99)] {
        schedule(&core, Job::new(KIND, subject, at(seconds))).await;
    }
    let running = Running::start(&core, JobSet::default().handle(kind));
    core.clock.advance(Duration::from_secs(5));
    // Scheduled while the runner waits, it must wake it; and none of the others has run before it.
    schedule(&core, Job::new(KIND, "now", at(5))).await;
    assert_eq!(seen(&mut runs).await, first("now"));
    core.clock.advance(Duration::from_secs(30));
    for subject in ["a", "b", "c"] {
        assert_eq!(seen(&mut runs).await, first(subject));
    }
    until("all are deleted", async || due_at(&core, "c").await.is_none()).await;
    assert_eq!(due_at(&core, "later").await, Some(at(99)));
    running.stop().await;
    assert!(runs.recv().await.is_none());
}

#[tokio::test]
async fn a_job_is_done_once_wherever_its_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let before = in_file(folder.path());
    schedule(&before, Job::new(KIND, "a", at(0))).await;
    // Killed after the handler began and before its outcome is stored.
    let (starts, mut started_runs) = mpsc::unbounded_channel();
    let hanging = JobKind::new(KIND, move |_, _| {
        starts.send(()).unwrap();
        std::future::pending()
    });
    let running = Running::start(&before, JobSet::default().handle(hanging));
    within("the run", started_runs.recv()).await.unwrap();
    running.kill().await;
    assert_eq!(effects(&before).await, 0);
    drop(before);

    let after = in_file(folder.path());
    let (kind, mut runs) = reporting(|_| Ok(Outcome::done().with([effect()])));
    let running = Running::start(&after, JobSet::default().handle(kind));
    assert_eq!(seen(&mut runs).await, ("a".to_owned(), 2), "it runs again without waiting for its lease");
    until("the effect", async || effects(&after).await == 1).await;
    running.kill().await;
    assert_eq!(due_at(&after, "a").await, None, "with its effect the job is gone");
    drop(after);

    let last = in_file(folder.path());
    let (kind, mut runs) = reporting(|_| Ok(Outcome::done().with([effect()])));
    schedule(&last, Job::new(KIND, "b", at(0))).await;
    let running = Running::start(&last, JobSet::default().handle(kind));
    assert_eq!(seen(&mut runs).await, first("b"));
    running.stop().await;
    assert_eq!(effects(&last).await, 2);
}

#[tokio::test]
async fn an_event_of_a_job_wakes_the_sender_of_callbacks() {
    let core = in_memory();
    schedule(&core, Job::new(KIND, "a", at(0))).await;
    let (kind, _runs) = reporting(|_| Ok(Outcome::done().with([effect()])));
    let running = Running::start(&core, JobSet::default().handle(kind));
    within("the signal", core.outbox.woken()).await;
    running.stop().await;
}

#[tokio::test]
async fn a_run_that_was_superseded_has_no_effect_and_runs_at_its_new_time() {
    let core = in_memory();
    schedule(&core, Job::new(KIND, "a", at(0))).await;
    let gate = Arc::new(Semaphore::new(0));
    let (starts, mut started_runs) = mpsc::unbounded_channel();
    let gated = {
        let gate = Arc::clone(&gate);
        JobKind::new(KIND, move |_, leased: LeasedJob| {
            starts.send(leased.job.payload).unwrap();
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(Outcome::done().with([effect()]))
            }
        })
    };
    let running = Running::start(&core, JobSet::default().handle(gated));
    assert_eq!(within("the run", started_runs.recv()).await.unwrap(), "null");
    schedule(&core, Job { payload: "1".to_owned(), ..Job::new(KIND, "a", at(60)) }).await;
    gate.add_permits(2);
    core.clock.advance(Duration::from_mins(1));
    assert_eq!(within("the new run", started_runs.recv()).await.unwrap(), "1");
    until("the effect", async || effects(&core).await > 0).await;
    running.stop().await;
    assert_eq!((effects(&core).await, due_at(&core, "a").await), (1, None));
}

/// A change that conflicts: of a document that is not stored.
fn stale() -> Change {
    let document = NewDocument {
        kind: DocumentKind::Platform,
        id: Uuid::nil(),
        customer: Uuid::nil(),
        created_at: 0,
        deleted: false,
        live: false,
        body: "{}".to_owned(),
        keyed: false,
        keys: Vec::new(),
        unique: Vec::new(),
    };
    Change::Put { revision: Some(7), document: Box::new(document) }
}

#[tokio::test]
async fn a_run_that_conflicts_with_another_write_is_repeated_at_once() {
    let core = in_memory();
    schedule(&core, Job::new(KIND, "a", at(0))).await;
    let stale = stale();
    let (kind, mut runs) = reporting(move |leased| {
        let stale = if leased.attempts < 3 { vec![stale.clone()] } else { Vec::new() };
        Ok(Outcome::done().with([effect()]).with(stale))
    });
    let running = Running::start(&core, JobSet::default().handle(kind));
    for attempt in 1..=3 {
        assert_eq!(seen(&mut runs).await, ("a".to_owned(), attempt));
    }
    running.stop().await;
    assert_eq!((effects(&core).await, due_at(&core, "a").await), (1, None));
}

#[tokio::test]
async fn of_many_runs_that_conflict_the_ninth_is_repeated_a_second_later() {
    let core = in_memory();
    schedule(&core, Job::new(KIND, "a", at(0))).await;
    let (kind, mut runs) = reporting(|leased| {
        let stale = (leased.attempts < 10).then(stale);
        Ok(Outcome::done().with([effect()]).with(stale))
    });
    let running = Running::start(&core, JobSet::default().handle(kind));
    for attempt in 1..=9 {
        assert_eq!(seen(&mut runs).await, ("a".to_owned(), attempt));
    }
    until("the delay", async || due_at(&core, "a").await == Some(at(1))).await;
    core.clock.advance(Duration::from_secs(1));
    assert_eq!(seen(&mut runs).await, ("a".to_owned(), 10));
    running.stop().await;
    assert_eq!((effects(&core).await, due_at(&core, "a").await), (1, None));
}

#[tokio::test]
async fn a_job_that_fails_or_panics_is_delayed_longer_each_time_and_does_not_stop_the_others() {
    let core = in_memory();
    schedule(&core, Job::new(KIND, "panics", at(0))).await;
    schedule(&core, Job::new(KIND, "fails", at(1))).await;
    schedule(&core, Job::new(KIND, "works", at(2))).await;
    let (kind, mut runs) = reporting(|leased| match leased.job.subject.as_str() {
        "panics" => panic!("on purpose"),
        "fails" => Err(JobError::Failed("on purpose".to_owned())),
        _ => Ok(Outcome::done()),
    });
    core.clock.advance(Duration::from_secs(2));
    let running = Running::start(&core, JobSet::default().handle(kind));
    for subject in ["panics", "fails", "works"] {
        assert_eq!(seen(&mut runs).await, first(subject));
    }
    // The clock is at 2 s, so the first delay ends at 3 s, the second at 5 s, the third at 9 s.
    for (attempt, due) in [(2, 3), (3, 5), (4, 9)] {
        for subject in ["panics", "fails"] {
            until("the delay", async || due_at(&core, subject).await == Some(at(due))).await;
        }
        let now = core.clock.now();
        core.clock.freeze(Some(at(due)));
        assert!(now < core.clock.now());
        let both = [seen(&mut runs).await, seen(&mut runs).await];
        assert_eq!(both, ["panics", "fails"].map(|subject| (subject.to_owned(), attempt)));
    }
    running.stop().await;
}

#[tokio::test]
async fn a_handler_that_hangs_delays_no_other_kind_and_is_interrupted_when_the_server_stops() {
    let core = in_memory();
    let (kind, mut runs) = reporting(|_| Ok(Outcome::done()));
    let hanging = JobKind::new("hanging", |_, _| std::future::pending());
    schedule(&core, Job::new("hanging", "", at(0))).await;
    let running = Running::start(&core, JobSet::default().handle(hanging).handle(kind));
    until("it runs", async || core.store.next_job(0, vec!["hanging"]).await.unwrap().is_none()).await;
    schedule(&core, Job::new(KIND, "a", at(0))).await;
    assert_eq!(seen(&mut runs).await, first("a"));
    running.stop().await;
    let left = core.store.next_job(0, vec!["hanging"]).await.unwrap();
    assert_eq!(left, Some(at(0)), "its lease has ended, and the next start runs it");
}

#[tokio::test]
async fn only_so_many_jobs_of_a_kind_run_at_once() {
    let core = in_memory();
    for number in 0..10 {
        schedule(&core, Job::new(KIND, number.to_string(), at(0))).await;
    }
    let gate = Arc::new(Semaphore::new(0));
    let active = Arc::new(AtomicUsize::new(0));
    let (counts, mut counted) = mpsc::unbounded_channel();
    let kind = {
        let (gate, active) = (Arc::clone(&gate), Arc::clone(&active));
        JobKind::new(KIND, move |_, _| {
            let (gate, active, counts) = (Arc::clone(&gate), Arc::clone(&active), counts.clone());
            async move {
                counts.send(active.fetch_add(1, Ordering::SeqCst) + 1).unwrap();
                gate.acquire().await.unwrap().forget();
                active.fetch_sub(1, Ordering::SeqCst);
                Ok(Outcome::done())
            }
        })
    };
    let running = Running::start(&core, JobSet::default().handle(kind.at_once(3)));
    let mut most = 0;
    for run in 0..10 {
        if run >= 3 {
            gate.add_permits(1);
        }
        most = most.max(within("a run", counted.recv()).await.unwrap());
    }
    assert_eq!(most, 3);
    gate.add_permits(3);
    until("all are done", async || {
        core.store.next_job(0, vec![KIND]).await.unwrap().is_none() && active.load(Ordering::SeqCst) == 0
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn after_a_jump_of_a_month_a_repeated_job_runs_once() {
    let core = in_memory();
    let clock = core.clock.clone();
    let (kind, mut runs) =
        reporting(move |_| Ok(Outcome::again_at(clock.now().after(Duration::from_mins(1)))));
    let set = JobSet::default().handle(kind).standing(Job::new(KIND, "", at(60)));
    let running = Running::start(&core, set);
    until("it is scheduled", async || due_at(&core, "").await == Some(at(60))).await;
    let month: i64 = 31 * 24 * 3_600;
    core.clock.advance(Duration::from_secs(month.unsigned_abs()));
    assert_eq!(seen(&mut runs).await, first(""));
    until("the next time", async || due_at(&core, "").await == Some(at(month + 60))).await;
    core.clock.advance(Duration::from_mins(1));
    assert_eq!(seen(&mut runs).await, first(""), "the attempts of a run that succeeded are not counted");
    running.stop().await;
    assert!(runs.try_recv().is_err());
}

#[tokio::test]
async fn a_standing_job_keeps_its_time_over_a_restart_unless_an_earlier_one_is_set() {
    let folder = tempfile::tempdir().unwrap();
    // The time of the standing job at each start, and the time at which it is due then.
    for (standing, due) in [(3_600, 3_600), (5_400, 3_600), (60, 60)] {
        let core = in_file(folder.path());
        let (kind, mut runs) = reporting(|_| Ok(Outcome::done()));
        let set = JobSet::default().handle(kind).standing(Job::new(KIND, "", at(standing)));
        schedule(&core, Job::new(KIND, "marker", at(0))).await;
        let running = Running::start(&core, set);
        assert_eq!(
            seen(&mut runs).await,
            first("marker"),
            "a runner that works has scheduled its standing jobs"
        );
        assert_eq!(due_at(&core, "").await, Some(at(due)));
        running.stop().await;
    }
}

#[tokio::test]
async fn a_job_waits_no_longer_when_the_clock_is_set_back() {
    let core = in_memory();
    let (kind, mut runs) = reporting(|_| Ok(Outcome::done()));
    schedule(&core, Job::new(KIND, "marker", at(0))).await;
    schedule(&core, Job::new(KIND, "a", at(600))).await;
    let running = Running::start(&core, JobSet::default().handle(kind));
    assert_eq!(seen(&mut runs).await, first("marker"));
    let day = 24 * 3_600;
    core.clock.freeze(Some(at(-day)));
    until("it is due earlier", async || due_at(&core, "a").await == Some(at(600 - day))).await;
    core.clock.advance(Duration::from_mins(10));
    assert_eq!(seen(&mut runs).await, first("a"));
    running.stop().await;
}

#[tokio::test]
async fn jobs_of_a_kind_without_a_handler_stay() {
    let core = in_memory();
    schedule(&core, Job::new("unknown", "", at(0))).await;
    schedule(&core, Job::new(KIND, "a", at(0))).await;
    let (kind, mut runs) = reporting(|_| Ok(Outcome::done()));
    let running = Running::start(&core, JobSet::default().handle(kind));
    assert_eq!(seen(&mut runs).await, first("a"));
    running.stop().await;
    assert!(core.store.job("unknown", String::new()).await.unwrap().is_some());
    // Without any kind there is nothing to do.
    let (_stop, stopped) = watch::channel(false);
    within("an empty set", run(Arc::clone(&core), JobSet::default(), stopped)).await;
}
