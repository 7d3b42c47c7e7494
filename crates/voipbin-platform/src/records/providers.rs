//! Carriers that calls go out through. They belong to the platform and not to a customer.

use didww_types::Secret;
use didww_types::values::IpNetworks;
use serde::{Deserialize, Serialize};
use trunk_store::DocumentKind;
use voipbin_types::Provider;

use crate::entity::{Entity, Kind, json_text};

/// The [`Kind`] of providers: how their documents are stored and found.
pub struct Providers;

/// The private part of a provider.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct ProviderPrivate {
    /// The SIP credentials of the provider's trunk. A provider that was created by hand has none, until a request
    /// sets them.
    pub sip: Option<SipCredentials>,
    /// The networks from which the provider's trunk accepted calls at the last check of its carrier's API. Empty where
    /// that is not known: of a provider that was created by hand or by an earlier release, of a carrier that does not
    /// state it, and of a trunk of this server's own, which the server reads on demand.
    #[serde(default)]
    pub allowed_sip_ips: IpNetworks,
}

/// The credentials for the digest challenges of a carrier.
#[derive(Clone, Serialize, Deserialize)]
pub struct SipCredentials {
    /// The user.
    pub username: String,
    /// The password, which no answer and no log contains.
    pub password: Secret,
}

impl Kind for Providers {
    const KIND: DocumentKind = DocumentKind::Provider;
    type Public = Provider;
    type Private = ProviderPrivate;
}

/// The member of the metadata that states that the provider has SIP credentials. It is absent otherwise, and is
/// not stored.
const HAS_CREDENTIALS: &str = "sip_credentials";
/// The same for a trunk that accepted calls from any address.
const ACCEPTS_EVERY_ADDRESS: &str = "accepts_every_address";

impl Entity<Providers> {
    /// The provider as the API sends it.
    pub(crate) fn shown(&self) -> Provider {
        let mut provider = self.public.clone();
        if self.private.sip.is_some() {
            provider.metadata.insert(HAS_CREDENTIALS.to_owned(), true.into());
        }
        if self.private.allowed_sip_ips.has_every_address() {
            provider.metadata.insert(ACCEPTS_EVERY_ADDRESS.to_owned(), true.into());
        }
        provider
    }

    /// The provider as the API sends it, as JSON text.
    pub(crate) fn shown_json(&self) -> String {
        json_text(&self.shown())
    }

    /// Forgets the SIP credentials, and the trunk that they belonged to.
    pub(crate) fn forget_trunk(&mut self) {
        self.private = ProviderPrivate::default();
        self.public.metadata.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::ProviderPrivate;

    #[test]
    fn a_provider_of_an_earlier_release_has_no_known_networks() {
        let stored = r#"{"sip":{"username":"u","password":"p"}}"#;
        let private: ProviderPrivate = serde_json::from_str(stored).unwrap();
        assert!(private.sip.is_some() && private.allowed_sip_ips.texts().is_empty());
    }
}
