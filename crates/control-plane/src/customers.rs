//! Customers of the communication platform, with their agents, access keys, phone numbers and tokens.

mod access_keys;
mod agents;
mod phone_numbers;
mod tokens;

use didww_types::Secret;
use didww_types::values::Money;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use service_core::{AttemptError, Retries};
use trunk_store::{DocumentKind, DocumentQuery, StoreError};
use uuid::Uuid;
use voipbin_platform::{
    AccessKeys, Agents, CallTry, Customer, CustomerPrivate, CustomerStatus, Customers, Entity, Flow, Flows,
    Kind, NumberStatus, OpenProvider, OutboundConfigs, PhoneNumbers, Provider, Timestamp, WebhookMethod,
    empty_config,
};

pub use access_keys::NewAccessKey;
pub use tokens::TokenKind;

use crate::world::secrets::hide;
use crate::{Control, ControlError};

/// Maximum number of flows that one transaction deletes: other writes wait for it.
const MAX_FLOWS_PER_COMMIT: u64 = 100;

/// Permission bit of a super admin of the platform.
pub const SUPER_ADMIN: u16 = 0x0001;
/// Permission bit of an agent of a customer.
pub const CUSTOMER_AGENT: u16 = 0x0010;
/// Permission bit of an admin of a customer.
pub const CUSTOMER_ADMIN: u16 = 0x0020;
/// Permission bit of a manager of a customer.
pub const CUSTOMER_MANAGER: u16 = 0x0040;

/// A customer to create, with the members that its creator can choose.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewCustomer {
    /// A name for display.
    pub name: String,
    /// Whether the customer's identity is verified. Default: true.
    pub identity_verified: bool,
    /// The balance in US dollars. Default: 1000.
    pub balance: Money,
    /// Whether the customer is active or frozen. A frozen customer cannot use the platform. Default: active.
    pub status: CustomerStatus,
    /// Whether the metadata of its calls contains `rtp_debug`. Default: false.
    pub rtp_debug: bool,
    /// The http or https URL of its webhook, which receives events of its calls; empty for no webhook.
    pub webhook_uri: String,
    /// The HTTP method of its webhook. Default: POST.
    pub webhook_method: WebhookMethod,
    /// The secret that signs webhooks; an empty one leaves them unsigned. Default: a generated one, which the
    /// customer reads over the platform's own API.
    pub webhook_secret: Option<Secret>,
}

impl NewCustomer {
    /// Creates a customer that can place calls: active, verified, with a balance of 1000 US dollars, without a webhook.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            identity_verified: true,
            balance: Money::new(1000.into()),
            status: CustomerStatus::Active,
            rtp_debug: false,
            webhook_uri: String::new(),
            webhook_method: WebhookMethod::Post,
            webhook_secret: None,
        }
    }

    /// Sets the URL and the signing secret of the webhook.
    #[must_use]
    pub fn webhook(mut self, uri: impl Into<String>, secret: Option<Secret>) -> Self {
        self.webhook_uri = uri.into();
        self.webhook_secret = secret;
        self
    }
}

/// Changes to a customer. A field that is `None` leaves the value unchanged.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CustomerPatch {
    /// The new name for display.
    pub name: Option<String>,
    /// Whether the customer is active or frozen.
    pub status: Option<CustomerStatus>,
    /// Whether the customer's identity is verified.
    pub identity_verified: Option<bool>,
    /// The new balance in US dollars.
    pub balance: Option<Money>,
    /// Whether the metadata of its calls contains `rtp_debug`.
    pub rtp_debug: Option<bool>,
    /// The new URL of the webhook; empty for no webhook.
    pub webhook_uri: Option<String>,
    /// The new HTTP method of the webhook.
    pub webhook_method: Option<WebhookMethod>,
    /// The new signing secret of webhooks; empty for none.
    pub webhook_secret: Option<Secret>,
}

impl CustomerPatch {
    /// Changes a customer, whose webhook URL was checked. `now` is in microseconds since 1970.
    fn apply(&self, customer: &mut Entity<Customers>, now: i64) {
        let (public, private) = (&mut customer.public, &mut customer.private);
        if let Some(secret) = &self.webhook_secret {
            private.webhook_secret = Some(secret.clone()).filter(|secret| !secret.expose().is_empty());
            public.webhook_signed = private.webhook_secret.is_some();
        }
        if let Some(status) = self.status {
            private.frozen_at = match status {
                CustomerStatus::Frozen => Some(private.frozen_at.unwrap_or(now)),
                CustomerStatus::Active => None,
            };
            public.status = status;
        }
        if let Some(uri) = &self.webhook_uri {
            public.webhook_uri.clone_from(uri);
        }
        if let Some(name) = &self.name {
            public.name.clone_from(name);
        }
        public.identity_verified = self.identity_verified.unwrap_or(public.identity_verified);
        public.balance = self.balance.unwrap_or(public.balance);
        public.rtp_debug = self.rtp_debug.unwrap_or(public.rtp_debug);
        if let Some(method) = self.webhook_method {
            method.as_str().clone_into(&mut public.webhook_method);
        }
    }
}

impl Control {
    /// Returns all customers that are not deleted, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn customers(&self) -> Result<Vec<Customer>, ControlError> {
        let query = DocumentQuery::all(DocumentKind::Customer);
        let customers = Entity::<Customers>::list(&*self.core.store, query).await?;
        Ok(customers.into_iter().map(|customer| customer.public).collect())
    }

    /// Returns a customer.
    ///
    /// # Errors
    /// If there is no such customer.
    pub fn customer(&self, id: Uuid) -> Result<Customer, ControlError> {
        let found = self.platform.directory.customer(id);
        found
            .map(|customer| customer.public.clone())
            .ok_or_else(|| ControlError::NotFound(format!("customer {id}")))
    }

    /// Checks that a customer exists.
    fn check_customer(&self, id: Uuid) -> Result<(), ControlError> {
        let found = self.platform.directory.customer(id);
        found.map(|_| ()).ok_or_else(|| ControlError::NotFound(format!("customer {id}")))
    }

    /// Reads a customer from the store, to change it.
    async fn customer_entity(&self, id: Uuid) -> Result<Entity<Customers>, ControlError> {
        let found = Entity::<Customers>::find(&*self.core.store, id).await?;
        found
            .filter(|customer| !customer.deleted)
            .ok_or_else(|| ControlError::NotFound(format!("customer {id}")))
    }

    /// Reads all entities of a kind that belong to a customer, newest first.
    async fn entities_of<K: Kind>(&self, customer: Uuid) -> Result<Vec<Entity<K>>, ControlError> {
        let query = DocumentQuery::with(K::KIND, "customer", customer.to_string());
        Ok(Entity::<K>::list(&*self.core.store, query).await?)
    }

    /// Returns the public representation of all entities of a kind that belong to a customer, newest first.
    async fn list_of<K: Kind>(&self, customer: Uuid) -> Result<Vec<K::Public>, ControlError> {
        self.check_customer(customer)?;
        Ok(self.entities_of::<K>(customer).await?.into_iter().map(|entity| entity.public).collect())
    }

    /// Reads an entity that belongs to a customer, to change it.
    async fn entity_of<K: Kind>(
        &self,
        customer: Uuid,
        id: Uuid,
        what: &'static str,
    ) -> Result<Entity<K>, ControlError> {
        let found = Entity::<K>::find(&*self.core.store, id).await?;
        let found = found.filter(|entity| !entity.deleted && entity.customer == customer);
        found.ok_or_else(|| ControlError::NotFound(format!("{what} {id}")))
    }

    /// Stores what `make` makes for a customer, unless that is deleted, also by another server meanwhile: the customer
    /// is written as it is, on the condition that it was not written since it was read.
    async fn add_to<K: Kind, T>(
        &self,
        customer: Uuid,
        make: impl Fn() -> (Entity<K>, T),
    ) -> Result<(Entity<K>, T), ControlError> {
        let store = &*self.core.store;
        let decide = |_owner: &Entity<Customers>| Ok::<_, ControlError>(make());
        let write = |owner: Entity<Customers>, (record, rest): (Entity<K>, T)| async move {
            store.commit(vec![owner.put(), record.put()]).await?;
            Ok::<_, StoreError>((record, rest))
        };
        Retries::REQUEST.change(|| self.customer_entity(customer), decide, write).await
    }

    /// Creates a customer with an empty outbound config.
    ///
    /// # Errors
    /// If the webhook URL is not valid, or the store fails.
    pub async fn create_customer(&self, new: NewCustomer) -> Result<Customer, ControlError> {
        let _turn = self.platform.changes.lock().await;
        let (customer, config) = self.new_customer(new)?;
        let id = customer.id;
        self.core.store.commit(vec![customer.put(), config.put()]).await?;
        self.reload(id).await
    }

    /// Makes a customer and its empty outbound config, which are not stored yet.
    fn new_customer(
        &self,
        new: NewCustomer,
    ) -> Result<(Entity<Customers>, Entity<OutboundConfigs>), ControlError> {
        check_webhook(&new.webhook_uri)?;
        let (id, at) = self.platform.new_id_and_time();
        let secret = new.webhook_secret.unwrap_or_else(|| self.core.ids.url_safe_token());
        let webhook_secret = Some(secret).filter(|secret| !secret.expose().is_empty());
        let public = Customer {
            id,
            name: new.name,
            detail: String::new(),
            email: String::new(),
            phone_number: String::new(),
            address: String::new(),
            status: new.status,
            identity_verified: new.identity_verified,
            balance: new.balance,
            rtp_debug: new.rtp_debug,
            webhook_method: new.webhook_method.as_str().to_owned(),
            webhook_uri: new.webhook_uri,
            webhook_signed: webhook_secret.is_some(),
            tm_create: at.to_string(),
        };
        let frozen_at = (new.status == CustomerStatus::Frozen).then(|| at.as_unix_micros());
        let private = CustomerPrivate { webhook_secret, frozen_at, updated_at: None };
        let customer = Entity::<Customers>::new(id, id, at, public, private);
        let (config, at) = self.platform.new_id_and_time();
        Ok((customer, empty_config(config, id, at)))
    }

    /// Changes a customer with effect from the next request and call.
    ///
    /// # Errors
    /// If there is no such customer, the webhook URL is not valid, or the store fails.
    pub async fn update_customer(&self, id: Uuid, patch: CustomerPatch) -> Result<Customer, ControlError> {
        let _turn = self.platform.changes.lock().await;
        let apply = |customer: &mut Entity<Customers>| {
            if let Some(uri) = &patch.webhook_uri {
                check_webhook(uri)?;
            }
            patch.apply(customer, self.platform.timestamps.now().as_unix_micros());
            Ok::<(), ControlError>(())
        };
        Entity::<Customers>::change(&*self.core.store, || self.customer_entity(id), apply).await?;
        self.reload(id).await
    }

    /// Deletes a customer with its agents, access keys, phone numbers, flows and outbound config. Its calls remain.
    ///
    /// # Errors
    /// If there is no such customer, or the store fails.
    pub async fn delete_customer(&self, id: Uuid) -> Result<(), ControlError> {
        let platform = &self.platform;
        let _turn = platform.changes.lock().await;
        // The lock does not hold back the customer's own change of its outbound config.
        let (agents, keys) = Retries::REQUEST
            .run(|| async move {
                let mut customer = self.customer_entity(id).await?;
                customer.deleted = true;
                let mut changes = vec![customer.put()];
                let mut agents = self.entities_of::<Agents>(id).await?;
                for agent in &mut agents {
                    agent.deleted = true;
                    changes.push(agent.put());
                }
                let mut keys = self.entities_of::<AccessKeys>(id).await?;
                for key in &mut keys {
                    key.mark_deleted(platform.timestamps.next());
                    changes.push(key.put());
                }
                for mut number in self.entities_of::<PhoneNumbers>(id).await? {
                    mark_released(&mut number, platform.timestamps.next());
                    changes.push(number.put());
                }
                for mut config in self.entities_of::<OutboundConfigs>(id).await? {
                    config.deleted = true;
                    config.public.tm_delete = Some(platform.timestamps.next());
                    changes.push(config.put());
                }
                self.core.store.commit(changes).await?;
                Ok::<_, AttemptError<ControlError>>((agents, keys))
            })
            .await?;
        for agent in &agents {
            platform.directory.put_agent(agent);
        }
        for key in &keys {
            platform.directory.put_key(key);
        }
        self.reload(id).await?;
        self.delete_flows(id).await
    }

    /// Deletes the flows that a customer keeps. Many flows are deleted in several transactions.
    async fn delete_flows(&self, customer: Uuid) -> Result<(), ControlError> {
        let delete_some = || async move {
            let kept = DocumentQuery::with(DocumentKind::Flow, "kept", customer.to_string());
            let query = DocumentQuery { limit: MAX_FLOWS_PER_COMMIT, ..kept };
            let flows = Entity::<Flows>::list(&*self.core.store, query).await?;
            if flows.is_empty() {
                return Ok(false);
            }
            let at = Some(self.platform.timestamps.next());
            let deleted = flows.into_iter().map(|mut flow| {
                flow.deleted = true;
                (flow.public.tm_update, flow.public.tm_delete) = (at, at);
                flow.put()
            });
            self.core.store.commit(deleted.collect()).await?;
            Ok::<bool, AttemptError<ControlError>>(true)
        };
        // Another server may be changing one of them, and the deletion of the customer cannot be repeated.
        while Retries::REQUEST.run(delete_some).await? {}
        Ok(())
    }

    /// Reads a customer from the store into the directory.
    async fn reload(&self, id: Uuid) -> Result<Customer, ControlError> {
        let found = Entity::<Customers>::find(&*self.core.store, id).await?;
        let customer = found.ok_or_else(|| ControlError::NotFound(format!("customer {id}")))?;
        self.platform.directory.put(customer.clone());
        Ok(customer.public)
    }

    /// Returns the flows of a customer, newest first: those that it keeps, and those that were created with calls. A
    /// flow contains the actions that a call executes once it is answered.
    ///
    /// # Errors
    /// If there is no such customer.
    pub async fn flows(&self, customer: Uuid) -> Result<Vec<Flow>, ControlError> {
        self.list_of::<Flows>(customer).await
    }

    /// Returns the attempts of a customer's call at carriers, oldest first: at most 20 attempts, the last ones. A
    /// deleted call keeps them for as long as it is kept itself. For an active call, these are the attempts so far.
    ///
    /// # Errors
    /// If the customer has no such call.
    pub async fn call_tries(&self, customer: Uuid, call: Uuid) -> Result<Vec<CallTry>, ControlError> {
        let found = self.platform.call_with_tries(call).await?;
        let found = found.filter(|(found, _)| found.customer == customer);
        found.map(|(_, tries)| tries).ok_or_else(|| ControlError::NotFound(format!("call {call}")))
    }

    /// Returns the providers whose trunk at the carrier accepted calls from any address when the carrier's API was last
    /// queried, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn open_providers(&self) -> Result<Vec<OpenProvider>, ControlError> {
        Ok(voipbin_platform::open_providers(&self.platform).await?)
    }

    /// Returns every provider with its health, newest first, without the values of its headers, and with the secrets in
    /// its metadata as `(hidden)`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn providers(&self) -> Result<Vec<Provider>, ControlError> {
        let mut providers = voipbin_platform::providers(&self.platform).await?;
        for provider in &mut providers {
            let metadata = std::mem::take(&mut provider.metadata);
            let mut metadata: Map<String, Value> = metadata.into_iter().collect();
            hide(&mut metadata);
            provider.metadata = metadata.into_iter().collect();
        }
        Ok(providers)
    }

    /// Probes every provider now and stores the results. Returns the number of providers.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn probe_providers(&self) -> Result<usize, ControlError> {
        Ok(voipbin_platform::probe_all(&self.platform).await?)
    }
}

fn mark_released(number: &mut Entity<PhoneNumbers>, at: Timestamp) {
    number.deleted = true;
    number.public.status = NumberStatus::Deleted;
    (number.public.tm_update, number.public.tm_delete) = (Some(at), Some(at));
}

pub(crate) fn check_webhook(uri: &str) -> Result<(), ControlError> {
    let is_url =
        || url::Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // The parser accepts control characters, and each event of the customer has the text as it is.
    let is_valid = uri.is_empty() || (!uri.contains(char::is_control) && is_url());
    if is_valid {
        return Ok(());
    }
    Err(ControlError::invalid("webhook_uri", "must be an http or https URL, or empty for none"))
}
