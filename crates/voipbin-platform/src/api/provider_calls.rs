//! The endpoints of provider calls: test calls through one named provider. Only super admins may use them.

use service_core::Retries;
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::{Anonymous, ProviderCall, ProviderCallCreate};

use super::call_flow::{self, ChosenFlow};
use super::texts::{WORD, check_addresses, check_lengths};
use crate::call_plan::{self, Order};
use crate::engine;
use crate::entity::Entity;
use crate::error::{ApiError, ApiResult, Status};
use crate::records::provider_calls::ProviderCalls;
use crate::request::{RequestContext, page};

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "PROVIDERCALL_NOT_FOUND", "The provider call was not found.")
}

pub(super) async fn list(request: &RequestContext) -> ApiResult {
    let mut query = request.query.page(DocumentKind::ProviderCall)?;
    query.key = request.query.id("provider_id")?.map(|provider| ("provider", provider.to_string()));
    request.caller.require_super_admin()?;
    page(&request.platform.core.store.documents(query).await?)
}

pub(super) async fn get(request: &RequestContext) -> ApiResult {
    let id = request.typed_id()?;
    if id.is_nil() {
        return Err(ApiError::invalid_id());
    }
    request.caller.require_super_admin()?;
    Ok(Entity::<ProviderCalls>::find(&*request.platform.core.store, id)
        .await?
        .ok_or_else(not_found)?
        .public_json())
}

/// Marks the record as deleted. Its calls continue.
pub(super) async fn delete(request: &RequestContext) -> ApiResult {
    let id = request.typed_id()?;
    if id.is_nil() {
        return Err(ApiError::invalid_id());
    }
    request.caller.require_super_admin()?;
    Retries::REQUEST
        .run(|| async move {
            let found = Entity::<ProviderCalls>::find(&*request.platform.core.store, id).await?;
            let mut record = found.ok_or_else(ApiError::not_found)?;
            let at = Some(request.platform.timestamps.next());
            record.deleted = true;
            (record.public.tm_update, record.public.tm_delete) = (at, at);
            record.write(&*request.platform.core.store).await?;
            Ok(record.public_json())
        })
        .await
}

/// Places the calls, and records the request and the ids of the calls. All of it is written in one commit: no
/// call exists without its record.
pub(super) async fn create(request: &RequestContext) -> ApiResult {
    let body: ProviderCallCreate = request.decode_body()?;
    if body.provider_id.is_nil() {
        return Err(ApiError::invalid_argument("provider_id is required."));
    }
    if body.destinations.is_empty() {
        return Err(ApiError::invalid_argument("destinations is required and must not be empty."));
    }
    request.caller.require_super_admin()?;
    check_lengths(&[("anonymous", body.anonymous.as_ref().map_or("", Anonymous::as_str), WORD)])?;
    check_addresses(body.source.as_ref(), &body.destinations)?;
    let provider = request.platform.cache.provider(&*request.platform.core.store, body.provider_id).await?;
    if provider.is_none_or(|provider| provider.deleted) {
        let message = format!("provider not found: {} does not exist or is deleted.", body.provider_id);
        return Err(ApiError::invalid_argument(message));
    }
    let customer = request.caller.customer();
    let owner = request.platform.directory.customer(customer).ok_or_else(ApiError::not_found)?;
    // Unlike `POST /calls`, it makes no flow without actions.
    let ChosenFlow { flow, change } = if body.flow_id.is_nil() && body.actions.is_empty() {
        ChosenFlow::none()
    } else {
        let detail = "tmp outbound flow for providercall";
        call_flow::choose(request, body.flow_id, body.actions, detail).await?
    };
    let order = Order {
        flow: flow.as_ref(),
        source: body.source.as_ref(),
        destinations: &body.destinations,
        anonymous: body.anonymous.as_ref(),
        provider: Some(body.provider_id),
    };
    let planned = call_plan::plan(&request.platform, &owner, &order).await?;
    let (id, at) = request.platform.new_id_and_time();
    let public = ProviderCall {
        id,
        customer_id: customer,
        provider_id: body.provider_id,
        flow_id: flow.as_ref().map_or(Uuid::nil(), |flow| flow.id),
        source: body.source,
        destinations: body.destinations,
        anonymous: body.anonymous.unwrap_or_default(),
        call_ids: planned.iter().map(|call| call.id).collect(),
        groupcall_ids: Vec::new(),
        tm_create: Some(at),
        tm_update: None,
        tm_delete: None,
    };
    let record = Entity::<ProviderCalls>::new(id, customer, at, public, ());
    let mut changes: Vec<_> = change.into_iter().collect();
    changes.extend(engine::creation_changes(&request.platform, &planned));
    let text = record.public_json();
    changes.push(record.put_with_json(&text));
    engine::place(&request.platform, planned, changes).await?;
    Ok(text)
}
