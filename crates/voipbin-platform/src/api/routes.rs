//! The endpoints of routes. Only super admins may use them.

use service_core::Retries;
use trunk_rules::outbound::is_route_target;
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::{BASIC, Route, RouteCreate, RouteUpdate};

use super::texts::{LONG, SHORT, check_lengths};
use crate::entity::Entity;
use crate::error::{ApiError, ApiResult, Status};
use crate::records::routes::Routes;
use crate::request::{RequestContext, page};

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "ROUTE_NOT_FOUND", "The route was not found.")
}

pub(super) async fn list(request: &RequestContext) -> ApiResult {
    let mut query = request.query.page(DocumentKind::Route)?;
    let customer = request.query.only("customer_id")?.and_then(|text| Uuid::try_parse(text).ok());
    query.key = customer.filter(|id| !id.is_nil()).map(|customer| ("customer", customer.to_string()));
    request.caller.require_super_admin()?;
    page(&request.platform.core.store.documents(query).await?)
}

pub(super) async fn create(request: &RequestContext) -> ApiResult {
    let RouteCreate { customer_id, route } = request.decode_body()?;
    request.caller.require_super_admin()?;
    check_texts(&route)?;
    warn_of_unused(request, customer_id, &route).await?;
    let (id, at) = request.platform.new_id_and_time();
    let mut public = Route { id, customer_id, tm_create: Some(at), ..Route::default() };
    replace(&mut public, route);
    let route = Entity::<Routes>::new(id, customer_id, at, public, ());
    request.platform.core.store.commit(vec![route.put()]).await?;
    Ok(route.public_json())
}

pub(super) async fn get(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    request.caller.require_super_admin()?;
    Ok(existing(request, id).await?.public_json())
}

/// Replaces the route except for its customer: fields that the body leaves out become empty.
pub(super) async fn update(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    let body: RouteUpdate = request.decode_body()?;
    request.caller.require_super_admin()?;
    let body = &body;
    Retries::REQUEST
        .run(|| async move {
            let mut route = existing(request, id).await?;
            check_texts(body)?;
            warn_of_unused(request, route.customer, body).await?;
            replace(&mut route.public, RouteUpdate::clone(body));
            route.public.tm_update = Some(request.platform.timestamps.next());
            route.write(&*request.platform.core.store).await?;
            Ok(route.public_json())
        })
        .await
}

pub(super) async fn delete(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    request.caller.require_super_admin()?;
    Retries::REQUEST
        .run(|| async move {
            let mut route = existing(request, id).await?;
            let at = Some(request.platform.timestamps.next());
            route.deleted = true;
            (route.public.tm_update, route.public.tm_delete) = (at, at);
            route.write(&*request.platform.core.store).await?;
            Ok(route.public_json())
        })
        .await
}

async fn existing(request: &RequestContext, id: Uuid) -> Result<Entity<Routes>, ApiError> {
    Entity::<Routes>::find(&*request.platform.core.store, id).await?.ok_or_else(not_found)
}

/// Checks the lengths of the texts.
fn check_texts(route: &RouteUpdate) -> Result<(), ApiError> {
    check_lengths(&[
        ("name", &route.name, SHORT),
        ("detail", &route.detail, LONG),
        ("target", &route.target, SHORT),
    ])
}

/// Logs why no call can take a route. The API accepts every customer, provider and target.
async fn warn_of_unused(
    request: &RequestContext,
    customer: Uuid,
    route: &RouteUpdate,
) -> Result<(), ApiError> {
    let platform = &request.platform;
    let provider = platform.cache.provider(&*platform.core.store, route.provider_id).await?;
    let has_customer = customer == BASIC || platform.directory.customer(customer).is_some();
    let reasons = [
        (!is_route_target(&route.target))
            .then_some("its target is neither `all` nor a calling code such as +82"),
        provider.is_none_or(|provider| provider.deleted).then_some("its provider does not exist"),
        (!has_customer).then_some("its customer does not exist"),
    ];
    for why in reasons.into_iter().flatten() {
        let RouteUpdate { target, provider_id, .. } = route;
        tracing::warn!(why, route_target = %target, provider = %provider_id, %customer, "no call can take a route");
    }
    Ok(())
}

fn replace(public: &mut Route, body: RouteUpdate) {
    public.name = body.name;
    public.detail = body.detail;
    public.provider_id = body.provider_id;
    public.priority = body.priority;
    public.target = body.target;
}
