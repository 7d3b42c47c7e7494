//! What became of callbacks.

use uuid::Uuid;

use super::{Control, ControlError};
use crate::store::Delivery;

/// Most attempts in one answer.
const MOST: u64 = 1000;

impl Control {
    /// Attempts to call back, newest first, of an account or of all: at most `limit`, and at most 1000. URLs are
    /// shown without user and password.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn deliveries(&self, account: Option<Uuid>, limit: u64) -> Result<Vec<Delivery>, ControlError> {
        let number = match account {
            Some(id) => Some(self.account(id)?.number),
            None => None,
        };
        Ok(self.app.store.deliveries(number, limit.min(MOST)).await?)
    }
}
