//! The endpoints of the caller's own customer: its description, and the receiver of its webhooks. Everything else
//! about a customer is decided over the control API.

use trunk_rules::outbound::Permission;
use voipbin_types::{CustomerBody, SupportMetadata};

use super::texts::{LONG, SHORT, URL, check_lengths};
use crate::entity::{Entity, json_text};
use crate::error::{ApiError, ApiResult};
use crate::records::customers::Customers;
use crate::request::RequestContext;

/// The customer, with the secret that its webhooks are signed with.
pub(super) async fn get(request: &RequestContext) -> ApiResult {
    request.require_admin_or_manager(request.caller.customer())?;
    let customer = own(request).await?;
    let mut shown = customer.shown();
    shown.webhook_secret = customer.private.webhook_secret;
    Ok(json_text(&shown))
}

/// Replaces the description of the customer: members that the body leaves out become empty. A customer that an
/// earlier release created without a secret for its webhooks receives one with its first address.
pub(super) async fn update(request: &RequestContext) -> ApiResult {
    let body: CustomerBody = request.decode_body()?;
    request.caller.require(Permission::CUSTOMER_ADMIN, request.caller.customer())?;
    check_lengths(&[
        ("name", &body.name, SHORT),
        ("detail", &body.detail, LONG),
        ("email", &body.email, SHORT),
        ("phone_number", &body.phone_number, SHORT),
        ("address", &body.address, LONG),
        ("webhook_method", &body.webhook_method, SHORT),
        ("webhook_uri", &body.webhook_uri, URL),
    ])?;
    change(request, |customer| {
        let needs_secret = customer.private.webhook_secret.is_none() && !body.webhook_uri.is_empty();
        if needs_secret {
            customer.private.webhook_secret = Some(request.platform.core.ids.url_safe_token());
            customer.public.webhook_signed = true;
        }
        let public = &mut customer.public;
        public.name.clone_from(&body.name);
        public.detail.clone_from(&body.detail);
        public.email.clone_from(&body.email);
        public.phone_number.clone_from(&body.phone_number);
        public.address.clone_from(&body.address);
        public.webhook_method.clone_from(&body.webhook_method);
        public.webhook_uri.clone_from(&body.webhook_uri);
    })
    .await
}

pub(super) async fn update_metadata(request: &RequestContext) -> ApiResult {
    let body: SupportMetadata = request.decode_body()?;
    request.caller.require(Permission::CUSTOMER_ADMIN, request.caller.customer())?;
    change(request, |customer| customer.public.rtp_debug = body.rtp_debug).await
}

async fn own(request: &RequestContext) -> Result<Entity<Customers>, ApiError> {
    let found = Entity::<Customers>::find(&*request.platform.core.store, request.caller.customer()).await?;
    found.filter(|customer| !customer.deleted).ok_or_else(ApiError::not_found)
}

/// Changes the customer, with effect from the next request and call. It is read and changed again if another server
/// writes it meanwhile, as one does that adds an access key.
async fn change(request: &RequestContext, apply: impl Fn(&mut Entity<Customers>) + Send + Sync) -> ApiResult {
    let platform = &request.platform;
    let _turn = platform.changes.lock().await;
    let apply = |customer: &mut Entity<Customers>| {
        apply(customer);
        customer.private.updated_at = Some(platform.timestamps.next());
        Ok(())
    };
    let customer = Entity::<Customers>::change(&*platform.core.store, || own(request), apply).await?;
    let shown = json_text(&customer.shown());
    platform.directory.put(customer);
    Ok(shown)
}
