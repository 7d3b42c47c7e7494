//! What calls do once they are answered. Flows are made with the calls that run them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use voipbin_types::{ActionBody, Timestamp};

use super::api::Asked;
use super::entity::{Entity, Kind, newborn};
use super::error::{ApiError, Status};
use super::run;
use trunk_store::DocumentKind;

/// A flow, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Flow {
    /// Its id, which its calls name.
    pub id: Uuid,
    /// Whose it is.
    pub customer_id: Uuid,
    /// `flow`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `tmp`: it was made for calls.
    pub name: String,
    /// What it was made for.
    pub detail: String,
    /// What is done, in this order.
    pub actions: Vec<ActionBody>,
    /// When it was made.
    pub tm_create: Timestamp,
}

pub struct Flows;

impl Kind for Flows {
    const KIND: DocumentKind = DocumentKind::Flow;
    type Wire = Flow;
    type Own = ();

    fn keys(flow: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", flow.customer.to_string())]
    }
}

pub(crate) fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "FLOW_NOT_FOUND", "The flow was not found.")
}

/// Most actions of a flow. No page of the platform names a limit.
const MOST_ACTIONS: usize = 200;

/// A flow for the actions that came with a request; none when none came. Actions without an id get one.
///
/// # Errors
/// When an action is of no known type, or says something that is not known.
pub(crate) fn temporary(
    asked: &Asked,
    mut actions: Vec<ActionBody>,
    detail: &str,
) -> Result<Option<Entity<Flows>>, ApiError> {
    if actions.is_empty() {
        return Ok(None);
    }
    if actions.len() > MOST_ACTIONS {
        let message = format!("A flow has at most {MOST_ACTIONS} actions.");
        return Err(ApiError::invalid_argument(message));
    }
    run::flow(&actions)
        .map_err(|error| ApiError::new(Status::InvalidArgument, error.reason(), error.to_string()))?;
    for action in actions.iter_mut().filter(|action| action.id.is_nil()) {
        action.id = asked.platform.core.ids.request();
    }
    let customer = asked.caller.customer();
    let (id, at) = newborn(&asked.platform);
    let wire = Flow {
        id,
        customer_id: customer,
        kind: "flow".to_owned(),
        name: "tmp".to_owned(),
        detail: detail.to_owned(),
        actions,
        tm_create: at,
    };
    Ok(Some(Entity::new(id, customer, at, wire, ())))
}
