//! Customers of the communication platform, with their agents, access keys, phone numbers and tokens.

use didww_types::Secret;
use didww_types::values::Money;
use schemars::JsonSchema;
use serde::Deserialize;
use service_core::{AttemptError, Retries};
use trunk_store::{DocumentKind, DocumentQuery};
use uuid::Uuid;
use voipbin_platform::{
    AccessKey, AccessKeyRequest, AccessKeys, Agent, AgentPrivate, Agents, CallTry, Claims, Customer,
    CustomerPrivate, CustomerStatus, Customers, DirectClaim, Entity, Flow, Flows, Kind, Number, NumberKind,
    NumberStatus, OpenProvider, OutboundConfigs, PhoneNumbers, SupportMetadata, Timestamp, WebhookMethod,
    empty_config, hash, sign,
};

use crate::{Control, ControlError};

/// Most flows that one transaction deletes: other writes wait for it.
const MAX_FLOWS_PER_COMMIT: u64 = 100;

/// Permission bit of a super admin of the platform.
pub const SUPER_ADMIN: u16 = 0x0001;
/// Permission bit of an agent of a customer.
pub const CUSTOMER_AGENT: u16 = 0x0010;
/// Permission bit of an admin of a customer.
pub const CUSTOMER_ADMIN: u16 = 0x0020;
/// Permission bit of a manager of a customer.
pub const CUSTOMER_MANAGER: u16 = 0x0040;

/// A customer to create.
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

/// An access key to create.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NewAccessKey {
    /// A name for display.
    pub name: String,
    /// The permission bits. Default: [`CUSTOMER_ADMIN`], as on the running platform.
    pub permission: Option<u16>,
    /// The time when the key expires, as a timestamp in UTC. Default: never.
    pub tm_expire: Option<String>,
}

/// A kind of token that the login endpoint does not issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// A token for one resource, valid for 4 hours. No endpoint of this server accepts it.
    Direct,
    /// A token for a delegate who acts for the customer, valid for 8 hours.
    Delegate,
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
        let mut customer = self.customer_entity(id).await?;
        let CustomerPatch {
            name,
            status,
            identity_verified,
            balance,
            rtp_debug,
            webhook_uri,
            webhook_method,
            webhook_secret,
        } = patch;
        if let Some(uri) = webhook_uri {
            check_webhook(&uri)?;
            customer.public.webhook_uri = uri;
        }
        if let Some(secret) = webhook_secret {
            customer.private.webhook_secret = Some(secret).filter(|secret| !secret.expose().is_empty());
            customer.public.webhook_signed = customer.private.webhook_secret.is_some();
        }
        if let Some(status) = status {
            let now = self.platform.timestamps.now().as_unix_micros();
            customer.private.frozen_at = match status {
                CustomerStatus::Frozen => Some(customer.private.frozen_at.unwrap_or(now)),
                CustomerStatus::Active => None,
            };
            customer.public.status = status;
        }
        let public = &mut customer.public;
        public.name = name.unwrap_or_else(|| std::mem::take(&mut public.name));
        public.identity_verified = identity_verified.unwrap_or(public.identity_verified);
        public.balance = balance.unwrap_or(public.balance);
        public.rtp_debug = rtp_debug.unwrap_or(public.rtp_debug);
        if let Some(method) = webhook_method {
            method.as_str().clone_into(&mut public.webhook_method);
        }
        self.core.store.commit(vec![customer.put()]).await?;
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
        loop {
            let kept = DocumentQuery::with(DocumentKind::Flow, "kept", customer.to_string());
            let some = DocumentQuery { limit: MAX_FLOWS_PER_COMMIT, ..kept };
            let flows = Entity::<Flows>::list(&*self.core.store, some).await?;
            if flows.is_empty() {
                return Ok(());
            }
            let at = Some(self.platform.timestamps.next());
            let deleted = flows.into_iter().map(|mut flow| {
                flow.deleted = true;
                (flow.public.tm_update, flow.public.tm_delete) = (at, at);
                flow.put()
            });
            self.core.store.commit(deleted.collect()).await?;
        }
    }

    /// Reads a customer from the store into the directory.
    async fn reload(&self, id: Uuid) -> Result<Customer, ControlError> {
        let found = Entity::<Customers>::find(&*self.core.store, id).await?;
        let customer = found.ok_or_else(|| ControlError::NotFound(format!("customer {id}")))?;
        self.platform.directory.put(customer.clone());
        Ok(customer.public)
    }

    /// Returns the agents of a customer, newest first.
    ///
    /// # Errors
    /// If there is no such customer.
    pub async fn agents(&self, customer: Uuid) -> Result<Vec<Agent>, ControlError> {
        self.list_of::<Agents>(customer).await
    }

    /// Creates an agent, who can log in at once. `permission` is the sum of permission bits.
    ///
    /// # Errors
    /// If there is no such customer, the username or the password is empty, or the username is taken.
    pub async fn create_agent(
        &self,
        customer: Uuid,
        username: &str,
        password: Secret,
        permission: u16,
    ) -> Result<Agent, ControlError> {
        self.check_customer(customer)?;
        let password = self.checked_login(username, password).await?;
        let _turn = self.platform.changes.lock().await;
        self.check_customer(customer)?;
        let agent = self.new_agent(customer, username, password, permission);
        self.core.store.commit(vec![agent.put()]).await?;
        self.platform.directory.put_agent(&agent);
        Ok(agent.public)
    }

    /// Checks the username and the password of an agent. Returns the password's hash, in PHC string format.
    async fn checked_login(&self, username: &str, password: Secret) -> Result<String, ControlError> {
        if username.trim().is_empty() {
            return Err(ControlError::invalid("username", "must not be empty"));
        }
        if password.expose().is_empty() {
            return Err(ControlError::invalid("password", "must not be empty"));
        }
        let hashed = hash(&self.platform, password).await;
        hashed.ok_or_else(|| ControlError::invalid("password", "could not be hashed"))
    }

    /// Makes an agent, which is not stored yet. `password` is the hash of its password.
    fn new_agent(&self, customer: Uuid, username: &str, password: String, permission: u16) -> Entity<Agents> {
        let (id, at) = self.platform.new_id_and_time();
        let public = Agent {
            id,
            customer_id: customer,
            username: username.to_owned(),
            permission,
            tm_create: at.to_string(),
        };
        Entity::<Agents>::new(id, customer, at, public, AgentPrivate { password })
    }

    /// Ensures that there is a super admin with this username and password. If there is no agent of the name, an active
    /// and verified customer with a balance is created with this agent. If there is one, its password is set, and it
    /// becomes a super admin.
    ///
    /// # Errors
    /// If the username or the password is empty, or the store fails.
    pub async fn ensure_super_admin(&self, username: &str, password: Secret) -> Result<Agent, ControlError> {
        let password = self.checked_login(username, password).await?;
        let _turn = self.platform.changes.lock().await;
        let found = Entity::<Agents>::find_by(&*self.core.store, "username", username).await?;
        let agent = if let Some(mut agent) = found.filter(|agent| !agent.deleted) {
            agent.private.password = password;
            agent.public.permission |= SUPER_ADMIN;
            self.core.store.commit(vec![agent.put()]).await?;
            agent
        } else {
            let (customer, config) = self.new_customer(NewCustomer::named(username))?;
            let agent = self.new_agent(customer.id, username, password, SUPER_ADMIN | CUSTOMER_ADMIN);
            self.core.store.commit(vec![customer.put(), config.put(), agent.put()]).await?;
            self.reload(customer.id).await?;
            agent
        };
        self.platform.directory.put_agent(&agent);
        Ok(agent.public)
    }

    /// Returns the access keys of a customer, newest first, without the secrets: only their digests are stored.
    ///
    /// # Errors
    /// If there is no such customer.
    pub async fn access_keys(&self, customer: Uuid) -> Result<Vec<AccessKey>, ControlError> {
        self.list_of::<AccessKeys>(customer).await
    }

    /// Creates an access key. Returns it with its secret, which cannot be read again.
    ///
    /// # Errors
    /// If there is no such customer, or `tm_expire` is not a timestamp.
    pub async fn create_access_key(
        &self,
        customer: Uuid,
        new: NewAccessKey,
    ) -> Result<(AccessKey, Secret), ControlError> {
        self.check_customer(customer)?;
        let expires = new.tm_expire.as_deref().map(str::parse::<Timestamp>).transpose();
        let expires = expires.map_err(|error| ControlError::invalid("tm_expire", error.to_string()))?;
        let _turn = self.platform.changes.lock().await;
        self.check_customer(customer)?;
        let asked = AccessKeyRequest {
            name: new.name,
            detail: String::new(),
            permission: new.permission.unwrap_or(CUSTOMER_ADMIN),
            expires,
        };
        let new = self.platform.new_id_and_time();
        let (key, secret) = Entity::<AccessKeys>::generate(&self.core.ids, new, customer, asked);
        self.core.store.commit(vec![key.put()]).await?;
        self.platform.directory.put_key(&key);
        Ok((key.public, secret))
    }

    /// Deletes an access key with effect from the next request.
    ///
    /// # Errors
    /// If the customer has no such key.
    pub async fn delete_access_key(&self, customer: Uuid, key: Uuid) -> Result<(), ControlError> {
        let _turn = self.platform.changes.lock().await;
        let mut key = self.entity_of::<AccessKeys>(customer, key, "access key").await?;
        key.mark_deleted(self.platform.timestamps.next());
        self.core.store.commit(vec![key.put()]).await?;
        self.platform.directory.put_key(&key);
        Ok(())
    }

    /// Returns the phone numbers of a customer, newest first.
    ///
    /// # Errors
    /// If there is no such customer.
    pub async fn phone_numbers(&self, customer: Uuid) -> Result<Vec<Number>, ControlError> {
        self.list_of::<PhoneNumbers>(customer).await
    }

    /// Adds a phone number, a plus and 1 to 15 digits, to a customer. `kind` is `normal` or `virtual`, `status` is
    /// `active` or `suspended`.
    ///
    /// # Errors
    /// If there is no such customer, or a value is not valid.
    pub async fn add_phone_number(
        &self,
        customer: Uuid,
        number: &str,
        kind: &str,
        status: &str,
    ) -> Result<Number, ControlError> {
        self.check_customer(customer)?;
        let digits = number.strip_prefix('+').unwrap_or_default();
        if digits.is_empty() || digits.len() > 15 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ControlError::invalid("number", "must be a plus and 1 to 15 digits"));
        }
        check_one_of("type", kind, &["normal", "virtual"])?;
        check_one_of("status", status, &["active", "suspended"])?;
        let _turn = self.platform.changes.lock().await;
        self.check_customer(customer)?;
        let (id, at) = self.platform.new_id_and_time();
        let kind = NumberKind::from(kind);
        let bought = (kind == NumberKind::Normal).then_some(at);
        let public = Number {
            id,
            customer_id: customer,
            number: number.to_owned(),
            kind,
            call_flow_id: Uuid::nil(),
            message_flow_id: Uuid::nil(),
            name: String::new(),
            detail: String::new(),
            status: NumberStatus::from(status),
            t38_enabled: false,
            emergency_enabled: false,
            metadata: SupportMetadata::default(),
            tm_purchase: bought,
            tm_renew: bought,
            tm_create: Some(at),
            tm_update: None,
            tm_delete: None,
        };
        let number = Entity::<PhoneNumbers>::new(id, customer, at, public, ());
        self.core.store.commit(vec![number.put()]).await?;
        Ok(number.public)
    }

    /// Removes a phone number from a customer.
    ///
    /// # Errors
    /// If the customer has no such number.
    pub async fn remove_phone_number(&self, customer: Uuid, number: Uuid) -> Result<(), ControlError> {
        let _turn = self.platform.changes.lock().await;
        let mut number = self.entity_of::<PhoneNumbers>(customer, number, "phone number").await?;
        mark_released(&mut number, self.platform.timestamps.next());
        self.core.store.commit(vec![number.put()]).await?;
        Ok(())
    }

    /// Issues a token that the login endpoint does not issue.
    ///
    /// # Errors
    /// If there is no such customer.
    pub fn token(&self, customer: Uuid, kind: TokenKind) -> Result<Secret, ControlError> {
        self.check_customer(customer)?;
        let hours = if kind == TokenKind::Direct { 4 } else { 8 };
        let end = self.platform.timestamps.now().after(std::time::Duration::from_hours(hours));
        let claims = match kind {
            TokenKind::Direct => Claims::direct(DirectClaim { customer_id: customer }, end),
            TokenKind::Delegate => {
                Claims::delegate(customer, self.core.ids.request(), self.core.ids.request(), end)
            }
        };
        Ok(Secret::new(sign(&self.platform.signing, &claims)))
    }

    /// Returns the flows of a customer, newest first: those that it keeps, and those that were created with calls. A flow
    /// contains the actions that a call executes once it is answered.
    ///
    /// # Errors
    /// If there is no such customer.
    pub async fn flows(&self, customer: Uuid) -> Result<Vec<Flow>, ControlError> {
        self.list_of::<Flows>(customer).await
    }

    /// Returns what a call of a customer tried at carriers, oldest first: at most 20 attempts, the last ones. A deleted call
    /// keeps them for as long as it is kept itself. Those of an active call are the attempts so far.
    ///
    /// # Errors
    /// If the customer has no such call.
    pub async fn call_tries(&self, customer: Uuid, call: Uuid) -> Result<Vec<CallTry>, ControlError> {
        let found = self.platform.call_with_tries(call).await?;
        let found = found.filter(|(found, _)| found.customer == customer);
        found.map(|(_, tries)| tries).ok_or_else(|| ControlError::NotFound(format!("call {call}")))
    }

    /// Returns the providers whose trunk at the carrier took calls from any address when the carrier's API was last
    /// asked, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn open_providers(&self) -> Result<Vec<OpenProvider>, ControlError> {
        Ok(voipbin_platform::open_providers(&self.platform).await?)
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

fn check_one_of(field: &str, value: &str, allowed: &[&str]) -> Result<(), ControlError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(ControlError::invalid(field, format!("must be one of {}", allowed.join(", "))))
}

fn check_webhook(uri: &str) -> Result<(), ControlError> {
    let is_valid = uri.is_empty()
        || url::Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_valid {
        return Ok(());
    }
    Err(ControlError::invalid("webhook_uri", "must be an http or https URL, or empty for none"))
}
