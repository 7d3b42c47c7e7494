//! Calls through one provider, on purpose: to see whether it takes them.

use serde_json::Value;
use uuid::Uuid;
use voipbin_types::{Anonymous, ProviderCall, ProviderCallCreate};

use super::api::{Answered, Asked, page};
use super::calls::{Chosen, created, flow_of};
use super::engine;
use super::entity::{Entity, Kind, newborn};
use super::error::{ApiError, Status};
use super::outgoing::{self, Order};
use trunk_store::DocumentKind;

pub(crate) struct ProviderCalls;

impl Kind for ProviderCalls {
    const KIND: DocumentKind = DocumentKind::ProviderCall;
    type Wire = ProviderCall;
    type Own = ();

    fn keys(record: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("provider", record.wire.provider_id.to_string())]
    }
}

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "PROVIDERCALL_NOT_FOUND", "The provider call was not found.")
}

pub(crate) async fn list(asked: &Asked) -> Answered {
    let mut query = asked.query.page(DocumentKind::ProviderCall)?;
    query.key = asked.query.id("provider_id")?.map(|provider| ("provider", provider.to_string()));
    asked.caller.must_run_the_platform()?;
    page(&asked.platform.core.store.documents(query).await?)
}

pub(crate) async fn get(asked: &Asked) -> Answered {
    let id = asked.typed_id()?;
    if id.is_nil() {
        return Err(ApiError::invalid_id());
    }
    asked.caller.must_run_the_platform()?;
    Ok(Entity::<ProviderCalls>::find(&*asked.platform.core.store, id).await?.ok_or_else(not_found)?.text())
}

/// Marks the record as deleted. The calls go on.
pub(crate) async fn delete(asked: &Asked) -> Answered {
    let id = asked.typed_id()?;
    if id.is_nil() {
        return Err(ApiError::invalid_id());
    }
    asked.caller.must_run_the_platform()?;
    loop {
        let found = Entity::<ProviderCalls>::find(&*asked.platform.core.store, id).await?;
        let mut record = found.ok_or_else(ApiError::not_found)?;
        let at = Some(asked.platform.moments.next());
        record.deleted = true;
        (record.wire.tm_update, record.wire.tm_delete) = (at, at);
        if record.try_write(&*asked.platform.core.store).await? {
            return Ok(record.text());
        }
    }
}

/// Places the calls, and keeps what was asked and which calls came of it. All of it is written at once: there are
/// no calls without their record.
pub(crate) async fn create(asked: &Asked) -> Answered {
    let body: ProviderCallCreate = asked.read()?;
    if body.provider_id.is_nil() {
        return Err(ApiError::invalid_argument("provider_id is required."));
    }
    if body.destinations.is_empty() {
        return Err(ApiError::invalid_argument("destinations is required and must not be empty."));
    }
    asked.caller.must_run_the_platform()?;
    let provider = asked.platform.known.provider(&*asked.platform.core.store, body.provider_id).await?;
    if provider.is_none_or(|provider| provider.deleted) {
        let message = format!("provider not found: {} does not exist or is deleted.", body.provider_id);
        return Err(ApiError::invalid_argument(message));
    }
    let customer = asked.caller.customer();
    let owner = asked.platform.directory.customer(customer).ok_or_else(ApiError::invalid_data)?;
    let detail = "tmp outbound flow for providercall";
    let Chosen { flow, made } = flow_of(asked, body.flow_id, body.actions, detail).await?;
    let order = Order {
        flow: flow.as_ref(),
        source: body.source.as_ref(),
        destinations: &body.destinations,
        anonymous: body.anonymous.as_ref(),
        provider: Some(body.provider_id),
    };
    let planned = outgoing::plan(asked, &owner, &order).await?;
    let (id, at) = newborn(&asked.platform);
    let wire = ProviderCall {
        id,
        customer_id: customer,
        provider_id: body.provider_id,
        flow_id: flow.as_ref().map_or(Uuid::nil(), |flow| flow.id),
        source: body.source,
        destinations: body.destinations,
        anonymous: body.anonymous.unwrap_or(Anonymous::Auto),
        call_ids: planned.iter().map(|call| call.id).collect(),
        groupcall_ids: Vec::new(),
        tm_create: Some(at),
        tm_update: None,
        tm_delete: None,
    };
    let record = Entity::<ProviderCalls>::new(id, customer, at, wire, ());
    let mut changes: Vec<_> = made.into_iter().collect();
    changes.extend(created(asked, &planned));
    let text = record.text();
    changes.push(record.put_as(&text));
    engine::place(&asked.platform, planned, changes).await?;
    Ok(text)
}

/// What every call of a provider call says of itself.
pub(crate) fn metadata(provider: Uuid) -> [(String, Value); 3] {
    [
        ("route_provider_ids", Value::from(vec![provider.to_string()])),
        ("rtp_debug", Value::Bool(true)),
        ("skip_source_validation", Value::Bool(true)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}
