//! Flows: the actions that calls run once they are answered. A flow is either kept until a client deletes it,
//! or temporary: created together with the calls that run it, and removed with the last of them.

use serde::{Deserialize, Serialize};
use trunk_store::{DocumentKind, DocumentQuery, Documents, StoreError};
use uuid::Uuid;
use voipbin_types::Flow;

use crate::entity::{Entity, Kind};
use crate::records::flow_events::FlowEvent;
use crate::records::numbers::PhoneNumbers;

/// The [`Kind`] of flows: how their documents are stored and found.
pub struct Flows;

/// The private part of a flow.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct FlowPrivate {
    /// Whether a client created the flow, so that it is kept until a client deletes it.
    pub(crate) kept: bool,
    /// The events of a kept flow, oldest first. A flow of an earlier release has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<FlowEvent>,
}

impl Kind for Flows {
    const KIND: DocumentKind = DocumentKind::Flow;
    type Public = Flow;
    type Private = FlowPrivate;

    const KEYS_ARE_FIXED: bool = true;

    /// Retention removes a kept flow only after it was deleted.
    fn is_live(flow: &Entity<Self>) -> bool {
        flow.private.kept && !flow.deleted
    }

    fn keys(flow: &Entity<Self>) -> Vec<(&'static str, String)> {
        let customer = flow.customer.to_string();
        let mut keys = vec![("customer", customer.clone())];
        if flow.private.kept {
            keys.push(("kept", customer));
        }
        keys
    }
}

/// The index key of the kept flows of a customer.
pub(crate) fn kept_key(customer: Uuid) -> (&'static str, String) {
    ("kept", customer.to_string())
}

/// The numbers, of any customer, whose calls or messages run a flow.
pub(crate) async fn numbers_of(
    store: &dyn Documents,
    flow: Uuid,
) -> Result<Vec<Entity<PhoneNumbers>>, StoreError> {
    Entity::list(store, DocumentQuery::with(DocumentKind::Number, "flow", flow.to_string())).await
}
