//! The endpoints of flows, for the admins and managers of a customer. `call_flow` chooses the flow of a call.

use service_core::Retries;
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::{Flow, FlowBody, FlowKind};

use super::bounded::Bound;
use super::call_flow::checked_actions;
use super::texts::{LONG, SHORT, check_lengths};
use crate::entity::Entity;
use crate::error::{ApiError, ApiResult, Status};
use crate::records::flow_events;
use crate::records::flows::{self, FlowPrivate, Flows};
use crate::request::{RequestContext, page};

/// Maximum number of kept flows of a customer, as on VoIPBIN's own platform.
const BOUND: Bound = Bound { kind: DocumentKind::Flow, key: "kept", most: 10_000 };

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "FLOW_NOT_FOUND", "The flow was not found.")
}

/// The kept flows of the caller's customer. Temporary flows are not listed.
pub(super) async fn list(request: &RequestContext) -> ApiResult {
    let mut query = request.query.page(DocumentKind::Flow)?;
    let customer = request.caller.customer();
    request.require_admin_or_manager(customer)?;
    query.key = Some(flows::kept_key(customer));
    page(&request.platform.core.store.documents(query).await?)
}

pub(super) async fn create(request: &RequestContext) -> ApiResult {
    let body: FlowBody = request.decode_body()?;
    let customer = request.caller.customer();
    request.require_admin_or_manager(customer)?;
    let platform = &request.platform;
    check_successor(request, body.on_complete_flow_id).await?;
    let refuse = || ApiError::invalid_data_because(format!("a customer has at most {} flows", BOUND.most));
    let make = || {
        let (id, at) = platform.new_id_and_time();
        let mut public = Flow {
            id,
            customer_id: customer,
            kind: Some(FlowKind::Flow),
            direct_hash: new_direct_hash(request),
            tm_create: Some(at),
            ..Flow::default()
        };
        replace(request, &mut public, body.clone())?;
        let private = FlowPrivate { kept: true, events: flow_events::created(at) };
        Ok::<_, ApiError>((Entity::<Flows>::new(id, customer, at, public, private), ()))
    };
    let _turn = platform.changes.lock().await;
    let (flow, ()) = BOUND.add(request, customer, refuse, make).await?;
    Ok(flow.public_json())
}

pub(super) async fn get(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    Ok(own(request, id).await?.public_json())
}

/// Replaces the flow: members that the body leaves out become empty. Calls that run it are not affected. A
/// temporary flow stays as it is.
pub(super) async fn update(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    let body: FlowBody = request.decode_body()?;
    let body = &body;
    Retries::REQUEST
        .run(|| async move {
            let mut flow = own(request, id).await?;
            check_successor(request, body.on_complete_flow_id).await?;
            let before = flow.public.clone();
            replace(request, &mut flow.public, body.clone())?;
            if !flow.private.kept {
                return Ok(own(request, id).await?.public_json());
            }
            note_update(request, &mut flow, before);
            flow.write(&*request.platform.core.store).await?;
            Ok(flow.public_json())
        })
        .await
}

/// Deletes the flow, and removes it from the numbers that name it. Calls that run it are not affected. A
/// temporary flow stays as it is.
pub(super) async fn delete(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    let platform = &request.platform;
    Retries::REQUEST
        .run(|| async move {
            let mut flow = own(request, id).await?;
            if !flow.private.kept {
                return Ok(flow.public_json());
            }
            let at = Some(platform.timestamps.next());
            flow.deleted = true;
            (flow.public.tm_update, flow.public.tm_delete) = (at, at);
            let mut changes = vec![flow.put()];
            for mut number in flows::numbers_of(&*platform.core.store, id).await? {
                let public = &mut number.public;
                for named in [&mut public.call_flow_id, &mut public.message_flow_id] {
                    if *named == id {
                        *named = Uuid::nil();
                    }
                }
                public.tm_update = Some(platform.timestamps.next());
                changes.push(number.put());
            }
            platform.core.store.commit(changes).await?;
            Ok(flow.public_json())
        })
        .await
}

/// Replaces the direct hash of the flow. A temporary flow has none.
pub(super) async fn regenerate_direct_hash(request: &RequestContext) -> ApiResult {
    let id = request.typed_id()?;
    Retries::REQUEST
        .run(|| async move {
            let mut flow = own(request, id).await?;
            if flow.private.kept {
                let before = flow.public.clone();
                flow.public.direct_hash = new_direct_hash(request);
                note_update(request, &mut flow, before);
                flow.write(&*request.platform.core.store).await?;
            }
            Ok(flow.public_json())
        })
        .await
}

/// A flow that is not deleted, of any customer.
///
/// # Errors
/// When there is none: for a deleted flow with another reason than for one that never existed.
pub(super) async fn existing(request: &RequestContext, id: Uuid) -> Result<Entity<Flows>, ApiError> {
    let found = Entity::<Flows>::find(&*request.platform.core.store, id).await?;
    let flow = found.ok_or_else(not_found)?;
    if flow.deleted { Err(ApiError::not_found()) } else { Ok(flow) }
}

/// A flow that the caller may read and change. A missing flow is reported before a missing permission.
pub(super) async fn own(request: &RequestContext, id: Uuid) -> Result<Entity<Flows>, ApiError> {
    if request.caller.is_direct() {
        return Err(ApiError::direct_access());
    }
    let flow = existing(request, id).await?;
    request.require_admin_or_manager(flow.customer)?;
    Ok(flow)
}

/// Checks the flow that is to follow another one; nil means none.
async fn check_successor(request: &RequestContext, id: Uuid) -> Result<(), ApiError> {
    if id.is_nil() { Ok(()) } else { own(request, id).await.map(|_| ()) }
}

/// The address of a flow for callers without credentials. This server takes no calls to it.
fn new_direct_hash(request: &RequestContext) -> String {
    format!("direct.{}", request.platform.core.ids.address_digits())
}

/// Records the time and the event of a change. The caller writes the flow.
fn note_update(request: &RequestContext, flow: &mut Entity<Flows>, before: Flow) {
    let at = request.platform.timestamps.next();
    flow.public.tm_update = Some(at);
    flow_events::updated(&mut flow.private.events, before, at);
}

fn replace(request: &RequestContext, public: &mut Flow, body: FlowBody) -> Result<(), ApiError> {
    check_lengths(&[("name", &body.name, SHORT), ("detail", &body.detail, LONG)])?;
    public.actions = checked_actions(&request.platform, body.actions)?;
    public.name = body.name;
    public.detail = body.detail;
    public.on_complete_flow_id = body.on_complete_flow_id;
    Ok(())
}
