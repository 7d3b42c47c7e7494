//! What customers are told of their calls.

use super::platform::Platform;
use callbacks::Webhook;
use trunk_store::Change;

use super::calls::Calls;
use super::entity::Entity;

/// The change that tells a call's customer what happened; none when it wants to hear nothing.
pub(crate) fn event(platform: &Platform, call: &Entity<Calls>, kind: &str) -> Option<Change> {
    let customer = platform.directory.customer(call.customer)?;
    if customer.wire.webhook_uri.is_empty() {
        return None;
    }
    let webhook = Webhook {
        customer: customer.id,
        uri: &customer.wire.webhook_uri,
        method: customer.wire.webhook_method.as_str(),
        secret: customer.own.webhook_secret.as_ref(),
    };
    Some(Change::Emit(Box::new(webhook.event(kind, call.id, &call.text(), platform.core.clock.now()))))
}
