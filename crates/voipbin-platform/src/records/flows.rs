//! Flows: the actions that calls run once they are answered. A flow is created together with the calls that
//! run it.

use serde::{Deserialize, Serialize};
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::{ActionBody, Timestamp};

use crate::entity::{Entity, Kind};

/// A flow, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Flow {
    /// The id that calls carry as `flow_id`.
    pub id: Uuid,
    /// The customer that the flow belongs to.
    pub customer_id: Uuid,
    /// Always `flow`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Always `tmp`: the flow was created for the calls of one request.
    pub name: String,
    /// The kind of request that created the flow, such as `tmp outbound flow`.
    pub detail: String,
    /// The actions, in the order in which they run unless one names another successor.
    pub actions: Vec<ActionBody>,
    /// When the flow was created.
    pub tm_create: Timestamp,
}

/// The [`Kind`] of flows.
pub struct Flows;

impl Kind for Flows {
    const KIND: DocumentKind = DocumentKind::Flow;
    type Public = Flow;
    type Private = ();

    fn keys(flow: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", flow.customer.to_string())]
    }
}
