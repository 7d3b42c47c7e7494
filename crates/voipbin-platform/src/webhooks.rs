//! Webhook events about calls and numbers, for the customers that they belong to.

use std::sync::Arc;

use callbacks::Webhook;
use trunk_store::Change;
use uuid::Uuid;

use crate::entity::Entity;
use crate::platform::Platform;
use crate::records::calls::Calls;
use crate::records::customers::Customers;

/// The change that queues an event about a call, such as `call_hangup`, for its customer's webhook. Returns
/// none if the customer is deleted or has no webhook.
pub(crate) fn event(platform: &Platform, call: &Entity<Calls>, kind: &str) -> Option<Change> {
    // The call is not rendered for a customer without a webhook.
    let customer = receiver(platform, call.customer)?;
    Some(queued(platform, &customer, call.id, kind, &call.public_json()))
}

/// Like [`event`], about any record of a customer: its id, and its JSON as the API sends it.
pub(crate) fn event_of(
    platform: &Platform,
    customer: Uuid,
    subject: Uuid,
    kind: &str,
    json: &str,
) -> Option<Change> {
    let customer = receiver(platform, customer)?;
    Some(queued(platform, &customer, subject, kind, json))
}

/// The customer, if it has a webhook.
fn receiver(platform: &Platform, customer: Uuid) -> Option<Arc<Entity<Customers>>> {
    platform.directory.customer(customer).filter(|customer| !customer.public.webhook_uri.is_empty())
}

fn queued(
    platform: &Platform,
    customer: &Entity<Customers>,
    subject: Uuid,
    kind: &str,
    json: &str,
) -> Change {
    let webhook = Webhook {
        customer: customer.id,
        uri: &customer.public.webhook_uri,
        method: &customer.public.webhook_method,
        secret: customer.private.webhook_secret.as_ref(),
    };
    Change::Emit(Box::new(webhook.event(kind, subject, json, platform.core.clock.now())))
}
