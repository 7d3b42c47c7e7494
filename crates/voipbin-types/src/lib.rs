//! What the outbound side of VoIPBIN's API says on the wire, declared once for clients and servers.
//!
//! The order of a struct's fields is the order of the members on the wire, and what is left out here is left
//! out there. Reading is tolerant: unknown members do no harm, absent ones and `null` are the empty value, an
//! unknown text of an enumeration is kept. Provider and route keep unknown members too, because an update
//! replaces them whole.
//!
//! Nothing here sends, receives or decides: a value that the service would refuse can be written down.

mod action;
mod address;
mod anonymous;
mod call;
mod error;
mod from_json;
mod json;
mod lenient;
mod login;
mod outbound_config;
mod page;
mod provider;
mod provider_call;
mod route;
mod timestamp;
mod webhook;

use uuid::Uuid;

pub use action::{Action, ActionBody, ActionKind, ActionOption};
pub use address::{Address, AddressKind};
pub use anonymous::Anonymous;
pub use call::{
    Call, CallCreate, CallDirection, CallKind, CallStatus, CallsCreated, HangupBy, HangupReason,
    MuteDirection,
};
pub use error::{ErrorBody, ErrorEnvelope, ErrorReason, ErrorStatus};
pub use from_json::from_json;
pub use json::to_json;
pub use login::{Login, LoginBody};
pub use outbound_config::{OutboundConfig, OutboundConfigCreate, OutboundConfigPatch};
pub use page::Page;
pub use provider::{
    HealthStatus, Provider, ProviderBody, ProviderCredentials, ProviderKind, ProviderSetup, TechHeaders,
};
pub use provider_call::{ProviderCall, ProviderCallCreate};
pub use route::{Route, RouteCreate, RouteUpdate};
pub use timestamp::{Timestamp, TimestampError};
pub use webhook::{EventKind, SIGNATURE_HEADER, Webhook, sign, verify};
pub use wire_core::{Extra, Secret, UnknownText};

/// The id that says "none".
pub const ZERO: Uuid = Uuid::nil();

/// The customer of the routes that hold for every customer, and the id of a call's first action.
pub const BASIC: Uuid = Uuid::from_u128(1);
