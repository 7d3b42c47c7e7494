//! Customers of the communication platform, and what they have: agents, access keys, phone numbers.

use didww_types::Secret;
use didww_types::values::Money;
use serde::Deserialize;
use uuid::Uuid;

use super::{Control, ControlError};
use trunk_store::{DocumentKind, DocumentQuery};
use voipbin_platform::{
    AccessKey, AccessKeyPrivate, AccessKeys, Agent, AgentPrivate, Agents, Claims, Customer, CustomerPrivate,
    CustomerStatus, Customers, DirectClaim, Entity, Flow, Flows, Kind, OutboundConfigs, PhoneNumber,
    PhoneNumbers, Timestamp, WebhookMethod, digest, empty_config, hash, sign,
};

/// Permission bit of a super admin of the platform.
pub const SUPER_ADMIN: u16 = 0x0001;
/// Permission bit of an agent of a customer.
pub const CUSTOMER_AGENT: u16 = 0x0010;
/// Permission bit of an admin of a customer.
pub const CUSTOMER_ADMIN: u16 = 0x0020;
/// Permission bit of a manager of a customer.
pub const CUSTOMER_MANAGER: u16 = 0x0040;

/// A customer to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewCustomer {
    /// A name for people.
    pub name: String,
    /// Whether its identity was verified; it was, unless told otherwise.
    pub identity_verified: bool,
    /// What it has, in US dollars; 1000 unless told otherwise.
    pub balance: Money,
    /// Whether it may do anything.
    pub status: CustomerStatus,
    /// Whether its calls' metadata says `rtp_debug`.
    pub rtp_debug: bool,
    /// Where it is told of its calls; empty for nowhere.
    pub webhook_uri: String,
    /// How its webhook is called.
    pub webhook_method: WebhookMethod,
    /// What its webhooks are signed with.
    pub webhook_secret: Option<Secret>,
}

impl NewCustomer {
    /// A customer that may call: active, verified, with a balance, without a webhook.
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

    /// One that is told of its calls here.
    #[must_use]
    pub fn webhook(mut self, uri: impl Into<String>, secret: Option<Secret>) -> Self {
        self.webhook_uri = uri.into();
        self.webhook_secret = secret;
        self
    }
}

/// Changes to a customer; what is none stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CustomerPatch {
    /// Another name.
    pub name: Option<String>,
    /// Whether it may do anything.
    pub status: Option<CustomerStatus>,
    /// Whether its identity was verified.
    pub identity_verified: Option<bool>,
    /// Another balance.
    pub balance: Option<Money>,
    /// Whether its calls' metadata says `rtp_debug`.
    pub rtp_debug: Option<bool>,
    /// Another address; empty for none.
    pub webhook_uri: Option<String>,
    /// Another method.
    pub webhook_method: Option<WebhookMethod>,
    /// Another signing secret; empty for none.
    pub webhook_secret: Option<Secret>,
}

/// An access key to be made.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NewAccessKey {
    /// A name for people.
    pub name: String,
    /// Its permission bits; those of a customer's admin unless told otherwise, as on the running platform.
    pub permission: Option<u16>,
    /// When it ends, as an instant; never unless told otherwise.
    pub tm_expire: Option<String>,
}

/// A token that no login gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// For one thing; none of the endpoints here takes it.
    Direct,
    /// For somebody who acts for the customer for a while.
    Delegate,
}

impl Control {
    /// Every customer that is not deleted, newest first.
    pub async fn customers(&self) -> Result<Vec<Customer>, ControlError> {
        let query = DocumentQuery::all(DocumentKind::Customer);
        let customers = Entity::<Customers>::list(&*self.core.store, query).await?;
        Ok(customers.into_iter().map(|customer| customer.public).collect())
    }

    /// A customer.
    pub fn customer(&self, id: Uuid) -> Result<Customer, ControlError> {
        let found = self.platform.directory.customer(id);
        found.map(|it| it.public.clone()).ok_or_else(|| ControlError::NotFound(format!("customer {id}")))
    }

    /// A customer as the directory knows it.
    fn known(&self, id: Uuid) -> Result<(), ControlError> {
        let found = self.platform.directory.customer(id);
        found.map(|_| ()).ok_or_else(|| ControlError::NotFound(format!("customer {id}")))
    }

    /// A customer as it is stored, to be changed.
    async fn stored(&self, id: Uuid) -> Result<Entity<Customers>, ControlError> {
        let found = Entity::<Customers>::find(&*self.core.store, id).await?;
        found.filter(|it| !it.deleted).ok_or_else(|| ControlError::NotFound(format!("customer {id}")))
    }

    /// What a customer has of a kind, newest first.
    async fn all_of<K: Kind>(&self, customer: Uuid) -> Result<Vec<Entity<K>>, ControlError> {
        let query = DocumentQuery::with(K::KIND, "customer", customer.to_string());
        Ok(Entity::<K>::list(&*self.core.store, query).await?)
    }

    /// The same as it is told of, if there is such a customer.
    async fn told_of<K: Kind>(&self, customer: Uuid) -> Result<Vec<K::Public>, ControlError> {
        self.known(customer)?;
        Ok(self.all_of::<K>(customer).await?.into_iter().map(|it| it.public).collect())
    }

    /// One thing of a customer, to be changed.
    async fn one_of<K: Kind>(
        &self,
        customer: Uuid,
        id: Uuid,
        what: &'static str,
    ) -> Result<Entity<K>, ControlError> {
        let found = Entity::<K>::find(&*self.core.store, id).await?;
        let found = found.filter(|it| !it.deleted && it.customer == customer);
        found.ok_or_else(|| ControlError::NotFound(format!("{what} {id}")))
    }

    /// Makes a customer, and the empty outbound config that it begins with.
    pub async fn create_customer(&self, new: NewCustomer) -> Result<Customer, ControlError> {
        let platform = &self.platform;
        let _turn = platform.changes.lock().await;
        check_webhook(&new.webhook_uri)?;
        let (id, at) = self.platform.new_id_and_time();
        let public = Customer {
            id,
            name: new.name,
            status: new.status,
            identity_verified: new.identity_verified,
            balance: new.balance,
            rtp_debug: new.rtp_debug,
            webhook_method: new.webhook_method,
            webhook_uri: new.webhook_uri,
            webhook_signed: new.webhook_secret.is_some(),
            tm_create: at.to_string(),
        };
        let frozen_at = (new.status == CustomerStatus::Frozen).then(|| at.as_unix_micros());
        let private = CustomerPrivate { webhook_secret: new.webhook_secret, frozen_at };
        let customer = Entity::<Customers>::new(id, id, at, public, private);
        let (config, at) = self.platform.new_id_and_time();
        let config = empty_config(config, id, at);
        self.core.store.commit(vec![customer.put(), config.put()]).await?;
        self.remember(id).await
    }

    /// Changes a customer, from the next request and call on.
    pub async fn update_customer(&self, id: Uuid, patch: CustomerPatch) -> Result<Customer, ControlError> {
        let _turn = self.platform.changes.lock().await;
        let mut customer = self.stored(id).await?;
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
        public.webhook_method = webhook_method.unwrap_or(public.webhook_method);
        self.core.store.commit(vec![customer.put()]).await?;
        self.remember(id).await
    }

    /// Deletes a customer with its agents, keys, numbers and outbound config. Its calls stay.
    pub async fn delete_customer(&self, id: Uuid) -> Result<(), ControlError> {
        let platform = &self.platform;
        let _turn = platform.changes.lock().await;
        let mut customer = self.stored(id).await?;
        customer.deleted = true;
        let mut changes = vec![customer.put()];
        let mut agents = self.all_of::<Agents>(id).await?;
        for agent in &mut agents {
            agent.deleted = true;
            changes.push(agent.put());
        }
        let mut keys = self.all_of::<AccessKeys>(id).await?;
        for key in &mut keys {
            key.deleted = true;
            changes.push(key.put());
        }
        for mut number in self.all_of::<PhoneNumbers>(id).await? {
            number.deleted = true;
            changes.push(number.put());
        }
        for mut config in self.all_of::<OutboundConfigs>(id).await? {
            config.deleted = true;
            config.public.tm_delete = Some(platform.timestamps.next());
            changes.push(config.put());
        }
        self.core.store.commit(changes).await?;
        for agent in &agents {
            platform.directory.put_agent(agent);
        }
        for key in &keys {
            platform.directory.put_key(key);
        }
        self.remember(id).await.map(|_| ())
    }

    /// Reads a customer again into the directory.
    async fn remember(&self, id: Uuid) -> Result<Customer, ControlError> {
        let found = Entity::<Customers>::find(&*self.core.store, id).await?;
        let customer = found.ok_or_else(|| ControlError::NotFound(format!("customer {id}")))?;
        self.platform.directory.put(customer.clone());
        Ok(customer.public)
    }

    /// The agents of a customer, newest first.
    pub async fn agents(&self, customer: Uuid) -> Result<Vec<Agent>, ControlError> {
        self.told_of::<Agents>(customer).await
    }

    /// Makes an agent, who can log in from now on.
    pub async fn create_agent(
        &self,
        customer: Uuid,
        username: &str,
        password: Secret,
        permission: u16,
    ) -> Result<Agent, ControlError> {
        self.known(customer)?;
        if username.trim().is_empty() {
            return Err(ControlError::invalid("username", "must not be empty"));
        }
        if password.expose().is_empty() {
            return Err(ControlError::invalid("password", "must not be empty"));
        }
        let hashed = hash(&self.platform, password).await;
        let password = hashed.ok_or_else(|| ControlError::invalid("password", "could not be hashed"))?;
        let _turn = self.platform.changes.lock().await;
        self.known(customer)?;
        let (id, at) = self.platform.new_id_and_time();
        let public = Agent {
            id,
            customer_id: customer,
            username: username.to_owned(),
            permission,
            tm_create: at.to_string(),
        };
        let agent = Entity::<Agents>::new(id, customer, at, public, AgentPrivate { password });
        self.core.store.commit(vec![agent.put()]).await?;
        self.platform.directory.put_agent(&agent);
        Ok(agent.public)
    }

    /// Makes sure that there is a super admin with this username and password: an active and verified customer with
    /// a balance and its agent are made if there is no agent of the name.
    pub async fn ensure_super_admin(&self, username: &str, password: Secret) -> Result<Agent, ControlError> {
        let found = Entity::<Agents>::find_by(&*self.core.store, "username", username).await?;
        let Some(mut agent) = found.filter(|agent| !agent.deleted) else {
            let customer = self.create_customer(NewCustomer::named(username)).await?;
            return self.create_agent(customer.id, username, password, SUPER_ADMIN | CUSTOMER_ADMIN).await;
        };
        let hashed = hash(&self.platform, password).await;
        agent.private.password =
            hashed.ok_or_else(|| ControlError::invalid("password", "could not be hashed"))?;
        agent.public.permission |= SUPER_ADMIN;
        self.core.store.commit(vec![agent.put()]).await?;
        self.platform.directory.put_agent(&agent);
        Ok(agent.public)
    }

    /// The access keys of a customer, newest first. The keys themselves are not kept.
    pub async fn access_keys(&self, customer: Uuid) -> Result<Vec<AccessKey>, ControlError> {
        self.told_of::<AccessKeys>(customer).await
    }

    /// Makes an access key. It is told once.
    pub async fn create_access_key(
        &self,
        customer: Uuid,
        new: NewAccessKey,
    ) -> Result<(AccessKey, Secret), ControlError> {
        self.known(customer)?;
        let expires = new.tm_expire.as_deref().map(str::parse::<Timestamp>).transpose();
        let expires = expires.map_err(|error| ControlError::invalid("tm_expire", error.to_string()))?;
        let secret = Secret::new(format!("vb_{}", self.core.ids.token().expose()));
        let _turn = self.platform.changes.lock().await;
        self.known(customer)?;
        let (id, at) = self.platform.new_id_and_time();
        let public = AccessKey {
            id,
            customer_id: customer,
            name: new.name,
            permission: new.permission.unwrap_or(CUSTOMER_ADMIN),
            tm_expire: expires.map(|at| at.to_string()),
            tm_create: at.to_string(),
        };
        let private = AccessKeyPrivate {
            digest: digest(secret.expose()),
            expires: expires.map(Timestamp::as_unix_micros),
        };
        let key = Entity::<AccessKeys>::new(id, customer, at, public, private);
        self.core.store.commit(vec![key.put()]).await?;
        self.platform.directory.put_key(&key);
        Ok((key.public, secret))
    }

    /// Takes an access key away, from the next request on.
    pub async fn delete_access_key(&self, customer: Uuid, key: Uuid) -> Result<(), ControlError> {
        let _turn = self.platform.changes.lock().await;
        let mut key = self.one_of::<AccessKeys>(customer, key, "access key").await?;
        key.deleted = true;
        self.core.store.commit(vec![key.put()]).await?;
        self.platform.directory.put_key(&key);
        Ok(())
    }

    /// The phone numbers of a customer, newest first.
    pub async fn phone_numbers(&self, customer: Uuid) -> Result<Vec<PhoneNumber>, ControlError> {
        self.told_of::<PhoneNumbers>(customer).await
    }

    /// Gives a customer a phone number, with its plus. `kind` is `normal` or `virtual`, `status` is `active` or
    /// `suspended`.
    pub async fn add_phone_number(
        &self,
        customer: Uuid,
        number: &str,
        kind: &str,
        status: &str,
    ) -> Result<PhoneNumber, ControlError> {
        self.known(customer)?;
        let digits = number.strip_prefix('+').unwrap_or_default();
        if digits.is_empty() || digits.len() > 15 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ControlError::invalid("number", "must be a plus and 1 to 15 digits"));
        }
        among("type", kind, &["normal", "virtual"])?;
        among("status", status, &["active", "suspended"])?;
        let _turn = self.platform.changes.lock().await;
        self.known(customer)?;
        let (id, at) = self.platform.new_id_and_time();
        let public = PhoneNumber {
            id,
            customer_id: customer,
            number: number.to_owned(),
            kind: kind.to_owned(),
            status: status.to_owned(),
            tm_create: at.to_string(),
        };
        let number = Entity::<PhoneNumbers>::new(id, customer, at, public, ());
        self.core.store.commit(vec![number.put()]).await?;
        Ok(number.public)
    }

    /// Takes a phone number away.
    pub async fn remove_phone_number(&self, customer: Uuid, number: Uuid) -> Result<(), ControlError> {
        let mut number = self.one_of::<PhoneNumbers>(customer, number, "phone number").await?;
        number.deleted = true;
        self.core.store.commit(vec![number.put()]).await?;
        Ok(())
    }

    /// Makes a token that no login gives.
    pub fn token(&self, customer: Uuid, kind: TokenKind) -> Result<Secret, ControlError> {
        self.known(customer)?;
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

    /// What calls of a customer do once they are answered, newest first. They are made with the calls.
    pub async fn flows(&self, customer: Uuid) -> Result<Vec<Flow>, ControlError> {
        self.told_of::<Flows>(customer).await
    }

    /// Asks every provider now whether it is there, and notes what came of it. Gives how many there are.
    pub async fn probe_providers(&self) -> Result<usize, ControlError> {
        Ok(voipbin_platform::probe_all(&self.platform).await?)
    }
}

fn among(field: &str, value: &str, known: &[&str]) -> Result<(), ControlError> {
    if known.contains(&value) {
        return Ok(());
    }
    Err(ControlError::invalid(field, format!("must be one of {}", known.join(", "))))
}

fn check_webhook(uri: &str) -> Result<(), ControlError> {
    let good = uri.is_empty()
        || url::Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if good {
        return Ok(());
    }
    Err(ControlError::invalid("webhook_uri", "must be an http or https URL, or empty for none"))
}
