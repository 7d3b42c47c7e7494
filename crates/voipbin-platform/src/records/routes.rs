//! Routes: which provider takes the calls of a customer to a target.

use trunk_store::{DocumentKind, DocumentQuery, Documents, StoreError};
use uuid::Uuid;
use voipbin_types::Route;

use crate::entity::{Entity, Kind};

/// The [`Kind`] of routes: how their documents are stored and found.
pub struct Routes;

impl Kind for Routes {
    const KIND: DocumentKind = DocumentKind::Route;
    type Public = Route;
    type Private = ();

    fn keys(route: &Entity<Self>) -> Vec<(&'static str, String)> {
        let customer = route.public.customer_id;
        vec![("customer", customer.to_string()), ("target", target_key(customer, &route.public.target))]
    }
}

fn target_key(customer: Uuid, target: &str) -> String {
    format!("{customer} {target}")
}

/// Maximum number of routes of a customer to one target that are considered for a call: the newest ones.
const MAX_ROUTES_PER_TARGET: u64 = 1_000;

/// The routes of a customer to a target, newest first; at most [`MAX_ROUTES_PER_TARGET`].
pub(crate) async fn to_target(
    store: &dyn Documents,
    customer: Uuid,
    target: &str,
) -> Result<Vec<Entity<Routes>>, StoreError> {
    let query = DocumentQuery::with(DocumentKind::Route, "target", target_key(customer, target));
    Entity::list(store, DocumentQuery { limit: MAX_ROUTES_PER_TARGET, ..query }).await
}
