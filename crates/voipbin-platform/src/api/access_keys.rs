//! The endpoints of access keys, for the admin of a customer. An access key counts as its admin, also for itself. A key
//! works from its creation on, and ends with its deletion.

use std::time::Duration;

use trunk_rules::outbound::Permission;
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::{AccessKeyCreate, AccessKeyUpdate, Timestamp};

use super::bounded::Bound;
use super::texts::{LONG, SHORT, check_lengths};
use crate::entity::{Entity, json_text};
use crate::error::{ApiError, ApiResult, Status};
use crate::records::access_keys::{AccessKeyRequest, AccessKeys};
use crate::request::{RequestContext, page_of};

/// The shortest life of a key.
const MIN_LIFE_SECONDS: i64 = 86_400;
/// Maximum number of keys of a customer, expired ones included: the server holds all of them in memory. VoIPBIN
/// documents no limit.
const BOUND: Bound = Bound { kind: DocumentKind::AccessKey, key: "customer", most: 1_000 };

fn not_found() -> ApiError {
    ApiError::new(Status::NotFound, "ACCESSKEY_NOT_FOUND", "The access key was not found.")
}

/// The keys of the caller's customer, expired ones included.
pub(super) async fn list(request: &RequestContext) -> ApiResult {
    let mut query = request.query.page(DocumentKind::AccessKey)?;
    let customer = request.caller.customer();
    request.caller.require(Permission::CUSTOMER_ADMIN, customer)?;
    query.key = Some(("customer", customer.to_string()));
    let documents = request.platform.core.store.documents(query).await?;
    page_of::<AccessKeys, _>(&documents, Entity::<AccessKeys>::shown)
}

/// Creates a key with the permissions of the customer's admin, also when another agent creates it. Its response alone
/// contains the key.
pub(super) async fn create(request: &RequestContext) -> ApiResult {
    let AccessKeyCreate { name, detail, expire } = request.decode_body()?;
    let customer = request.caller.customer();
    request.caller.require(Permission::CUSTOMER_ADMIN, customer)?;
    // A key would outlive the token of a delegate.
    if request.caller.is_delegate() {
        return Err(ApiError::permission_denied());
    }
    let life = expire.filter(|seconds| *seconds >= MIN_LIFE_SECONDS).ok_or_else(ApiError::invalid_request)?;
    check_lengths(&[("name", &name, SHORT), ("detail", &detail, LONG)])?;
    let platform = &request.platform;
    let refuse = || {
        let message = format!("A customer has at most {} access keys.", BOUND.most);
        ApiError::new(Status::ResourceExhausted, "RESOURCE_LIMIT_EXCEEDED", message)
    };
    let make = || {
        let (id, at) = platform.new_id_and_time();
        let (permission, expires) = (Permission::CUSTOMER_ADMIN.0, Some(expiry(at, life)));
        let asked = AccessKeyRequest { name: name.clone(), detail: detail.clone(), permission, expires };
        Ok(Entity::<AccessKeys>::generate(&platform.core.ids, (id, at), customer, asked))
    };
    let _turn = platform.changes.lock().await;
    let (key, token) = BOUND.add(request, customer, refuse, make).await?;
    platform.directory.put_key(&key);
    Ok(json_text(&voipbin_types::AccessKey { token: Some(token), ..key.shown() }))
}

/// The end of a key's life; at the latest the end of the year 9999.
fn expiry(at: Timestamp, seconds: i64) -> Timestamp {
    at.after(Duration::from_secs(seconds.unsigned_abs()))
}

pub(super) async fn get(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    Ok(json_text(&own(request, id).await?.shown()))
}

/// Replaces the name and the note of the key: a member that the body leaves out becomes empty.
pub(super) async fn update(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    let AccessKeyUpdate { name, detail } = request.decode_body()?;
    change(request, id, |key, at| {
        check_lengths(&[("name", &name, SHORT), ("detail", &detail, LONG)])?;
        key.public.name.clone_from(&name);
        key.public.detail.clone_from(&detail);
        key.public.tm_update = Some(at);
        Ok(())
    })
    .await
}

pub(super) async fn delete(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    change(request, id, |key, at| {
        key.mark_deleted(at);
        Ok(())
    })
    .await
}

/// A key of the caller's customer. The keys of other customers do not exist for a caller, a super admin included;
/// a missing key is reported before a missing permission.
async fn own(request: &RequestContext, id: Uuid) -> Result<Entity<AccessKeys>, ApiError> {
    if request.caller.is_direct() {
        return Err(ApiError::direct_access());
    }
    let found = Entity::<AccessKeys>::find(&*request.platform.core.store, id).await?;
    let key = found.ok_or_else(not_found)?;
    if key.customer != request.caller.customer() {
        return Err(ApiError::not_found());
    }
    if key.deleted {
        return Err(ApiError::state_invalid());
    }
    request.caller.require(Permission::CUSTOMER_ADMIN, key.customer)?;
    Ok(key)
}

async fn change(
    request: &RequestContext,
    id: Uuid,
    apply: impl Fn(&mut Entity<AccessKeys>, Timestamp) -> Result<(), ApiError> + Send + Sync,
) -> ApiResult {
    let platform = &request.platform;
    let _turn = platform.changes.lock().await;
    let apply = |key: &mut Entity<AccessKeys>| apply(key, platform.timestamps.next());
    let key = Entity::<AccessKeys>::change(&*platform.core.store, || own(request, id), apply).await?;
    platform.directory.put_key(&key);
    Ok(json_text(&key.shown()))
}
