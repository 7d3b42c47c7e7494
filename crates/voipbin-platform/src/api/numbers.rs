//! The endpoints of phone numbers, for the admins and managers of a customer. The control API adds and removes
//! numbers: this server buys none.

use service_core::Retries;
use trunk_store::{Change, DocumentKind};
use uuid::Uuid;
use voipbin_types::{NumberBody, NumberFlows, SupportMetadata};

use super::flows;
use super::texts::{LONG, SHORT, check_lengths};
use crate::entity::{Entity, json_text};
use crate::error::{ApiError, ApiResult, Status};
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
    let body: NumberBody = request.decode_body()?;
    let body = &body;
    change(request, id, async |number| {
        check_lengths(&[("name", &body.name, SHORT), ("detail", &body.detail, LONG)])?;
        for flow in [body.call_flow_id, body.message_flow_id].into_iter().filter(|flow| !flow.is_nil()) {
            let flow = flows::existing(request, flow).await?;
            if flow.customer != request.caller.customer() {
                return Err(ApiError::permission_denied());
            }
        }
        let public = &mut number.public;
        (public.name, public.detail) = (body.name.clone(), body.detail.clone());
        (public.call_flow_id, public.message_flow_id) = (body.call_flow_id, body.message_flow_id);
        Ok(())
    })
    .await
}

/// Replaces both flows of the number. The platform does not check them here.
pub(super) async fn update_flows(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    let body: NumberFlows = request.decode_body()?;
    change(request, id, async |number| {
        let NumberFlows { call_flow_id, message_flow_id } = body;
        (number.public.call_flow_id, number.public.message_flow_id) = (call_flow_id, message_flow_id);
        Ok(())
    })
    .await
}

pub(super) async fn update_metadata(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    let body: SupportMetadata = request.decode_body()?;
    change(request, id, async |number| {
        number.public.metadata = body;
        Ok(())
    })
    .await
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
async fn change(
    request: &RequestContext,
    id: Uuid,
    apply: impl AsyncFn(&mut Entity<PhoneNumbers>) -> Result<(), ApiError>,
) -> ApiResult {
    let (platform, apply) = (&request.platform, &apply);
    Retries::REQUEST
        .run(|| async move {
            let mut number = own(request, id).await?;
            apply(&mut number).await?;
            number.public.tm_update = Some(platform.timestamps.next());
            let text = json_text(&number.shown());
            let event = webhooks::event_of(platform, number.customer, id, "number_updated", &text);
            let changes: Vec<Change> = std::iter::once(number.put()).chain(event).collect();
            platform.core.commit(changes).await?;
            Ok(text)
        })
        .await
}
