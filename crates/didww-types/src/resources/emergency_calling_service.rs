//! Emergency calling from numbers: `emergency_calling_services`.

use super::{
    Country, Did, DidGroupType, EmergencyPrices, EmergencyRequirement, EmergencyVerification, NumberType,
    Order,
};
use crate::enumeration::string_enum;
use crate::values::Date;
use crate::{Extra, Id, Resource, Timestamp, ToMany, ToOne};

string_enum! {
    /// The status of an emergency calling service.
    EmergencyCallingServiceStatus {
        /// Its verification is not reviewed yet.
        New = "new",
        /// A further verification is not reviewed yet, after one was rejected.
        InProcess = "in_process",
        /// Its verification was rejected: it needs another one.
        ChangesRequired = "changes_required",
        /// It was active, and a further verification is not reviewed yet.
        PendingUpdate = "pending_update",
        /// Emergency services can be called.
        Active = "active",
        /// It was canceled.
        Canceled = "canceled",
    }
}

/// A service with which numbers can call emergency services. A [verification](EmergencyVerification) creates it, and
/// its deletion cancels it.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "emergency_calling_services",
    since = "2026-04-16",
    verbs(list, get, delete),
    needs(Emergency, "2026-04-16"),
    unrouted,
    sorts("country.name"),
    hidden("addresses")
)]
#[filter(name = "address.id", linked = "emergency_verification.address", value = String)]
#[filter(name = "country.id", linked = "country", list, value = Id<Country>)]
#[filter(name = "did_group_type.id", linked = "did_group_type", list, until = "2026-04-16", value = Id<DidGroupType>)]
#[filter(name = "id", id, list, value = Id<EmergencyCallingService>)]
#[filter(name = "identity.id", linked = "emergency_verification.address.identity", value = String)]
#[filter(name = "name", contains = "name", value = String)]
#[non_exhaustive]
pub struct EmergencyCallingService {
    /// The service's id, a UUID.
    pub id: Id<EmergencyCallingService>,
    /// The name, which the service chose.
    #[attr(sort, default = "")]
    pub name: String,
    /// The service's number, three letters and six digits.
    #[attr(filter, default = "")]
    pub reference: String,
    /// The status of the service.
    #[attr(sort, filter, default = "new")]
    pub status: EmergencyCallingServiceStatus,
    /// The time from which emergency services can be called.
    #[attr]
    pub activated_at: Option<Timestamp>,
    /// The time at which the service was canceled.
    #[attr]
    pub canceled_at: Option<Timestamp>,
    /// The time at which the service was requested.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The day on which the next month is paid. None before the service is active, and once it is canceled.
    #[attr(sort)]
    pub renew_date: Option<Date>,
    /// The type of the numbers. None in a service that an older version served: up to 2026-04-16 the relationship
    /// `did_group_type` has it.
    #[attr(filter(list), since = "2026-11-19", default = "local", value = NumberType)]
    pub number_type: Option<NumberType>,
    /// The country of the numbers.
    #[rel(one = "countries")]
    pub country: ToOne<Country>,
    /// The type of the numbers. Since 2026-11-19 the attribute `number_type` has it.
    #[rel(one = "did_group_types", until = "2026-04-16", mirrors = "number_type")]
    pub did_group_type: ToOne<DidGroupType>,
    /// The order with which the service was paid when it became active.
    #[rel(one = "orders")]
    pub order: ToOne<Order>,
    /// The requirement of the service.
    #[rel(one = "emergency_requirements")]
    pub emergency_requirement: ToOne<EmergencyRequirement>,
    /// The newest verification of the service.
    #[rel(one = "emergency_verifications", inverse = "emergency_calling_service")]
    pub emergency_verification: ToOne<EmergencyVerification>,
    /// The numbers of the service.
    #[rel(many = "dids", inverse = "emergency_calling_service")]
    pub dids: ToMany<Did>,
    /// The price of the service.
    #[meta]
    pub meta: EmergencyPrices,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
