//! The way of a call until it is dialled: what is known is put before the rules, for each destination.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use trunk_rules::outbound::{self, Decision, Destination, Refusal, Snapshot};
use uuid::Uuid;
use voipbin_client::types::{
    Action, Address, AddressKind, Anonymous, BASIC, Call, CallDirection, CallKind, CallStatus,
};

use super::api::Asked;
use super::calls::{CallOwn, Calls};
use super::customers::{Customers, CustomerStatus, PhoneNumbers};
use super::entity::Entity;
use super::error::ApiError;
use super::flows::Flows;
use super::providers::Providers;
use super::{outbound_configs, routes};

/// What calls are to be placed.
pub(super) struct Order<'a> {
    pub(super) flow_id: Uuid,
    /// The flow, if it is one of the customer's.
    pub(super) flow: Option<&'a Entity<Flows>>,
    pub(super) source: Option<&'a Address>,
    pub(super) destinations: &'a [Address],
    pub(super) anonymous: Option<&'a Anonymous>,
    /// The one provider that takes them, whatever the routes say; then the source is taken as it is.
    pub(super) provider: Option<Uuid>,
}

/// The calls that can be placed, and what was in the way of the others.
#[derive(Default)]
pub(super) struct Planned {
    pub(super) calls: Vec<Entity<Calls>>,
    pub(super) refused: Vec<Refusal>,
}

impl Planned {
    /// What is said when no call could be placed.
    pub(super) fn refusal(&self) -> ApiError {
        let not_listed = |refusal: &Refusal| *refusal == Refusal::NotWhitelisted;
        if !self.refused.is_empty() && self.refused.iter().all(not_listed) {
            return ApiError::invalid_argument(Refusal::NotWhitelisted.to_string());
        }
        ApiError::invalid_data()
    }
}
