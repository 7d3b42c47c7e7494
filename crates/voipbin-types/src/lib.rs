//! The wire types of the outbound side of VoIPBIN's API, declared once for clients and servers.
//!
//! The fields of a struct have the order of the members on the wire, and each is omitted in the same cases as
//! by the service. Decoding is tolerant: unknown members are ignored, absent members and `null` are the empty
//! value, and unknown texts of enumerations are preserved. Providers and routes also preserve unknown
//! members, because an update replaces all members.
//!
//! The types do not validate: they can hold values that the service refuses.

mod access_key;
mod action;
mod address;
mod anonymous;
mod call;
mod customer;
mod error;
mod flow;
mod from_json;
mod groupcall;
mod json;
mod lenient;
mod login;
mod number;
mod outbound_config;
mod page;
mod provider;
mod provider_call;
mod route;
// Each type also derives its schema with this feature: a derive must be at its type.
#[cfg(feature = "schema")]
mod schema;
mod timestamp;
mod webhook;

use uuid::Uuid;

pub use access_key::{AccessKey, AccessKeyCreate, AccessKeyUpdate};
pub use action::{Action, ActionBody, ActionKind, ActionOption};
pub use address::{Address, AddressKind};
pub use anonymous::Anonymous;
pub use call::{
    Call, CallCreate, CallDirection, CallKind, CallStatus, CallsCreated, HangupBy, HangupReason,
    MuteDirection,
};
pub use customer::{Customer, CustomerBody, CustomerStatus, IdentityVerification};
pub use error::{ErrorBody, ErrorEnvelope, ErrorReason, ErrorStatus};
pub use flow::{Flow, FlowBody, FlowKind};
pub use from_json::from_json;
pub use groupcall::{AnswerMethod, Groupcall, GroupcallStatus, RingMethod};
pub use json::to_json;
pub use login::{Login, LoginBody};
pub use number::{Number, NumberBody, NumberFlows, NumberKind, NumberStatus, SupportMetadata};
pub use outbound_config::{OutboundConfig, OutboundConfigCreate, OutboundConfigPatch};
pub use page::Page;
pub use provider::{
    HealthStatus, Provider, ProviderBody, ProviderCredentials, ProviderKind, ProviderLogin, ProviderSetup,
    TechHeaders,
};
pub use provider_call::{ProviderCall, ProviderCallCreate};
pub use route::{Route, RouteCreate, RouteUpdate};
pub use timestamp::{Timestamp, TimestampError};
pub use webhook::{EventKind, SIGNATURE_HEADER, Webhook, sign, verify};
pub use wire_core::{Extra, Secret, UnknownText};

/// The nil UUID, by which the API represents an absent id.
pub const ZERO: Uuid = Uuid::nil();

/// The customer id of routes that apply to every customer, and the action id of a call that has begun no
/// action yet.
pub const BASIC: Uuid = Uuid::from_u128(1);
