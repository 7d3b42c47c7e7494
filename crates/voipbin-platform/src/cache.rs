//! A cache of providers and outbound configs: every call needs them, and they seldom change.
//!
//! An entry is removed when the store's change feed names its record. The cache is bounded: a full one is emptied.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
use trunk_store::{ChangeFeed, Changes, Committed, DocumentKind, Documents, Follower, Interest, StoreError};
use uuid::Uuid;

use crate::entity::{Entity, Kind};
use crate::records::outbound_configs::{self, OutboundConfigs};
use crate::records::providers::Providers;

/// Maximum number of records of one kind in the cache. Before another one is added, all are removed.
const MAX_ENTRIES: usize = 1_024;

/// The cached records of one kind.
struct Cache<K: Kind>(Mutex<Entries<K>>);

struct Entries<K: Kind> {
    /// How often a record was invalidated. A record whose read began before an invalidation is not cached.
    invalidations: u64,
    by_key: HashMap<Uuid, Arc<Entity<K>>>,
}

impl<K: Kind> Default for Cache<K> {
    fn default() -> Self {
        Self(Mutex::new(Entries { invalidations: 0, by_key: HashMap::new() }))
    }
}

impl<K: Kind> Cache<K> {
    /// The cached record with this key, or the result of `read`, which is cached. Absence is not cached. `catch_up`
    /// applies the changes of the store so far.
    async fn get(
        &self,
        key: Uuid,
        catch_up: impl Fn(),
        read: impl Future<Output = Result<Option<Entity<K>>, StoreError>>,
    ) -> Result<Option<Arc<Entity<K>>>, StoreError> {
        catch_up();
        let before = {
            let entries = self.lock();
            if let Some(entity) = entries.by_key.get(&key) {
                return Ok(Some(Arc::clone(entity)));
            }
            entries.invalidations
        };
        let Some(entity) = read.await?.map(Arc::new) else { return Ok(None) };
        catch_up();
        let mut entries = self.lock();
        if entries.invalidations == before {
            if entries.by_key.len() >= MAX_ENTRIES {
                entries.by_key.clear();
            }
            entries.by_key.insert(key, Arc::clone(&entity));
        }
        drop(entries);
        Ok(Some(entity))
    }

    fn invalidate(&self, key: Uuid) {
        let mut entries = self.lock();
        entries.invalidations += 1;
        entries.by_key.remove(&key);
    }

    fn invalidate_all(&self) {
        let mut entries = self.lock();
        entries.invalidations += 1;
        entries.by_key.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cached providers and outbound configs, up to a position in the store's change feed.
pub(crate) struct EntityCache {
    follower: Mutex<Follower>,
    /// The providers, by their ids.
    providers: Cache<Providers>,
    /// The outbound configs, by the ids of their customers.
    configs: Cache<OutboundConfigs>,
}

impl EntityCache {
    /// Creates an empty cache, which must read from this store alone.
    pub(crate) fn following(store: &(impl ChangeFeed + ?Sized)) -> Self {
        Self {
            follower: Mutex::new(store.follow(Interest::AllButRecords)),
            providers: Cache::default(),
            configs: Cache::default(),
        }
    }

    /// The provider with an id, deleted or not.
    pub(crate) async fn provider(
        &self,
        store: &dyn Documents,
        id: Uuid,
    ) -> Result<Option<Arc<Entity<Providers>>>, StoreError> {
        self.providers.get(id, || self.catch_up(), Entity::find(store, id)).await
    }

    /// The outbound config of a customer, unless it is deleted.
    pub(crate) async fn config(
        &self,
        store: &dyn Documents,
        customer: Uuid,
    ) -> Result<Option<Arc<Entity<OutboundConfigs>>>, StoreError> {
        self.configs.get(customer, || self.catch_up(), outbound_configs::of_customer(store, customer)).await
    }

    /// Removes the records that were changed since the last use.
    fn catch_up(&self) {
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        if follower.is_current() {
            return;
        }
        // The lock is held until the changes are applied, so that they are applied whenever the follower is found
        // current.
        match follower.changes() {
            Changes::Since(writes) => {
                writes.iter().flat_map(|write| write.iter()).for_each(|effect| self.apply(effect));
            }
            Changes::Reload => self.invalidate_all(),
        }
    }

    fn apply(&self, committed: &Committed) {
        match committed {
            Committed::Document { kind: DocumentKind::Provider, id, .. } => self.providers.invalidate(*id),
            Committed::Document { kind: DocumentKind::OutboundConfig, customer, .. } => {
                self.configs.invalidate(*customer);
            }
            Committed::Reset { account: None, .. } => self.invalidate_all(),
            _ => {}
        }
    }

    fn invalidate_all(&self) {
        self.providers.invalidate_all();
        self.configs.invalidate_all();
    }

    /// Applies changes while no call uses the cache, so that the store need not keep them for it. Ends with the cache.
    /// `wakes` are those of the store.
    pub(crate) async fn catch_up_while_idle(cache: Weak<Self>, mut wakes: watch::Receiver<u64>) {
        while wakes.changed().await.is_ok() {
            let Some(cache) = cache.upgrade() else { return };
            cache.catch_up();
        }
    }
}

impl std::fmt::Debug for EntityCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EntityCache")
    }
}

#[cfg(test)]
mod tests {
    use trunk_store::{SqliteStore, Writes as _};
    use voipbin_types::{Provider, Timestamp};

    use super::*;
    use crate::records::providers::ProviderPrivate;

    fn provider(name: &str) -> Entity<Providers> {
        let public = Provider { name: name.to_owned(), ..Provider::default() };
        let at = Timestamp::from_unix_micros(1);
        Entity::new(Uuid::from_u128(1), Uuid::nil(), at, public, ProviderPrivate::default())
    }

    async fn name(cache: &EntityCache, store: &dyn Documents) -> Option<String> {
        let found = cache.provider(store, Uuid::from_u128(1)).await.unwrap();
        found.map(|provider| provider.public.name.clone())
    }

    #[tokio::test]
    async fn a_cached_record_is_not_read_again_until_it_changes() {
        let (store, other) = (SqliteStore::in_memory().unwrap(), SqliteStore::in_memory().unwrap());
        let cache = EntityCache::following(&store);
        assert_eq!(name(&cache, &store).await, None);
        store.commit(vec![provider("first").put()]).await.unwrap();
        other.commit(vec![provider("other").put()]).await.unwrap();
        assert_eq!(name(&cache, &store).await.as_deref(), Some("first"), "that there is none was not cached");
        assert_eq!(name(&cache, &other).await.as_deref(), Some("first"), "it is not read again");
        let mut changed = provider("second");
        changed.revision = Some(0);
        store.commit(vec![changed.put()]).await.unwrap();
        assert_eq!(name(&cache, &store).await.as_deref(), Some("second"));
        store.reset(None, false).await.unwrap();
        assert_eq!(name(&cache, &store).await, None);
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_cached_after_it() {
        let store = SqliteStore::in_memory().unwrap();
        let cache = EntityCache::following(&store);
        let id = Uuid::from_u128(1);
        store.commit(vec![provider("old").put()]).await.unwrap();
        let old = async {
            // The change happens during the read.
            let mut changed = provider("new");
            changed.revision = Some(0);
            store.commit(vec![changed.put()]).await?;
            Ok(Some(provider("old")))
        };
        let read = cache.providers.get(id, || cache.catch_up(), old).await.unwrap().unwrap();
        assert_eq!(read.public.name, "old");
        assert_eq!(name(&cache, &store).await.as_deref(), Some("new"));
    }

    #[tokio::test]
    async fn an_unused_cache_is_caught_up_after_64_writes() {
        let store = SqliteStore::in_memory().unwrap();
        let cache = Arc::new(EntityCache::following(&store));
        store.commit(vec![provider("first").put()]).await.unwrap();
        let idle = tokio::spawn(EntityCache::catch_up_while_idle(Arc::downgrade(&cache), store.wakes()));
        for revision in 0..64 {
            let mut changed = provider("next");
            changed.revision = Some(revision);
            store.commit(vec![changed.put()]).await.unwrap();
        }
        while !cache.follower.lock().unwrap().is_current() {
            tokio::task::yield_now().await;
        }
        drop((cache, store));
        idle.await.unwrap();
    }

    #[tokio::test]
    async fn a_full_cache_is_emptied_before_another_record_is_added() {
        let cache = Cache::<Providers>::default();
        for number in 0..=MAX_ENTRIES as u128 {
            let read = std::future::ready(Ok(Some(provider("one"))));
            cache.get(Uuid::from_u128(number), || (), read).await.unwrap();
        }
        assert_eq!(cache.lock().by_key.len(), 1, "the first {MAX_ENTRIES} were removed");
    }
}
