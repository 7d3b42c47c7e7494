//! What DIDWW's staff, time and the real world do to an account.
//!
//! Each act is a method of [`Control`] and an endpoint of the control listener. Nothing on the public listener
//! leads here.

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

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

use service_base::clock::Clock;
use service_core::Core;
use trunk_store::account::Account;

pub use accounts::{AccountPatch, NewAccount};
pub use dids::{DidPatch, NewDid};
pub use error::ControlError;
pub use guard::Guard;
pub use routes::control_router;

/// Acts upon a running server.
#[derive(Debug, Clone)]
pub struct Control {
    core: Arc<Core>,
    #[cfg(feature = "voipbin")]
    platform: Arc<voipbin_platform::Platform>,
    /// None when no SIP is taken.
    #[cfg(feature = "sip")]
    edge: Option<carrier_edge::Handle>,
}

impl Control {
    pub fn new(
        core: Arc<Core>,
        #[cfg(feature = "voipbin")] platform: Arc<voipbin_platform::Platform>,
        #[cfg(feature = "sip")] edge: Option<carrier_edge::Handle>,
    ) -> Self {
        Self {
            core,
            #[cfg(feature = "voipbin")]
            platform,
            #[cfg(feature = "sip")]
            edge,
        }
    }

    /// The server's time, to freeze and advance.
    pub fn clock(&self) -> &Clock {
        &self.core.clock
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
            self.platform.active_calls.hang_up_all(voipbin_platform::HANG_UP_TIMEOUT).await;
        }
        Ok(self.core.store.reset(number, false).await?)
    }

    /// The account of an id.
    pub fn account(&self, id: Uuid) -> Result<Arc<Account>, ControlError> {
        let found = self.core.store.accounts().into_iter().find(|account| account.id == id);
        found.ok_or_else(|| ControlError::NotFound(format!("account {id}")))
    }
}
