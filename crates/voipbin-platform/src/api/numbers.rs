//! The endpoints of phone numbers, for the admins and managers of a customer. The control API adds and removes
//! numbers: this server buys none.

use service_core::Retries;
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::{Number, NumberBody, NumberFlows, SupportMetadata};

use super::flows;
use super::texts::{LONG, SHORT, check_lengths};
use crate::entity::{Entity, json_text};
use crate::error::{ApiError, ApiResult, Status};
use crate::records::flows::Flows;
use crate::records::numbers::PhoneNumbers;
use crate::request::{RequestContext, page_of};
use crate::webhooks;

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "NUMBER_NOT_FOUND", "The phone number was not found.")
}

pub(super) async fn list(request: &RequestContext) -> ApiResult {
    let mut query = request.query.page(DocumentKind::Number)?;
    let customer = request.caller.customer();
    request.require_admin_or_manager(customer)?;
    query.key = Some(("customer", customer.to_string()));
    let documents = request.platform.core.store.documents(query).await?;
    page_of::<PhoneNumbers, _>(&documents, Entity::<PhoneNumbers>::shown)
}

pub(super) async fn get(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    Ok(json_text(&own(request, id).await?.shown()))
}

/// Replaces the name, the note and the flows of the number: members that the body leaves out become empty.
pub(super) async fn update(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    change(request, id, &Update::All(request.decode_body()?)).await
}

/// Replaces both flows of the number. The platform does not check them here.
pub(super) async fn update_flows(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    change(request, id, &Update::Flows(request.decode_body()?)).await
}

pub(super) async fn update_metadata(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    change(request, id, &Update::Metadata(request.decode_body()?)).await
}

/// The members of a number that a request replaces.
enum Update {
    All(NumberBody),
    Flows(NumberFlows),
    Metadata(SupportMetadata),
}

impl Update {
    /// Whether the number may take a flow that is written with it.
    fn names_flow(&self) -> bool {
        matches!(self, Self::All(body) if !body.call_flow_id.is_nil() || !body.message_flow_id.is_nil())
    }

    /// Applies the update to a number. Returns the kept flows that the number did not run before.
    ///
    /// # Errors
    /// When a text is too long, or a flow does not exist or belongs to another customer than the caller's.
    async fn apply(
        &self,
        request: &RequestContext,
        number: &mut Number,
    ) -> Result<Vec<Entity<Flows>>, ApiError> {
        let mut added: Vec<Entity<Flows>> = Vec::new();
        match self {
            Self::All(NumberBody { call_flow_id, message_flow_id, name, detail }) => {
                check_lengths(&[("name", name, SHORT), ("detail", detail, LONG)])?;
                for id in [*call_flow_id, *message_flow_id].into_iter().filter(|id| !id.is_nil()) {
                    let flow = flows::existing(request, id).await?;
                    if flow.customer != request.caller.customer() {
                        return Err(ApiError::permission_denied());
                    }
                    let is_known = [number.call_flow_id, number.message_flow_id].contains(&id)
                        || added.iter().any(|known| known.id == id);
                    if flow.private.kept && !is_known {
                        added.push(flow);
                    }
                }
                (number.name, number.detail) = (name.clone(), detail.clone());
                (number.call_flow_id, number.message_flow_id) = (*call_flow_id, *message_flow_id);
            }
            Self::Flows(NumberFlows { call_flow_id, message_flow_id }) => {
                (number.call_flow_id, number.message_flow_id) = (*call_flow_id, *message_flow_id);
            }
            Self::Metadata(metadata) => number.metadata = *metadata,
        }
        Ok(added)
    }
}

/// A number that the caller may read and change. A missing number is reported before a missing permission.
async fn own(request: &RequestContext, id: Uuid) -> Result<Entity<PhoneNumbers>, ApiError> {
    if request.caller.is_direct() {
        return Err(ApiError::direct_access());
    }
    let found = Entity::<PhoneNumbers>::find(&*request.platform.core.store, id).await?;
    let number = found.ok_or_else(not_found)?;
    if number.deleted {
        return Err(ApiError::not_found());
    }
    request.require_admin_or_manager(number.customer)?;
    Ok(number)
}

/// Changes a number, and reports the change to the customer's webhook.
async fn change(request: &RequestContext, id: Uuid, update: &Update) -> ApiResult {
    let platform = &request.platform;
    // Numbers of this server that take one flow at once write it in turn: each write makes all others begin again, and
    // they do so a limited number of times.
    let _turn = if update.names_flow() { Some(platform.changes.lock().await) } else { None };
    Retries::REQUEST
        .run(|| async move {
            let mut number = own(request, id).await?;
            let added = update.apply(request, &mut number.public).await?;
            number.public.tm_update = Some(platform.timestamps.next());
            let text = json_text(&number.shown());
            let event = webhooks::event_of(platform, number.customer, id, "number_updated", &text);
            // A flow is written as it is: its deletion meanwhile, which did not find this number, conflicts.
            let changes = std::iter::once(number.put()).chain(added.iter().map(Entity::put)).chain(event);
            platform.core.commit(changes.collect()).await?;
            Ok(text)
        })
        .await
}
