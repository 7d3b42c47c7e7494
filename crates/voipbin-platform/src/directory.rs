//! Customers, agents and access keys in memory: every request needs them.
//!
//! The directory is complete: it is loaded when the server starts, and every write updates it. Writes of other nodes
//! are in it as soon as the change feed names them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::sync::watch;
use trunk_rules::outbound::Permission;
use trunk_store::{Changes, Committed, DocumentKind, DocumentQuery, Documents, Follower, StoreError};
use uuid::Uuid;
use voipbin_types::Timestamp;

use crate::entity::Entity;
use crate::platform::Platform;
use crate::records::access_keys::{AccessKeys, digest};
use crate::records::customers::{Agents, Customers};

/// The time before another attempt to read the writes of other nodes.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest time for which a change of this server holds back what other nodes wrote.
const TURN_LIMIT: Duration = Duration::from_millis(500);

/// Customers, agents and access keys by their ids and digests.
#[derive(Default)]
pub struct Directory {
    customers: RwLock<HashMap<Uuid, Arc<Entity<Customers>>>>,
    agents: RwLock<HashMap<Uuid, AgentEntry>>,
    /// By the digest of the key.
    keys: RwLock<HashMap<String, KeyEntry>>,
}

#[derive(Clone, Copy)]
struct AgentEntry {
    customer: Uuid,
    permission: Permission,
}

#[derive(Clone, Copy)]
struct KeyEntry {
    customer: Uuid,
    permission: Permission,
    expires: Option<i64>,
}

impl Directory {
    /// Loads all customers, agents and access keys that are not deleted.
    ///
    /// # Errors
    /// When the store cannot be read, or a document is corrupt.
    pub(crate) async fn load(store: &dyn Documents) -> Result<Self, StoreError> {
        let directory = Self::default();
        for customer in Entity::<Customers>::list(store, DocumentQuery::all(DocumentKind::Customer)).await? {
            directory.put(customer);
        }
        for agent in Entity::<Agents>::list(store, DocumentQuery::all(DocumentKind::Agent)).await? {
            directory.put_agent(&agent);
        }
        for key in Entity::<AccessKeys>::list(store, DocumentQuery::all(DocumentKind::AccessKey)).await? {
            directory.put_key(&key);
        }
        Ok(directory)
    }

    /// Loads everything again, because writes of other nodes may have been missed.
    async fn reload(&self, store: &dyn Documents) -> Result<(), StoreError> {
        let Self { customers, agents, keys } = Self::load(store).await?;
        replace(&self.customers, customers);
        replace(&self.agents, agents);
        replace(&self.keys, keys);
        Ok(())
    }

    /// Reads a document again that was written.
    async fn read_again(&self, store: &dyn Documents, effect: &Committed) -> Result<(), StoreError> {
        let Committed::Document { kind, id, .. } = effect else { return Ok(()) };
        match kind {
            DocumentKind::Customer => {
                if let Some(customer) = Entity::<Customers>::find(store, *id).await? {
                    self.put(customer);
                }
            }
            DocumentKind::Agent => {
                if let Some(agent) = Entity::<Agents>::find(store, *id).await? {
                    self.put_agent(&agent);
                }
            }
            DocumentKind::AccessKey => {
                if let Some(key) = Entity::<AccessKeys>::find(store, *id).await? {
                    self.put_key(&key);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds or replaces a customer. Lookups leave out a deleted one.
    pub fn put(&self, customer: Entity<Customers>) {
        let mut customers = self.customers.write().unwrap_or_else(PoisonError::into_inner);
        customers.insert(customer.id, Arc::new(customer));
    }

    /// Adds or replaces an agent, or removes one that is deleted.
    pub fn put_agent(&self, agent: &Entity<Agents>) {
        let mut agents = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        if agent.deleted {
            agents.remove(&agent.id);
        } else {
            let permission = Permission(agent.public.permission);
            agents.insert(agent.id, AgentEntry { customer: agent.customer, permission });
        }
    }

    /// Adds or replaces an access key, or removes one that is deleted.
    pub fn put_key(&self, key: &Entity<AccessKeys>) {
        let entry = KeyEntry {
            customer: key.customer,
            permission: Permission(key.public.permission),
            expires: key.private.expires,
        };
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if key.deleted {
            keys.remove(&key.private.digest);
        } else {
            keys.insert(key.private.digest.clone(), entry);
        }
    }

    /// The customer with an id, unless it is deleted.
    pub fn customer(&self, id: Uuid) -> Option<Arc<Entity<Customers>>> {
        let customers = self.customers.read().unwrap_or_else(PoisonError::into_inner);
        customers.get(&id).filter(|customer| !customer.deleted).cloned()
    }

    /// The customer of an agent and the agent's current permissions; none if the agent or its customer is
    /// deleted.
    pub(crate) fn agent(&self, id: Uuid) -> Option<(Uuid, Permission)> {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        let AgentEntry { customer, permission } = agents.get(&id).copied()?;
        self.customer(customer).map(|_| (customer, permission))
    }

    /// The customer of an access key and the key's permissions; none if the key is unknown or expired, or its
    /// customer is deleted.
    pub(crate) fn access_key(&self, key: &str, now: Timestamp) -> Option<(Uuid, Permission)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let entry = keys.get(&digest(key)).copied()?;
        let is_valid = entry.expires.is_none_or(|expires| expires > now.as_unix_micros());
        self.customer(entry.customer).filter(|_| is_valid).map(|_| (entry.customer, entry.permission))
    }
}

fn replace<T>(old: &RwLock<T>, new: RwLock<T>) {
    let new = new.into_inner().unwrap_or_else(PoisonError::into_inner);
    *old.write().unwrap_or_else(PoisonError::into_inner) = new;
}

/// Applies the writes of other nodes to the directory, for as long as the platform exists. `wakes` are those of the
/// store.
pub(crate) async fn follow(
    platform: Weak<Platform>,
    mut followed: Follower,
    mut wakes: watch::Receiver<u64>,
) {
    // Writes after the directory was loaded and before it was followed may have been missed.
    let mut is_complete = false;
    loop {
        let Some(platform) = platform.upgrade() else { return };
        is_complete = match catch_up(&platform, &mut followed, is_complete).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "customers, agents and access keys of other servers could not be read");
                false
            }
        };
        drop(platform);
        let woken = wakes.changed();
        let woken = if is_complete {
            woken.await
        } else {
            tokio::time::timeout(RETRY_DELAY, woken).await.unwrap_or(Ok(()))
        };
        if woken.is_err() {
            return;
        }
    }
}

/// Applies the changes since the last time; reloads everything unless the directory was `complete` then.
async fn catch_up(platform: &Platform, followed: &mut Follower, complete: bool) -> Result<(), StoreError> {
    // A change by this server applies its own commit to the directory. If a later change by another node were read
    // between the two, it would be undone: a key that was deleted there would be valid here.
    let _turn = tokio::time::timeout(TURN_LIMIT, platform.changes.lock()).await;
    let (store, directory) = (&*platform.core.store, &platform.directory);
    let Changes::Since(writes) = followed.changes() else { return directory.reload(store).await };
    if !complete {
        return directory.reload(store).await;
    }
    for effect in writes.iter().flat_map(|write| write.iter()) {
        directory.read_again(store, effect).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_listener::Limits;
    use service_base::clock::Clock;
    use service_base::descriptors::Descriptors;
    use service_base::guessing::GuessLimits;
    use service_base::ids::Ids;
    use service_core::{Core, Outbox};
    use trunk_store::{Interest, SqliteStore};

    use super::*;
    use crate::config::PlatformConfig;
    use crate::records::access_keys::AccessKeyRequest;

    #[tokio::test]
    async fn what_another_node_wrote_is_read_behind_a_change_of_this_server_that_is_under_way() {
        let store = Arc::new(SqliteStore::in_memory().unwrap());
        let (clock, guesses) = (Clock::system(), GuessLimits::default());
        let (ids, outbox, descriptors) = (Ids::seeded(1), Outbox::new(false), Descriptors::new(1_024));
        let core = Arc::new(Core::new(store, clock, ids, outbox, descriptors, guesses));
        let platform =
            Platform::load(Arc::clone(&core), PlatformConfig::default(), Limits::default()).await.unwrap();
        let (at, permission) = (Timestamp::from_unix_micros(1), Permission::CUSTOMER_ADMIN.0);
        let asked =
            AccessKeyRequest { name: String::new(), detail: String::new(), permission, expires: None };
        let (key, _token) =
            Entity::<AccessKeys>::generate(&core.ids, (Uuid::from_u128(1), at), Uuid::from_u128(2), asked);
        core.store.commit(vec![key.put()]).await.unwrap();
        let mut followed = core.store.follow(Interest::AllButRecords);

        // This server has committed a change of the key and not applied it yet, when another one deletes the key.
        let turn = platform.changes.lock().await;
        let mut deleted = Entity::<AccessKeys>::find(&*core.store, key.id).await.unwrap().unwrap();
        deleted.mark_deleted(at);
        core.store.commit(vec![deleted.put()]).await.unwrap();
        let mut catching_up = Box::pin(catch_up(&platform, &mut followed, true));
        assert!(catching_up.as_mut().now_or_never().is_none(), "it waits for the change of this server");
        platform.directory.put_key(&key);
        drop(turn);
        catching_up.await.unwrap();
        assert!(platform.directory.keys.read().unwrap().is_empty(), "the key is deleted");
    }
}
