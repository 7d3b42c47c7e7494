//! Customers, agents and access keys in memory: every request needs them.
//!
//! The directory is complete: it is loaded when the server starts, and the control API updates it after every
//! write.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use trunk_rules::outbound::Permission;
use trunk_store::{DocumentKind, DocumentQuery, Documents, StoreError};
use uuid::Uuid;
use voipbin_types::Timestamp;

use crate::entity::Entity;
use crate::records::access_keys::{AccessKeys, digest};
use crate::records::customers::{Agents, Customers};

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
