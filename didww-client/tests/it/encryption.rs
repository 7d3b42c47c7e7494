//! The encryption of files, with the keys of the fixtures and with keys of which the tests have the private part.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt as _, KeyInit as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use didww_client::resources::PublicKey;
use didww_client::{EncryptionError, EncryptionKeys};
use rsa::pkcs8::EncodePublicKey as _;
use rsa::rand_core::OsRng;
use rsa::sha2::Sha256;
use rsa::{Oaep, RsaPrivateKey};
use serde_json::{Value, json};

/// The modulus of the keys that the tests make, in bytes: the smallest that are quick to make.
const MODULUS: usize = 128;

fn public_key(id: &str, key: &str) -> PublicKey {
    serde_json::from_value(json!({"id": id, "type": "public_keys", "attributes": {"key": key}})).unwrap()
}

/// Two private keys, and the public ones as a list of the service has them.
fn made() -> ([RsaPrivateKey; 2], Vec<PublicKey>) {
    let pair = [(); 2].map(|()| RsaPrivateKey::new(&mut OsRng, MODULUS * 8).unwrap());
    let list = pair.iter().zip(["a", "b"]).map(|(private, id)| {
        let der = private.to_public_key().to_public_key_der().unwrap();
        public_key(id, &BASE64_STANDARD.encode(der.as_bytes()))
    });
    let list = list.collect();
    (pair, list)
}

/// The key and the vector, encrypted for one of the two.
fn unwrapped(private: &RsaPrivateKey, wrapped: &[u8]) -> Vec<u8> {
    private.decrypt(Oaep::new::<Sha256>(), wrapped).unwrap()
}

/// Decrypts the content after both keys, without the padding.
fn decrypted(secret: &[u8], encrypted: &[u8]) -> Vec<u8> {
    let key: [u8; 32] = secret[..32].try_into().unwrap();
    let mut chain: [u8; 16] = secret[32..].try_into().unwrap();
    let cipher = Aes256::new(&key.into());
    let mut content = Vec::new();
    for piece in encrypted.chunks(16) {
        let piece: [u8; 16] = piece.try_into().unwrap();
        let mut block = piece.into();
        cipher.decrypt_block(&mut block);
        content.extend(block.iter().zip(chain).map(|(byte, chained)| byte ^ chained));
        chain = piece;
    }
    let padding = *content.last().unwrap();
    assert!((1..=16).contains(&padding) && content.ends_with(&vec![padding; padding.into()]));
    content.truncate(content.len() - usize::from(padding));
    content
}

#[test]
fn either_private_key_decrypts_a_file_of_any_length() {
    let (pair, list) = made();
    let keys = EncryptionKeys::new(&list).unwrap();
    assert_eq!(keys.fingerprint(), PublicKey::encryption_fingerprint(&list).unwrap());
    for length in [0, 1, 15, 16, 17, 70_000] {
        let content: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let encrypted = keys.encrypt(&content).unwrap();
        assert_eq!(encrypted.len(), MODULUS * 2 + (length / 16 + 1) * 16, "{length}");
        let (wrapped, file) = encrypted.split_at(MODULUS * 2);
        let first = unwrapped(&pair[0], &wrapped[..MODULUS]);
        assert_eq!(first.len(), 48);
        assert_eq!(unwrapped(&pair[1], &wrapped[MODULUS..]), first);
        assert_eq!(decrypted(&first, file), content, "{length}");
    }
}

#[test]
fn two_encryptions_of_a_file_differ_and_a_stream_has_the_same_form() {
    let (pair, list) = made();
    let keys = EncryptionKeys::new(&list).unwrap();
    let content = vec![7; 200_000];
    let mut streamed = Vec::new();
    let written = keys.copy(&content[..], &mut streamed).unwrap();
    assert_eq!(usize::try_from(written).unwrap(), streamed.len());
    let whole = keys.encrypt(&content).unwrap();
    assert_eq!(streamed.len(), whole.len());
    assert_ne!(streamed[MODULUS * 2..], whole[MODULUS * 2..]);
    let secret = unwrapped(&pair[0], &streamed[..MODULUS]);
    assert_eq!(decrypted(&secret, &streamed[MODULUS * 2..]), content);
}

#[test]
fn the_keys_of_the_fixtures_have_the_published_fingerprint_and_4096_bits() {
    let text = include_str!("../../../fixtures/2026-04-16/public_keys.list.response.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let list: Vec<PublicKey> = serde_json::from_value(document["data"].clone()).unwrap();
    let keys = EncryptionKeys::new(&list).unwrap();
    assert_eq!(
        keys.fingerprint(),
        "ca5af2d14bee923a0a0d1687b7c77e7211a57f84:::683150ee69b4d906aa883d0ac12b0fdd79f95bcf"
    );
    assert_eq!(keys.encrypt(b"Hello, DIDWW!").unwrap().len(), 1024 + 16);
    assert_eq!(format!("{keys:?}").matches("MII").count(), 0);
}

#[test]
fn too_few_keys_and_what_is_no_key_are_errors() {
    let (_, list) = made();
    assert!(matches!(EncryptionKeys::new(&list[..1]), Err(EncryptionError::Keys(1))));
    let wrong = [list[0].clone(), public_key("c", "Zm9v")];
    let refused = EncryptionKeys::new(&wrong);
    assert!(matches!(refused, Err(EncryptionError::Key { ref id }) if id == "c"), "{refused:?}");
}
