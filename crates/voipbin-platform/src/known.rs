//! Providers and outbound configs in memory: every call asks for them, and they seldom change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::entity::{Entity, Kind};
use super::outbound_configs::OutboundConfigs;
use super::providers::Providers;
use trunk_store::{DocumentKind, DocumentObserver, Store, StoreError};

/// Most of a kind that are kept.
const MOST: usize = 1_024;

/// Those of a kind that were read and are still as they were.
struct Known<K: Kind>(Mutex<Held<K>>);

struct Held<K: Kind> {
    /// How often any was changed: what was read before a change is not kept after it.
    changes: u64,
    entities: HashMap<Uuid, Arc<Entity<K>>>,
}

impl<K: Kind> Default for Known<K> {
    fn default() -> Self {
        Self(Mutex::new(Held { changes: 0, entities: HashMap::new() }))
    }
}

impl<K: Kind> Known<K> {
    /// What is kept by this key, or else what is read now. One that is not there is looked for every time.
    async fn get(
        &self,
        key: Uuid,
        read: impl Future<Output = Result<Option<Entity<K>>, StoreError>>,
    ) -> Result<Option<Arc<Entity<K>>>, StoreError> {
        let before = {
            let held = self.lock();
            if let Some(entity) = held.entities.get(&key) {
                return Ok(Some(Arc::clone(entity)));
            }
            held.changes
        };
        let Some(entity) = read.await?.map(Arc::new) else { return Ok(None) };
        let mut held = self.lock();
        if held.changes == before {
            if held.entities.len() >= MOST {
                held.entities.clear();
            }
            held.entities.insert(key, Arc::clone(&entity));
        }
        drop(held);
        Ok(Some(entity))
    }

    fn forget(&self, key: Uuid) {
        let mut held = self.lock();
        held.changes += 1;
        held.entities.remove(&key);
    }

    fn forget_all(&self) {
        let mut held = self.lock();
        held.changes += 1;
        held.entities.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Held<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known. The store tells it what is so no more.
#[derive(Default)]
pub struct KnownEntities {
    /// By their ids.
    providers: Known<Providers>,
    /// By their customers.
    configs: Known<OutboundConfigs>,
}

impl KnownEntities {
    /// A provider, also a deleted one.
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
        self.configs.get(customer, super::outbound_configs::of(store, customer)).await
    }
}

impl std::fmt::Debug for KnownEntities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KnownEntities")
    }
}

impl DocumentObserver for KnownEntities {
    fn changed(&self, kind: DocumentKind, id: Uuid, customer: Uuid) {
        match kind {
            DocumentKind::Provider => self.providers.forget(id),
            DocumentKind::OutboundConfig => self.configs.forget(customer),
            _ => {}
        }
    }

    fn reset(&self) {
        self.providers.forget_all();
        self.configs.forget_all();
    }
}

#[cfg(test)]
mod tests {
    use voipbin_types::Provider;

    use super::*;
    use crate::moment::Moment;
    use crate::providers::ProviderOwn;
    use trunk_store::SqliteStore;

    fn provider(name: &str) -> Entity<Providers> {
        let wire = Provider { name: name.to_owned(), ..Provider::default() };
        let at = Moment::from_unix_micros(1);
        Entity::new(Uuid::from_u128(1), Uuid::nil(), at, wire, ProviderOwn::default())
    }

    async fn name(known: &KnownEntities, store: &dyn Store) -> Option<String> {
        let found = known.provider(store, Uuid::from_u128(1)).await.unwrap();
        found.map(|provider| provider.wire.name.clone())
    }

    #[tokio::test]
    async fn what_is_known_is_not_read_again_until_it_changes() {
        let store = SqliteStore::in_memory().unwrap();
        let known = Arc::new(KnownEntities::default());
        assert_eq!(name(&known, &store).await, None);
        store.commit(vec![provider("first").put()]).await.unwrap();
        assert_eq!(name(&known, &store).await.as_deref(), Some("first"), "that there is none was not kept");
        let mut changed = provider("second");
        changed.revision = Some(0);
        store.commit(vec![changed.put()]).await.unwrap();
        assert_eq!(name(&known, &store).await.as_deref(), Some("first"), "nobody told of the change");
        store.observe_documents(known.clone());
        let mut changed = provider("third");
        changed.revision = Some(1);
        store.commit(vec![changed.put()]).await.unwrap();
        assert_eq!(name(&known, &store).await.as_deref(), Some("third"));
        store.reset(None, false).await.unwrap();
        assert_eq!(name(&known, &store).await, None);
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_kept_after_it() {
        let known = KnownEntities::default();
        let id = Uuid::from_u128(1);
        let old = async {
            // The change comes while this is being read.
            known.changed(DocumentKind::Provider, id, Uuid::nil());
            Ok(Some(provider("old")))
        };
        let read = known.providers.get(id, old).await.unwrap().unwrap();
        assert_eq!(read.wire.name, "old");
        let new = std::future::ready(Ok(Some(provider("new"))));
        assert_eq!(known.providers.get(id, new).await.unwrap().unwrap().wire.name, "new");
    }

    #[tokio::test]
    async fn no_more_are_kept_than_there_is_room_for() {
        let known = Known::<Providers>::default();
        for number in 0..=MOST as u128 {
            let read = std::future::ready(Ok(Some(provider("one"))));
            known.get(Uuid::from_u128(number), read).await.unwrap();
        }
        assert_eq!(known.lock().entities.len(), 1, "the first {MOST} made way");
    }
}
