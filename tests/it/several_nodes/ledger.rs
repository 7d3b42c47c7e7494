//! Writers at several servers that repeat each request with its idempotency key, at any of the servers, until it is
//! answered: what was acknowledged must be there, and what was repeated must have one effect.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::idempotency::door::{Door, didww, voipbin};
use crate::sip::edge::{Edge, until};
use crate::support::api::http_client;
use crate::support::world::credentials;

/// The admin of VoIPBIN's side that both servers know.
pub(super) const ADMIN: &str = "root:correct horse";
/// Number of writers for each server.
const WRITERS: usize = 2;
/// The longest time from the first attempt of a request to its answer.
const PATIENCE: Duration = Duration::from_mins(2);
/// The time between two attempts.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(40);

/// The records of which one was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Trunks of `/v3`.
    Trunk,
    /// Providers of `/v1.0`, whose names need not be unique: a second effect would be a second record.
    Provider,
}

/// Writers that work until they are stopped.
pub(super) struct Ledger {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// The acknowledged records: kind, name, and the id if a whole response arrived.
    acknowledged: Mutex<BTreeMap<(Kind, String), Option<String>>>,
    enough: AtomicBool,
    /// Answers that refused a request for now, and attempts without an answer.
    refused: AtomicUsize,
    unanswered: AtomicUsize,
    /// The longest time of one attempt, in milliseconds.
    longest: AtomicUsize,
}

/// A token of the admin.
pub(super) async fn admin_token(edge: &Edge) -> String {
    let root = edge.binary.base.trim_end_matches("/v3");
    let (username, password) = ADMIN.split_once(':').unwrap();
    let login = json!({ "username": username, "password": password }).to_string();
    let login = http_client().post(format!("{root}/auth/login")).body(login).send().await.unwrap();
    let login: Value = serde_json::from_str(&login.text().await.unwrap()).unwrap();
    login["token"].as_str().unwrap().to_owned()
}

/// The APIs of a server, for keyed requests.
async fn doors(edge: &Edge) -> [(Kind, Door); 2] {
    let root = edge.binary.base.trim_end_matches("/v3");
    let mut platform = voipbin(&format!("{root}/v1.0"), "");
    let cookie = format!("token={}", admin_token(edge).await);
    platform.headers.insert("cookie", cookie.parse().unwrap());
    [(Kind::Trunk, didww(&edge.binary.base, "good")), (Kind::Provider, platform)]
}

impl Ledger {
    /// Starts writers, each of which begins at one server and goes on at the next one when it has no answer.
    pub(super) async fn start(edges: &[&Edge]) -> Self {
        let mut all = Vec::new();
        for edge in edges {
            all.push(doors(edge).await);
        }
        let shared = Arc::new(Shared::default());
        let writers = (0..WRITERS * all.len()).map(|writer| {
            let (doors, shared) = (all.clone(), Arc::clone(&shared));
            tokio::spawn(async move {
                for number in 0.. {
                    if shared.enough.load(Ordering::SeqCst) {
                        return;
                    }
                    create(&doors, writer, number, &shared).await;
                }
            })
        });
        let writers = writers.collect();
        Self { shared, writers }
    }

    /// The number of acknowledged requests so far.
    pub(super) fn acknowledged(&self) -> usize {
        self.shared.acknowledged.lock().unwrap().len()
    }

    /// Waits until this many further requests are acknowledged.
    pub(super) async fn grows_by(&self, number: usize) {
        let before = self.acknowledged();
        let grown = async || (self.acknowledged() >= before + number).then_some(());
        until(&format!("{number} further requests are acknowledged"), grown).await;
    }

    /// The longest time until an attempt was answered or its connection ended.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_millis(self.shared.longest.load(Ordering::SeqCst) as u64)
    }

    /// Stops the writers when each has its last answer, and compares what was acknowledged with what `ask` returns for
    /// queries of the database: lines of names.
    pub(super) async fn compare(self, ask: impl Fn(&str) -> String) {
        self.shared.enough.store(true, Ordering::SeqCst);
        for writer in self.writers {
            writer.await.unwrap();
        }
        let acknowledged = self.shared.acknowledged.lock().unwrap();
        let trunks = "SELECT r.attributes::json ->> 'name', r.id FROM record r JOIN symbol s ON s.number = r.kind \
                      WHERE s.name = 'voice_out_trunks' AND r.attributes::json ->> 'name' LIKE 'written %'";
        let providers = "SELECT substring(body FROM '\"name\":\"(written [^\"]*)\"'), id FROM document \
                         WHERE NOT deleted AND body LIKE '%\"name\":\"written %'";
        for (kind, sql) in [(Kind::Trunk, trunks), (Kind::Provider, providers)] {
            let rows = ask(sql);
            let mut there: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (name, id) in rows.lines().map(|line| line.split_once('|').unwrap()) {
                there.entry(name).or_default().push(id);
            }
            let of_kind = acknowledged.iter().filter(|((of, _), _)| *of == kind);
            let mut count = 0;
            for ((_, name), id) in of_kind {
                count += 1;
                let found = there.get(name.as_str()).map_or(&[][..], Vec::as_slice);
                assert_eq!(
                    found.len(),
                    1,
                    "{kind:?} {name} was acknowledged once, and is there as {found:?}"
                );
                assert!(id.as_ref().is_none_or(|id| *id == found[0]), "{kind:?} {name}: {id:?}, {found:?}");
            }
            assert_eq!(there.len(), count, "every {kind:?} that is there was acknowledged in the end");
        }
        println!(
            "{} requests acknowledged, 0 lost, 0 done twice; {} attempts refused, {} without an answer, the longest one {:?}",
            acknowledged.len(),
            self.shared.refused.load(Ordering::SeqCst),
            self.shared.unanswered.load(Ordering::SeqCst),
            Duration::from_millis(self.shared.longest.load(Ordering::SeqCst) as u64),
        );
    }
}

/// Creates a record: sends the request again, with its key, until it is answered.
async fn create(doors: &[[(Kind, Door); 2]], writer: usize, number: usize, shared: &Shared) {
    let name = format!("written {writer}-{number}");
    let key = format!("\"{name}\"");
    let since = Instant::now();
    for attempt in 0.. {
        assert!(since.elapsed() < PATIENCE, "{name} has no answer after {attempt} attempts");
        let (kind, door) = &doors[(writer + attempt) % doors.len()][number % 2];
        let body = match kind {
            Kind::Trunk => credentials(&name),
            Kind::Provider => json!({ "hostname": "a.test", "name": name }),
        };
        let sent = Instant::now();
        let answer = door.try_post(&key, &body).await;
        let took = usize::try_from(sent.elapsed().as_millis()).unwrap();
        shared.longest.fetch_max(took, Ordering::SeqCst);
        let acknowledge = |id: Option<String>| {
            let before = shared.acknowledged.lock().unwrap().insert((*kind, name.clone()), id);
            assert_eq!(before, None);
        };
        match answer {
            Some(answer) if answer.status == door.created => {
                let document = answer.json();
                let id = document.pointer("/data/id").or_else(|| document.get("id"));
                return acknowledge(Some(id.unwrap().as_str().unwrap().to_owned()));
            }
            // It was carried out, and the answer was not stored.
            Some(answer) if answer.status == 409 && answer.body.contains("its response was not kept") => {
                return acknowledge(None);
            }
            // The first one is still in progress, or the database is away.
            Some(answer) if matches!(answer.status, 409 | 503) => {
                shared.refused.fetch_add(1, Ordering::SeqCst);
            }
            Some(answer) => panic!("{name}: {} {}", answer.status, answer.body),
            None => {
                shared.unanswered.fetch_add(1, Ordering::SeqCst);
            }
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
}
