//! Carriers that calls go out through. They belong to the platform and not to a customer.

use didww_types::Secret;
use serde::{Deserialize, Serialize};
use trunk_store::DocumentKind;
use voipbin_types::Provider;

use crate::entity::Kind;

/// The [`Kind`] of providers.
pub(crate) struct Providers;

/// The private part of a provider.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct ProviderPrivate {
    /// The SIP credentials of the trunk that was set up at the carrier. A provider that was created without a
    /// setup has none.
    pub(crate) sip: Option<SipCredentials>,
}

/// What answers the digest challenges of a carrier.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SipCredentials {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

impl Kind for Providers {
    const KIND: DocumentKind = DocumentKind::Provider;
    type Public = Provider;
    type Private = ProviderPrivate;
}
