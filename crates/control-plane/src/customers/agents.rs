//! The agents of a customer, who log in with a username and a password.

use didww_types::Secret;
use service_core::{AttemptError, Retries};
use trunk_store::StoreError;
use uuid::Uuid;
use voipbin_platform::{Agent, AgentPrivate, Agents, Entity, hash};

use super::{CUSTOMER_ADMIN, NewCustomer, SUPER_ADMIN};
use crate::{Control, ControlError};

impl Control {
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
        let make = || (self.new_agent(customer, username, password.clone(), permission), ());
        let (agent, ()) = self.add_to(customer, make).await?;
        self.platform.directory.put_agent(&agent);
        Ok(agent.public)
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
        // Servers of one database that start at once do this at the same time.
        let agent = Retries::REQUEST.run(|| self.make_super_admin(username, &password)).await?;
        self.platform.directory.put_agent(&agent);
        Ok(agent.public)
    }

    /// Makes an agent of this name a super admin with this password's hash, or creates one.
    async fn make_super_admin(
        &self,
        username: &str,
        password: &str,
    ) -> Result<Entity<Agents>, AttemptError<ControlError>> {
        let found = Entity::<Agents>::find_by(&*self.core.store, "username", username).await?;
        if let Some(mut agent) = found.filter(|agent| !agent.deleted) {
            password.clone_into(&mut agent.private.password);
            agent.public.permission |= SUPER_ADMIN;
            self.core.store.commit(vec![agent.put()]).await?;
            return Ok(agent);
        }
        let (customer, config) = self.new_customer(NewCustomer::named(username))?;
        let permission = SUPER_ADMIN | CUSTOMER_ADMIN;
        let agent = self.new_agent(customer.id, username, password.to_owned(), permission);
        let created = self.core.store.commit(vec![customer.put(), config.put(), agent.put()]).await;
        match created {
            Ok(_) => {}
            // Another server has created one meanwhile.
            Err(StoreError::Taken(_)) => return Err(StoreError::Conflict.into()),
            Err(error) => return Err(error.into()),
        }
        self.reload(customer.id).await?;
        Ok(agent)
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
}
