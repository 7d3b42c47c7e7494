//! Delivery attempts of callbacks and webhooks.

use trunk_store::{Backlog, Delivery, Owner};
use uuid::Uuid;

use crate::{Control, ControlError};

/// Maximum number of attempts in one listing.
const MAX_DELIVERIES: u64 = 1000;

impl Control {
    /// Returns delivery attempts, newest first: those of an account, or of all accounts and customers if `account` is
    /// `None`. There are at most `limit`, and at most 1000. URLs have no user and password.
    ///
    /// # Errors
    /// If there is no such account, or the store fails.
    pub async fn deliveries(&self, account: Option<Uuid>, limit: u64) -> Result<Vec<Delivery>, ControlError> {
        let owner = match account {
            Some(id) => Some(Owner::Account(self.account(id).await?.number)),
            None => None,
        };
        Ok(self.core.store.deliveries(owner, limit.min(MAX_DELIVERIES)).await?)
    }

    /// Returns the delivery attempts of a customer's webhooks in the same way. The list is empty for an unknown
    /// customer and for one that never had a webhook.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn webhook_deliveries(
        &self,
        customer: Uuid,
        limit: u64,
    ) -> Result<Vec<Delivery>, ControlError> {
        Ok(self.core.store.deliveries(Some(Owner::Customer(customer)), limit.min(MAX_DELIVERIES)).await?)
    }

    /// Returns the number of events that wait for delivery and of those that were dropped undelivered: for an account,
    /// or for all accounts and customers if `account` is `None`.
    ///
    /// # Errors
    /// If there is no such account, or the store fails.
    pub async fn backlog(&self, account: Option<Uuid>) -> Result<Backlog, ControlError> {
        let owner = match account {
            Some(id) => Some(Owner::Account(self.account(id).await?.number)),
            None => None,
        };
        Ok(self.core.store.backlog(owner).await?)
    }

    /// Returns the same numbers for a customer's webhooks. They are 0 for an unknown customer and for one that never
    /// had a webhook.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn webhook_backlog(&self, customer: Uuid) -> Result<Backlog, ControlError> {
        Ok(self.core.store.backlog(Some(Owner::Customer(customer))).await?)
    }
}
