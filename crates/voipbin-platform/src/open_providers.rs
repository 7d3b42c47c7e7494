//! Providers whose trunk at the carrier takes calls from any address, according to the carrier's last API response.
//! The server stores no key of that API, so it cannot query it by itself.

use schemars::JsonSchema;
use serde::Serialize;
use trunk_store::{DocumentKind, DocumentQuery, StoreError};
use uuid::Uuid;

use crate::entity::Entity;
use crate::platform::Platform;
use crate::records::providers::Providers;

/// A trunk that has credentials.
const WITH_PASSWORD: &str =
    "at the last check of the carrier's API, the trunk accepted calls from any address that has its password";
/// A trunk that has none.
const WITHOUT_PASSWORD: &str =
    "at the last check of the carrier's API, the trunk accepted calls from any address, without a password";

/// A provider whose trunk accepted calls from any address at the last check of the carrier's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct OpenProvider {
    /// The id of the provider.
    pub provider: Uuid,
    /// The name of the provider.
    pub name: String,
    /// The networks from which the trunk took calls.
    pub allowed_sip_ips: Vec<String>,
    /// Whether a password protects the trunk.
    pub warning: &'static str,
}

/// Returns the providers whose trunk accepted calls from any address, newest first.
///
/// # Errors
/// When the store cannot be read.
pub async fn open_providers(platform: &Platform) -> Result<Vec<OpenProvider>, StoreError> {
    let all = DocumentQuery::all(DocumentKind::Provider);
    let providers = Entity::<Providers>::list(&*platform.core.store, all).await?;
    let open = providers.into_iter().filter(|provider| provider.private.allowed_sip_ips.has_every_address());
    Ok(open
        .map(|provider| OpenProvider {
            provider: provider.id,
            name: provider.public.name,
            allowed_sip_ips: provider.private.allowed_sip_ips.texts().to_vec(),
            warning: if provider.private.sip.is_some() { WITH_PASSWORD } else { WITHOUT_PASSWORD },
        })
        .collect())
}
