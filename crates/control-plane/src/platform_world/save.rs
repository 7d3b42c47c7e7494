//! Makes the communication platform of a world from the store.

use std::collections::{BTreeMap, BTreeSet};

use didww_types::Secret;
use service_core::Core;
use trunk_rules::outbound::{SYSTEM_CUSTOMER, is_route_target};
use trunk_store::{DocumentQuery, StoreError};
use uuid::Uuid;
use voipbin_platform::{CustomerStatus, Customers, Entity, Kind, OutboundConfigs, Providers, Route, Routes};

use crate::ControlError;
use crate::world::naming::MAX_RECORDS;
use crate::world::platform::{WorldConfig, WorldCustomer, WorldPlatform, WorldProvider, WorldRoute};

/// The stored platform, with its secrets. A route that no call can take, because its target, provider or customer does
/// not exist, is left out: a load would refuse it.
pub(super) async fn saved(core: &Core) -> Result<WorldPlatform, ControlError> {
    let providers = all::<Providers>(core).await?;
    let customers = all::<Customers>(core).await?;
    let configs = all::<OutboundConfigs>(core).await?;
    let mut configs: BTreeMap<Uuid, Entity<OutboundConfigs>> =
        configs.into_iter().map(|config| (config.customer, config)).collect();
    let known: BTreeSet<Uuid> = providers.iter().map(|provider| provider.id).collect();
    let mut owners: BTreeSet<Uuid> = customers.iter().map(|customer| customer.id).collect();
    owners.insert(SYSTEM_CUSTOMER);
    let is_usable = |entity: &Entity<Routes>| {
        let Route { provider_id, customer_id, target, .. } = &entity.public;
        known.contains(provider_id) && owners.contains(customer_id) && is_route_target(target)
    };
    let routes = all::<Routes>(core).await?.into_iter().filter(is_usable).map(route).collect();
    let with_config = |entity: Entity<Customers>| {
        let config = configs.remove(&entity.id);
        customer(entity, config)
    };
    let customers = customers.into_iter().map(with_config).collect();
    Ok(WorldPlatform { providers: providers.into_iter().map(provider).collect(), customers, routes })
}

/// The objects of a kind that are not deleted, oldest first.
async fn all<K: Kind>(core: &Core) -> Result<Vec<Entity<K>>, ControlError> {
    let most = MAX_RECORDS as u64;
    let query = DocumentQuery { limit: most + 1, ..DocumentQuery::all(K::KIND) };
    let mut found = Entity::<K>::list(&*core.store, query).await?;
    if found.len() > MAX_RECORDS {
        let message = format!("more than {MAX_RECORDS} objects of the platform; make a backup");
        return Err(ControlError::Store(StoreError::TooLarge(message)));
    }
    found.reverse();
    Ok(found)
}

fn provider(entity: Entity<Providers>) -> WorldProvider {
    let (public, sip) = (entity.public, entity.private.sip);
    let (username, password) = sip.map(|sip| (sip.username, sip.password)).unzip();
    let headers = public.tech_headers.iter().map(|(name, value)| (name.clone(), Secret::new(value.clone())));
    WorldProvider {
        label: None,
        id: Some(entity.id),
        kind: public.kind.as_str().to_owned(),
        tech_headers: headers.collect(),
        name: public.name,
        detail: public.detail,
        hostname: public.hostname,
        tech_prefix: public.tech_prefix,
        tech_postfix: public.tech_postfix,
        codecs: public.codecs,
        metadata: public.metadata.into_iter().collect(),
        username,
        password,
    }
}

fn customer(entity: Entity<Customers>, config: Option<Entity<OutboundConfigs>>) -> WorldCustomer {
    let public = entity.public;
    let config = config.map(|config| WorldConfig {
        name: config.public.name,
        detail: config.public.detail,
        destination_whitelist: config.public.destination_whitelist,
        codecs: config.public.codecs,
    });
    WorldCustomer {
        label: None,
        id: Some(entity.id),
        frozen: public.status == CustomerStatus::Frozen,
        name: public.name,
        detail: public.detail,
        email: public.email,
        phone_number: public.phone_number,
        address: public.address,
        identity_verified: public.identity_verified,
        balance: public.balance,
        rtp_debug: public.rtp_debug,
        webhook_uri: public.webhook_uri,
        webhook_method: public.webhook_method,
        webhook_secret: entity.private.webhook_secret,
        outbound_config: config.filter(|config| *config != WorldConfig::default()),
    }
}

fn route(entity: Entity<Routes>) -> WorldRoute {
    let public = entity.public;
    let customer = Some(public.customer_id).filter(|id| *id != SYSTEM_CUSTOMER);
    WorldRoute {
        label: None,
        id: Some(entity.id),
        customer: customer.map(|id| id.to_string()),
        provider: public.provider_id.to_string(),
        target: public.target,
        priority: public.priority,
        name: public.name,
        detail: public.detail,
    }
}
