//! Every provider with its health, for the operator.

use trunk_store::{DocumentKind, DocumentQuery, StoreError};
use voipbin_types::Provider;

use crate::entity::Entity;
use crate::platform::Platform;
use crate::records::providers::Providers;

/// Returns the providers, newest first, as `GET /v1.0/providers` shows them. The values of their headers are left
/// empty: a carrier may authenticate its customer by one.
///
/// # Errors
/// When the store cannot be read.
pub async fn providers(platform: &Platform) -> Result<Vec<Provider>, StoreError> {
    let all = DocumentQuery::all(DocumentKind::Provider);
    let providers = Entity::<Providers>::list(&*platform.core.store, all).await?;
    Ok(providers.iter().map(|provider| without_header_values(provider.shown())).collect())
}

fn without_header_values(provider: Provider) -> Provider {
    let names = provider.tech_headers.keys().map(|name| (name.clone(), String::new())).collect();
    Provider { tech_headers: names, ..provider }
}
