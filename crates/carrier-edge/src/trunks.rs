//! The trunks of all accounts in memory, in the form that the rules need. A reader first applies the writes that were
//! answered since the last one.

mod waiting;
mod written;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use didww_types::resources::{Did, VoiceOutTrunk, VoiceOutTrunkMeta};
use didww_types::{Id, Resource as _};
use trunk_rules::carrier::{Algorithm, DidFacts, TrunkIndex, TrunkLinks, TrunkTerms};
use trunk_store::{
    ChangeFeed, Changes, Committed, Follower, Interest, Records, StoreError, StoredRecord, for_each_page,
    for_each_record,
};
use uuid::Uuid;

use self::waiting::Waiting;
use self::written::Written;

/// The least number of trunks for which starting a thread saves time.
const MIN_TRUNKS_PER_THREAD: usize = 64;

/// The trunks, and the DIDs that their rules depend on.
#[derive(Debug)]
pub(crate) struct Trunks {
    realm: String,
    /// The digest algorithms under which passwords are hashed.
    algorithms: Vec<Algorithm>,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub index: TrunkIndex,
    /// The accounts as the terms of their trunks name them.
    names: HashMap<i64, Arc<str>>,
    /// The trunks whose terms are computed again once a DID is known.
    waiting: Waiting,
    /// The sources of the terms of those trunks whose spending was written since the trunks were loaded.
    written: Written,
    /// The position in the store's change feed up to which writes are applied. Absent until the trunks are loaded.
    follower: Option<Follower>,
    /// True if changes were missed: the trunks must be reloaded.
    must_load: bool,
    /// True if trunks may have been deleted since the edge last looked for their calls.
    has_deletions: bool,
    /// The stored trunks whose terms cannot be computed, with their accounts. They admit no calls, and keep those they
    /// have.
    unusable: HashMap<Uuid, i64>,
}

impl State {
    /// Returns true if there is nothing to apply before the trunks are read.
    fn is_current(&self) -> bool {
        self.follower.as_ref().is_none_or(Follower::is_current)
    }

    /// The name of an account.
    fn name(&mut self, account: i64) -> Arc<str> {
        Arc::clone(self.names.entry(account).or_insert_with(|| account.to_string().into()))
    }

    /// Whether the trunk exists, even if it admits no calls.
    pub(crate) fn has(&self, id: &Id<VoiceOutTrunk>) -> bool {
        let is_unusable = || Uuid::parse_str(id.as_str()).is_ok_and(|id| self.unusable.contains_key(&id));
        self.index.get(id).is_some() || is_unusable()
    }
}

impl Trunks {
    pub(crate) fn new(realm: String, algorithms: Vec<Algorithm>) -> Self {
        Self { realm, algorithms, state: RwLock::default() }
    }

    /// Loads all trunks and DIDs, and replaces the present ones. Later changes include the writes during the load. Each
    /// trunk is also passed to `visit`, because reading a million trunks twice would take seconds.
    ///
    /// # Errors
    /// If the store cannot be read. The present trunks remain.
    pub(crate) async fn load(
        &self,
        store: &(impl Records + ChangeFeed + ?Sized),
        mut visit: impl FnMut(&StoredRecord) + Send,
    ) -> Result<(), StoreError> {
        let follower = Some(store.follow(Interest::Everything));
        // The applied changes do not contain the deletions during the load.
        let mut state = State { follower, has_deletions: true, ..State::default() };
        for_each_record(store, Did::SPEC, |stored| self.apply_stored(&mut state, &stored)).await?;
        // Counted for the first trunks: the control groups of the process have to be read for it.
        let mut threads: Option<usize> = None;
        for_each_page(store, VoiceOutTrunk::SPEC, |page| {
            let threads = *threads.get_or_insert_with(|| self.threads_of_a_load());
            self.apply_trunks(&mut state, &page, threads);
            page.iter().for_each(&mut visit);
        })
        .await?;
        tracing::debug!(trunks = state.index.len(), "the trunks are loaded");
        let replaced = std::mem::replace(&mut *self.write(), state);
        // Freed without the lock, for which calls wait: with a million trunks this takes a large part of a second.
        drop(replaced);
        Ok(())
    }

    /// The number of threads that compute terms while all trunks are loaded: one for each processor at the start, but
    /// only one while calls are served.
    fn threads_of_a_load(&self) -> usize {
        let serves = !self.state.read().unwrap_or_else(PoisonError::into_inner).index.is_empty();
        if serves { 1 } else { std::thread::available_parallelism().map_or(1, NonZeroUsize::get) }
    }

    /// The current trunks, including every write that was answered before this call. If the edge fell behind the change
    /// feed, by thousands of writes that no call and no task of the edge could apply, these are the previous trunks
    /// until [`load`](Self::load) has ended.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if state.is_current() {
            return state;
        }
        drop(state);
        self.catch_up();
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies the writes since the last use. Returns true if some were missed: the caller must [load](Self::load).
    pub(crate) fn catch_up(&self) -> bool {
        let mut state = self.write();
        match state.follower.as_mut().map(Follower::changes) {
            Some(Changes::Since(writes)) => {
                writes
                    .iter()
                    .flat_map(|write| write.iter())
                    .for_each(|effect| self.apply(&mut state, effect));
            }
            Some(Changes::Reload) => state.must_load = true,
            None => {}
        }
        state.must_load
    }

    /// Returns true if trunks may have been deleted since the last call of this function.
    pub(crate) fn take_deletions(&self) -> bool {
        std::mem::take(&mut self.write().has_deletions)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, state: &mut State, committed: &Committed) {
        match committed {
            Committed::Stored(stored) => self.apply_stored(state, stored),
            Committed::Deleted { account, kind, id } => {
                if *kind == "dids"
                    && let Some(name) = state.names.get(account)
                {
                    state.index.dids_mut(name).remove(&wire_id(*id));
                }
                if *kind == "voice_out_trunks" {
                    state.has_deletions = true;
                    state.unusable.remove(id);
                    state.waiting.remove(*id);
                    state.written.forget(*id);
                    state.index.remove(&wire_id(*id));
                }
            }
            Committed::Reset { account: None, .. } => {
                let (follower, must_load) = (state.follower.take(), state.must_load);
                *state = State { follower, must_load, has_deletions: true, ..State::default() };
            }
            Committed::Reset { account: Some(account), .. } => {
                state.index.remove_account(&account.to_string());
                state.has_deletions = true;
                state.unusable.retain(|_, owner| owner != account);
                state.waiting.remove_account(*account);
                state.written.clear();
                state.names.remove(account);
            }
            _ => {}
        }
    }

    fn apply_stored(&self, state: &mut State, stored: &StoredRecord) {
        let StoredRecord { account, record, .. } = stored;
        match record.kind {
            "dids" => {
                let Some(did) = decode::<Did>(record.id, &record.attributes, None) else { return };
                let name = state.name(*account);
                if state.index.dids_mut(&name).set(&DidFacts::of(&did, true)) {
                    for waited in state.waiting.take(&did.id) {
                        self.apply_trunks(state, std::slice::from_ref(&waited), 1);
                    }
                }
            }
            "voice_out_trunks" => {
                let removed = state.names.get(account).map_or(0, |name| state.index.dids(name).removed());
                let source = state.written.source(stored, removed);
                if Self::apply_spending(state, stored, source) {
                    return;
                }
                self.apply_trunks(state, std::slice::from_ref(stored), 1);
                // A trunk without meta has never had spending.
                if record.meta.is_some() {
                    state.written.note(record.id, source);
                }
            }
            _ => {}
        }
    }

    /// Applies a write of a trunk that changes nothing but what it spent. Returns false if it may change more, and
    /// nothing is applied then.
    fn apply_spending(state: &mut State, stored: &StoredRecord, source: u64) -> bool {
        let record = &stored.record;
        let Some(meta) = record.meta.as_deref().filter(|_| state.written.is(record.id, source)) else {
            return false;
        };
        // A trunk that waits is applied again as it was stored last.
        !state.waiting.has(record.id)
            && serde_json::from_str::<VoiceOutTrunkMeta>(meta)
                .is_ok_and(|meta| state.index.set_spent(&wire_id(record.id), meta.spent_amount))
    }

    /// Applies a write that came from no store.
    #[cfg(test)]
    pub(crate) fn insert_stored(&self, stored: &StoredRecord) {
        self.apply_stored(&mut self.write(), stored);
    }

    /// Applies trunks. Up to `threads` threads compute their terms, which takes longest.
    fn apply_trunks(&self, state: &mut State, page: &[StoredRecord], threads: usize) {
        for of_account in page.chunk_by(|one, next| one.account == next.account) {
            if let Some(first) = of_account.first() {
                state.name(first.account);
            }
        }
        let prepared = self.prepare(state, page, threads);
        for (stored, Prepared { unknown, terms }) in page.iter().zip(prepared) {
            state.waiting.set(stored, unknown);
            insert(state, stored.account, stored.record.id, terms);
        }
    }

    /// Computes the terms of trunks, in their order.
    fn prepare(&self, state: &State, page: &[StoredRecord], threads: usize) -> Vec<Prepared> {
        let compute = |part: &[StoredRecord]| -> Vec<Prepared> {
            part.iter().map(|stored| self.prepare_one(state, stored)).collect()
        };
        let size = page.len().div_ceil(threads.max(1)).max(MIN_TRUNKS_PER_THREAD);
        std::thread::scope(|scope| {
            let mut parts = page.chunks(size);
            let own = parts.next().unwrap_or_default();
            let begun: Vec<_> = parts
                .map(|part| {
                    let begun = std::thread::Builder::new().spawn_scoped(scope, move || compute(part));
                    (part, begun)
                })
                .collect();
            let mut prepared = compute(own);
            for (part, begun) in begun {
                // If a thread could not be started, or failed, its trunks are computed here.
                let computed = begun.ok().and_then(|thread| thread.join().ok());
                prepared.extend(computed.unwrap_or_else(|| compute(part)));
            }
            prepared
        })
    }

    fn prepare_one(&self, state: &State, stored: &StoredRecord) -> Prepared {
        let StoredRecord { account, record, links } = stored;
        let of = |name: &str| -> Vec<Id<Did>> {
            let found = links.iter().find(|(relationship, _)| *relationship == name);
            found.map(|(_, ids)| ids.iter().map(|id| wire_id(*id)).collect()).unwrap_or_default()
        };
        let links = TrunkLinks {
            dids: of("dids"),
            default_did: of("default_did").into_iter().next(),
            emergency_dids: of("emergency_dids"),
        };
        let trunk = decode::<VoiceOutTrunk>(record.id, &record.attributes, record.meta.as_deref());
        let Some(name) = state.names.get(account) else {
            return Prepared { unknown: Vec::new(), terms: Err("its account is not known".to_owned()) };
        };
        let dids = state.index.dids(name);
        let Some(trunk) = trunk else {
            return Prepared { unknown: Vec::new(), terms: Err("its record cannot be read".to_owned()) };
        };
        let digests = (self.realm.as_str(), self.algorithms.as_slice());
        let terms = TrunkTerms::for_digests(&trunk, &links, Arc::clone(name), dids, digests);
        Prepared {
            unknown: links.unknown(dids).cloned().collect(),
            terms: terms.map_err(|error| error.to_string()),
        }
    }
}

/// A trunk whose terms are computed.
struct Prepared {
    /// The DIDs that it is linked to and that are not known.
    unknown: Vec<Id<Did>>,
    terms: Result<TrunkTerms, String>,
}

fn insert(state: &mut State, account: i64, id: Uuid, terms: Result<TrunkTerms, String>) {
    let inserted = terms.and_then(|terms| state.index.insert(terms).map_err(|error| error.to_string()));
    if let Err(error) = inserted {
        // A trunk whose terms cannot be computed admits no calls, rather than the wrong ones.
        tracing::error!(trunk = %id, error, "a trunk admits no calls: its terms cannot be computed");
        state.index.remove(&wire_id(id));
        state.unusable.insert(id, account);
    } else if !state.unusable.is_empty() {
        state.unusable.remove(&id);
    }
}

/// Reads a record from its texts, without a tree of values in between.
fn decode<R: didww_types::Resource>(id: Uuid, attributes: &str, meta: Option<&str>) -> Option<R> {
    R::from_texts(wire_id(id), attributes, meta)
        .inspect_err(|error| tracing::error!(kind = R::SPEC.name, %id, %error, "a record cannot be read"))
        .ok()
}

/// The id of a record in the form that its terms contain.
fn wire_id<R>(id: Uuid) -> Id<R> {
    let mut text = Uuid::encode_buffer();
    Id::new(&*id.hyphenated().encode_lower(&mut text))
}

#[cfg(test)]
mod tests;
