//! Verifications of the address from which emergency services are called: `emergency_verifications`.

use super::{Address, CallbackMethod, Did, EmergencyCallingService, RejectReasons, VerificationStatus};
use crate::values::{CallbackUrl, ExternalReference};
use crate::{Extra, Id, Resource, Timestamp, ToMany, ToOne};

/// A verification of the address of numbers, which the service reviews. With `dids` it creates an emergency calling
/// service of these numbers, and with `emergency_calling_service` it is a further one of a service that exists.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "emergency_verifications",
    since = "2026-04-16",
    verbs(list, get, create, update),
    needs(Emergency, "2026-04-16"),
    unrouted,
    callback_on("approved", "rejected"),
    callback_with(
        "reject_reasons;",
        "reject_comment",
        "emergency_calling_service_id<emergency_calling_service"
    ),
    hidden("addresses")
)]
#[filter(
    name = "emergency_calling_service.id",
    linked = "emergency_calling_service",
    list,
    value = Id<EmergencyCallingService>
)]
#[filter(name = "id", id, list, value = Id<EmergencyVerification>)]
#[non_exhaustive]
pub struct EmergencyVerification {
    /// The verification's id, a UUID.
    pub id: Id<EmergencyVerification>,
    /// The verification's number, three letters and six digits.
    #[attr(default = "")]
    pub reference: String,
    /// The status of the review.
    #[attr(filter, default = "pending")]
    pub status: VerificationStatus,
    /// Why the verification was rejected. None unless it was.
    #[attr]
    pub reject_reasons: Option<RejectReasons>,
    /// The reviewer's comment on the reasons.
    #[attr]
    pub reject_comment: Option<String>,
    /// The URL that is notified when the verification was reviewed. It needs `callback_method`.
    #[attr(create)]
    pub callback_url: Option<CallbackUrl>,
    /// The HTTP method of the notification. It needs `callback_url`.
    #[attr(create)]
    pub callback_method: Option<CallbackMethod>,
    /// The verification's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, sort, filter(blank(until = "2026-04-16")))]
    pub external_reference_id: Option<ExternalReference>,
    /// The time at which the verification was requested.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The address of the numbers.
    #[rel(one = "addresses", create = required(1))]
    pub address: ToOne<Address>,
    /// The service that is verified. A request that has `dids` creates one.
    #[rel(one = "emergency_calling_services", create)]
    pub emergency_calling_service: ToOne<EmergencyCallingService>,
    /// The numbers of a new service: 1 to 100 of one type, one country and one city, which support emergency calling.
    #[rel(many = "dids", create, inverse = "emergency_verification")]
    pub dids: ToMany<Did>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
