//! What the service tells its customers, and how they know that it was the service.
//!
//! The header `X-VoIPBIN-Signature` is `sha256=` and the lower-case hexadecimal HMAC-SHA256 of the body, keyed
//! with the customer's signing secret.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::Secret;

/// The header that carries a webhook's signature.
pub const SIGNATURE_HEADER: &str = "x-voipbin-signature";

const SCHEME: &str = "sha256=";

wire_core::string_enum! {
    /// What happened.
    EventKind {
        /// A call was made; it is `dialing`.
        CallCreated = "call_created",
        /// It is `dialing`; the service does not send it when a call is made.
        CallDialing = "call_dialing",
        /// It rings.
        CallRinging = "call_ringing",
        /// It was answered.
        CallProgressing = "call_progressing",
        /// It is being hung up before an answer.
        CallCanceling = "call_canceling",
        /// It is being hung up after its answer.
        CallTerminating = "call_terminating",
        /// It goes another way, or is at another action.
        CallUpdated = "call_updated",
        /// It is over.
        CallHangup = "call_hangup",
        /// Its record was deleted.
        CallDeleted = "call_deleted",
    }
}

/// The body of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook<T> {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The record as it is after that.
    pub data: T,
}

fn mac(secret: &Secret, body: &[u8]) -> Hmac<Sha256> {
    // An HMAC takes a key of any length, so this cannot fail; an empty MAC would verify nothing.
    let mut mac = match Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) {
        Ok(mac) => mac,
        Err(_) => Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()),
    };
    mac.update(body);
    mac
}

/// The signature of a body: what the header `X-VoIPBIN-Signature` holds.
pub fn sign(secret: &Secret, body: &[u8]) -> String {
    [SCHEME, &wire_core::to_hex(&mac(secret, body).finalize().into_bytes())].concat()
}

/// Whether a header is the right signature of a body, decided in constant time.
///
/// The body is the bytes that came: JSON that was read and written again is another text.
///
/// ```
/// use voipbin_types::{Secret, verify};
/// let secret = Secret::new("key");
/// let body = b"The quick brown fox jumps over the lazy dog";
/// let header = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
/// assert!(verify(&secret, body, header));
/// assert!(!verify(&secret, b"another body", header));
/// ```
pub fn verify(secret: &Secret, body: &[u8], header: &str) -> bool {
    let Some(bytes) = header.strip_prefix(SCHEME).and_then(wire_core::from_hex::<32>) else { return false };
    mac(secret, body).verify_slice(&bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_published_vector() {
        // RFC 4231, test case 2: the one whose key and data are text.
        assert_eq!(
            sign(&Secret::new("Jefe"), b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn only_the_signature_of_these_bytes_by_this_secret_is_right() {
        let (secret, body) = (Secret::new("s"), b"{}");
        let right = sign(&secret, body);
        assert!(verify(&secret, body, &right));
        assert!(!verify(&Secret::new("t"), body, &right));
        assert!(!verify(&secret, b"{ }", &right));
        let other_case = right.to_uppercase();
        let cut = &right[..right.len() - 2];
        let bare = right.trim_start_matches(SCHEME);
        for wrong in ["", "sha256=", "sha1=00", "sha256=zz", bare, cut, &other_case, &format!("{right}00")] {
            assert!(!verify(&secret, body, wrong), "{wrong}");
        }
    }
}
