//! The encryption of files for upload.
//!
//! A file is encrypted with AES-256 in CBC mode and PKCS #7 padding (RFC 5652 §6.3), under a key and an initialisation
//! vector that are new for each file. Both are encrypted with RSA-OAEP (RFC 8017 §7.1: SHA-256, MGF1 with SHA-256, no
//! label), once for each of the service's first two public keys, and written before the file. There is no other header.
//!
//! The key of a file, and what is held of its content, are overwritten in memory when they are dropped.

mod cipher;

use std::fmt;
use std::io::{Read, Write};

use didww_types::resources::PublicKey;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::rand_core::{OsRng, RngCore as _};
use rsa::sha2::Sha256;
use rsa::{Oaep, RsaPublicKey};
use zeroize::Zeroizing;

use cipher::{BLOCK_BYTES, KEY_BYTES};

pub use cipher::FileCipher;

/// Number of bytes that are read from a file at once.
const CHUNK_BYTES: usize = 64 << 10;

/// The error of an encryption.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptionError {
    /// The service has fewer than two keys, of which both are needed.
    #[error("files are encrypted with two public keys, and there are {0}")]
    Keys(usize),
    /// A public key is not an RSA key of at most 4096 bits in SPKI form.
    #[error("the public key {id} is not an RSA key of at most 4096 bits")]
    Key {
        /// The id of the key.
        id: String,
    },
    /// The system has no random bytes, or the key of the file does not fit into a public key.
    #[error("the key of the file cannot be made: {0}")]
    FileKey(String),
    /// The file cannot be read, or its encrypted form not written.
    #[error("the file cannot be read or written")]
    Io(#[from] std::io::Error),
}

/// The two public keys of the service with which files are encrypted. Either decrypts them.
///
/// The service replaces its keys from time to time, and then refuses files that were encrypted with the old ones, with
/// 422: read the keys again.
///
/// ```
/// # #[cfg(feature = "http")]
/// # async fn f(client: &didww_client::Client, passport: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
/// use didww_client::{EncryptedUpload, EncryptionKeys};
///
/// let keys = EncryptionKeys::new(&client.public_keys().list().await?.items)?;
/// let upload = EncryptedUpload::new(keys.fingerprint(), keys.encrypt(&passport)?).description("passport");
/// let file = client.encrypted_files().upload(upload).await?;
/// println!("{} is kept until {}", file.id, file.expires_at);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EncryptionKeys {
    keys: [RsaPublicKey; 2],
    fingerprint: String,
}

impl EncryptionKeys {
    /// Takes the first two keys of the list, in its order.
    ///
    /// # Errors
    /// Returns an error for fewer than two keys, and for one that is not an RSA key.
    pub fn new(keys: &[PublicKey]) -> Result<Self, EncryptionError> {
        let [first, second, ..] = keys else { return Err(EncryptionError::Keys(keys.len())) };
        let parsed = [parse(first)?, parse(second)?];
        let fingerprint = PublicKey::encryption_fingerprint(keys);
        let fingerprint = fingerprint.ok_or_else(|| EncryptionError::Key { id: first.id.to_string() })?;
        Ok(Self { keys: parsed, fingerprint })
    }

    /// The fingerprint that an upload states.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Encrypts a file that is in memory. The result has 1024 bytes more for keys of 4096 bits, and the padding of 1
    /// to 16.
    ///
    /// # Errors
    /// Returns an error when the system has no random bytes.
    pub fn encrypt(&self, content: &[u8]) -> Result<Vec<u8>, EncryptionError> {
        let mut encrypted = Vec::with_capacity(content.len() + 2048);
        let mut cipher = self.start(&mut encrypted)?;
        cipher.update(content, &mut encrypted);
        cipher.finish(&mut encrypted);
        Ok(encrypted)
    }

    /// Encrypts the bytes of a reader in chunks of 64 KiB, and returns the number of bytes written. It blocks: inside
    /// an async runtime it belongs into `spawn_blocking`.
    ///
    /// # Errors
    /// Returns the errors of reader and writer, and an error when the system has no random bytes. The bytes that were
    /// written until then are not a valid file.
    pub fn copy(&self, mut reader: impl Read, mut writer: impl Write) -> Result<u64, EncryptionError> {
        let mut chunk = Zeroizing::new(vec![0_u8; CHUNK_BYTES]);
        let (mut encrypted, mut written) = (Vec::new(), 0_u64);
        let mut cipher = self.start(&mut encrypted)?;
        loop {
            let read = match reader.read(&mut chunk) {
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if read == 0 {
                break;
            }
            cipher.update(chunk.get(..read).unwrap_or_default(), &mut encrypted);
            writer.write_all(&encrypted)?;
            written = written.saturating_add(u64::try_from(encrypted.len()).unwrap_or(u64::MAX));
            encrypted.clear();
        }
        cipher.finish(&mut encrypted);
        writer.write_all(&encrypted)?;
        writer.flush()?;
        Ok(written.saturating_add(u64::try_from(encrypted.len()).unwrap_or(u64::MAX)))
    }

    /// Begins a file: appends the encrypted key, and returns the cipher for the content.
    ///
    /// # Errors
    /// Returns an error when the system has no random bytes.
    pub fn start(&self, encrypted: &mut Vec<u8>) -> Result<FileCipher, EncryptionError> {
        let (mut key, mut vector) = (Zeroizing::new([0_u8; KEY_BYTES]), [0_u8; BLOCK_BYTES]);
        OsRng
            .try_fill_bytes(key.as_mut_slice())
            .map_err(|error| EncryptionError::FileKey(error.to_string()))?;
        OsRng.try_fill_bytes(&mut vector).map_err(|error| EncryptionError::FileKey(error.to_string()))?;
        let secret = Zeroizing::new([key.as_slice(), vector.as_slice()].concat());
        for public in &self.keys {
            let wrapped = public.encrypt(&mut OsRng, Oaep::new::<Sha256>(), &secret);
            encrypted
                .extend_from_slice(&wrapped.map_err(|error| EncryptionError::FileKey(error.to_string()))?);
        }
        Ok(FileCipher::new(&key, vector))
    }
}

fn parse(key: &PublicKey) -> Result<RsaPublicKey, EncryptionError> {
    let parsed = key.der().and_then(|der| RsaPublicKey::from_public_key_der(&der).ok());
    parsed.ok_or_else(|| EncryptionError::Key { id: key.id.to_string() })
}

impl fmt::Debug for EncryptionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionKeys").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}
