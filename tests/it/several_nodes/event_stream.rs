//! Changes of a trunk, at each of several servers in turn: each is notified once at least, in the order of the changes,
//! and in time although the database fails over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::support::api::Api;
use crate::support::receiver::{Answer, Receiver};
use crate::support::world::update;

/// The secret that signs the callbacks, which the servers are configured with.
pub(super) const SECRET: &str = "cbsec-0123456789abcdef";
/// The longest time from the answer to a change to its callback, if the database fails over in between.
const NOTIFIED_WITHIN: Duration = Duration::from_mins(1);
/// The time after which a callback is lost, and not late.
const LOST_AFTER: Duration = Duration::from_mins(4);
/// The longest time from the first attempt of a change to its answer.
const PATIENCE: Duration = Duration::from_mins(2);
/// The time between two changes, and between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Changes that go on until they are stopped.
pub(super) struct EventStream {
    trunk: String,
    enough: Arc<AtomicBool>,
    changes: JoinHandle<()>,
    callbacks: JoinHandle<(usize, Duration)>,
}

impl EventStream {
    /// Starts to change the trunk with this id, which is active.
    pub(super) async fn start(servers: [Api; 2], trunk: &str) -> Self {
        let receiver = Receiver::start(Answer::Status(200)).await;
        let (answered, changed) = unbounded_channel();
        let enough = Arc::<AtomicBool>::default();
        let url = receiver.url("");
        let task = change(servers, trunk.to_owned(), url, Arc::clone(&enough), answered);
        Self {
            trunk: trunk.to_owned(),
            enough,
            changes: tokio::spawn(task),
            callbacks: tokio::spawn(receive(receiver, trunk.to_owned(), changed)),
        }
    }

    /// Ends the changes, and waits until all of them are notified. Returns their number, and the longest time to a
    /// callback. `ask` runs a query at the database, which shows in a failure what became of the events.
    pub(super) async fn end(self, ask: impl Fn(&str) -> String) -> (usize, Duration) {
        self.enough.store(true, Ordering::SeqCst);
        // The changes fail too when their callbacks do.
        let (changes, callbacks) = (self.changes.await, self.callbacks.await);
        if let (Ok(()), Ok(notified)) = (&changes, &callbacks) {
            return *notified;
        }
        for (what, select, of) in [
            (
                "the trunk",
                "revision, attributes::json->>'status', attributes::json->>'callback_url' FROM record",
                "id",
            ),
            ("its queue", "* FROM outbox_queue", "subject"),
            ("its events", "number, url, attempts, created_at, due_at FROM outbox", "subject"),
            ("the attempts", "at, url, events, attempt, status, error FROM delivery", "subject"),
        ] {
            let found = ask(&format!("SELECT {select} WHERE {of} = '{}' ORDER BY 1", self.trunk));
            println!("{what}:\n{found}");
        }
        panic!("{changes:?}; {callbacks:?}")
    }
}

/// Changes the trunk, and reports when each change was answered.
async fn change(
    servers: [Api; 2],
    trunk: String,
    url: String,
    enough: Arc<AtomicBool>,
    answered: UnboundedSender<Instant>,
) {
    let path = format!("/voice_out_trunks/{trunk}");
    for number in 1_usize.. {
        if enough.load(Ordering::SeqCst) {
            return;
        }
        // A change that is repeated because its outcome is unknown changes nothing if it was done.
        let status = if number % 2 == 1 { "blocked" } else { "active" };
        let attributes = json!({ "status": status, "callback_url": format!("{url}/{number}") });
        let (body, since) = (update("voice_out_trunks", &trunk, attributes), Instant::now());
        for attempt in 0.. {
            assert!(since.elapsed() < PATIENCE, "change {number} has no answer after {attempt} attempts");
            let answer = servers[(number + attempt) % servers.len()].patch(&path, &body).await;
            if answer.status == 200 {
                break;
            }
            assert!(matches!(answer.status, 409 | 503), "{}", answer.text);
            tokio::time::sleep(PAUSE).await;
        }
        answered.send(Instant::now()).unwrap();
        tokio::time::sleep(PAUSE).await;
    }
}

/// Receives the callback of each change that was answered.
async fn receive(
    mut receiver: Receiver,
    trunk: String,
    mut changed: UnboundedReceiver<Instant>,
) -> (usize, Duration) {
    let (mut last, mut longest) = (0, Duration::ZERO);
    while let Some(at) = changed.recv().await {
        loop {
            let number = number_of_next(&mut receiver, &trunk).await;
            if number == last + 1 {
                break;
            }
            assert_eq!(number, last, "change {} is the next one", last + 1);
        }
        last += 1;
        longest = longest.max(at.elapsed());
        assert!(longest < NOTIFIED_WITHIN, "change {last} is notified {longest:?} after its answer");
    }
    while receiver.untaken() > 0 {
        assert_eq!(number_of_next(&mut receiver, &trunk).await, last, "there was no later change");
    }
    (last, longest)
}

/// The number of the change of the next callback, which is signed and of the trunk alone.
async fn number_of_next(receiver: &mut Receiver, trunk: &str) -> usize {
    let callback = receiver.next_within(LOST_AFTER).await;
    let events = callback.verified(&receiver.url(&callback.path), SECRET);
    assert_eq!((events.len(), events[0].id.as_str()), (1, trunk));
    callback.path.trim_start_matches('/').parse().unwrap()
}
