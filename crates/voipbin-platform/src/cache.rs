//! A cache of providers and outbound configs: every call needs them, and they seldom change.
//!
//! The store invalidates an entry when its record is written. The cache is bounded: a full one is emptied.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trunk_store::{DocumentKind, DocumentObserver, Store, StoreError};
use uuid::Uuid;

use crate::entity::{Entity, Kind};
use crate::records::outbound_configs::{self, OutboundConfigs};
use crate::records::providers::Providers;

/// Most records of one kind in the cache. Before another one is added, all are removed.
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
    /// The cached record with this key, or the result of `read`, which is cached. Absence is not cached.
    async fn get(
        &self,
        key: Uuid,
        read: impl Future<Output = Result<Option<Entity<K>>, StoreError>>,
    ) -> Result<Option<Arc<Entity<K>>>, StoreError> {
        let before = {
            let entries = self.lock();
            if let Some(entity) = entries.by_key.get(&key) {
                return Ok(Some(Arc::clone(entity)));
            }
            entries.invalidations
        };
        let Some(entity) = read.await?.map(Arc::new) else { return Ok(None) };
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

/// The cached providers and outbound configs. Invalidated by the store.
#[derive(Default)]
pub(crate) struct EntityCache {
    /// By id.
    providers: Cache<Providers>,
    /// By customer.
    configs: Cache<OutboundConfigs>,
}

impl EntityCache {
    /// The provider with an id, deleted or not.
    pub(crate) async fn provider(
        &self,
        store: &dyn Store,
        id: Uuid,
    ) -> Result<Option<Arc<Entity<Providers>>>, StoreError> {
        self.providers.get(id, Entity::find(store, id)).await
    }

    /// The outbound config of a customer, unless it is deleted.
    pub(crate) async fn config(
        &self,
        store: &dyn Store,
        customer: Uuid,
    ) -> Result<Option<Arc<Entity<OutboundConfigs>>>, StoreError> {
        self.configs.get(customer, outbound_configs::of_customer(store, customer)).await
    }
}

impl std::fmt::Debug for EntityCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EntityCache")
    }
}

impl DocumentObserver for EntityCache {
    fn changed(&self, kind: DocumentKind, id: Uuid, customer: Uuid) {
        match kind {
            DocumentKind::Provider => self.providers.invalidate(id),
            DocumentKind::OutboundConfig => self.configs.invalidate(customer),
            _ => {}
        }
    }

    fn reset(&self) {
        self.providers.invalidate_all();
        self.configs.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use trunk_store::SqliteStore;
    use voipbin_types::{Provider, Timestamp};

    use super::*;
    use crate::records::providers::ProviderPrivate;

    fn provider(name: &str) -> Entity<Providers> {
        let public = Provider { name: name.to_owned(), ..Provider::default() };
        let at = Timestamp::from_unix_micros(1);
        Entity::new(Uuid::from_u128(1), Uuid::nil(), at, public, ProviderPrivate::default())
    }

    async fn name(cache: &EntityCache, store: &dyn Store) -> Option<String> {
        let found = cache.provider(store, Uuid::from_u128(1)).await.unwrap();
        found.map(|provider| provider.public.name.clone())
    }

    #[tokio::test]
    async fn a_cached_record_is_not_read_again_until_it_changes() {
        let store = SqliteStore::in_memory().unwrap();
        let cache = Arc::new(EntityCache::default());
        assert_eq!(name(&cache, &store).await, None);
        store.commit(vec![provider("first").put()]).await.unwrap();
        assert_eq!(name(&cache, &store).await.as_deref(), Some("first"), "that there is none was not cached");
        let mut changed = provider("second");
        changed.revision = Some(0);
        store.commit(vec![changed.put()]).await.unwrap();
        assert_eq!(
            name(&cache, &store).await.as_deref(),
            Some("first"),
            "the cache does not observe the store yet"
        );
        store.observe_documents(cache.clone());
        let mut changed = provider("third");
        changed.revision = Some(1);
        store.commit(vec![changed.put()]).await.unwrap();
        assert_eq!(name(&cache, &store).await.as_deref(), Some("third"));
        store.reset(None, false).await.unwrap();
        assert_eq!(name(&cache, &store).await, None);
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_cached_after_it() {
        let cache = EntityCache::default();
        let id = Uuid::from_u128(1);
        let old = async {
            // The change happens during the read.
            cache.changed(DocumentKind::Provider, id, Uuid::nil());
            Ok(Some(provider("old")))
        };
        let read = cache.providers.get(id, old).await.unwrap().unwrap();
        assert_eq!(read.public.name, "old");
        let new = std::future::ready(Ok(Some(provider("new"))));
        assert_eq!(cache.providers.get(id, new).await.unwrap().unwrap().public.name, "new");
    }

    #[tokio::test]
    async fn a_full_cache_is_emptied_before_another_record_is_added() {
        let cache = Cache::<Providers>::default();
        for number in 0..=MAX_ENTRIES as u128 {
            let read = std::future::ready(Ok(Some(provider("one"))));
            cache.get(Uuid::from_u128(number), read).await.unwrap();
        }
        assert_eq!(cache.lock().by_key.len(), 1, "the first {MAX_ENTRIES} were removed");
    }
}
