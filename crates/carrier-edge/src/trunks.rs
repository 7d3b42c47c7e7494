//! The trunks of all accounts in memory, in the form that the rules need. A reader first applies the writes that were
//! answered since the last one.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use didww_types::resources::{Did, VoiceOutTrunk};
use didww_types::{Id, Resource as _};
use trunk_rules::carrier::{AccountDids, Algorithm, DidFacts, TrunkIndex, TrunkLinks, TrunkTerms};
use trunk_store::{
    ChangeFeed, Changes, Committed, Follower, Interest, Records, StoreError, StoredRecord, for_each_page,
    for_each_record,
};
use uuid::Uuid;

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
    accounts: HashMap<i64, AccountState>,
    /// Accounts whose DIDs changed since the terms of their trunks were computed. The next reader computes
    /// them again, so that a thousand added DIDs cause one computation.
    stale: HashSet<i64>,
    /// The position in the store's change feed up to which writes are applied. Absent until the trunks are loaded.
    follower: Option<Follower>,
    /// True if changes were missed: the trunks must be loaded anew.
    must_load: bool,
    /// True if trunks may have been deleted since the edge last looked for their calls.
    has_deletions: bool,
    /// The stored trunks whose terms cannot be computed, with their accounts. They admit no calls, and keep those they have.
    unusable: HashMap<Uuid, i64>,
}

#[derive(Debug, Default)]
struct AccountState {
    /// The account as the terms of its trunks name it.
    name: Arc<str>,
    dids: HashMap<Uuid, DidFacts>,
    prepared: Arc<AccountDids>,
    /// The trunks that depend on DIDs, with the data from which their terms are computed.
    dependent: HashMap<Uuid, Dependent>,
}

impl AccountState {
    fn new(account: i64) -> Self {
        Self { name: account.to_string().into(), ..Self::default() }
    }
}

/// A trunk's attributes, its meta and its links.
type Dependent = (Arc<str>, Option<Arc<str>>, TrunkLinks);

impl State {
    /// Returns true if there is nothing to apply or compute before the trunks are read.
    fn is_current(&self) -> bool {
        self.stale.is_empty() && self.follower.as_ref().is_none_or(Follower::is_current)
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

    /// Loads all trunks and DIDs, and replaces the present ones. Later changes include the writes during the load. Each trunk
    /// is also passed to `visit`, because reading a million trunks twice would take seconds.
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
        self.recompute_stale(&mut state);
        let threads = self.threads_of_a_load();
        for_each_page(store, VoiceOutTrunk::SPEC, |page| {
            self.apply_trunks(&mut state, &page, threads);
            page.iter().for_each(&mut visit);
        })
        .await?;
        self.recompute_stale(&mut state);
        tracing::debug!(trunks = state.index.len(), "the trunks are loaded");
        let replaced = std::mem::replace(&mut *self.write(), state);
        // Freed without the lock, for which calls wait: with a million trunks this takes a large part of a second.
        drop(replaced);
        Ok(())
    }

    /// The number of threads that compute terms while all trunks are loaded: one for each processor at the start, but only
    /// one while calls are served.
    fn threads_of_a_load(&self) -> usize {
        let serves = !self.state.read().unwrap_or_else(PoisonError::into_inner).index.is_empty();
        if serves { 1 } else { std::thread::available_parallelism().map_or(1, NonZeroUsize::get) }
    }

    /// The current trunks, including every write that was answered before this call. Only if the edge fell behind the
    /// change feed, by thousands of writes that no call and no task of the edge could apply, they are those from before until
    /// [`load`](Self::load) has ended.
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
            Some(Changes::LoadAnew) => state.must_load = true,
            None => {}
        }
        self.recompute_stale(&mut state);
        state.must_load
    }

    /// Returns true if trunks may have been deleted since the last call of this function.
    pub(crate) fn take_deletions(&self) -> bool {
        std::mem::take(&mut self.write().has_deletions)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn recompute_stale(&self, state: &mut State) {
        for account in std::mem::take(&mut state.stale) {
            let Some(known) = state.accounts.get_mut(&account) else { continue };
            known.prepared = Arc::new(AccountDids::new(known.dids.values().cloned()));
            let dependent: Vec<_> = known.dependent.iter().map(|(id, from)| (*id, from.clone())).collect();
            for (id, (attributes, meta, links)) in dependent {
                let trunk = decode::<VoiceOutTrunk>(id, &attributes, meta.as_deref());
                let terms = self.terms(state.accounts.get(&account), trunk.as_ref(), &links);
                insert(state, account, id, terms);
            }
        }
    }

    fn apply(&self, state: &mut State, committed: &Committed) {
        match committed {
            Committed::Stored(stored) => self.apply_stored(state, stored),
            Committed::Deleted { account, kind, id } => {
                if let Some(known) = state.accounts.get_mut(account) {
                    known.dependent.remove(id);
                    if *kind == "dids" && known.dids.remove(id).is_some() {
                        state.stale.insert(*account);
                    }
                }
                if *kind == "voice_out_trunks" {
                    state.has_deletions = true;
                    state.unusable.remove(id);
                    state.index.remove(&wire_id(*id));
                }
            }
            Committed::Reset { account: None, .. } => {
                let (follower, must_load) = (state.follower.take(), state.must_load);
                *state = State { follower, must_load, has_deletions: true, ..State::default() };
            }
            Committed::Reset { account: Some(account), .. } => {
                let name = account.to_string();
                for id in state.index.ids_of(&name) {
                    state.index.remove(&id);
                }
                state.has_deletions = true;
                state.unusable.retain(|_, owner| owner != account);
                state.accounts.remove(account);
            }
            _ => {}
        }
    }

    fn apply_stored(&self, state: &mut State, stored: &StoredRecord) {
        let StoredRecord { account, record, .. } = stored;
        match record.kind {
            "dids" => {
                if let Some(did) = decode::<Did>(record.id, &record.attributes, None) {
                    state
                        .accounts
                        .entry(*account)
                        .or_insert_with(|| AccountState::new(*account))
                        .dids
                        .insert(record.id, DidFacts::of(&did, true));
                    state.stale.insert(*account);
                }
            }
            "voice_out_trunks" => self.apply_trunks(state, std::slice::from_ref(stored), 1),
            _ => {}
        }
    }

    /// Applies a write that came from no store.
    #[cfg(test)]
    pub(crate) fn insert_stored(&self, stored: &StoredRecord) {
        self.apply_stored(&mut self.write(), stored);
    }

    /// Applies trunks. Up to `threads` threads compute their terms, which takes longest.
    fn apply_trunks(&self, state: &mut State, page: &[StoredRecord], threads: usize) {
        for StoredRecord { account, .. } in page {
            state.accounts.entry(*account).or_insert_with(|| AccountState::new(*account));
        }
        for Prepared { account, id, dependent, terms } in self.prepare(&state.accounts, page, threads) {
            if let Some(known) = state.accounts.get_mut(&account) {
                match dependent {
                    Some(dependent) => drop(known.dependent.insert(id, dependent)),
                    None => drop(known.dependent.remove(&id)),
                }
            }
            insert(state, account, id, terms);
        }
    }

    /// Computes the terms of trunks, in their order.
    fn prepare(
        &self,
        accounts: &HashMap<i64, AccountState>,
        page: &[StoredRecord],
        threads: usize,
    ) -> Vec<Prepared> {
        let compute = |part: &[StoredRecord]| -> Vec<Prepared> {
            part.iter().map(|stored| self.prepare_one(accounts, stored)).collect()
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

    fn prepare_one(&self, accounts: &HashMap<i64, AccountState>, stored: &StoredRecord) -> Prepared {
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
        let takes_all =
            |trunk: &VoiceOutTrunk| trunk.allow_any_did_as_cli || trunk.emergency_enable_all == Some(true);
        let depends = links != TrunkLinks::default() || trunk.as_ref().is_some_and(takes_all);
        let terms = self.terms(accounts.get(account), trunk.as_ref(), &links);
        let dependent: Option<Dependent> = depends
            .then(|| (record.attributes.as_str().into(), record.meta.as_deref().map(Into::into), links));
        Prepared { account: *account, id: record.id, dependent, terms }
    }

    /// Computes the terms of a trunk of an account. The trunk is `None` if its record cannot be read.
    fn terms(
        &self,
        known: Option<&AccountState>,
        trunk: Option<&VoiceOutTrunk>,
        links: &TrunkLinks,
    ) -> Result<TrunkTerms, String> {
        let known = known.ok_or("its account is not known")?;
        let trunk = trunk.ok_or("its record cannot be read")?;
        let digests = (self.realm.as_str(), self.algorithms.as_slice());
        TrunkTerms::for_digests(trunk, links, Arc::clone(&known.name), &known.prepared, digests)
            .map_err(|error| error.to_string())
    }
}

/// A trunk whose terms are computed.
struct Prepared {
    account: i64,
    id: Uuid,
    /// The data from which its terms are computed, if they depend on DIDs.
    dependent: Option<Dependent>,
    terms: Result<TrunkTerms, String>,
}

fn insert(state: &mut State, account: i64, id: Uuid, terms: Result<TrunkTerms, String>) {
    let inserted = terms.and_then(|terms| state.index.insert(terms).map_err(|error| error.to_string()));
    if let Err(error) = inserted {
        // A trunk whose terms cannot be computed admits no calls, rather than the wrong ones.
        tracing::error!(trunk = %id, error, "a trunk admits no calls: its terms cannot be computed");
        state.index.remove(&wire_id(id));
        state.unusable.insert(id, account);
    } else {
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
