//! The control plane: changes that DIDWW's staff, the passing of time and the outside world make, and that no request
//! of an account's owner can make.
//!
//! It creates accounts, keys, DIDs, records of other declared types and customers, changes members that their owners
//! cannot, reviews verifications, resets records, sets the clock, and reports calls and deliveries of callbacks. Each
//! operation is a method of [`Control`] and an endpoint of the control listener, which serves programs on this machine
//! or clients with the control token, and no web pages except the operator's own, which the composition root supplies.
//! The public listener does not expose it. The crate changes records directly, without the rules for requests of their
//! owners, and does not decide on calls.
//!
//! Loops that clients feed, and their bounds: a body (4 MiB within `Limits::body_deadline`); DIDs in one request
//! (10,000); records of a world (10,000); rates of an account (10,000); a listing of call records (10,000), calls to
//! DIDs, deliveries, SIP messages, or entries of the journal or the audit (1,000 each); wrong tokens
//! (`Limits::guesses`); followers of call records, which lose the oldest records when they are too slow; subscribers of
//! events (64), likewise; and followers of the journal and requests that wait for entries of it (64 together).

// Tests may read a bounded number of packets with methods that are disallowed elsewhere.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod accounts;
mod answers;
#[cfg(feature = "sip")]
mod attempts;
mod audit;
mod auth;
mod balances;
#[cfg(feature = "sip")]
mod call_events;
mod callback_secrets;
#[cfg(feature = "sip")]
mod calls;
mod control_token;
#[cfg(feature = "voipbin")]
mod customer_routes;
#[cfg(feature = "voipbin")]
pub mod customers;
mod deliveries;
mod did_changes;
mod did_groups;
mod dids;
mod error;
mod events;
mod faults;
#[cfg(test)]
mod fixture;
mod history;
mod idempotency;
#[cfg(feature = "sip")]
mod inbound;
mod journal;
#[cfg(feature = "sip")]
mod messages;
mod nodes;
mod orders;
mod owners_api;
#[cfg(not(feature = "voipbin"))]
mod platform_absent;
#[cfg(feature = "voipbin")]
mod platform_world;
mod rates;
mod records;
mod renewals;
mod request_counts;
mod respond;
mod route;
mod routes;
mod stock;
mod token_keys;
mod trunk_survey;
mod trunks;
mod verifications;
mod without_secrets;
mod world;

use std::sync::Arc;

use http_listener::RequestCounts;
use lab::Lab;
use service_base::clock::Clock;
use service_core::{Core, exports, files, inbound_records, reference};
use trunk_store::account::{Account, Environment};
use uuid::Uuid;

pub use accounts::{AccountPatch, NewAccount, NewKey};
pub use auth::ControlAuth;
pub use callback_secrets::NewCallbackSecret;
pub use control_token::ControlToken;
pub use dids::{DidPatch, NewDid};
pub use error::ControlError;
#[cfg(feature = "sip")]
pub use messages::{RecentMessage, RecentMessages};
pub use nodes::NodeState;
pub use orders::order_jobs;
pub use owners_api::OwnersApi;
pub use records::RecordMembers;
pub use request_counts::{CountedRequests, CountedRoute, ListenerCounts};
pub use routes::{control_router, openapi, paths};
pub use service_core::audit::{AuditedBy, AuditedChange};
pub use service_core::audit_log::{AuditEntry, AuditPage, AuditQuery};
pub use service_core::price_plans::AccountRate;
pub use trunk_rules::domain::Review;
pub use trunk_survey::{OpenTrunk, OpenTrunks, TrunkPass, TrunkSurvey};
pub use world::{
    HexDigest, LoadedAccount, LoadedWorld, Records, Related, SCENARIOS, SaveOptions, Scenario, World,
    WorldAccount, WorldConfig, WorldCustomer, WorldError, WorldKey, WorldPlatform, WorldProvider, WorldRate,
    WorldRecord, WorldRoute, scenario,
};

/// Controls a running server. Clones control the same server.
#[derive(Debug, Clone)]
pub struct Control {
    core: Arc<Core>,
    /// The environment of new keys.
    environment: Environment,
    /// Held while an account is read and saved, so that concurrent changes by this server do not conflict. The store
    /// ensures that no change undoes another one, of this server or of another.
    account_changes: Arc<tokio::sync::Mutex<()>>,
    lab: Lab,
    /// Empty if the server counts no requests.
    request_counts: Vec<Arc<RequestCounts>>,
    #[cfg(feature = "voipbin")]
    platform: Arc<voipbin_platform::Platform>,
    /// `None` if the server does not listen for SIP.
    #[cfg(feature = "sip")]
    edge: Option<carrier_edge::Handle>,
    /// `None` if the server stores no SIP messages.
    #[cfg(feature = "sip")]
    messages: Option<Arc<carrier_edge::MessageLog>>,
    /// `None` if the server places no calls to DIDs.
    #[cfg(feature = "sip")]
    inbound: Option<Arc<inbound_calls::InboundCalls>>,
}

impl Control {
    /// Creates the control of a server. `edge` is `None` if the server does not listen for SIP, `messages` if it stores
    /// no SIP messages.
    pub fn new(
        core: Arc<Core>,
        #[cfg(feature = "voipbin")] platform: Arc<voipbin_platform::Platform>,
        #[cfg(feature = "sip")] edge: Option<carrier_edge::Handle>,
        #[cfg(feature = "sip")] messages: Option<Arc<carrier_edge::MessageLog>>,
    ) -> Self {
        Self {
            core,
            environment: Environment::default(),
            account_changes: Arc::default(),
            lab: Lab::default(),
            request_counts: Vec::new(),
            #[cfg(feature = "voipbin")]
            platform,
            #[cfg(feature = "sip")]
            edge,
            #[cfg(feature = "sip")]
            messages,
            #[cfg(feature = "sip")]
            inbound: None,
        }
    }

    /// Sets the calls that the server places to DIDs; by default it places none.
    #[cfg(feature = "sip")]
    #[must_use]
    pub fn with_inbound_calls(mut self, calls: Arc<inbound_calls::InboundCalls>) -> Self {
        self.inbound = Some(calls);
        self
    }

    /// Sets the environment of the server, which new keys belong to; by default production.
    #[must_use]
    pub fn of_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Sets the lab of the server; by default one without faults and journal.
    #[must_use]
    pub fn with_lab(mut self, lab: Lab) -> Self {
        self.lab = lab;
        self
    }

    /// Returns the server's clock, which can be frozen and advanced.
    pub fn clock(&self) -> &Clock {
        &self.core.clock
    }

    /// Deletes all records of one account, or of all accounts if `account` is `None`. Accounts and keys remain. The
    /// numbers that one account had ordered are in stock again.
    ///
    /// # Errors
    /// If there is no such account, or the store fails.
    pub async fn reset(&self, account: Option<Uuid>) -> Result<(), ControlError> {
        let number = match account {
            Some(id) => Some(self.account(id).await?.number),
            None => None,
        };
        #[cfg(feature = "voipbin")]
        if number.is_none() {
            // Otherwise active calls of the platform would continue without a record of them.
            self.platform.hang_up_all(voipbin_platform::HANG_UP_TIMEOUT).await?;
        }
        self.end_calls_to_dids(account).await?;
        if let Some(id) = account {
            files::forget_all(&self.core, id).await?;
        }
        match number {
            Some(number) => stock::clear(&self.core, number, false).await?,
            None => self.core.store.reset(None, false).await?,
        }
        if let Some(id) = account {
            // Files that were uploaded meanwhile, and calls that found their DID before it was deleted.
            files::forget_all(&self.core, id).await?;
            exports::parts::forget_all(&self.core, id).await?;
            self.end_calls_to_dids(account).await?;
        }
        if number.is_none() {
            reference::store_fixed(&self.core).await?;
        }
        Ok(())
    }

    /// Hangs up the calls to the DIDs of an account, or of all, and deletes their records.
    async fn end_calls_to_dids(&self, account: Option<Uuid>) -> Result<(), ControlError> {
        #[cfg(feature = "sip")]
        if let Some(inbound) = &self.inbound {
            inbound.reset(account).await?;
        }
        // Also of a server without SIP: its database may have records of one with it.
        if let Some(account) = account {
            inbound_records::forget_all(&self.core, account).await?;
        }
        Ok(())
    }

    /// Returns the account with this id.
    ///
    /// # Errors
    /// If there is no such account, or the store fails.
    pub async fn account(&self, id: Uuid) -> Result<Arc<Account>, ControlError> {
        let found = self.core.store.account(id).await?;
        found.ok_or_else(|| ControlError::NotFound(format!("account {id}")))
    }
}
