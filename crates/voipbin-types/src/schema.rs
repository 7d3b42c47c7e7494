//! JSON schemas of enumerations and timestamps. Those of the other types are derived.
//!
//! A service stores and returns any text in some enumerations, so their schemas name the known texts without a
//! restriction to them (`x-known-values`).

use crate::{
    ActionKind, AddressKind, Anonymous, AnswerMethod, CallDirection, CallKind, CallStatus, CustomerStatus,
    ErrorReason, ErrorStatus, EventKind, FlowKind, GroupcallStatus, HangupBy, HangupReason, HealthStatus,
    IdentityVerification, MuteDirection, NumberKind, NumberStatus, ProviderKind, RingMethod, Timestamp,
};

wire_core::text_schema! {
    ActionKind: { "enum": ActionKind::TEXTS };
    AddressKind: { "x-known-values": AddressKind::TEXTS };
    Anonymous: { "x-known-values": Anonymous::TEXTS };
    AnswerMethod: { "enum": AnswerMethod::TEXTS };
    CallDirection: { "enum": CallDirection::TEXTS };
    CallKind: { "enum": CallKind::TEXTS };
    CallStatus: { "enum": CallStatus::TEXTS };
    CustomerStatus: { "enum": CustomerStatus::TEXTS };
    ErrorReason: { "enum": ErrorReason::TEXTS };
    ErrorStatus: { "enum": ErrorStatus::TEXTS };
    EventKind: { "enum": EventKind::TEXTS };
    FlowKind: { "enum": FlowKind::TEXTS };
    GroupcallStatus: { "enum": GroupcallStatus::TEXTS };
    HangupBy: { "enum": HangupBy::TEXTS };
    HangupReason: { "enum": HangupReason::TEXTS };
    HealthStatus: { "enum": HealthStatus::TEXTS };
    IdentityVerification: { "enum": IdentityVerification::TEXTS };
    MuteDirection: { "enum": MuteDirection::TEXTS };
    NumberKind: { "enum": NumberKind::TEXTS };
    NumberStatus: { "x-known-values": NumberStatus::TEXTS };
    ProviderKind: { "x-known-values": ProviderKind::TEXTS };
    RingMethod: { "enum": RingMethod::TEXTS };
    Timestamp: { "format": "date-time" };
}
