//! The result of a setup at a carrier: a trunk, or an error.

use std::collections::BTreeMap;

use didww_types::values::IpNetworks;
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::records::providers::SipCredentials;

/// A trunk at a carrier that is ready for calls.
pub(crate) struct CarrierTrunk {
    /// The host that takes the calls.
    pub(crate) hostname: &'static str,
    /// The prefix that the carrier expects before the called number; empty for none.
    pub(crate) tech_prefix: String,
    /// The metadata of the provider: the carrier's ids and names.
    pub(crate) metadata: BTreeMap<String, Value>,
    /// The credentials for the carrier's SIP challenges.
    pub(crate) sip: Option<SipCredentials>,
    /// The networks from which it takes calls; empty if that is not known, or if it is one of this server's own.
    pub(crate) allowed_sip_ips: IpNetworks,
    /// Deletes the objects that the setup created at the carrier. Nothing happens until it is awaited.
    pub(crate) undo: BoxFuture<'static, ()>,
}

/// The SIP credentials of a trunk, and the trunk itself.
pub(crate) struct TrunkLogin {
    /// The credentials; none if the trunk has none, because it accepts calls by their address.
    pub(crate) sip: Option<SipCredentials>,
    /// The facts about the trunk that the carrier's API returned; none if it was not called.
    pub(crate) trunk: Option<TrunkNotes>,
}

/// The metadata of a provider about its trunk.
#[derive(Default)]
pub(crate) struct TrunkNotes {
    /// The prefix that the carrier expects before the called number; empty for none.
    pub(crate) tech_prefix: String,
    /// Members of the provider's metadata: the carrier's ids and names.
    pub(crate) metadata: BTreeMap<String, Value>,
    /// The networks from which the trunk takes calls; empty if that is not known, or if it is one of this server's own.
    pub(crate) allowed_sip_ips: IpNetworks,
}

/// Why a setup failed. The objects that it had created at the carrier are already deleted, if that was possible.
pub(crate) enum CarrierError {
    /// The carrier does not accept the API key.
    Credentials,
    /// The request does not fit this carrier or this server; the sentence states what would fit.
    Unfit(String),
    /// The carrier refuses the request, in these words.
    Refused(String),
    /// The setup failed for another reason than the request.
    Failed(String),
}

/// The metadata of a provider.
pub(super) fn metadata<const N: usize>(notes: [(&str, String); N]) -> BTreeMap<String, Value> {
    notes.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}
