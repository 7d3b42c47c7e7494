//! The calls that are up, and who must hear what comes for them.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use trunk_rules::carrier::Cause;
use uuid::Uuid;

use super::event::Event;
use super::facts::{Facts, Key};

/// A call that is up or being set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ActiveCall {
    /// Its id, which its record will have.
    pub id: Uuid,
    /// The trunk that it came in on.
    pub trunk_id: String,
    /// The trunk's name.
    pub trunk_name: String,
    /// The store's number of the account.
    #[serde(skip)]
    pub account: i64,
    /// The caller number that went on.
    pub src_number: String,
    /// What was dialled.
    pub dst_number: String,
    /// Where it came from.
    pub source: String,
    /// The dialog's `Call-ID`.
    pub call_id: String,
    /// When it came.
    pub time_start: Timestamp,
    /// When it was answered.
    pub time_connect: Option<Timestamp>,
}

impl ActiveCall {
    fn of(facts: &Facts) -> Self {
        let Facts { key, origin, trunk, dialled, cli, .. } = facts;
        Self {
            id: origin.id,
            trunk_id: trunk.id.to_string(),
            trunk_name: trunk.name.to_string(),
            account: facts.account(),
            src_number: cli.presented.clone(),
            dst_number: dialled.to_string(),
            source: format!("{}:{}", origin.source.ip(), origin.source.port()),
            call_id: key.call_id.to_string(),
            time_start: origin.started,
            time_connect: facts.connected(),
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    state: Mutex<HashSet<Entry>>,
    /// How many of them each source has.
    sources: Mutex<HashMap<IpAddr, usize>>,
    /// Those of them, and those calls and refusals whose records are still to be written.
    count: watch::Sender<usize>,
}

/// A call among the others, known by its dialog.
#[derive(Debug)]
struct Entry(Arc<Facts>);

impl Borrow<Key> for Entry {
    fn borrow(&self) -> &Key {
        &self.0.key
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Entry {}

/// A call's place among the active ones; it leaves when this is dropped, if not before.
pub(crate) struct Registered<'a> {
    counted: Counted<'a>,
    pub facts: Arc<Facts>,
}

/// Something that a server that stops waits for, until this is dropped.
pub(crate) struct Counted<'a>(&'a Calls);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| *count -= 1);
    }
}

impl Calls {
    pub(crate) fn register(&self, facts: Facts) -> Registered<'_> {
        let facts = Arc::new(facts);
        self.lock().replace(Entry(Arc::clone(&facts)));
        *self.sources().entry(facts.origin.source.ip()).or_default() += 1;
        Registered { counted: self.count_in(), facts }
    }

    /// Has a server that stops wait, for a record that is to be written.
    pub(crate) fn count_in(&self) -> Counted<'_> {
        self.count.send_modify(|count| *count += 1);
        Counted(self)
    }

    /// Whether there is such a call.
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.lock().contains(key)
    }

    /// Whether a call came from there.
    pub(crate) fn has_source(&self, source: IpAddr) -> bool {
        self.sources().contains_key(&source)
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Facts>> {
        self.lock().get(key).map(|entry| Arc::clone(&entry.0))
    }

    /// The caller numbers of some calls of a trunk.
    pub(crate) fn callers_on(&self, trunk: &str, most: usize) -> Vec<String> {
        let state = self.lock();
        let on_trunk = state.iter().filter(|Entry(facts)| facts.trunk.id.as_str() == trunk);
        on_trunk.take(most).map(|Entry(facts)| facts.cli.presented.clone()).collect()
    }

    /// All of them, oldest first.
    pub(crate) fn list(&self) -> Vec<ActiveCall> {
        let mut calls: Vec<ActiveCall> =
            self.lock().iter().map(|Entry(facts)| ActiveCall::of(facts)).collect();
        calls.sort_by_key(|call| (call.time_start, call.id));
        calls
    }

    /// Ends one call from our side; gives whether there was one.
    pub(crate) fn end(&self, id: Uuid) -> bool {
        let state = self.lock();
        let found = state.iter().find(|Entry(facts)| facts.origin.id == id);
        found.is_some_and(|Entry(facts)| facts.mailbox.put(Event::End).is_ok())
    }

    /// Ends those that a test finds, for a cause; returns how many.
    pub(crate) fn end_for(&self, cause: Cause, test: impl Fn(&Facts) -> bool) -> usize {
        let state = self.lock();
        let found = state.iter().filter(|Entry(facts)| test(facts));
        found.filter(|Entry(facts)| facts.mailbox.put(Event::EndFor(cause)).is_ok()).count()
    }

    pub(crate) fn end_all(&self) {
        for Entry(facts) in self.lock().iter() {
            // A call whose queue is full is ending, or floods itself and is dropped with the server.
            let _full = facts.mailbox.put(Event::End);
        }
    }

    pub(crate) async fn wait_until_empty(&self, most: Duration) {
        let mut count = self.count.subscribe();
        let _late = tokio::time::timeout(most, count.wait_for(|count| *count == 0)).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Entry>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered<'_> {
    /// The call is over: nothing comes for it any more. It counts until its record is written.
    pub(crate) fn leave(&self) {
        self.facts.mailbox.close();
        self.counted.0.lock().remove(&self.facts.key);
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.leave();
        let mut sources = self.counted.0.sources();
        let source = self.facts.origin.source.ip();
        if let Some(count) = sources.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                sources.remove(&source);
            }
        }
    }
}
