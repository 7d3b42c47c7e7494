//! The payloads of callbacks, one type for each kind of callback.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Payload, TrunkEvent};
use crate::enumeration::string_enum;
use crate::resources::{
    AddressVerification, EmergencyCallingService, EmergencyVerification, Export, Order, OrderStatus,
    VoiceOutTrunk,
};
use crate::{DecodeError, Id, Named as _};

string_enum! {
    /// How a verification ended.
    VerificationOutcome {
        /// The submission is accepted.
        Approved = "approved",
        /// The submission is refused, with reasons.
        Rejected = "rejected",
    }
}

string_enum! {
    /// How an export ended.
    ExportOutcome {
        /// The file can be downloaded.
        Completed = "completed",
    }
}

/// The types with parameters. Up to 2021-04-19 exports had another name.
const KNOWN: [&str; 5] =
    ["orders", "exports", "cdr_exports", "address_verifications", "emergency_verifications"];

/// A callback of any kind.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Callback {
    /// An order was completed or canceled.
    Order(OrderEvent),
    /// An export was completed.
    Export(ExportEvent),
    /// An address verification ended.
    AddressVerification(AddressVerificationEvent),
    /// An emergency verification ended.
    EmergencyVerification(EmergencyVerificationEvent),
    /// Outbound trunks were blocked or unblocked: one event for each, in the order of the callback.
    Trunks(Vec<TrunkEvent>),
    /// A type that this crate does not know, with the parameters as they were received.
    Unknown(BTreeMap<String, String>),
    /// An array of events of which one has a type that this crate does not know, as they were received.
    UnknownEvents(Vec<BTreeMap<String, Value>>),
}

/// An order was completed or canceled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderEvent {
    /// The id of the order.
    pub id: Id<Order>,
    /// The order's status after the event.
    pub status: OrderStatus,
    /// Parameters that this crate does not know.
    pub extra: BTreeMap<String, String>,
}

/// An export was completed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportEvent {
    /// The id of the export.
    pub id: Id<Export>,
    /// The export's status after the event.
    pub status: ExportOutcome,
    /// The URL of the file, which is read with the account's credentials. Older versions have none.
    pub url: Option<String>,
    /// Parameters that this crate does not know.
    pub extra: BTreeMap<String, String>,
}

/// An address verification was approved or rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressVerificationEvent {
    /// The id of the verification.
    pub id: Id<AddressVerification>,
    /// The outcome.
    pub status: VerificationOutcome,
    /// Why it was rejected, as DIDWW words it; empty if it was approved.
    pub reject_reason: String,
    /// A reviewer's comment on the rejection; empty if there is none.
    pub reject_comment: String,
    /// Parameters that this crate does not know.
    pub extra: BTreeMap<String, String>,
}

/// An emergency verification was approved or rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmergencyVerificationEvent {
    /// The id of the verification.
    pub id: Id<EmergencyVerification>,
    /// The outcome.
    pub status: VerificationOutcome,
    /// The id of the service that was verified; `None` if the callback does not name it.
    pub emergency_calling_service: Option<Id<EmergencyCallingService>>,
    /// Why it was rejected, as one text; empty if it was approved.
    pub reject_reasons: String,
    /// A reviewer's comment on the rejection; empty if there is none.
    pub reject_comment: String,
    /// Parameters that this crate does not know.
    pub extra: BTreeMap<String, String>,
}

impl Callback {
    /// Reads a payload. The signature is not verified here: [`receive`](super::receive) does both.
    ///
    /// # Errors
    /// Returns an error with the name of a parameter that a known type lacks, and with the path when a trunk's event
    /// cannot be decoded.
    pub fn from_payload(payload: Payload) -> Result<Self, DecodeError> {
        match payload {
            Payload::Parameters(parameters) => Self::from_parameters(parameters),
            Payload::Events(events) if events.iter().any(is_of_unknown_type) => {
                Ok(Self::UnknownEvents(events))
            }
            Payload::Events(events) => trunk_events(events).map(Self::Trunks),
        }
    }

    fn from_parameters(mut parameters: BTreeMap<String, String>) -> Result<Self, DecodeError> {
        let kind = parameters.get("type").cloned().unwrap_or_default();
        if !KNOWN.contains(&kind.as_str()) {
            return Ok(Self::Unknown(parameters));
        }
        parameters.remove("type");
        let id = required(&mut parameters, "id")?;
        let status = required(&mut parameters, "status")?;
        let mut text = |name: &str| parameters.remove(name).unwrap_or_default();
        Ok(match kind.as_str() {
            "orders" => {
                // Older versions write it with a capital letter.
                let status = OrderStatus::from(status.to_lowercase().as_str());
                Self::Order(OrderEvent { id: Id::new(id), status, extra: parameters })
            }
            "exports" | "cdr_exports" => {
                let url = Some(text("url")).filter(|url| !url.is_empty());
                let status = ExportOutcome::from(status.to_lowercase().as_str());
                Self::Export(ExportEvent { id: Id::new(id), status, url, extra: parameters })
            }
            "address_verifications" => {
                let (reject_reason, reject_comment) = (text("reject_reason"), text("reject_comment"));
                Self::AddressVerification(AddressVerificationEvent {
                    id: Id::new(id),
                    status: VerificationOutcome::from(status.to_lowercase().as_str()),
                    reject_reason,
                    reject_comment,
                    extra: parameters,
                })
            }
            _ => {
                let (reject_reasons, reject_comment) = (text("reject_reasons"), text("reject_comment"));
                let service = Some(text("emergency_calling_service_id")).filter(|id| !id.is_empty());
                Self::EmergencyVerification(EmergencyVerificationEvent {
                    id: Id::new(id),
                    status: VerificationOutcome::from(status.to_lowercase().as_str()),
                    emergency_calling_service: service.map(Id::new),
                    reject_reasons,
                    reject_comment,
                    extra: parameters,
                })
            }
        })
    }
}

fn required(parameters: &mut BTreeMap<String, String>, name: &str) -> Result<String, DecodeError> {
    parameters.remove(name).ok_or_else(|| DecodeError::new(name, "the parameter is missing"))
}

/// Whether an event names another type than that of trunks. One that names none is decoded as a trunk's, and refused.
fn is_of_unknown_type(event: &BTreeMap<String, Value>) -> bool {
    event.get("type").and_then(Value::as_str).is_some_and(|kind| kind != VoiceOutTrunk::TYPE)
}

/// Decodes the events of a trunk's callback.
pub(super) fn trunk_events(events: Vec<BTreeMap<String, Value>>) -> Result<Vec<TrunkEvent>, DecodeError> {
    let read = |(index, event): (usize, BTreeMap<String, Value>)| {
        serde_path_to_error::deserialize(Value::Object(event.into_iter().collect()))
            .map_err(|error| DecodeError::below(format_args!("[{index}]"), &error))
    };
    events.into_iter().enumerate().map(read).collect()
}
