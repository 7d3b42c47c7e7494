//! Rotation of the credentials of a text message trunk: `sms_trunk_regenerate_credentials`.

use super::SmsTrunk;
use crate::{Id, Resource, ToOne};

/// A request for new credentials of a text message trunk.
///
/// The response contains only the trunk's id; the new credentials are in the trunk's configuration. Only a trunk of the
/// type `http_out` or `smpp_esme` has credentials.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "sms_trunk_regenerate_credentials", since = "2026-11-19", verbs(create))]
#[non_exhaustive]
pub struct SmsTrunkRegenerateCredentials {
    /// The id of the trunk; the request itself has no id.
    pub id: Id<SmsTrunkRegenerateCredentials>,
    /// The trunk whose credentials are replaced.
    #[rel(one = "sms_trunks", create = required)]
    pub sms_trunk: ToOne<SmsTrunk>,
}
