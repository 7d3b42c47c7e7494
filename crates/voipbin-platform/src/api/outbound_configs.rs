//! The endpoints of outbound configs: a customer's own one for its admin, and all of them for super admins.

use service_core::{AttemptError, Retries};
use trunk_rules::outbound::{ConfigUpdate, Country, Permission, settle_config};
use trunk_store::{Change, DocumentKind, StoreError};
use uuid::Uuid;
use voipbin_types::{OutboundConfigCreate, OutboundConfigPatch};

use super::texts::{LONG, SHORT, check_lengths};
use crate::entity::Entity;
use crate::error::{ApiError, ApiResult, Status};
use crate::records::customers::Customers;
use crate::records::numbers::PhoneNumbers;
use crate::records::outbound_configs::{self, OutboundConfigs};
use crate::request::{RequestContext, page};

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "OUTBOUND_CONFIG_NOT_FOUND", "The outbound config was not found.")
}

pub(super) async fn own(request: &RequestContext) -> ApiResult {
    let customer = request.caller.customer();
    request.caller.require(Permission::CUSTOMER_ADMIN, customer)?;
    Ok(outbound_configs::of_customer(&*request.platform.core.store, customer)
        .await?
        .ok_or_else(ApiError::not_found)?
        .public_json())
}

pub(super) async fn update_own(request: &RequestContext) -> ApiResult {
    let patch: OutboundConfigPatch = request.decode_body()?;
    let customer = request.caller.customer();
    request.caller.require(Permission::CUSTOMER_ADMIN, customer)?;
    let patch = &patch;
    Retries::REQUEST
        .run(|| async move {
            let config = outbound_configs::of_customer(&*request.platform.core.store, customer).await?;
            try_update(request, config.ok_or_else(ApiError::not_found)?, patch).await
        })
        .await
}

pub(super) async fn list(request: &RequestContext) -> ApiResult {
    let mut query = request.query.page(DocumentKind::OutboundConfig)?;
    query.key = request.query.id("customer_id")?.map(|customer| ("customer", customer.to_string()));
    request.caller.require_super_admin()?;
    page(&request.platform.core.store.documents(query).await?)
}

pub(super) async fn create(request: &RequestContext) -> ApiResult {
    let OutboundConfigCreate { customer_id, config } = request.decode_body()?;
    request.caller.require_super_admin()?;
    let customer = customer_id.filter(|id| !id.is_nil()).unwrap_or_else(|| request.caller.customer());
    let refused = || ApiError::invalid_argument(format!("customer_id {customer} is not a customer."));
    if request.platform.directory.customer(customer).is_none() {
        return Err(refused());
    }
    let (id, at) = request.platform.new_id_and_time();
    let mut new = outbound_configs::empty(id, customer, at);
    apply(request, &mut new, config).await?;
    let store = &*request.platform.core.store;
    let read = || async {
        let owner = Entity::<Customers>::find(store, customer).await?.filter(|owner| !owner.deleted);
        let Some(owner) = owner else { return Err(refused()) };
        // A config that an earlier release deleted still has its unique key. Writing it again frees the key.
        let earlier = Entity::<OutboundConfigs>::find_by(store, "customer", customer.to_string()).await?;
        Ok((owner, earlier.filter(|config| config.deleted)))
    };
    let decide = |_: &(Entity<Customers>, Option<Entity<OutboundConfigs>>)| Ok::<Change, ApiError>(new.put());
    // The customer is written as it is, so that another server cannot delete it meanwhile.
    let write = |(owner, freed): (Entity<Customers>, Option<Entity<OutboundConfigs>>), new: Change| async move {
        let freed = freed.as_ref().map(Entity::put);
        store.commit([owner.put()].into_iter().chain(freed).chain([new]).collect()).await?;
        Ok::<(), StoreError>(())
    };
    let _turn = request.platform.changes.lock().await;
    Retries::REQUEST.change(read, decide, write).await?;
    Ok(new.public_json())
}

pub(super) async fn get(request: &RequestContext) -> ApiResult {
    let id = request.typed_id()?;
    request.caller.require_super_admin()?;
    Ok(existing(request, id).await?.public_json())
}

pub(super) async fn update(request: &RequestContext) -> ApiResult {
    let id = request.typed_id()?;
    let patch: OutboundConfigPatch = request.decode_body()?;
    request.caller.require_super_admin()?;
    let patch = &patch;
    Retries::REQUEST
        .run(|| async move { try_update(request, existing(request, id).await?, patch).await })
        .await
}

pub(super) async fn delete(request: &RequestContext) -> ApiResult {
    let id = request.typed_id()?;
    request.caller.require_super_admin()?;
    Retries::REQUEST
        .run(|| async move {
            let mut config = existing(request, id).await?;
            config.deleted = true;
            config.public.tm_delete = Some(request.platform.timestamps.next());
            config.write(&*request.platform.core.store).await?;
            Ok(config.public_json())
        })
        .await
}

async fn existing(request: &RequestContext, id: Uuid) -> Result<Entity<OutboundConfigs>, ApiError> {
    let found = Entity::<OutboundConfigs>::find(&*request.platform.core.store, id).await?;
    found.filter(|config| !config.deleted).ok_or_else(not_found)
}

/// Applies a patch to a config, writes it, and returns its public part as JSON text.
async fn try_update(
    request: &RequestContext,
    mut config: Entity<OutboundConfigs>,
    patch: &OutboundConfigPatch,
) -> Result<String, AttemptError<ApiError>> {
    apply(request, &mut config, patch.clone()).await?;
    config.public.tm_update = Some(request.platform.timestamps.next());
    config.write(&*request.platform.core.store).await?;
    Ok(config.public_json())
}

/// Applies a patch to a config: fields that are absent from the patch stay unchanged.
///
/// # Errors
/// When a field is invalid.
async fn apply(
    request: &RequestContext,
    config: &mut Entity<OutboundConfigs>,
    patch: OutboundConfigPatch,
) -> Result<(), ApiError> {
    let number = match patch.default_outgoing_source_number_id.filter(|id| !id.is_nil()) {
        Some(id) => Entity::<PhoneNumbers>::find(&*request.platform.core.store, id).await?,
        None => None,
    };
    let number = number.as_ref().map(Entity::<PhoneNumbers>::as_own_number);
    let update = ConfigUpdate {
        destination_whitelist: patch.destination_whitelist.as_deref(),
        codecs: patch.codecs.as_deref(),
        default_number: patch.default_outgoing_source_number_id.map(|id| (id, number)),
    };
    let change = settle_config(&update, config.customer)
        .map_err(|error| ApiError::invalid_argument(error.to_string()))?;
    check_lengths(&[
        ("name", patch.name.as_deref().unwrap_or_default(), SHORT),
        ("detail", patch.detail.as_deref().unwrap_or_default(), LONG),
    ])?;
    let public = &mut config.public;
    if let Some(countries) = change.destination_whitelist {
        public.destination_whitelist =
            countries.into_iter().map(Country::as_str).map(str::to_owned).collect();
    }
    public.codecs = change.codecs.unwrap_or_else(|| std::mem::take(&mut public.codecs));
    public.default_outgoing_source_number_id =
        change.default_outgoing_source_number_id.unwrap_or(public.default_outgoing_source_number_id);
    public.name = patch.name.unwrap_or_else(|| std::mem::take(&mut public.name));
    public.detail = patch.detail.unwrap_or_else(|| std::mem::take(&mut public.detail));
    Ok(())
}
