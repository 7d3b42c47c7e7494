//! What customers' calls may do: one for each customer.

use trunk_rules::outbound::{ConfigUpdate, Country, Permission, settle_config};
use uuid::Uuid;
use voipbin_types::{OutboundConfig, OutboundConfigCreate, OutboundConfigPatch};

use super::api::{Answered, Asked, page};
use super::customers::PhoneNumbers;
use super::entity::{Entity, Kind, newborn};
use super::error::{ApiError, Status};
use super::moment::Moment;
use trunk_store::{DocumentKind, Store, StoreError};

pub struct OutboundConfigs;

impl Kind for OutboundConfigs {
    const KIND: DocumentKind = DocumentKind::OutboundConfig;
    type Wire = OutboundConfig;
    type Own = ();

    fn keys(config: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", config.customer.to_string())]
    }

    /// A deleted one makes room for another.
    fn unique(config: &Entity<Self>) -> Vec<(&'static str, String)> {
        if config.deleted { Vec::new() } else { vec![("customer", config.customer.to_string())] }
    }
}

/// The empty one that every customer begins with.
pub fn empty(id: Uuid, customer: Uuid, at: Moment) -> Entity<OutboundConfigs> {
    let wire = OutboundConfig {
        id,
        customer_id: customer,
        tm_create: Some(at),
        tm_update: Some(at),
        ..OutboundConfig::default()
    };
    Entity::new(id, customer, at, wire, ())
}

/// The one of a customer, unless it is deleted.
pub(crate) async fn of(
    store: &dyn Store,
    customer: Uuid,
) -> Result<Option<Entity<OutboundConfigs>>, StoreError> {
    let found = Entity::<OutboundConfigs>::find_by(store, "customer", customer.to_string()).await?;
    Ok(found.filter(|config| !config.deleted))
}

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "OUTBOUND_CONFIG_NOT_FOUND", "The outbound config was not found.")
}

pub(crate) async fn own(asked: &Asked) -> Answered {
    let customer = asked.caller.customer();
    asked.caller.must(Permission::CUSTOMER_ADMIN, customer)?;
    Ok(of(&*asked.platform.core.store, customer).await?.ok_or_else(ApiError::not_found)?.text())
}

pub(crate) async fn update_own(asked: &Asked) -> Answered {
    let patch: OutboundConfigPatch = asked.read()?;
    let customer = asked.caller.customer();
    asked.caller.must(Permission::CUSTOMER_ADMIN, customer)?;
    loop {
        let mut config = of(&*asked.platform.core.store, customer).await?.ok_or_else(ApiError::not_found)?;
        if change(asked, &mut config, &patch).await? {
            return Ok(config.text());
        }
    }
}

pub(crate) async fn list(asked: &Asked) -> Answered {
    let mut query = asked.query.page(DocumentKind::OutboundConfig)?;
    query.key = asked.query.id("customer_id")?.map(|customer| ("customer", customer.to_string()));
    asked.caller.must_run_the_platform()?;
    page(&asked.platform.core.store.documents(query).await?)
}

pub(crate) async fn create(asked: &Asked) -> Answered {
    let OutboundConfigCreate { customer_id, config } = asked.read()?;
    asked.caller.must_run_the_platform()?;
    let customer = customer_id.filter(|id| !id.is_nil()).unwrap_or_else(|| asked.caller.customer());
    if asked.platform.directory.customer(customer).is_none() {
        return Err(ApiError::invalid_argument(format!("customer_id {customer} is not a customer.")));
    }
    let (id, at) = newborn(&asked.platform);
    let mut new = empty(id, customer, at);
    lay_over(asked, &mut new, config).await?;
    // One that was deleted by an earlier release still has its customer's place: written again, it has not.
    let store = &*asked.platform.core.store;
    let held = Entity::<OutboundConfigs>::find_by(store, "customer", customer.to_string()).await?;
    let freed = held.filter(|config| config.deleted).as_ref().map(Entity::put);
    store.commit(freed.into_iter().chain([new.put()]).collect()).await?;
    Ok(new.text())
}

pub(crate) async fn get(asked: &Asked) -> Answered {
    let id = asked.typed_id()?;
    asked.caller.must_run_the_platform()?;
    Ok(existing(asked, id).await?.text())
}

pub(crate) async fn update(asked: &Asked) -> Answered {
    let id = asked.typed_id()?;
    let patch: OutboundConfigPatch = asked.read()?;
    asked.caller.must_run_the_platform()?;
    loop {
        let mut config = existing(asked, id).await?;
        if change(asked, &mut config, &patch).await? {
            return Ok(config.text());
        }
    }
}

pub(crate) async fn delete(asked: &Asked) -> Answered {
    let id = asked.typed_id()?;
    asked.caller.must_run_the_platform()?;
    loop {
        let mut config = existing(asked, id).await?;
        config.deleted = true;
        config.wire.tm_delete = Some(asked.platform.moments.next());
        if config.try_write(&*asked.platform.core.store).await? {
            return Ok(config.text());
        }
    }
}

async fn existing(asked: &Asked, id: Uuid) -> Result<Entity<OutboundConfigs>, ApiError> {
    let found = Entity::<OutboundConfigs>::find(&*asked.platform.core.store, id).await?;
    found.filter(|config| !config.deleted).ok_or_else(not_found)
}

/// Lays a patch over a config and writes it, unless somebody was quicker.
async fn change(
    asked: &Asked,
    config: &mut Entity<OutboundConfigs>,
    patch: &OutboundConfigPatch,
) -> Result<bool, ApiError> {
    lay_over(asked, config, patch.clone()).await?;
    config.wire.tm_update = Some(asked.platform.moments.next());
    Ok(config.try_write(&*asked.platform.core.store).await?)
}

/// Lays a patch over a config: what is absent stays.
async fn lay_over(
    asked: &Asked,
    config: &mut Entity<OutboundConfigs>,
    patch: OutboundConfigPatch,
) -> Result<(), ApiError> {
    let number = match patch.default_outgoing_source_number_id.filter(|id| !id.is_nil()) {
        Some(id) => Entity::<PhoneNumbers>::find(&*asked.platform.core.store, id).await?,
        None => None,
    };
    let stock = number.as_ref().map(Entity::<PhoneNumbers>::stock);
    let update = ConfigUpdate {
        destination_whitelist: patch.destination_whitelist.as_deref(),
        codecs: patch.codecs.as_deref(),
        default_number: patch.default_outgoing_source_number_id.map(|id| (id, stock)),
    };
    let change = settle_config(&update, config.customer)
        .map_err(|error| ApiError::invalid_argument(error.to_string()))?;
    let wire = &mut config.wire;
    if let Some(countries) = change.destination_whitelist {
        wire.destination_whitelist = countries.into_iter().map(Country::as_str).map(str::to_owned).collect();
    }
    wire.codecs = change.codecs.unwrap_or_else(|| std::mem::take(&mut wire.codecs));
    wire.default_outgoing_source_number_id =
        change.default_outgoing_source_number_id.unwrap_or(wire.default_outgoing_source_number_id);
    wire.name = patch.name.unwrap_or_else(|| std::mem::take(&mut wire.name));
    wire.detail = patch.detail.unwrap_or_else(|| std::mem::take(&mut wire.detail));
    Ok(())
}
