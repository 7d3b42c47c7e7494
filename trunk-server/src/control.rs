//! What DIDWW's staff, time and the real world do to an account.
//!
//! Each act is a method of [`Control`] and an endpoint of the control listener. Nothing on the public listener
//! leads here.

mod accounts;
#[cfg(feature = "sip")]
mod calls;
#[cfg(feature = "voipbin")]
mod customer_routes;
#[cfg(feature = "voipbin")]
pub mod customers;
mod deliveries;
mod dids;
mod error;
mod guard;
mod routes;
mod trunks;

use std::sync::Arc;

use uuid::Uuid;

use crate::account::Account;
use crate::app::App;
use crate::clock::Clock;

pub use accounts::{AccountPatch, NewAccount};
pub use dids::{DidPatch, NewDid};
pub use error::ControlError;
pub use guard::Guard;
pub(crate) use routes::control_router;

/// Acts upon a running server.
#[derive(Debug, Clone)]
pub struct Control {
    app: Arc<App>,
}

impl Control {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// The server's time, to freeze and advance.
    pub fn clock(&self) -> &Clock {
        &self.app.clock
    }

    /// Deletes every record, of one account or of all. Accounts and keys stay.
    pub async fn reset(&self, account: Option<Uuid>) -> Result<(), ControlError> {
        let number = match account {
            Some(id) => Some(self.account(id)?.number),
            None => None,
        };
        #[cfg(feature = "voipbin")]
        if number.is_none() {
            // What is up would go on without anybody knowing of it.
            self.app.platform.live.hang_up_all(crate::voipbin::HANGING_UP).await;
        }
        Ok(self.app.store.reset(number, false).await?)
    }

    /// The account of an id.
    pub fn account(&self, id: Uuid) -> Result<Arc<Account>, ControlError> {
        let found = self.app.store.accounts().into_iter().find(|account| account.id == id);
        found.ok_or_else(|| ControlError::NotFound(format!("account {id}")))
    }
}
