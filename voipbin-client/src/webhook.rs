//! Webhooks: whether one is the service's, and what it says.
//!
//! The service sends each event on its own and without an order: what is told of a call's status may come after
//! its end. Believe the one with the latest `tm_update`, or ask for the call.

use serde_json::Value;
use wire_core::{DecodeError, parse_json};

pub use crate::types::{SIGNATURE_HEADER, sign, verify};

use crate::types::{Call, EventKind, Secret, Webhook};

/// What a webhook says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Something happened to a call.
    Call {
        /// What happened.
        kind: EventKind,
        /// The call as it is after that.
        call: Box<Call>,
    },
    /// Something that this crate does not know.
    Other(Webhook<Value>),
}

/// A webhook that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The signature is missing, malformed or wrong.
    #[error("the webhook's signature does not fit its body and the signing secret")]
    Signature,
    /// The body is not what a webhook carries.
    #[error("the webhook's body cannot be read {0}")]
    Body(#[from] DecodeError),
}

/// Verifies a webhook and reads its event: `body` is the bytes that came, `header` the value of
/// [`SIGNATURE_HEADER`].
///
/// ```
/// use voipbin_client::types::{EventKind, Secret, sign};
/// use voipbin_client::webhook::{Event, read};
///
/// let secret = Secret::new("your signing secret");
/// let body = br#"{"type":"call_hangup","data":{"id":"9f8e7d6c-5b4a-3c2d-1e0f-abcdef012345","status":"hangup"}}"#;
/// let header = sign(&secret, body);
/// let Event::Call { kind, call } = read(&secret, body, &header)? else { panic!("it is a call") };
/// assert_eq!(kind, EventKind::CallHangup);
/// assert!(call.is_over());
/// # Ok::<(), voipbin_client::webhook::WebhookError>(())
/// ```
///
/// # Errors
/// [`WebhookError::Signature`] before anything else is looked at; [`WebhookError::Body`] with the place.
pub fn read(secret: &Secret, body: &[u8], header: &str) -> Result<Event, WebhookError> {
    if !verify(secret, body, header) {
        return Err(WebhookError::Signature);
    }
    read_unsigned(body)
}

/// Reads the event of a webhook of a customer that has no signing secret. Anyone can have sent it.
///
/// # Errors
/// When the body is not what a webhook carries; the error names the place.
pub fn read_unsigned(body: &[u8]) -> Result<Event, WebhookError> {
    let webhook: Webhook<Value> = parse_json(body)?;
    if !EventKind::TEXTS.contains(&webhook.kind.as_str()) {
        return Ok(Event::Other(webhook));
    }
    let Webhook { kind, data } = parse_json::<Webhook<Box<Call>>>(body)?;
    Ok(Event::Call { kind, call: data })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANGUP: &[u8] =
        br#"{"type":"call_hangup","data":{"id":"9f8e7d6c-5b4a-3c2d-1e0f-abcdef012345","status":"hangup"}}"#;

    #[test]
    fn what_is_not_signed_is_not_read() {
        let secret = Secret::new("s");
        for header in ["", "sha256=", &sign(&Secret::new("other"), HANGUP)] {
            assert_eq!(read(&secret, HANGUP, header), Err(WebhookError::Signature), "{header}");
        }
        assert_eq!(read(&secret, b"no json", "sha256=00"), Err(WebhookError::Signature));
    }

    #[test]
    fn an_event_that_is_not_known_is_kept() {
        let body = br#"{"type":"fax_created","data":{"pages":3}}"#;
        let Event::Other(webhook) = read_unsigned(body).unwrap() else { panic!("it is known") };
        assert_eq!(webhook.kind.as_str(), "fax_created");
        assert_eq!(webhook.data["pages"], 3);
    }

    #[test]
    fn a_body_that_cannot_be_read_is_located() {
        let body = br#"{"type":"call_hangup","data":{"id":"x","status":"hangup"}}"#;
        let Err(WebhookError::Body(error)) = read_unsigned(body) else { panic!("it was read") };
        assert_eq!(error.path(), "data.id");
    }
}
