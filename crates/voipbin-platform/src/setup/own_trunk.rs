//! Whether a trunk that a setup created is one of this server's own, whose calls its own carrier edge takes.
//!
//! The address of the carrier's API does not show it: a proxy, a name or a container network can be in between.
//! The store does: it has the API key's account, and the trunk in it.

use didww_types::resources::VoiceOutTrunk;
use didww_types::{Resource as _, Secret};
use trunk_store::Scope;
use trunk_store::account::KeyDigest;
use uuid::Uuid;

use crate::config::EDGE_HOST;
use crate::platform::Platform;

/// Whether the account of this API key has this trunk on this server, and the server's carrier edge runs. If the
/// store cannot be read, the answer is no.
pub(super) async fn is_served_here(platform: &Platform, api_key: &Secret, trunk: &str) -> bool {
    let edge_runs = platform.dialler.get().is_some_and(|dialler| dialler.hosts().contains_key(EDGE_HOST));
    let Ok(trunk) = Uuid::try_parse(trunk) else { return false };
    let store = &*platform.core.store;
    let Ok(Some(account)) = store.account_by_key(KeyDigest::of(api_key.expose())).await else { return false };
    let scope = Scope { account: account.number, spec: VoiceOutTrunk::SPEC };
    edge_runs && store.find(scope, trunk).await.is_ok_and(|found| found.is_some())
}
