//! Callbacks: their signatures and their payloads.
//!
//! [`receive`] does both for a request that any HTTP server received. [`trunk_events`] is for those of trunks alone.
//!
//! The signature is the lower-case hexadecimal HMAC-SHA1, keyed with the account's enabled callback secret, of the
//! normalised URL followed by the normalised payload. A URL is normalised by writing its port even where it is the
//! default port of the scheme, and http as its scheme if it has none; nothing else changes. A payload is normalised by
//! sorting its keys and writing each key followed by its value, without separators. For an array, this is done for each
//! object in turn. The array form is known from one official SDK only.

mod event;
mod received;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha1::Sha1;

use crate::resources::{VoiceOutTrunk, VoiceOutTrunkStatus};
use crate::values::with_scheme;
use crate::{DecodeError, Id, Secret, Timestamp};

pub use event::{
    AddressVerificationEvent, Callback, EmergencyVerificationEvent, ExportEvent, ExportOutcome, OrderEvent,
    VerificationOutcome,
};
pub use received::{Received, receive};

/// The payload of a callback, from which its signature is computed.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Form or query parameters, which the callbacks of orders, exports and verifications carry.
    Parameters(BTreeMap<String, String>),
    /// The JSON array that a trunk's callback carries.
    Events(Vec<BTreeMap<String, Value>>),
}

impl Payload {
    /// Parses the JSON body of a trunk's callback. A single object counts as an array of one.
    ///
    /// # Errors
    /// Returns an error when the body is not JSON, or is not an object or an array of objects.
    pub fn from_json(body: &[u8]) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Body {
            Many(Vec<BTreeMap<String, Value>>),
            One(BTreeMap<String, Value>),
        }
        match serde_json::from_slice(body).map_err(|error| DecodeError::new(".", error))? {
            Body::Many(events) => Ok(Self::Events(events)),
            Body::One(event) => Ok(Self::Events(vec![event])),
        }
    }

    /// The payload in the form that is signed: names and values one after the other, without separators.
    fn message(&self) -> String {
        let mut message = String::new();
        match self {
            Self::Parameters(parameters) => {
                for (name, value) in parameters {
                    message.push_str(name);
                    message.push_str(value);
                }
            }
            Self::Events(events) => {
                for (name, value) in events.iter().flatten() {
                    message.push_str(name);
                    match value {
                        Value::Null => {}
                        Value::String(text) => message.push_str(text),
                        other => {
                            let _infallible = write!(message, "{other}");
                        }
                    }
                }
            }
        }
        message
    }
}

fn mac(key: &Secret, url: &str, payload: &Payload) -> Hmac<Sha1> {
    // HMAC accepts keys of any length, so the error cannot occur. If it did, an all-zero key would match no
    // signature.
    let mut mac = match Hmac::<Sha1>::new_from_slice(key.expose().as_bytes()) {
        Ok(mac) => mac,
        Err(_) => Hmac::<Sha1>::new(&hmac::digest::Key::<Hmac<Sha1>>::default()),
    };
    mac.update(with_port(&with_scheme(url)).as_bytes());
    mac.update(payload.message().as_bytes());
    mac
}

/// Computes the signature of a callback with an account's callback secret: the value of its `X-DIDWW-Signature` header:
/// 40 lower-case hexadecimal digits.
pub fn sign(secret: &Secret, url: &str, payload: &Payload) -> String {
    wire_core::to_hex(&mac(secret, url, payload).finalize().into_bytes())
}

/// Checks the signature of a callback. The comparison takes constant time.
///
/// `secret` is the account's callback secret that was enabled when the callback was sent. A receiver that must not miss
/// a callback while the secret is rotated tries the new one and then the old one. `url` is the callback URL exactly as
/// it was configured, including its query. A signature that is not 40 lower-case hexadecimal digits is wrong.
/// Every signature is wrong for an empty secret, such as that of a setting that is missing: anyone can make those.
///
/// ```
/// # use didww_types as didww_client;
/// use didww_client::{Secret, callback::{Payload, verify}};
/// let payload = Payload::Parameters(
///     [("id", "1dd7a68b-e235-402b-8912-fe73ee14243a"), ("status", "completed"), ("type", "orders")]
///         .map(|(name, value)| (name.to_owned(), value.to_owned()))
///         .into(),
/// );
/// let secret = Secret::new("SOMEAPIKEY");
/// let url = "http://example.com/callbacks";
/// assert!(verify(&secret, url, &payload, "fe99e416c3547f2f59002403ec856ea386d05b2f"));
/// assert!(!verify(&secret, url, &payload, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"));
/// ```
pub fn verify(secret: &Secret, url: &str, payload: &Payload, signature: &str) -> bool {
    if secret.expose().is_empty() {
        return false;
    }
    let Some(bytes) = wire_core::from_hex::<20>(signature) else { return false };
    mac(secret, url, payload).verify_slice(&bytes).is_ok()
}

/// Inserts the default port of the scheme into a URL without a port.
fn with_port(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // A colon inside brackets belongs to an IPv6 address. One with nothing behind it names no port (RFC 3986 §3.2.3).
    let after_address = host.rsplit_once(']').map_or(host, |(_, after)| after);
    let authority = match after_address.split_once(':') {
        Some((_, "")) => authority.strip_suffix(':').unwrap_or(authority),
        Some(_) => return url.to_owned(),
        None => authority,
    };
    let port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    format!("{scheme}://{authority}:{port}{tail}")
}

/// An event in a trunk's callback: the trunk was blocked because it reached its 24-hour threshold, or was
/// unblocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrunkEvent {
    /// The id of the trunk that was blocked or unblocked.
    pub id: Id<VoiceOutTrunk>,
    /// The resource's type name, always `voice_out_trunks`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The trunk's status after the event.
    pub status: VoiceOutTrunkStatus,
    /// Whether the trunk is at its threshold after the event.
    pub threshold_reached: bool,
    /// The time of the event.
    pub created_at: Timestamp,
}

impl TrunkEvent {
    /// Creates an event, with the trunk's status and threshold state after it.
    pub fn new(
        id: Id<VoiceOutTrunk>,
        status: VoiceOutTrunkStatus,
        threshold_reached: bool,
        created_at: Timestamp,
    ) -> Self {
        Self { id, kind: "voice_out_trunks".to_owned(), status, threshold_reached, created_at }
    }
}

/// Why [`receive`] or [`trunk_events`] refused a callback.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// The signature is malformed or does not match, or the body is not JSON of the form that is signed.
    #[error("the callback's signature does not match its URL, its body and the callback secret")]
    Signature,
    /// The signature is right, but the callback is not of the declared shape.
    #[error("the callback's body cannot be decoded: {0}")]
    Body(#[from] DecodeError),
}

/// Verifies the signature of a trunk's callback and decodes its events.
///
/// `secret` and `url` are those of [`verify`], `body` is the request body as received, and
/// `signature` the value of the [`SIGNATURE_HEADER`](crate::SIGNATURE_HEADER).
///
/// # Errors
/// Returns [`CallbackError::Signature`] unless the signature matches, and [`CallbackError::Body`] with the
/// path when a signed body is not an array of events.
pub fn trunk_events(
    secret: &Secret,
    url: &str,
    body: &[u8],
    signature: &str,
) -> Result<Vec<TrunkEvent>, CallbackError> {
    let payload = Payload::from_json(body).map_err(|_| CallbackError::Signature)?;
    if !verify(secret, url, &payload, signature) {
        return Err(CallbackError::Signature);
    }
    let Payload::Events(events) = payload else { return Err(CallbackError::Signature) };
    Ok(event::trunk_events(events)?)
}
