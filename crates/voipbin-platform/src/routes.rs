//! Which provider takes whose calls where.

use uuid::Uuid;
use voipbin_types::{Route, RouteCreate, RouteUpdate};

use super::api::{Answered, Asked, page};
use super::entity::{Entity, Kind, newborn};
use super::error::{ApiError, Status};
use trunk_store::{DocumentKind, DocumentQuery, Store, StoreError};

pub(crate) struct Routes;

impl Kind for Routes {
    const KIND: DocumentKind = DocumentKind::Route;
    type Wire = Route;
    type Own = ();

    fn keys(route: &Entity<Self>) -> Vec<(&'static str, String)> {
        let customer = route.wire.customer_id;
        vec![("customer", customer.to_string()), ("target", target_key(customer, &route.wire.target))]
    }
}

fn target_key(customer: Uuid, target: &str) -> String {
    format!("{customer} {target}")
}

/// Most routes of a customer to a target that are looked at.
const MOST: u64 = 1_000;

/// The routes of a customer to a target, newest first.
pub(crate) async fn to(
    store: &dyn Store,
    customer: Uuid,
    target: &str,
) -> Result<Vec<Entity<Routes>>, StoreError> {
    let query = DocumentQuery::with(DocumentKind::Route, "target", target_key(customer, target));
    Entity::list(store, DocumentQuery { limit: MOST, ..query }).await
}

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "ROUTE_NOT_FOUND", "The route was not found.")
}

pub(crate) async fn list(asked: &Asked) -> Answered {
    let mut query = asked.query.page(DocumentKind::Route)?;
    let customer = asked.query.first("customer_id").and_then(|text| Uuid::try_parse(text).ok());
    query.key = customer.filter(|id| !id.is_nil()).map(|customer| ("customer", customer.to_string()));
    asked.caller.must_run_the_platform()?;
    page(&asked.platform.core.store.documents(query).await?)
}

pub(crate) async fn create(asked: &Asked) -> Answered {
    let RouteCreate { customer_id, route } = asked.read()?;
    asked.caller.must_run_the_platform()?;
    let (id, at) = newborn(&asked.platform);
    let mut wire = Route { id, customer_id, tm_create: Some(at), ..Route::default() };
    replace(&mut wire, route);
    let route = Entity::<Routes>::new(id, customer_id, at, wire, ());
    asked.platform.core.store.commit(vec![route.put()]).await?;
    Ok(route.text())
}

pub(crate) async fn get(asked: &Asked) -> Answered {
    let id = asked.text_id()?;
    asked.caller.must_run_the_platform()?;
    Ok(existing(asked, id).await?.text())
}

/// Replaces all of it but its customer: what is left out becomes empty.
pub(crate) async fn update(asked: &Asked) -> Answered {
    let id = asked.text_id()?;
    let body: RouteUpdate = asked.read()?;
    asked.caller.must_run_the_platform()?;
    loop {
        let mut route = existing(asked, id).await?;
        replace(&mut route.wire, RouteUpdate::clone(&body));
        route.wire.tm_update = Some(asked.platform.moments.next());
        if route.try_write(&*asked.platform.core.store).await? {
            return Ok(route.text());
        }
    }
}

pub(crate) async fn delete(asked: &Asked) -> Answered {
    let id = asked.text_id()?;
    asked.caller.must_run_the_platform()?;
    loop {
        let mut route = existing(asked, id).await?;
        let at = Some(asked.platform.moments.next());
        route.deleted = true;
        (route.wire.tm_update, route.wire.tm_delete) = (at, at);
        if route.try_write(&*asked.platform.core.store).await? {
            return Ok(route.text());
        }
    }
}

async fn existing(asked: &Asked, id: Uuid) -> Result<Entity<Routes>, ApiError> {
    Entity::<Routes>::find(&*asked.platform.core.store, id).await?.ok_or_else(not_found)
}

fn replace(wire: &mut Route, body: RouteUpdate) {
    wire.name = body.name;
    wire.detail = body.detail;
    wire.provider_id = body.provider_id;
    wire.priority = body.priority;
    wire.target = body.target;
}
