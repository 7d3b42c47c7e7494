//! Provider calls: records of test calls through one named provider.

use serde_json::Value;
use trunk_store::DocumentKind;
use uuid::Uuid;
use voipbin_types::ProviderCall;

use crate::entity::{Entity, Kind};

/// The [`Kind`] of provider calls.
pub(crate) struct ProviderCalls;

impl Kind for ProviderCalls {
    const KIND: DocumentKind = DocumentKind::ProviderCall;
    type Public = ProviderCall;
    type Private = ();

    fn keys(record: &Entity<Self>) -> Vec<(&'static str, String)> {
        vec![("provider", record.public.provider_id.to_string())]
    }
}

/// The metadata that every call of a provider call carries.
pub(crate) fn metadata(provider: Uuid) -> [(String, Value); 3] {
    [
        ("route_provider_ids", Value::from(vec![provider.to_string()])),
        ("rtp_debug", Value::Bool(true)),
        ("skip_source_validation", Value::Bool(true)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}
