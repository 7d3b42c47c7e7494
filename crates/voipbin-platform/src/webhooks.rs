//! Webhook events about calls, for the customers that they belong to.

use callbacks::Webhook;
use trunk_store::Change;

use crate::entity::Entity;
use crate::platform::Platform;
use crate::records::calls::Calls;

/// The change that queues an event about a call, such as `call_hangup`, for its customer's webhook. Returns
/// none if the customer is deleted or has no webhook.
pub(crate) fn event(platform: &Platform, call: &Entity<Calls>, kind: &str) -> Option<Change> {
    let customer = platform.directory.customer(call.customer)?;
    if customer.public.webhook_uri.is_empty() {
        return None;
    }
    let webhook = Webhook {
        customer: customer.id,
        uri: &customer.public.webhook_uri,
        method: customer.public.webhook_method.as_str(),
        secret: customer.private.webhook_secret.as_ref(),
    };
    let event = webhook.event(kind, call.id, &call.public_json(), platform.core.clock.now());
    Some(Change::Emit(Box::new(event)))
}
