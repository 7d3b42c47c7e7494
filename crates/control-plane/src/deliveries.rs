//! What became of callbacks.

use uuid::Uuid;

use super::{Control, ControlError};
use trunk_store::{Backlog, Delivery, Owner};

/// Most attempts in one answer.
const MOST: u64 = 1000;

impl Control {
    /// Attempts to call back, newest first, of an account or of all, customers included: at most `limit`, and at most
    /// 1000. URLs are shown without user and password.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn deliveries(&self, account: Option<Uuid>, limit: u64) -> Result<Vec<Delivery>, ControlError> {
        let owner = match account {
            Some(id) => Some(Owner::Account(self.account(id)?.number)),
            None => None,
        };
        Ok(self.core.store.deliveries(owner, limit.min(MOST)).await?)
    }

    /// Attempts to send a customer's webhooks, in the same way. None for a customer that never had one.
    pub async fn webhook_deliveries(
        &self,
        customer: Uuid,
        limit: u64,
    ) -> Result<Vec<Delivery>, ControlError> {
        Ok(self.core.store.deliveries(Some(Owner::Customer(customer)), limit.min(MOST)).await?)
    }

    /// How much of what an account, or everybody, customers included, is to be told is not told yet, and how much was
    /// dropped without being told.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn backlog(&self, account: Option<Uuid>) -> Result<Backlog, ControlError> {
        let owner = match account {
            Some(id) => Some(Owner::Account(self.account(id)?.number)),
            None => None,
        };
        Ok(self.core.store.backlog(owner).await?)
    }

    /// The same of a customer's webhooks. Nothing for a customer that never had one.
    pub async fn webhook_backlog(&self, customer: Uuid) -> Result<Backlog, ControlError> {
        Ok(self.core.store.backlog(Some(Owner::Customer(customer))).await?)
    }
}
