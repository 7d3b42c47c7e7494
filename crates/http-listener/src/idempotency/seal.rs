//! The digest of a key, the fingerprint of a request, and the encryption of a kept body.
//!
//! All of them are made with the client's text, which is not stored: a copy of the database yields neither the bodies
//! of responses, which can contain new API keys, nor a means to try bodies of requests against their fingerprints.

use bytes::Bytes;
use http::StatusCode;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use trunk_store::{IdempotencyScope, KeptResponse};
use uuid::Uuid;

use super::{KeptAnswer, SentKey};

/// The secrets that are derived from the text and the scope of a key.
pub(super) struct Seal(hmac::Key);

impl Seal {
    pub(super) fn new(scope: IdempotencyScope, sent: &SentKey) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, sent.text().as_bytes());
        let scoped = hmac::sign(&key, scope.to_string().as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, scoped.as_ref()))
    }

    /// The digest under which the key is stored.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.derive(b"digest", &[])
    }

    /// The fingerprint of a request with these parts.
    pub(super) fn fingerprint(&self, request: &[&[u8]]) -> [u8; 32] {
        self.derive(b"fingerprint", request)
    }

    /// Encrypts the body of the response to a request.
    pub(super) fn close(&self, request: Uuid, body: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = body.to_vec();
        self.cipher()?.seal_in_place_append_tag(nonce(request), Aad::empty(), &mut bytes).ok()?;
        Some(bytes)
    }

    /// Decrypts the response to a request. Returns `None` if the stored body was altered.
    pub(super) fn open(&self, request: Uuid, kept: KeptResponse) -> Option<KeptAnswer> {
        let KeptResponse { status, content_type, mut body } = kept;
        let length = self.cipher()?.open_in_place(nonce(request), Aad::empty(), &mut body).ok()?.len();
        body.truncate(length);
        Some(KeptAnswer { status: StatusCode::from_u16(status).ok()?, content_type, body: Bytes::from(body) })
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        let key = self.derive(b"cipher", &[]);
        Some(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).ok()?))
    }

    /// Derives 32 bytes for a purpose. The length of each part goes before it, so that no two lists of parts are equal.
    fn derive(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in std::iter::once(&purpose).chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.sign().as_ref());
        bytes
    }
}

/// The id of the request is used once with a key: a key that is used again after it has expired has another request.
fn nonce(request: Uuid) -> Nonce {
    let mut bytes = [0; 12];
    for (byte, of_id) in bytes.iter_mut().zip(request.as_bytes()) {
        *byte = *of_id;
    }
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn seal(scope: i64, text: &str) -> Seal {
        let value = HeaderValue::from_str(&format!("\"{text}\"")).unwrap();
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static("idempotency-key"), value)]);
        Seal::new(IdempotencyScope::Account(scope), &SentKey::of(&headers).unwrap().unwrap())
    }

    #[test]
    fn only_the_clients_text_opens_a_kept_body() {
        let request = Uuid::from_u128(7);
        let body = seal(1, "k").close(request, b"an API key").unwrap();
        assert!(!body.windows(6).any(|bytes| bytes == b"an API"));
        let open = |seal: &Seal, body: &[u8]| {
            let kept =
                KeptResponse { status: 201, content_type: "text/plain".to_owned(), body: body.to_vec() };
            seal.open(request, kept).map(|answer| answer.body)
        };
        assert_eq!(open(&seal(1, "k"), &body), Some(Bytes::from_static(b"an API key")));
        assert_eq!(open(&seal(1, "l"), &body), None);
        assert_eq!(open(&seal(2, "k"), &body), None, "the key of another account");
        let mut altered = body.clone();
        altered[0] ^= 1;
        assert_eq!(open(&seal(1, "k"), &altered), None);
    }

    #[test]
    fn requests_with_different_parts_have_different_fingerprints() {
        let of = |parts: &[&[u8]]| seal(1, "k").fingerprint(parts);
        assert_eq!(of(&[b"POST", b"/a"]), of(&[b"POST", b"/a"]));
        assert_ne!(of(&[b"POST", b"/a"]), of(&[b"POST/", b"a"]));
        assert_ne!(of(&[b"POST", b"/a"]), of(&[b"POST", b"/a", b""]));
        assert_ne!(of(&[b"POST"]), seal(1, "l").fingerprint(&[b"POST"]), "it depends on the key");
        assert_ne!(seal(1, "k").digest(), of(&[]));
    }
}
