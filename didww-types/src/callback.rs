//! Callbacks: their signature, and the events that a trunk's callback carries.
//!
//! The signature is the lower-case hexadecimal HMAC-SHA1, keyed with the account's API key, of the normalised
//! URL followed by the payload. In the URL the port is always written; nothing else is touched. Of the
//! payload, the keys are sorted and each is followed by its value, without separators; an array does so for
//! each of its objects in turn. The array form is known from one official SDK only.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha1::Sha1;

use crate::resources::{VoiceOutTrunk, VoiceOutTrunkStatus};
use crate::{DecodeError, Id, Secret, Timestamp};

/// What a callback carries, as far as the signature is concerned.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Form or query parameters, as orders, exports and verifications send them.
    Parameters(BTreeMap<String, String>),
    /// The JSON array of a trunk's callback.
    Events(Vec<BTreeMap<String, Value>>),
}

impl Payload {
    /// Reads the JSON body of a trunk's callback; a single object counts as an array of one.
    ///
    /// # Errors
    /// When the body is no JSON, or holds something else than objects.
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
    // An HMAC takes a key of any length, so this cannot fail; an empty MAC would verify nothing.
    let mut mac = match Hmac::<Sha1>::new_from_slice(key.expose().as_bytes()) {
        Ok(mac) => mac,
        Err(_) => Hmac::<Sha1>::new(&hmac::digest::Key::<Hmac<Sha1>>::default()),
    };
    mac.update(with_port(url).as_bytes());
    mac.update(payload.message().as_bytes());
    mac
}

/// The signature of a callback: what the header `X-DIDWW-Signature` holds.
pub fn sign(key: &Secret, url: &str, payload: &Payload) -> String {
    wire_core::to_hex(&mac(key, url, payload).finalize().into_bytes())
}

/// Whether a signature is the right one, decided in constant time.
///
/// `url` is the callback URL exactly as it was configured, query and all.
///
/// ```
/// use didww_types::{Secret, callback::{Payload, verify}};
/// let payload = Payload::Parameters(
///     [("id", "1dd7a68b-e235-402b-8912-fe73ee14243a"), ("status", "completed"), ("type", "orders")]
///         .map(|(name, value)| (name.to_owned(), value.to_owned()))
///         .into(),
/// );
/// let key = Secret::new("SOMEAPIKEY");
/// let url = "http://example.com/callbacks";
/// assert!(verify(&key, url, &payload, "fe99e416c3547f2f59002403ec856ea386d05b2f"));
/// assert!(!verify(&key, url, &payload, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"));
/// ```
pub fn verify(key: &Secret, url: &str, payload: &Payload, signature: &str) -> bool {
    let Some(bytes) = wire_core::from_hex::<20>(signature) else { return false };
    mac(key, url, payload).verify_slice(&bytes).is_ok()
}

/// Writes the port into a URL that has none.
fn with_port(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // A colon inside brackets belongs to an IPv6 address.
    let after_address = host.rsplit_once(']').map_or(host, |(_, after)| after);
    if after_address.contains(':') {
        return url.to_owned();
    }
    let port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    format!("{scheme}://{authority}:{port}{tail}")
}

/// One event of a trunk: it was blocked because it reached its 24-hour threshold, or unblocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrunkEvent {
    /// The trunk.
    pub id: Id<VoiceOutTrunk>,
    /// Always `voice_out_trunks`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The trunk's status after the event.
    pub status: VoiceOutTrunkStatus,
    /// Whether the threshold is reached after the event.
    pub threshold_reached: bool,
    /// When it happened.
    pub created_at: Timestamp,
}

impl TrunkEvent {
    /// An event of this trunk at this time.
    pub fn new(
        id: Id<VoiceOutTrunk>,
        status: VoiceOutTrunkStatus,
        threshold_reached: bool,
        created_at: Timestamp,
    ) -> Self {
        Self { id, kind: "voice_out_trunks".to_owned(), status, threshold_reached, created_at }
    }
}

/// A callback that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// The signature is missing, malformed or wrong.
    #[error("the callback's signature does not fit its URL, its body and the API key")]
    Signature,
    /// The body is not what a trunk's callback carries.
    #[error("the callback's body cannot be read: {0}")]
    Body(#[from] DecodeError),
}

/// Verifies a trunk's callback and reads its events.
///
/// # Errors
/// [`CallbackError::Signature`] before anything else is looked at; [`CallbackError::Body`] with the place.
pub fn trunk_events(
    key: &Secret,
    url: &str,
    body: &[u8],
    signature: &str,
) -> Result<Vec<TrunkEvent>, CallbackError> {
    let payload = Payload::from_json(body).map_err(|_| CallbackError::Signature)?;
    if !verify(key, url, &payload, signature) {
        return Err(CallbackError::Signature);
    }
    let Payload::Events(events) = payload else { return Err(CallbackError::Signature) };
    let read = |(index, event): (usize, BTreeMap<String, Value>)| {
        serde_path_to_error::deserialize(Value::Object(event.into_iter().collect()))
            .map_err(|error| DecodeError::below(format_args!("[{index}]"), &error))
    };
    Ok(events.into_iter().enumerate().map(read).collect::<Result<_, _>>()?)
}
