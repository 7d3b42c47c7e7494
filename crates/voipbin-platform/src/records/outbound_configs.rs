//! Outbound configs: the limits and defaults of a customer's calls. A customer has at most one that is not
//! deleted.

use trunk_store::{DocumentKind, Documents, StoreError};
use uuid::Uuid;
use voipbin_types::{OutboundConfig, Timestamp};

use crate::entity::{Entity, Kind};

/// The [`Kind`] of outbound configs.
pub struct OutboundConfigs;

impl Kind for OutboundConfigs {
    const KIND: DocumentKind = DocumentKind::OutboundConfig;
    type Public = OutboundConfig;
    type Private = ();

    fn keys(config: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("customer", config.customer.to_string())]
    }

    /// The customer, until the config is deleted: then the customer can have another one.
    fn unique(config: &Entity<Self>) -> Vec<(&'static str, String)> {
        if config.deleted { Vec::new() } else { vec![("customer", config.customer.to_string())] }
    }
}

/// The empty outbound config that every new customer has. It permits no destination.
pub fn empty(id: Uuid, customer: Uuid, at: Timestamp) -> Entity<OutboundConfigs> {
    let public = OutboundConfig {
        id,
        customer_id: customer,
        tm_create: Some(at),
        tm_update: Some(at),
        ..OutboundConfig::default()
    };
    Entity::new(id, customer, at, public, ())
}

/// The outbound config of a customer, unless it is deleted.
pub(crate) async fn of_customer(
    store: &dyn Documents,
    customer: Uuid,
) -> Result<Option<Entity<OutboundConfigs>>, StoreError> {
    let found = Entity::<OutboundConfigs>::find_by(store, "customer", customer.to_string()).await?;
    Ok(found.filter(|config| !config.deleted))
}
