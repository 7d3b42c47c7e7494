//! The endpoints of access keys, for the admin of a customer. An access key counts as its admin, also for itself. A key
//! works from its creation on, and ends with its deletion.

use std::time::Duration;

use didww_types::Secret;
use service_core::{AttemptError, Retries};
use trunk_rules::outbound::Permission;
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::{AccessKeyCreate, AccessKeyUpdate, Timestamp};

use super::texts::{LONG, SHORT, check_lengths};
use crate::entity::{Entity, json_text};
use crate::error::{ApiError, ApiResult, Status};
use crate::records::access_keys::{AccessKeyRequest, AccessKeys};
use crate::records::customers::Customers;
use crate::request::{RequestContext, page_of};

/// The shortest life of a key.
const MIN_LIFE_SECONDS: i64 = 86_400;
/// Maximum number of keys of a customer, expired ones included: the server holds all of them in memory. VoIPBIN documents no
/// limit.
const MAX_KEYS: u64 = 1_000;

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

/// Creates a key with the permissions of the customer's admin, also when another agent creates it. Its response alone contains
/// the key.
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
    let _turn = request.platform.changes.lock().await;
    let asked = AccessKeyRequest { name, detail, permission: Permission::CUSTOMER_ADMIN.0, expires: None };
    let (key, token) = Retries::REQUEST.run(|| add(request, customer, asked.clone(), life)).await?;
    request.platform.directory.put_key(&key);
    Ok(json_text(&voipbin_types::AccessKey { token: Some(token), ..key.shown() }))
}

/// Stores a new key if the customer has fewer than the most. If several servers add one at the same time, one of them
/// commits first, and the others count again: each writes the customer as it is, unless another write came since the
/// keys were counted. So a customer that is deleted meanwhile receives no key either.
async fn add(
    request: &RequestContext,
    customer: Uuid,
    asked: AccessKeyRequest,
    life: i64,
) -> Result<(Entity<AccessKeys>, Secret), AttemptError<ApiError>> {
    let platform = &request.platform;
    let store = &*platform.core.store;
    let owner = Entity::<Customers>::find(store, customer).await?.filter(|owner| !owner.deleted);
    let owner = owner.ok_or_else(ApiError::not_found)?;
    if store.count_documents(DocumentKind::AccessKey, "customer", customer.to_string()).await? >= MAX_KEYS {
        let message = format!("A customer has at most {MAX_KEYS} access keys.");
        let refused = ApiError::new(Status::ResourceExhausted, "RESOURCE_LIMIT_EXCEEDED", message);
        return Err(refused.into());
    }
    let (id, at) = platform.new_id_and_time();
    let asked = AccessKeyRequest { expires: Some(expiry(at, life)), ..asked };
    let (key, token) = Entity::<AccessKeys>::generate(&platform.core.ids, (id, at), customer, asked);
    store.commit(vec![owner.put(), key.put()]).await?;
    Ok((key, token))
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
        key.public.name = name;
        key.public.detail = detail;
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
    apply: impl FnOnce(&mut Entity<AccessKeys>, Timestamp) -> Result<(), ApiError> + Send,
) -> ApiResult {
    let platform = &request.platform;
    let _turn = platform.changes.lock().await;
    let mut key = own(request, id).await?;
    apply(&mut key, platform.timestamps.next())?;
    platform.core.store.commit(vec![key.put()]).await?;
    platform.directory.put_key(&key);
    Ok(json_text(&key.shown()))
}
