//! Verification and decoding of webhooks.
//!
//! The service sends each event independently, and events can arrive out of order: an event with an earlier
//! status can arrive after the one with `hangup`. Use the event with the latest `tm_update`, or read the
//! call.

use serde_json::Value;
use wire_core::{DecodeError, parse_json};

pub use crate::types::{SIGNATURE_HEADER, sign, verify};

use crate::types::{Call, EventKind, Secret, Webhook};

/// The event in a webhook.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An event of a call.
    Call {
        /// The type of the event.
        kind: EventKind,
        /// The call after the event.
        call: Box<Call>,
    },
    /// An event of a type that this crate does not know.
    Other(Webhook<Value>),
}

/// Why a webhook was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The signature is missing, malformed or wrong.
    #[error("the webhook's signature does not match its body and the signing secret")]
    Signature,
    /// The signature is right, but the body is not that of a webhook.
    #[error("the webhook's body cannot be decoded {0}")]
    Body(#[from] DecodeError),
}

/// Verifies the signature of a webhook and decodes its event. `body` is the request body as received, and
/// `header` the value of the [`SIGNATURE_HEADER`].
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
/// Returns [`WebhookError::Signature`] unless the signature matches, and [`WebhookError::Body`] with the path
/// when a signed body cannot be decoded.
pub fn read(secret: &Secret, body: &[u8], header: &str) -> Result<Event, WebhookError> {
    if !verify(secret, body, header) {
        return Err(WebhookError::Signature);
    }
    read_unsigned(body)
}

/// Decodes the event of a webhook without verification, for customers without a signing secret. The sender of
/// such a webhook is unknown.
///
/// # Errors
/// Returns [`WebhookError::Body`] with the path when the body cannot be decoded.
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
    fn a_body_with_a_wrong_signature_is_not_decoded() {
        let secret = Secret::new("s");
        for header in ["", "sha256=", &sign(&Secret::new("other"), HANGUP)] {
            assert_eq!(read(&secret, HANGUP, header), Err(WebhookError::Signature), "{header}");
        }
        assert_eq!(read(&secret, b"no json", "sha256=00"), Err(WebhookError::Signature));
    }

    #[test]
    fn an_event_of_an_unknown_type_is_preserved() {
        let body = br#"{"type":"fax_created","data":{"pages":3}}"#;
        let Event::Other(webhook) = read_unsigned(body).unwrap() else { panic!("it is known") };
        assert_eq!(webhook.kind.as_str(), "fax_created");
        assert_eq!(webhook.data["pages"], 3);
    }

    #[test]
    fn the_error_of_a_malformed_body_has_its_path() {
        let body = br#"{"type":"call_hangup","data":{"id":"x","status":"hangup"}}"#;
        let Err(WebhookError::Body(error)) = read_unsigned(body) else { panic!("it was decoded") };
        assert_eq!(error.path(), "data.id");
    }
}
