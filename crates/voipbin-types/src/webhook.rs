//! The body of webhooks, and their signature.
//!
//! The value of the header `X-VoIPBIN-Signature` is `sha256=` followed by the lower-case hexadecimal
//! HMAC-SHA256 of the body, keyed with the customer's signing secret.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::Secret;

/// The header of a webhook with its signature.
pub const SIGNATURE_HEADER: &str = "x-voipbin-signature";

const SCHEME: &str = "sha256=";

wire_core::string_enum! {
    /// The type of an event.
    EventKind {
        /// A call was placed; its status is `dialing`.
        CallCreated = "call_created",
        /// The status of a call became `dialing`. The service does not send this event for a new call.
        CallDialing = "call_dialing",
        /// The called party is alerted.
        CallRinging = "call_ringing",
        /// The call was answered, and its flow starts.
        CallProgressing = "call_progressing",
        /// The service began to hang up a call that has not been answered.
        CallCanceling = "call_canceling",
        /// The service began to hang up a call that has been answered.
        CallTerminating = "call_terminating",
        /// The call was sent to another provider, or began another action.
        CallUpdated = "call_updated",
        /// The call has ended, with its reason and the side that hung up.
        CallHangup = "call_hangup",
        /// The record of the call was deleted.
        CallDeleted = "call_deleted",
    }
}

/// The body of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Webhook<T> {
    /// The type of the event.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The record after the event.
    pub data: T,
}

fn mac(secret: &Secret, body: &[u8]) -> Hmac<Sha256> {
    // HMAC accepts keys of any length, so the error cannot occur. If it did, an all-zero key would match no
    // signature.
    let mut mac = match Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) {
        Ok(mac) => mac,
        Err(_) => Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()),
    };
    mac.update(body);
    mac
}

/// Computes the signature of a body: the value of the header `X-VoIPBIN-Signature`, including `sha256=`.
pub fn sign(secret: &Secret, body: &[u8]) -> String {
    [SCHEME, &wire_core::to_hex(&mac(secret, body).finalize().into_bytes())].concat()
}

/// Checks the signature of a webhook. The comparison takes constant time.
///
/// `body` must be the bytes as received: JSON that was decoded and encoded again can differ in its bytes.
/// `header` is the value of the [`SIGNATURE_HEADER`]. Every signature is wrong for an empty secret, such as that of a
/// setting that is missing: anyone can make those.
///
/// ```
/// # mod voipbin_client { pub use voipbin_types as types; }
/// use voipbin_client::types::{Secret, verify};
/// let secret = Secret::new("key");
/// let body = b"The quick brown fox jumps over the lazy dog";
/// let header = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
/// assert!(verify(&secret, body, header));
/// assert!(!verify(&secret, b"another body", header));
/// ```
pub fn verify(secret: &Secret, body: &[u8], header: &str) -> bool {
    if secret.expose().is_empty() {
        return false;
    }
    let Some(bytes) = header.strip_prefix(SCHEME).and_then(wire_core::from_hex::<32>) else { return false };
    mac(secret, body).verify_slice(&bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_matches_the_published_test_vector() {
        // RFC 4231, test case 2, whose key and data are texts.
        assert_eq!(
            sign(&Secret::new("Jefe"), b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn only_the_signature_of_the_same_bytes_with_the_same_secret_is_right() {
        let (secret, body) = (Secret::new("s"), b"{}");
        let right = sign(&secret, body);
        assert!(verify(&secret, body, &right));
        assert!(!verify(&Secret::new("t"), body, &right));
        assert!(!verify(&secret, b"{ }", &right));
        let empty = Secret::new("");
        assert!(!verify(&empty, body, &sign(&empty, body)), "anyone can sign with it");
        let other_case = right.to_uppercase();
        let cut = &right[..right.len() - 2];
        let bare = right.trim_start_matches(SCHEME);
        for wrong in ["", "sha256=", "sha1=00", "sha256=zz", bare, cut, &other_case, &format!("{right}00")] {
            assert!(!verify(&secret, body, wrong), "{wrong}");
        }
    }
}
