//! The endpoints of calls, for the admins and managers of a customer. `engine` places and runs the calls.

use service_core::Retries;
use trunk_store::DocumentKind;
use voipbin_types::{AddressKind, CallCreate, CallsCreated};

use super::call_flow::{self, ChosenFlow};
use super::texts::check_addresses;
use super::variables;
use crate::active_calls::Command;
use crate::call_plan::{self, Order};
use crate::engine;
use crate::entity::{Entity, json_text};
use crate::error::{ApiError, ApiResult, Status};
use crate::other_nodes;
use crate::records::calls::Calls;
use crate::request::{RequestContext, page};
use crate::webhooks::event;

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "CALL_NOT_FOUND", "The call was not found.")
}

pub(super) async fn list(request: &RequestContext) -> ApiResult {
    let mut query = request.query.page(DocumentKind::Call)?;
    let customer = request.caller.customer();
    request.require_admin_or_manager(customer)?;
    query.key = Some(("customer", customer.to_string()));
    page(&request.platform.core.store.documents(query).await?)
}

pub(super) async fn create(request: &RequestContext) -> ApiResult {
    let body: CallCreate = request.decode_body()?;
    variables::check(&body.variables)?;
    let customer = request.caller.customer();
    request.require_admin_or_manager(customer)?;
    let owner = request.platform.directory.customer(customer).ok_or_else(ApiError::not_found)?;
    let to_numbers = body.destinations.iter().any(|address| address.kind == AddressKind::Tel);
    if to_numbers && !owner.public.identity_verified {
        return Err(ApiError::identity_verification());
    }
    check_addresses(body.source.as_ref(), &body.destinations)?;
    let ChosenFlow { flow, change } =
        call_flow::choose(request, body.flow_id, body.actions, "tmp outbound flow").await?;
    let order = Order {
        flow: flow.as_ref(),
        source: body.source.as_ref(),
        destinations: &body.destinations,
        anonymous: body.anonymous.as_ref(),
        provider: None,
    };
    let planned = call_plan::plan(&request.platform, &owner, &order).await?;
    let mut changes: Vec<_> = change.into_iter().collect();
    changes.extend(engine::creation_changes(&request.platform, &planned));
    let created = CallsCreated {
        calls: planned.iter().map(|call| call.public.clone()).collect(),
        groupcalls: Vec::new(),
    };
    engine::place(&request.platform, planned, changes).await?;
    Ok(json_text(&created))
}

/// The call with the id in the path, if it is not deleted and the caller may see it. A missing call is
/// reported before a missing permission.
async fn find(request: &RequestContext) -> Result<Entity<Calls>, ApiError> {
    let id = request.text_id()?;
    if request.caller.is_direct() {
        return Err(ApiError::direct_access());
    }
    let call = Entity::<Calls>::find(&*request.platform.core.store, id).await?.ok_or_else(not_found)?;
    request.require_admin_or_manager(call.customer)?;
    if call.deleted { Err(ApiError::state_invalid()) } else { Ok(call) }
}

pub(super) async fn get(request: &RequestContext) -> ApiResult {
    Ok(find(request).await?.public_json())
}

pub(super) async fn hang_up(request: &RequestContext) -> ApiResult {
    let call = find(request).await?;
    if let Some(answer) = request.platform.active_calls.send_command(call.id, Command::HangUp).await {
        return answer;
    }
    // The call has ended, and hanging up changes nothing, or another node ends it.
    let call = find(request).await?;
    if let Some(hang_up) = other_nodes::hang_up(&request.platform, &call) {
        request.platform.core.commit(vec![hang_up]).await?;
    }
    Ok(call.public_json())
}

pub(super) async fn delete(request: &RequestContext) -> ApiResult {
    let call = find(request).await?;
    if let Some(answer) = request.platform.active_calls.send_command(call.id, Command::Delete).await {
        return answer;
    }
    // The node that runs it may change it meanwhile; the request is not refused for that.
    Retries::REQUEST
        .run(|| async move {
            let mut call = find(request).await?;
            call.mark_deleted(request.platform.timestamps.next());
            let event = event(&request.platform, &call, "call_deleted");
            let hang_up = other_nodes::hang_up(&request.platform, &call);
            let changes = std::iter::once(call.put()).chain(event).chain(hang_up).collect();
            request.platform.core.commit(changes).await?;
            Ok(call.public_json())
        })
        .await
}
