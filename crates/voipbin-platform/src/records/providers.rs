//! Carriers that calls go out through. They belong to the platform and not to a customer.

use didww_types::Secret;
use serde::{Deserialize, Serialize};
use trunk_store::DocumentKind;
use voipbin_types::Provider;

use crate::entity::{Entity, Kind, json_text};

/// The [`Kind`] of providers: how their documents are stored and found.
pub(crate) struct Providers;

/// The private part of a provider.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct ProviderPrivate {
    /// The SIP credentials of the provider's trunk. A provider that was created by hand has none, until a request
    /// sets them.
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

/// The member of the metadata that states that the provider has SIP credentials. It is absent otherwise, and is
/// not stored.
const HAS_CREDENTIALS: &str = "sip_credentials";

impl Entity<Providers> {
    /// The provider as the API sends it.
    pub(crate) fn shown(&self) -> Provider {
        let mut provider = self.public.clone();
        if self.private.sip.is_some() {
            provider.metadata.insert(HAS_CREDENTIALS.to_owned(), true.into());
        }
        provider
    }

    /// The provider as the API sends it, as JSON text.
    pub(crate) fn shown_json(&self) -> String {
        json_text(&self.shown())
    }

    /// Forgets the SIP credentials, and the trunk that they belonged to.
    pub(crate) fn forget_trunk(&mut self) {
        self.private.sip = None;
        self.public.metadata.clear();
    }
}
