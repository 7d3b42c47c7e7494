//! The real binary is killed while it places calls. After the next start every record has its calls, every
//! call has ended and belongs to a record, and the webhook receiver is notified of each end. On each engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;
use voipbin_client::Client;
use voipbin_client::types::{Address, Call, CallStatus, EventKind, Provider, ProviderCallCreate};

use super::durable::{Durable, EDGE};
use super::stage::*;
use crate::sip::edge::until;
use crate::support::place::Place;
use crate::support::receiver::{Answer, Receiver};

/// The time within which the calls of a killed server are marked as ended by the next one on a shared database: 14
/// seconds until it is declared dead, 10 until the next search for its calls, and the writes, 50 calls in each.
const ENDED_WITHIN: Duration = Duration::from_secs(40);

/// The outcome of the calls, as the receiver was notified.
#[derive(Default)]
pub(super) struct Heard {
    ends: BTreeSet<Uuid>,
    last: BTreeMap<Uuid, CallStatus>,
}

impl Heard {
    /// Receives events until each of these calls has ended. An event that arrives twice, because its answer
    /// was cut off, is fine.
    pub(super) async fn ends_of(&mut self, calls: &BTreeSet<Uuid>, hooks: &mut Receiver) {
        while !calls.is_subset(&self.ends) {
            let (kind, call) = webhook_event(&hooks.next().await);
            if kind == EventKind::CallHangup {
                assert!(call.hangup_reason.is_some() && call.tm_hangup.is_some(), "{call:?}");
                self.ends.insert(call.id);
            } else {
                assert!(!self.ends.contains(&call.id), "{kind} came after the end of {call:?}");
            }
            self.last.insert(call.id, call.status);
        }
    }
}

/// The nodes of a database of PostgreSQL, with the number of their calls that are live.
const NODES: &str = "SELECT concat_ws(' ', 'node', coalesce(n.number, c.node), 'beats', n.beats, 'last', \
     to_timestamp(n.beat_at / 1000.0), 'heir', n.heir, 'removed', n.removed, 'live calls', coalesce(c.calls, 0), \
     'now', now()) \
     FROM node n FULL JOIN (SELECT (body::json -> 'own' ->> 'node')::bigint AS node, count(*) AS calls \
         FROM document WHERE kind = 9 AND live GROUP BY 1) c ON c.node = n.number ORDER BY n.number";

/// Maximum number of calls that a failure names.
const MAX_NAMED: usize = 20;

/// The number of live calls.
const LIVE: &str = "SELECT count(*) FROM document WHERE kind = 9 AND live";

/// Waits until every call has ended. A failure names those that have not, and the nodes.
pub(super) async fn all_end(platform: &Client, place: &Place) {
    // A list of thousands of calls, again and again, would take the processor that their ends need.
    let all = async {
        while place.ask(LIVE) != ["0"] {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let is_in_time = tokio::time::timeout(ENDED_WITHIN, all).await.is_ok();
    let mut live = platform.calls().list().all().await.unwrap();
    live.retain(|call| call.status != CallStatus::Hangup);
    if is_in_time && live.is_empty() {
        return;
    }
    let named: Vec<String> = live.iter().take(MAX_NAMED).map(described).collect();
    let nodes = if place.is_file() { Vec::new() } else { place.ask(NODES) };
    panic!(
        "{} calls of killed servers have not ended after {ENDED_WITHIN:?}:\n{}\n{}",
        live.len(),
        named.join("\n"),
        nodes.join("\n")
    );
}

fn described(call: &Call) -> String {
    let Call { id, status, tm_create, tm_progressing, tm_update, .. } = call;
    format!("{id} {status}: created {tm_create:?}, progressing {tm_progressing:?}, updated {tm_update:?}")
}

/// Checks that every record has its calls, and every call a record and an end. Returns the ids of the calls.
pub(super) async fn nothing_dangles(
    platform: &Client,
    acknowledged: &BTreeMap<Uuid, Vec<Uuid>>,
) -> BTreeSet<Uuid> {
    let records = platform.provider_calls().list().all().await.unwrap();
    let placed: BTreeMap<Uuid, Vec<Uuid>> =
        records.into_iter().map(|record| (record.id, record.call_ids)).collect();
    for (record, calls) in acknowledged {
        assert_eq!(placed.get(record), Some(calls), "a record that was acknowledged is there");
    }
    let mut of_records = BTreeSet::new();
    for id in placed.values().flatten() {
        let call = platform.calls().get(*id).await.unwrap();
        assert_eq!(call.status, CallStatus::Hangup, "{call:?}");
        assert!(call.hangup_reason.is_some() && call.hangup_by.is_some() && call.tm_hangup.is_some());
        assert!(of_records.insert(*id), "a call is one record's");
    }
    let calls: BTreeSet<Uuid> =
        platform.calls().list().all().await.unwrap().into_iter().map(|call| call.id).collect();
    assert_eq!(calls, of_records, "every call is some record's");
    calls
}

/// A body with three numbers that answer after a moment and stay up.
pub(super) fn three(provider: &Provider) -> ProviderCallCreate {
    let destinations = [GB, "+12025550187", "+442079460019"].map(Address::tel).to_vec();
    ProviderCallCreate { destinations, ..long_call(provider) }
}

#[tokio::test]
async fn after_a_kill_right_after_the_answer_calls_have_ended_and_their_ends_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut hooks = Receiver::start(Answer::Status(200)).await;
    let mut server = Durable::start(folder.path(), EDGE).await;
    server.ready(&hooks).await;
    let provider = server.provider().await;
    let (mut acknowledged, mut heard) = (BTreeMap::new(), Heard::default());
    for _ in 0..4 {
        let placed = server.platform.provider_calls().create(three(&provider)).await.unwrap();
        server.binary.kill();
        acknowledged.insert(placed.id, placed.call_ids);
        server = Durable::start(folder.path(), EDGE).await;
        let calls = nothing_dangles(&server.platform, &acknowledged).await;
        heard.ends_of(&calls, &mut hooks).await;
    }
    assert_eq!(heard.ends.len(), 12);
    assert_eq!(server.binary.terminate(), Some(0));
}

#[tokio::test]
async fn a_kill_while_calls_are_up_ends_them_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut hooks = Receiver::start(Answer::Status(200)).await;
    let server = Durable::start(folder.path(), EDGE).await;
    server.ready(&hooks).await;
    let provider = server.provider().await;
    let placed = server.platform.provider_calls().create(three(&provider)).await.unwrap();
    until("the calls are up", async || {
        for id in &placed.call_ids {
            if server.platform.calls().get(*id).await.unwrap().status != CallStatus::Progressing {
                return None;
            }
        }
        Some(())
    })
    .await;
    server.binary.kill();
    let server = Durable::start(folder.path(), EDGE).await;
    let acknowledged = BTreeMap::from([(placed.id, placed.call_ids)]);
    let calls = nothing_dangles(&server.platform, &acknowledged).await;
    for id in &calls {
        let call = server.platform.calls().get(*id).await.unwrap();
        assert_eq!(hangup_of(&call), hangup("normal", "remote"));
        assert!(call.tm_progressing.is_some() && call.tm_hangup > call.tm_progressing);
        // The call has ended: hanging up again changes nothing.
        assert_eq!(server.platform.calls().hangup(*id).await.unwrap(), call);
    }
    Heard::default().ends_of(&calls, &mut hooks).await;
    // The provider's credentials survived the kill: calls through it still work.
    let placed = server.platform.provider_calls().create(short_call(&provider)).await.unwrap();
    let call =
        server.platform.calls().wait_until_hung_up(placed.call_ids[0], crate::sip::edge::DEADLINE).await;
    assert_eq!(hangup_of(&call.unwrap()), hangup("normal", "local"));
    assert_eq!(server.binary.terminate(), Some(0));
}

const WRITERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_calls_and_their_record_leaves_both_or_neither() {
    both_or_neither(&Place::file(), &[1, 7, 18]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_calls_and_their_record_leaves_both_or_neither_on_postgresql() {
    both_or_neither(&Place::postgres(), &[7]).await;
}

async fn both_or_neither(place: &Place, answers_before_kills: &[usize]) {
    let mut hooks = Receiver::start(Answer::Status(200)).await;
    let mut server = Durable::start_at(&place.url(), place.folder(), EDGE).await;
    server.ready(&hooks).await;
    let provider = server.provider().await;
    let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
    let mut heard = Heard::default();
    for kill_after in answers_before_kills.iter().copied() {
        let answered = Arc::new(AtomicUsize::new(0));
        let (reached, mut progress) = watch::channel(false);
        let reached = Arc::new(reached);
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let (platform, body) = (server.platform.clone(), three(&provider));
                let (acknowledged, answered) = (Arc::clone(&acknowledged), Arc::clone(&answered));
                let reached = Arc::clone(&reached);
                tokio::spawn(async move {
                    // The writer stops at the first missing answer.
                    while let Ok(placed) = platform.provider_calls().create(body.clone()).await {
                        acknowledged.lock().unwrap().insert(placed.id, placed.call_ids);
                        if answered.fetch_add(1, Ordering::SeqCst) + 1 == kill_after {
                            reached.send_replace(true);
                        }
                    }
                })
            })
            .collect();
        progress.wait_for(|reached| *reached).await.unwrap();
        server.binary.kill();
        for writer in writers {
            writer.await.unwrap();
        }
        server = Durable::start_at(&place.url(), place.folder(), EDGE).await;
        if !place.is_file() {
            all_end(&server.platform, place).await;
        }
        let acknowledged = acknowledged.lock().unwrap().clone();
        let calls = nothing_dangles(&server.platform, &acknowledged).await;
        heard.ends_of(&calls, &mut hooks).await;
    }
    assert_eq!(server.binary.terminate(), Some(0));
}
